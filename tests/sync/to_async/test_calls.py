"""SyncBackendAdapter: every call reaches the backend, in threads of the adapter's own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.operations import SINCE_1_1
from tests.sync.reference import DictBackend, as_backend
from tests.sync.to_async.probes import chunks, worker_threads

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
)
from remote_store.aio import AsyncStore, SyncBackendAdapter

pytestmark = pytest.mark.asyncio


async def test_every_operation(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """Each call reaches the backend, off the loop's thread, and its result comes back."""
    assert [await adapter.exists("z"), await adapter.is_file("z")] == [True, True]
    assert await adapter.is_folder("a")
    assert await adapter.read_bytes("z") == b"1"
    assert [c async for c in adapter.read("a/x")] == [b"12345"]
    assert [c async for c in adapter.read("a/y")] == []
    assert (await adapter.write("n", b"12", metadata={"k": "v"})).metadata == {"k": "v"}
    assert (await adapter.write_atomic("n", chunks(b"1", b"", b"23"), overwrite=True)).size == 3
    assert (await adapter.get_file_info("n")).size == 3
    await adapter.move("n", "m")
    await adapter.copy("m", "c")
    await adapter.delete("m")
    assert sorted([f.name async for f in adapter.list_files("a")]) == ["x", "y"]
    assert [f.name async for f in adapter.list_folders("")] == ["a"]
    assert sorted([f.name async for f in adapter.iter_children("")]) == ["a", "c", "z"]
    with pytest.raises(CapabilityNotSupported):
        await anext(adapter.glob("*"))
    assert (await adapter.get_folder_info("a")).file_count == 2
    await adapter.delete_folder("a", recursive=True)
    await adapter.check_health()
    assert (adapter.name, set(adapter.capabilities)) == (
        "dict",
        set(backend.capabilities) - SINCE_1_1,
    )
    assert (adapter.native_path("."), adapter.to_key("k")) == ("", "k")
    assert adapter.resolve("k").backend == "dict"
    with pytest.raises(CapabilityNotSupported):
        adapter.unwrap(int)
    assert not adapter.close_is_terminal
    await adapter.aclose()
    assert backend.closed == 1
    assert {thread for _, thread in backend.calls} & {threading.main_thread()} == set()
    assert CapabilitySet(Capability) == SyncBackendAdapter.CAPABILITIES


async def test_store_wraps_by_itself(backend: DictBackend) -> None:
    """AsyncStore takes a sync backend; children share the adapter, a new store has its own."""
    store = AsyncStore(as_backend(backend), "a")
    child = store.child("b")
    assert await store.read_bytes("x") == b"12345"
    assert store._backend is child._backend
    assert store != AsyncStore(as_backend(backend), "a")
    await child.aclose()
    assert backend.closed == 0
    await store.aclose()
    assert backend.closed == 1


async def test_wrong_backends() -> None:
    """An async backend and a stranger are refused."""

    class Both(DictBackend):
        async def aclose(self) -> None: ...

    with pytest.raises(TypeError, match="Both is async"):
        SyncBackendAdapter(as_backend(Both()))
    with pytest.raises(TypeError, match="lacks name"):
        SyncBackendAdapter(as_backend(object()))


@pytest.mark.parametrize(
    "error", [NotFound("x", path="z"), OSError(5, "x"), KeyError("k"), ZeroDivisionError()]
)
async def test_exceptions_are_the_same_object(
    adapter: SyncBackendAdapter, backend: DictBackend, error: Exception
) -> None:
    """What the backend raises is what the caller gets, from every kind of call (ERR-001)."""

    def fail(name: str) -> None:
        raise error

    backend.on_call = fail
    calls: list[Callable[[], Any]] = [
        lambda: adapter.exists("z"),
        lambda: adapter.write("n", b""),
        lambda: adapter.write("n", chunks(b"1")),
        lambda: anext(adapter.read("z")),
        lambda: anext(adapter.list_files("")),
        adapter.aclose,
    ]
    for call in calls:
        with pytest.raises(type(error)) as caught:
            await call()
        assert caught.value is error


@pytest.mark.parametrize("call", ["exists", "write", "stream", "read", "list_files"])
async def test_stop_iteration_does_not_hang(
    adapter: SyncBackendAdapter, backend: DictBackend, call: str
) -> None:
    """StopIteration from the backend arrives as a RuntimeError caused by it; nothing hangs."""

    def fail(name: str) -> None:
        raise StopIteration

    backend.on_call = fail
    awaitables: dict[str, Callable[[], Any]] = {
        "exists": lambda: adapter.exists("z"),
        "write": lambda: adapter.write("n", b""),
        "stream": lambda: adapter.write("n", chunks(b"1")),
        "read": lambda: anext(adapter.read("z")),
        "list_files": lambda: anext(adapter.list_files("")),
    }
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError) as caught:
            await awaitables[call]()
    assert isinstance(caught.value.__cause__, StopIteration)


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")


async def test_context_variables_go_along(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """Each call sees the context of the task that made it."""
    seen = []
    backend.on_call = lambda name: seen.append((name, variable.get()))

    async def one(value: str) -> None:
        variable.set(value)
        await adapter.exists(value)
        await adapter.write(value, chunks(b"1"))
        await anext(adapter.read(value))
        await anext(adapter.list_files(""))

    await asyncio.gather(*(one(str(n)) for n in range(4)))
    assert sorted(seen) == sorted(
        (name, str(n)) for n in range(4) for name in ("exists", "write", "read", "list_files")
    )


async def test_slow_calls_leave_the_default_executor_alone(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """64 slow calls delay neither to_thread nor a name lookup, on a bounded number of threads."""
    before = set(worker_threads())
    release = threading.Event()
    backend.on_call = lambda name: release.wait(50)
    slow = [asyncio.create_task(adapter.exists(str(n))) for n in range(64)]
    await asyncio.sleep(0.1)
    try:
        async with asyncio.timeout(15):
            await asyncio.to_thread(time.sleep, 0)
            await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        assert 0 < len(set(worker_threads()) - before) <= 32
    finally:
        release.set()
    assert await asyncio.gather(*slow) == [False] * 64


async def test_more_streamed_writes_than_threads_that_wait_for_each_other(
    adapter: SyncBackendAdapter,
) -> None:
    """A source may wait until other writes have begun: 80 at once, no deadlock."""
    begun: set[int] = set()
    all_begun = asyncio.Event()

    async def source(n: int) -> AsyncIterator[bytes]:
        begun.add(n)
        if len(begun) == 80:
            all_begun.set()
        await all_begun.wait()
        yield await adapter.read_bytes("z")

    async with asyncio.timeout(30):
        await asyncio.gather(*(adapter.write(f"n{n}", source(n)) for n in range(80)))


async def test_invalid_path_of_a_default_member(adapter: SyncBackendAdapter) -> None:
    """Errors of the backend keep its key and name."""
    with pytest.raises(InvalidPath) as caught:
        await adapter.delete("a")
    assert (caught.value.path, caught.value.backend) == ("a", "dict")
