"""Logging and events around one async operation; entered only while somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable
from typing import TypeVar

from remote_store._hooks import OperationEvent, hub
from remote_store._watch import Timed

__all__ = ["Watch"]

T = TypeVar("T")


class Watch(Timed):
    """Watches one operation of an async store."""

    __slots__ = ()

    async def call(self, awaitable: Awaitable[T]) -> T:
        """Await an operation."""
        with self.timed():
            result = await awaitable
            self.note(result)
        return result

    async def iterate(self, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Relay an iterator; it is watched until it is exhausted or closed."""
        with self.timed():
            async with contextlib.aclosing(items):
                async for item in items:
                    self.note(item)
                    yield item

    def emit(self, seconds: float, error: BaseException | None) -> None:
        """Tell the listeners."""
        cancelled = isinstance(error, asyncio.CancelledError)
        hub.emit(OperationEvent(**self.facts(seconds, error, cancelled=cancelled)))
