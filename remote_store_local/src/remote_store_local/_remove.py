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

from remote_store import RemoteStoreError
from remote_store_local._confine import Folder, Tree
from remote_store_local._errors import translate
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
        self.waiting: list[str] = []


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
    try:
        if _identity(parent) != above:
            msg = "a folder was moved away while it was being deleted"
            raise OSError(errno.ESTALE, msg)
    except BaseException:
        parent.close()
        raise
    return parent


def remove_tree(
    tree: Tree, key: str, parent: Folder, name: str, stopped: Callable[[], bool]
) -> None:
    """
    Remove the folder *name* and all that is below it.

    What others put in meanwhile, and files that are just being written, stay,
    and the folders above them.

    Args:
        tree: Where.
        key: Its key, for errors.
        parent: Its folder.
        name: Its name; not a link.
        stopped: Asked now and then whether to give up.

    Raises:
        Stopped: *stopped* said so; what is deleted is gone, the rest is whole.
        PermissionDenied, RemoteStoreError: Something could not be removed; the
            error's ``path`` is its key.
        OSError: The folder is missing (ENOENT), or none (ENOTDIR).
    """
    levels: list[_Level] = []
    try:
        _remove(levels, parent, name, stopped)
    except (RemoteStoreError, FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise translate(error, _refused(key, levels, error), tree.backend) from error


def _refused(key: str, levels: list[_Level], error: OSError) -> str:
    """Return the key of what the system refused: a name in the last level, or that itself."""
    names = [key, *(level.name for level in levels[1:])]
    if levels and isinstance(error.filename, str):
        name = os.path.basename(error.filename)
        names += [name] if name not in ("", ".", "..") else []
    return "/".join(names)


def _remove(levels: list[_Level], parent: Folder, name: str, stopped: Callable[[], bool]) -> None:
    folder = parent.enter(name, listing=True)
    try:
        levels.append(_Level(name, folder))
        levels[-1].waiting = _empty(folder)
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
                levels[-1].waiting = _empty(folder)
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
