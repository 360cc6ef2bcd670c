"""Cancelling a call at a chosen moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from attrs import frozen

__all__ = ["Cancelled", "cancel_after_seconds", "cancel_after_steps", "cancel_when"]

T = TypeVar("T")


@frozen
class Cancelled(Generic[T]):
    """
    How a cancelled call ended.

    Args:
        finished: It was done before the cancellation came.
        value: What it returned.
        error: What it raised; a CancelledError if the cancellation came out.
    """

    finished: bool
    value: T | None = None
    error: BaseException | None = None

    @property
    def came_out(self) -> bool:
        """True if the caller got a CancelledError."""
        return isinstance(self.error, asyncio.CancelledError)


async def cancel_after_steps(call: Coroutine[Any, Any, T], steps: int) -> Cancelled[T]:
    """Cancel a call after *steps* turns of the loop, and wait for its end."""
    task = asyncio.ensure_future(call)
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0)
    return await _end(task)


async def cancel_after_seconds(call: Coroutine[Any, Any, T], seconds: float) -> Cancelled[T]:
    """Cancel a call after *seconds*, and wait for its end."""
    task = asyncio.ensure_future(call)
    await asyncio.wait({task}, timeout=seconds)
    return await _end(task)


async def cancel_when(
    call: Coroutine[Any, Any, T], moment: Callable[[], Awaitable[object]]
) -> Cancelled[T]:
    """Cancel a call as soon as *moment* returns, or not at all if the call ends before."""
    task = asyncio.ensure_future(call)
    waiting = asyncio.ensure_future(moment())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return await _end(task)


async def _end(task: asyncio.Task[T]) -> Cancelled[T]:
    finished = task.done()
    task.cancel()
    await asyncio.wait({task})
    if task.cancelled():
        return Cancelled(finished, error=asyncio.CancelledError())
    error = task.exception()
    return Cancelled(finished, error=error) if error else Cancelled(finished, task.result())
