"""AsyncBackendSyncAdapter: listings pull one entry at a time."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sync.to_sync.scripted import Chunks, opened

from remote_store import (
    AsyncBackendSyncAdapter,
    CapabilityNotSupported,
    Store,
)
from remote_store._pulls import AsyncIteratorBridge


def test_listing_pulls_one_by_one() -> None:
    """Each ``next`` pulls one entry; nothing is gathered."""
    items = Chunks("a", "b", "c")
    with opened(list_files=lambda path, **options: items) as adapter:
        found: Any = adapter.list_files("")
        assert items.pulled == 0
        assert (next(found), items.pulled) == ("a", 1)
        assert (next(found), items.pulled) == ("b", 2)
        found.close()
        assert items.closed >= 1
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
            items = Store(adapter).list_files("")
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
