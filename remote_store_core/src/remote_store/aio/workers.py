"""A bounded pool of threads for backends whose work blocks."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple

__all__ = ["WorkerPool", "settle"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class WorkerPool:
    """
    Threads of one backend's own, so that slow calls never fill the loop's
    default executor (which also serves DNS lookups).

    Threads start on first use. After `close`, or in a forked child, the next
    use starts new ones. One pool serves any number of loops and threads.

    Args:
        name: Prefix of the threads' names.
        max_workers: Calls that may run at once.

    Raises:
        ValueError: *max_workers* is less than 1.
    """

    __slots__ = ("_executor", "_lock", "_max_workers", "_name", "_pid")

    def __init__(self, name: str, max_workers: int) -> None:
        if max_workers < 1:
            msg = f"max_workers must be at least 1, got {max_workers}"
            raise ValueError(msg)
        self._name = name
        self._max_workers = max_workers
        self._executor: ThreadPoolExecutor | None = None
        self._pid = 0
        self._lock = threading.Lock()

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The executor itself, for libraries that take one."""
        with self._lock:
            return self._running()

    def _running(self) -> ThreadPoolExecutor:
        if self._executor is None or self._pid != os.getpid():
            self._executor = ThreadPoolExecutor(self._max_workers, self._name)
            self._pid = os.getpid()
        return self._executor

    async def query(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """
        Call *function* in a thread; when cancelled, leave it behind at once.

        For work that changes nothing: a result nobody waits for is dropped.
        A *function* that opens something must not return it, or a cancelled
        caller could not close it: it stores it where both can find it.
        """
        outcome, job = self._submit(function, args)
        try:
            return await outcome
        except asyncio.CancelledError:
            job.cancel()
            raise

    async def mutate(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        on_cancel: Callable[[], object] | None = None,
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
                to tell a long-running *function* to give up.
        """
        outcome, job = self._submit(function, args)
        try:
            return await outcome
        except asyncio.CancelledError:
            try:
                if on_cancel is not None:
                    on_cancel()
            finally:
                if not job.cancel():
                    await settle(asyncio.wrap_future(job))
            raise

    def close(self) -> None:
        """End the threads; running calls are not waited for."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)

    def _submit(
        self, function: Callable[[*Ts], T], args: tuple[*Ts]
    ) -> tuple[asyncio.Future[T], Future[None]]:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()
        # Delivering the result ourselves instead of chaining asyncio's future
        # to the executor's takes a quarter off the cost of a hop.
        with self._lock:  # or `close` could come between finding the executor and using it
            job = self._running().submit(_run, loop, outcome, context, function, args)
        return outcome, job


def _run(
    loop: asyncio.AbstractEventLoop,
    outcome: asyncio.Future[Any],
    context: contextvars.Context,
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    try:
        result = context.run(function, *args)
    except BaseException as error:  # noqa: BLE001 - re-raised where it is awaited
        loop.call_soon_threadsafe(_deliver, outcome, None, error)
    else:
        loop.call_soon_threadsafe(_deliver, outcome, result, None)


def _deliver(outcome: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if outcome.cancelled():
        return
    if error is None:
        outcome.set_result(result)
    elif isinstance(error, StopIteration):
        # A future cannot carry StopIteration; without this its waiter hangs.
        carrier = RuntimeError(f"worker raised {error!r}")
        carrier.__cause__ = error
        outcome.set_exception(carrier)
    else:
        outcome.set_exception(error)


async def settle(future: asyncio.Future[Any]) -> None:
    """Wait until *future* is done, however often the waiting task is cancelled."""
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()  # retrieved, so that asyncio does not report it as lost
