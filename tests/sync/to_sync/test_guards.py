"""AsyncBackendSyncAdapter: calls that it could not answer are refused."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from tests.operations import OPERATIONS, OPERATIONS_OF_SYNC
from tests.sync.to_sync.scripted import opened

from remote_store import AsyncBackendSyncAdapter, StoreClosed
from remote_store._threads.loop_thread import LoopClosed
from remote_store_memory import AsyncMemoryBackend

BLOCKING = OPERATIONS | OPERATIONS_OF_SYNC


@pytest.mark.parametrize("name", BLOCKING)
def test_guards(name: str) -> None:
    """In a running loop and on a closed adapter every blocking call is refused, closed first."""
    adapter = AsyncBackendSyncAdapter(AsyncMemoryBackend())

    async def inside(reason: str) -> None:
        with pytest.raises(RuntimeError, match=reason):
            BLOCKING[name](adapter)

    asyncio.run(inside("cannot be called from a running event loop.*AsyncStore"))
    adapter.close()
    for error in (RuntimeError, StoreClosed):
        with pytest.raises(error, match=r"^AsyncBackendSyncAdapter is closed$"):
            BLOCKING[name](adapter)
    asyncio.run(inside("is closed"))


def test_error_of_a_closed_adapter() -> None:
    """It is one of a closed store, tells that nothing happened, and pickles."""
    adapter = AsyncBackendSyncAdapter(AsyncMemoryBackend())
    adapter.close()
    with pytest.raises(StoreClosed) as closed:
        adapter.write("x", b"")
    again = pickle.loads(pickle.dumps(closed.value))
    assert type(again) is LoopClosed
    assert issubclass(LoopClosed, RuntimeError)
    assert (str(again), again.outcome_unknown) == ("AsyncBackendSyncAdapter is closed", False)
    assert adapter.close_is_terminal


def test_pulls_are_guarded() -> None:
    """In a running loop streams and listings refuse, and afterwards go on where they were."""
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        adapter.write("x", b"12")
        stream, files = adapter.read("x"), adapter.list_files("")
        assert stream.read(1) == b"1"

        async def inside() -> None:
            for pull in (lambda: stream.read(2), lambda: next(files)):
                with pytest.raises(RuntimeError, match="running event loop"):
                    pull()

        asyncio.run(inside())
        assert [info.name for info in files] == ["x"]
        assert stream.read() == b"2"
        late = adapter.read("x")

    async def after() -> None:
        with pytest.raises(StoreClosed):
            late.read(1)

    asyncio.run(after())


def test_closing_in_a_running_loop() -> None:
    """There a stream and a listing are closed without waiting, refused before or not."""
    closed = [threading.Event(), threading.Event()]

    async def endless(number: int) -> AsyncIterator[Any]:
        try:
            while True:
                yield b"1"
        finally:
            closed[number].set()

    with opened(
        read=lambda path: endless(0), list_files=lambda path, **options: endless(1)
    ) as adapter:
        stream, files = adapter.read("x"), cast("Any", adapter.list_files(""))
        assert (stream.read(1), next(files)) == (b"1", b"1")

        async def inside() -> None:
            with pytest.raises(RuntimeError, match="running event loop"):
                stream.read(1)
            stream.close()
            files.close()

        asyncio.run(inside())
        assert all(event.wait(10) for event in closed)


def test_unguarded_members() -> None:
    """What needs no loop works in a running loop, and after the close."""
    adapter = AsyncBackendSyncAdapter(AsyncMemoryBackend())

    async def inside() -> None:
        assert (adapter.name, adapter.to_key("k"), adapter.native_path("k")) == (
            "async-memory",
            "k",
            "k",
        )
        assert adapter.resolve("k").key == "k"
        assert adapter.capabilities
        with adapter as same:
            assert same is adapter

    asyncio.run(inside())
    asyncio.run(inside())
    assert adapter._loop.is_closed()
