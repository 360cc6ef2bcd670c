"""SyncBackendAdapter: a cancelled change is waited for, a cancelled look is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sync.reference import DictBackend, Flow
from tests.sync.to_async.probes import gone, worker_threads

from remote_store._bridge.push_content import ContentAbandoned
from remote_store.aio import AsyncStore, SyncBackendAdapter

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "name", ["write", "write_atomic", "delete", "move", "copy", "delete_folder"]
)
async def test_cancelled_change_waits_for_its_thread(
    adapter: SyncBackendAdapter, backend: DictBackend, name: str
) -> None:
    """CancelledError comes when the thread is done, so nothing changes afterwards (CANCEL-003)."""
    begun, release, done = threading.Event(), threading.Event(), threading.Event()
    real = getattr(backend, name)

    def slow(*args: Any, **options: Any) -> Any:
        begun.set()
        assert release.wait(30)
        try:
            return real(*args, **options)
        finally:
            done.set()

    setattr(backend, name, slow)
    arguments: dict[str, tuple[Any, ...]] = {
        "write": ("n", b"1"),
        "write_atomic": ("n", b"1"),
        "delete": ("z",),
        "move": ("z", "n"),
        "copy": ("z", "n"),
        "delete_folder": ("a",),
    }
    task = asyncio.create_task(getattr(adapter, name)(*arguments[name]))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


@pytest.mark.parametrize("where", ["source", "backend"])
async def test_cancelled_stream_fails_in_the_backend(
    adapter: SyncBackendAdapter, backend: DictBackend, where: str
) -> None:
    """Cancelled while the source or the backend works: the next read fails, nothing is written."""
    backend.files["n"] = b"old"
    reached = threading.Event()
    release = threading.Event()
    closed: list[bool] = []
    ended: list[BaseException] = []

    async def source() -> AsyncIterator[bytes]:
        try:
            yield b"1"
            if where == "source":
                reached.set()
                await asyncio.sleep(30)
            for _ in range(1 << 20):
                yield bytes(1 << 20)
        finally:
            closed.append(True)

    real = backend.write

    def write(path: str, content: Any, **options: Any) -> Any:
        try:
            content.read(1)
            if where == "backend":
                reached.set()
                release.wait(30)
            return real(path, content, **options)
        except BaseException as error:
            ended.append(error)
            with pytest.raises(ContentAbandoned):
                content.read(1)  # who reads on hears it again
            raise

    backend.write = write  # type: ignore[method-assign]
    task = asyncio.create_task(AsyncStore(adapter).write("n", source(), overwrite=True))
    await asyncio.to_thread(reached.wait)
    task.cancel()
    if where == "backend":
        await asyncio.sleep(0.05)
        assert not task.done()
        release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(ended[0], ContentAbandoned)
    assert closed == [True]
    assert backend.files["n"] == b"old"
    await gone(lambda: [t for t in worker_threads() if t.name == "remote-store-write"])


async def test_cancelled_query_is_left_behind(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """A call that changes nothing is abandoned at once (CANCEL-004)."""
    release = threading.Event()
    backend.on_call = lambda name: release.wait(30)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await adapter.exists("z")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(adapter.read("z"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(adapter.list_files(""))
    finally:
        release.set()
    # The read that was opened after all is closed by the thread that opened it.
    await gone(lambda: not backend.streams or not backend.streams[0].closed)


async def test_stream_that_is_thrown_away(
    adapter: SyncBackendAdapter, backend: DictBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A coroutine that nobody awaits any more ends its thread and closes the source, quietly."""
    closed: list[bool] = []
    ended: list[BaseException] = []
    release = threading.Event()
    real = backend.write

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(1 << 20)
        finally:
            closed.append(True)

    def write(path: str, content: Any, **options: Any) -> Any:
        try:
            content.read(1)
            assert release.wait(30)
            return real(path, content, **options)
        except BaseException as error:
            ended.append(error)
            raise

    backend.write = write  # type: ignore[method-assign]
    coroutine = AsyncStore(adapter).write("n", source())
    # Driven by hand: it waits, is asked for a chunk, gives it and waits again.
    asked: Any = coroutine.send(None)
    await gone(lambda: not asked.done())
    coroutine.send(None)
    coroutine.close()
    assert closed == [True]
    release.set()
    await gone(lambda: [t for t in worker_threads() if t.name == "remote-store-write"])
    assert [type(error) for error in ended] == [ContentAbandoned]
    assert "n" not in backend.files
    await asyncio.sleep(0)
    ended.clear()  # its traceback holds the future that must not complain
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("ticks", range(12))
async def test_read_that_is_cancelled_at_any_step(
    adapter: SyncBackendAdapter, backend: DictBackend, ticks: int
) -> None:
    """Whenever it is cancelled, also as the opened stream arrives, the stream is closed."""
    streams: list[Flow] = []

    def read(path: str) -> Any:
        streams.append(Flow(9 << 20))
        return streams[-1]

    backend.read = read  # type: ignore[method-assign]

    async def consume() -> None:
        async for _ in adapter.read("z"):
            pass

    for waits in (0, 0.001):
        task = asyncio.create_task(consume())
        for _ in range(ticks):
            await asyncio.sleep(waits)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await gone(lambda: [stream for stream in streams if not stream.closed])
    await gone(lambda: len(asyncio.all_tasks()) > 1)
