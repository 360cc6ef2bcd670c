"""A backend that inherits nothing: accepted when it is complete, refused when it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from remote_store import (
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemoteStoreError,
    ResolutionPlan,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncStore, AsyncWritableContent

T = TypeVar("T")


class Complete:
    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def capabilities(self) -> CapabilitySet:
        raise NotImplementedError

    async def exists(self, path: str) -> bool:
        raise NotImplementedError

    async def is_file(self, path: str) -> bool:
        raise NotImplementedError

    async def is_folder(self, path: str) -> bool:
        raise NotImplementedError

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield b""

    async def read_bytes(self, path: str) -> bytes:
        raise NotImplementedError

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        raise NotImplementedError

    async def write_atomic(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        raise NotImplementedError

    async def delete(self, path: str, *, missing_ok: bool = False) -> None: ...

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None: ...

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        raise NotImplementedError
        yield

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        raise NotImplementedError
        yield

    async def get_file_info(self, path: str) -> FileInfo:
        raise NotImplementedError

    async def get_folder_info(self, path: str) -> FolderInfo:
        raise NotImplementedError

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None: ...

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None: ...

    async def iter_children(self, path: str) -> AsyncIterator[FileInfo | FolderEntry]:
        raise NotImplementedError
        yield

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        raise NotImplementedError
        yield

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        raise NotImplementedError
        yield

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        raise NotImplementedError

    async def create_folder(self, path: str) -> None: ...

    async def copy_from(
        self,
        source: AsyncBackend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        raise NotImplementedError

    async def copy_many_from(
        self, source: AsyncBackend, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        raise NotImplementedError

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        raise NotImplementedError

    async def aclose(self) -> None: ...

    async def check_health(self) -> None: ...

    def resolve(self, path: str) -> ResolutionPlan:
        raise NotImplementedError

    def unwrap(self, type_hint: type[T]) -> T:
        raise NotImplementedError

    def native_path(self, path: str) -> str:
        raise NotImplementedError

    def to_key(self, native_path: str) -> str:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class SyncExists(Complete):
    def exists(self, path: str) -> bool:  # type: ignore[override]
        raise NotImplementedError


class ReadsText(Complete):
    async def read_bytes(self, path: str) -> str:  # type: ignore[override]
        raise NotImplementedError


class PositionalOverwrite(Complete):
    async def move(self, src: str, dst: str) -> None:  # type: ignore[override]
        raise NotImplementedError


class ListsCoroutine(Complete):
    async def list_folders(self, path: str) -> list[FolderEntry]:  # type: ignore[override]
        raise NotImplementedError


class NoBackend:
    name = "none"


accepted: AsyncBackend = Complete()
AsyncStore(Complete())

sync: AsyncBackend = SyncExists()  # expect-error: exists must be a coroutine function
text: AsyncBackend = ReadsText()  # expect-error: content is bytes
move: AsyncBackend = PositionalOverwrite()  # expect-error: overwrite is missing
folders: AsyncBackend = ListsCoroutine()  # expect-error: an iterator, not a coroutine
AsyncStore(NoBackend())  # expect-error: nothing of a backend is there
AsyncStore("local:///srv/data")  # expect-error: a URL needs open_store
