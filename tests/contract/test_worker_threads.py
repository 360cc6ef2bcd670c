"""The threads of the pool: when they start and end, what they keep, and what they outlive."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from tests.contract.gates import PREFIX, Gate, is_gone, threads, wait_until
from tests.contract.probes import CallerError, in_new_loop

from remote_store._threads import thread_pool, worker_pool
from remote_store._threads.thread_pool import Job, ThreadPool
from remote_store.aio.workers import WorkerPool


@pytest.mark.asyncio
@pytest.mark.parametrize("late", [False, True])
async def test_close_cannot_come_between(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """A call is answered although the pool is closed while it is being submitted."""
    put = ThreadPool.put
    answers: list[bool] = []

    def closing(crew: ThreadPool, job: Job) -> bool:
        if late:
            answers.append(put(crew, job))
            pool.close()
        else:
            if not answers:
                pool.close()
            answers.append(put(crew, job))
        return answers[-1]

    monkeypatch.setattr(ThreadPool, "put", closing)
    assert await asyncio.wait_for(pool.query(lambda: 7), 10) == 7
    assert answers == ([True] if late else [False, True])


def test_close_forgets_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was put is done, although the pool is closed before its idle thread wakes."""
    find = ThreadPool._next
    idle, go_on = threading.Event(), threading.Event()

    def slow(crew: ThreadPool, called: Any) -> Job | None:
        job = find(crew, called)
        if job is None:
            idle.set()
            go_on.wait(10)
        return job

    monkeypatch.setattr(ThreadPool, "_next", slow)
    pool = WorkerPool(PREFIX, 1)
    pool.executor.submit(int)
    assert idle.wait(10)
    late = pool.executor.submit(int, 5)
    pool.close()
    go_on.set()
    assert late.result(10) == 5
    assert wait_until(lambda: not threads())


@pytest.mark.asyncio
async def test_one_call_after_another_needs_one_thread(pool: WorkerPool) -> None:
    """A thread counts as free when its caller hears of the result, so no second one starts."""
    for n in range(200):
        assert await pool.query(int, n) == n
    assert len(threads()) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["query", "mutate", "executor"])
async def test_nothing_is_kept_alive(pool: WorkerPool, how: str) -> None:
    """Neither an idle thread nor an error holds what a call got or raised."""

    class Thing(Exception):
        pass

    def fail(thing: Thing) -> None:
        raise thing

    gc.disable()
    try:
        thing = Thing()
        gone = weakref.ref(thing)
        if how == "executor":
            assert pool.executor.submit(fail, thing).exception(10) is thing
        else:
            with contextlib.suppress(Thing):
                await getattr(pool, how)(fail, thing)
        thing.__traceback__ = None
        del thing
        assert await is_gone(gone)
    finally:
        gc.enable()


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["query", "mutate"])
async def test_errors_make_no_cycle(pool: WorkerPool, how: str) -> None:
    """An error that was dealt with is gone at once, with all that its frames hold."""

    def fail() -> None:
        raise CallerError

    gc.disable()
    try:
        try:
            await getattr(pool, how)(fail)
        except CallerError as error:
            gone = weakref.ref(error)
        assert await is_gone(gone)
    finally:
        gc.enable()


@pytest.mark.asyncio
async def test_threads_end_with_a_forgotten_pool() -> None:
    """A pool that is dropped instead of closed takes its threads with it."""
    pool = WorkerPool(PREFIX, 2)
    await pool.query(int)
    assert threads()
    del pool
    gc.collect()
    assert wait_until(lambda: not threads())


@pytest.mark.asyncio
async def test_no_thread_to_be_had(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any thread a call fails at once; with one the others wait for it."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            await pool.query(int)
    gate = Gate()
    busy = asyncio.create_task(pool.query(gate))
    await gate.wait_started()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        waiting = asyncio.create_task(pool.query(int, 5))
        await asyncio.sleep(0)
    gate.release.set()
    assert (await busy, await waiting) == ("done", 5)


@pytest.mark.asyncio
async def test_executor(pool: WorkerPool) -> None:
    """The executor uses the same threads; what it has not begun can be cancelled."""
    executor = pool.executor
    names = list(executor.map(lambda _: threading.current_thread().name, range(3)))
    assert all(name.startswith(PREFIX) for name in names)
    assert await asyncio.get_running_loop().run_in_executor(executor, divmod, 7, 2) == (3, 1)
    assert executor.submit(int, "ff", base=16).result(10) == 255
    error = CallerError("x")

    def fail() -> None:
        raise error

    assert executor.submit(fail).exception(10) is error
    gates = [Gate(), Gate()]
    busy = [executor.submit(gate) for gate in gates]
    for gate in gates:
        await gate.wait_started()
    queued = executor.submit(gates.clear)
    assert queued.cancel()
    for gate in gates:
        gate.release.set()
    assert [job.result(10) for job in busy] == ["done", "done"]
    executor.shutdown()
    assert len(gates) == 2
    assert executor.submit(int).result(10) == 0


EXIT = """
import sys, time
from pathlib import Path
from remote_store._threads import thread_pool, worker_pool
from remote_store._threads.thread_pool import ThreadPool, Job
from remote_store.aio.workers import WorkerPool

def work():
    time.sleep(0.3)
    Path(sys.argv[1]).write_text("done")

pool = WorkerPool("exit", 2)
pool.executor.submit(work)
"""


def test_exit_waits_for_what_runs(tmp_path: Path) -> None:
    """The interpreter ends after the running calls, and not later because of idle threads."""
    result = tmp_path / "result"
    subprocess.run([sys.executable, "-c", EXIT, result], check=True, timeout=30)
    assert result.read_text() == "done"


def test_fork_while_the_pool_is_in_use(pool: WorkerPool) -> None:
    """A lock that was held at the fork, and is for ever in the child, stops nobody there."""
    in_new_loop(pool.query(int))
    crew = pool._pool
    assert crew is not None
    statuses: list[int] = []
    with crew._lock:
        forker = threading.Thread(target=_fork_and_use, args=(pool, statuses))
        forker.start()
        forker.join(20)
    assert statuses == [0]


def _fork_and_use(pool: WorkerPool, statuses: list[int]) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover - measured in the parent
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(10)
        right = False
        try:
            answer = in_new_loop(pool.query(os.getpid))
            pool.close()
            thread_pool._end_all()
            right = answer == os.getpid()
        finally:
            os._exit(0 if right else 1)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@pytest.mark.asyncio
async def test_withdrawn_call_keeps_nothing() -> None:
    """A call that was taken back lets go of what it got, however long it stays in the queue."""

    class Thing:
        pass

    pool = WorkerPool(PREFIX, 1)
    gate = Gate()
    busy = asyncio.create_task(pool.query(gate))
    await gate.wait_started()
    thing = Thing()
    gone = weakref.ref(thing)
    queued = asyncio.create_task(pool.mutate(id, thing))
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.wait({queued})
    del thing, queued
    assert await is_gone(gone)
    assert not gate.done
    gate.release.set()
    await busy
    pool.close()
    assert wait_until(lambda: not threads())


LATE = """
import atexit, asyncio, threading
from remote_store.aio.workers import WorkerPool

def late():
    print(asyncio.run(pool.query(threading.current_thread)) is worker)

atexit.register(late)
pool = WorkerPool("exit", 2)
worker = asyncio.run(pool.query(threading.current_thread))
"""

UNAWAITED = """
import threading
from remote_store.aio.workers import WorkerPool

begun = threading.Event()

def work():
    begun.set()
    threading.Event().wait()

pool = WorkerPool("exit", 1, exit_waits=False)
pool.executor.submit(work)
begun.wait()
print("True")
"""


@pytest.mark.parametrize("code", [LATE, UNAWAITED], ids=["callback", "unawaited"])
def test_exit(code: str) -> None:
    """A program's exit callbacks still find the threads; those of sources keep no process."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("True", "")


@pytest.mark.parametrize("threads", ["none", "some"])
def test_fork_while_threads_are_replaced(pool: WorkerPool, threads: str) -> None:
    """A fork in the middle of another thread's first call does not stop the child."""
    if threads == "some":
        in_new_loop(pool.query(int))
    statuses: list[int] = []
    with worker_pool._lock:
        forker = threading.Thread(target=_fork_and_use, args=(pool, statuses))
        forker.start()
        forker.join(20)
    assert statuses == [0]
