"""
Files and folders in memory: the one implementation behind the backends.

Synchronous, and safe from any number of threads:

- Everything that looks at the tree or changes it holds the lock, and waits for
  nothing while it does. A listing holds it for one folder at a time.
- Finding a file, by far the most frequent, takes no lock where the index has
  the key: one look into one dictionary. A version of a file is replaced as a
  whole. The index changes only with the lock held, and a key that
  it lacks is looked up in the tree. Only the move of a file changes it in two
  steps; a lookup that may have met a half of it takes the lock and looks again.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NoReturn

from remote_store import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    RemotePath,
    WriteResult,
)
from remote_store_memory._keys import folder_names, source_names, target_names
from remote_store_memory._nodes import File, Folder, Spot, Version

__all__ = ["Tree"]

#: How no ordinary name begins: nothing, ``.``, ``..`` and names reserved for temporary files.
_UNUSUAL: Final = frozenset({"", "."})


class Tree:
    """
    A tree of folders and files.

    Every method that takes a key raises `InvalidPath` for a malformed one (a
    leading ``/``, a ``..`` segment, a NUL) and TypeError for one that is no str.

    Args:
        backend: Name of the backend, for errors.
    """

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._root = Folder()
        #: Files, and folders of files, by key in normal form; some may be missing, none is stale.
        self._index: dict[str, File] = {}
        self._homes: dict[str, Folder] = {"": self._root}
        self._lock = threading.Lock()
        self._moving = False
        self._count = itertools.count(1).__next__
        self._token = f"{secrets.token_hex(8)}-"

    # Looking ---------------------------------------------------------------

    def file(self, key: str) -> File:
        """
        Return the current version of a file.

        Args:
            key: Key of the file.

        Raises:
            NotFound: Nothing is there, or the key runs through a file.
            InvalidPath: A folder is there, or *key* is malformed.
            TypeError: *key* is not a str.
        """
        file = self._indexed(key)
        if file is not None:
            return file
        found = self._find(key)
        return found if isinstance(found, File) else self._refuse_file(key, found)

    def entry(self, key: str) -> File | Folder | None:
        """
        Return what is at a key, None for nothing.

        Args:
            key: Key of a file or folder.

        Raises:
            InvalidPath: *key* is malformed.
            TypeError: *key* is not a str.
        """
        return self._indexed(key) or self._find(key)

    def folder(self, key: str) -> Folder:
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
        return found if isinstance(found, Folder) else self._refuse_folder(key, found)

    def children(self, folder: Folder) -> tuple[list[File], list[str]]:
        """Return the files and the names of the subfolders of *folder* at one moment."""
        with self._lock:
            return list(folder.files.values()), list(folder.folders)

    def subfolders(self, folder: Folder) -> list[str]:
        """Return the names of the subfolders of *folder*."""
        with self._lock:
            return list(folder.folders)

    def walk(self, folder: Folder, max_depth: int | None) -> Iterator[list[File]]:
        """
        Yield the files of *folder* and of those below, one list for each folder.

        Args:
            folder: Where to start.
            max_depth: How many folders deep to go; None for all.
        """
        pending = [(folder, 0)]
        while pending:
            folder, depth = pending.pop()
            with self._lock:
                files = list(folder.files.values())
                folders = list(folder.folders.values())
            if max_depth is None or depth < max_depth:
                pending += [(below, depth + 1) for below in folders]
            yield files

    def count(self) -> tuple[int, int]:
        """Return how many files and how many folders there are, without the root."""
        totals = [len(files) for files in self.walk(self._root, None)]
        return sum(totals), len(totals) - 1

    # Changing --------------------------------------------------------------

    def check_target(self, key: str, *, overwrite: bool) -> None:
        """
        Refuse a file that `put` would refuse now.

        Args:
            key: Key of the file.
            overwrite: As in `put`.

        Raises:
            InvalidPath, AlreadyExists, TypeError: As `put`.
        """
        names = target_names(key, self._backend)
        with self._lock:
            self._vacancy(key, names, overwrite)

    def put(
        self, key: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        """
        Store a file, together with the folders above it.

        Args:
            key: Key of the file.
            content: Its bytes, kept as they are.
            overwrite: Replace an existing file; False refuses it.
            metadata: User metadata, kept as it is.

        Raises:
            InvalidPath: *key* is the root, malformed, reserved or a folder,
                or lies under a file.
            AlreadyExists: A file is there and *overwrite* is False.
            TypeError: *key* is not a str.
        """
        if not isinstance(key, str):
            target_names(key, self._backend)  # refuses it
        with self._lock:
            modified_at, etag = datetime.now(UTC), f"{self._token}{self._count()}"
            version = content, modified_at, etag, metadata or None
            file = self._index.get(key)
            if file is None:
                file = self._add(key, version) or self._place(key, version, overwrite)
            elif overwrite:
                file.version = version
            else:
                self._place(key, version, overwrite)  # refuses it
        echo = None if metadata is None else metadata.copy()
        return WriteResult(file.path, len(content), "native", None, etag, None, modified_at, echo)

    def delete(self, key: str, *, missing_ok: bool) -> None:
        """
        Delete a file; its folder stays.

        Args:
            key: Key of the file.
            missing_ok: Do nothing when it is missing.

        Raises:
            NotFound: Nothing is there, or the key runs through a file, and
                *missing_ok* is False.
            InvalidPath: *key* is the root, a folder or malformed.
            TypeError: *key* is not a str.
        """
        names = source_names(key, self._backend)
        with self._lock:
            above, found = self._look(names)
            if isinstance(found, File):
                self._index.pop("/".join(names), None)
                del above.files[names[-1]]
        if not isinstance(found, File) and not (found is None and missing_ok):
            self._refuse_file(key, found)

    def delete_folder(self, key: str, *, recursive: bool, missing_ok: bool) -> None:
        """
        Delete a folder, and with *recursive* all that is below it, in one step.

        Args:
            key: Key of the folder.
            recursive: Delete its content too.
            missing_ok: Do nothing when it is missing.

        Raises:
            InvalidPath: *key* is the root, a file or malformed.
            NotFound: Nothing is there and *missing_ok* is False.
            DirectoryNotEmpty: It has children and *recursive* is False.
            TypeError: *key* is not a str.
        """
        names = source_names(key, self._backend)
        # Given back at the end, and not with the lock held: it may be large.
        _dropped: tuple[object, ...] = ()
        with self._lock:
            above, found = self._look(names)
            if isinstance(found, Folder):
                if not recursive and (found.files or found.folders):
                    msg = f"Folder not empty: {key}"
                    raise DirectoryNotEmpty(msg, path=key, backend=self._backend)
                del above.folders[names[-1]]
                if recursive:
                    # Not searched for what was below: it fills again by and by.
                    _dropped = self._index, self._homes
                    self._index, self._homes = {}, {"": self._root}
                else:
                    self._homes.pop("/".join(names), None)
        if isinstance(found, Folder):
            self._empty(found)
        elif found is not None or not missing_ok:
            self._refuse_folder(key, found)

    def _empty(self, folder: Folder) -> None:
        """
        Empty a deleted folder and all below it.

        A listing that had them still to come then finds nothing, instead of
        files that are no more.
        """
        pending = [folder]
        while pending:
            folder = pending.pop()
            with self._lock:
                # Exchanged, not cleared: content is slow to give back.
                _files, folders = folder.files, folder.folders
                folder.files, folder.folders = {}, {}
            pending += folders.values()

    def move(self, src: str, dst: str, *, overwrite: bool) -> None:
        """
        Give a file another key. It stays the same version: time, ETag and metadata go with it.

        Args:
            src: Key of the file.
            dst: Its new key; equal to *src* is a no-op.
            overwrite: Replace a file at *dst*; False refuses it.

        Raises:
            InvalidPath: *src* is a folder; *dst* is the root, reserved or a
                folder, or lies under a file; either is malformed.
            NotFound: Nothing is at *src*.
            AlreadyExists: A file is at *dst* and *overwrite* is False.
            TypeError: A key is not a str.
        """
        self._transfer(src, dst, overwrite=overwrite, keep_source=False)

    def copy(self, src: str, dst: str, *, overwrite: bool) -> None:
        """
        Copy a file with its metadata; the copy is a new version. Otherwise as `move`.

        Args:
            src: Key of the file.
            dst: Key of the copy; equal to *src* is a no-op.
            overwrite: Replace a file at *dst*; False refuses it.

        Raises:
            InvalidPath, NotFound, AlreadyExists, TypeError: As `move`.
        """
        self._transfer(src, dst, overwrite=overwrite, keep_source=True)

    def _transfer(self, src: str, dst: str, *, overwrite: bool, keep_source: bool) -> None:
        source = source_names(src, self._backend)
        target = target_names(dst, self._backend)
        with self._lock:
            above, file = self._look(source)
            if not isinstance(file, File):
                self._refuse_source(src, file)
            if source == target:
                return
            # Every refusal comes before the first change.
            spot = self._vacancy(dst, target, overwrite)
            if keep_source:
                content, _, _, metadata = file.version
                etag = f"{self._token}{self._count()}"
                self._fill(spot, (content, datetime.now(UTC), etag, metadata))
                return
            self._moving = True
            try:
                self._fill(spot, file.version)
                self._index.pop("/".join(source), None)
                del above.files[source[-1]]
            finally:
                self._moving = False

    # With the lock held ----------------------------------------------------

    def _look(self, names: list[str]) -> tuple[Folder, File | Folder | None]:
        """Return the folder of a key, as far as it is there, and what is at the key."""
        folder = self._root
        for name in names[:-1]:
            below = folder.folders.get(name)
            if below is None:
                return folder, None
            folder = below
        if not names:
            return folder, folder
        return folder, folder.files.get(names[-1]) or folder.folders.get(names[-1])

    def _vacancy(self, key: str, names: list[str], overwrite: bool) -> Spot:
        """Return the spot of a key at which a file may be stored now."""
        folder = self._root
        depth = 0
        for name in names[:-1]:
            below = folder.folders.get(name)
            if below is None:
                if name in folder.files:
                    blocker = "/".join(names[: depth + 1])
                    msg = f"Cannot create {key}: {blocker} exists as a file"
                    raise InvalidPath(msg, path=key, backend=self._backend)
                return Spot(names, folder, depth)
            folder = below
            depth += 1
        if names[-1] in folder.folders:
            msg = f"Cannot create a file: {key} exists as a directory"
            raise InvalidPath(msg, path=key, backend=self._backend)
        if names[-1] in folder.files and not overwrite:
            msg = f"File already exists: {key}"
            raise AlreadyExists(msg, path=key, backend=self._backend)
        return Spot(names, folder, depth)

    def _add(self, key: str, version: Version) -> File | None:
        """Add a file with an ordinary name to a folder that was written to before, if it is one."""
        above, _, name = key.rpartition("/")
        folder = self._homes.get(above)
        if (
            folder is None
            or name[:1] in _UNUSUAL
            or key[0] == "/"
            or "\\" in key
            or "\0" in name
            or name in folder.files
            or name in folder.folders
        ):
            return None
        file = folder.files[name] = self._index[key] = File(RemotePath(key), name, True, version)
        return file

    def _place(self, key: str, version: Version, overwrite: bool) -> File:
        """Store a file wherever it belongs; raises as `put`."""
        return self._fill(self._vacancy(key, target_names(key, self._backend), overwrite), version)

    def _fill(self, spot: Spot, version: Version) -> File:
        above, folder, key, file = spot.fill(version)
        self._homes[above] = folder
        self._index[key] = file
        return file

    # Without it ------------------------------------------------------------

    def _indexed(self, key: str) -> File | None:
        try:
            # A key that is found needs no check: the index has no malformed one.
            file = self._index.get(key)
        except TypeError:  # unhashable, so no str: refused where it is looked at
            return None
        return None if self._moving else file

    def _find(self, key: str) -> File | Folder | None:
        names = folder_names(key, self._backend)
        with self._lock:
            found = self._look(names)[1]
            if isinstance(found, File):
                self._index["/".join(names)] = found  # after a deletion, which empties it
            return found

    def _refuse_file(self, key: str, found: Folder | None) -> NoReturn:
        if found is None:
            msg = f"File not found: {key}"
            raise NotFound(msg, path=key, backend=self._backend)
        msg = f"Not a file: {key or 'the root'} exists as a directory"
        raise InvalidPath(msg, path=key, backend=self._backend)

    def _refuse_folder(self, key: str, found: File | None) -> NoReturn:
        if found is None:
            msg = f"Folder not found: {key}"
            raise NotFound(msg, path=key, backend=self._backend)
        msg = f"Not a folder: {key} exists as a file"
        raise InvalidPath(msg, path=key, backend=self._backend)

    def _refuse_source(self, key: str, found: Folder | None) -> NoReturn:
        if found is None:
            msg = f"Source not found: {key}"
            raise NotFound(msg, path=key, backend=self._backend)
        msg = f"Source is a directory: {key}"
        raise InvalidPath(msg, path=key, backend=self._backend)
