"""
Sync stores for the async engine, and the engine for programs without a loop.

Each call of the sync API runs the async one on a loop of its own, in the
calling thread. A sync store takes part as a backend, whose calls run in
threads; what it is asked for is asked of the store itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, BinaryIO, ClassVar, TypeVar

from remote_store import (
    Backend,
    Capability,
    CapabilitySet,
    ContentHeaders,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemoteStoreError,
    ResolutionPlan,
    Store,
    WritableContent,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store.authoring import cannot_copy_from, cannot_copy_many_from, cannot_delete_many
from remote_store_transfer._shortcuts import copies_from, copies_many_from, deletes_many

__all__ = ["as_async_stores", "run"]

T = TypeVar("T")


class _StoreBackend(Backend):
    """
    A sync store as a backend of an async one.

    Args:
        store: The store.
        owns: Whether closing this closes the store.
    """

    # Those that the engine has no use for are not passed on.
    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability) - {Capability.RANGE_READ, Capability.SIGNED_URL, Capability.CREATE_FOLDER}
    )
    CONTRACT: ClassVar[str] = "1.1"

    def __init__(self, store: Store, *, owns: bool = False) -> None:
        self._store = store
        self._owns = owns
        self._name = store.resolve("").backend
        self._capabilities = CapabilitySet(c for c in self.CAPABILITIES if store.supports(c))

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> CapabilitySet:
        return self._capabilities

    def exists(self, path: str) -> bool:
        return self._store.exists(path)

    def is_file(self, path: str) -> bool:
        return self._store.is_file(path)

    def is_folder(self, path: str) -> bool:
        return self._store.is_folder(path)

    def read(self, path: str) -> BinaryIO:
        return self._store.read(path)

    def read_bytes(self, path: str) -> bytes:
        return self._store.read_bytes(path)

    def write(
        self,
        path: str,
        content: WritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
        resume: bool = False,
    ) -> WriteResult:
        return self._store.write(
            path,
            content,
            overwrite=overwrite,
            metadata=metadata,
            if_match=if_match,
            headers=headers,
            resume=resume,
        )

    def write_atomic(
        self,
        path: str,
        content: WritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        return self._store.write_atomic(
            path,
            content,
            overwrite=overwrite,
            metadata=metadata,
            if_match=if_match,
            headers=headers,
        )

    def open_atomic(
        self, path: str, *, overwrite: bool = False
    ) -> AbstractContextManager[BinaryIO]:
        return self._store.open_atomic(path, overwrite=overwrite)

    def delete(self, path: str, *, missing_ok: bool = False, if_match: str | None = None) -> None:
        self._store.delete(path, missing_ok=missing_ok, if_match=if_match)

    def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        if not deletes_many(self._store):
            raise cannot_delete_many(self._name)
        found = self._store.delete_many(paths, missing_ok=missing_ok, if_match=if_match)
        return {path: e for path, e in zip(paths, found, strict=True) if e is not None}

    def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self._store.delete_folder(path, recursive=recursive, missing_ok=missing_ok)

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Iterator[FileInfo]:
        return self._store.list_files(path, recursive=recursive, max_depth=max_depth)

    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        return self._store.list_folders(path)

    def iter_children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        return self._store.iter_children(path)

    def get_file_info(self, path: str) -> FileInfo:
        return self._store.get_file_info(path)

    def get_folder_info(self, path: str) -> FolderInfo:
        return self._store.get_folder_info(path)

    def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self._store.move(src, dst, overwrite=overwrite, if_match=if_match)

    def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self._store.copy(src, dst, overwrite=overwrite, if_match=if_match)

    def copy_from(
        self,
        source: Backend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        theirs = _store_of(source)
        if theirs is None or not copies_from(self._store, theirs):
            raise cannot_copy_from(dst, self._name)
        return self._store.copy_from(theirs, src, dst, overwrite=overwrite, if_match=if_match)

    def copy_many_from(
        self, source: Backend, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        theirs = _store_of(source)
        if theirs is None or not copies_many_from(self._store, theirs):
            raise cannot_copy_many_from(self._name)
        return self._store.copy_many_from(theirs, pairs)

    def resolve(self, path: str) -> ResolutionPlan:
        return self._store.resolve(path)

    def native_path(self, path: str) -> str:
        return self._store.native_path(path)

    def to_key(self, native_path: str) -> str:
        return self._store.to_key(native_path)

    def unwrap(self, type_hint: type[T]) -> T:
        if isinstance(self._store, type_hint):
            return self._store
        return self._store.unwrap(type_hint)

    def close(self) -> None:
        if self._owns:
            self._store.close()

    def __reduce__(self) -> tuple[Any, ...]:
        # Nobody else has the store that a pickle makes.
        return partial(type(self), self._store, owns=True), ()


def _store_of(backend: Backend) -> Store | None:
    return backend._store if isinstance(backend, _StoreBackend) else None  # noqa: SLF001 - of this module


def as_async_stores(source: Store, target: Store) -> tuple[AsyncStore, AsyncStore]:
    """
    Return async stores over two sync ones; one for both, if they are one.

    Raises:
        TypeError: One of them is no sync store.
    """
    ours = as_async_store(source)
    return ours, ours if source == target else as_async_store(target)


def as_async_store(store: Store) -> AsyncStore:
    """
    Return an async store over a sync one.

    Raises:
        TypeError: *store* is none.
    """
    if not isinstance(store, Store):
        msg = f"expected a Store, got {type(store).__name__}; use remote_store_transfer.aio"
        raise TypeError(msg)
    return AsyncStore(_StoreBackend(store))


def run(work: Coroutine[Any, Any, T], *stores: AsyncStore) -> T:
    """
    Run a coroutine to its end on a loop of its own, and end the threads of the stores.

    Raises:
        RuntimeError: A loop runs in this thread already.
    """

    async def whole() -> T:
        try:
            return await work
        finally:
            for store in stores:
                await store.aclose()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    work.close()
    msg = "an event loop runs in this thread; use remote_store_transfer.aio there"
    raise RuntimeError(msg)
