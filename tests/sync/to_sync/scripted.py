"""An async backend whose members are replaced, and an iterator that takes notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from remote_store import (
    AsyncBackendSyncAdapter,
)
from remote_store.aio import AsyncBackend
from remote_store_memory import AsyncMemoryBackend


class Scripted:
    """Memory, with any member replaced; an async backend by its members alone."""

    def __init__(self, **members: Any) -> None:
        self._inner = AsyncMemoryBackend()
        self._members = members

    def __getattr__(self, name: str) -> Any:
        if name in self._members:
            return self._members[name]
        if name in ("glob", "sync_safe_unwrap", "_members"):
            raise AttributeError(name)
        return getattr(self._inner, name)


def scripted(**members: Any) -> AsyncBackend:
    return cast("AsyncBackend", Scripted(**members))


def opened(**members: Any) -> AsyncBackendSyncAdapter:
    return AsyncBackendSyncAdapter(scripted(**members))


class Chunks:
    """An async iterator over chunks and errors that remembers what was done to it."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)
        self.pulled = 0
        self.closed = 0
        self.running = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.running += 1
        assert self.running == 1
        await asyncio.sleep(0)
        self.running -= 1
        if not self.items:
            raise StopAsyncIteration
        self.pulled += 1
        item = self.items.pop(0)
        if isinstance(item, BaseException):
            raise item
        return cast("bytes", item)

    async def aclose(self) -> None:
        self.closed += 1


def reading(chunks: Chunks) -> AsyncBackendSyncAdapter:
    return opened(read=lambda path: chunks)
