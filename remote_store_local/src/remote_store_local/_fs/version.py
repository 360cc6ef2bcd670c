"""
What a file was when it was opened, and whether it still is when its reader comes to the end.

The size that the system gives at first is true only of an ordinary file
that is not being written to. One that grows is longer; the files of /proc say 0 and
those of /sys 4096, whatever they contain, and may give less than was asked for
before their end.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["ended_early", "first_read", "is_behind", "is_same_version"]

#: Bytes to ask a file for that says it has none; some give their content to one read only.
_UNSIZED: Final = 1 << 16
#: Bytes by which no file grows while it is being opened.
_FAR: Final = 1 << 40


def first_read(size: int, limit: int) -> int:
    """
    Return how many bytes to ask for at first: one more than expected shows the end.

    Args:
        size: Bytes that the file says it has.
        limit: Bytes to ask for at most.
    """
    return min(size + 1 if size else _UNSIZED, limit)


def is_behind(start: int, size: int) -> bool:
    """Return True for a position so far behind the end that a system may refuse to go there."""
    return start > max(size, _FAR)


def is_same_version(found: os.stat_result, now: os.stat_result) -> bool:
    """
    Return True if nothing was written to a file between two looks at its descriptor.

    Its other names do not matter: where it was replaced by another file, the
    change time shows nothing.
    """
    return (found.st_size, found.st_mtime_ns) == (now.st_size, now.st_mtime_ns) and (
        found.st_ctime_ns == now.st_ctime_ns or found.st_nlink != now.st_nlink
    )


def ended_early(fd: int, found: os.stat_result, got: int) -> bool:
    """
    Return True if a file that gave no more bytes has lost some since it was opened.

    Args:
        fd: Its descriptor, at the end.
        found: What it was when it was opened.
        got: Bytes that it gave.
    """
    if got >= found.st_size:
        return False
    return not is_same_version(found, os.fstat(fd)) or bool(os.read(fd, 1))
