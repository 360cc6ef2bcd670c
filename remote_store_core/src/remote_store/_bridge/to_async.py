"""A sync backend behind the async protocol."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, TypeVar

from remote_store._bridge.calls import BackendCall, BackendCalls, Running
from remote_store._bridge.page_iterator import page_iterator
from remote_store._bridge.push_content import push_content
from remote_store._contract import members, versions
from remote_store._contract.async_backend import AsyncBackend
from remote_store._contract.async_closing import Closing
from remote_store._contract.async_content import AsyncWritableContent
from remote_store._contract.backend import Backend
from remote_store._contract.standard_errors import (
    cannot_copy_from,
    cannot_copy_many_from,
    cannot_delete_many,
)
from remote_store._threads.chunk_reader import read_some
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.errors import RemoteStoreError
from remote_store._types.models import (
    FileInfo,
    FolderEntry,
    WriteResult,
)

if TYPE_CHECKING:
    from remote_store._types.content import ContentHeaders
    from remote_store._types.folder_info import FolderInfo
    from remote_store._types.resolution import ResolutionPlan

__all__ = ["SyncBackendAdapter"]

T = TypeVar("T")

#: BackendCalls of one adapter that run at once; further ones wait for their turn.
_WORKERS: Final = 32
#: Bytes of a read that cross in one hop; one hop is fetched ahead.
_READ: Final = 2 << 20
#: Seconds after which a hop of a read ends, full or not.
_READ_TIME: Final = 0.05
#: Entries of a listing that are fetched in one hop.
_PAGE: Final = 512
#: Seconds after which a hop of a listing ends: an entry that takes longer does
#: not have to wait for the next one.
_PAGE_TIME: Final = 0.005


class SyncBackendAdapter(AsyncBackend):
    """
    Makes an async backend of a sync one, by running its calls in threads.

    `AsyncStore` wraps sync backends by itself. The threads are the adapter's
    own: slow calls never fill the loop's default executor. Context variables
    go with each call, and exceptions come back as they are.

    Content crosses in steps: 2 MiB in a read, of which one is fetched ahead of
    the consumer; 1 MiB in a write, where the sync backend reads the async
    iterator as a file. Listings cross in pages. A stream or iterator that is
    left early is closed in a thread.

    When cancelled, a call that changes something waits for its thread, so
    that nothing changes afterwards (CANCEL-003); a timeout around it waits
    too. A streamed write gives up: its next read fails. A call that
    only looks is left behind at once.

    Keywords that only some backends take, ``if_match``, ``headers`` and
    ``resume``, go through as they are; CapabilityNotSupported where the backend declares none.

    One adapter may be used from several loops at the same time.

    Args:
        backend: The sync backend; closed by `aclose`.

    Raises:
        TypeError: *backend* lacks members of the protocol, or is async.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(Capability)
    CONTRACT: ClassVar[str] = versions.CONTRACT
    #: Of an instance: whether the wrapped backend cannot be used after its close.
    close_is_terminal: bool = False

    def __init__(self, backend: Backend) -> None:
        members.refuse_incomplete(backend)
        if members.is_async_backend(backend):
            msg = f"SyncBackendAdapter takes a sync backend, {type(backend).__name__} is async"
            raise TypeError(msg)
        self._backend = backend
        self.close_is_terminal = bool(getattr(backend, "close_is_terminal", False))
        self._calls = BackendCalls(backend.name, _WORKERS)

    @property
    def name(self) -> str:
        """Name of the wrapped backend."""
        return self._backend.name

    @property
    def capabilities(self) -> CapabilitySet:
        """Capabilities of the wrapped backend."""
        return versions.declared(self._backend)

    def to_key(self, native_path: str) -> str:
        """Return the key of a native path."""
        key: str = self._member("to_key")(native_path)
        return key

    def native_path(self, path: str) -> str:
        """Return a key in the backend's own notation."""
        native: str = self._member("native_path")(path)
        return native

    def resolve(self, path: str) -> ResolutionPlan:
        """Return how a key maps to storage."""
        plan: ResolutionPlan = self._member("resolve")(path)
        return plan

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the wrapped backend's native handle.

        Raises:
            CapabilityNotSupported: It has none of that type.
        """
        handle: T = self._member("unwrap")(type_hint)
        return handle

    # Queries: left behind when cancelled ------------------------------------

    async def exists(self, path: str) -> bool:
        """Return True if a file or folder is at *path*."""
        return await self._calls.query(self._backend.exists, path)

    async def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*."""
        return await self._calls.query(self._backend.is_file, path)

    async def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*."""
        return await self._calls.query(self._backend.is_folder, path)

    async def read_bytes(self, path: str) -> bytes:
        """
        Return the whole content of a file.

        Raises:
            NotFound, InvalidPath: As `AsyncBackend.read_bytes`.
        """
        return await self._calls.query(self._backend.read_bytes, path)

    async def get_file_info(self, path: str) -> FileInfo:
        """
        Return what is known about a file.

        Raises:
            NotFound, InvalidPath: As `AsyncBackend.get_file_info`.
        """
        return await self._calls.query(self._backend.get_file_info, path)

    async def get_folder_info(self, path: str) -> FolderInfo:
        """
        Return the sum of all files below a folder.

        Raises:
            NotFound, InvalidPath: As `AsyncBackend.get_folder_info`.
        """
        return await self._calls.query(self._backend.get_folder_info, path)

    async def check_health(self) -> None:
        """
        Verify that the backend is reachable.

        Raises:
            PermissionDenied, NotFound, BackendUnavailable: It is not.
        """
        await self._calls.query(self._member("check_health"))

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        """
        Return a URL by which anybody may read or write one file.

        Raises:
            InvalidPath, ValueError, CapabilityNotSupported: As `AsyncBackend.signed_url`.
        """
        sign = functools.partial(self._member("signed_url"), expires=expires, method=method)
        return await self._calls.query(sign, path)

    # Changes: waited for when cancelled --------------------------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
        resume: bool = False,
    ) -> WriteResult:
        """
        Write a file.

        Raises:
            TypeError: *content* is neither bytes nor an async iterator of bytes.
            InvalidPath, AlreadyExists: As `AsyncBackend.write`.
        """
        more = versions.given(
            self._backend, if_match=if_match, headers=headers, resume=resume or None
        )
        return await self._write(self._backend.write, path, content, overwrite, metadata, more)

    async def write_atomic(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        """
        Write a file of which readers never see a part.

        Raises:
            TypeError: *content* is neither bytes nor an async iterator of bytes.
            InvalidPath, AlreadyExists, CapabilityNotSupported: As
                `AsyncBackend.write_atomic`.
        """
        more = versions.given(self._backend, if_match=if_match, headers=headers)
        return await self._write(
            self._backend.write_atomic, path, content, overwrite, metadata, more
        )

    async def _write(
        self,
        write: Callable[..., WriteResult],
        path: str,
        content: AsyncWritableContent,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
        more: Mapping[str, Any],
    ) -> WriteResult:
        if isinstance(content, bytes):
            return await self._calls.mutate(
                write, path, content, overwrite=overwrite, metadata=metadata, **more
            )

        def write_from(file: BinaryIO) -> WriteResult:
            with BackendCall(self._calls, changing=True):
                return write(path, file, overwrite=overwrite, metadata=metadata, **more)

        # Here as well: the thread may go on alone, and the result is handed over here.
        with Running(self._calls):
            return await push_content(write_from, aiter(content))

    async def delete(
        self, path: str, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        """
        Delete a file.

        Raises:
            NotFound, InvalidPath: As `AsyncBackend.delete`.
        """
        more = versions.given(self._backend, if_match=if_match)
        await self._calls.mutate(self._backend.delete, path, missing_ok=missing_ok, **more)

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """
        Delete a folder.

        Raises:
            NotFound, InvalidPath, DirectoryNotEmpty: As `AsyncBackend.delete_folder`.
        """
        delete = self._backend.delete_folder
        await self._calls.mutate(delete, path, recursive=recursive, missing_ok=missing_ok)

    async def create_folder(self, path: str) -> None:
        """
        Make a folder, and those above it that are missing.

        Raises:
            InvalidPath, NotFound, CapabilityNotSupported: As `AsyncBackend.create_folder`.
        """
        await self._calls.mutate(self._member("create_folder"), path)

    async def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """
        Rename a file.

        Raises:
            NotFound, InvalidPath, AlreadyExists: As `AsyncBackend.move`.
        """
        more = versions.given(self._backend, if_match=if_match)
        await self._calls.mutate(self._backend.move, src, dst, overwrite=overwrite, **more)

    async def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """
        Copy a file.

        Raises:
            NotFound, InvalidPath, AlreadyExists: As `AsyncBackend.copy`.
        """
        more = versions.given(self._backend, if_match=if_match)
        await self._calls.mutate(self._backend.copy, src, dst, overwrite=overwrite, **more)

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
        Copy a file of another adapter's backend.

        Raises:
            CapabilityNotSupported: *source* is no such adapter, or as
                `AsyncBackend.copy_from`.
            NotFound, InvalidPath, AlreadyExists: As `AsyncBackend.copy_from`.
        """
        theirs = self._within(source)
        copy = members.own_member(self._backend, "copy_from")
        if copy is None or theirs is None:
            raise cannot_copy_from(dst, self.name)
        more = versions.given(self._backend, if_match=if_match)
        result: WriteResult | None = await self._calls.mutate(
            copy, theirs, src, dst, overwrite=overwrite, **more
        )
        return result

    async def copy_many_from(
        self, source: AsyncBackend, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        """
        Copy files of another adapter's backend together, if the wrapped backend does.

        Raises:
            CapabilityNotSupported: *source* is no such adapter, or as
                `AsyncBackend.copy_many_from`.
        """
        theirs = self._within(source)
        copy = members.own_member(self._backend, "copy_many_from")
        if copy is None or theirs is None:
            raise cannot_copy_many_from(self.name)
        found: Sequence[WriteResult | RemoteStoreError | None] = await self._calls.mutate(
            copy, theirs, pairs
        )
        return found

    def _within(self, source: AsyncBackend) -> Backend | None:
        """Return the backend of another adapter; None if it is none, or has content of its own."""
        # A class that is made from this one may change content.
        own = {type(self), type(source)} != {SyncBackendAdapter}
        if own or not isinstance(source, SyncBackendAdapter):
            return None
        return source._backend  # noqa: SLF001 - of this class

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        """
        Delete files together, if the wrapped backend does.

        Raises:
            CapabilityNotSupported: As `AsyncBackend.delete_many`.
        """
        delete = members.own_member(self._backend, "delete_many")
        if delete is None:
            raise cannot_delete_many(self.name)
        more = versions.given(self._backend, if_match=if_match)
        found: Mapping[str, RemoteStoreError] = await self._calls.mutate(
            delete, paths, missing_ok=missing_ok, **more
        )
        return found

    # Streams and listings -----------------------------------------------------

    def read(self, path: str) -> AsyncGenerator[bytes, None]:
        """
        Yield the content of a file in chunks of up to 2 MiB.

        Raises:
            NotFound, InvalidPath: On the first pull, as `AsyncBackend.read`.
        """
        return self._content(functools.partial(self._backend.read, path))

    async def _content(self, open_file: Callable[[], BinaryIO]) -> AsyncGenerator[bytes, None]:
        def open_stream() -> tuple[Iterator[bytes], Callable[[], object]]:
            stream = open_file()
            return _chunks(stream), stream.close

        found = page_iterator(self._calls, open_stream, len, _READ, _READ_TIME, ahead=True)
        async with Closing(found):
            async for chunks in found:
                yield chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """
        Yield a part of a file in chunks of up to 2 MiB.

        Raises:
            NotFound, InvalidPath, PreconditionFailed: On the first pull, as
                `AsyncBackend.read_range`.
        """
        read_range = self._member("read_range")
        return self._content(
            functools.partial(read_range, path, start, length=length, if_match=if_match)
        )

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder."""
        list_files = self._backend.list_files
        return self._listing(list_files, path, recursive=recursive, max_depth=max_depth)

    def list_folders(self, path: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the immediate subfolders."""
        return self._listing(self._backend.list_folders, path)

    def glob(self, pattern: str) -> AsyncGenerator[FileInfo, None]:
        """
        Yield the files whose key matches.

        Raises:
            CapabilityNotSupported: On the first pull: the backend has no glob.
        """
        return self._listing(self._member("glob"), pattern)

    def iter_children(self, path: str) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and the subfolders of a folder."""
        return self._listing(self._member("iter_children"), path)

    async def _listing(
        self, function: Callable[..., Iterator[T]], /, *args: Any, **options: Any
    ) -> AsyncGenerator[T, None]:
        def open_listing() -> tuple[Iterator[T], Callable[[], object]]:
            items = iter(function(*args, **options))
            return items, getattr(items, "close", _nothing)

        found = page_iterator(self._calls, open_listing, _one, _PAGE, _PAGE_TIME)
        async with Closing(found):
            async for page in found:
                for item in page:
                    yield item

    # Lifecycle ----------------------------------------------------------------

    async def aclose(self) -> None:
        """
        Close the wrapped backend and end the threads. Idempotent.

        Waits for the calls that are running, for at most 5 seconds. Where the
        close is terminal, new calls are refused from the start, and what it
        overtakes ends with its result or with `StoreClosed`.
        """
        await self._calls.close(self._member("close"), terminal=self.close_is_terminal)

    def __reduce__(self) -> tuple[Any, ...]:
        return SyncBackendAdapter, (self._backend,)

    def __repr__(self) -> str:
        return f"SyncBackendAdapter({self._backend!r})"

    def _member(self, name: str) -> Callable[..., Any]:
        return members.member(self._backend, name, Backend)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := read_some(stream, _READ):
        yield chunk


def _one(_: object) -> int:
    return 1


def _nothing() -> None:
    pass
