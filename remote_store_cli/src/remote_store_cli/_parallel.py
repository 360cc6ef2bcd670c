"""Some work for each of many items, a few at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

__all__ = ["each", "in_parallel"]

T = TypeVar("T")


async def each(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """Yield items that are there already."""
    for item in items:
        yield item


async def in_parallel(
    items: AsyncGenerator[T, None], jobs: int, work: Callable[[T], Awaitable[object]]
) -> None:
    """
    Do *work* for each item; what it raises ends everything.

    Args:
        items: Pulled by one at a time; closed at the end.
        jobs: Items at a time.
        work: What to do.
    """
    taking = asyncio.Lock()

    async def worker() -> None:
        while True:
            async with taking:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            await work(item)

    try:
        async with contextlib.aclosing(items), asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(worker())
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
