"""Logging and events around one async operation; entered only while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import ClassVar, TypeVar

from remote_store._contract.async_closing import Closing
from remote_store._store.observe import Observed

__all__ = ["AsyncObservation"]

T = TypeVar("T")


class AsyncObservation(Observed):
    """Observes one operation of an async store."""

    __slots__ = ()

    CANCELLATION: ClassVar[type[BaseException]] = asyncio.CancelledError

    async def call(self, awaitable: Awaitable[T]) -> T:
        """Await an operation."""
        with self.timed():
            result = await awaitable
            self.note(result)
        return result

    async def iterate(self, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Relay an iterator; it is observed until it is exhausted or closed."""
        with self.timed():
            async with Closing(items):
                async for item in items:
                    self.note(item)
                    yield item
