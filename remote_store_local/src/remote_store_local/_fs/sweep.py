"""Removing the temporary files of writers that died."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from typing import Final

from remote_store.authoring import RESERVED_PREFIX
from remote_store_local._errors import CollectedErrors
from remote_store_local._fs.folder import OpenFolder, close_quietly, is_own_folder
from remote_store_local._fs.resolve import Root
from remote_store_local._fs.temp_file import fcntl

__all__ = ["is_live", "is_removable", "is_stale", "now", "sweep_folder", "sweep_tree"]

#: Seconds that a temporary file is left alone: also the writer on another
#: machine, whose lock cannot be seen here, should be done by then.
STALE: Final = 24 * 3600.0
#: "There are no locks here": a writer has none either, and age alone decides.
_NO_LOCKS: Final = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def now() -> float:
    """Return the time in seconds; a name of its own, so that tests can shift it."""
    return time.time()


def is_live(folder: OpenFolder, name: str) -> bool:
    """
    Return True if a living process is writing a temporary file.

    That is a file whose lock a process holds; a link or a folder has no writer.
    Where the file system has no locks, a stale one counts as abandoned.

    Raises:
        OSError: It is not known, because the file may not be opened, or the
            system cannot say who holds its lock.
    """
    if fcntl is None:
        return False
    try:
        found = folder.stat(name)
        if not stat.S_ISREG(found.st_mode):
            return False
        fd = folder.open(name)
    except FileNotFoundError:
        return False
    try:
        # Shared: NFS gives no other lock on a file that was opened for reading,
        # and two who look at the same time do not take each other for a writer.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in _NO_LOCKS or not is_stale(found):
            raise
    finally:
        close_quietly(fd)
    return False


def is_removable(folder: OpenFolder, name: str) -> bool:
    """
    Return True if a temporary file may be removed together with its folder.

    Raises:
        OSError: Whether it is being written is not known, and it is not stale.
    """
    try:
        return not is_live(folder, name)
    except OSError:
        if is_stale(folder.stat(name)):
            return True
        raise


def is_stale(found: os.stat_result) -> bool:
    """Return True if a temporary file is older than any write should take."""
    # A copy gives its file the old time of its source: only the change of its
    # status shows how old it is.
    return now() - max(found.st_mtime, found.st_ctime) >= STALE


def sweep_folder(folder: OpenFolder, *, dry_run: bool = False) -> list[str]:
    """Remove the stale temporary files directly in *folder*, or only look; return their names."""
    swept = []
    with os.scandir(folder.handle) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(RESERVED_PREFIX)]
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found = folder.stat(name)
            if not stat.S_ISREG(found.st_mode) or not is_stale(found):
                continue
            try:
                live = is_live(folder, name)
            except PermissionError:
                continue  # it is not known whether it is live
            if not live:
                if not dry_run:
                    folder.unlink(name)
                swept.append(name)
    return swept


def sweep_tree(
    root: Root,
    key: str,
    stopped: Callable[[], bool],
    *,
    dry_run: bool = False,
    found: Callable[[str], object] | None = None,
) -> int:
    """
    Remove stale temporary files in a folder and all folders below it.

    Args:
        root: Where.
        key: Key of the folder.
        stopped: Asked now and then whether to give up.
        dry_run: Only look.
        found: Told the key of each.

    Returns:
        How many were removed, or would be.

    Raises:
        PermissionDenied, RemoteStoreError: A folder could not be swept, the
            first one that its ``path`` names; ``others`` are the errors of
            further folders, and all the rest was swept.
    """
    swept = 0
    errors = CollectedErrors(root.backend)
    waiting = [key]
    while waiting and not stopped():
        above = waiting.pop()
        try:
            with root.open_folder(above, listing=True) as folder:
                with os.scandir(folder.handle) as entries:
                    waiting += [
                        f"{above}/{entry.name}" if above else entry.name
                        for entry in entries
                        if is_own_folder(entry)
                    ]
                for name in sweep_folder(folder, dry_run=dry_run):
                    swept += 1
                    if found is not None:
                        found(f"{above}/{name}" if above else name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            errors.note(error, above)
    errors.raise_first()
    return swept
