"""AsyncBackendSyncAdapter: every call reaches the backend, and its answer comes back."""

from __future__ import annotations

import asyncio
import contextvars
import io
import os
import pickle
import threading
from typing import Any

import pytest
from tests.sync.reference import DictBackend, Plain, as_backend
from tests.sync.to_sync.scripted import opened

from remote_store import (
    AlreadyExists,
    AsyncBackendSyncAdapter,
    Backend,
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    Store,
)
from remote_store._bridge.to_sync import _SyncSafeHandleProvider
from remote_store.aio import SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend


def test_every_operation(adapter: AsyncBackendSyncAdapter) -> None:
    """Each call reaches the backend and its result comes back."""
    assert isinstance(adapter, Backend)
    assert [adapter.exists("z"), adapter.is_file("z"), adapter.is_folder("z")] == [
        True,
        True,
        False,
    ]
    assert adapter.read_bytes("a/x") == b"12345"
    assert adapter.get_file_info("a/x").metadata == {"k": "v"}
    assert adapter.get_folder_info("").file_count == 3
    assert sorted(f.name for f in adapter.list_files("", recursive=True)) == ["x", "y", "z"]
    assert [f.name for f in adapter.list_folders("")] == ["a"]
    assert sorted(f.name for f in adapter.iter_children("")) == ["a", "z"]
    adapter.move("z", "m")
    adapter.copy("m", "c")
    adapter.delete("m")
    adapter.delete("m", missing_ok=True)
    adapter.delete_folder("a", recursive=True)
    adapter.check_health()
    assert [f.name for f in adapter.list_files("")] == ["c"]
    assert (adapter.name, adapter.native_path("k"), adapter.to_key("k")) == (
        "async-memory",
        "k",
        "k",
    )
    assert adapter.resolve("k").backend == "async-memory"
    with pytest.raises(CapabilityNotSupported):
        next(adapter.glob("*"))


def test_capabilities(adapter: AsyncBackendSyncAdapter) -> None:
    """All of the backend's but SEEKABLE_READ; always the same object."""
    inner = set(AsyncMemoryBackend().capabilities)
    assert Capability.SEEKABLE_READ in inner
    assert set(adapter.capabilities) == inner - {Capability.SEEKABLE_READ}
    assert adapter.capabilities is adapter.capabilities
    assert adapter.close_is_terminal is True


def test_capabilities_are_asked_for_once() -> None:
    """When it is made: a lock around a later question could be held at a fork."""
    asked = []

    class Telling(AsyncMemoryBackend):
        @property
        def capabilities(self) -> CapabilitySet:
            asked.append(1)
            return super().capabilities

    with AsyncBackendSyncAdapter(Telling()) as adapter:
        asked.clear()
        assert adapter.capabilities
    assert [] == asked


@pytest.mark.parametrize("thing", [object(), DictBackend(), AsyncMemoryBackend, None])
def test_only_async_backends(thing: Any) -> None:
    """Anything else is a TypeError that names AsyncBackend and the type; no thread is left."""
    before = threading.active_count()
    with pytest.raises(TypeError, match=f"AsyncBackend, got {type(thing).__name__}"):
        AsyncBackendSyncAdapter(thing)
    assert threading.active_count() == before


def test_unwrap() -> None:
    """Only a backend with sync_safe_unwrap hands out a handle, by inheritance or structure."""

    class Safe(AsyncMemoryBackend, _SyncSafeHandleProvider):
        def sync_safe_unwrap(self, type_hint: type[Any]) -> Any:
            return type_hint(3)

    with AsyncBackendSyncAdapter(Safe()) as adapter:
        assert adapter.unwrap(float) == 3.0
    with opened(sync_safe_unwrap=lambda hint: hint(4)) as adapter:
        assert adapter.unwrap(int) == 4
    with (
        opened() as adapter,
        pytest.raises(CapabilityNotSupported, match="AsyncBackendSyncAdapter") as no,
    ):
        adapter.unwrap(int)
    assert no.value.capability == "unwrap"


@pytest.mark.parametrize(
    "error",
    [NotFound("m", path="p"), BackendUnavailable("b"), OSError(5, "x"), StopAsyncIteration("s"),
     KeyError("k"), SystemExit(3), asyncio.CancelledError("c")],
)  # fmt: skip
def test_exceptions_are_the_same_object(error: BaseException) -> None:
    """What the backend raises is what the caller gets; the loop survives even SystemExit."""

    async def fail(*args: Any) -> None:
        raise error

    with opened(exists=fail, check_health=fail) as adapter:
        for call in (lambda: adapter.exists("a"), adapter.check_health):
            with pytest.raises(type(error)) as caught:
                call()
            # A cancellation is told by the task, in an exception of its own.
            assert caught.value is error or isinstance(error, asyncio.CancelledError)
        assert adapter.is_folder("")


def test_stop_iteration_does_not_hang() -> None:
    """No coroutine can raise StopIteration: a RuntimeError with it as cause arrives."""

    async def fail(*args: Any) -> bool:
        raise StopIteration

    with opened(exists=fail) as adapter, pytest.raises(RuntimeError, match="StopIteration"):
        adapter.exists("a")


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")


def test_context_variables_go_along() -> None:
    """A call sees the context of the thread that made it, whoever else calls at the time."""

    async def exists(path: str) -> bool:
        await asyncio.sleep(0)
        return path == variable.get()

    with opened(exists=exists) as adapter:

        def use(value: str) -> None:
            variable.set(value)
            answers.extend(adapter.exists(value) for _ in range(200))

        answers: list[bool] = []
        threads = [threading.Thread(target=use, args=(str(n),)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [True] * 1600


def test_bridge_over_bridge() -> None:
    """Sync behind async behind sync behaves as the backend itself."""
    backend = DictBackend({"a/x": b"12345"})
    twice = AsyncBackendSyncAdapter(SyncBackendAdapter(as_backend(backend)))
    content = os.urandom(3_000_000)
    with Store(twice) as store:
        assert store.write("n", io.BytesIO(content)).size == len(content)
        with store.read("n") as stream:
            assert stream.read() == content
        assert sorted(f.path.as_posix() for f in store.list_files("", recursive=True)) == [
            "a/x",
            "n",
        ]
        with pytest.raises(AlreadyExists):
            store.write("n", (b"" for _ in range(2)))
        with pytest.raises(InvalidPath):
            store.read_bytes("a")
    assert backend.closed == 1


def test_pickles_as_its_backend() -> None:
    """A copy is built around a copy of the backend, on a loop of its own."""
    inner = SyncBackendAdapter(as_backend(Plain()))
    with (
        AsyncBackendSyncAdapter(inner) as adapter,
        pickle.loads(pickle.dumps(adapter)) as again,
    ):
        assert again.exists("")
        assert again._loop is not adapter._loop
