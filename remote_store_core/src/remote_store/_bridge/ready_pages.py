"""What an async iterator has without waiting, in pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, Generic, TypeVar

__all__ = ["LIMIT", "ReadyPages"]

T = TypeVar("T")

#: Items of a page at most.
LIMIT: Final = 512


class ReadyPages(AsyncIterator[list[T]], Generic[T]):
    """
    An async iterator over pages of what *items* yields.

    A page is handed over as soon as *items* makes its consumer wait: it waits
    for one item and for no other. The one that it was waiting for then goes
    on being waited for, and begins the next page; nothing is asked for after
    it. An error is raised after the items that came before it.

    Args:
        items: Advanced by one task at a time.
        unasked: Gets the tasks that wait for an item which nobody has asked
            for: what ends the loop cancels them.
    """

    def __init__(self, items: AsyncIterator[T], unasked: set[asyncio.Task[Any]]) -> None:
        self._items = items
        self._unasked = unasked
        self._page: list[T] = []
        self._asked: asyncio.Future[list[T]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False
        self._failure: BaseException | None = None

    async def __anext__(self) -> list[T]:
        self._asked = asked = asyncio.get_running_loop().create_future()
        if self._task is not None:
            self._unasked.discard(self._task)
        elif self._over:
            self._hand_over()
        else:
            task = asyncio.create_task(self._gather())
            if not task.done():  # as a loop with eager tasks may have it
                self._task = task
        try:
            page: list[T] = await asked
        except asyncio.CancelledError:
            self._asked = None
            await self._stop()
            raise
        if page:
            return page
        failure, self._failure = self._failure, None
        if failure is None:
            raise StopAsyncIteration
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame

    async def aclose(self) -> None:
        """Close *items*, also while it is being waited for."""
        await self._stop()
        self._over, self._page, self._failure = True, [], None
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _gather(self) -> None:
        call_soon = asyncio.get_running_loop().call_soon
        if self._page:
            call_soon(self._hand_over)
        try:
            async for item in self._items:
                page = self._page  # another one while the item was waited for
                page.append(item)
                if self._asked is None or len(page) >= LIMIT:
                    break
                if len(page) == 1:
                    # Run when this task waits for the first time from now on.
                    call_soon(self._hand_over)
            else:
                self._over = True
        except BaseException as error:  # noqa: BLE001 - raised after the page
            self._over, self._failure = True, error
        finally:
            if self._task is not None:
                self._unasked.discard(self._task)
            self._task = None
            if self._asked is not None:
                self._hand_over()

    def _hand_over(self) -> None:
        """Give the page to the consumer that waits for it; an empty one only at the end."""
        asked = self._asked
        if asked is None or asked.done() or not (self._page or self._over):
            return
        self._asked = None
        page, self._page = self._page, []
        if self._task is not None:
            self._unasked.add(self._task)
        asked.set_result(page)
