"""Closing what an iteration leaves behind, at the end of a block."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Coroutine
from types import AsyncGeneratorType
from typing import Any

__all__ = ["Closing", "attended"]

_log = logging.getLogger(__name__)


class Closing:
    """
    Closes a backend's *iterator* at the end of the block, if it is something that can be closed.

    What goes wrong in that is logged, not raised: what was handed out is
    complete, or an error on its way says that it is not.

    An async generator that the block iterates over belongs to the block, and
    its loop does not hear of it. A loop that ends closes all the generators
    that it knows at the same time: it would close this one while the block is
    about to, and report that it cannot.
    """

    # contextlib would make one more async generator for the loop to look after.
    __slots__ = ("_iterator",)

    def __init__(self, iterator: object) -> None:
        self._iterator = iterator

    async def __aenter__(self) -> None:
        if isinstance(self._iterator, AsyncGeneratorType):
            _hide(self._iterator)

    async def __aexit__(self, *_: object) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            try:
                await close()
            except Exception:  # noqa: BLE001
                _log.debug("closing a read or listing failed", exc_info=True)


def _hide(generator: AsyncGenerator[Any, Any]) -> None:
    """Hide the first step of *generator* from the loop of this thread."""
    report = sys.get_asyncgen_hooks().firstiter

    def begun(other: AsyncGenerator[Any, Any]) -> None:
        sys.set_asyncgen_hooks(firstiter=report)
        if other is not generator and report is not None:  # which had begun before
            report(other)

    sys.set_asyncgen_hooks(firstiter=begun)


async def attended(closing: Coroutine[Any, Any, object]) -> None:
    """
    Await *closing*, in the closing of an async generator; a loop that ends waits for it, too.

    A generator that was thrown away is closed in a task of its own, for which
    `asyncio.run` would not wait. It does wait for the generators that the loop
    knows, so one of them waits here.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # the generator has outlived its loop: nobody awaits anything
        closing.close()
        raise
    if getattr(loop, "_asyncgens_shutdown_called", False):  # it has begun to wait already
        await closing
        return
    done = loop.create_future()
    attendant: Any = _attendant(done)  # the protocol of its type has no ag_running
    await anext(attendant)
    try:
        await closing
    finally:
        done.set_result(None)
        if not attendant.ag_running:
            await attendant.aclose()


async def _attendant(done: asyncio.Future[None]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        if not done.done():
            await asyncio.wait({done})
