"""SyncBackendAdapter: streams cross in hops, listings in pages, and both are closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from tests.sync.reference import DictBackend, Flow, as_backend
from tests.sync.to_async.probes import gone

from remote_store import UNKNOWN_TIME, FileInfo, RemotePath
from remote_store.aio import AsyncStore, SyncBackendAdapter

pytestmark = pytest.mark.asyncio


async def test_read_hops(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """A read crosses in steps of 2 MiB, whatever the stream hands out at once."""

    class Trickle(Flow):
        def readinto(self, buffer: Any, /) -> int:
            return super().readinto(memoryview(buffer)[:10_000])

    for stream in (Flow(3_500_000), Trickle(3_500_000)):
        backend.read = lambda path, stream=stream: stream  # type: ignore[method-assign, misc]
        sizes = [len(chunk) async for chunk in adapter.read("z")]
        assert sum(sizes) == 3_500_000
        assert len(sizes) == 2
        assert stream.closed


async def test_small_file_is_one_hop(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """Opening, reading and closing a small file takes one visit to a thread."""
    hops: list[str] = []
    query = adapter._calls.pool.query
    adapter._calls.pool = Counting(query, hops)  # type: ignore[assignment]
    assert [c async for c in adapter.read("z")] == [b"1"]
    assert len(hops) == 1
    assert backend.streams[0].closed


class Counting:
    def __init__(self, query: Any, hops: list[str]) -> None:
        self._query = query
        self._hops = hops

    async def query(self, function: Any, *args: Any) -> Any:
        self._hops.append("query")
        return await self._query(function, *args)


@pytest.mark.parametrize("how", ["aclose", "cancel", "error", "exhausted"])
async def test_stream_is_closed_in_a_thread(
    adapter: SyncBackendAdapter, backend: DictBackend, how: str
) -> None:
    """However a read ends, its stream is closed, and never on the loop's thread (READ-007)."""
    stream = Flow(9 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    chunks = adapter.read("z")
    await anext(chunks)
    await gone(lambda: stream.left > 5 << 20)  # the next hop is fetched ahead
    if how == "aclose":
        await chunks.aclose()
        assert stream.closed
    elif how == "exhausted":
        assert sum([len(c) async for c in chunks]) == 7 << 20
        assert stream.closed
    elif how == "error":
        stream.readinto = lambda buffer: 1 // 0  # type: ignore[method-assign]
        with pytest.raises(ZeroDivisionError):
            [c async for c in chunks]
        assert stream.closed
    else:
        begun, release = threading.Event(), threading.Event()

        def slow(buffer: Any) -> int:
            begun.set()
            release.wait(30)
            return 0

        stream.readinto = slow  # type: ignore[method-assign]
        await anext(chunks)
        task = asyncio.ensure_future(anext(chunks))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not stream.closed
        release.set()
        await gone(lambda: not stream.closed)
    assert stream.closer is not threading.main_thread()


async def test_chunks_before_an_error_arrive(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """Entries that were listed before an error are yielded before it is raised."""

    def broken(path: str, **options: Any) -> Iterator[str]:
        yield "a"
        yield "b"
        raise PermissionError

    backend.list_files = broken  # type: ignore[method-assign, assignment]
    items: Any = adapter.list_files("")
    assert [await anext(items), await anext(items)] == ["a", "b"]
    with pytest.raises(PermissionError):
        await anext(items)


@pytest.mark.parametrize("name", ["list_files", "list_folders", "iter_children", "glob"])
async def test_listing_is_incremental_and_closed(
    adapter: SyncBackendAdapter, backend: DictBackend, name: str
) -> None:
    """A listing of a million entries yields its first after a page, and is closed when left."""
    made = 0
    closed_in = []

    def endless(path: str, **options: Any) -> Iterator[int]:
        nonlocal made
        try:
            while made < 1_000_000:
                made += 1
                yield made
        finally:
            closed_in.append(threading.current_thread())

    setattr(backend, name, endless)
    items = getattr(adapter, name)("")
    assert [await anext(items), await anext(items)] == [1, 2]
    assert made <= 1000
    await items.aclose()
    assert len(closed_in) == 1
    assert closed_in[0] is not threading.main_thread()
    assert made <= 1000


async def test_slow_listing_is_not_held_back(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """An entry that was waited for is handed over before the next one is asked for."""
    made = 0

    def slow(path: str, **options: Any) -> Iterator[int]:
        nonlocal made
        for made in range(1, 1000):
            time.sleep(0.03)
            yield made

    backend.list_files = slow  # type: ignore[method-assign, assignment]
    items = adapter.list_files("")
    first: Any = await anext(items)
    assert (first, made) == (1, 1)
    await items.aclose()


async def test_one_hop_is_fetched_ahead(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """While a chunk is worked on the next is read, and no more; leaving then waits for it."""
    stream = Flow(100 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    items = adapter.read("z")
    chunk = await anext(items)
    await gone(lambda: stream.left != (100 << 20) - 2 * len(chunk))
    await asyncio.sleep(0.05)
    assert stream.left == (100 << 20) - 2 * len(chunk)
    await items.aclose()
    assert stream.closed
    assert len(asyncio.all_tasks()) == 1


async def test_leaving_while_a_hop_is_in_flight(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """``aclose`` waits for the thread that reads ahead, which then closes the stream itself."""
    stream = Flow(100 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    begun, release = threading.Event(), threading.Event()
    real = stream.readinto

    def slow(buffer: Any) -> int:
        if stream.left < 97 << 20:
            begun.set()
            release.wait(30)
        return real(buffer)

    stream.readinto = slow  # type: ignore[method-assign]
    items = adapter.read("z")
    await anext(items)
    await anext(items)
    await asyncio.to_thread(begun.wait)
    closing = asyncio.ensure_future(items.aclose())
    await asyncio.sleep(0.05)
    assert not closing.done()
    release.set()
    await closing
    assert stream.closed
    assert stream.closer is not threading.main_thread()


@pytest.mark.parametrize("hangs", ["read-ahead", "close"])
async def test_cancelled_while_it_is_left(
    adapter: SyncBackendAdapter, backend: DictBackend, hangs: str
) -> None:
    """A cancellation during ``aclose`` neither waits nor gets lost; the stream is closed once."""
    stream = Flow(100 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    begun, release = threading.Event(), threading.Event()
    closes: list[int] = []
    read, close = stream.readinto, stream.close

    def slow_read(buffer: Any) -> int:
        if hangs == "read-ahead" and stream.left <= 98 << 20:
            begun.set()
            release.wait(30)
        return read(buffer)

    def slow_close() -> None:
        closes.append(1)
        if hangs == "close":
            begun.set()
            release.wait(30)
        close()

    stream.readinto = slow_read  # type: ignore[method-assign]
    stream.close = slow_close  # type: ignore[method-assign]
    went_on: list[int] = []

    async def leave_early() -> None:
        async with contextlib.aclosing(adapter.read("z")) as items:
            await anext(items)
            await gone(lambda: stream.left > 96 << 20 and not begun.is_set())
        went_on.append(1)

    task = asyncio.ensure_future(leave_early())
    assert await asyncio.to_thread(begun.wait, 30)
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait({task}, timeout=10)  # less than the thread's own patience
    assert task.cancelled()
    assert not went_on
    await gone(lambda: len(asyncio.all_tasks()) > 1)
    assert not release.is_set()
    release.set()
    await gone(lambda: not stream.closed)
    assert closes == [1]


async def test_read_ahead_that_fails_unseen(
    adapter: SyncBackendAdapter, backend: DictBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """What is fetched ahead for a reader who leaves may fail; nobody hears of that."""
    stream = Flow(100 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    items = adapter.read("z")
    await anext(items)
    await gone(lambda: stream.left > 96 << 20)
    stream.readinto = lambda buffer: 1 // 0  # type: ignore[method-assign]
    await anext(items)
    await gone(lambda: not stream.closed)  # by the thread that failed
    await items.aclose()
    del items
    gc.collect()
    await asyncio.sleep(0)
    assert caplog.records == []


@pytest.mark.parametrize("reads", ["fail", "end"])
async def test_close_that_fails(
    adapter: SyncBackendAdapter,
    backend: DictBackend,
    caplog: pytest.LogCaptureFixture,
    reads: str,
) -> None:
    """A failure of closing the stream is logged, and hides neither the content nor an error."""
    stream = Flow(5)
    closing = True

    def fail() -> None:
        if closing:
            raise OSError("of the close")

    stream.close = fail  # type: ignore[method-assign]
    if reads == "fail":
        stream.readinto = lambda buffer: 1 // 0  # type: ignore[method-assign]
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    with caplog.at_level(logging.DEBUG, "remote_store"):
        if reads == "fail":
            with pytest.raises(ZeroDivisionError):
                [chunk async for chunk in adapter.read("z")]
        else:
            assert [len(chunk) async for chunk in adapter.read("z")] == [5]
    assert "of the close" in caplog.text
    closing = False


async def test_listing_that_outlives_its_loop_is_closed_quietly() -> None:
    """By a thread, since nobody is left to await it; and no coroutine is left unawaited."""
    closed = threading.Event()

    class Endless(DictBackend):
        def list_files(self, path: str, **options: Any) -> Iterator[FileInfo]:
            try:
                while True:
                    yield FileInfo(RemotePath("f"), "f", 1, UNKNOWN_TIME)
            finally:
                closed.set()

    def outlive() -> list[warnings.WarningMessage]:
        loop = asyncio.new_event_loop()
        listing = AsyncStore(SyncBackendAdapter(as_backend(Endless()))).list_files("")
        loop.run_until_complete(anext(listing))
        loop.close()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            del listing
            gc.collect()
        return told

    told = await asyncio.to_thread(outlive)  # where no loop runs
    assert await asyncio.to_thread(closed.wait, 10)
    assert [] == [str(warning.message) for warning in told]
