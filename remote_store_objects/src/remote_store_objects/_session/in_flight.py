"""Which calls and requests of a backend are running in one event loop, and how they are ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, TypeAlias, TypeVar

from remote_store.authoring import closed

__all__ = ["Calls", "Cleanup", "Waiting"]

T = TypeVar("T")

#: Removes what a call would leave behind, within so many seconds; does not raise.
Cleanup: TypeAlias = Callable[[float], Coroutine[Any, Any, None]]

#: Turns of the loop within which a cancelled request takes note of it.
_TURNS: Final = 10


class Calls:
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

    def owe(self, cleanup: Cleanup, path: str | None) -> None:
        """
        Take note of what is left to be done if the backend is closed before `settle`.

        Raises:
            StoreClosed: It is closed already.
        """
        if self.closed:
            raise closed(self.backend, path)
        self._cleanups.add(cleanup)

    def settle(self, cleanup: Cleanup) -> bool:
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

    def begin(self, path: str | None) -> tuple[asyncio.Task[Any], bool]:
        """
        Take note that the current task waits for the service from now on.

        Returns:
            The task, and whether it did not wait already: a service that
            sends several requests may take note of each of them.

        Raises:
            StoreClosed: The backend was closed meanwhile.
        """
        task = asyncio.current_task()
        assert task is not None  # coroutines of asyncio run in a task
        if self.closed and task not in self._spared:
            raise closed(self.backend, path)
        first = task not in self._requests
        if first:
            self._requests[task] = task.cancelling()
        return task, first

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
            await asyncio.wait(mine)  # they end by themselves, and tell what stays
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
        calls: Those of the event loop.
        path: The key concerned, for errors.
        changes: It waits for a change, or a function that tells so: when the
            wait is ended, nobody knows its outcome.

    Raises:
        StoreClosed: The backend is closed, or was meanwhile.
    """

    __slots__ = ("_calls", "_changes", "_first", "_path", "_task")

    def __init__(self, calls: Calls, path: str | None, changes: bool | Callable[[], bool]) -> None:
        self._calls = calls
        self._path = path
        self._changes = changes

    def __enter__(self) -> None:
        self._task, self._first = self._calls.begin(self._path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        calls = self._calls
        ended = isinstance(error, asyncio.CancelledError) and calls.was_ended(self._task)
        if self._first:
            calls.finish(self._task)
        if ended:
            changes = self._changes
            unknown = changes if isinstance(changes, bool) else changes()
            raise closed(calls.backend, self._path, outcome_unknown=unknown) from None
