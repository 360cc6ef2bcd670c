"""An async backend behind the sync protocol."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    ClassVar,
    Protocol,
    Self,
    TypeVar,
    cast,
)

from remote_store._bridge.pull_iterator import AsyncIteratorBridge, ChunkStream
from remote_store._contract import members, versions
from remote_store._contract.async_backend import AsyncBackend
from remote_store._contract.async_content import as_content
from remote_store._contract.backend import Backend
from remote_store._contract.content import SyncContentSource
from remote_store._contract.standard_errors import (
    cannot_copy_from,
    cannot_copy_many_from,
    cannot_delete_many,
)
from remote_store._threads.loop_thread import LoopThread
from remote_store._threads.spool import spooled_write
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.errors import CapabilityNotSupported, RemoteStoreError
from remote_store._types.models import (
    FileInfo,
    FolderEntry,
    WriteResult,
)

if TYPE_CHECKING:
    from remote_store._types.content import ContentHeaders
    from remote_store._types.folder_info import FolderInfo
    from remote_store._types.resolution import ResolutionPlan

__all__ = ["AsyncBackendSyncAdapter"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


class _SyncSafeHandleProvider(Protocol):
    """An async backend that has a handle which sync code in other threads may use."""

    def sync_safe_unwrap(self, type_hint: type[T]) -> T:
        """
        Return the handle of the given type.

        Raises:
            CapabilityNotSupported: There is none.
        """
        ...


class AsyncBackendSyncAdapter(Backend):
    """
    Makes a sync backend of an async one, which runs on a loop of the adapter's own.

    The loop lives on a daemon thread until `close`. Any number of threads may
    use the adapter at once. Calls wait without a time limit; time limits are
    the backend's. An exception comes back as the same object. A
    KeyboardInterrupt cancels the call and waits for its end.

    Every blocking call raises RuntimeError in a thread that runs an event
    loop (which it would block), in a forked child (whose copy has no thread),
    and on a closed adapter, where the error is a `StoreClosed` as well.

    Keywords that only some backends take, ``if_match``, ``headers`` and
    ``resume``, go through as they are; CapabilityNotSupported where the backend declares none.
    The backend's own ``__aenter__`` is not called.

    Args:
        async_backend: An `AsyncBackend`, by inheritance or by its members;
            closed by `close`.
        loop_thread: Where it runs; a new one if None. Ended by `close`.

    Raises:
        TypeError: *async_backend* is not an async backend.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability) - {Capability.SEEKABLE_READ}
    )
    CONTRACT: ClassVar[str] = versions.CONTRACT
    #: Whatever the backend's own close means: the loop that it ran on is gone.
    close_is_terminal: ClassVar[bool] = True

    def __init__(
        self, async_backend: AsyncBackend, *, loop_thread: LoopThread | None = None
    ) -> None:
        if members.missing_members(async_backend) or not members.is_async_backend(async_backend):
            msg = (
                f"AsyncBackendSyncAdapter takes an AsyncBackend, got {type(async_backend).__name__}"
            )
            raise TypeError(msg)
        self._backend = async_backend
        self._runner = loop_thread or LoopThread(type(self).__name__)
        self._loop = self._runner.loop
        self._thread = self._runner.thread
        kept = set(versions.declared(async_backend)) - {Capability.SEEKABLE_READ}
        self._capabilities = CapabilitySet(kept)

    @property
    def name(self) -> str:
        """Name of the wrapped backend."""
        return self._backend.name

    @property
    def capabilities(self) -> CapabilitySet:
        """Capabilities of the wrapped backend without SEEKABLE_READ: streams go forward only."""
        return self._capabilities

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
        Return a handle that is safe to use from sync code, if the backend has one.

        Handles of async SDKs are bound to the adapter's loop. A backend that
        has another one provides ``sync_safe_unwrap(type_hint)``.

        Raises:
            CapabilityNotSupported: It provides none.
        """
        # Not isinstance: for wrappers that delegate attributes, the answer of a
        # runtime-checkable protocol differs between Python versions.
        if getattr(self._backend, "sync_safe_unwrap", None) is not None:
            return cast("_SyncSafeHandleProvider", self._backend).sync_safe_unwrap(type_hint)
        msg = (
            f"AsyncBackendSyncAdapter does not expose native handle {type_hint!r} of "
            f"{self.name!r}: it belongs to the adapter's loop"
        )
        raise CapabilityNotSupported(msg, backend=self.name, capability="unwrap")

    # Calls --------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        """Return True if a file or folder is at *path*."""
        return self._runner.query(self._backend.exists, path)

    def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*."""
        return self._runner.query(self._backend.is_file, path)

    def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*."""
        return self._runner.query(self._backend.is_folder, path)

    def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file."""
        return self._runner.query(self._backend.read_bytes, path)

    def get_file_info(self, path: str) -> FileInfo:
        """Return what is known about a file."""
        return self._runner.query(self._backend.get_file_info, path)

    def get_folder_info(self, path: str) -> FolderInfo:
        """Return the sum of all files below a folder."""
        return self._runner.query(self._backend.get_folder_info, path)

    def delete(self, path: str, *, missing_ok: bool = False, if_match: str | None = None) -> None:
        """Delete a file."""
        more = versions.given(self._backend, if_match=if_match)
        self._runner.call(self._backend.delete, path, missing_ok=missing_ok, **more)

    def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """Delete a folder."""
        delete = self._backend.delete_folder
        self._runner.call(delete, path, recursive=recursive, missing_ok=missing_ok)

    def create_folder(self, path: str) -> None:
        """Make a folder, and those above it that are missing."""
        create: Callable[..., Awaitable[None]] = self._member("create_folder")
        self._runner.call(create, path)

    def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """Rename a file."""
        more = versions.given(self._backend, if_match=if_match)
        self._runner.call(self._backend.move, src, dst, overwrite=overwrite, **more)

    def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """Copy a file."""
        more = versions.given(self._backend, if_match=if_match)
        self._runner.call(self._backend.copy, src, dst, overwrite=overwrite, **more)

    def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        """Return a URL by which anybody may read or write one file."""
        sign: Callable[..., Awaitable[str]] = self._member("signed_url")
        return self._runner.query(sign, path, expires=expires, method=method)

    def copy_from(
        self,
        source: Backend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        """
        Copy a file of another adapter's backend.

        Raises:
            CapabilityNotSupported: *source* is no such adapter, or as `Backend.copy_from`.
        """
        theirs = self._within(source)
        copy = members.own_member(self._backend, "copy_from")
        if copy is None or theirs is None:
            raise cannot_copy_from(dst, self.name)
        more = versions.given(self._backend, if_match=if_match)
        result: WriteResult | None = self._runner.call(
            copy, theirs, src, dst, overwrite=overwrite, **more
        )
        return result

    def copy_many_from(
        self, source: Backend, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        """
        Copy files of another adapter's backend together, if the wrapped backend does.

        Raises:
            CapabilityNotSupported: *source* is no such adapter, or as
                `Backend.copy_many_from`.
        """
        theirs = self._within(source)
        copy = members.own_member(self._backend, "copy_many_from")
        if copy is None or theirs is None:
            raise cannot_copy_many_from(self.name)
        found: Sequence[WriteResult | RemoteStoreError | None] = self._runner.call(
            copy, theirs, pairs
        )
        return found

    def _within(self, source: Backend) -> AsyncBackend | None:
        """Return the backend of another adapter; None if it is none, or has content of its own."""
        # A class that is made from this one may change content.
        own = {type(self), type(source)} != {AsyncBackendSyncAdapter}
        if own or not isinstance(source, AsyncBackendSyncAdapter):
            return None
        return source._backend  # noqa: SLF001 - of this class

    def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        """
        Delete files together, if the wrapped backend does.

        Raises:
            CapabilityNotSupported: As `Backend.delete_many`.
        """
        delete = members.own_member(self._backend, "delete_many")
        if delete is None:
            raise cannot_delete_many(self.name)
        more = versions.given(self._backend, if_match=if_match)
        found: Mapping[str, RemoteStoreError] = self._runner.call(
            delete, paths, missing_ok=missing_ok, **more
        )
        return found

    def check_health(self) -> None:
        """
        Ask the wrapped backend whether its storage can be reached.

        Raises:
            PermissionDenied, NotFound, BackendUnavailable: As it says.
            RuntimeError: See the class.
        """
        self._runner.query(self._member("check_health"))

    # Writing ------------------------------------------------------------------

    def write(
        self,
        path: str,
        content: SyncContentSource,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
        resume: bool = False,
    ) -> WriteResult:
        """Write a file; a file object is read in a thread, in steps of 1 MiB."""
        write = self._backend.write
        more = versions.given(
            self._backend, if_match=if_match, headers=headers, resume=resume or None
        )
        return self._runner.call(_write, write, path, content, overwrite, metadata, more)

    def write_atomic(
        self,
        path: str,
        content: SyncContentSource,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        """Write a file of which readers never see a part; *content* as in `write`."""
        write = self._backend.write_atomic
        more = versions.given(self._backend, if_match=if_match, headers=headers)
        return self._runner.call(_write, write, path, content, overwrite, metadata, more)

    def open_atomic(
        self, path: str, *, overwrite: bool = False
    ) -> AbstractContextManager[BinaryIO]:
        """
        Return a context manager over a file that is written by `write_atomic` at its end.

        Up to 8 MiB are kept in memory, more on disk.

        Raises:
            InvalidPath, AlreadyExists: At the end of the ``with`` block.
        """
        self._runner.guard()
        return spooled_write(lambda file: self.write_atomic(path, file, overwrite=overwrite))

    # Streams and listings -------------------------------------------------------

    def read(self, path: str) -> BinaryIO:
        """
        Return a forward-only stream that pulls one chunk at a time.

        The backend is not asked before the first read: that is where
        NotFound and InvalidPath appear. A failed stream is at its end
        afterwards. Closing it closes the backend's iterator.

        Raises:
            RuntimeError: See the class.
        """
        self._runner.guard()
        return cast("BinaryIO", ChunkStream(self._runner, self._backend.read(path)))

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> BinaryIO:
        """
        Return a forward-only stream over a part of a file; otherwise as `read`.

        Raises:
            RuntimeError: See the class.
        """
        self._runner.guard()
        chunks = self._member("read_range")(path, start, length=length, if_match=if_match)
        return cast("BinaryIO", ChunkStream(self._runner, chunks))

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Iterator[FileInfo]:
        """
        Return an iterator over the files of a folder.

        It fetches what the backend has without waiting, up to 512 entries at
        once, and nothing before the first ``next``. The other listings do the
        same.
        """
        self._runner.guard()
        found = self._backend.list_files(path, recursive=recursive, max_depth=max_depth)
        return AsyncIteratorBridge(self._runner, found)

    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        """Return an iterator over the immediate subfolders."""
        self._runner.guard()
        return AsyncIteratorBridge(self._runner, self._backend.list_folders(path))

    def glob(self, pattern: str) -> Iterator[FileInfo]:
        """Return an iterator over the files whose key matches."""
        self._runner.guard()
        return AsyncIteratorBridge(self._runner, self._member("glob")(pattern))

    def iter_children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        """Return an iterator over the files and the subfolders of a folder."""
        self._runner.guard()
        return AsyncIteratorBridge(self._runner, self._member("iter_children")(path))

    # Lifecycle ------------------------------------------------------------------

    def close(self, timeout: float | None = 30.0) -> None:
        """
        Close the backend, wait for what is running, and end the loop and its thread.

        Terminal, also for a backend that could be used again: calls that come
        later, or too late, raise `StoreClosed` (a RuntimeError as well); none
        is lost. Idempotent. When the time is over, one warning lists what
        is still running; it is cancelled, and its caller's `StoreClosed` has
        ``outcome_unknown`` where it was to change something.

        Args:
            timeout: Seconds for all of it together; None for as long as it takes.
        """
        self._runner.stop(self._member("aclose"), timeout, _log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._backend,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._backend!r})"

    def _member(self, name: str) -> Callable[..., Any]:
        return members.member(self._backend, name, AsyncBackend)


# On the loop --------------------------------------------------------------------


async def _write(
    write: Callable[..., Awaitable[WriteResult]],
    path: str,
    content: SyncContentSource,
    overwrite: bool,
    metadata: Mapping[str, str] | None,
    more: Mapping[str, Any],
) -> WriteResult:
    body = as_content(content)
    if isinstance(body, bytes):
        return await write(path, body, overwrite=overwrite, metadata=metadata, **more)
    async with contextlib.aclosing(body):
        return await write(path, body, overwrite=overwrite, metadata=metadata, **more)
