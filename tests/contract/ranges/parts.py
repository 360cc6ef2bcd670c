"""Backends of each kind, and the content of which parts are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tests.contract.probes import as_backend
from tests.contract.reference import DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Backend,
)
from remote_store.aio import SyncBackendAdapter
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

#: More than one chunk of every backend, and no two parts alike.
DATA = b"".join(b"%039d\n" % i for i in range(60_000)) + b"tail"


class Defaults(DictBackend):
    """Of the first contract: parts are read and skipped, versions asked for."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            content = await self.read_bytes(path)
            for i in range(0, len(content), 50_000):
                yield content[i : i + 50_000]

        return pieces()


ASYNC: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: AsyncMemoryBackend(),
    "local": AsyncLocalBackend,
    "default": lambda _: as_backend(Defaults()),
    "sync local": lambda root: SyncBackendAdapter(LocalBackend(root)),
    "bridges": lambda _: SyncBackendAdapter(AsyncBackendSyncAdapter(AsyncMemoryBackend())),
}


SYNC: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda _: MemoryBackend(),
    "local": LocalBackend,
    "async memory": lambda _: AsyncBackendSyncAdapter(AsyncMemoryBackend()),
    "async local": lambda root: AsyncBackendSyncAdapter(AsyncLocalBackend(root)),
    "default": lambda _: AsyncBackendSyncAdapter(as_backend(Defaults())),
}


class Metered(AsyncMemoryBackend):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int | None]] = []
        self.looks = 0

    async def get_file_info(self, path: str) -> Any:
        self.looks += 1
        return await super().get_file_info(path)

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        self.asked.append((start, length))
        yield self._part(path, start, length, if_match)
