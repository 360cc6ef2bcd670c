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
from typing import Final

from remote_store import ResourceLocked
from remote_store.authoring import RESERVED_PREFIX
from remote_store_local._errors import CollectedErrors
from remote_store_local._fs.changing import Changing
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.resolve import Root
from remote_store_local._fs.sweep import is_removable
from remote_store_local._fs.temp_file import Stopped

__all__ = ["remove_tree"]

#: Files that are removed while others who compare a version have to wait: a millisecond's work.
_TOGETHER: Final = 64


class _OpenedFolder:
    """A folder on the way down: its name, its identity, and the subfolders still to do."""

    __slots__ = ("identity", "name", "waiting")

    def __init__(self, name: str, folder: OpenFolder) -> None:
        self.name = name
        self.identity = _identity(folder)
        self.waiting: list[str] = []


def _identity(folder: OpenFolder) -> tuple[int, int]:
    found = os.stat(folder.handle)
    return found.st_dev, found.st_ino


def _up(folder: OpenFolder, above: tuple[int, int]) -> OpenFolder:
    if folder.fd is None:
        return OpenFolder(None, os.path.join(os.path.dirname(folder.prefix.rstrip(os.sep)), ""))
    parent = OpenFolder(os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder.fd))
    try:
        if _identity(parent) != above:
            msg = "a folder was moved away while it was being deleted"
            raise OSError(errno.ESTALE, msg)
    except BaseException:
        parent.close()
        raise
    return parent


def remove_tree(
    root: Root, key: str, parent: OpenFolder, name: str, stopped: Callable[[], bool]
) -> None:
    """
    Remove the folder *name* and all that is below it.

    What others put in meanwhile, and files that are just being written, stay,
    and the folders above them. What cannot be removed does not stop it.

    Args:
        root: Where.
        key: Its key, for errors.
        parent: Its folder.
        name: Its name; not a link.
        stopped: Asked now and then whether to give up.

    Raises:
        Stopped: *stopped* said so; what is deleted is gone, the rest is whole.
        PermissionDenied, RemoteStoreError: Something could not be removed; the
            error's ``path`` is its key, ``others`` are the errors of other
            folders. If anything was removed, ``outcome_unknown`` is True.
        OSError: The folder is missing (ENOENT), or none (ENOTDIR).
    """
    removal = _Removal(root, key)
    removal.run(parent, name, stopped)
    removal.errors.raise_first(changed=removal.changed)


class _Removal:
    def __init__(self, root: Root, key: str) -> None:
        self.errors = CollectedErrors(root.backend)
        self.changed = False
        self._key = key
        self._backend = root.backend
        self._levels: list[_OpenedFolder] = []

    def run(self, parent: OpenFolder, name: str, stopped: Callable[[], bool]) -> None:
        try:
            folder = parent.enter(name, listing=True)
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            self.errors.note(error, self._key)
            return
        try:
            self._enter(name, folder)
            while True:
                if stopped():
                    raise Stopped
                level = self._levels[-1]
                if level.waiting:
                    below = level.waiting.pop()
                    entered = self._open(folder, below)
                    if entered is not None:
                        folder.close()
                        folder = entered
                        self._enter(below, folder)
                    continue
                if len(self._levels) == 1:
                    break
                above = _up(folder, self._levels[-2].identity)
                folder.close()
                folder = above
                path = self._path()
                self._levels.pop()
                self._rmdir(folder, level.name, path)
        except OSError as error:  # the way back up is lost
            self.errors.note(error, self._path())
            return
        finally:
            folder.close()
        self._rmdir(parent, name, self._key)

    def _path(self, *names: str) -> str:
        return "/".join([self._key, *(level.name for level in self._levels[1:]), *names])

    def _enter(self, name: str, folder: OpenFolder) -> None:
        """Go on in an open folder: remove the files and links, and note the folders."""
        level = _OpenedFolder(name, folder)
        self._levels.append(level)
        try:
            with os.scandir(folder.handle) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            self.errors.note(error, self._path())
            return
        level.waiting += [name for name, is_folder in found if is_folder]
        files = [name for name, is_folder in found if not is_folder]
        refused = False  # one error for each folder: all entries may have the same
        for start in range(0, len(files), _TOGETHER):
            some = files[start : start + _TOGETHER]
            refused = self._unlink_some(folder, some, noted=refused) or refused

    def _unlink_some(self, folder: OpenFolder, names: list[str], *, noted: bool = False) -> bool:
        """Remove files while nobody compares their versions; return whether one was refused."""
        try:
            with Changing(folder, alone=False, key=self._path(), backend=self._backend):
                for name in names:
                    try:
                        self._unlink(folder, name)
                    except OSError as error:
                        if not noted:
                            self.errors.note(error, self._path(name))
                        noted = True
        except ResourceLocked as error:
            self.errors.note(error, self._path())
            return True
        return noted

    def _unlink(self, folder: OpenFolder, name: str) -> None:
        # A file that is being written is its writer's: it will be there
        # afterwards, as if it had been written a moment later.
        if name.startswith(RESERVED_PREFIX) and not is_removable(folder, name):
            return
        with contextlib.suppress(FileNotFoundError):
            folder.unlink(name)
            self.changed = True

    def _open(self, folder: OpenFolder, name: str) -> OpenFolder | None:
        try:
            return folder.enter(name, listing=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.ENOTDIR):
                self.errors.note(error, self._path(name))
                return None
        self._unlink_some(folder, [name])  # swapped for a link or a file meanwhile
        return None

    def _rmdir(self, folder: OpenFolder, name: str, path: str) -> None:
        try:
            folder.rmdir(name)
            self.changed = True
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                self.errors.note(error, path)
