"""What a process said on its standard error before it ended: the part that names the culprit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from attrs import field, frozen

__all__ = ["last_words"]

#: Lines before a dump of the stacks that are kept, or of what is no dump.
_BEFORE: Final = 40

#: Innermost calls of a stack that are kept.
_CALLS: Final = 15

_FATAL: Final = "Fatal Python error:"
_STACK: Final = re.compile(r"(?:(Current) thread|Thread) 0x[0-9a-f]+.*:$")
_CALL: Final = re.compile(r'  File "(.*)", line \d+ in ')

#: Modules whose calls wait for something: a thread in one of them does no harm.
_WAITING: Final = ("threading.py", "selectors.py", "queue.py", "thread.py")


@frozen
class _Stack:
    """
    The calls of one thread.

    Args:
        current: The dump marks it as the one that was running.
        lines: Its head, and its calls from the innermost on.
    """

    current: bool
    lines: list[str] = field(factory=list)

    @property
    def waits(self) -> bool:
        call = _CALL.match(self.lines[1]) if len(self.lines) > 1 else None
        return call is None or os.path.basename(call[1]) in _WAITING


def last_words(lines: Iterable[str]) -> str:
    """
    Return the end of what a process said, where it may have dumped the stacks of its threads.

    Of such a dump only one stack is kept, from its innermost call on: that of the thread
    that was running, unless it waits and another one does not, as where a signal
    ended a process that somebody held.
    """
    said = [line.rstrip("\n") for line in lines]
    start = next((n for n, line in enumerate(said) if line.startswith(_FATAL)), len(said))
    stacks = sorted(_stacks(said[start:]), key=lambda s: (s.waits, not s.current))
    if not stacks:
        return "\n".join(said[-_BEFORE:]).strip()
    first, *others = stacks
    kept = [*said[max(0, start - _BEFORE) : start + 1], "", *first.lines[: _CALLS + 1]]
    if len(first.lines) > _CALLS + 1:
        kept.append(f"  ... {len(first.lines) - _CALLS - 1} more calls")
    if others:
        kept.append(f"(threads beside it: {len(others)})")
    return "\n".join(kept).strip()


def _stacks(lines: Iterable[str]) -> list[_Stack]:
    found: list[_Stack] = []
    inside = False
    for line in lines:
        if head := _STACK.match(line):
            found.append(_Stack(bool(head[1]), [line]))
            inside = True
        elif inside and line.startswith("  "):
            found[-1].lines.append(line)
        else:
            inside = False
    return found
