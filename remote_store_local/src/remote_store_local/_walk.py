"""
Listings: one folder open at a time, entries as the system hands them out.

Links to files and folders inside the root are listed as what they lead to;
those that leave the root, dangling ones and special files are not listed.
What goes down into subfolders does not enter a linked one: a link may lead
back up, and its files have names of their own already.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable, Generator
from typing import Final

from remote_store import (
    UNKNOWN_TIME,
    FileInfo,
    FolderEntry,
    FolderInfo,
    InvalidPath,
    RemotePath,
    RemoteStoreError,
)
from remote_store_local._attributes import modified_at
from remote_store_local._confine import Folder, Tree, is_own_folder
from remote_store_local._errors import translate
from remote_store_local._names import RESERVED, is_key

__all__ = ["Walk", "tally"]

#: What a link comes to that leads in a circle, or to a name that cannot be.
_NOWHERE: Final = {errno.ELOOP, errno.ENAMETOOLONG}

_log = logging.getLogger("remote_store_local")


class Walk:
    """
    One listing.

    Args:
        tree: Where.
        key: Key of the folder to list.
        depth: How many folders to go down; None for all.
        enters: Asked with a subfolder's key whether to go into it.
        files: Whether to yield files.
        folders: Whether to yield folders.
    """

    def __init__(
        self,
        tree: Tree,
        key: str,
        *,
        depth: int | None = 0,
        enters: Callable[[str], bool] | None = None,
        files: bool = True,
        folders: bool = False,
    ) -> None:
        self._tree = tree
        #: Where the listing begins, and where it is.
        self._key = self._at = key
        self._depth = depth
        self._enters = enters
        self._files = files
        self._folders = folders
        self._warned = False

    def entries(self) -> Generator[FileInfo | FolderEntry, None, None]:
        """
        Yield what is there; a folder that is missing, or a file, yields nothing.

        Raises:
            PermissionDenied, RemoteStoreError: A folder or link refuses to be
                looked into; the error's ``path`` is its key.
        """
        try:
            yield from self._entries()
        except RemoteStoreError:  # some are OSErrors too
            raise
        except OSError as error:
            raise translate(error, self._at, self._tree.backend) from error

    def _entries(self) -> Generator[FileInfo | FolderEntry, None, None]:
        waiting = [(self._key, 0)]
        while waiting:
            key, depth = waiting.pop()
            self._at = key
            try:
                folder = self._tree.open_folder(key, listing=True)
            except (FileNotFoundError, NotADirectoryError):
                continue  # or deleted since it was seen
            goes_down = self._depth is None or depth < self._depth
            with folder, os.scandir(folder.handle) as found:
                for entry in found:
                    if not self._is_visible(key, entry.name):
                        continue
                    below = f"{key}/{entry.name}" if key else entry.name
                    if is_own_folder(entry):
                        if goes_down and (self._enters is None or self._enters(below)):
                            waiting.append((below, depth + 1))
                        if self._folders:
                            yield FolderEntry(RemotePath(below), entry.name)
                    elif item := self._look(folder, below, entry):
                        yield item

    def _is_visible(self, key: str, name: str) -> bool:
        if name.startswith(RESERVED):
            return False
        if is_key(name):
            return True
        if not self._warned:
            self._warned = True
            _log.warning(
                "Listing skips names that no path can have, the first in folder %r: %r",
                key,
                name,
                extra={"names_left_out": True},
            )
        return False

    def _look(
        self, folder: Folder, key: str, entry: os.DirEntry[str]
    ) -> FileInfo | FolderEntry | None:
        """Return what an entry that is no folder is, None for what is not listed."""
        if not self._files and entry.is_file(follow_symlinks=False):
            return None
        try:
            found = folder.stat(entry.name)
            if stat.S_ISLNK(found.st_mode):
                with self._tree.locate(key) as place:
                    if place.found is None:
                        return None
                    found = place.found
        except (FileNotFoundError, NotADirectoryError, InvalidPath):
            return None
        except OSError as error:
            if error.errno in _NOWHERE:
                return None
            self._at = key
            raise
        if stat.S_ISDIR(found.st_mode):
            return FolderEntry(RemotePath(key), entry.name) if self._folders else None
        if stat.S_ISREG(found.st_mode) and self._files:
            return FileInfo(RemotePath(key), entry.name, found.st_size, modified_at(found))
        return None


def tally(tree: Tree, key: str, stopped: Callable[[], bool]) -> FolderInfo:
    """
    Add up the files below a folder.

    Args:
        tree: Where.
        key: Key of a folder.
        stopped: Asked now and then whether to give up.

    Returns:
        Count, bytes and latest known time; of nothing where there is none.
    """
    count = size = 0
    latest = UNKNOWN_TIME
    for info in Walk(tree, key, depth=None).entries():
        if stopped():
            break
        if isinstance(info, FileInfo):
            count += 1
            size += info.size
            latest = max(latest, info.modified_at)
    return FolderInfo(
        RemotePath.from_backend_path(key),
        count,
        size,
        None if latest == UNKNOWN_TIME else latest,
    )
