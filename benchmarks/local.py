"""
Local files side by side with rivals: small operations and streams, as ratios.

Each contestant runs in an interpreter of its own, in turns, so that a busy
machine hurts all alike; each figure is the median of the turns. Run::

    python benchmarks/local.py --rival-python PATH [--rounds 5] [--folder DIR]

where PATH is an interpreter with ``remote-store`` and ``obstore`` installed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

SMALL = b"x" * 1000
CALLS = 320
STREAM = 1 << 30
BLOCK = 1 << 20

Operation = Callable[[int], Awaitable[object]]


def store_operations(folder: str, *, rival: bool) -> tuple[dict[str, Operation], Any]:
    """Return the operations of a store: the rival's or ours."""
    from remote_store.aio import AsyncStore

    if rival:
        backends = importlib.import_module("remote_store.backends")
        store: Any = AsyncStore(backends.LocalBackend(folder))
    else:
        from remote_store_local import AsyncLocalBackend

        store = AsyncStore(AsyncLocalBackend(folder))
    return {
        "write": lambda n: store.write(f"a/{n}", SMALL),
        "exists": lambda n: store.exists(f"a/{n}"),
        "info": lambda n: store.get_file_info(f"a/{n}"),
        "read": lambda n: store.read_bytes(f"a/{n}"),
        "copy": lambda n: store.copy(f"a/{n}", f"c/{n}"),
        "move": lambda n: store.move(f"c/{n}", f"m/{n}"),
        "overwrite": lambda n: store.write(f"a/{n}", SMALL, overwrite=True),
        "delete": lambda n: store.delete(f"a/{n}"),
    }, store


def obstore_operations(folder: str) -> dict[str, Operation]:
    """Return the operations of obstore's LocalStore."""
    import obstore  # type: ignore[import-not-found]
    from obstore.store import LocalStore  # type: ignore[import-not-found]

    store = LocalStore(folder, mkdir=True)

    async def read(n: int) -> object:
        return await (await obstore.get_async(store, f"a/{n}")).bytes_async()

    async def call(future: Any) -> object:
        return await future

    return {
        "write": lambda n: call(obstore.put_async(store, f"a/{n}", SMALL, mode="create")),
        "exists": lambda n: call(obstore.head_async(store, f"a/{n}")),
        "info": lambda n: call(obstore.head_async(store, f"a/{n}")),
        "read": read,
        "copy": lambda n: call(obstore.copy_async(store, f"a/{n}", f"c/{n}", overwrite=False)),
        "move": lambda n: call(obstore.rename_async(store, f"c/{n}", f"m/{n}", overwrite=False)),
        "overwrite": lambda n: call(obstore.put_async(store, f"a/{n}", SMALL)),
        "delete": lambda n: call(obstore.delete_async(store, f"a/{n}")),
    }


def bare_hop() -> Operation:
    """Return the least that a call can cost which goes to a thread at all."""
    from remote_store.aio.workers import WorkerPool

    pool = WorkerPool("bare-hop", 16)
    return lambda _: pool.query(int)


async def small(operations: dict[str, Operation], width: int) -> dict[str, float]:
    """Return microseconds for each call, *width* of them in flight."""
    result = {}
    for name, operation in operations.items():
        started = time.perf_counter()
        for first in range(0, CALLS, width):
            calls = (operation(n) for n in range(first, first + width))
            if width == 1:
                await next(calls)
            else:
                await asyncio.gather(*calls)
        result[f"{name} x{width}"] = (time.perf_counter() - started) / CALLS * 1e6
    return result


async def blocks(size: int) -> AsyncIterator[bytes]:
    """Yield *size* bytes in blocks."""
    block = bytes(BLOCK)
    for _ in range(size // BLOCK):
        yield block


async def streams(store: Any, folder: str, size: int, *, rival: bool) -> dict[str, float]:
    """Return seconds for a streamed write and read, and for the floor of the same work."""
    result = {}

    async def timed(name: str, call: Awaitable[object]) -> None:
        started = time.perf_counter()
        await call
        result[name] = time.perf_counter() - started

    async def drain() -> None:
        async for _ in store.read("big"):
            pass

    await timed("stream write", store.write("big", blocks(size)))
    await timed("stream read", drain())
    await timed("stream read", drain())
    if not rival:
        loop = asyncio.get_running_loop()

        async def bare_write() -> None:
            with io.FileIO(os.path.join(folder, "bare"), "xb") as file:
                async for block in blocks(size):
                    await loop.run_in_executor(None, file.write, block)

        async def bare_read() -> None:
            with io.FileIO(os.path.join(folder, "big"), "rb") as file:
                while await loop.run_in_executor(None, file.read, BLOCK):
                    pass

        await timed("bare hop write", bare_write())
        await timed("bare hop read", bare_read())
        await timed("bare hop read", bare_read())
    return result


async def contest(who: str, folder: str, size: int) -> dict[str, float]:
    """Run one contestant once."""
    result: dict[str, float] = {}
    for width in (1, 16):
        below = os.path.join(folder, str(width))
        os.mkdir(below)
        if who == "obstore":
            operations, store = obstore_operations(below), None
        else:
            operations, store = store_operations(below, rival=who != "ours")
        if who == "ours" and width == 1:
            operations = {"bare hop": bare_hop(), **operations}
        result |= await small(operations, width)
        if store is not None and width == 1 and size:
            result |= await streams(store, below, size, rival=who != "ours")
    return result


def child(who: str, folder: str, size: int) -> None:
    """Run in the contestant's interpreter."""
    print(json.dumps(asyncio.run(contest(who, folder, size))))


def turn(who: str, interpreter: str, where: str | None, stream_mib: int) -> dict[str, float]:
    """Run one contestant in a process of its own; one that crashes gets another try."""
    for _ in range(3):
        folder = tempfile.mkdtemp(dir=where)
        command = [interpreter, __file__, "--stream-mib", str(stream_mib), "--child", who, folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            shutil.rmtree(folder)
        if done.returncode == 0:
            result: dict[str, float] = json.loads(done.stdout)
            return result
        print(f"{who} ended with {done.returncode}", done.stderr[-300:], file=sys.stderr)
        if done.returncode > 0:  # not a signal
            break
    msg = f"{who} cannot be measured"
    raise SystemExit(msg)


def main() -> None:
    """Let the contestants take turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rival-python", help="interpreter with remote-store and obstore")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to put the files; default: temporary files")
    parser.add_argument("--stream-mib", type=int, default=STREAM >> 20)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = options.stream_mib << 20
    if options.child:
        who, folder = options.child
        child(who, folder, size)
        return
    python = {"ours": sys.executable}
    if options.rival_python:
        python |= {"remote-store": options.rival_python, "obstore": options.rival_python}
    turns: dict[str, list[dict[str, float]]] = {who: [] for who in python}
    for _ in range(options.rounds):
        for who, interpreter in python.items():
            turns[who].append(turn(who, interpreter, options.folder, options.stream_mib))
    report(turns)


def report(turns: dict[str, list[dict[str, float]]]) -> None:
    """Print medians: microseconds for calls, seconds for streams, and ratios to ours."""
    medians = {
        who: {name: statistics.median(turn[name] for turn in runs) for name in runs[0]}
        for who, runs in turns.items()
    }
    ours = medians["ours"]
    print(f"{'':16}" + "".join(f"{who:>14}{'':>8}" for who in medians))
    for name, value in ours.items():
        line = f"{name:16}"
        for found in medians.values():
            if name in found:
                line += f"{found[name]:14.2f}{found[name] / value:7.2f}x"
            else:
                line += f"{'-':>14}{'':>8}"
        print(line)
    for kind in ("read", "write"):
        if f"bare hop {kind}" in ours:
            share = ours[f"bare hop {kind}"] / ours[f"stream {kind}"]
            print(f"stream {kind}: {share:.0%} of the speed of a bare run_in_executor loop")


if __name__ == "__main__":
    main()
