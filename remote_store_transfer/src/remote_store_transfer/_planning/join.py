"""The join of two sorted listings: what is on one side, on the other, on both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from remote_store_transfer._listing.records import Seen

__all__ = ["Pair", "join"]

#: What was seen of a key in the source, None without a file there; in the target, likewise;
#: and what keeps a new file from being written, ``""`` if nothing does.
Pair: TypeAlias = tuple[Seen | None, Seen | None, str]


def join(source: Iterable[Seen], target: Iterable[Seen]) -> Iterator[Pair]:
    """
    Yield each key of two sorted listings once.

    A file where the other side has a folder of that name is an obstacle, on a
    path that only the source has. It is none where the source has both: an
    object store may.
    """
    sources, targets = _each_once(source), _each_once(target)
    ours, theirs = next(sources, None), next(targets, None)
    # What lies below the last file that only the target has begins with it.
    barrier: str | None = None
    while ours is not None or theirs is not None:
        if ours is not None and theirs is not None and ours[0] == theirs[0]:
            yield ours, theirs, ""
            ours, theirs = next(sources, None), next(targets, None)
        elif theirs is None or (ours is not None and ours[0] < theirs[0]):
            assert ours is not None
            file, below = ours, f"{ours[0]}\0"
            ours = next(sources, None)
            obstacle = ""
            if _starts(theirs, below) and not _starts(ours, below):
                obstacle = "the target has a folder there"
            elif barrier is not None and below.startswith(barrier):
                obstacle = "the target has a file where a folder has to be"
            yield file, None, obstacle
        else:
            barrier = f"{theirs[0]}\0"
            yield None, theirs, ""
            theirs = next(targets, None)


def _starts(file: Seen | None, below: str) -> bool:
    return file is not None and file[0].startswith(below)


def _each_once(files: Iterable[Seen]) -> Iterator[Seen]:
    """Yield the files, but a second one of a key."""
    last = None
    for file in files:
        if file[0] != last:
            last = file[0]
            yield file
