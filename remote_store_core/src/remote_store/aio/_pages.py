"""What a blocking iterator yields, fetched page by page in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from time import monotonic
from typing import Final, Generic, TypeVar

from remote_store.aio.workers import WorkerPool

__all__ = ["pages"]

T = TypeVar("T")

#: Seconds after which a page is handed over even if it is not full.
_PATIENCE: Final = 0.05


async def pages(
    pool: WorkerPool,
    open_iterator: Callable[[], tuple[Iterator[T], Callable[[], object]]],
    weigh: Callable[[T], int],
    limit: int,
) -> AsyncGenerator[list[T], None]:
    """
    Yield the items of a blocking iterator, page by page.

    It is opened, advanced and closed in threads of *pool*, by one at a time.
    An error after some items of a page is raised after that page. Closing
    this generator waits until the iterator is closed; a cancellation does
    not wait.

    Args:
        pool: Where the work is done.
        open_iterator: Returns the iterator and the function that closes it.
        weigh: Weight of an item.
        limit: Weight at which a page is full.
    """
    source = _Source(open_iterator, weigh, limit)
    try:
        while not source.ended:
            page = await pool.query(source.pull)
            if page:
                yield page
    except asyncio.CancelledError:
        if source.release():
            pool.executor.submit(source.close)
        raise
    finally:
        if source.release():
            await pool.mutate(source.close)


class _Source(Generic[T]):
    """
    The iterator, which one thread at a time may touch.

    Released while a thread is busy with it, it is closed by that thread;
    otherwise by whoever releases it.
    """

    def __init__(
        self,
        open_iterator: Callable[[], tuple[Iterator[T], Callable[[], object]]],
        weigh: Callable[[T], int],
        limit: int,
    ) -> None:
        self.ended = False
        self._open = open_iterator
        self._weigh = weigh
        self._limit = limit
        self._lock = threading.Lock()
        self._busy = False
        self._released = False
        self._items: Iterator[T] | None = None
        self._close: Callable[[], object] | None = None
        self._failure: Exception | None = None

    def pull(self) -> list[T]:
        """Return the next page, opening the iterator first and closing it after the last."""
        with self._lock:
            if self._released:
                return []
            self._busy = True
        try:
            return self._page()
        finally:
            with self._lock:
                self._busy = False
                left = self._released
            if self.ended or left:
                self.close()

    def _page(self) -> list[T]:
        page: list[T] = []
        self.ended = True  # unless there is more
        if self._failure is not None:
            raise self._failure
        if self._items is None:
            self._items, self._close = self._open()
        deadline = monotonic() + _PATIENCE
        weight = 0
        try:
            for item in self._items:
                page.append(item)
                weight += self._weigh(item)
                if weight >= self._limit or monotonic() > deadline:
                    self.ended = False
                    break
        except Exception as error:
            if not page:
                raise
            self._failure = error
            self.ended = False
        return page

    def release(self) -> bool:
        """Give the iterator up; return True if the caller has to `close` it."""
        with self._lock:
            first, self._released = not self._released, True
            return first and not self._busy and self._close is not None

    def close(self) -> None:
        """Close the iterator, once."""
        close, self._close = self._close, None
        if close is not None:
            close()
