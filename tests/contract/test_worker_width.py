"""How many threads of the pool work: one while jobs are short, more when one blocks."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator

import pytest
from tests.contract.gates import PREFIX, threads, wait_until

from remote_store._threads import thread_pool
from remote_store._threads.thread_pool import ThreadPool
from remote_store.aio.workers import WorkerPool

WAIT = 30.0


@pytest.fixture
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what watches see nothing: on a busy machine a short job may look like a long one."""
    monkeypatch.setattr(thread_pool._Look, "blocked", lambda *_: False)


@pytest.fixture
def wide() -> Iterator[WorkerPool]:
    """Return a pool of eight threads."""
    pool = WorkerPool(PREFIX, 8)
    yield pool
    pool.close()
    assert wait_until(lambda: not threads())


async def meet(pool: WorkerPool, number: int) -> None:
    """Do *number* jobs that end only when all of them run at once."""
    barrier = threading.Barrier(number)
    await asyncio.gather(*(pool.query(barrier.wait, WAIT) for _ in range(number)))


async def assert_one_works(pool: WorkerPool) -> None:
    """While one job goes on, those that wait together with it do not begin."""
    gate = threading.Event()
    held = asyncio.ensure_future(pool.query(gate.wait, WAIT))
    waiting = [asyncio.ensure_future(pool.query(int)) for _ in range(20)]
    assert not (await asyncio.wait([held, *waiting], timeout=0.2))[0]
    gate.set()
    assert await asyncio.gather(held, *waiting) == [True, *[0] * 20]


@pytest.mark.asyncio
async def test_short_jobs_share_a_thread(wide: WorkerPool, nobody_looks: None) -> None:
    """One thread works and a second one watches; there are no others."""
    await assert_one_works(wide)
    assert len(threads()) == 2


@pytest.mark.asyncio
async def test_jobs_that_block_get_threads(wide: WorkerPool) -> None:
    """As many as there are threads run at once, again and again."""
    for _ in range(5):
        await meet(wide, 8)


@pytest.mark.asyncio
async def test_a_job_that_hangs_holds_up_no_other(wide: WorkerPool) -> None:
    """Seven that hang leave one thread, which does everything else."""
    free = threading.Event()
    hanging = [asyncio.ensure_future(wide.query(free.wait, WAIT)) for _ in range(7)]
    for _ in range(2 * thread_pool._SEVERAL):
        await asyncio.wait_for(wide.query(int), WAIT)
    free.set()
    assert all(await asyncio.gather(*hanging))


@pytest.mark.asyncio
async def test_one_thread_is_tried_again(wide: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some jobs of several threads one does them alone."""
    await meet(wide, 8)
    monkeypatch.setattr(thread_pool._Look, "blocked", lambda *_: False)
    for _ in range(thread_pool._SEVERAL):
        await wide.query(int)
    await assert_one_works(wide)


@pytest.mark.asyncio
async def test_many_calls_in_one_job_are_not_one_long_call(wide: WorkerPool) -> None:
    """By the calls that it stands for it is judged whether those that wait get threads."""
    for calls, blocked in ((1, True), (100, False)):
        pool = await wide.mutate(lambda: wide._pool, calls=calls)
        assert pool is not None
        wide.close()
        assert (pool._begun, pool._going_on) == (calls, calls)
        # Whether it begins after the first look, or goes on at that.
        for first in (thread_pool._Look(0, 0, None), thread_pool._Look(calls, calls, None)):
            now = thread_pool._Look(calls, calls, None)
            now._at = first._at + 0.02
            now._used = first._used + 0.02  # it worked all the time
            assert now.blocked(first) is blocked


class Held:
    """A job that ends when it is let go."""

    calls = 1

    def __init__(self) -> None:
        self.begun, self.free, self.delivered = (threading.Event() for _ in range(3))

    def work(self) -> None:
        self.begun.set()
        self.free.wait(WAIT)

    def deliver(self) -> None:
        self.delivered.set()


def test_a_result_does_not_wait_for_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that one alone shall replace hands over what it has done, and watches then."""
    looks = threading.Event()
    monkeypatch.setattr(thread_pool._Look, "blocked", lambda *_: looks.is_set())
    pool = ThreadPool(PREFIX, 2)
    pool._width, pool._narrow_at = 2, 3
    first, second, third = Held(), Held(), Held()
    for job in (first, second):
        pool.put(job)
        assert job.begun.wait(WAIT)
    pool._width = 1
    pool.put(third)
    first.free.set()
    assert first.delivered.wait(WAIT)
    assert not third.begun.is_set()
    looks.set()
    assert third.begun.wait(WAIT / 2)
    second.free.set()
    third.free.set()
    assert third.delivered.wait(WAIT)
    assert wait_until(lambda: not pool.busy)
    pool.end()
    pool.wait()


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 16])
def test_nothing_is_lost(size: int) -> None:
    """Loops in several threads, calls of all lengths, cancelled ones, and closes in between."""
    pool = WorkerPool(PREFIX, size)
    counts: list[int] = []
    lengths = (0, 0, 0, 0.0001, 0.0005, 0.002)

    async def one(chance: random.Random) -> int:
        call = asyncio.ensure_future(pool.mutate(time.sleep, chance.choice(lengths)))
        if chance.random() < 0.1:
            await asyncio.sleep(chance.choice(lengths))
            call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            return 1
        return 1

    async def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            calls = (one(chance) for _ in range(chance.randrange(1, 40)))
            counts.append(sum(await asyncio.gather(*calls)) > 0)
            if chance.random() < 0.05:
                pool.close()

    workers = [threading.Thread(target=lambda n=n: asyncio.run(work(n))) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert not any(worker.is_alive() for worker in workers)
    assert len(counts) == 160
    assert wait_until(lambda: not pool.busy)
    pool.close()
    assert wait_until(lambda: not threads())
