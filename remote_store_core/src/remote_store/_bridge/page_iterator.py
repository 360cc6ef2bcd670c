"""What a blocking iterator yields, fetched page by page in threads."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from time import monotonic
from typing import Any, Generic, TypeVar

from remote_store._bridge.calls import BackendCalls
from remote_store._contract.async_closing import attended

__all__ = ["page_iterator"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


async def page_iterator(
    calls: BackendCalls,
    open_iterator: Callable[[], tuple[Iterator[T], Callable[[], object]]],
    weigh: Callable[[T], int],
    limit: int,
    patience: float,
    *,
    ahead: bool = False,
) -> AsyncGenerator[list[T], None]:
    """
    Yield the items of a blocking iterator, page by page.

    It is opened, advanced and closed in threads, by one at a time.
    An error after some items of a page is raised after that page. Closing
    this generator waits until the iterator is closed; a cancellation does
    not wait, not even one that comes during that. What goes wrong in closing
    the iterator is logged, not raised: what was fetched is complete without.

    Args:
        calls: Of the backend whose iterator it is; each page is one of them.
        open_iterator: Returns the iterator and the function that closes it.
        weigh: Weight of an item.
        limit: Weight at which a page is full.
        patience: Seconds after which it is handed over even if it is not.
        ahead: Fetch one page while the consumer works on the one before.
    """
    source = _Source(open_iterator, weigh, limit, patience)
    coming: asyncio.Future[tuple[list[T], bool]] | None = None
    more = True
    try:
        while more:
            fetched, coming = coming or calls.query(source.pull), None
            try:
                page, more = await fetched
            finally:
                del fetched  # or its error would keep alive the frame that keeps it alive
            if ahead and more:
                coming = asyncio.ensure_future(calls.query(source.pull))
                await asyncio.sleep(0)  # it begins now, and not when the consumer waits
            if page:
                yield page
    except GeneratorExit:
        await attended(_closed(calls, source, coming))
        raise
    finally:
        # Only a cancellation, which leaves behind what runs, has anything to do here.
        if coming is not None:
            coming.cancel()  # if it has failed: nor is that reported as lost
        if source.release():
            calls.closers().executor.submit(source.close)


async def _closed(
    calls: BackendCalls, source: _Source[Any], coming: asyncio.Future[Any] | None
) -> None:
    if source.release():
        await calls.closers().query(source.close)
    if coming is not None:
        await asyncio.wait({coming})  # a thread that is busy closes the iterator itself


class _Source(Generic[T]):
    """
    The iterator, which one thread at a time may touch.

    Released while a thread is busy with it, it is closed by that thread;
    otherwise by the one that releases it.
    """

    def __init__(
        self,
        open_iterator: Callable[[], tuple[Iterator[T], Callable[[], object]]],
        weigh: Callable[[T], int],
        limit: int,
        patience: float,
    ) -> None:
        self._open = open_iterator
        self._weigh = weigh
        self._limit = limit
        self._patience = patience
        self._lock = threading.Lock()
        self._busy = False
        self._released = False
        self._items: Iterator[T] | None = None
        self._close: Callable[[], object] | None = None
        self._failure: Exception | None = None

    def pull(self) -> tuple[list[T], bool]:
        """
        Return the next page, and whether there may be another one.

        Opens the iterator first, and closes it after the last page.
        """
        with self._lock:
            if self._released:
                return [], False
            self._busy = True
        more = False
        try:
            page, more = self._page()
            return page, more
        finally:
            with self._lock:
                self._busy = False
                left = self._released
            if left or not more:
                self.close()

    def _page(self) -> tuple[list[T], bool]:
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure
        if self._items is None:
            self._items, self._close = self._open()
        page: list[T] = []
        deadline = monotonic() + self._patience
        weight = 0
        try:
            for item in self._items:
                page.append(item)
                weight += self._weigh(item)
                if weight >= self._limit or monotonic() > deadline:
                    return page, True
        except Exception as error:
            if not page:
                raise
            self._failure = error
            return page, True
        return page, False

    def release(self) -> bool:
        """Give the iterator up; return True while the caller has to `close` it."""
        with self._lock:
            self._released = True
            return not self._busy and self._close is not None

    def close(self) -> None:
        """Close the iterator, once; what goes wrong is logged."""
        with self._lock:
            close, self._close = self._close, None
        if close is not None:
            try:
                close()
            except Exception:  # noqa: BLE001 - what was fetched is complete without it
                _log.debug("closing a stream or listing failed", exc_info=True)
