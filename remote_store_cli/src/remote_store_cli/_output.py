"""
What goes to standard output: lines, tables, JSON; no control character from the data.

Nothing here needs the core: the diagnosis of a core that cannot be imported
prints by it, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final, TextIO

__all__ = [
    "columns",
    "drop",
    "emit",
    "emit_json",
    "emit_table",
    "one_line",
    "padded",
    "printable",
]

_BREAK: Final = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*")
#: A last column that is narrower than this is not wrapped.
_LEAST: Final = 20

#: Spaces of all scripts, and what joins letters and emoji, are parts of ordinary names.
_HARMLESS: Final = frozenset("\u200c\u200d")


def printable(text: str) -> str:
    """Return *text* with control characters escaped: names must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else c.encode("unicode_escape").decode() for c in text)


def _is_shown(character: str) -> bool:
    return (
        character.isprintable() or character in _HARMLESS or unicodedata.category(character) == "Zs"
    )


def one_line(text: str) -> str:
    """Return a message of somebody else in one line."""
    return _BREAK.sub(" ", text.strip())


def drop(stream: TextIO) -> None:
    """Send what *stream* still buffers, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def emit(line: str) -> None:
    """
    Write one line to standard output.

    Control characters in it are escaped, wherever they come from: names of
    files and of plugins, versions, and what services say are foreign text.
    """
    sys.stdout.write(printable(line) + "\n")


def emit_json(data: Any) -> None:
    """Write *data* to standard output as indented JSON, which escapes control characters itself."""
    sys.stdout.write(json.dumps(data, indent=2, sort_keys=False) + "\n")


def emit_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """
    Write aligned columns; nothing is cut, and for a pipe nothing is wrapped.

    On a terminal that is too narrow the words of the last column go on below it,
    or below the row.
    """
    table = [tuple(map(printable, row)) for row in (header, *rows)]
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    start = sum(widths[:-1]) + 2 * (len(widths) - 1)
    screen = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    below = screen is not None and start + min(widths[-1], _LEAST) > screen
    if below:
        start = 4
    for number, row in enumerate(table):
        cells = [padded(cell, width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        lines = [row[-1]]
        if screen is not None and columns(row[-1]) > screen - start:
            lines = textwrap.wrap(
                row[-1], screen - start, break_long_words=False, break_on_hyphens=False
            ) or [""]
        first, more = ("", lines) if below else (lines[0], lines[1:])
        emit("  ".join([*cells, first]).rstrip())
        if not (below and number == 0):  # what has no column has no heading
            for line in more:
                emit(" " * start + line)


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # only where it is needed

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """Return a text filled up to *width* columns of a terminal."""
    return text + " " * (width - columns(text))
