"""Content on its way into a store, in pieces that come from elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from remote_store.aio import AsyncStore
from remote_store_fsspec._errors import os_errors

__all__ = ["Draft"]


class Draft:
    """
    A file that is being written: visible after `commit`, and gone without it.

    What comes in one piece is written in one request at the commit; what
    comes in more is sent while it comes. All of it happens on one loop.

    Args:
        store: Returns the store.
        path: Path of the file.
        overwrite: Replace an existing file; False refuses it.
    """

    def __init__(
        self, store: Callable[[], Awaitable[AsyncStore]], path: str, *, overwrite: bool
    ) -> None:
        self._open = store
        self._path = path
        self._overwrite = overwrite
        #: All of the content, where it is short.
        self._whole: bytes | None = None
        # One piece waits here while the store sends another.
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._writing: asyncio.Task[object] | None = None

    async def add(self, piece: bytes, *, last: bool) -> None:
        """
        Take the next piece of the content.

        Raises:
            OSError: What was sent before could not be written.
        """
        if last and self._writing is None:
            self._whole = piece
            return
        store = await self._open()
        if self._writing is None:
            writing = store.write(self._path, self._content(), overwrite=self._overwrite)
            self._writing = asyncio.create_task(writing)
        if piece:
            await self._send(store, self._writing, piece)

    async def commit(self) -> None:
        """
        Make the content visible, all of it at once. What was committed or discarded stays so.

        Raises:
            OSError: It could not be written; what was there before still is.
        """
        store = await self._open()
        if self._whole is not None:
            content, self._whole = self._whole, None
            async with os_errors(store, self._path):
                await store.write(self._path, content, overwrite=self._overwrite)
        elif self._writing is not None:
            try:
                await self._send(store, self._writing, None)
                async with os_errors(store, self._path):
                    await self._writing
            finally:
                await self.discard()

    async def discard(self) -> None:
        """Leave everything as it was before."""
        writing, self._writing, self._whole = self._writing, None, None
        if writing is not None:
            writing.cancel()
            await asyncio.wait({writing})
            _forget(writing)

    def abandon(self) -> None:
        """Discard without waiting for it."""
        if self._writing is not None:
            self._writing.add_done_callback(_forget)
            self._writing.cancel()

    async def _content(self) -> AsyncGenerator[bytes, None]:
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def _send(
        self, store: AsyncStore, writing: asyncio.Task[object], piece: bytes | None
    ) -> None:
        putting = asyncio.create_task(self._pieces.put(piece))
        try:
            await asyncio.wait({putting, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        if writing.done():
            async with os_errors(store, self._path):
                await writing


def _forget(writing: asyncio.Task[object]) -> None:
    """Take the outcome, for which nobody asks any more."""
    if not writing.cancelled():
        writing.exception()
