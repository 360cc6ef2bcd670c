"""The thread pool: what cancellation means, forks, context, and that nothing is left."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import threading
import time
from typing import Any

import pytest
from tests.contract.gates import PREFIX, Gate, threads, wait_until
from tests.contract.probes import CallerError, in_new_loop

from remote_store.aio.workers import WorkerPool, settle


@pytest.mark.parametrize("workers", [0, -1])
def test_at_least_one_worker(workers: int) -> None:
    """A pool that could never work is refused at construction."""
    with pytest.raises(ValueError, match="max_workers"):
        WorkerPool(PREFIX, workers)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["query", "mutate"])
async def test_results_and_threads(pool: WorkerPool, how: str) -> None:
    """A call runs in a thread of this pool, with its arguments, and gives its result."""
    call = getattr(pool, how)
    assert await call(divmod, 7, 2) == (3, 1)
    name = await call(lambda: threading.current_thread().name)
    assert name.startswith(PREFIX)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["query", "mutate"])
async def test_exceptions_are_the_same_object(pool: WorkerPool, how: str) -> None:
    """What the function raises comes out as it is, BaseException included."""

    class Own(BaseException):
        pass

    for error in (CallerError("x"), OSError(5, "io"), Own(), asyncio.CancelledError("inner")):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            await getattr(pool, how)(fail)
        if not isinstance(error, asyncio.CancelledError):
            assert caught.value is error


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["query", "mutate"])
async def test_stop_iteration_does_not_hang(pool: WorkerPool, how: str) -> None:
    """StopIteration, which no future can carry, becomes a RuntimeError with it as its cause."""

    def stop() -> None:
        raise StopIteration(7)

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        await asyncio.wait_for(getattr(pool, how)(stop), 5)
    assert isinstance(caught.value.__cause__, StopIteration)


@pytest.mark.asyncio
async def test_a_cancelled_query_leaves_at_once(pool: WorkerPool) -> None:
    """The waiting task goes on while the thread is still busy; its result is dropped."""
    gate = Gate()
    task = asyncio.create_task(pool.query(gate))
    await gate.wait_started()
    task.cancel()
    await asyncio.wait({task}, timeout=2)  # less than the thread's own patience
    assert task.cancelled()
    assert not gate.done
    gate.release.set()
    assert await pool.query(int) == 0


@pytest.mark.asyncio
async def test_a_cancelled_mutation_waits_for_its_thread(pool: WorkerPool) -> None:
    """CancelledError is delivered only when the thread is done, however often it is asked for."""
    gate = Gate()
    told: list[bool] = []
    task = asyncio.create_task(pool.mutate(gate, on_cancel=lambda: told.append(gate.done)))
    await gate.wait_started()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
    assert told == [False]
    gate.release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.done


@pytest.mark.asyncio
async def test_a_cancelled_mutation_that_fails_stays_cancelled(pool: WorkerPool) -> None:
    """An error of the abandoned call neither replaces the cancellation nor is reported as lost."""
    gate = Gate()

    def fail() -> None:
        gate()
        raise CallerError

    task = asyncio.create_task(pool.mutate(fail))
    await gate.wait_started()
    task.cancel()
    gate.release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.done


@pytest.mark.asyncio
async def test_on_cancel_that_fails_does_not_skip_the_wait(pool: WorkerPool) -> None:
    """An error of on_cancel comes out, but only when the thread is done."""
    gate = Gate()

    def fail() -> None:
        threading.Timer(0.05, gate.release.set).start()
        raise CallerError

    task = asyncio.create_task(pool.mutate(gate, on_cancel=fail))
    await gate.wait_started()
    task.cancel()
    with pytest.raises(CallerError):
        await task
    assert gate.done


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["query", "mutate"])
async def test_a_call_that_has_not_started_is_withdrawn(how: str) -> None:
    """A queued call that is cancelled never runs, and is not waited for."""
    pool = WorkerPool(PREFIX, 1)
    gate = Gate()
    ran: list[int] = []
    busy = asyncio.create_task(pool.query(gate))
    await gate.wait_started()
    queued = asyncio.create_task(getattr(pool, how)(ran.append, 1))
    await asyncio.sleep(0)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(queued, 5)
    gate.release.set()
    assert await busy == "done"
    assert await pool.query(len, ran) == 0
    pool.close()
    assert wait_until(lambda: not threads())


@pytest.mark.asyncio
async def test_calls_begin_in_order() -> None:
    """Nobody is overtaken: what was asked first begins first."""
    pool = WorkerPool(PREFIX, 1)
    gate = Gate()
    order: list[int] = []
    busy = asyncio.create_task(pool.query(gate))
    await gate.wait_started()
    queued = [asyncio.create_task(pool.query(order.append, n)) for n in range(10)]
    await asyncio.sleep(0)
    gate.release.set()
    await asyncio.gather(busy, *queued)
    assert order == list(range(10))
    pool.close()
    assert wait_until(lambda: not threads())


@pytest.mark.asyncio
async def test_context_is_carried(pool: WorkerPool) -> None:
    """A thread sees the caller's context variables, and its changes stay in the thread."""
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("caller")

    def look() -> str:
        seen = variable.get()
        variable.set("thread")
        return seen

    assert await pool.query(look) == "caller"
    assert await pool.mutate(look) == "caller"
    assert variable.get() == "caller"


@pytest.mark.asyncio
async def test_never_more_threads_than_asked_for(pool: WorkerPool) -> None:
    """The bound holds however many calls wait."""
    running = 0
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    await asyncio.gather(*(pool.query(work) for _ in range(20)))
    assert most == 2
    assert len(threads()) <= 2


@pytest.mark.asyncio
async def test_default_executor_stays_free(pool: WorkerPool) -> None:
    """A pool full of slow calls does not delay an unrelated thread call."""
    gates = [Gate() for _ in range(64)]
    tasks = [asyncio.create_task(pool.query(gate)) for gate in gates]
    await gates[0].wait_started()
    assert await asyncio.wait_for(asyncio.to_thread(int), 5) == 0
    for gate in gates:
        gate.release.set()
    assert await asyncio.gather(*tasks) == ["done"] * 64


@pytest.mark.asyncio
async def test_threads_start_late_and_end_with_close() -> None:
    """No thread before the first call, none after close, and new ones at the next call."""
    pool = WorkerPool(PREFIX, 2)
    assert threads() == []
    for _ in range(2):
        await pool.query(int)
        assert threads()
        pool.close()
        pool.close()
        assert wait_until(lambda: not threads())


def test_one_pool_serves_many_loops(pool: WorkerPool) -> None:
    """Loops in several threads share one pool at the same time."""
    results: list[int] = []

    async def work(i: int) -> None:
        results.extend(await asyncio.gather(*(pool.mutate(int, i) for _ in range(50))))

    loops = [threading.Thread(target=lambda i=i: in_new_loop(work(i))) for i in range(4)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join(30)
    assert sorted(results) == sorted([0, 1, 2, 3] * 50)


def test_loop_may_end_before_an_abandoned_query(pool: WorkerPool) -> None:
    """A result that comes when its loop is closed harms nobody."""
    gate = Gate()

    async def abandon() -> None:
        task = asyncio.create_task(pool.query(gate))
        await gate.wait_started()
        task.cancel()

    in_new_loop(abandon())
    gate.release.set()
    assert in_new_loop(pool.query(int)) == 0
    assert wait_until(lambda: gate.done)


def test_forked_child_gets_threads_of_its_own(pool: WorkerPool) -> None:
    """A child of fork, in which the parent's threads do not exist, starts new ones."""
    assert in_new_loop(pool.query(os.getpid)) == os.getpid()
    child = os.fork()
    if child == 0:  # pragma: no cover - measured in the parent
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # not the handler of the tests' timeout
        signal.alarm(10)  # a hang ends as a signal, which the parent sees
        right = False
        try:
            right = in_new_loop(pool.query(os.getpid)) == os.getpid()
        finally:
            os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert in_new_loop(pool.query(os.getpid)) == os.getpid()


@pytest.mark.asyncio
async def test_settle_outlives_cancellations() -> None:
    """settle returns when the future is done, not before, and takes its exception off."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(settle(future))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    future.set_exception(CallerError())
    await task
    cancelled: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    await settle(cancelled)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["query", "mutate"])
async def test_call_that_is_thrown_away(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """A coroutine that is closed takes back what has not begun; an error is not called lost."""
    pool = WorkerPool(PREFIX, 1)
    gate = Gate()
    ran: list[int] = []

    def fail() -> None:
        gate()
        raise CallerError

    begun = getattr(pool, how)(fail)
    begun.send(None)
    await gate.wait_started()
    queued = getattr(pool, how)(ran.append, 1)
    queued.send(None)
    queued.close()
    begun.close()
    gate.release.set()
    assert await pool.query(len, ran) == 0
    gc.collect()
    assert caplog.records == []
    pool.close()
    assert wait_until(lambda: not threads())


@pytest.mark.asyncio
async def test_busy(pool: WorkerPool) -> None:
    """A pool is busy while a call runs or waits, and not once its result is there."""
    assert not pool.busy
    gates = [Gate() for _ in range(3)]
    running = [asyncio.create_task(pool.query(gate)) for gate in gates]
    await gates[1].wait_started()
    assert pool.busy
    for gate in gates[:2]:
        gate.release.set()
    await asyncio.gather(*running[:2])
    assert pool.busy
    gates[2].release.set()
    await running[2]
    assert not pool.busy
