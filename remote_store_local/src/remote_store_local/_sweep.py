"""Removing the temporary files of writers that died."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable
from typing import Final

from remote_store import RemoteStoreError
from remote_store_local._confine import Folder, Tree, is_own_folder
from remote_store_local._errors import translate
from remote_store_local._names import RESERVED
from remote_store_local._publish import fcntl, lock

__all__ = ["is_live", "now", "sweep_folder", "sweep_tree"]

#: Seconds that a temporary file is left alone: also the writer on another
#: machine, whose lock cannot be seen here, should be done by then.
STALE: Final = 24 * 3600.0


def now() -> float:
    """Return the time in seconds; a name of its own, so that tests can shift it."""
    return time.time()


def is_live(folder: Folder, name: str) -> bool:
    """Return True if a living process holds the lock of a temporary file."""
    if fcntl is None:
        return False
    try:
        fd = folder.open(name)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # cannot be told
    try:
        return not lock(fd)
    finally:
        os.close(fd)


def sweep_folder(folder: Folder) -> int:
    """Remove the stale temporary files directly in *folder*; return how many."""
    removed = 0
    with os.scandir(folder.handle) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(RESERVED)]
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found = folder.stat(name)
            # A copy gives its file the old time of its source: only the change
            # of its status tells how old it is.
            touched = max(found.st_mtime, found.st_ctime)
            if not stat.S_ISREG(found.st_mode) or now() - touched < STALE:
                continue
            if not is_live(folder, name):
                folder.unlink(name)
                removed += 1
    return removed


def sweep_tree(tree: Tree, key: str, stopped: Callable[[], bool]) -> int:
    """
    Remove stale temporary files in a folder and all folders below it.

    Args:
        tree: Where.
        key: Key of the folder.
        stopped: Asked now and then whether to give up.

    Returns:
        How many were removed.

    Raises:
        PermissionDenied, RemoteStoreError: A folder could not be swept, the
            first one that its ``path`` names; all others were.
    """
    removed = 0
    refused: RemoteStoreError | None = None
    waiting = [key]
    while waiting and not stopped():
        above = waiting.pop()
        try:
            with tree.open_folder(above, listing=True) as folder:
                with os.scandir(folder.handle) as entries:
                    waiting += [
                        f"{above}/{entry.name}" if above else entry.name
                        for entry in entries
                        if is_own_folder(entry)
                    ]
                removed += sweep_folder(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if refused is None:
                refused = translate(error, above, tree.backend)
                refused.__cause__ = error
    if refused is not None:
        raise refused
    return removed
