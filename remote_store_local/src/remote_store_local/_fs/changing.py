"""
Changes of the names in a folder: many plain ones at a time, or one that compares first.

A conditional change looks at a version and then replaces it, which are two steps for
the system. Nobody may change in between what it looked at: no thread, no other
process, and no caller who knows nothing of conditions. So whoever replaces or removes
a name holds a lock on its folder for these microseconds.

The locks are those of open file descriptions: they end with their process, whatever
becomes of it, and are none that other programs wait for (as those of `flock` are). A
folder is opened for reading, and so it takes shared locks only. Hence each says by a
lock on a byte of its own what it is about to do, and then looks whether others have
said something that does not go with it; if so, it steps back. Of two who come at the
same time at least one sees the other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import time
from types import TracebackType
from typing import Any, Final

from remote_store import ResourceLocked
from remote_store_local._fs.folder import LIST, OpenFolder, close_quietly

_system: Any = None
with contextlib.suppress(ImportError):  # Windows
    import fcntl

    _system = fcntl

__all__ = ["Changing", "holds_locks"]

#: Seconds that others are waited for; they need microseconds, unless one is stopped.
_PATIENCE: Final = 10.0
#: Seconds in which the plain changes under way must end for one who compares, while no
#: new ones begin; after them it steps back.
_DRAIN: Final = 0.005
#: Seconds that one who stepped back waits at most the first time.
_PAUSE: Final = 0.0002
#: Bytes that stand for the two kinds of changes; a folder need not have them.
_PLAIN: Final = 0
_ALONE: Final = 1
#: False where the system does not have these locks.
_KNOWN: Final = hasattr(_system, "F_OFD_SETLK")
_SET: Final[int] = getattr(_system, "F_OFD_SETLK", 0)
_GET: Final[int] = getattr(_system, "F_OFD_GETLK", 0)


def _requests(kind: str) -> tuple[bytes, bytes]:
    # Type, whence, start, length, process: struct flock of Linux.
    number = getattr(_system, kind, 0)
    plain, alone = (
        struct.pack("hhqqi4x", number, os.SEEK_SET, byte, 1, 0) for byte in (_PLAIN, _ALONE)
    )
    return plain, alone


_SAY: Final = _requests("F_RDLCK")
_UNSAY: Final = _requests("F_UNLCK")
#: A lock that would go with no other one; it is asked about, and never taken.
_ASK: Final = _requests("F_WRLCK")
#: How the answer begins where nobody has said anything.
_FREE: Final = _UNSAY[_PLAIN][:2]


def _said_by_others(fd: int, byte: int) -> bool:
    answer: bytes = _system.fcntl(fd, _GET, _ASK[byte])
    return not answer.startswith(_FREE)


def holds_locks(path: str) -> bool:
    """Return True if the folder at *path* can be locked as is needed here; changes nothing."""
    if not _KNOWN:
        return False
    fds: list[int] = []
    try:
        fds.append(os.open(path, LIST))
        fds.append(os.open(path, LIST))
        _system.fcntl(fds[0], _SET, _SAY[_PLAIN])
        return _said_by_others(fds[1], _PLAIN)
    except OSError:
        return False
    finally:
        for fd in fds:
            close_quietly(fd)


class Changing:
    """
    Names in some folders are being changed, for the time of a ``with`` block.

    A folder that cannot be locked, because it may not be read or its file system
    has no locks, is left alone: there, nobody can compare either.

    Args:
        folders: The folders, opened for listing.
        alone: Keep everybody else out of the first one, to compare what is in it.
        key: For errors.
        backend: For errors.

    Raises:
        ResourceLocked: Others do not come to an end.
        OSError: The first folder cannot be locked, and *alone* is wanted.
    """

    __slots__ = ("_alone", "_backend", "_folders", "_held", "_key")

    def __init__(self, *folders: OpenFolder, alone: bool, key: str, backend: str) -> None:
        self._folders = folders
        self._alone = alone
        self._key = key
        self._backend = backend
        self._held: list[tuple[int, int]] = []

    def __enter__(self) -> None:
        if not _KNOWN or self._taken():
            return
        end = time.monotonic() + _PATIENCE
        pause = _PAUSE
        while True:
            self._release()
            if time.monotonic() > end:
                msg = "Another process holds its folder, in the middle of a change"
                raise ResourceLocked(msg, path=self._key, backend=self._backend)
            import random  # few wait

            time.sleep(random.uniform(0, pause))  # noqa: S311 - keeps two apart, no secret
            pause = min(2 * pause, _DRAIN)
            if self._taken():
                return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release()

    def _taken(self) -> bool:
        """Say what is about to be done; return False if it does not go with what others say."""
        alone, held = self._alone, self._held
        for folder in self._folders:
            fd = folder.fd
            if fd is None or (held and self._has(held[0][0], fd)):
                continue
            byte = _ALONE if alone else _PLAIN
            try:
                _system.fcntl(fd, _SET, _SAY[byte])
                held.append((fd, byte))
                if _said_by_others(fd, _ALONE) or (alone and not self._drained(fd)):
                    return False
            except OSError as error:
                if alone and error.errno == errno.EBADF:  # opened without the right to list it
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from error
                if alone:
                    raise
            alone = False
        return True

    def _has(self, held: int, fd: int) -> bool:
        """
        Return True if what was said in one folder goes for another one, which is the same.

        Plain changes go together, and to say one twice costs no more than to compare.
        """
        return held == fd or (self._alone and os.path.sameopenfile(held, fd))

    def _drained(self, fd: int) -> bool:
        end = time.monotonic() + _DRAIN
        while _said_by_others(fd, _PLAIN):
            if time.monotonic() > end:
                return False
            time.sleep(0)
        return True

    def _release(self) -> None:
        # Not by the close of the folder: a fork may have a copy of it, and so of the lock.
        while self._held:
            fd, byte = self._held[-1]
            try:  # noqa: SIM105 - a fifth of what a plain change costs here
                _system.fcntl(fd, _SET, _UNSAY[byte])
            except OSError:
                pass
            self._held.pop()
