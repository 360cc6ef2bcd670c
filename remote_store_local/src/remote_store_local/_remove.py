"""
Deleting a folder with everything in it.

One folder is open at a time, so that depth is no limit: the way back up goes
through ``..``, which is checked to be the folder that it was on the way down.
Links are removed, never followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable

from remote_store_local._confine import Folder
from remote_store_local._names import RESERVED
from remote_store_local._publish import Stopped
from remote_store_local._sweep import is_live

__all__ = ["remove_tree"]


class _Level:
    """A folder on the way down: its name, who it is, and the subfolders still to do."""

    __slots__ = ("identity", "name", "waiting")

    def __init__(self, name: str, folder: Folder) -> None:
        self.name = name
        self.identity = _identity(folder)
        self.waiting = _empty(folder)


def _identity(folder: Folder) -> tuple[int, int]:
    found = os.stat(folder.handle)
    return found.st_dev, found.st_ino


def _empty(folder: Folder) -> list[str]:
    """Remove what is no folder and return the names of the subfolders."""
    below = []
    with os.scandir(folder.handle) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if is_folder:
            below.append(name)
        # A file that is being written is its writer's: it will be there
        # afterwards, as if it had been written a moment later.
        elif not (name.startswith(RESERVED) and is_live(folder, name)):
            with contextlib.suppress(FileNotFoundError):
                folder.unlink(name)
    return below


def _up(folder: Folder, above: tuple[int, int]) -> Folder:
    if folder.fd is None:
        return Folder(None, os.path.join(os.path.dirname(folder.prefix.rstrip(os.sep)), ""))
    parent = Folder(os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder.fd))
    if _identity(parent) != above:
        parent.close()
        msg = "a folder was moved away while it was being deleted"
        raise OSError(errno.ESTALE, msg)
    return parent


def remove_tree(parent: Folder, name: str, stopped: Callable[[], bool]) -> None:
    """
    Remove the folder *name* and all that is below it.

    What others put in meanwhile, and files that are just being written, stay,
    and the folders above them.

    Args:
        parent: Its folder.
        name: Its name; not a link.
        stopped: Asked now and then whether to give up.

    Raises:
        Stopped: *stopped* said so; what is deleted is gone, the rest is whole.
        OSError: Something could not be removed.
    """
    folder = parent.enter(name, listing=True)
    try:
        levels = [_Level(name, folder)]
        while True:
            if stopped():
                raise Stopped
            level = levels[-1]
            if level.waiting:
                below = level.waiting.pop()
                try:
                    entered = folder.enter(below, listing=True)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno not in (errno.EXDEV, errno.ENOTDIR):
                        raise
                    with contextlib.suppress(FileNotFoundError):
                        folder.unlink(below)  # swapped for a link or a file meanwhile
                    continue
                folder.close()
                folder = entered
                levels.append(_Level(below, folder))
                continue
            levels.pop()
            if not levels:
                break
            above = _up(folder, levels[-1].identity)
            folder.close()
            folder = above
            _rmdir(folder, level.name)
    finally:
        folder.close()
    _rmdir(parent, name)


def _rmdir(folder: Folder, name: str) -> None:
    try:
        folder.rmdir(name)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
