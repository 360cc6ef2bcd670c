"""The calls of a sync backend in threads, and how they end when it is closed."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Any, Final, TypeVar

from remote_store._threads.worker_pool import WorkerPool
from remote_store._types.errors import StoreClosed

__all__ = ["BackendCall", "BackendCalls", "Running"]

T = TypeVar("T")

#: Seconds that a close waits for running calls.
_PATIENCE: Final = 5.0
#: Seconds between its looks at them.
_PULSE: Final = 0.005


class BackendCalls:
    """
    Makes the calls of one backend, and closes it when they are done.

    Args:
        name: Of the backend.
        size: BackendCalls that may run at once, but for streamed writes.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.pool = WorkerPool(f"remote-store-{name}", size)
        #: A terminal close has begun: new calls are refused.
        self.refusing = False
        #: It has closed the backend: what fails from now on was overtaken.
        self.overtaken = False
        self.running: set[Running] = set()

    async def query(self, function: Callable[..., T], *args: Any) -> T:
        """Make a call that changes nothing: left behind when cancelled."""
        with BackendCall(self, changing=False):
            return await self.pool.query(function, *args)

    async def mutate(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Make a call that is waited for when cancelled."""
        with BackendCall(self, changing=True):
            return await self.pool.mutate(functools.partial(function, *args, **options))

    async def close(self, function: Callable[[], object], *, terminal: bool) -> None:
        """
        Wait for what runs, at most 5 seconds; then call *function*, and end the threads.

        Args:
            function: Closes the backend; called in a thread, if there is any
                to be had.
            terminal: Refuse new calls from now on.
        """
        self.refusing = terminal
        quiet = False
        try:
            quiet = await self._quiet()
        finally:
            self.overtaken = terminal
            # BackendCalls that hang may hold every thread of the pool.
            pool = self.pool if quiet else self._spare()
            try:
                await _call_once(pool, function)
            finally:
                pool.close()
                self.pool.close()

    def closers(self) -> WorkerPool:
        """Return the threads that close streams: after a terminal close some that end with that."""
        return self._spare() if self.overtaken else self.pool

    def _spare(self) -> WorkerPool:
        return WorkerPool(f"remote-store-{self.name}-close", 1)

    async def _quiet(self) -> bool:
        """Wait until nothing runs; False when the time is over."""
        deadline = monotonic() + _PATIENCE
        # The pool's own view is needed for calls that were left behind.
        while self.pool.busy or any(call.pid == os.getpid() for call in list(self.running)):
            if monotonic() > deadline:
                return False
            await asyncio.sleep(_PULSE)
        return True


class Running:
    """A context manager around what a close waits for, until its result was handed over."""

    __slots__ = ("calls", "pid")

    def __init__(self, calls: BackendCalls) -> None:
        self.calls = calls
        self.pid = os.getpid()  # a forked child has none of them

    def __enter__(self) -> None:
        self.calls.running.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.calls.running.discard(self)


class BackendCall(Running):
    """
    A context manager around one call of the backend.

    Refused after a terminal close; when overtaken by it, an error becomes
    `StoreClosed`.

    Args:
        calls: Those of the backend.
        changing: It may have changed something when it fails.
    """

    __slots__ = ("_changing",)

    def __init__(self, calls: BackendCalls, *, changing: bool) -> None:
        super().__init__(calls)
        self._changing = changing

    def __enter__(self) -> None:
        if self.calls.refusing:
            msg = f"backend {self.calls.name!r} is closed"
            raise StoreClosed(msg, backend=self.calls.name)
        super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        overtaken = self.calls.overtaken and isinstance(error, Exception)
        if overtaken and not isinstance(error, StoreClosed):
            name = self.calls.name
            msg = f"backend {name!r} was closed during the call"
            raise StoreClosed(msg, backend=name, outcome_unknown=self._changing) from error


async def _call_once(pool: WorkerPool, function: Callable[[], object]) -> None:
    begun = False

    def call() -> None:
        nonlocal begun
        begun = True
        function()

    try:
        await pool.mutate(call)
    except asyncio.CancelledError:
        if not begun:  # it was taken back, and nobody else will do it
            pool.executor.submit(function)
        raise
    except RuntimeError:
        if begun:
            raise
        function()  # there is no thread: better on the loop than never
