"""AsyncBackendSyncAdapter: many threads, and races with the close."""

from __future__ import annotations

import io
import logging
import random
import threading
import time

import pytest

from remote_store import AlreadyExists, AsyncBackendSyncAdapter, NotFound, Store, StoreClosed
from remote_store._threads.loop_thread import LoopThread
from remote_store_memory import AsyncMemoryBackend

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


@pytest.mark.long
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
    outcome: list[object] = []

    async def work() -> int:
        return 1

    def call() -> None:
        try:
            runner.call(work)
        except StoreClosed as error:
            outcome.extend([str(error), error.outcome_unknown])

    thread = threading.Thread(target=call, daemon=True)
    thread.start()

    async def nothing() -> None: ...

    runner.stop(nothing, 10, logging.getLogger("x"))
    assert runner.loop.is_closed()
    late.set()
    thread.join(10)
    assert outcome == ["Owner is closed", False]


def test_call_that_the_loop_never_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that reached the loop's queue, but not the loop before its end, is answered."""
    runner = LoopThread("Owner")
    outcome: list[object] = []

    async def work() -> int:
        return 1

    def call() -> None:
        try:
            runner.call(work)
        except StoreClosed as error:
            outcome.extend([str(error), error.outcome_unknown])

    # As if the loop had been told to stop just before it was told of the call.
    monkeypatch.setattr(runner._inbox, "_take", lambda: None)
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while not runner._inbox._waiting:
        time.sleep(0.001)
    runner.loop.call_soon_threadsafe(runner.loop.stop)
    thread.join(10)
    assert outcome == ["Owner is closed", False]
    runner.thread.join(10)
    assert runner.loop.is_closed()


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_many_threads(rounds: int) -> None:
    """32 threads x 64 mixed operations on one adapter, each round: no deadlock, no mixed result."""
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

        for round_ in range(rounds):
            threads = [
                threading.Thread(target=work, args=(n, round_), daemon=True) for n in range(32)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(50)
                assert not thread.is_alive(), "deadlock"
            assert failures == []
