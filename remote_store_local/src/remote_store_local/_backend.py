"""The async backend: each operation in one hop to a thread of its own pool."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeVar, cast, get_args

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    InvalidPath,
    NotFound,
    ResolutionPlan,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncWritableContent
from remote_store.aio.workers import WorkerPool
from remote_store_local._errors import translate
from remote_store_local._files import Fsync, LocalFiles, Write
from remote_store_local._lease import Pages
from remote_store_local._names import check_key
from remote_store_local._streams import read_blocks, write_blocks
from remote_store_local._urls import folder_of_url

__all__ = ["AsyncLocalBackend"]

T = TypeVar("T")

_NAME: Final = "async-local"
#: Entries of a listing for each hop.
_PAGE: Final = 256


class AsyncLocalBackend(AsyncBackend):
    """
    Files below one folder of this machine.

    Every key stays below *root*, whatever symbolic links say. A write is
    visible as a whole or not at all, and exclusive without ``overwrite``,
    among tasks, threads and processes. User metadata and the ETag live in
    extended attributes of the file; where the file system has none, neither
    USER_METADATA nor ETags are there.

    Calls that change something wait, when cancelled, for the system call that
    is running: a timeout around them waits too, and nothing changes after
    it. Reads, queries and listings are left behind at once.

    One instance serves any number of tasks, threads and event loops; it
    pickles as its configuration, and stays usable after `aclose`.

    Args:
        root: The folder. A relative one is taken from the working directory
            of this moment.
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
        ValueError: *root* is empty, *fsync* unknown or *max_workers* below 1.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability) - {Capability.SEEKABLE_READ}
    )
    CONTRACT: ClassVar[str] = "1.0"
    close_is_terminal: ClassVar[bool] = False

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        fsync: Fsync = "atomic",
        max_workers: int = 16,
        create_root: bool = True,
    ) -> None:
        path = os.fspath(root)
        if not path:
            msg = "the root must not be empty; write '.' for the working directory"
            raise ValueError(msg)
        if fsync not in get_args(Fsync):
            msg = f"fsync must be one of {', '.join(get_args(Fsync))}, got {fsync!r}"
            raise ValueError(msg)
        self._root = os.path.abspath(path)
        self._fsync: Fsync = fsync
        self._max_workers = max_workers
        self._create_root = create_root
        self._pool = WorkerPool("remote-store-local", max_workers)
        self._open_root()
        self._files = LocalFiles(self._root, _NAME, fsync)
        missing = {Capability.SEEKABLE_READ}
        if not self._files.keeps_metadata:
            missing.add(Capability.USER_METADATA)
        if not self._files.moves_atomically:
            missing.add(Capability.ATOMIC_MOVE)
        self._capabilities = CapabilitySet(set(Capability) - missing)

    def _open_root(self) -> None:
        try:
            if self._create_root:
                os.makedirs(self._root, exist_ok=True)
            with os.scandir(self._root):
                pass
        except FileNotFoundError as error:
            msg = f"Root folder not found: {self._root!r}"
            raise NotFound(msg, path="", backend=_NAME) from error
        except (FileExistsError, NotADirectoryError) as error:
            msg = f"Root is not a folder: {self._root!r}"
            raise InvalidPath(msg, path="", backend=_NAME) from error
        except OSError as error:
            raise translate(error, self._root, _NAME) from error

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        """
        Return the backend of a URL and the path in it, which is always the root.

        Args:
            url: ``file:///srv/data`` or ``local:///srv/data``, or relative to
                the working directory ``local:data``; percent-encoded.
            options: Keywords of the class.

        Raises:
            ValueError: *url* names a host, or no folder; otherwise as the class.
        """
        return cls(folder_of_url(url), **options), ""

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = functools.partial(
            type(self),
            self._root,
            fsync=self._fsync,
            max_workers=self._max_workers,
            create_root=self._create_root,
        )
        return rebuild, ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._root!r}, fsync={self._fsync!r})"

    @property
    def name(self) -> str:
        """``"async-local"``."""
        return _NAME

    @property
    def capabilities(self) -> CapabilitySet:
        """All but SEEKABLE_READ, as far as the root's file system provides for them."""
        return self._capabilities

    async def _stoppable(self, function: Callable[..., T], *args: Any) -> T:
        """Call what changes something and asks its last argument whether to stop."""
        stop = threading.Event()
        call = functools.partial(function, *args, stop.is_set)
        return await self._pool.mutate(call, on_cancel=stop.set)

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
            PermissionDenied: A folder below cannot be listed.
        """
        stop = threading.Event()
        try:
            return await self._pool.query(self._files.folder_info, path, stop.is_set)
        except asyncio.CancelledError:
            stop.set()
            raise

    async def check_health(self) -> None:
        """
        Look into the root.

        Raises:
            NotFound: It is missing.
            InvalidPath: It is not a folder.
            PermissionDenied: It cannot be listed.
        """
        await self._pool.query(self._files.check, "")

    # Reading ---------------------------------------------------------------

    def read(self, path: str) -> AsyncGenerator[bytes, None]:
        """
        Yield the content of one version of a file, first 1 MiB and then blocks of 2 MiB.

        A version that is replaced meanwhile is read to its end. One more
        block than asked for is read ahead.

        Raises:
            NotFound, InvalidPath: As in the protocol.
            PreconditionFailed: Another program cut the file short meanwhile.
        """
        return read_blocks(self._files, self._pool, path)

    async def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file, in one hop; raises as `read`."""
        return await self._pool.query(self._files.read_bytes, path)

    # Writing ---------------------------------------------------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """
        Write a file: readers see the old content or the new, as with `write_atomic`.

        A file that is replaced keeps its permissions; one behind a link is
        replaced there, and the link stays. Folders that a failed write
        created are removed, as far as nobody uses them.

        Raises:
            InvalidPath, AlreadyExists, CapabilityNotSupported, ValueError: As
                in the protocol.
            PreconditionFailed: The folder was deleted while a stream was
                being written.
            TypeError: *content* is neither bytes nor an async iterator of them.
        """
        return await self._write(path, content, Write(overwrite, False, metadata))

    async def write_atomic(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """As `write`; unless ``fsync="never"``, it also survives a power loss."""
        return await self._write(path, content, Write(overwrite, True, metadata))

    async def _write(self, path: str, content: AsyncWritableContent, write: Write) -> WriteResult:
        if isinstance(content, bytes):
            return await self._stoppable(self._files.write, path, content, write)
        if not hasattr(content, "__aiter__"):
            msg = (
                f"content must be bytes or an async iterator of bytes, got {type(content).__name__}"
            )
            raise TypeError(msg)
        return await write_blocks(self._files, self._pool, path, content, write)

    # Deleting --------------------------------------------------------------

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        """Delete a file; of a link only the link. Raises as in the protocol."""
        await self._pool.mutate(self._files.delete, path, missing_ok)

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """
        Delete a folder; of a link only the link.

        With *recursive*, links are removed and never followed. What somebody
        else writes into it meanwhile stays, as if it had been written a
        moment later.

        Raises:
            InvalidPath, NotFound: As in the protocol.
            DirectoryNotEmpty: It has children and *recursive* is False; or
                temporary files of writes that are running, or died in the
                last 24 hours, are left in it.
        """
        await self._stoppable(self._files.delete_folder, path, recursive, missing_ok)

    async def sweep(self, path: str = "") -> int:
        """
        Remove temporary files that killed writers left behind, and nothing else.

        Those are older than 24 hours, and no living process holds their lock.

        Args:
            path: Key of the folder to begin at, ``""`` for the root.

        Returns:
            How many were removed.
        """
        return await self._stoppable(self._files.sweep, path)

    # Moving and copying ----------------------------------------------------

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """
        Rename a file.

        If *src* is a link, the file that it leads to is moved.

        Raises:
            NotFound, InvalidPath, AlreadyExists: As in the protocol.
            RemoteStoreError: *dst* is on another file system; copy and delete.
        """
        await self._pool.mutate(self._files.move, src, dst, overwrite)

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """
        Copy a file with metadata, modification time and permissions.

        Raises:
            NotFound, InvalidPath, AlreadyExists: As in the protocol.
        """
        await self._stoppable(self._files.copy, src, dst, overwrite)

    # Listing ---------------------------------------------------------------

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncGenerator[FileInfo, None]:
        """
        Yield the files of a folder, without ETag and metadata; see `get_file_info`.

        Raises:
            PermissionDenied: A folder cannot be listed.
        """
        depth = max_depth if recursive else 0
        items = self._files.walk(path, depth=depth, files=True, folders=False)
        return self._paged(cast("Generator[FileInfo, None, None]", items))

    def list_folders(self, path: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder; raises as `list_files`."""
        items = self._files.walk(path, depth=0, files=False, folders=True)
        return self._paged(cast("Generator[FolderEntry, None, None]", items))

    def iter_children(self, path: str) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder in one pass; raises as `list_files`."""
        items = self._files.walk(path, depth=0, files=True, folders=True)
        return self._paged(items)

    def glob(self, pattern: str) -> AsyncGenerator[FileInfo, None]:
        """
        Yield the files whose key matches; only folders that may hold one are opened.

        Raises:
            InvalidPath, ValueError, re.error: See `GlobPattern.parse`.
            PermissionDenied: A folder cannot be listed.
        """
        return self._paged(self._files.glob(pattern))

    async def _paged(self, items: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        pages = Pages(items)
        try:
            while page := await self._pool.query(pages.next, _PAGE):
                for item in page:
                    yield item
                if len(page) < _PAGE:
                    break
        finally:
            pages.release()

    # Names -----------------------------------------------------------------

    def native_path(self, path: str) -> str:
        """
        Return the absolute path of a key; nothing need be there.

        Raises:
            InvalidPath: *path* is malformed.
        """
        key = check_key(path, _NAME)
        return os.path.join(self._root, *key.split("/")) if key else self._root

    def to_key(self, native_path: str) -> str:
        """
        Return the key of an absolute path, ``""`` for the root's.

        Raises:
            InvalidPath: *native_path* is not below the root, or no key can name it.
        """
        base = os.path.join(self._root, "")
        if native_path in (self._root, base):
            return ""
        if not native_path.startswith(base):
            msg = f"path is not under the root {self._root!r}: {native_path!r}"
            raise InvalidPath(msg, path=native_path, backend=_NAME)
        return check_key(native_path[len(base) :].replace(os.sep, "/"), _NAME)

    def resolve(self, path: str) -> ResolutionPlan:
        """Return the absolute path of a key as a plan; details hold the ``root``."""
        return ResolutionPlan(_NAME, _NAME, path, self.native_path(path), {"root": self._root})

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the root as a `pathlib.Path`.

        Raises:
            CapabilityNotSupported: Another type was asked for.
        """
        if type_hint is Path:
            return cast("T", Path(self._root))
        msg = f"backend {_NAME!r} does not expose native handle {type_hint!r}, only pathlib.Path"
        raise CapabilityNotSupported(msg, backend=_NAME, capability="unwrap")

    async def aclose(self) -> None:
        """End the threads; the next operation starts new ones. Idempotent."""
        self._pool.close()
