"""AsyncBackendSyncAdapter: listings take what is there, and wait for one entry at a time."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sync.to_sync.scripted import Chunks, opened

from remote_store import (
    AsyncBackendSyncAdapter,
    CapabilityNotSupported,
    Store,
    StoreClosed,
)
from remote_store._bridge.pull_iterator import AsyncIteratorBridge


def test_listing_is_lazy() -> None:
    """Nothing is pulled before the first ``next``, and then one that nobody asked for at most."""
    items = Chunks("a", "b", "c", "d")
    with opened(list_files=lambda path, **options: items) as adapter:
        found: Any = adapter.list_files("")
        assert items.pulled == 0
        assert next(found) == "a"
        assert items.pulled <= 2
        assert next(found) == "b"
        assert items.pulled <= 3
        found.close()
        assert items.closed >= 1
        assert list(found) == []


def test_listing_takes_what_is_there() -> None:
    """What comes without waiting is fetched in one step, in order, 512 entries at most."""
    pulled = 0

    async def numbers(path: str, **options: Any) -> AsyncIterator[int]:
        nonlocal pulled
        for pulled in range(1, 1501):
            yield pulled

    with opened(list_files=numbers) as adapter:
        found: Any = adapter.list_files("")
        assert pulled == 0
        for number in range(1, 513):
            assert (next(found), pulled) == (number, 512)
        assert (next(found), pulled) == (513, 1024)
        assert list(found) == list(range(514, 1501))


@pytest.mark.parametrize("end", ["close", "del", "close of the adapter"])
def test_listing_hands_over_before_it_waits(end: str) -> None:
    """An entry is there before the backend waits for the next one, which is not waited for."""
    closed = threading.Event()

    async def stuck(path: str, **options: Any) -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
            await asyncio.Event().wait()
            yield "c"
        finally:
            closed.set()

    adapter = opened(list_files=stuck)
    found: Any = adapter.list_files("")
    assert [next(found), next(found)] == ["a", "b"]
    if end == "close":
        found.close()
        assert closed.is_set()
    elif end == "del":
        del found
        gc.collect()
        assert closed.wait(10)
    adapter.close(timeout=20)
    assert closed.is_set()
    if end == "close of the adapter":
        with pytest.raises(StoreClosed):
            next(found)


@pytest.mark.usefixtures("heed_interrupts")
def test_interrupted_listing_is_closed() -> None:
    """An interrupt of a waiting ``next`` ends the backend's generator before it is raised."""
    closed, waits = threading.Event(), threading.Event()

    async def stuck(path: str, **options: Any) -> AsyncIterator[str]:
        try:
            waits.set()
            await asyncio.Event().wait()
            yield "a"
        finally:
            closed.set()

    with opened(list_files=stuck) as adapter:
        found = adapter.list_files("")
        main = threading.get_ident()

        def interrupt() -> None:
            assert waits.wait(10)
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            next(found)
        thread.join()
        assert closed.is_set()
        assert list(found) == []


@pytest.mark.parametrize("waiting", [False, True])
def test_error_comes_after_the_entries_before_it(waiting: bool) -> None:
    """An error is raised where it occurred, as the same object, and then the listing is over."""
    error = OSError("x")

    async def failing(path: str, **options: Any) -> AsyncIterator[str]:
        for name in "abc":
            if waiting:
                await asyncio.sleep(0)
            yield name
        raise error

    with opened(list_files=failing) as adapter:
        found: Any = adapter.list_files("")
        assert [next(found) for _ in "abc"] == ["a", "b", "c"]
        with pytest.raises(OSError, match="x") as caught:
            next(found)
        assert caught.value is error
        assert list(found) == []


def test_lying_iterator() -> None:
    """A StopIteration of the backend's own is an error, not the end and no hang."""

    class Liar:
        def __aiter__(self) -> Any:
            return self

        def __anext__(self) -> Any:
            raise StopIteration

    with opened(list_files=lambda path, **options: Liar()) as adapter:
        found = adapter.list_files("")
        with pytest.raises(RuntimeError, match="StopIteration"):
            next(found)
        assert list(found) == []


@pytest.mark.parametrize("error", [None, OSError("x")])
def test_ended_listing_stays_ended(error: Exception | None) -> None:
    """After its end or an error a listing stops for ever."""
    items = Chunks("a", *([error, "b"] if error else []))
    with opened(list_folders=lambda path: items) as adapter:
        found: Any = adapter.list_folders("")
        assert next(found) == "a"
        if error:
            with pytest.raises(OSError, match="x") as caught:
                next(found)
            assert caught.value is error
        for _ in range(3):
            with pytest.raises(StopIteration):
                next(found)


@pytest.mark.parametrize("how", ["del", "best effort", "store"])
def test_left_listing_is_closed(how: str) -> None:
    """A listing that is left early has the backend's generator closed."""
    closed = threading.Event()

    async def endless(path: str, **options: Any) -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            closed.set()

    with opened(list_files=endless) as adapter:
        if how == "store":
            items = Store(adapter, "root").list_files("")
            with pytest.raises(AttributeError):  # a str is no FileInfo
                next(items)
            assert closed.is_set()
            return
        bridge = adapter.list_files("")
        assert isinstance(bridge, AsyncIteratorBridge)
        next(bridge)
        if how == "del":
            del bridge
            gc.collect()
        else:
            bridge._aclose_best_effort()
        assert closed.wait(10)


def test_bridge_over_any_async_iterator(adapter: AsyncBackendSyncAdapter) -> None:
    """It can be built over an iterator that cannot be closed."""

    class Bare:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return self.left

    assert list(AsyncIteratorBridge(adapter._runner, Bare())) == [1, 0]
    bridge = AsyncIteratorBridge(adapter._runner, Bare())
    next(bridge)
    bridge.close()
    bridge._aclose_best_effort()


def test_glob_uses_the_backends(adapter: AsyncBackendSyncAdapter) -> None:
    """A backend's own glob is reached; one that lacks it answers by the protocol's default."""
    with opened() as plain, pytest.raises(CapabilityNotSupported):
        next(plain.glob("*"))
    with opened(glob=lambda pattern: Chunks(pattern)) as own:
        assert [*map(str, own.glob("x*"))] == ["x*"]
