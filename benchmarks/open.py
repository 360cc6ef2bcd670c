"""
Reading through `open` beside `read`, in order and here and there, as ratios.

The two take turns, so that a busy machine hurts both alike; each figure is the
median of the turns, of the time that passed and of the processor time of this process.
Azurite and moto run for it, where `make` installed them. Run::

    PYTHONPATH=. python -P benchmarks/open.py [--rounds 7] [--mib 64] [STORE ...]

where STORE is memory, local, azurite or moto.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from remote_store import AsyncBackendSyncAdapter, Store
from remote_store.aio import AsyncBackend, AsyncStore

MIB = 1 << 20


@contextlib.contextmanager
def backends(names: list[str]) -> Iterator[dict[str, Callable[[], AsyncBackend]]]:
    """Yield what makes a backend of each name, its server running."""
    with contextlib.ExitStack() as stack:
        made: dict[str, Callable[[], AsyncBackend]] = {}
        if "memory" in names:
            from remote_store_memory import AsyncMemoryBackend

            made["memory"] = AsyncMemoryBackend
        if "local" in names:
            from remote_store_local import AsyncLocalBackend

            folder = stack.enter_context(tempfile.TemporaryDirectory())
            made["local"] = lambda: AsyncLocalBackend(folder)
        if "azurite" in names:
            made["azurite"] = _azurite(stack)
        if "moto" in names:
            made["moto"] = _moto(stack)
        yield made


def _azurite(stack: contextlib.ExitStack) -> Callable[[], AsyncBackend]:
    from azure.storage.blob import BlobServiceClient
    from tests.azure import azurite

    from remote_store_azure import AsyncAzureBackend

    server = stack.enter_context(azurite.running())
    name, account = f"open{os.getpid()}", server.connection_string
    client = BlobServiceClient.from_connection_string(account, api_version="2024-11-04")
    client.create_container(name)
    stack.callback(client.delete_container, name)
    return lambda: AsyncAzureBackend(
        name, connection_string=account, client_options={"api_version": "2024-11-04"}
    )


def _moto(stack: contextlib.ExitStack) -> Callable[[], AsyncBackend]:
    from tests.s3 import moto

    from remote_store_s3 import AsyncS3Backend

    server = stack.enter_context(moto.running())
    server.make_bucket("open")
    return lambda: AsyncS3Backend("open", **server.options)


async def read(store: AsyncStore) -> int:
    size = 0
    async for chunk in store.read("f"):
        size += len(chunk)
    return size


async def read_open(store: AsyncStore) -> int:
    size = 0
    async with store.open("f") as file:
        while chunk := await file.read(MIB):
            size += len(chunk)
    return size


def sync_read(store: Store) -> int:
    with store.read("f") as file:
        return _drained(file)


def sync_open(store: Store) -> int:
    with store.open("f") as file:
        return _drained(file)


def _drained(file: Any) -> int:
    size = 0
    while chunk := file.read(MIB):
        size += len(chunk)
    return size


Seconds = tuple[float, float]


async def _timed(call: Callable[[], Awaitable[int]], expected: int) -> Seconds:
    start = time.perf_counter(), time.process_time()
    assert await call() == expected
    return time.perf_counter() - start[0], time.process_time() - start[1]


async def compared(
    one: Callable[[], Awaitable[int]], other: Callable[[], Awaitable[int]], size: int, rounds: int
) -> list[Seconds]:
    """Return the median seconds of each: those that passed, and those of the processor."""
    times: tuple[list[Seconds], list[Seconds]] = ([], [])
    for _ in range(rounds):
        for call, found in zip((one, other), times, strict=True):
            found.append(await _timed(call, size))
    wall, busy = ([statistics.median(t[i] for t in found) for found in times] for i in (0, 1))
    return list(zip(wall, busy, strict=True))


async def measure(name: str, make: Callable[[], AsyncBackend], size: int, rounds: int) -> None:
    """Print the line of one store, async and through the bridge."""

    async def content() -> AsyncIterator[bytes]:
        piece = os.urandom(MIB)
        for _ in range(size // MIB):
            yield piece

    backend = make()
    async with AsyncStore(backend) as store:
        await store.write("f", content(), overwrite=True)
        plain, opened = await compared(lambda: read(store), lambda: read_open(store), size, rounds)
        show(f"{name}, async", size, plain, opened)
        if name == "memory":
            return
    with Store(AsyncBackendSyncAdapter(make())) as sync:
        plain, opened = await compared(
            lambda: asyncio.to_thread(sync_read, sync),
            lambda: asyncio.to_thread(sync_open, sync),
            size,
            rounds,
        )
        show(f"{name}, sync", size, plain, opened)


def show(name: str, size: int, plain: Seconds, opened: Seconds) -> None:
    """Print one line."""
    rates = [f"{size / MIB / seconds[0]:6.0f} MiB/s" for seconds in (plain, opened)]
    passed, busy = (plain[i] / opened[i] for i in (0, 1))
    print(
        f"{name:15} read {rates[0]}  open {rates[1]}  open/read {passed:5.2f}, "
        f"of processor time {busy:5.2f} ({plain[1] * 1e3:.0f} and {opened[1] * 1e3:.0f} ms)"
    )


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", metavar="STORE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=64)
    given = parser.parse_args()
    with backends(given.stores or ["memory", "local", "azurite", "moto"]) as made:
        for name, make in made.items():
            asyncio.run(measure(name, make, given.mib * MIB, given.rounds))


if __name__ == "__main__":
    main()
