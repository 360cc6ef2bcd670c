"""Scripted content for writes: each source remembers what was done to it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Final

from attrs import define, field

__all__ = ["CallerError", "CallerStop", "Source", "pattern"]

#: Chunks of `pattern`.
_BLOCK: Final = 1 << 16


class CallerError(Exception):
    """An exception of the caller's own, which no library knows."""


def pattern(size: int, seed: int = 0) -> bytes:
    """Return *size* bytes that repeat nowhere near a block boundary; equal seeds, equal bytes."""
    block = random.Random(seed).randbytes(min(size, _BLOCK - 7))  # noqa: S311 - no secret
    return (block * (size // len(block) + 1))[:size] if block else b""


class CallerStop(BaseException):
    """One that is no Exception, as the caller's own ways to stop are."""


@define(eq=False)
class Source:
    """
    An async generator of chunks that remembers how far it was pulled and how it ended.

    Args:
        chunks: What it yields.
        error: Raised after *fail_after* chunks, or after all of them.
        fail_after: Chunks before *error*.
        stall_after: Chunks after which it waits until it is cancelled.
        delay: Seconds to sleep before each chunk.
        on_pull: Called with the number of the chunk about to be yielded.
    """

    chunks: Iterable[bytes] = (b"one", b"two", b"three")
    error: BaseException | None = None
    fail_after: int | None = None
    stall_after: int | None = None
    delay: float = 0.0
    on_pull: Callable[[int], object] | None = None
    #: Chunks that were asked for.
    pulled: int = field(default=0, init=False)
    #: Whether iteration started, and whether the generator was closed.
    started: bool = field(default=False, init=False)
    closed: bool = field(default=False, init=False)
    #: Set when it stalls.
    stalled: asyncio.Event = field(factory=asyncio.Event, init=False)

    @property
    def data(self) -> bytes:
        """All chunks as one."""
        return b"".join(self.chunks)

    @property
    def untouched(self) -> bool:
        """True if nothing was ever pulled."""
        return not self.started

    async def open(self) -> AsyncGenerator[bytes, None]:
        """Yield the chunks."""
        self.started = True
        try:
            for number, chunk in enumerate(self.chunks):
                await self._before(number)
                self.pulled += 1
                yield chunk
            await self._before(self.pulled)
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True

    async def _before(self, number: int) -> None:
        if self.on_pull is not None:
            self.on_pull(number)
        if self.error is not None and number == self.fail_after:
            raise self.error
        if number == self.stall_after:
            self.stalled.set()
            await asyncio.Event().wait()
        # Also without a delay: a source that never yields to the loop would
        # hide every race from a check.
        await asyncio.sleep(self.delay)
