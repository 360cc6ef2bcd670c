"""Events of operations: one each, what they tell, and what it costs when nobody listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tests.contract.probes import (
    CallerError,
    Listener,
    Source,
    Watched,
    WatchedReads,
    as_backend,
    drain,
)
from tests.contract.reference import NAME, DictBackend

from remote_store import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    OperationEvent,
    PluginError,
    hookimpl,
    register_plugin,
    unregister_plugin,
)
from remote_store._plugins import event
from remote_store._store import async_observe, async_store
from remote_store.aio import AsyncStore

pytestmark = pytest.mark.asyncio


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A registered listener, gone after the test."""
    plugin = Listener()
    register_plugin(plugin)
    yield plugin
    unregister_plugin(plugin)


@pytest_asyncio.fixture
async def filled(reference: DictBackend) -> AsyncStore:
    """A store with two files below a folder, made before anybody listens."""
    store = AsyncStore(as_backend(reference), "root")
    await store.write("d/f", b"12345")
    await store.write("d/g", b"1")
    return store


EVENTS: dict[str, tuple[Callable[[AsyncStore], Any], str, int | None]] = {
    "read": (lambda s: s.read("./d/f"), "./d/f", 5),
    "read_bytes": (lambda s: s.read_bytes("d/f"), "d/f", 5),
    "write": (lambda s: s.write("n", Source([b"12", b"3"]).open()), "n", 3),
    "write_text": (lambda s: s.write_text("n", "é"), "n", 2),
    "write_atomic": (lambda s: s.write_atomic("n", b""), "n", 0),
    "delete": (lambda s: s.delete("d/f"), "d/f", None),
    "delete_folder": (lambda s: s.delete_folder("d", recursive=True), "d", None),
    "list_files": (lambda s: s.list_files("", recursive=True), "", None),
    "list_folders": (lambda s: s.list_folders("", max_depth=4), "", None),
    "iter_children": (lambda s: s.iter_children("d"), "d", None),
    "get_file_info": (lambda s: s.get_file_info("d/f"), "d/f", None),
    "head": (lambda s: s.head("d/f"), "d/f", None),
    "get_folder_info": (lambda s: s.get_folder_info("d"), "d", None),
    "exists": (lambda s: s.exists("."), ".", None),
    "is_file": (lambda s: s.is_file("d"), "d", None),
    "is_folder": (lambda s: s.is_folder("d"), "d", None),
    "move": (lambda s: s.move("d/f", "n"), "d/f", None),
    "copy": (lambda s: s.copy("d/f", "n"), "d/f", None),
    "ping": (lambda s: s.ping(), "", None),
}


@pytest.mark.parametrize("name", EVENTS)
async def test_one_event_for_each_operation(
    filled: AsyncStore, listener: Listener, name: str
) -> None:
    """A finished operation makes one event: its name, the caller's path, the bytes moved."""
    call, path, size = EVENTS[name]
    await drain(call(filled))
    (event,) = listener.events
    assert (event.name, event.path, event.backend) == (name, path, NAME)
    assert (event.outcome, event.error, event.bytes) == ("ok", None, size)
    assert 0 <= event.seconds < 60


async def test_text_read_and_depth_make_one_event_each(
    filled: AsyncStore, listener: Listener
) -> None:
    """Operations built on others are seen once, not once for each backend call."""
    await filled.read_text("d/f")
    await filled.get_folder_info("d", max_depth=3)
    assert [(e.name, e.bytes) for e in listener.events] == [
        ("read_bytes", 5),
        ("get_folder_info", None),
    ]


@pytest.mark.parametrize("name", ["move", "copy"])
async def test_same_path_is_an_operation_too(
    filled: AsyncStore, listener: Listener, name: str
) -> None:
    """A move or copy onto itself asked the backend, so it makes its event."""
    await getattr(filled, name)("d/f", "d//f")
    assert [(e.name, e.path, e.outcome) for e in listener.events] == [(name, "d/f", "ok")]


@pytest.mark.parametrize("name", ["read", "read_bytes", "delete", "get_file_info", "move"])
async def test_failures_carry_their_error(
    filled: AsyncStore, listener: Listener, name: str
) -> None:
    """The event of a failed operation has the very exception that the caller got."""
    args = ("gone", "there") if name == "move" else ("gone",)
    with pytest.raises(NotFound) as caught:
        await drain(getattr(filled, name)(*args))
    (event,) = listener.events
    assert (event.name, event.outcome, event.path) == (name, "error", "gone")
    assert event.error is caught.value


async def test_the_callers_error_is_in_the_event(filled: AsyncStore, listener: Listener) -> None:
    """A failing source fails the write, and the event says so."""
    error = CallerError()
    with pytest.raises(CallerError):
        await filled.write("n", Source([b"x"], error=error).open())
    assert [(e.outcome, e.error) for e in listener.events] == [("error", error)]


async def test_refused_operations_make_no_event(filled: AsyncStore, listener: Listener) -> None:
    """What the store refuses before it calls the backend is not reported."""
    with pytest.raises(InvalidPath):
        await filled.read_bytes("../x")
    with pytest.raises(InvalidPath):
        filled.read("")
    with pytest.raises(ValueError, match="underscore"):
        await filled.write("n", b"", metadata={"_": ""})
    await filled.read("d/f").aclose()
    assert listener.events == []


async def test_cancelled_operations(filled: AsyncStore, listener: Listener) -> None:
    """A cancelled write is reported as cancelled."""
    source = Source([b"x"], stall=True)
    task = asyncio.create_task(filled.write("n", source.open()))
    await source.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (event,) = listener.events
    assert (event.name, event.outcome) == ("write", "cancelled")
    assert isinstance(event.error, asyncio.CancelledError)


def watched_store(*, error: Exception | None = None, stall: bool = False) -> Any:
    watched = Watched([b"12", b"3"], error, stall)
    return watched, AsyncStore(as_backend(WatchedReads(DictBackend(), watched)))


async def test_closing_a_read_early_is_no_failure(listener: Listener) -> None:
    """An iterator that is left early ended well, with the bytes handed out so far."""
    _, store = watched_store()
    async with contextlib.aclosing(store.read("f")) as chunks:
        await anext(chunks)
        assert listener.events == []
    (event,) = listener.events
    assert (event.outcome, event.error, event.bytes) == ("ok", None, 2)


async def test_a_read_that_fails_halfway(listener: Listener) -> None:
    """The event of a broken read has its error and the bytes that had arrived."""
    error = CallerError()
    _, store = watched_store(error=error)
    with pytest.raises(CallerError):
        await drain(store.read("f"))
    assert [(e.outcome, e.error, e.bytes) for e in listener.events] == [("error", error, 3)]


async def test_a_read_cancelled_while_pulling(listener: Listener) -> None:
    """A read whose task is cancelled is reported as cancelled."""
    watched, store = watched_store(stall=True)
    task = asyncio.create_task(drain(store.read("f")))
    await watched.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(e.name, e.outcome, e.bytes) for e in listener.events] == [("read", "cancelled", 3)]


class Failing:
    """A listener that raises."""

    @hookimpl
    def remote_store_operation(self, event: OperationEvent) -> None:
        raise CallerError(event.name)


async def test_a_failing_listener_harms_nobody(
    filled: AsyncStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The operation succeeds, every other listener hears of it, and the failure is logged."""
    first, broken, last = Listener(), Failing(), Listener()
    for plugin in (first, broken, last):
        register_plugin(plugin, f"plugin-{id(plugin)}")
    try:
        assert await filled.read_bytes("d/f") == b"12345"
    finally:
        for plugin in (first, broken, last):
            unregister_plugin(plugin)
    assert [len(plugin.events) for plugin in (first, last)] == [1, 1]
    records = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(records) == 1
    assert f"plugin-{id(broken)}" in records[0].getMessage()
    assert records[0].exc_info is not None


async def test_a_listener_may_take_no_argument(filled: AsyncStore) -> None:
    """A listener that wants no event is called as well."""
    calls: list[int] = []

    class Bare:
        @hookimpl
        def remote_store_operation(self) -> None:
            calls.append(1)

    plugin = Bare()
    register_plugin(plugin)
    try:
        await filled.exists("d")
    finally:
        unregister_plugin(plugin)
    assert calls == [1]


@pytest.mark.parametrize("watching", [False, True])
async def test_without_listeners_nothing_is_built(
    filled: AsyncStore, monkeypatch: pytest.MonkeyPatch, watching: bool
) -> None:
    """With nobody listening neither an observation nor an event object is made by any operation."""
    made: list[str] = []

    def noting(kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            made.append(kind)
            return real(*args, **kwargs)

        return make

    observation = noting("observation", async_observe.AsyncObservation)
    monkeypatch.setattr(async_store, "AsyncObservation", observation)
    monkeypatch.setattr(event, "OperationEvent", noting("event", OperationEvent))
    listener = Listener()
    if watching:
        register_plugin(listener)
    try:
        for name in EVENTS:
            with contextlib.suppress(NotFound, AlreadyExists):
                await drain(EVENTS[name][0](filled))
    finally:
        if watching:
            unregister_plugin(listener)
    # The watched run shows that this test can see them being built.
    assert made == (["observation", "event"] * len(EVENTS) if watching else [])


async def test_no_event_object_while_only_logging(
    filled: AsyncStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Logging alone takes the watched way, but builds no event."""
    built: list[Any] = []
    monkeypatch.setattr(event, "OperationEvent", lambda *fields: built.append(fields))
    caplog.set_level(logging.DEBUG, "remote_store")
    await filled.read_bytes("d/f")
    assert caplog.records
    assert built == []


async def test_registering(filled: AsyncStore) -> None:
    """A plugin is registered once, under one name; every misuse is a PluginError."""

    class Misspelt:
        @hookimpl
        def remote_store_operatoin(self, event: OperationEvent) -> None:
            pass

    class Demanding:
        @hookimpl
        def remote_store_operation(self, event: OperationEvent, more: int) -> None:
            pass

    one, two = Listener(), Listener()
    assert register_plugin(one, "taken") == "taken"
    try:
        for plugin, name in [
            (one, "other"),
            (two, "taken"),
            (Misspelt(), None),
            (Demanding(), None),
        ]:
            with pytest.raises(PluginError):
                register_plugin(plugin, name)
        await filled.exists("d")
        assert (len(one.events), len(two.events)) == (1, 0)
    finally:
        unregister_plugin(one)
    with pytest.raises(PluginError, match="not registered"):
        unregister_plugin(one)
    await filled.exists("d")
    assert len(one.events) == 1
