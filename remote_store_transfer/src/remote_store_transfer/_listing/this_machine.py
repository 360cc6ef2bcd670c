"""
What can be done with files of this machine that a store has no call for.

A store over a folder of this machine says so by unwrapping to a
`pathlib.Path`. Its listings tell no ETag; the system tells version and time
for nothing, and takes a modification time.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from remote_store import RemoteStoreError, WriteResult
from remote_store.aio import AsyncStore
from remote_store_transfer._values import Version

__all__ = ["ThisMachine", "this_machine"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


class ThisMachine:
    """
    The files of one store, by their paths in the file system.

    All methods block.

    Args:
        store: A store that unwraps to a path.
    """

    def __init__(self, store: AsyncStore) -> None:
        self._store = store

    def real_path(self, path: str) -> str:
        """Return the path in the file system with every link resolved."""
        return os.path.realpath(self._store.native_path(path))

    def stops_at_link(self, folder: str, path: str, entered: AbstractSet[str]) -> bool:
        """
        Return True if a file's path below a folder is a link, or leads through one.

        Args:
            folder: Path of the folder; what it is reached by does not count.
            path: Path of the file, relative to *folder*. It need not exist.
            entered: Links that do not count; relative to *folder*, too.
        """
        below = ""
        try:
            native = self._store.native_path(folder)
            for segment in path.split("/"):
                below = f"{below}/{segment}" if below else segment
                native = os.path.join(native, segment)
                if stat.S_ISLNK(os.lstat(native).st_mode) and below not in entered:
                    return True
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, RemoteStoreError):
            return True  # nothing is known, so nothing may be deleted
        return False

    def links_that_leave(self, folder: str) -> int:
        """Return how many links in a folder lead out of the store's root, which shows none."""
        with contextlib.suppress(OSError, RemoteStoreError):  # which the listing tells
            root = os.path.realpath(self._store.unwrap(Path))
            with os.scandir(self._store.native_path(folder)) as found:
                links = [os.path.realpath(entry.path) for entry in found if entry.is_symlink()]
            return sum(
                os.path.exists(real) and os.path.commonpath((root, real)) != root for real in links
            )
        return 0

    def look(self, path: str) -> Version | None:
        """Return size and time of a file, None if it cannot be told from here."""
        try:
            found = os.stat(self._store.native_path(path))
        except (OSError, RemoteStoreError):
            return None
        return Version(found.st_size, _time(found))

    def may_have_metadata(self, path: str) -> bool:
        """Return False if a file carries nothing that user metadata could be in."""
        try:
            return bool(os.listxattr(self._store.native_path(path)))
        except (OSError, AttributeError, RemoteStoreError):
            return True

    def restore_time(self, path: str, time: datetime, written: WriteResult | None) -> bool:
        """
        Give a file that was just written the time of its source.

        Args:
            path: Path of the file.
            time: Its modification time to be.
            written: What the write told; another file that took its place
                meanwhile keeps its own time. None where nothing was told.

        Returns:
            False if that was not possible.
        """
        stamp = (time - _EPOCH) // _MICRO * 1000
        with contextlib.suppress(OSError, RemoteStoreError, OverflowError):
            native = self._store.native_path(path)
            fd = os.open(native, os.O_RDONLY)
            try:
                found = os.fstat(fd)
                if written is not None and (found.st_size, _time(found)) != (
                    written.size,
                    written.last_modified or _time(found),
                ):
                    return False
                os.utime(fd if os.utime in os.supports_fd else native, ns=(stamp, stamp))
            finally:
                os.close(fd)
            return True
        return False


def this_machine(store: AsyncStore) -> ThisMachine | None:
    """Return the files of a store over a folder of this machine; None for any other store."""
    try:
        store.unwrap(Path)
    except RemoteStoreError:
        return None
    return ThisMachine(store)


def _time(found: os.stat_result) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=found.st_mtime_ns // 1000)
    except OverflowError:
        return None
