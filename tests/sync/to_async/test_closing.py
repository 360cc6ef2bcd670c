"""SyncBackendAdapter: the close waits for running calls, and tells those that it overtakes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.contract.probes import CallerError
from tests.sync.reference import DictBackend, as_backend
from tests.sync.to_async.probes import chunks, gone, worker_threads

from remote_store import AlreadyExists, NotFound, StoreClosed
from remote_store._bridge import calls
from remote_store.aio import SyncBackendAdapter

pytestmark = pytest.mark.asyncio


class Connected(DictBackend):
    """Its close is final; calls fail in the raw when the connection is closed under them."""

    close_is_terminal = True

    def __init__(self) -> None:
        super().__init__({"z": b"1"})
        self.begun = threading.Semaphore(0)
        self.release = threading.Event()

    def _called(self, name: str) -> None:
        super()._called(name)
        if name != "close":
            self.begun.release()
            assert self.release.wait(30)
            if self.closed:
                raise OSError(9, "Bad file descriptor")
        else:
            self.release.set()


@pytest.fixture
def connected() -> Connected:
    """A backend whose calls wait to be let go."""
    return Connected()


@pytest.fixture
def terminal(connected: Connected) -> SyncBackendAdapter:
    """An adapter around it."""
    return SyncBackendAdapter(as_backend(connected))


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A close that waits for a moment only."""
    monkeypatch.setattr(calls, "_PATIENCE", 0.1)


async def test_running_calls_are_waited_for(
    terminal: SyncBackendAdapter, connected: Connected
) -> None:
    """Calls in flight, streamed ones too, end as ever, and no thread is left (LIFE-004)."""
    before = set(worker_threads())
    running = [
        asyncio.ensure_future(call)
        for call in (
            terminal.read_bytes("z"),
            terminal.write("n", b"1"),
            terminal.write("m", chunks(b"12")),
            terminal.write("z", b"2"),
        )
    ]
    for _ in running:
        assert await asyncio.to_thread(connected.begun.acquire, True, 30)
    closing = asyncio.ensure_future(terminal.aclose())
    await asyncio.sleep(0.05)
    assert not closing.done()
    connected.release.set()
    await closing
    ends: list[Any] = await asyncio.gather(*running, return_exceptions=True)
    assert ends[0] == b"1"
    assert [end.size for end in ends[1:3]] == [1, 2]
    assert type(ends[3]) is AlreadyExists
    assert [name for name, _ in connected.calls][-1] == "close"
    await gone(lambda: set(worker_threads()) - before)


@pytest.mark.parametrize("thrown_away", [False, True])
async def test_streamed_write_alone_is_waited_for(
    terminal: SyncBackendAdapter, connected: Connected, thrown_away: bool
) -> None:
    """A streamed write counts until its thread is done, which is not one of the pool."""
    coroutine: Any = terminal.write("n", chunks(b"1"))
    coroutine.send(None)
    assert await asyncio.to_thread(connected.begun.acquire, True, 30)
    if thrown_away:
        coroutine.close()
    closing = asyncio.ensure_future(terminal.aclose())
    await asyncio.sleep(0.05)
    assert not closing.done()
    connected.release.set()
    if not thrown_away:
        await asyncio.sleep(0.05)
        assert not closing.done()  # it waits for its source, which is this task
        coroutine.close()
    await closing
    assert [name for name, _ in connected.calls] == ["write", "close"]


async def test_new_calls_are_refused(terminal: SyncBackendAdapter, connected: Connected) -> None:
    """From the start of a terminal close each new call is a StoreClosed, without a thread."""
    running = asyncio.ensure_future(terminal.exists("z"))
    assert await asyncio.to_thread(connected.begun.acquire, True, 30)
    closing = asyncio.ensure_future(terminal.aclose())
    await asyncio.sleep(0.02)
    for moment in ("closing", "closed"):
        for call in (
            lambda: terminal.exists("z"),
            lambda: terminal.write("n", b"1"),
            lambda: terminal.write("n", chunks(b"1")),
            lambda: anext(terminal.read("z")),
            lambda: anext(terminal.list_files("")),
        ):
            with pytest.raises(StoreClosed, match="closed") as refused:
                await call()
            assert not refused.value.outcome_unknown
        if moment == "closing":
            connected.release.set()
            await closing
    assert await running
    assert [name for name, _ in connected.calls] == ["exists", "close"]
    await gone(worker_threads)


@pytest.mark.usefixtures("_impatient")
async def test_overtaken_calls_are_told(terminal: SyncBackendAdapter, connected: Connected) -> None:
    """What fails because the backend was closed under it is a StoreClosed that says so."""
    running = [
        asyncio.ensure_future(call)
        for call in (terminal.write("n", b"1"), terminal.write("m", chunks(b"1")))
    ]
    for _ in running:
        assert await asyncio.to_thread(connected.begun.acquire, True, 30)
    await terminal.aclose()
    for end in await asyncio.gather(*running, return_exceptions=True):
        assert isinstance(end, StoreClosed)
        assert end.outcome_unknown
        assert isinstance(end.__cause__, OSError)
    await gone(worker_threads)


@pytest.mark.usefixtures("_impatient")
async def test_callers_error_outlives_the_close(
    terminal: SyncBackendAdapter, connected: Connected
) -> None:
    """What the caller's source raises after the close is still that object."""
    error = CallerError()
    connected.release.set()
    go_on = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield b"1"
        await go_on.wait()
        raise error

    running = asyncio.ensure_future(terminal.write("n", source()))
    assert await asyncio.to_thread(connected.begun.acquire, True, 30)
    await terminal.aclose()
    go_on.set()
    with pytest.raises(CallerError) as caught:
        await running
    assert caught.value is error


@pytest.mark.usefixtures("_impatient")
async def test_hung_calls_do_not_keep_the_close(
    terminal: SyncBackendAdapter, connected: Connected
) -> None:
    """With every thread of the pool hung, the backend is closed all the same, which cuts them."""
    for _ in range(32):
        running = asyncio.ensure_future(terminal.exists("z"))
        assert await asyncio.to_thread(connected.begun.acquire, True, 30)
        running.cancel()
    start = time.monotonic()
    await terminal.aclose()
    assert time.monotonic() - start < 20  # the calls hang for 30 s if nobody cuts them
    assert connected.closed == 1
    await gone(worker_threads)


async def test_cancelled_close_closes(terminal: SyncBackendAdapter, connected: Connected) -> None:
    """A close that is cancelled while it waits for others closes the backend at once."""
    running = asyncio.ensure_future(terminal.exists("z"))
    assert await asyncio.to_thread(connected.begun.acquire, True, 30)
    closing = asyncio.ensure_future(terminal.aclose())
    await asyncio.sleep(0.02)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert connected.closed == 1
    with pytest.raises(StoreClosed):
        await running


CALLS: dict[str, Callable[[SyncBackendAdapter], Awaitable[Any]]] = {
    "write": lambda a: a.write("z", b"2"),
    "streamed": lambda a: a.write("z", chunks(b"2")),
    "delete": lambda a: a.delete("gone"),
    "read_bytes": lambda a: a.read_bytes("gone"),
    "read": lambda a: anext(a.read("gone")),
}


@pytest.mark.parametrize("name", CALLS)
async def test_calls_that_have_ended_keep_their_answer(
    terminal: SyncBackendAdapter, connected: Connected, name: str
) -> None:
    """What the backend answered before it was closed is not said to be overtaken."""
    connected.release.set()
    running = asyncio.ensure_future(CALLS[name](terminal))
    await asyncio.sleep(0.01 if name == "streamed" else 0)
    time.sleep(0.05)  # it ends in its thread, and the loop has not been told
    await terminal.aclose()
    answers = await asyncio.gather(running, return_exceptions=True)
    assert type(answers[0]) in (AlreadyExists, NotFound)


async def test_no_answer_is_lost_in_a_race_with_close() -> None:
    """The same at any moment: each call has its own answer, or was refused at its start."""
    for turns in range(200):
        backend = Connected()
        backend.release.set()
        adapter = SyncBackendAdapter(as_backend(backend))
        running = [asyncio.ensure_future(adapter.delete("gone")) for _ in range(4)]
        for _ in range(turns % 8):
            await asyncio.sleep(0)
        await adapter.aclose()
        ends: list[Any] = await asyncio.gather(*running, return_exceptions=True)
        for end in ends:
            assert type(end) is NotFound or (
                type(end) is StoreClosed and end.__cause__ is None and not end.outcome_unknown
            )


async def test_close_that_is_cancelled_at_any_moment() -> None:
    """The backend is closed whenever the cancellation comes, once the close has begun."""
    for turns in range(200):
        backend = DictBackend()
        adapter = SyncBackendAdapter(as_backend(backend))
        closing = asyncio.ensure_future(adapter.aclose())
        for _ in range(1 + turns % 4):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await gone(lambda backend=backend: not backend.closed)  # type: ignore[misc]
        assert backend.closed == 1


async def test_open_reader_at_a_close(terminal: SyncBackendAdapter, connected: Connected) -> None:
    """Its next chunk is refused, and no thread is started for it."""
    connected.files["z"] = bytes(8 << 20)
    connected.release.set()
    reader = terminal.read("z")
    await anext(reader)
    await terminal.aclose()

    async def rest() -> None:
        async for _ in reader:
            pass

    with pytest.raises(StoreClosed) as refused:
        await rest()
    assert not refused.value.outcome_unknown
    await gone(worker_threads)


async def test_forked_child_waits_for_none_of_its_parents_calls(
    adapter: SyncBackendAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran in the parent at the fork does not run in the child."""
    monkeypatch.setattr(calls, "_PATIENCE", 1000.0)
    inherited = calls.Running(adapter._calls)
    inherited.pid = -1
    with inherited:
        async with asyncio.timeout(20):
            await adapter.aclose()


async def test_close_without_a_thread(
    adapter: SyncBackendAdapter, backend: DictBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be started the backend is closed nevertheless; its own error counts."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        await adapter.aclose()
    assert backend.closed == 1

    def fail(name: str) -> Any:
        raise RuntimeError("of the backend")

    backend.on_call = fail
    with pytest.raises(RuntimeError, match="of the backend"):
        await adapter.aclose()
    assert [name for name, _ in backend.calls] == ["close", "close"]


async def test_closed_comes_first(terminal: SyncBackendAdapter, connected: Connected) -> None:
    """After a terminal close the backend is not asked, whatever the path is."""
    await terminal.aclose()
    connected.calls.clear()
    for path in ("", ".", "/x", "../x", "\0"):
        for call in (
            terminal.exists(path),
            terminal.read_bytes(path),
            terminal.write(path, b""),
            terminal.write(path, chunks(b"1")),
            terminal.copy("z", path),
            terminal.delete_folder(path),
            anext(terminal.read(path)),
            anext(terminal.list_files(path)),
            terminal.check_health(),
        ):
            with pytest.raises(StoreClosed) as caught:
                await call
            assert not caught.value.outcome_unknown
    assert connected.calls == []
