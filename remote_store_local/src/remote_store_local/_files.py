"""
Looking at local files, reading and listing them: blocking and free of asyncio.

The async backend runs each operation in one hop to a thread, the sync one
calls it as it is. Keys are brought to normal form by `check_key`; errors
carry them as they were given.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Generator
from typing import Final, Literal

from remote_store import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemotePath,
    RemoteStoreError,
)
from remote_store.authoring import (
    file_key,
    folder_key,
    is_a_file,
    is_a_folder,
    is_reserved,
    not_found,
    target_key,
)
from remote_store_local._attributes import (
    decode_metadata,
    etag_of,
    keeps_attributes,
    modified_at,
    read_attributes,
)
from remote_store_local._confine import Place, Tree, best_method
from remote_store_local._errors import mapped, translate
from remote_store_local._exclusive import renames_exclusively
from remote_store_local._folder import let_go
from remote_store_local._lease import Source
from remote_store_local._names import kept
from remote_store_local._sweep import sweep_tree
from remote_store_local._versions import ended_early, first_read
from remote_store_local._walk import Walk, tally

__all__ = ["RETRIES", "Fsync", "LocalFiles"]

Fsync = Literal["always", "atomic", "never"]
Kind = Literal["file", "folder"]

#: How folders refuse a new file that can be read all the same; those of /proc
#: say ENOENT. A full disk is one of them: its reader, and whoever is to clear
#: it, need a backend too.
_UNWRITABLE: Final = frozenset(
    {
        *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT),
        *(errno.ENOENT, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS),
    }
)

#: How often an operation starts over because a folder vanished under it.
RETRIES: Final = 20


class LocalFiles:
    """
    The files below one root.

    Args:
        root: Absolute path of the root; it exists.
        name: Name of the backend, for errors.
        fsync: When a published file is brought to the disk.

    Raises:
        RemoteStoreError: The root cannot be tried out (no descriptor left, a
            failing disk); what it can do is not guessed.
    """

    def __init__(self, root: str, name: str, fsync: Fsync) -> None:
        self.name = name
        self.tree = Tree(root, name, best_method())
        self.fsync = fsync
        try:
            self.keeps_metadata = keeps_attributes(root)
            self.moves_atomically = self._probe_exclusive_rename()
        except OSError as error:
            raise translate(error, "", name) from error

    def _probe_exclusive_rename(self) -> bool:
        with self.tree.open_folder("") as root:
            try:
                return renames_exclusively(root)
            except OSError as error:
                if error.errno not in _UNWRITABLE:
                    raise
                return False  # where nothing can be written, nothing can be promised

    # Questions -------------------------------------------------------------

    def key(self, key: str) -> str:
        """Return *key* in normal form, the root as ``""``; raises as `folder_key`."""
        return kept(folder_key(key, self.name), self.name)

    def file_key(self, key: str) -> str:
        """
        Return the key of a file in normal form.

        Raises:
            InvalidPath: It is malformed, or the root.
        """
        return kept(file_key(key, self.name), self.name)

    def target_key(self, key: str) -> str:
        """
        Return the key of a file that is to be written in normal form.

        Raises:
            InvalidPath: It is malformed, the root, or reserved.
        """
        return kept(target_key(key, self.name), self.name)

    def missing(self, key: str) -> NotFound:
        """Return the error for a key where nothing is; it names the root if that is missing."""
        if lost := self.tree.lost_root(key):
            return lost
        return not_found(key, self.name)

    def refusal(self, error: OSError, key: str) -> RemoteStoreError:
        """Return our error for one of the system."""
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return self.missing(key)
        return translate(error, key, self.name)

    def kind_of(self, key: str, place: Place) -> Kind | None:
        """
        Return what is at a place, None for nothing.

        Raises:
            InvalidPath: A special file is.
        """
        if place.found is None:
            return None
        mode = place.found.st_mode
        if stat.S_ISREG(mode):
            return "file"
        if stat.S_ISDIR(mode):
            return "folder"
        msg = "Path is a special file, neither file nor folder"
        raise InvalidPath(msg, path=key, backend=self.name)

    @mapped
    def kind(self, key: str) -> Kind | None:
        """Return what is at *key*, None for nothing."""
        key = self.key(key)
        if is_reserved(key):
            return None
        try:
            with self.tree.locate(key) as place:
                return self.kind_of(key, place)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def locate_file(self, key: str) -> Place:
        """
        Find an existing file.

        Raises:
            NotFound: Nothing is there.
            InvalidPath: A folder is there, or *key* is malformed.
            OSError: See `Tree.locate`.
        """
        normal = self.file_key(key)
        if is_reserved(normal):
            raise self.missing(key)
        place = self.tree.locate(normal)
        try:
            kind = self.kind_of(key, place)
            if kind is None:
                raise self.missing(key) from place.absence
            if kind == "folder":
                raise is_a_folder(key, self.name)
        except BaseException:
            place.folder.close()
            raise
        return place

    def open_file(self, key: str) -> tuple[int, os.stat_result]:
        """
        Open an existing file for reading; the descriptor stands for one version of it.

        Raises:
            NotFound, InvalidPath, OSError: As `locate_file`.
        """
        for _ in range(RETRIES):
            with self.locate_file(key) as place:
                try:
                    fd = place.folder.open(place.name)
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
                    continue  # swapped for a link since it was looked at
            try:
                found = os.fstat(fd)
            except BaseException:
                let_go(fd)
                raise
            if stat.S_ISREG(found.st_mode):
                return fd, found
            let_go(fd)  # swapped for something else
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), key)

    @mapped
    def info(self, key: str) -> FileInfo:
        """Return size, time, ETag and metadata of a file."""
        fd, found = self.open_file(key)
        try:
            generation, metadata = read_attributes(fd) if self.keeps_metadata else (None, b"")
        finally:
            let_go(fd)
        path = RemotePath(key)
        return FileInfo(
            path,
            path.name,
            found.st_size,
            modified_at(found),
            None,
            etag_of(generation, found),
            None,
            decode_metadata(metadata, key, self.name),
        )

    @mapped
    def folder_info(self, key: str, stopped: Callable[[], bool]) -> FolderInfo:
        """Add up the files below a folder."""
        kind = self.kind(key)
        if kind is None:
            raise self.missing(key)
        if kind == "file":
            raise is_a_file(key, self.name)
        return tally(self.tree, self.key(key), stopped)

    # Reading ---------------------------------------------------------------

    @mapped
    def read_bytes(self, key: str) -> bytes:
        """Return the content of a file."""
        fd, found = self.open_file(key)
        try:
            size = found.st_size
            # One byte more than expected tells the end without another call.
            data = os.read(fd, first_read(size, sys.maxsize))
            if len(data) != size:
                data = _drain(fd, data, size)
                if ended_early(fd, found, len(data)):
                    raise self.shrunk(key, len(data), size)
        except BaseException:
            let_go(fd)
            raise
        os.close(fd)
        return data

    def changed(self, key: str) -> PreconditionFailed:
        """Return the error for a file that another program wrote to meanwhile."""
        msg = "File changed while it was being copied, nothing was"
        return PreconditionFailed(msg, path=key, backend=self.name)

    def shrunk(self, key: str, got: int, size: int) -> PreconditionFailed:
        """Return the error for a file that another program cut short meanwhile."""
        msg = f"File shrank from {size} to {got} bytes while it was being read"
        return PreconditionFailed(msg, path=key, backend=self.name)

    @mapped
    def open_source(self, key: str, source: Source, chunk: int) -> bytes:
        """Open a file for reading in steps; return the first chunk."""
        return source.start(lambda: self.open_file(key), chunk)

    # Listing ---------------------------------------------------------------

    def walk(
        self, key: str, *, depth: int | None, files: bool, folders: bool
    ) -> Generator[FileInfo | FolderEntry, None, None]:
        """Yield what is in a folder, and down to *depth* folders below it."""
        key = self.key(key)
        if is_reserved(key):
            return
        wants = None if files else lambda _: False
        yield from Walk(self.tree, key, depth=depth, wants=wants, folders=folders).entries()

    def glob(self, pattern: str) -> Generator[FileInfo, None, None]:
        """
        Yield the files whose key matches.

        Folders that cannot hold one are not opened, and of other files nothing is asked.
        """
        glob = GlobPattern.parse(pattern)
        key = self.key(glob.prefix)
        if is_reserved(key):
            return
        walk = Walk(self.tree, key, depth=glob.depth, enters=glob.may_contain, wants=glob.matches)
        for item in walk.entries():
            if isinstance(item, FileInfo):
                yield item

    # The root --------------------------------------------------------------

    @mapped
    def check(self, key: str = "") -> None:
        """
        Prove that the root can be used.

        Raises:
            NotFound: It is missing, or is no folder.
            PermissionDenied: It cannot be listed.
        """
        with os.scandir(self.tree.root) as entries:
            next(entries, None)

    @mapped
    def sweep(self, key: str, stopped: Callable[[], bool]) -> int:
        """Remove stale temporary files below *key*."""
        return sweep_tree(self.tree, self.key(key), stopped)


def _drain(fd: int, data: bytes, size: int) -> bytes:
    parts = [data]
    got = len(data)
    while part := os.read(fd, min(max(size - got, 0) + (1 << 20), 1 << 26)):
        parts.append(part)
        got += len(part)
    return b"".join(parts)
