"""Which calls and requests of a backend are running in one event loop, and how they are ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, TypeAlias, TypeVar

from remote_store.authoring import closed
from remote_store_azure._rest.outcome import AttemptRecord

__all__ = ["Cleanup", "InFlight", "Waiting"]

T = TypeVar("T")

#: Removes what a call would leave behind, within so many seconds; does not raise.
Cleanup: TypeAlias = Callable[[float], Coroutine[Any, Any, None]]

#: Turns of the loop within which a cancelled request takes note of it.
_TURNS: Final = 10


class InFlight:
    """
    The calls of one backend in one event loop.

    A call is an operation of the backend, a request is one wait for the
    service inside it. Closing waits for calls, and then ends requests: never
    a task that waits for something else, the caller's content for example.
    What such a call has made for a time is removed by the close in its stead.

    Args:
        backend: Name of the backend.
    """

    __slots__ = (
        "__weakref__",
        "_cleanups",
        "_ended",
        "_idle",
        "_requests",
        "_spared",
        "backend",
        "closed",
        "count",
    )

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.closed = False
        self.count = 0
        self._idle: asyncio.Event | None = None
        self._requests: dict[asyncio.Task[Any], int] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._cleanups: set[Cleanup] = set()
        self._spared: set[asyncio.Task[Any]] = set()

    def leave(self) -> None:
        """Take note that a call is over."""
        self.count -= 1
        if self._idle is not None and not self.count:
            self._idle.set()

    def owe_cleanup(self, cleanup: Cleanup, path: str | None) -> None:
        """
        Take note of what is left to be done if the backend is closed before `take_cleanup`.

        Raises:
            StoreClosed: It is closed already.
        """
        if self.closed:
            raise closed(self.backend, path)
        self._cleanups.add(cleanup)

    def take_cleanup(self, cleanup: Cleanup) -> bool:
        """Return True if *cleanup* is still to be done, and leave it to the caller."""
        if cleanup not in self._cleanups:
            return False
        self._cleanups.discard(cleanup)
        return True

    def spare(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run *work* in a task whose requests a close does not end, but waits for."""
        task = asyncio.create_task(work)
        self._spared.add(task)
        task.add_done_callback(self._spared.discard)
        return task

    def waiting(self, path: str | None, record: AttemptRecord | None = None) -> Waiting:
        """Return a context manager around one wait for the service; see `Waiting`."""
        return Waiting(self, path, record)

    def begin(self, path: str | None) -> asyncio.Task[Any]:
        """
        Take note that the current task waits for the service from now on.

        Raises:
            StoreClosed: The backend was closed meanwhile.
        """
        task = asyncio.current_task()
        assert task is not None  # coroutines of asyncio run in a task
        if self.closed and task not in self._spared:
            raise closed(self.backend, path)
        self._requests[task] = task.cancelling()
        return task

    def finish(self, task: asyncio.Task[Any]) -> None:
        """Take note that *task* has its answer, or will not get one."""
        self._requests.pop(task, None)

    def was_ended(self, task: asyncio.Task[Any]) -> bool:
        """Return True if the CancelledError that *task* met is ours alone, and take it back."""
        if task not in self._ended:
            return False
        self._ended.discard(task)
        return task.uncancel() <= self._requests.get(task, 0)

    async def wait(self, seconds: float) -> None:
        """Wait until no call is running, at most *seconds*."""
        if not self.count:
            return
        if self._idle is None:  # a second close waits for the same
            self._idle = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return

    async def end(self, seconds: float) -> None:
        """
        Refuse further requests and end those that wait; they raise StoreClosed.

        Args:
            seconds: For the removal of what the calls would leave behind.
        """
        self.closed = True
        self._interrupt()
        mine = {self.spare(cleanup(seconds)) for cleanup in self._cleanups}
        self._cleanups.clear()
        # They run before what comes next pulls the connections away.
        await self._interrupted()
        if not self._spared:
            return
        _, late = await asyncio.wait(self._spared, timeout=seconds)
        if mine:
            await asyncio.wait(mine)  # they end by themselves, and log what stays
        self._spared -= late
        self._interrupt()
        await self._interrupted()

    def _interrupt(self) -> None:
        me = asyncio.current_task()
        for task in self._requests:
            if task is not me and task not in self._ended and task not in self._spared:
                self._ended.add(task)
                task.cancel()

    async def _interrupted(self) -> None:
        for _ in range(_TURNS):
            if not any(task in self._requests for task in self._ended):
                break
            await asyncio.sleep(0)


class Waiting:
    """
    A context manager around one wait for the service, which a close ends.

    Args:
        in_flight: Those of the event loop.
        path: The key concerned, for errors.
        record: Of the change that is waited for, None if it is none. When the
            wait is ended, the outcome is unknown of an attempt that is on
            its way or was lost.

    Raises:
        StoreClosed: The backend is closed, or was meanwhile.
    """

    __slots__ = ("_in_flight", "_path", "_record", "_task")

    def __init__(self, in_flight: InFlight, path: str | None, record: AttemptRecord | None) -> None:
        self._in_flight = in_flight
        self._path = path
        self._record = record

    def __enter__(self) -> None:
        self._task = self._in_flight.begin(self._path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        in_flight = self._in_flight
        ended = isinstance(error, asyncio.CancelledError) and in_flight.was_ended(self._task)
        in_flight.finish(self._task)
        if ended:
            record = self._record
            unknown = record is not None and (record.lost or record.pending)
            raise closed(in_flight.backend, self._path, outcome_unknown=unknown) from None
