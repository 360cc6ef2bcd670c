"""SyncBackendAdapter: nothing is left, and any number of loops may use it."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import subprocess
import sys

import pytest
from tests.sync.reference import DictBackend, Plain, as_backend
from tests.sync.to_async.probes import gone, worker_threads

from remote_store.aio import AsyncStore, SyncBackendAdapter

pytestmark = pytest.mark.asyncio


async def test_nothing_is_left(backend: DictBackend) -> None:
    """1,000 stores opened, used and closed leave no thread, task or descriptor."""
    gc.collect()  # of what tests before this one left open
    before = set(worker_threads())
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(1000):
        async with AsyncStore(as_backend(backend)) as store:
            await store.exists("z")
    await gone(lambda: set(worker_threads()) - before)
    assert backend.closed == 1000
    assert len(asyncio.all_tasks()) == 1
    assert len(os.listdir("/proc/self/fd")) <= descriptors


async def test_works_from_loop_to_loop(adapter: SyncBackendAdapter) -> None:
    """One adapter serves several loops at the same time, also after a close."""

    def other() -> bytes:
        return asyncio.run(adapter.read_bytes("z"))

    assert await asyncio.gather(*(asyncio.to_thread(other) for _ in range(4))) == [b"1"] * 4
    await adapter.aclose()
    await adapter.aclose()
    assert await adapter.read_bytes("z") == b"1"


async def test_pickles_as_its_backend() -> None:
    """An adapter is rebuilt around a copy of its backend, with threads of its own."""
    again = pickle.loads(pickle.dumps(SyncBackendAdapter(as_backend(Plain()))))
    assert await again.exists("") is True


CLOSED_LOOP = """
import asyncio, sys, threading
sys.path.insert(0, {root!r})
from tests.sync.reference import DictBackend
from remote_store.aio import SyncBackendAdapter
backend = DictBackend()
adapter = SyncBackendAdapter(backend)
async def source():
    yield b"1"
    await asyncio.sleep(3600)
loop = asyncio.new_event_loop()
task = loop.create_task(adapter.write("n", source()))
async def begun():
    while not backend.calls:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
loop.run_until_complete(begun())
{end}
for thread in threading.enumerate():
    if thread.name == "remote-store-write":
        thread.join(10)
        print("alive" if thread.is_alive() else "ended")
print(sorted(backend.files))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("end", "printed"),
    [
        # The loop is closed under a write that waits for its source.
        ("loop.close()", "ended\n[]\n"),
        # It is never run again: the thread must not keep the process.
        ("print('exit'); import os; sys.exit(0)", "exit\n"),
    ],
)
async def test_loop_that_is_gone_releases_the_thread(end: str, printed: str) -> None:
    """A write whose loop is closed fails in its thread; a loop that is left blocks no exit."""
    root = os.getcwd()
    code = CLOSED_LOOP.format(root=root, end=end)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == printed, done.stderr
    assert done.returncode == 0


ENDED_RUN = """
import asyncio
from remote_store.aio import AsyncStore, SyncBackendAdapter
from remote_store_memory import MemoryBackend
backend = MemoryBackend()
backend.write("big", bytes(20 << 20))
for number in range(2000):
    backend.write(f"d/{number}", b"")
kept = []
async def left(items):
    kept.append(items)
    async for _ in items:
        return
async def cancelled(items):
    async def work():
        async for _ in items:
            await asyncio.sleep(3600)
    task = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    kept.append(task)
for end in (left, cancelled):
    for target in (SyncBackendAdapter(backend), AsyncStore(backend)):
        asyncio.run(end(target.read("big")))
        asyncio.run(end(target.list_files("d")))
        kept.clear()
print("done")
"""


async def test_run_that_ends_in_the_middle_is_quiet() -> None:
    """A loop that ends while a read or a listing is being iterated over reports nothing."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-X", "dev", "-W", "error", "-c", ENDED_RUN],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
