"""
Threads that take jobs from a queue.

Not the standard library's ThreadPoolExecutor: what it keeps for each call (a
future with a condition, a semaphore, three locks) takes as long as the switch
to the thread and back itself, and small operations on files do little else.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from typing import Protocol

__all__ = ["Job", "ThreadPool"]


class Job(Protocol):
    """Something to do in a thread; neither method may raise."""

    def work(self) -> None:
        """Do it."""

    def deliver(self) -> None:
        """Hand the result to the caller; by now the thread counts as free."""


class ThreadPool:
    """
    A number of threads, started as they are needed.

    Of several idle ones the last that worked goes on: it is the one whose
    stack the processor still remembers. They belong to the process that made
    them: a forked child has none.

    Args:
        name: Prefix of the threads' names.
        size: How many at most.
        exit_waits: Whether the interpreter's exit waits for running jobs.
    """

    __slots__ = (
        "__weakref__",
        "_ended",
        "_idle",
        "_jobs",
        "_lock",
        "_name",
        "_size",
        "_threads",
        "exit_waits",
        "pid",
    )

    def __init__(self, name: str, size: int, *, exit_waits: bool = True) -> None:
        self.pid = os.getpid()
        self.exit_waits = exit_waits
        self._name = name
        self._size = size
        # Reentrant, and no step below takes for granted what the one before it
        # has seen: a signal handler or the garbage collector may put a job, or
        # end the crew, between any two of them.
        self._lock = threading.RLock()
        self._threads: list[threading.Thread] = []
        self._jobs: deque[Job] = deque()
        #: For each idle thread the lock that it waits for.
        self._idle: list[threading.Lock] = []
        self._ended = False
        _pools.add(self)

    @property
    def busy(self) -> bool:
        """Whether a job is being done or waits for a thread."""
        with self._lock:
            return bool(self._jobs) or len(self._idle) < len(self._threads)

    def put(self, job: Job) -> bool:
        """
        Have *job* done by the next free thread; False if the crew was ended.

        Raises:
            RuntimeError: The system gives the process no thread at all.
        """
        with self._lock:
            if self._ended:
                return False
            if not self._idle and len(self._threads) < self._size:
                self._start_thread()
            self._jobs.append(job)
            self._wake()
        return True

    def _wake(self) -> bool:
        """Have an idle thread look for a job; False if there is none."""
        try:
            called = self._idle.pop()
        except IndexError:
            return False
        called.release()
        return True

    def _start_thread(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        # Daemons, because the interpreter waits for other threads before it
        # runs what could end them; `_end_all` does the waiting.
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _serve(self) -> None:
        called = threading.Lock()
        called.acquire()
        job = self._next(called)
        while True:
            if job is None:
                # A job may have been put, and the crew ended, since we looked.
                if self._ended and not self._jobs:
                    return
                called.acquire()
                job = self._next(called)
            else:
                job.work()
                done, job = job, self._next(called)
                done.deliver()
                del done  # an idle thread keeps nothing alive

    def _next(self, called: threading.Lock) -> Job | None:
        """Return a job; without one the thread counts as idle, and has to wait for *called*."""
        with self._lock:
            if not self._jobs:
                self._idle.append(called)
                if not self._jobs:
                    return None
                try:
                    self._idle.remove(called)
                except ValueError:
                    return None  # and called already
            return self._jobs.popleft()

    def end(self) -> None:
        """Let the threads go when all that was put is done; idempotent, never waits."""
        if self.pid != os.getpid():
            return  # in a forked child, where its lock may be held forever
        with self._lock:
            self._ended = True
            while self._wake():
                pass

    def wait(self) -> None:
        """Wait until the threads of an ended crew are gone."""
        for thread in self._threads:
            thread.join()


_pools: weakref.WeakSet[ThreadPool] = weakref.WeakSet()


def _end_all() -> None:
    crews = list(_pools)
    for crew in crews:
        crew.end()
    for crew in crews:
        if crew.exit_waits:
            crew.wait()


atexit.register(_end_all)
