"""Sync streams and listings over async iterators that live on a loop of another thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from remote_store._bridge.ready_pages import ReadyPages
from remote_store._threads.chunk_reader import ChunkReader

if TYPE_CHECKING:
    from remote_store._threads.loop_thread import LoopThread

__all__ = ["AsyncIteratorBridge", "ChunkStream"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

_END: Any = object()


class _Pulling(Generic[T]):
    """What a stream and a listing share: pulling from an async iterator, and closing it."""

    def __init__(self, runner: LoopThread, items: AsyncIterator[T]) -> None:
        self._runner = runner
        self._items = items
        self._over = False

    def pull(self) -> T:
        """
        Return the next item that is not empty.

        Raises:
            StopIteration: At the end, and after a failure.
            RuntimeError: See `refuse_misuse`; a later pull goes on.
        """
        if self._over:
            raise StopIteration
        self.refuse_misuse()
        try:
            item = self._runner.query(_next, self._items)
        except BaseException:
            self._over = True
            raise
        if item is _END:
            self._over = True
            raise StopIteration
        return cast("T", item)

    def refuse_misuse(self) -> None:
        """
        Refuse to pull here while a pull elsewhere could go on.

        Raises:
            RuntimeError: See `LoopThread.refuse_misuse`.
        """
        if not (self._over or self._runner.closed):
            self._runner.refuse_misuse()

    def close(self, what: str) -> None:
        """Close the iterator and wait; what goes wrong is logged, not raised."""
        try:
            self._runner.call(_aclose, self._items, what)
        except RuntimeError:  # of the runner: it cannot be waited for here, or is closed
            self.abandon(what)
        self._over = True

    def abandon(self, what: str) -> None:
        """Have the iterator closed without waiting, if it has begun and not ended."""
        if not self._over:
            self._over = True
            self._runner.post(_aclose, self._items, what)


class ChunkStream(ChunkReader):
    """Forward-only stream over the chunks of an async iterator."""

    def __init__(self, runner: LoopThread, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = _Pulling(runner, chunks)
        super().__init__(self._next_chunk)

    def read(self, size: int | None = -1, /) -> bytes:
        """
        Return *size* bytes; see `ChunkReader.read`.

        Raises:
            RuntimeError: See `LoopThread.refuse_misuse`.
        """
        # Before it takes what is left of a chunk: nothing is lost to a refusal.
        self._chunks.refuse_misuse()
        return super().read(size)

    def _next_chunk(self) -> bytes:
        try:
            return self._chunks.pull()
        except StopIteration:
            return b""

    def close(self) -> None:
        """Close the backend's iterator. Idempotent."""
        if not self.closed:
            super().close()
            self._chunks.close("stream")

    def __del__(self) -> None:
        # Never waits: this may run at any moment, in any thread.
        self._chunks.abandon("stream")
        super().close()


class AsyncIteratorBridge(Iterator[T]):
    """
    Sync iterator over an async one.

    What the async one has without waiting crosses the threads in one step;
    see `ReadyPages`.
    """

    def __init__(self, runner: LoopThread, items: AsyncIterator[T]) -> None:
        self._pages = _Pulling(runner, ReadyPages(items, runner.unasked))
        self._page: Iterator[T] = iter(())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._page:
            return item
        self._page = iter(self._pages.pull())
        return next(self._page)

    def close(self) -> None:
        """Close the backend's iterator and wait for that. Idempotent."""
        self._page = iter(())
        self._pages.close("listing")

    def _aclose_best_effort(self) -> None:
        self._page = iter(())
        self._pages.abandon("listing")

    def __del__(self) -> None:
        self._pages.abandon("listing")


async def _next(items: AsyncIterator[Any]) -> Any:
    """Return the next item, `_END` at the end; an empty chunk is not the end."""
    while True:
        item = await anext(items, _END)
        if item != b"":
            return item
        await asyncio.sleep(0)  # others get their turn, and a cancellation its chance


async def _aclose(items: AsyncIterator[Any], what: str) -> None:
    close = getattr(items, "aclose", None)
    if close is None:
        return
    try:
        await close()
    except Exception:  # noqa: BLE001 - what was read is complete without it
        _log.debug("%s aclose raised", what, exc_info=True)
