"""Closing an iterator of a store closes the backend's before it returns."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.contract.probes import CallerError, Listener, Watched, WatchedReads, as_backend, collect
from tests.contract.reference import DictBackend

from remote_store import FileInfo, FolderEntry, RemotePath
from remote_store._plugins.hooks import register_plugin, unregister_plugin
from remote_store.aio import AsyncStore
from remote_store.aio.ext.glob import glob_files

pytestmark = pytest.mark.asyncio

FILE = FileInfo(RemotePath("r/f"), "f", 1, datetime(2024, 1, 1, tzinfo=UTC))
FOLDER = FolderEntry(RemotePath("r/d"), "d")

OPENERS: dict[str, tuple[list[Any], Callable[[AsyncStore], AsyncGenerator[Any, None]]]] = {
    "read": ([b"1", b"2"], lambda s: s.read("f")),
    "list_files": ([FILE, FILE], lambda s: s.list_files("")),
    "list_files-depth": ([FILE, FILE], lambda s: s.list_files("", max_depth=3)),
    "list_folders": ([FOLDER, FOLDER], lambda s: s.list_folders("")),
    "iter_children": ([FILE, FOLDER], lambda s: s.iter_children("")),
    "glob": ([FILE, FILE], lambda s: s.glob("*")),
    "glob_files": ([FILE, FILE], lambda s: glob_files(s, "**")),
}


@pytest.fixture(params=[False, True], ids=["unwatched", "watched"])
def listening(request: pytest.FixtureRequest) -> Iterator[bool]:
    """With and without a listener: the store takes another way then."""
    listener = Listener()
    if request.param:
        register_plugin(listener)
    yield request.param
    if request.param:
        unregister_plugin(listener)


@pytest.fixture(params=OPENERS)
def name(request: pytest.FixtureRequest) -> str:
    """Name of an operation that returns an iterator."""
    text: str = request.param
    return text


def opened(
    name: str, *, error: Exception | None = None, stall: bool = False
) -> tuple[Watched, AsyncGenerator[Any, None]]:
    items, call = OPENERS[name]
    watched = Watched(items, error, stall)
    store = AsyncStore(as_backend(WatchedReads(DictBackend(), watched)), "r")
    return watched, call(store)


async def test_exhaustion(name: str, listening: bool) -> None:
    """At the end of the outer iterator the inner one is closed."""
    watched, outer = opened(name)
    assert len([item async for item in outer]) == 2
    assert (watched.opened, watched.closed) == (1, 1)


async def test_error(name: str, listening: bool) -> None:
    """An error of the inner iterator comes out as the same object, with the inner one closed."""
    error = CallerError("inner")
    watched, outer = opened(name, error=error)
    with pytest.raises(CallerError) as caught:
        await collect(outer)
    assert caught.value is error
    assert watched.closed == 1


async def test_aclose(name: str, listening: bool) -> None:
    """When ``aclose`` returns the inner iterator is closed."""
    watched, outer = opened(name)
    await anext(outer)
    assert watched.closed == 0
    await outer.aclose()
    assert watched.closed == 1
    with pytest.raises(StopAsyncIteration):
        await anext(outer)


async def test_break_inside_aclosing(name: str, listening: bool) -> None:
    """The documented way to leave early closes the inner iterator on leaving."""
    watched, outer = opened(name)
    async with contextlib.aclosing(outer):
        async for _ in outer:
            break
    assert watched.closed == 1


@pytest.mark.long
async def test_bare_break(name: str, listening: bool) -> None:
    """After a bare break the loop's finaliser closes it, once nobody refers to it."""
    watched, outer = opened(name)
    async for _ in outer:
        break
    del outer
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert watched.closed == 1


async def test_consumer_raises_inside_aclosing(name: str, listening: bool) -> None:
    """The consumer's own error passes and the inner iterator is closed."""
    watched, outer = opened(name)
    error = CallerError("consumer")

    async def consume() -> None:
        async with contextlib.aclosing(outer):
            async for _ in outer:
                raise error

    with pytest.raises(CallerError) as caught:
        await consume()
    assert caught.value is error
    assert watched.closed == 1


async def test_cancelled_while_pulling(name: str, listening: bool) -> None:
    """Cancelling a task that waits for the next item closes the inner iterator first."""
    watched, outer = opened(name, stall=True)
    task = asyncio.create_task(collect(outer))
    await watched.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watched.closed == 1


async def test_cancelled_between_pulls(name: str, listening: bool) -> None:
    """Cancelling a consumer that works on an item closes the inner iterator by aclosing."""
    watched, outer = opened(name)
    working = asyncio.Event()

    async def consume() -> None:
        async with contextlib.aclosing(outer):
            async for _ in outer:
                working.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(consume())
    await working.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watched.closed == 1


async def test_never_started(name: str, listening: bool) -> None:
    """An iterator that is closed before its first pull never opened anything."""
    watched, outer = opened(name)
    await outer.aclose()
    assert (watched.opened, watched.closed) == (0, 0)


async def test_plain_inner_iterator(listening: bool) -> None:
    """An inner iterator without ``aclose`` is served as well."""

    class Plain:
        left = 2

        def __aiter__(self) -> Plain:
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return b"x"

    class Backend(DictBackend):
        def read(self, path: str) -> Any:
            return Plain()

    store = AsyncStore(as_backend(Backend()))
    assert await collect(store.read("f")) == [b"x", b"x"]
    outer = store.read("f")
    await anext(outer)
    await outer.aclose()


async def test_default_of_iter_children(listening: bool) -> None:
    """The protocol's own default closes the listing it is in, and each before the next."""
    watched = Watched([FILE, FILE])

    class WithoutChildren(WatchedReads):
        def __getattr__(self, name: str) -> Any:
            if name == "iter_children":
                raise AttributeError(name)
            return super().__getattr__(name)

    store = AsyncStore(as_backend(WithoutChildren(DictBackend(), watched)), "r")
    outer = store.iter_children("")
    await anext(outer)
    await outer.aclose()
    assert (watched.opened, watched.closed) == (1, 1)
    outer = store.iter_children("")
    for _ in range(3):
        await anext(outer)
    assert (watched.opened, watched.closed) == (3, 2)
    await outer.aclose()
    assert watched.closed == 3


async def test_folder_info_closes_its_listing() -> None:
    """The depth-limited folder info closes the listing that failed under it."""
    error = CallerError("listing")
    watched = Watched([FILE], error)
    store = AsyncStore(as_backend(WatchedReads(DictBackend(), watched)))
    with pytest.raises(CallerError):
        await store.get_folder_info("", max_depth=1)
    assert watched.closed == 1


async def test_glob_walk_closes_its_listing() -> None:
    """The walk of a store without GLOB closes the folder that it was in."""
    watched = Watched([FILE, FILE])

    class WithoutGlob(WatchedReads):
        def __getattr__(self, name: str) -> Any:
            return (
                DictBackend().capabilities if name == "capabilities" else super().__getattr__(name)
            )

    store = AsyncStore(as_backend(WithoutGlob(DictBackend(), watched)), "r")
    outer = glob_files(store, "*")
    await anext(outer)
    assert watched.closed == 0
    await outer.aclose()
    assert watched.closed == 1


async def test_loop_that_ends(name: str, listening: bool) -> None:
    """A loop that ends closes outer and inner, whose closing waits, and reports nothing."""
    reports: list[dict[str, Any]] = []
    closed = []
    kept = []
    items, call = OPENERS[name]

    class Slow:
        async def run(self) -> AsyncGenerator[Any, None]:
            try:
                for item in items:
                    yield item
            finally:
                await asyncio.sleep(0.01)
                closed.append(name)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        backend: Any = WatchedReads(DictBackend(), Slow())  # type: ignore[arg-type]
        kept.append(call(AsyncStore(as_backend(backend), "r")))
        await anext(kept[0])

    await asyncio.to_thread(asyncio.run, main())
    assert (closed, reports) == ([name], [])
