"""The sync backend: each operation in the thread that calls it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import BinaryIO, ClassVar, cast

from remote_store import (
    Backend,
    Capability,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemoteStoreError,
    WritableContent,
    WriteResult,
)
from remote_store.authoring import cannot_copy_from, cannot_copy_many_from, part_of_stream
from remote_store_local._common import Rooted
from remote_store_local._copy_many import copy_many
from remote_store_local._delete import delete, delete_folder, sweep
from remote_store_local._file_objects import open_reader, open_temp_file, write_from
from remote_store_local._files import Fsync
from remote_store_local._folders import create_folder
from remote_store_local._fs.temp_file import never_stop
from remote_store_local._fs.version import is_behind
from remote_store_local._list import folder_info, glob, list_entries
from remote_store_local._read import read_bytes
from remote_store_local._transfer import copy, move
from remote_store_local._write import Write, write_bytes

__all__ = ["LocalBackend"]


class LocalBackend(Rooted, Backend):
    """
    Files below one folder of this machine, for a sync store.

    The same files, rules and errors as of `AsyncLocalBackend`, without threads
    of its own. One instance serves any number of threads; it pickles as its
    configuration. Closing it changes nothing.

    Args:
        root: The folder. A relative one is taken from the working directory
            of this moment, and a leading ``~`` or ``~user`` is that home
            folder, as in a shell; a folder of that name is ``./~``.
        fsync: What survives a power loss, as in `AsyncLocalBackend`; what
            `open_atomic` publishes counts as a `write_atomic`.
        create_root: Create the folder if it is missing.

    Raises:
        NotFound: *root* is missing and *create_root* is False.
        InvalidPath: *root* is not a folder.
        PermissionDenied: *root* cannot be created or looked into.
        RemoteStoreError: What *root* can do cannot be found out.
        TypeError: *root* is neither a str nor a path of one.
        ValueError: *root* is empty or has a NUL, or *fsync* is unknown.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability)
        - {
            Capability.CONTENT_HEADERS,
            Capability.SIGNED_URL,
            Capability.RESUMABLE_WRITE,
        }
    )
    _NAME: ClassVar[str] = "local"

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        fsync: Fsync = "atomic",
        create_root: bool = True,
    ) -> None:
        super().__init__(root, fsync=fsync, create_root=create_root)

    # Questions -------------------------------------------------------------

    def exists(self, path: str) -> bool:
        """Return True if a file or folder is at *path*; raises as `AsyncLocalBackend.exists`."""
        return self._files.kind(path) is not None

    def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*; raises as `exists`."""
        return self._files.kind(path) == "file"

    def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*; raises as `exists`."""
        return self._files.kind(path) == "folder"

    def get_file_info(self, path: str) -> FileInfo:
        """Return size, modification time, ETag and user metadata of a file."""
        return self._files.info(path)

    def get_folder_info(self, path: str) -> FolderInfo:
        """Add up the files below a folder; linked folders are not entered."""
        return folder_info(self._files, path, never_stop)

    def check_health(self) -> None:
        """
        Look into the root.

        Raises:
            NotFound: It is missing, or is not a folder.
            PermissionDenied: It cannot be listed.
        """
        self._files.check("")

    # Reading ---------------------------------------------------------------

    def read(self, path: str) -> BinaryIO:
        """
        Open one version of a file: a version that is replaced meanwhile is read to its end.

        Returns:
            A buffered binary file that can seek, with a descriptor (``fileno``).
            Its reads raise PreconditionFailed when another program has cut the
            file short meanwhile.

        Raises:
            NotFound, InvalidPath: As in the protocol.
        """
        return open_reader(self._files, path)

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> BinaryIO:
        """
        Open a part of one version of a file; the whole file as `read` does.

        Raises:
            NotFound, InvalidPath, PreconditionFailed: As in the protocol.
        """
        stream = open_reader(self._files, path, if_match)
        if start == 0 and length is None:
            return stream
        if is_behind(start, os.fstat(stream.fileno()).st_size):
            stream.close()
            return io.BytesIO()
        return part_of_stream(stream, start, length)

    def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file; raises as `read` and its stream."""
        return read_bytes(self._files, path)

    # Writing ---------------------------------------------------------------

    def write(
        self,
        path: str,
        content: WritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> WriteResult:
        """
        Write a file, as `AsyncLocalBackend.write`; a stream is copied in steps of 1 MiB.

        Raises:
            InvalidPath, AlreadyExists, CapabilityNotSupported, ValueError: As
                in the protocol.
            PreconditionFailed: The folder was deleted while a stream was
                being written.
            TypeError: *content* is neither bytes nor a binary file.
        """
        return self._write(path, content, Write(overwrite, False, metadata, if_match))

    def write_atomic(
        self,
        path: str,
        content: WritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> WriteResult:
        """As `write`, and against a power loss as `AsyncLocalBackend.write_atomic`."""
        return self._write(path, content, Write(overwrite, True, metadata, if_match))

    def _write(self, path: str, content: WritableContent, write: Write) -> WriteResult:
        if isinstance(content, bytes):
            return write_bytes(self._files, path, content, write, never_stop)
        return write_from(self._files, path, content, write)

    def open_atomic(
        self, path: str, *, overwrite: bool = False
    ) -> AbstractContextManager[BinaryIO]:
        """
        Return a context manager over the new version of a file, published at its end.

        What is written goes straight to a temporary file beside the target,
        which can be read and sought in too. An exception in the block
        publishes nothing.

        Raises:
            InvalidPath, AlreadyExists: At the start of the block; and at its
                end, if another writer took the name meanwhile.
            PreconditionFailed: At the end: the folder was deleted meanwhile.
        """
        return open_temp_file(self._files, path, overwrite=overwrite)

    def create_folder(self, path: str) -> None:
        """Make a folder, and those above it, as `AsyncLocalBackend.create_folder`."""
        create_folder(self._files, path)

    # Deleting --------------------------------------------------------------

    def delete(self, path: str, *, missing_ok: bool = False, if_match: str | None = None) -> None:
        """Delete a file; of a link only the link. Raises as in the protocol."""
        delete(self._files, path, missing_ok, if_match)

    def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """Delete a folder; of a link only the link. As `AsyncLocalBackend.delete_folder`."""
        delete_folder(self._files, path, recursive, missing_ok, never_stop)

    def sweep(
        self,
        path: str = "",
        *,
        dry_run: bool = False,
        found: Callable[[str], object] | None = None,
    ) -> int:
        """Remove temporary files of killed writers, as `AsyncLocalBackend.sweep`."""
        return sweep(self._files, path, dry_run, found, never_stop)

    # Moving and copying ----------------------------------------------------

    def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """Rename a file, as `AsyncLocalBackend.move`."""
        move(self._files, src, dst, overwrite, if_match)

    def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """Copy a file with all that `AsyncLocalBackend.copy` copies."""
        copy(self._files, src, dst, overwrite, if_match, None, never_stop)

    def copy_from(
        self,
        source: Backend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        """Copy a file of another `LocalBackend`, as `AsyncLocalBackend.copy_from`."""
        files = self.files_of(source, LocalBackend, partial(cannot_copy_from, dst, self.name))
        return copy(files, src, dst, overwrite, if_match, self._files, never_stop)

    def copy_many_from(
        self, source: Backend, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        """Copy files of another `LocalBackend`, as `AsyncLocalBackend.copy_many_from`."""
        files = self.files_of(source, LocalBackend, partial(cannot_copy_many_from, self.name))
        return copy_many(files, pairs, self._files, never_stop)

    # Listing ---------------------------------------------------------------

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Generator[FileInfo, None, None]:
        """
        Yield the files of a folder, without ETag and metadata; see `get_file_info`.

        Raises:
            PermissionDenied: As `AsyncLocalBackend.list_files`.
        """
        depth = max_depth if recursive else 0
        items = list_entries(self._files, path, depth=depth, with_files=True, with_folders=False)
        return cast("Generator[FileInfo, None, None]", items)

    def list_folders(self, path: str) -> Generator[FolderEntry, None, None]:
        """Yield the subfolders of a folder; raises as `list_files`."""
        items = list_entries(self._files, path, depth=0, with_files=False, with_folders=True)
        return cast("Generator[FolderEntry, None, None]", items)

    def iter_children(self, path: str) -> Generator[FileInfo | FolderEntry, None, None]:
        """Yield the files and subfolders of a folder in one pass; raises as `list_files`."""
        return list_entries(self._files, path, depth=0, with_files=True, with_folders=True)

    def glob(self, pattern: str) -> Generator[FileInfo, None, None]:
        """
        Yield the files whose key matches; only folders that may hold one are opened.

        Raises:
            InvalidPath, ValueError, re.error: See `GlobPattern.parse`.
            PermissionDenied: As `list_files`.
        """
        return glob(self._files, pattern)
