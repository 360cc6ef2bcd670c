"""Requests that run beside their caller, a bounded number of them, and none longer than it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Self, TypeVarTuple

from remote_store.aio.workers import settle

__all__ = ["Tasks", "end_all"]

Ts = TypeVarTuple("Ts")


async def end_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel *tasks* and wait until they have ended; what they raise is dropped."""
    for task in tasks:
        task.cancel()
    if tasks:
        await settle(asyncio.gather(*tasks, return_exceptions=True))


class Tasks:
    """
    An async context manager that ends what was started in it.

    Args:
        limit: How many may run at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is GeneratorExit:  # the coroutine is thrown away: there is no loop to wait on
            for task in self._running:
                task.cancel()
        else:
            await end_all(self._running)

    async def start(self, function: Callable[[*Ts], Coroutine[Any, Any, None]], *args: *Ts) -> None:
        """
        Call *function* in a task, once fewer than the limit are running.

        Raises:
            BaseException: What an earlier one raised.
        """
        await self._have_at_most(self._limit - 1)
        self._running.add(asyncio.create_task(function(*args)))

    async def finish(self) -> None:
        """
        Wait for all of them.

        Raises:
            BaseException: What one of them raised.
        """
        await self._have_at_most(0)

    async def _have_at_most(self, count: int) -> None:
        while True:
            for task in [task for task in self._running if task.done()]:
                self._running.remove(task)
                task.result()
            if len(self._running) <= count:
                return
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
