"""
What the façade adds to a backend's own call, and what importing it costs.

Usage: python benchmarks/facade.py [--rounds 7]

Prints, for each operation, the minimum over interleaved rounds: the bare call
of a backend over a dict, the same through AsyncStore, and the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from remote_store import Capability, CapabilitySet, FileInfo, RemotePath, WriteResult
from remote_store.aio import AsyncBackend, AsyncStore

NOW = datetime.now(UTC)
CALLS = 5_000


class DictBackend:
    """The least that a backend can do."""

    name = "dict"
    capabilities = CapabilitySet(Capability)

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def exists(self, path: str) -> bool:
        return path in self.files

    is_file = is_folder = exists

    async def read_bytes(self, path: str) -> bytes:
        return self.files[path]

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield self.files[path]

    async def write(self, path: str, content: Any, **options: Any) -> WriteResult:
        self.files[path] = content
        return WriteResult(RemotePath(path), len(content))

    async def get_file_info(self, path: str) -> FileInfo:
        return FileInfo(RemotePath(path), path.rpartition("/")[2], len(self.files[path]), NOW)

    async def list_files(self, path: str, **options: Any) -> AsyncIterator[FileInfo]:
        for key, content in self.files.items():
            yield FileInfo(RemotePath(key), key.rpartition("/")[2], len(content), NOW)

    async def list_folders(self, path: str) -> AsyncIterator[Any]:
        for _ in ():
            yield

    write_atomic = write
    delete = delete_folder = get_folder_info = move = copy = exists


async def seconds(call: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    for _ in range(CALLS):
        await call()
    return (time.perf_counter() - start) / CALLS


def calls(target: AsyncBackend | AsyncStore) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return the operations to time."""
    path = "data/part-0001.bin"
    return {
        "write": lambda: target.write(path, b"x" * 100, overwrite=True),
        "read_bytes": lambda: target.read_bytes(path),
        "exists": lambda: target.exists(path),
        "get_file_info": lambda: target.get_file_info(path),
    }


async def facade(rounds: int) -> None:
    """Time the calls, in turn, and print what the façade adds."""
    backend: Any = DictBackend()
    backend.files = dict.fromkeys(("data/part-0001.bin", "root/data/part-0001.bin"), b"x")
    kinds = {
        "bare": calls(backend),
        "store": calls(AsyncStore(backend)),
        "rooted": calls(AsyncStore(backend, "root")),
    }
    best: dict[tuple[str, str], float] = {}
    for _ in range(rounds):
        for kind, operations in kinds.items():
            for name, call in operations.items():
                taken = await seconds(call)
                best[kind, name] = min(taken, best.get((kind, name), taken))
    print(f"{'microseconds':<16}{'bare':>8}{'store':>8}{'added':>8}{'with root':>12}")
    for name in kinds["bare"]:
        bare, store, rooted = (best[kind, name] * 1e6 for kind in kinds)
        print(f"{name:<16}{bare:>8.2f}{store:>8.2f}{store - bare:>8.2f}{rooted:>12.2f}")


def imports(rounds: int) -> None:
    """Print the time of importing the core over that of what it imports."""
    best: dict[str, float] = {}
    # Installed packages have bytecode beside them; here it goes to a folder of its own.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = tempfile.gettempdir() + "/remote-store-pycache"
    for _ in range(rounds + 1):
        for statement in ("import asyncio, attrs, pluggy", "import remote_store.aio"):
            code = (
                f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter()-t)"
            )
            run = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, check=True
            )
            taken = float(run.stdout)
            best[statement] = min(taken, best.get(statement, taken))
    base, core = best.values()
    print(f"\n{base * 1e3:.1f} ms import asyncio, attrs, pluggy")
    print(f"{core * 1e3:.1f} ms import remote_store.aio: {core / base:.2f} times as much")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    asyncio.run(facade(arguments.rounds))
    imports(arguments.rounds)
