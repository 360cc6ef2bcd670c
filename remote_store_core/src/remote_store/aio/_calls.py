"""The calls of a sync backend in threads, and how they end when it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator
from time import monotonic
from types import TracebackType
from typing import Any, Final, TypeVar

from remote_store._errors import StoreClosed
from remote_store.aio.workers import WorkerPool

__all__ = ["Calls"]

T = TypeVar("T")

#: Seconds that a close waits for running calls.
_PATIENCE: Final = 5.0
#: Seconds between its looks at them.
_PULSE: Final = 0.005


class Calls:
    """
    Makes the calls of one backend, and closes it when they are done.

    As a context manager it stands around one call: refused after a terminal
    close, and when overtaken by it an error becomes `StoreClosed`.

    Args:
        name: Of the backend.
        size: Calls that may run at once, but for streamed writes.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self.pool = WorkerPool(f"remote-store-{name}", size)
        self._refusing = False
        self._closed = False
        #: One for each streamed write that is running; their threads are not the pool's.
        self._streams: set[object] = set()

    def __enter__(self) -> None:
        if self._refusing:
            msg = f"backend {self._name!r} is closed"
            raise StoreClosed(msg, backend=self._name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._closed and isinstance(error, Exception) and not isinstance(error, StoreClosed):
            msg = f"backend {self._name!r} was closed during the call"
            raise StoreClosed(msg, backend=self._name, outcome_unknown=True) from error

    async def query(self, function: Callable[..., T], *args: Any) -> T:
        """Make a call that changes nothing: left behind when cancelled."""
        with self:
            return await self.pool.query(function, *args)

    async def mutate(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Make a call that is waited for when cancelled."""
        with self:
            return await self.pool.mutate(functools.partial(function, *args, **options))

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """Count a streamed write: where it is awaited, and in its thread, which may go on."""
        token = object()
        self._streams.add(token)
        try:
            yield
        finally:
            self._streams.discard(token)

    async def close(self, function: Callable[[], object], *, terminal: bool) -> None:
        """
        Wait for what runs, at most 5 seconds; then call *function*, and end the threads.

        Args:
            function: Closes the backend; called in a thread, if there is any
                to be had.
            terminal: Refuse new calls from now on.
        """
        self._refusing = terminal
        quiet = False
        try:
            quiet = await self._quiet()
        finally:
            self._closed = terminal
            # Calls that hang may hold every thread of the pool.
            pool = self.pool if quiet else WorkerPool(f"remote-store-{self._name}-close", 1)
            try:
                await _call_once(pool, function)
            finally:
                pool.close()
                self.pool.close()

    async def _quiet(self) -> bool:
        """Wait until nothing runs; False when the time is over."""
        deadline = monotonic() + _PATIENCE
        while self.pool.busy or self._streams:
            if monotonic() > deadline:
                return False
            await asyncio.sleep(_PULSE)
        return True


async def _call_once(pool: WorkerPool, function: Callable[[], object]) -> None:
    begun = False

    def call() -> None:
        nonlocal begun
        begun = True
        function()

    try:
        await pool.mutate(call)
    except RuntimeError:
        if begun:
            raise
        function()  # there is no thread: better on the loop than never
