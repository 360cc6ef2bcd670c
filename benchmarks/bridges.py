"""
What the two bridges cost, each beside the least that the same work can cost.

usage: python benchmarks/bridges.py [--rival PYTHON]

PYTHON is an interpreter with remote-store installed, for the same streaming
read there. Ratios are of the best of several interleaved rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from remote_store import AsyncBackendSyncAdapter, Store
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

SIZE = 256 << 20
CALLS = 3000
ENTRIES = 20_000

RIVAL = """
import asyncio, sys, time
from remote_store.aio import SyncBackendAdapter
from remote_store.backends import LocalBackend
async def main():
    best = 1e9
    adapter = SyncBackendAdapter(LocalBackend(sys.argv[1]))
    for _ in range(5):
        start, total = time.perf_counter(), 0
        async for chunk in adapter.read("big"):
            total += len(chunk)
        assert total == int(sys.argv[2])
        best = min(best, time.perf_counter() - start)
    print(best)
asyncio.run(main())
"""


def best(rounds: int, **work: Callable[[], None]) -> dict[str, float]:
    """Return the least seconds of each, taking turns."""
    least = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            least[name] = min(least[name], time.perf_counter() - start)
    return least


def show_calls(least: dict[str, float]) -> None:
    """Print what one call of each took."""
    for name, seconds in least.items():
        print(f"{name:30} {seconds / CALLS * 1e6:8.1f} us a call")


def calls() -> None:
    """Time a call through AsyncBackendSyncAdapter and a bare round trip to the same loop."""
    backend = AsyncMemoryBackend()
    with AsyncBackendSyncAdapter(backend) as adapter:
        loop = adapter._loop  # noqa: SLF001 - the same loop for both

        def bare() -> None:
            for _ in range(CALLS):
                asyncio.run_coroutine_threadsafe(backend.exists("x"), loop).result()

        def bridged() -> None:
            for _ in range(CALLS):
                adapter.exists("x")

        least = best(9, bare=bare, bridged=bridged)
    show_calls(least)
    print(f"{'ratio (goal: at most 1.3)':30} {least['bridged'] / least['bare']:8.2f}")


def hops() -> None:
    """Time a call through SyncBackendAdapter and a bare hop to an executor's thread."""
    backend = MemoryBackend()
    adapter = SyncBackendAdapter(backend)

    async def bare() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CALLS):
            await loop.run_in_executor(pool, backend.exists, "x")

    async def bridged() -> None:
        for _ in range(CALLS):
            await adapter.exists("x")

    with ThreadPoolExecutor(1) as pool:
        rows = {"bare": lambda: asyncio.run(bare()), "bridged": lambda: asyncio.run(bridged())}
        least = best(9, **rows)
    asyncio.run(adapter.aclose())
    show_calls(least)
    print(f"{'ratio':30} {least['bridged'] / least['bare']:8.2f}")


def listings() -> None:
    """Time a sync listing of an async backend, and the same listing of the async store."""
    backend = AsyncMemoryBackend()

    async def fill() -> None:
        for number in range(ENTRIES):
            await backend.write(f"d/{number}", b"")

    async def async_store() -> None:
        async for _ in AsyncStore(backend).list_files("d"):
            pass

    asyncio.run(fill())
    with AsyncBackendSyncAdapter(backend) as adapter:

        def sync_store() -> None:
            for _ in Store(adapter).list_files("d"):
                pass

        rows = {"async store": lambda: asyncio.run(async_store()), "sync store": sync_store}
        least = best(9, **rows)
    for name, seconds in least.items():
        print(f"{name:30} {seconds / ENTRIES * 1e6:8.2f} us an entry")
    print(f"{'ratio (goal: at most 2)':30} {least['sync store'] / least['async store']:8.2f}")


def streaming(rival: str | None) -> None:
    """Time a plain loop over a file, the async local backend, and the sync one behind a bridge."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "big").open("wb") as file:
            for _ in range(SIZE >> 20):
                file.write(bytes(1 << 20))

        def plain() -> None:
            with (folder / "big").open("rb") as file:
                while file.read(1 << 20):
                    pass

        async def read(backend: AsyncBackend) -> None:
            total = 0
            async for chunk in backend.read("big"):
                total += len(chunk)
            assert total == SIZE
            await backend.aclose()

        least = best(
            7,
            plain=plain,
            native=lambda: asyncio.run(read(AsyncLocalBackend(folder))),
            bridged=lambda: asyncio.run(read(SyncBackendAdapter(LocalBackend(folder)))),
        )
        if rival:
            done = subprocess.run(
                [rival, "-c", RIVAL, name, str(SIZE)], capture_output=True, text=True, check=True
            )
            least["rival"] = float(done.stdout)
    for label, seconds in least.items():
        print(f"{label:30} {SIZE / seconds / (1 << 20):8.0f} MiB/s")
    if rival:
        print(f"{'times rival (goal: 5)':30} {least['rival'] / least['bridged']:8.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rival", help="interpreter with remote-store installed")
    options = parser.parse_args()
    print(f"AsyncBackendSyncAdapter over memory, Python {sys.version.split()[0]}")
    calls()
    listings()
    print("SyncBackendAdapter over memory")
    hops()
    print(f"SyncBackendAdapter over local, reading {SIZE >> 20} MiB")
    streaming(options.rival)
