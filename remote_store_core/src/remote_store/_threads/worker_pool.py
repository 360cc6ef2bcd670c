"""A bounded pool of threads for backends whose work blocks."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Generic, ParamSpec, TypeVar, TypeVarTuple

from remote_store._threads.thread_pool import Job, ThreadPool

__all__ = ["WorkerPool", "settle"]

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class WorkerPool:
    """
    Threads of one backend's own, so that slow calls never fill the loop's
    default executor (which also serves DNS lookups).

    Threads start on first use. After `close`, or in a forked child, the next
    use starts new ones. One pool serves any number of loops and threads. The
    interpreter's exit waits for the calls that are running.

    Args:
        name: Prefix of the threads' names.
        max_workers: Calls that may run at once.
        exit_waits: False if the interpreter's exit leaves running calls
            behind, as it may where they change nothing.

    Raises:
        ValueError: *max_workers* is less than 1.
    """

    __slots__ = ("__weakref__", "_dismiss", "_exit_waits", "_max_workers", "_name", "_pool")

    def __init__(self, name: str, max_workers: int, *, exit_waits: bool = True) -> None:
        if max_workers < 1:
            msg = f"max_workers must be at least 1, got {max_workers}"
            raise ValueError(msg)
        self._name = name
        self._max_workers = max_workers
        self._exit_waits = exit_waits
        self._pool: ThreadPool | None = None
        self._dismiss: Callable[[], object] = lambda: None

    @property
    def executor(self) -> Executor:
        """The same threads, for libraries that take an executor."""
        return _PoolExecutor(self._put)

    @property
    def busy(self) -> bool:
        """Whether a call runs or waits for a thread; those from before a `close` do not count."""
        pool = self._pool
        return pool is not None and pool.pid == os.getpid() and pool.busy

    async def query(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """
        Call *function* in a thread; when cancelled, leave it behind at once.

        For work that changes nothing: a result nobody waits for is dropped.
        A *function* that opens something must not return it, or a cancelled
        caller could not close it: it stores it where both can find it.
        """
        call = _PoolCall(function, args)
        self._put(call)
        try:
            return await call.outcome
        except asyncio.CancelledError:
            call.withdraw()
            raise
        except GeneratorExit:
            call.abandon()
            raise
        finally:
            del call  # or an error would keep alive the frame that keeps it alive

    async def mutate(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        on_cancel: Callable[[], object] | None = None,
        calls: int = 1,
    ) -> T:
        """
        Call *function* in a thread; when cancelled, wait for it first.

        CancelledError is delivered once the thread is done, so nothing
        changes afterwards (CANCEL-003). A call that has not started is
        withdrawn instead.

        Args:
            function: What to call.
            args: Its arguments.
            on_cancel: Called at the cancellation, before the wait: the place
                to make a long-running *function* give up.
            calls: How many short calls it makes one after another: those that wait
                get threads of their own where calls take long, not where many are made.
        """
        call = _PoolCall(function, args, calls)
        self._put(call)
        try:
            return await call.outcome
        except asyncio.CancelledError:
            try:
                if on_cancel is not None:
                    on_cancel()
            finally:
                if not call.withdraw():
                    await call.end()
            raise
        except GeneratorExit:  # thrown away: nothing can be awaited
            call.abandon()
            raise
        finally:
            del call

    def close(self) -> None:
        """End the threads; running calls are not waited for."""
        with _lock:
            self._pool = None
            self._dismiss()

    def _put(self, job: Job) -> None:
        pool = self._pool
        # False: closed since we looked.
        while pool is None or pool.pid != os.getpid() or not pool.put(job):
            pool = self._new_pool(pool)

    def _new_pool(self, old: ThreadPool | None) -> ThreadPool:
        with _lock:
            if self._pool is None or self._pool is old:
                self._pool = ThreadPool(self._name, self._max_workers, exit_waits=self._exit_waits)
                # The threads know the pool and not the pool: they end when it is forgotten.
                dismiss = weakref.finalize(self, self._pool.end)
                # Not at exit: the program's own exit callbacks may still make calls.
                dismiss.atexit = False
                self._dismiss = dismiss
            return self._pool


#: Held while a pool's threads are replaced. One for all pools, so that a forked
#: child can have a new one; reentrant, since the garbage collector may close a
#: pool wherever it runs.
_lock = threading.RLock()


def _renew_lock() -> None:
    """Forget the parent's lock, which a thread that does not exist here may hold."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_renew_lock)


class _PoolCall(Generic[T]):
    """
    A call in a thread, awaited in a loop.

    Delivering its result ourselves, instead of chaining asyncio's future to
    one of `concurrent.futures`, is most of what makes a hop cheap.
    """

    __slots__ = (
        "_args",
        "_context",
        "_delivered",
        "_ended",
        "_error",
        "_function",
        "_loop",
        "_result",
        "_taken",
        "calls",
        "outcome",
    )

    def __init__(self, function: Callable[[*Ts], T], args: tuple[*Ts], calls: int = 1) -> None:
        self.calls = calls
        self._function: Callable[..., Any] = function
        self._args: tuple[Any, ...] = args
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[T] = self._loop.create_future()
        self._result: Any = None
        self._error: BaseException | None = None
        #: Held by the thread that makes the call, or by the one that withdrew it first.
        self._taken = threading.Lock()
        self._delivered = False
        self._ended: asyncio.Future[None] | None = None

    # In the thread ---------------------------------------------------------

    def work(self) -> None:
        if not self._taken.acquire(blocking=False):
            return
        try:
            self._result = self._context.run(self._function, *self._args)
        except BaseException as error:  # noqa: BLE001 - re-raised where it is awaited
            self._error = error
            del self  # this frame is in the traceback: they would keep each other alive

    def deliver(self) -> None:
        try:  # noqa: SIM105 - twice as fast as a context manager
            self._loop.call_soon_threadsafe(self._receive, context=self._context)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    # In the loop -----------------------------------------------------------

    def _receive(self) -> None:
        # Taken out: an exception that is kept here would keep this, and itself, alive.
        result, self._result = self._result, None
        error, self._error = self._error, None
        self._delivered = True
        if self._ended is not None:
            self._ended.set_result(None)
        if self.outcome.cancelled():
            return
        if error is None:
            self.outcome.set_result(result)
        elif isinstance(error, StopIteration):
            # A future cannot carry StopIteration; without this its waiter hangs.
            carrier = RuntimeError(f"worker raised {error!r}")
            carrier.__cause__ = error
            self.outcome.set_exception(carrier)
        else:
            self.outcome.set_exception(error)

    def withdraw(self) -> bool:
        """Take the call back; False if a thread has begun it."""
        withdrawn = self._taken.acquire(blocking=False)
        if withdrawn:  # it may stay in the queue for long: without what it was to write
            self._function, self._args = _nothing, ()
        return withdrawn

    def abandon(self) -> None:
        """Take the call back or, once begun, report its end to nobody."""
        self.withdraw()
        # In place of the one that a task may wait for: cancelling that would wake it.
        self.outcome = self._loop.create_future()
        self.outcome.cancel()

    async def end(self) -> None:
        """Wait until the thread is done, however often the waiting task is cancelled."""
        if not self._delivered:
            self._ended = self._loop.create_future()
            await settle(self._ended)


def _nothing() -> None:
    pass


class _PoolExecutor(Executor):
    """A pool as an executor. Shutting it down does nothing: that is up to the pool."""

    def __init__(self, put: Callable[[Job], None]) -> None:
        self._put = put

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        task = _ExecutorCall(functools.partial(fn, *args, **kwargs))
        self._put(task)
        return task.future


class _ExecutorCall(Generic[T]):
    """A call in a thread, for code that takes a `concurrent.futures.Future`."""

    __slots__ = ("_error", "_function", "_result", "_taken", "future")

    calls = 1

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._result: Any = None
        self._error: BaseException | None = None
        self._taken = False
        self.future: Future[T] = Future()

    def work(self) -> None:
        self._taken = self.future.set_running_or_notify_cancel()
        if not self._taken:
            return
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - re-raised by the future
            self._error = error
            del self

    def deliver(self) -> None:
        error, self._error = self._error, None
        if not self._taken:
            return
        if error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(error)


async def settle(future: asyncio.Future[Any]) -> None:
    """Wait until *future* is done, however often the waiting task is cancelled."""
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()  # retrieved, so that asyncio does not report it as lost
