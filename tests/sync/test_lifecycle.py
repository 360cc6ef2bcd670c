"""AsyncBackendSyncAdapter: guards, closing, races, interrupts, forks and the interpreter's exit."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.sync.reference import DictBackend, as_backend
from tests.sync.test_to_sync import opened, scripted

from remote_store import AlreadyExists, AsyncBackendSyncAdapter, NotFound, Store
from remote_store._loop_thread import LoopThread
from remote_store.aio import SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend

BLOCKING: dict[str, Callable[[AsyncBackendSyncAdapter], Any]] = {
    "exists": lambda a: a.exists("x"),
    "is_file": lambda a: a.is_file("x"),
    "is_folder": lambda a: a.is_folder("x"),
    "read": lambda a: a.read("x"),
    "read_bytes": lambda a: a.read_bytes("x"),
    "read_seekable": lambda a: a.read_seekable("x"),
    "write": lambda a: a.write("x", b""),
    "write_atomic": lambda a: a.write_atomic("x", io.BytesIO()),
    "open_atomic": lambda a: a.open_atomic("x"),
    "delete": lambda a: a.delete("x"),
    "delete_folder": lambda a: a.delete_folder("x"),
    "list_files": lambda a: a.list_files("x"),
    "list_folders": lambda a: a.list_folders("x"),
    "glob": lambda a: a.glob("x"),
    "iter_children": lambda a: a.iter_children("x"),
    "get_file_info": lambda a: a.get_file_info("x"),
    "get_folder_info": lambda a: a.get_folder_info("x"),
    "move": lambda a: a.move("x", "y"),
    "copy": lambda a: a.copy("x", "y"),
    "check_health": lambda a: a.check_health(),
}


@pytest.mark.parametrize("name", BLOCKING)
def test_guards(name: str) -> None:
    """In a running loop and on a closed adapter every blocking call is refused, closed first."""
    adapter = AsyncBackendSyncAdapter(AsyncMemoryBackend())

    async def inside(reason: str) -> None:
        with pytest.raises(RuntimeError, match=reason):
            BLOCKING[name](adapter)

    asyncio.run(inside("cannot be called from a running event loop.*AsyncStore"))
    adapter.close()
    with pytest.raises(RuntimeError, match=r"^AsyncBackendSyncAdapter is closed$"):
        BLOCKING[name](adapter)
    asyncio.run(inside("is closed"))


def test_pulls_are_guarded() -> None:
    """Streams and listings that were opened before are refused in a running loop, too."""
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        adapter.write("x", b"12")
        stream, files = adapter.read("x"), adapter.list_files("")

        async def inside() -> None:
            for pull in (lambda: stream.read(1), lambda: next(files)):
                with pytest.raises(RuntimeError, match="running event loop"):
                    pull()
            stream.close()
            files.close()  # type: ignore[attr-defined]

        asyncio.run(inside())


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
    thread = threading.Thread(target=lambda: answers.append(adapter.exists("x")))
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
    assert [(r.levelname, r.name) for r in caplog.records] == [("WARNING", "remote_store._to_sync")]
    assert adapter._loop.is_closed()


@pytest.mark.parametrize("what", ["call", "aclose"])
def test_close_that_times_out(caplog: pytest.LogCaptureFixture, what: str) -> None:
    """One warning after the time; the work is cancelled, its caller answered, the loop ended."""
    begun = threading.Event()
    cancelled = threading.Event()

    async def endless(*args: Any) -> bool:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()
        return True

    adapter = opened(exists=endless) if what == "call" else opened(aclose=endless)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            adapter.exists("x")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    if what == "call":
        thread.start()
        begun.wait()
    start = time.perf_counter()
    adapter.close(timeout=0.05)
    assert 0.04 < time.perf_counter() - start < 2
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("WARNING", "remote_store._to_sync")
    assert "AsyncBackendSyncAdapter close timed out" in record.getMessage()
    assert "endless" in record.getMessage() or "_drain" in record.getMessage()
    adapter._thread.join(10)
    assert adapter._loop.is_closed()
    assert cancelled.is_set()
    if what == "call":
        thread.join(10)
        assert [str(e) for e in errors] == ["AsyncBackendSyncAdapter is closed"]


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

    thread = threading.Thread(target=call)
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


def test_no_call_is_lost_in_a_race_with_close() -> None:
    """Whatever the moment of the close, each call gives its answer or RuntimeError; none hangs."""
    for round_ in range(60):
        adapter = AsyncBackendSyncAdapter(AsyncMemoryBackend())
        outcomes: list[object] = []
        start = threading.Barrier(9)

        def use(
            adapter: AsyncBackendSyncAdapter = adapter,
            outcomes: list[object] = outcomes,
            start: threading.Barrier = start,
        ) -> None:
            start.wait()
            for _ in range(200):
                try:
                    outcomes.append(adapter.exists(""))
                except RuntimeError as error:
                    outcomes.append(str(error))

        threads = [threading.Thread(target=use, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        start.wait()
        time.sleep(round_ * 0.0005)
        adapter.close()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive(), "a call hangs"
        assert len(outcomes) == 1600
        assert set(outcomes) <= {True, "AsyncBackendSyncAdapter is closed"}
        with pytest.raises(RuntimeError, match="is closed"):
            adapter.exists("")


def test_call_that_comes_after_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that passed the guard and arrives when the loop has ended is answered."""
    runner = LoopThread("Owner")
    real = runner.guard
    late = threading.Event()

    def slow_guard() -> None:
        real()
        late.wait(10)

    monkeypatch.setattr(runner, "guard", slow_guard)
    outcome: list[str] = []

    async def work() -> int:
        return 1

    def call() -> None:
        try:
            runner.call(work)
        except RuntimeError as error:
            outcome.append(str(error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()

    async def nothing() -> None: ...

    runner.stop(nothing, 10, logging.getLogger("x"))
    assert runner.loop.is_closed()
    late.set()
    thread.join(10)
    assert outcome == ["Owner is closed"]


def test_many_threads() -> None:
    """32 threads x 64 mixed operations on one adapter, 20 rounds: no deadlock, no mixed result."""
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        store = Store(adapter)
        failures: list[BaseException] = []

        def work(seed: int, round_: int) -> None:
            pick = random.Random(seed * 1000 + round_)
            mine: dict[str, bytes] = {}
            folder = f"r{round_}/t{seed}"
            try:
                for n in range(64):
                    key = f"{folder}/{pick.randrange(8)}"
                    match pick.randrange(7):
                        case 0 | 1:
                            mine[key] = f"{seed} {n} {key}".encode() * 50
                            source = io.BytesIO(mine[key]) if n % 2 else mine[key]
                            store.write(key, source, overwrite=True)
                        case 2:
                            assert store.exists(key) == (key in mine)
                        case 3:
                            if key in mine:
                                with store.read(key) as stream:
                                    assert stream.read() == mine[key]
                            else:
                                with pytest.raises(NotFound):
                                    store.read_bytes(key)
                        case 4:
                            store.delete(key, missing_ok=True)
                            mine.pop(key, None)
                        case 5:
                            found = {f"{folder}/{f.name}" for f in store.list_files(folder)}
                            assert found == set(mine)
                        case _:
                            if key in mine:
                                with pytest.raises(AlreadyExists):
                                    store.write(key, b"")
            except BaseException as error:
                failures.append(error)

        for round_ in range(20):
            threads = [
                threading.Thread(target=work, args=(n, round_), daemon=True) for n in range(32)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(50)
                assert not thread.is_alive(), "deadlock"
            assert failures == []


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


# Interrupts ------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["exists", "read"])
def test_keyboard_interrupt_cancels_the_call(call: str) -> None:
    """Ctrl-C in the waiting thread cancels the coroutine, waits for its end, and is raised."""
    events: list[str] = []

    async def slow(*args: Any) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            events.append("cancelled")
            await asyncio.sleep(0.1)
            events.append("cleaned up")
            raise
        return True

    async def chunks(path: str) -> AsyncIterator[bytes]:
        await slow()
        yield b""

    with opened(exists=slow, read=chunks) as adapter:
        with pytest.raises(KeyboardInterrupt):
            _ = adapter.exists("x") if call == "exists" else adapter.read("x").read()
        assert events == ["cancelled", "cleaned up"]
        assert adapter.is_folder("")


def test_second_interrupt_stops_waiting() -> None:
    """A coroutine that does not end keeps nobody who interrupts twice."""
    release = threading.Event()

    async def stubborn(path: str) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        while not release.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                os.kill(os.getpid(), signal.SIGINT)
        return True

    with opened(exists=stubborn) as adapter:
        try:
            with pytest.raises(KeyboardInterrupt):
                adapter.exists("x")
        finally:
            release.set()


# Forks and the interpreter's exit ------------------------------------------------------


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_is_told() -> None:
    """In a forked child calls say so, close returns, a new adapter works; the parent's lives."""
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        adapter.write("x", b"1")
        stream = adapter.read("x")
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            told = b"nothing"
            try:
                try:
                    adapter.exists("x")
                except RuntimeError as error:
                    told = str(error).encode()
                stream.close()
                adapter.close()
                with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as fresh:
                    told += b" | " + str(fresh.exists("")).encode()
            except BaseException as error:
                told = repr(error).encode()
            finally:
                os.write(write, told)
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            heard = pipe.read().decode()
        os.waitpid(pid, 0)
        assert "fork" in heard
        assert heard.endswith(" | True")
        assert adapter.read_bytes("x") == b"1"
        stream.close()


EXIT = """
import asyncio, sys, threading
from remote_store import AsyncBackendSyncAdapter, Store
from remote_store_memory import AsyncMemoryBackend
store = Store(AsyncBackendSyncAdapter(AsyncMemoryBackend()))
store.write("x", b"123")
stream = store.read("x")
stream.read(1)
files = store.list_files("")
next(files)
{more}
print("end")
"""

HANGING = """
class Hanging(AsyncMemoryBackend):
    async def exists(self, path):
        await asyncio.sleep(3600)
hanging = AsyncBackendSyncAdapter(Hanging())
threading.Thread(target=lambda: hanging.exists("x"), daemon=True).start()
import time; time.sleep(0.2)
"""


@pytest.mark.parametrize("more", ["", HANGING, "sys.exit(0)", "1 // 0"])
def test_interpreter_exit(more: str) -> None:
    """Nothing closed, streams open, a call in flight: the process ends soon and says nothing."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", EXIT.format(more=more)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    noise = [line for line in done.stderr.splitlines() if line]
    if more == "1 // 0":
        assert done.returncode == 1
        assert noise[-1].startswith("ZeroDivisionError")
        assert len(noise) <= 4
    else:
        assert (done.returncode, noise) == (0, [])
    assert time.perf_counter() - start < 20


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
