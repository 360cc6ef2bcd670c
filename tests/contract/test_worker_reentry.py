"""The pool's threads: what a signal handler or a finaliser does in the middle of a step."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from tests.contract.gates import wait_until

from remote_store._threads import thread_pool
from remote_store._threads.thread_pool import ThreadPool

STEPS = range(60)


class Done:
    """A job that tells that it was done."""

    calls = 1

    def __init__(self) -> None:
        self.event = threading.Event()

    def work(self) -> None:
        self.event.set()

    def deliver(self) -> None:
        pass


class Between:
    """Calls a function before the n-th line of a crew that a thread comes to."""

    def __init__(self, step: int, function: Callable[[], object], ident: int | None) -> None:
        self.left = step
        self.function = function
        self.ident = ident  # of the thread that is to be interrupted; None for any of the crew
        self.fired = False

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        return self.line if frame.f_code.co_filename == thread_pool.__file__ else None

    def line(self, frame: FrameType, event: str, _: object) -> Any:
        here = threading.get_ident()
        ours = here == self.ident if self.ident else here != threading.main_thread().ident
        if event == "line" and ours and not self.fired:
            self.left -= 1
            if self.left < 0:
                self.fired = True
                self.function()
        return self.line


@pytest.fixture
def traced() -> Iterator[None]:
    """Leave no trace function behind, also where coverage had set one."""
    before, of_threads = sys.gettrace(), threading.gettrace()
    yield
    sys.settrace(before)
    threading.settrace(of_threads)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("where", ["caller", "thread"])
@pytest.mark.parametrize("what", ["put", "end"])
def test_reentry(step: int, where: str, what: str, traced: None) -> None:
    """Between any two steps a job may be put or the crew ended, and no job is lost."""
    crew = ThreadPool("remote-store-test", 2 if where == "caller" else 1)
    jobs = [Done() for _ in range(4)]
    extra = Done()
    accepted: list[Done] = []

    def put(job: Done) -> None:
        if crew.put(job):
            accepted.append(job)

    def interrupt() -> None:
        put(extra) if what == "put" else crew.end()

    between = Between(step, interrupt, threading.get_ident() if where == "caller" else None)
    if where == "thread":
        threading.settrace(between)
    put(jobs[0])
    jobs[0].event.wait(10)
    if where == "caller":
        wait_until(lambda: not crew.busy)
        sys.settrace(between)
    for job in jobs[1:]:
        put(job)
    sys.settrace(None)
    for job in accepted:
        assert job.event.wait(10)
    if what == "put" and between.fired:
        assert extra in accepted or where == "thread"
    crew.end()
    for thread in list(crew._threads):
        thread.join(10)
        assert not thread.is_alive()


def test_a_thread_counts_whose_start_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the pool would not be busy while it works."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    pool = ThreadPool("crew", 2)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pool.put(Done())
    wait_until(lambda: not pool.busy and len(pool._threads) == 1)
    begun, go_on = threading.Event(), threading.Event()

    class Held(Done):
        def work(self) -> None:
            begun.set()
            go_on.wait(5)

    pool.put(Held())
    assert begun.wait(5)
    assert pool.busy
    go_on.set()
    pool.end()
    pool.wait()
