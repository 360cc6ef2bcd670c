"""Run in a fresh process: print by how many MiB the peak memory grows while content streams."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from tests.sync.reference import DictBackend, Flow, as_backend
from tests.sync.to_sync.scripted import scripted

from remote_store import AsyncBackendSyncAdapter, Store
from remote_store.aio import AsyncStore, SyncBackendAdapter

CHUNK = bytes(1 << 16)


def peak() -> int:
    """Peak resident memory in KiB; unlike ru_maxrss it is not the parent's."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


class Sink(DictBackend):
    """Reads nothing but zeros, and forgets what is written."""

    size = 0
    gather = False

    def read(self, path: str) -> Any:
        return Flow(self.size)

    def write(self, path: str, content: Any, **options: Any) -> Any:
        if self.gather:
            content = io.BytesIO(content.read())
        while content.read(1 << 16):
            pass

    write_atomic = write


async def flow(size: int) -> AsyncIterator[bytes]:
    for _ in range(size >> 16):
        yield bytes(CHUNK)


def to_async(size: int, write: bool, gather: bool) -> None:
    backend = Sink()
    backend.size, backend.gather = size, gather
    adapter = SyncBackendAdapter(as_backend(backend))

    async def run() -> None:
        if write:
            await adapter.write("x", flow(size))
            return
        chunks = AsyncStore(adapter).read("x")
        if gather:
            _ = [chunk async for chunk in chunks]
        async for _chunk in chunks:
            pass

    asyncio.run(run())


def to_sync(size: int, write: bool, gather: bool) -> None:
    async def sink(path: str, content: AsyncIterator[bytes], **options: Any) -> None:
        if gather:
            _ = [chunk async for chunk in content]
        async for _chunk in content:
            pass

    backend = scripted(read=lambda path: flow(size), write=sink)
    with AsyncBackendSyncAdapter(backend) as adapter:
        if write:
            adapter.write("x", cast("Any", Flow(size)))
            return
        with Store(adapter, owns_backend=False).read("x") as stream:
            if gather:
                stream.read()
            while stream.read(1 << 16):
                pass


CASES: dict[str, Callable[[int, bool, bool], None]] = {"async": to_async, "sync": to_sync}

if __name__ == "__main__":
    _, bridge, direction, kind = sys.argv
    run = CASES[bridge]
    run(8 << 20, direction == "write", kind == "gather")
    before = peak()
    run(256 << 20, direction == "write", kind == "gather")
    print((peak() - before) / 1024)
