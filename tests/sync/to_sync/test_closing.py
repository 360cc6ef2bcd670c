"""AsyncBackendSyncAdapter: what a close waits for, cancels, logs and leaves."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sync.reference import DictBackend, as_backend
from tests.sync.to_sync.scripted import opened, scripted

from remote_store import AsyncBackendSyncAdapter
from remote_store._threads.loop_thread import LoopThread
from remote_store.aio import SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend

LOGGER = "remote_store._bridge.to_sync"


def test_thread_and_loop() -> None:
    """One daemon thread, named after the class, runs one loop, and both end at the close."""
    adapter = AsyncBackendSyncAdapter(AsyncMemoryBackend())
    assert adapter._thread.daemon
    assert adapter._thread.name.startswith("AsyncBackendSyncAdapter-")
    assert adapter._thread.is_alive()
    assert adapter._loop.is_running()
    adapter.close()
    adapter.close()
    assert not adapter._thread.is_alive()
    assert adapter._loop.is_closed()


def test_body_errors_pass_and_aenter_is_not_called() -> None:
    """``with`` closes the backend once and hides nothing; __aenter__ is never called."""
    events = []

    class Entered(AsyncMemoryBackend):
        async def __aenter__(self) -> Any:
            events.append("enter")

        async def aclose(self) -> None:
            events.append("close")

    with pytest.raises(ZeroDivisionError), AsyncBackendSyncAdapter(Entered()):
        raise ZeroDivisionError
    assert events == ["close"]


def test_close_waits_for_what_is_running() -> None:
    """A call in flight ends normally before the loop does."""
    begun = threading.Event()

    async def slow(path: str) -> bool:
        begun.set()
        await asyncio.sleep(0.2)
        return True

    adapter = opened(exists=slow)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(adapter.exists("x")), daemon=True)
    thread.start()
    begun.wait()
    adapter.close()
    thread.join(10)
    assert answers == [True]


def test_close_is_idempotent_across_threads() -> None:
    """Of many closers one closes the backend, the others return."""
    closed = []

    async def aclose() -> None:
        closed.append(1)

    adapter = opened(aclose=aclose)
    threads = [threading.Thread(target=adapter.close) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert closed == [1]


def test_failing_aclose_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the backend's aclose is logged, and the loop ends all the same."""

    async def aclose() -> None:
        raise OSError

    adapter = opened(aclose=aclose)
    adapter.close()
    assert [(r.levelname, r.name) for r in caplog.records] == [("WARNING", LOGGER)]
    assert adapter._loop.is_closed()


@pytest.mark.parametrize("what", ["exists", "delete", "aclose"])
def test_close_that_times_out(caplog: pytest.LogCaptureFixture, what: str) -> None:
    """One warning after the time; the work is cancelled, its caller answered, the loop ended."""
    begun = threading.Event()
    cancelled = threading.Event()

    async def endless(*args: Any, **options: Any) -> bool:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()
        return True

    adapter = opened(**{what: endless})
    errors: list[BaseException] = []

    def call() -> None:
        try:
            getattr(adapter, what)("x")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    if what != "aclose":
        thread.start()
        begun.wait()
    start = time.perf_counter()
    adapter.close(timeout=0.05)
    assert 0.04 < time.perf_counter() - start < 15
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("WARNING", LOGGER)
    assert "AsyncBackendSyncAdapter close timed out" in record.getMessage()
    assert "endless" in record.getMessage() or "_drain" in record.getMessage()
    adapter._thread.join(10)
    assert adapter._loop.is_closed()
    assert cancelled.is_set()
    if what != "aclose":
        thread.join(10)
        assert [str(e) for e in errors] == ["AsyncBackendSyncAdapter is closed"]
        # It had begun: what it changed before it was cancelled cannot be told.
        assert [getattr(e, "outcome_unknown", None) for e in errors] == [what == "delete"]


@pytest.mark.long
def test_task_that_refuses_to_be_cancelled() -> None:
    """Its caller is released all the same, and the thread ends."""
    begun = threading.Event()

    async def stubborn(path: str) -> bool:
        begun.set()
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    adapter = opened(exists=stubborn)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            adapter.exists("x")
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    begun.wait()
    adapter.close(timeout=0.05)
    thread.join(10)
    adapter._thread.join(10)
    assert not thread.is_alive()
    assert not adapter._thread.is_alive()
    assert "is closed" in str(errors[0])
    # The task that never ends is destroyed while pending, which asyncio reports.
    logging.getLogger("asyncio").disabled = True
    try:
        gc.collect()
    finally:
        logging.getLogger("asyncio").disabled = False


def test_generators_are_closed_with_the_loop() -> None:
    """A stream that is still open when the adapter is closed has its generator closed."""
    closed = []

    async def chunks(path: str) -> AsyncIterator[bytes]:
        try:
            yield b"1"
            yield b"2"
        finally:
            closed.append(1)

    adapter = opened(read=chunks)
    stream = adapter.read("x")
    stream.read(1)
    adapter.close()
    assert closed == [1]


@pytest.mark.long
def test_nothing_is_left() -> None:
    """1,000 adapters opened, used and closed leave no thread, loop or descriptor."""
    gc.collect()
    threads = threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd"))
    for n in range(1000):
        with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
            adapter.write("x", b"1")
            if n % 2:
                stream = adapter.read("x")
                stream.read(1)
    assert adapter._loop.is_closed()
    del adapter, stream
    gc.collect()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert not [o for o in gc.get_objects() if isinstance(o, LoopThread) and o.thread.is_alive()]


def test_forgotten_adapter_ends_its_thread() -> None:
    """An adapter that nobody closed and nobody holds does not keep its thread."""
    adapter = AsyncBackendSyncAdapter(AsyncMemoryBackend())
    adapter.exists("")
    thread, loop = adapter._thread, adapter._loop
    del adapter
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
    assert loop.is_closed()


def test_sync_backend_in_both_directions_at_exit() -> None:
    """Closing an adapter around an adapter ends both's threads."""
    before = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with AsyncBackendSyncAdapter(SyncBackendAdapter(as_backend(DictBackend()))) as adapter:
            adapter.exists("")
    for _ in range(200):
        if not set(threading.enumerate()) - before:
            return
        time.sleep(0.01)
    pytest.fail(f"left: {set(threading.enumerate()) - before}")


def test_structural_backend_without_aclose() -> None:
    """A backend that lacks the members with defaults is closed and asked by the protocol's."""

    class Bare:
        def __init__(self) -> None:
            self._inner = scripted()

        def __getattr__(self, name: str) -> Any:
            if name in ("aclose", "close", "check_health", "_inner"):
                raise AttributeError(name)
            return getattr(self._inner, name)

    backend: Any = Bare()
    backend.exists = AsyncMemoryBackend().exists
    with AsyncBackendSyncAdapter(backend) as adapter:
        adapter.check_health()
        assert adapter.exists("")


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter whose thread cannot be started leaves no loop open."""
    made: list[asyncio.AbstractEventLoop] = []
    real = asyncio.new_event_loop

    def new() -> asyncio.AbstractEventLoop:
        made.append(real())
        return made[-1]

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "new_event_loop", new)
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            AsyncBackendSyncAdapter(AsyncMemoryBackend())
    assert [loop.is_closed() for loop in made] == [True]
