"""Which calls and requests of a backend are running in one event loop, and how they are ended."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from remote_store import StoreClosed

__all__ = ["Calls", "closed_error"]

#: Turns of the loop within which a cancelled request takes note of it.
_TURNS: Final = 10


def closed_error(backend: str, path: str | None = None) -> StoreClosed:
    """Return the error of everything that is tried after a close."""
    msg = f"backend {backend!r} is closed"
    return StoreClosed(msg, path=path, backend=backend)


class Calls:
    """
    The calls of one backend in one event loop.

    A call is an operation of the backend, a request is one wait for the
    service inside it. Closing waits for calls, and then ends requests: never
    a task that waits for something else, the caller's content for example.

    Args:
        backend: Name of the backend.
    """

    __slots__ = ("__weakref__", "_backend", "_ended", "_idle", "_requests", "closed", "count")

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self.closed = False
        self.count = 0
        self._idle: asyncio.Event | None = None
        self._requests: dict[asyncio.Task[Any], int] = {}
        self._ended: set[asyncio.Task[Any]] = set()

    def leave(self) -> None:
        """Take note that a call is over."""
        self.count -= 1
        if self._idle is not None and not self.count:
            self._idle.set()

    def begin(self, path: str | None) -> asyncio.Task[Any]:
        """
        Take note that the current task waits for the service from now on.

        Raises:
            StoreClosed: The backend was closed meanwhile.
        """
        if self.closed:
            raise closed_error(self._backend, path)
        task = asyncio.current_task()
        assert task is not None  # coroutines of asyncio run in a task
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

    async def end(self) -> None:
        """Refuse further requests and end those that wait; they raise StoreClosed."""
        self.closed = True
        me = asyncio.current_task()
        for task in self._requests:
            if task is not me and task not in self._ended:
                self._ended.add(task)
                task.cancel()
        # They run before what comes next pulls the connections away.
        for _ in range(_TURNS):
            if not any(task in self._requests for task in self._ended):
                return
            await asyncio.sleep(0)
