"""The async backend: each operation in one hop to a thread of its own pool."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, TypeVarTuple, cast

from remote_store import (
    Capability,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    RemoteStoreError,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncWritableContent
from remote_store.aio.workers import WorkerPool
from remote_store.authoring import cannot_copy_from, cannot_copy_many_from
from remote_store_local._common import Rooted
from remote_store_local._copy_many import copy_many
from remote_store_local._delete import delete, delete_folder, sweep
from remote_store_local._files import Fsync
from remote_store_local._folders import create_folder
from remote_store_local._list import PageReader, folder_info, glob, list_entries
from remote_store_local._read import read_bytes
from remote_store_local._streams import read_blocks, write_blocks
from remote_store_local._transfer import copy, move
from remote_store_local._write import Write, write_bytes

if TYPE_CHECKING:
    from remote_store import FolderInfo

__all__ = ["AsyncLocalBackend"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Entries of a listing for each hop.
_PAGE: Final = 256


class _Stop:
    """Whether a thread shall stop: a threading.Event without waiting, at a tenth of the cost."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked = False

    def ask(self) -> None:
        self._asked = True

    def asked(self) -> bool:
        return self._asked


class AsyncLocalBackend(Rooted, AsyncBackend):
    """
    Files below one folder of this machine.

    Every key stays below *root*, also where symbolic links lead out of it. A write is
    visible as a whole or not at all, and exclusive without ``overwrite``,
    among tasks, threads and processes. User metadata and the ETag live in
    extended attributes of the file; where the file system has none, neither
    USER_METADATA nor ETags are there.

    Calls that change something wait, when cancelled, for the system call that
    is running: a timeout around them waits too, and nothing changes after
    it. Reads, queries and listings are left behind at once, also while they
    are being closed.

    One instance serves any number of tasks, threads and event loops; it
    pickles as its configuration, and stays usable after `aclose`.

    Args:
        root: The folder. A relative one is taken from the working directory
            of this moment, and a leading ``~`` or ``~user`` is that home
            folder, as in a shell; a folder of that name is ``./~``.
        fsync: What survives a power loss once the call has returned:
            ``"atomic"``: what `write_atomic` wrote; ``"always"``: every
            write, move and copy; ``"never"``: what the system gets to.
            Against the death of the process all three protect alike.
        max_workers: System calls that may run at once.
        create_root: Create the folder if it is missing.

    Raises:
        NotFound: *root* is missing and *create_root* is False.
        InvalidPath: *root* is not a folder.
        PermissionDenied: *root* cannot be created or looked into.
        RemoteStoreError: What *root* can do cannot be found out (no descriptor
            is left, a failing disk).
        TypeError: *root* is neither a str nor a path of one.
        ValueError: *root* is empty or has a NUL, *fsync* is unknown or
            *max_workers* below 1.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability)
        - {
            Capability.SEEKABLE_READ,
            Capability.CONTENT_HEADERS,
            Capability.SIGNED_URL,
            Capability.RESUMABLE_WRITE,
        }
    )
    _NAME: ClassVar[str] = "async-local"

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        fsync: Fsync = "atomic",
        max_workers: int = 16,
        create_root: bool = True,
    ) -> None:
        self._pool = WorkerPool("remote-store-local", max_workers)
        super().__init__(root, fsync=fsync, create_root=create_root, max_workers=max_workers)

    async def _stoppable(self, function: Callable[[*Ts, Callable[[], bool]], T], *args: *Ts) -> T:
        """Call what changes something and asks its last argument whether to stop."""
        stop = _Stop()
        return await self._pool.mutate(function, *args, stop.asked, on_cancel=stop.ask)

    # Questions -------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        """
        Return True if a file or folder is at *path*.

        Raises:
            InvalidPath: A link on the way leaves the root, or *path* is a
                special file: there is no answer to give.
            PermissionDenied: A folder on the way cannot be looked into.
        """
        return await self._pool.query(self._files.kind, path) is not None

    async def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*; raises as `exists`."""
        return await self._pool.query(self._files.kind, path) == "file"

    async def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*; raises as `exists`."""
        return await self._pool.query(self._files.kind, path) == "folder"

    async def get_file_info(self, path: str) -> FileInfo:
        """
        Return size, modification time, ETag and user metadata of a file.

        The ETag is None for a file that this library did not write, and where
        the file system keeps no extended attributes.

        Raises:
            NotFound, InvalidPath: As in the protocol.
            PermissionDenied: The file cannot be read: its metadata are in it.
        """
        return await self._pool.query(self._files.info, path)

    async def get_folder_info(self, path: str) -> FolderInfo:
        """
        Add up the files below a folder; linked folders are not entered.

        Raises:
            NotFound, InvalidPath: As in the protocol.
            PermissionDenied: A folder below cannot be listed; the error's
                ``path`` names it, and ``others`` are those of further folders.
        """
        stop = _Stop()
        try:
            return await self._pool.query(folder_info, self._files, path, stop.asked)
        except asyncio.CancelledError:
            stop.ask()
            raise

    async def check_health(self) -> None:
        """
        Look into the root.

        Raises:
            NotFound: It is missing, or is not a folder.
            PermissionDenied: It cannot be listed.
        """
        await self._pool.query(self._files.check, "")

    # Reading ---------------------------------------------------------------

    def read(self, path: str) -> AsyncGenerator[bytes, None]:
        """
        Yield the content of one version of a file in blocks of 1 MiB.

        A version that is replaced meanwhile is read to its end; one that
        grows, to where it ends by then. Two blocks more than asked for are
        read ahead.

        Raises:
            NotFound, InvalidPath: As in the protocol.
            PreconditionFailed: Another program cut the file short meanwhile.
        """
        return read_blocks(self._files, self._pool, path)

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield a part of one version of a file in such blocks; raises as `read`."""
        return read_blocks(self._files, self._pool, path, start, length, if_match)

    async def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file, in one hop; raises as `read`."""
        return await self._pool.query(read_bytes, self._files, path)

    # Writing ---------------------------------------------------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> WriteResult:
        """
        Write a file: readers see the old content or the new, as with `write_atomic`.

        A file that is replaced keeps its permissions, and its group and owner
        as far as the system lets us; where its group cannot be kept, the new
        one may do no more than everybody. ACLs and extended attributes of
        others are not kept. A file behind a link is replaced there, and the
        link stays. Folders that a failed write created are removed, as far as
        they are empty.

        Raises:
            InvalidPath, AlreadyExists, CapabilityNotSupported, ValueError: As
                in the protocol.
            PreconditionFailed: The folder was deleted while a stream was
                being written.
            TypeError: *content* is neither bytes nor an async iterator of them.
        """
        return await self._write(path, content, Write(overwrite, False, metadata, if_match))

    async def write_atomic(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> WriteResult:
        """
        As `write`; unless ``fsync="never"``, it also survives a power loss.

        Raises:
            RemoteStoreError: With ``outcome_unknown``: the file is in place,
                but the system failed to bring its folder to the disk.
        """
        return await self._write(path, content, Write(overwrite, True, metadata, if_match))

    async def _write(self, path: str, content: AsyncWritableContent, write: Write) -> WriteResult:
        if isinstance(content, bytes):
            return await self._stoppable(write_bytes, self._files, path, content, write)
        if not hasattr(content, "__aiter__"):
            msg = (
                f"content must be bytes or an async iterator of bytes, got {type(content).__name__}"
            )
            raise TypeError(msg)
        return await write_blocks(self._files, self._pool, path, content, write)

    async def create_folder(self, path: str) -> None:
        """
        Make a folder, and those above it that are missing; a link to a folder is one.

        Raises:
            InvalidPath, NotFound: As in the protocol.
            PermissionDenied: A folder cannot be made.
        """
        await self._pool.mutate(create_folder, self._files, path)

    # Deleting --------------------------------------------------------------

    async def delete(
        self, path: str, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        """Delete a file; of a link only the link. Raises as in the protocol."""
        await self._pool.mutate(delete, self._files, path, missing_ok, if_match)

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """
        Delete a folder; of a link only the link.

        With *recursive*, links are removed and never followed. What another
        program writes into it meanwhile stays, as if it had been written a
        moment later.

        Raises:
            InvalidPath, NotFound: As in the protocol.
            DirectoryNotEmpty: It has children and *recursive* is False; or
                temporary files of writes that are running, or died in the
                last 24 hours, are left in it.
            PermissionDenied: Something in it cannot be removed, whose key is
                ``path``; the rest is, and ``others`` are the errors of further
                folders. ``outcome_unknown`` is True if anything was removed.
        """
        await self._stoppable(delete_folder, self._files, path, recursive, missing_ok)

    async def sweep(
        self,
        path: str = "",
        *,
        dry_run: bool = False,
        found: Callable[[str], object] | None = None,
    ) -> int:
        """
        Remove temporary files that killed writers left behind, and nothing else.

        Those are older than 24 hours, and no living process holds their lock.

        Args:
            path: Key of the folder to begin at, ``""`` for the root.
            dry_run: Remove nothing.
            found: Told the key of each one, in the thread that does the work.

        Returns:
            How many were removed, or with *dry_run* would be.

        Raises:
            PermissionDenied, RemoteStoreError: Folders could not be swept, of
                which ``path`` names the first and ``others`` are the rest;
                all others were.
        """
        return await self._stoppable(sweep, self._files, path, dry_run, found)

    # Moving and copying ----------------------------------------------------

    async def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """
        Rename a file.

        If *src* is a link, the file that it leads to is moved.

        Raises:
            NotFound, InvalidPath, AlreadyExists: As in the protocol. With
                ``outcome_unknown``: the file is at *dst*, and a network file
                system does not say whether this call or another one moved it.
            RemoteStoreError: *dst* is on another file system; copy and delete.
        """
        await self._pool.mutate(move, self._files, src, dst, overwrite, if_match)

    async def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """
        Copy a file with metadata, modification time and permissions.

        Group and owner are those of *src*, or of a file that is replaced, as
        in `write`.

        Raises:
            NotFound, InvalidPath, AlreadyExists: As in the protocol.
            PreconditionFailed: Another program wrote to *src* meanwhile; *dst*
                is as it was.
        """
        await self._stoppable(copy, self._files, src, dst, overwrite, if_match, None)

    async def copy_from(
        self,
        source: AsyncBackend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        """
        Copy a file of another root, as `copy` does.

        Returns:
            What `write` returns.

        Raises:
            CapabilityNotSupported: *source* is no `AsyncLocalBackend`, or one of a class made
                from that, or can have user metadata that the file system of
                this root cannot keep.
            NotFound, InvalidPath, AlreadyExists, PreconditionFailed: As `copy`.
        """
        files = self.files_of(source, AsyncLocalBackend, partial(cannot_copy_from, dst, self.name))
        return await self._stoppable(copy, files, src, dst, overwrite, if_match, self._files)

    async def copy_many_from(
        self, source: AsyncBackend, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        """
        Copy files of another root in one hop, each as `copy_from` does.

        Returns:
            For each pair what `copy_from` would have returned or raised.

        Raises:
            CapabilityNotSupported: As `copy_from`.
        """
        files = self.files_of(source, AsyncLocalBackend, partial(cannot_copy_many_from, self.name))
        stop = _Stop()
        return await self._pool.mutate(
            copy_many,
            files,
            pairs,
            self._files,
            stop.asked,
            on_cancel=stop.ask,
            calls=len(pairs),
        )

    # Listing ---------------------------------------------------------------

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncGenerator[FileInfo, None]:
        """
        Yield the files of a folder, without ETag and metadata; see `get_file_info`.

        Linked folders are not entered; how many there are is logged.

        Raises:
            PermissionDenied: A folder cannot be listed; the error's ``path``
                names it. If *recursive*, all others are listed first, and
                ``others`` are the errors of further folders.
        """
        depth = max_depth if recursive else 0
        items = list_entries(self._files, path, depth=depth, with_files=True, with_folders=False)
        return self._paged(cast("Generator[FileInfo, None, None]", items))

    def list_folders(self, path: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder; raises as `list_files`."""
        items = list_entries(self._files, path, depth=0, with_files=False, with_folders=True)
        return self._paged(cast("Generator[FolderEntry, None, None]", items))

    def iter_children(self, path: str) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder in one pass; raises as `list_files`."""
        items = list_entries(self._files, path, depth=0, with_files=True, with_folders=True)
        return self._paged(items)

    def glob(self, pattern: str) -> AsyncGenerator[FileInfo, None]:
        """
        Yield the files whose key matches; only folders that may hold one are opened.

        Raises:
            InvalidPath, ValueError, re.error: See `GlobPattern.parse`.
            PermissionDenied: As `list_files`.
        """
        return self._paged(glob(self._files, pattern))

    async def _paged(self, items: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        pages = PageReader(items)
        try:
            while page := await self._pool.query(pages.next, _PAGE):
                for item in page:
                    yield item
                if pages.ended:
                    break
        finally:
            pages.release()

    # Lifecycle -------------------------------------------------------------

    async def aclose(self) -> None:
        """End the threads; the next operation starts new ones. Idempotent."""
        self._pool.close()
