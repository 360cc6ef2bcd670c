"""The join of two sorted listings: what is on one side, on the other, on both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from remote_store_transfer._listing.records import Seen, split

__all__ = ["Pair", "join"]


class Pair(NamedTuple):
    """
    One path and what was seen of it.

    Args:
        key: See `key_of`.
        source: None if the source has no file there.
        target: None if the target has no file there.
        obstacle: What keeps a new file from being written, ``""`` if nothing does.
    """

    key: bytes
    source: Seen | None
    target: Seen | None
    obstacle: str = ""


class _Cursor:
    """A sorted listing, and the entry that comes next."""

    def __init__(self, records: Iterator[bytes]) -> None:
        self._records = records
        self.key: bytes | None = None
        self.seen: Seen | None = None
        self.advance()

    def advance(self) -> None:
        """Go on to the next key; a second entry of one key is passed over."""
        last = self.key
        for record in self._records:
            self.key, self.seen = split(record)
            if self.key != last:
                return
        self.key = self.seen = None

    def is_below(self, key: bytes) -> bool:
        """Return True if the next entry lies below a folder *key*."""
        return self.key is not None and self.key.startswith(key + b"\0")


def join(source: Iterator[bytes], target: Iterator[bytes]) -> Iterator[Pair]:
    """
    Yield each path of two sorted listings once.

    A file where the other side has a folder of that name is an obstacle, on a
    path that only the source has. It is none where the source has both: an
    object store may.
    """
    ours, theirs = _Cursor(source), _Cursor(target)
    # The last file that only the target has: what would lie below it comes next.
    barrier: bytes | None = None
    while ours.key is not None or theirs.key is not None:
        if ours.key == theirs.key:
            assert ours.key is not None
            yield Pair(ours.key, ours.seen, theirs.seen)
            ours.advance()
            theirs.advance()
        elif theirs.key is None or (ours.key is not None and ours.key < theirs.key):
            assert ours.key is not None
            key, seen = ours.key, ours.seen
            ours.advance()
            obstacle = ""
            if theirs.is_below(key) and not ours.is_below(key):
                obstacle = "the target has a folder there"
            elif barrier is not None and key.startswith(barrier + b"\0"):
                obstacle = "the target has a file where a folder has to be"
            yield Pair(key, seen, None, obstacle)
        else:
            barrier = theirs.key
            yield Pair(theirs.key, None, theirs.seen)
            theirs.advance()
