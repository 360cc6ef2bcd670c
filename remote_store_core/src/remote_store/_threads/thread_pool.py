"""
Threads that take jobs from a queue.

Not the standard library's ThreadPoolExecutor: what it keeps for each call (a
future with a condition, a semaphore, three locks) takes as long as the switch
to the thread and back itself, and small operations on files do little else.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Job", "ThreadPool"]


class Job(Protocol):
    """Something to do in a thread; neither method may raise."""

    #: How many calls it stands for, by which it is judged whether calls are short.
    calls: int

    def work(self) -> None:
        """Do it."""

    def deliver(self) -> None:
        """Hand the result to the caller; by now the thread counts as free."""


#: Seconds between two looks of the thread that watches.
_LOOK: Final = 0.0002
#: Seconds of little use of the processor that are taken for waiting, although jobs go on.
_IDLE: Final = 0.001
#: Seconds after which calls are judged by how long they take, whatever the processor does.
_LONG: Final = 0.005
#: Seconds that a call may then take on average before the next ones get threads of their own.
_SHORT: Final = 0.0005
#: Calls that several threads begin before one alone is tried again.
_SEVERAL: Final = 256

#: Clock of a thread's processor time; not every system has it.
_clock_of: Callable[[int], int] | None = getattr(time, "pthread_getcpuclockid", None)


class _Seat:
    """What a thread waits on, and what it is called for."""

    __slots__ = ("called", "clock", "counted", "watches")

    def __init__(self, *, watches: bool) -> None:
        self.called = threading.Lock()
        self.called.acquire()
        self.watches = watches
        self.clock: int | None = None
        #: Whether its thread counts as one that works or watches.
        self.counted = False


class _Look:
    """How far the calls of a pool have come, when, and after how much processor time."""

    __slots__ = ("_at", "_begun", "_going_on", "_used")

    def __init__(self, begun: int, going_on: int, worker: _Seat | None) -> None:
        if worker is not None and worker.clock is not None:
            # The system counts the time of a thread that runs up when it is asked for it,
            # and for the process it only adds up what is counted.
            with contextlib.suppress(OSError):  # the thread has ended
                time.clock_gettime(worker.clock)
        self._begun = begun
        self._going_on = going_on
        self._at = time.perf_counter()
        self._used = time.process_time()

    def stale(self, before: _Look) -> bool:
        """Return True if *before* is too old to go on comparing with it."""
        return self._at - before._at > _LONG

    def blocked(self, before: _Look) -> bool:
        """Return True if the jobs that waited since *before* should not wait any longer."""
        calls, passed = self._begun - before._begun, self._at - before._at
        if self._used - before._used < passed / 2 and (not calls or passed > _IDLE):
            return True
        return passed > _LONG and (calls + before._going_on) * _SHORT < passed


class ThreadPool:
    """
    A number of threads, started as they are needed.

    One of them works while jobs are short: several would take the interpreter's
    lock from each other, and get less done. While jobs wait for it a second one
    watches. When the first blocks, all that wait get threads; after some
    jobs one alone is tried again.

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
        "_begun",
        "_ended",
        "_going_on",
        "_idle",
        "_jobs",
        "_lock",
        "_name",
        "_narrow_at",
        "_size",
        "_threads",
        "_watched",
        "_width",
        "_worker",
        "_working",
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
        # end the pool, between any two of them.
        self._lock = threading.RLock()
        self._threads: list[threading.Thread] = []
        self._jobs: deque[Job] = deque()
        self._idle: list[_Seat] = []
        self._ended = False
        #: Threads that work or were called to, and how many shall.
        self._working = 0
        self._width = 1
        #: Whether a thread watches or was called to.
        self._watched = False
        #: Calls begun so far, how many of them with the last job, who began that, and when
        #: one thread is tried again.
        self._begun = 0
        self._going_on = 0
        self._worker: _Seat | None = None
        self._narrow_at = 0
        _pools.add(self)

    @property
    def busy(self) -> bool:
        """Whether a job is being done or waits for a thread."""
        with self._lock:
            return bool(self._jobs) or self._working > 0

    def put(self, job: Job) -> bool:
        """
        Have *job* done by a thread; False if the pool was ended.

        Raises:
            RuntimeError: The system gives the process no thread at all.
        """
        with self._lock:
            if self._ended:
                return False
            self._summon()
            self._jobs.append(job)
        return True

    def _summon(self) -> None:
        """See to it that a job which waits is seen: by one that works, or watches."""
        if self._working < self._width:
            self._call(watches=False)
        elif not self._watched:
            self._call(watches=True)

    def _call(self, *, watches: bool) -> bool:
        """Have an idle thread, or a new one, work or watch; False if there is none."""
        try:
            seat = self._idle.pop()
        except IndexError:
            if len(self._threads) >= self._size or not self._start_thread(watches=watches):
                return False
        else:
            seat.watches = watches
            seat.called.release()
            self._count(seat)
        return True

    def _count(self, seat: _Seat) -> None:
        """Count a thread that was called or started, once; nothing in here lets a handler in."""
        if not seat.counted:
            seat.counted = True
            if seat.watches:
                self._watched = True
            else:
                self._working += 1

    def _start_thread(self, *, watches: bool) -> bool:
        seat = _Seat(watches=watches)
        name = f"{self._name}_{len(self._threads)}"
        # Daemons, because the interpreter waits for other threads before it
        # runs what could end them; `_end_all` does the waiting.
        thread = threading.Thread(target=self._serve, args=(seat,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
            return False
        self._threads.append(thread)
        self._count(seat)
        return True

    def _serve(self, seat: _Seat) -> None:
        if _clock_of is not None:
            seat.clock = _clock_of(threading.get_ident())
        while True:
            with self._lock:
                # By now it is, unless a handler raised where it was called, as that of Ctrl-C does.
                self._count(seat)
            job = self._watch(seat) if seat.watches else self._next(seat)
            while job is not None:
                job.work()
                done, job = job, self._next(seat)
                done.deliver()
                del done  # an idle thread keeps nothing alive
            # A job may have been put, and the pool ended, since we looked.
            if self._ended and not self._jobs:
                return
            seat.called.acquire()

    def _next(self, seat: _Seat) -> Job | None:
        """Return a job for a thread that works; None once it counts as idle."""
        with self._lock:
            if self._jobs and self._working <= self._width:
                return self._begin(seat)
            self._working -= 1
            self._rest(seat)
        return None

    def _watch(self, seat: _Seat) -> Job | None:
        """Return a job when those that wait need threads; None once it counts as idle."""
        before = _Look(self._begun, self._going_on, self._worker)
        while True:
            time.sleep(_LOOK)
            now = _Look(self._begun, self._going_on, self._worker)
            with self._lock:
                if not self._jobs:
                    self._watched = False
                    self._rest(seat)
                    return None
                if now.blocked(before):
                    self._watched = False
                    self._widen()
                    self._working += 1
                    return self._begin(seat)
            if now.stale(before):
                before = now

    def _widen(self) -> None:
        """Give each job that waits, but for the one of the thread that watched, a thread."""
        self._width = self._size
        self._narrow_at = self._begun + _SEVERAL
        for _ in range(len(self._jobs) - 1):
            if not self._call(watches=False):
                break

    def _begin(self, seat: _Seat) -> Job:
        job = self._jobs.popleft()
        self._worker = seat
        self._begun += job.calls
        self._going_on = job.calls
        if self._begun >= self._narrow_at and not self._ended:
            self._width = 1
        return job

    def _rest(self, seat: _Seat) -> None:
        """Count as idle, which a job that waits may end at once."""
        seat.counted = False
        self._idle.append(seat)
        if self._jobs:
            self._summon()

    def end(self) -> None:
        """Let the threads go when all that was put is done; idempotent, never waits."""
        if self.pid != os.getpid():
            return  # in a forked child, where its lock may be held forever
        with self._lock:
            self._ended = True
            self._width = self._size
            while self._idle:
                self._call(watches=False)

    def wait(self) -> None:
        """Wait until the threads of an ended pool are gone."""
        for thread in self._threads:
            thread.join()


_pools: weakref.WeakSet[ThreadPool] = weakref.WeakSet()


def _end_all() -> None:
    pools = list(_pools)
    for pool in pools:
        pool.end()
    for pool in pools:
        if pool.exit_waits:
            pool.wait()


atexit.register(_end_all)
