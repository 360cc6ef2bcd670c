"""The join of two sorted listings: what is on one side, on the other, on both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from remote_store_transfer._listing.records import File, path_of
from remote_store_transfer._values import Version

__all__ = ["Pair", "join"]

#: A path, and what was seen of it: in the source, None without a file there; in the target,
#: likewise; and what keeps a new file from being written, ``""`` if nothing does.
Pair: TypeAlias = tuple[str, Version | None, Version | None, str]

_END: Final = (None, None)


def join(source: Iterable[File], target: Iterable[File]) -> Iterator[Pair]:
    """
    Yield each path of two sorted listings once.

    A file where the other side has a folder of that name is an obstacle, on a
    path that only the source has. It is none where the source has both: an
    object store may.
    """
    ours, theirs = _each_once(source), _each_once(target)
    key, seen = next(ours, _END)
    other, there = next(theirs, _END)
    # What lies below the last file that only the target has begins with it.
    barrier: str | None = None
    while key is not None or other is not None:
        if key == other:
            assert key is not None
            yield path_of(key), seen, there, ""
            key, seen = next(ours, _END)
            other, there = next(theirs, _END)
        elif other is None or (key is not None and key < other):
            assert key is not None
            path, file, below = path_of(key), seen, f"{key}\0"
            behind = barrier is not None and key.startswith(barrier)
            key, seen = next(ours, _END)
            obstacle = ""
            if other is not None and other.startswith(below) and not (key or "").startswith(below):
                obstacle = "the target has a folder there"
            elif behind:
                obstacle = "the target has a file where a folder has to be"
            yield path, file, None, obstacle
        else:
            barrier = f"{other}\0"
            yield path_of(other), None, there, ""
            other, there = next(theirs, _END)


def _each_once(files: Iterable[File]) -> Iterator[File]:
    """Yield the files, but a second one of a key."""
    last = None
    for file in files:
        if file[0] != last:
            last = file[0]
            yield file
