"""Logging and events around one async operation; entered only while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import TypeVar

from remote_store._watch import Timed
from remote_store.aio._closing import Closing

__all__ = ["Watch"]

T = TypeVar("T")


class Watch(Timed):
    """Watches one operation of an async store."""

    __slots__ = ()

    CANCELLATION = asyncio.CancelledError

    async def call(self, awaitable: Awaitable[T]) -> T:
        """Await an operation."""
        with self.timed():
            result = await awaitable
            self.note(result)
        return result

    async def iterate(self, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Relay an iterator; it is watched until it is exhausted or closed."""
        with self.timed():
            async with Closing(items):
                async for item in items:
                    self.note(item)
                    yield item
