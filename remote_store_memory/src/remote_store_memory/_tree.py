"""
Files and folders in memory, looked at: the one implementation behind the backends.

Synchronous, and safe from any number of threads, and from signal handlers and
finalisers:

- Every change is made in one step (`_mutable`, `_changes`), so there is no
  moment at which a part of it shows.
- Looking takes no lock. It finds a folder by its key, and in it a file by its
  own: two looks, whose answer was right at some moment since the first.
- A listing holds on to one folder at a time, without copying it (`FolderSnapshot`).
"""

from __future__ import annotations

import itertools
import secrets
import weakref
from collections.abc import Iterator
from typing import Final, NoReturn

from remote_store.authoring import (
    already_exists,
    ancestor_is_file,
    folder_key,
    is_a_file,
    is_a_folder,
    key_text,
    not_found,
    other_version,
    source_is_folder,
    target_key,
)
from remote_store_memory._atomic import NOTHING, AtomicChanges, Plan
from remote_store_memory._nodes import Files, FolderNode, Folders, FolderSnapshot, Version

__all__ = ["LONGEST", "FolderTree", "is_ordinary"]

#: How no ordinary name begins: nothing, ``.``, ``..`` and names reserved for temporary files.
_UNUSUAL: Final = frozenset({"", "."})
#: Characters of the longest key by which a folder is found at once. All keys of
#: a chain of folders together are as long as the square of its length.
LONGEST: Final = 1024


class FolderTree(AtomicChanges):
    """
    A tree of folders and files.

    Every method that takes a key raises `InvalidPath` for a malformed one (a
    leading ``/``, a ``..`` segment, a backslash, a NUL) and TypeError for one that is not a str.

    Args:
        backend: Name of the backend, for errors.
    """

    def __init__(self, backend: str) -> None:
        super().__init__()
        self._backend = backend
        self._root = FolderNode()
        #: All folders with a key that is not too long, by that.
        self._by_key: Folders = {"": self._root}
        #: Another object whenever a folder may have come or gone.
        self._structure = object()
        self._count = itertools.count(1).__next__
        #: How the ETags begin; the number of the version follows.
        self.token = f"{secrets.token_hex(8)}-"

    # Looking ---------------------------------------------------------------

    def file(self, key: str) -> tuple[str, Version]:
        """
        Return the key of a file in normal form, and its current version.

        Args:
            key: Key of the file.

        Raises:
            NotFound: Nothing is there, or the key runs through a file.
            InvalidPath: A folder is there, or *key* is malformed.
            TypeError: *key* is not a str.
        """
        if type(key) is not str:
            key = key_text(key)
        parent = self._by_key.get(key.rpartition("/")[0])
        # A key that is found needs no check: the tree has no malformed one.
        if parent is not None and (version := parent.files.get(key)) is not None:
            return key, version
        normal = folder_key(key, self._backend, utf8=False)
        found = self._find(normal)
        return (normal, found) if isinstance(found, tuple) else self._refuse_file(key, found)

    def entry(self, key: str) -> Version | FolderNode | None:
        """
        Return what is at a key, None for nothing.

        Args:
            key: Key of a file or folder.

        Raises:
            InvalidPath: *key* is malformed.
            TypeError: *key* is not a str.
        """
        if type(key) is not str:
            key = key_text(key)
        parent = self._by_key.get(key.rpartition("/")[0])
        if parent is not None and (version := parent.files.get(key)) is not None:
            return version
        folder = self._by_key.get(key)
        if folder is not None:
            return folder
        normal = folder_key(key, self._backend, utf8=False)
        return None if normal is key and len(key) <= LONGEST else self._find(normal)

    def folder(self, key: str) -> FolderNode:
        """
        Return a folder.

        Args:
            key: Key of the folder; the root always is one.

        Raises:
            NotFound: Nothing is there.
            InvalidPath: A file is there, or *key* is malformed.
            TypeError: *key* is not a str.
        """
        found = self.entry(key)
        return found if isinstance(found, FolderNode) else self._refuse_folder(key, found)

    def snapshot(self, folder: FolderNode) -> FolderSnapshot:
        """Return what is in *folder* now; nothing once it was deleted."""
        return self._make(self._take_snapshot, folder)

    def _take_snapshot(self, plan: Plan, folder: FolderNode) -> FolderSnapshot:
        if folder.gone:
            plan.append(NOTHING)
            return _EMPTY
        held = folder.held()
        if held is not None:
            plan.append(NOTHING)
            return held
        held = FolderSnapshot(folder.files, folder.folders)
        plan.append((setattr, folder, "snapshot", weakref.ref(held)))
        return held

    def walk(self, folder: FolderNode, max_depth: int | None) -> Iterator[Files]:
        """
        Yield the files of *folder* and of those below, each folder as it is when it is reached.

        Args:
            folder: Where to start.
            max_depth: How many folders deep to go; None for all.
        """
        now = self.snapshot(folder)
        yield now.files
        # Those on the way down, each with what is still to come of it.
        way = [(now, iter(now.folders.values()))]
        while way:
            below = None if len(way) - 1 == max_depth else next(way[-1][1], None)
            if below is None:
                way.pop()
            else:
                now = self.snapshot(below)
                way.append((now, iter(now.folders.values())))
                yield now.files

    def count(self) -> tuple[int, int]:
        """Return how many files and how many folders there are, without the root."""
        totals = [len(files) for files in self.walk(self._root, None)]
        return sum(totals), len(totals) - 1

    def _find(self, key: str) -> Version | FolderNode | None:
        """Return what is at a key in normal form."""
        parent = self._folder_at(key.rpartition("/")[0])
        return (parent and parent.files.get(key)) or self._folder_at(key)

    def _folder_at(self, key: str) -> FolderNode | None:
        """Return the folder at a key in normal form."""
        if len(key) <= LONGEST:
            return self._by_key.get(key)
        folder: FolderNode | None = self._root
        for name in key.split("/"):
            folder = folder and folder.folders.get(name)
        return folder

    def check_target(self, key: str, *, overwrite: bool) -> None:
        """
        Refuse a file that `put` would refuse now.

        Args:
            key: Key of the file.
            overwrite: As in `put`.

        Raises:
            InvalidPath, AlreadyExists, TypeError: As `put`.
        """
        key = self._target(key)
        if self._parent_for(key, overwrite) is None:
            self._deepest_folder(key, key.split("/")[:-1])

    def etag(self, version: Version) -> str:
        """Return the ETag of a version."""
        return f"{self.token}{version[2]}"

    def check_match(self, key: str, if_match: str) -> None:
        """
        Refuse a key at which another version of a file is now.

        Args:
            key: Key in normal form.
            if_match: ETag of the version that is wanted.

        Raises:
            PreconditionFailed: It is another version, or nothing is there.
            InvalidPath: A folder is there, or *key* runs through a file.
        """
        parent = self._parent_for(key, overwrite=True)
        if parent is None:
            self._deepest_folder(key, key.split("/")[:-1])  # a file on the way is another mistake
        version = parent and parent.files.get(key)
        if version is None or self.etag(version) != if_match:
            raise other_version(key, self._backend)

    # Refusing --------------------------------------------------------------

    def _target(self, key: str) -> str:
        """Return the normal form of a key at which a file may be created."""
        if type(key) is not str:
            key = key_text(key)
        above, _, name = key.rpartition("/")
        if above in self._by_key and is_ordinary(key, name):
            return key
        return target_key(key, self._backend, utf8=False)

    def _parent_for(self, key: str, overwrite: bool) -> FolderNode | None:
        """Return the folder in which a file may be stored now, None if it is missing."""
        above, _, name = key.rpartition("/")
        parent = self._folder_at(above)
        if parent is None:
            return None
        if key in parent.files:
            if not overwrite:
                raise already_exists(key, self._backend)
        elif name in parent.folders:
            raise is_a_folder(key, self._backend)
        return parent

    def _deepest_folder(self, key: str, names: list[str]) -> tuple[FolderNode, int]:
        """
        Return the deepest folder that is there of those that lead to a key, and how many do.

        Args:
            key: For the error.
            names: Of the folders that lead there.

        Raises:
            InvalidPath: The next one is a file.
        """
        folder = self._root
        for depth, name in enumerate(names):
            below = folder.folders.get(name)
            if below is None:
                blocker = "/".join(names[: depth + 1])
                if blocker in folder.files:
                    raise ancestor_is_file(key, self._backend, blocker)
                return folder, depth
            folder = below
        return folder, len(names)

    def _refuse_file(self, key: str, found: FolderNode | None) -> NoReturn:
        if found is None:
            raise not_found(key, self._backend)
        raise is_a_folder(key, self._backend)

    def _refuse_folder(self, key: str, found: Version | None) -> NoReturn:
        if found is None:
            raise not_found(key, self._backend)
        raise is_a_file(key, self._backend)

    def _refuse_source(self, key: str, found: FolderNode | None) -> NoReturn:
        if found is None:
            raise not_found(key, self._backend)
        raise source_is_folder(key, self._backend)


def is_ordinary(key: str, name: str) -> bool:
    """Return True if *name*, below an existing folder, makes *key* a normal key of a file."""
    return name[:1] not in _UNUSUAL and key[0] != "/" and "\0" not in name and "\\" not in name


#: What is in a folder that was deleted.
_EMPTY: Final = FolderSnapshot({}, {})
