"""Matching a glob pattern in time linear in the key, where a regular expression cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["ANY_SEGMENTS", "NOT_SLASH", "REST", "STAR", "Nfa"]

NOT_SLASH: Final = "[^/]"
#: A star: any run of characters without a slash.
STAR: Final = f"{NOT_SLASH}*"
#: Any number of whole segments.
ANY_SEGMENTS: Final = f"(?:{NOT_SLASH}+/)*"
#: All that is left.
REST: Final = ".*"

#: Steps that are remembered of one pattern.
_REMEMBERED: Final = 1024


class Nfa:
    """
    A pattern as a machine that is in several states at once.

    It reads a key once and never goes back. A regular expression does go back,
    and with several stars between things that can match a slash the time that
    takes grows with a power of the key's length, one for each star.

    Args:
        atoms: The parts of the pattern in order: `STAR`, `ANY_SEGMENTS`,
            `REST`, or an expression that matches exactly one character.
    """

    def __init__(self, atoms: Iterable[str]) -> None:
        #: From which state, over which character, to which. A state is one bit.
        self._edges: list[tuple[int, re.Pattern[str], int]] = []
        #: From which state to which without a character.
        self._free: list[tuple[int, int]] = []
        self._known: dict[tuple[int, str], int] = {}
        here, self._count = 1, 1
        for atom in atoms:
            before, here = here, self._new()
            if atom in (STAR, REST):
                self._free.append((before, here))
                self._edge(here, NOT_SLASH if atom == STAR else ".", here)
            elif atom == ANY_SEGMENTS:
                within = self._new()
                self._free.append((before, here))
                self._edge(here, NOT_SLASH, within)
                self._edge(within, NOT_SLASH, within)
                self._edge(within, "/", here)
            else:
                self._edge(before, atom, here)
        self._last = here
        self._first = self._with_free(1)

    def _new(self) -> int:
        state = 1 << self._count
        self._count += 1
        return state

    def _edge(self, before: int, expression: str, after: int) -> None:
        self._edges.append((before, re.compile(expression, re.DOTALL), after))

    def fullmatch(self, key: str) -> bool:
        """Return True if the whole of *key* matches."""
        states = self._first
        known = self._known
        for char in key:
            after = known.get((states, char))
            states = self._step(states, char) if after is None else after
            if not states:
                return False
        return bool(states & self._last)

    def _step(self, states: int, char: str) -> int:
        after = 0
        for source, expression, target in self._edges:
            if states & source and not after & target and expression.match(char):
                after |= target
        after = self._with_free(after)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[states, char] = after
        return after

    def _with_free(self, states: int) -> int:
        for before, after in self._free:  # in the order of the pattern
            if states & before:
                states |= after
        return states
