"""How many bytes may be in flight."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["ByteGate"]


class ByteGate:
    """
    Lets tasks pass while what they carry stays below a limit; in order of arrival.

    One that carries more than the limit passes alone.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    def _fits(self, size: int) -> bool:
        return not self._inside or self._inside + size <= self._limit

    async def enter(self, size: int) -> None:
        """Wait for room, and take it; `leave` gives it back."""
        if not self._queue and self._fits(size):
            self._inside += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(size)
            else:
                self._queue.remove((size, turn))
                self._admit()
            raise

    def leave(self, size: int) -> None:
        """Give room back."""
        self._inside -= size
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._fits(self._queue[0][0]):
            size, turn = self._queue.popleft()
            if not turn.done():
                self._inside += size
                turn.set_result(None)
