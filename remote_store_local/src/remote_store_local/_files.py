"""
Finding local files and looking at them: blocking and free of asyncio.

The async backend runs each operation in one hop to a thread, the sync one
calls it as it is. Keys are brought to normal form by `check_key`; errors
carry them as they were given.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final, Literal

from remote_store import (
    Capability,
    CapabilityNotSupported,
    FileInfo,
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
)
from remote_store.authoring import (
    ancestor_is_file,
    file_key,
    folder_key,
    is_a_folder,
    is_reserved,
    not_found,
    other_version,
    target_key,
)
from remote_store_local._errors import mapped, translate
from remote_store_local._fs.changing import holds_locks
from remote_store_local._fs.folder import close_quietly
from remote_store_local._fs.mounts import is_of_this_machine
from remote_store_local._fs.renameat2 import renames_exclusively
from remote_store_local._fs.resolve import Resolved, Root, best_method
from remote_store_local._fs.xattrs import (
    decode_metadata,
    etag_at,
    etag_of,
    keeps_attributes,
    modified_at,
    read_attributes,
)
from remote_store_local._keys import refuse_device_names

__all__ = ["RETRIES", "Fsync", "LocalFiles"]

Fsync = Literal["always", "atomic", "never"]
Kind = Literal["file", "folder"]

#: How folders refuse a new file that can be read all the same; those of /proc
#: say ENOENT. A full disk is one of them: reading it and making room on it
#: need a backend too.
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
        self.root = Root(root, name, best_method())
        self.fsync = fsync
        try:
            self.keeps_metadata = keeps_attributes(root)
            self.moves_atomically = self._probe_exclusive_rename()
            #: Whether a version is compared and replaced in one step, for all who can see it.
            self.compares = self.keeps_metadata and is_of_this_machine(root) and holds_locks(root)
        except OSError as error:
            raise translate(error, "", name) from error

    def _probe_exclusive_rename(self) -> bool:
        with self.root.open_folder("") as root:
            try:
                return renames_exclusively(root)
            except OSError as error:
                if error.errno not in _UNWRITABLE:
                    raise
                return False  # where nothing can be written, nothing can be promised

    # Questions -------------------------------------------------------------

    def key(self, key: str) -> str:
        """Return *key* in normal form, the root as ``""``; raises as `folder_key`."""
        return refuse_device_names(folder_key(key, self.name), self.name)

    def file_key(self, key: str) -> str:
        """
        Return the key of a file in normal form.

        Raises:
            InvalidPath: It is malformed, or the root.
        """
        return refuse_device_names(file_key(key, self.name), self.name)

    def target_key(self, key: str) -> str:
        """
        Return the key of a file that is to be written in normal form.

        Raises:
            InvalidPath: It is malformed, the root, or reserved.
        """
        return refuse_device_names(target_key(key, self.name), self.name)

    def missing(self, key: str) -> NotFound:
        """Return the error for a key where nothing is; it names the root if that is missing."""
        if lost := self.root.lost_root(key):
            return lost
        return not_found(key, self.name)

    def refusal(self, error: OSError, key: str) -> RemoteStoreError:
        """Return our error for one of the system."""
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return self.missing(key)
        return translate(error, key, self.name)

    def kind_of(self, key: str, resolved: Resolved) -> Kind | None:
        """
        Return what a key leads to, None for nothing.

        Raises:
            InvalidPath: A special file is.
        """
        if resolved.found is None:
            return None
        mode = resolved.found.st_mode
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
            with self.root.resolve(key) as resolved:
                return self.kind_of(key, resolved)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def resolve_file(self, key: str, *, change: bool = False) -> Resolved:
        """
        Find an existing file; *change* as in `Root.resolve`.

        Raises:
            NotFound: Nothing is there.
            InvalidPath: A folder is there, or *key* is malformed.
            OSError: See `Root.resolve`.
        """
        normal = self.file_key(key)
        if is_reserved(normal):
            raise self.missing(key)
        resolved = self.root.resolve(normal, change=change)
        try:
            kind = self.kind_of(key, resolved)
            if kind is None:
                raise self.missing(key) from resolved.absence
            if kind == "folder":
                raise is_a_folder(key, self.name)
        except BaseException:
            resolved.folder.close()
            raise
        return resolved

    def open_file(self, key: str) -> tuple[int, os.stat_result]:
        """
        Open an existing file for reading; the descriptor stands for one version of it.

        Raises:
            NotFound, InvalidPath, OSError: As `resolve_file`.
        """
        for _ in range(RETRIES):
            with self.resolve_file(key) as resolved:
                try:
                    fd = resolved.folder.open(resolved.name)
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
                    continue  # swapped for a link since it was looked at
            try:
                found = os.fstat(fd)
            except BaseException:
                close_quietly(fd)
                raise
            if stat.S_ISREG(found.st_mode):
                return fd, found
            close_quietly(fd)  # swapped for something else
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), key)

    def open_version(self, key: str, if_match: str | None) -> tuple[int, os.stat_result]:
        """
        Open an existing file for reading, and refuse another version than *if_match*.

        Raises:
            PreconditionFailed: It has another ETag, or none.
            NotFound, InvalidPath, OSError: As `resolve_file`.
        """
        fd, found = self.open_file(key)
        if if_match is None:
            return fd, found
        try:
            generation, _ = read_attributes(fd) if self.keeps_metadata else (None, b"")
            if etag_of(generation, found) != if_match:
                raise other_version(key, self.name)
        except BaseException:
            close_quietly(fd)
            raise
        return fd, found

    def check_version(self, key: str, if_match: str) -> None:
        """
        Refuse to replace a file that is another version.

        Raises:
            PreconditionFailed: It is, or nothing is there.
            InvalidPath: A folder is there, or *key* lies under a file.
            NotFound: The root itself is missing.
            CapabilityNotSupported: It lies on another file system than the root.
            OSError: See `resolve_file`.
        """
        try:
            with self.resolve_file(key) as resolved:
                self.check_etag(key, resolved, if_match)
        except FileNotFoundError as error:
            raise (self.root.lost_root(key) or other_version(key, self.name)) from error
        except NotADirectoryError as error:
            raise (self.root.lost_root(key) or ancestor_is_file(key, self.name)) from error

    def check_etag(self, key: str, resolved: Resolved, if_match: str) -> None:
        """
        Refuse a file that was found if it is another version.

        Raises:
            PreconditionFailed: It is.
            CapabilityNotSupported: It lies on another file system than the root.
            OSError: It cannot be read, or has gone.
        """
        assert resolved.found is not None
        if not self.compares or resolved.found.st_dev != os.stat(self.root.path).st_dev:
            msg = "Versions are not compared on the file system on which this file is"
            raise CapabilityNotSupported(
                msg, path=key, backend=self.name, capability=Capability.CONDITIONAL_WRITE.value
            )
        if etag_at(resolved.folder, resolved.name) != if_match:
            raise other_version(key, self.name)

    @mapped
    def info(self, key: str) -> FileInfo:
        """Return size, time, ETag and metadata of a file."""
        fd, found = self.open_file(key)
        try:
            generation, metadata = read_attributes(fd) if self.keeps_metadata else (None, b"")
        finally:
            close_quietly(fd)
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

    # The root --------------------------------------------------------------

    @mapped
    def check(self, key: str = "") -> None:
        """
        Prove that the root can be used.

        Raises:
            NotFound: It is missing, or is not a folder.
            PermissionDenied: It cannot be listed.
        """
        with os.scandir(self.root.path) as entries:
            next(entries, None)
