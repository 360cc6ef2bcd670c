"""The async class: it moves the database's blocking work off the event loop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final

from acme_backend._database import NAME, Database
from remote_store import (
    Capability,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncWritableContent
from remote_store.aio.workers import WorkerPool
from remote_store.authoring import LeftOut, as_bytes, file_key, folder_key, target_key

_log = logging.getLogger(__name__)

_CAPABILITIES: Final = CapabilitySet(
    set(Capability) - {Capability.GLOB, Capability.LAZY_READ, Capability.SEEKABLE_READ}
)


class AcmeBackend(AsyncBackend):
    """
    Keeps files in one SQLite database.

    Args:
        database: Path of the database's file; it is made if it is missing.
        timeout: Seconds to wait while another process has it locked.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = _CAPABILITIES
    CONTRACT: ClassVar[str] = "1.0"
    close_is_terminal: ClassVar[bool] = False

    def __init__(self, database: str, timeout: float = 30.0) -> None:
        self._path = database
        self._timeout = timeout
        self._database = Database(database, timeout)
        # One thread: SQLite takes one writer at a time anyway.
        self._pool = WorkerPool("acme", 1)

    def __repr__(self) -> str:
        return f"AcmeBackend({self._path!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickles as its configuration: a worker process opens the file anew.
        return AcmeBackend, (self._path, self._timeout)

    @property
    def name(self) -> str:
        return NAME

    @property
    def capabilities(self) -> CapabilitySet:
        return _CAPABILITIES

    # Looking: `query`, which a cancellation leaves behind at once ----------

    async def exists(self, path: str) -> bool:
        return await self._pool.query(self._database.kind, folder_key(path, NAME)) is not None

    async def is_file(self, path: str) -> bool:
        return await self._pool.query(self._database.kind, folder_key(path, NAME)) == "file"

    async def is_folder(self, path: str) -> bool:
        return await self._pool.query(self._database.kind, folder_key(path, NAME)) == "folder"

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield await self.read_bytes(path)

    async def read_bytes(self, path: str) -> bytes:
        return await self._pool.query(self._database.content, file_key(path, NAME))

    async def get_file_info(self, path: str) -> FileInfo:
        return await self._pool.query(self._database.file_info, file_key(path, NAME))

    async def get_folder_info(self, path: str) -> FolderInfo:
        return await self._pool.query(self._database.folder_info, folder_key(path, NAME))

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        key, after, left_out = folder_key(path, NAME), "", LeftOut(_log, path)
        while page := await self._pool.query(self._page, key, recursive, after):
            for name, file in page:
                if file is None:
                    left_out.name(name)
                else:
                    yield file
            after = page[-1][0]

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        key, after = folder_key(path, NAME), ""
        while folder := await self._pool.query(self._next_folder, key, after):
            yield folder
            after = folder.name

    def _page(self, key: str, recursive: bool, after: str) -> list[tuple[str, FileInfo | None]]:
        return self._database.files_page(key, recursive=recursive, after=after)

    def _next_folder(self, key: str, after: str) -> FolderEntry | None:
        return self._database.next_folder(key, after=after)

    # Changing: `mutate`, which a cancellation waits for --------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        key = target_key(path, NAME)
        if not isinstance(content, bytes):
            # Refused before the caller's content is consumed.
            await self._pool.query(lambda: self._database.check_target(key, overwrite=overwrite))
            content = b"".join([as_bytes(chunk) async for chunk in content])
        body = content
        return await self._pool.mutate(
            lambda: self._database.put(key, body, overwrite=overwrite, metadata=metadata)
        )

    async def write_atomic(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        # A transaction is atomic already.
        return await self.write(path, content, overwrite=overwrite, metadata=metadata)

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        key = file_key(path, NAME)
        await self._pool.mutate(lambda: self._database.delete(key, missing_ok=missing_ok))

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        key = folder_key(path, NAME)
        await self._pool.mutate(
            lambda: self._database.delete_folder(key, recursive=recursive, missing_ok=missing_ok)
        )

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        source, target = file_key(src, NAME), target_key(dst, NAME)
        await self._pool.mutate(lambda: self._database.move(source, target, overwrite=overwrite))

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        source, target = file_key(src, NAME), target_key(dst, NAME)
        await self._pool.mutate(lambda: self._database.copy(source, target, overwrite=overwrite))

    # The rest --------------------------------------------------------------

    async def check_health(self) -> None:
        await self._pool.query(self._database.kind, "")

    async def aclose(self) -> None:
        # In the same thread, so it comes after everything that is running.
        await self._pool.mutate(self._database.close)
        self._pool.close()
