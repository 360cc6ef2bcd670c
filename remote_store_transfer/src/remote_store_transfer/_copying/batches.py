"""Which actions are carried out together, and how many."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

from remote_store_transfer._values import Action

__all__ = ["Batches"]

#: Files of the first batch, which is the smallest, and of the largest.
_FEWEST: Final = 1
_MOST: Final = 256
#: Bytes of a batch.
_BYTES: Final = 4 << 20
#: Seconds that a batch should take: enough that a hop to a thread does not count, and little
#: enough that progress moves, and that at the end no task has long to wait for another one.
_SHORT: Final = 0.002
_LONG: Final = 0.008
#: Seconds for each file in which batches take turns: the storage does not wait, and two
#: threads would only take the interpreter's lock from each other.
_QUICK: Final = 0.0002


class Batches:
    """
    Takes actions in batches.

    The first ones are of one action: where each takes long, as in a network, they are faster
    side by side than together.

    Args:
        actions: Where from.
        passed: Says of an action whether it is over already, since it moves nothing.
        fits: Says of an action whether it may be carried out together with others.
    """

    def __init__(
        self,
        actions: AsyncGenerator[Action, None],
        passed: Callable[[Action], bool],
        fits: Callable[[Action], bool],
    ) -> None:
        self._actions = actions
        self._passed = passed
        self._fits = fits
        self._held: Action | None = None
        self._count = _FEWEST
        self._running = 0
        self._turn = asyncio.Lock()
        self._quick = False

    async def next(self) -> list[Action]:
        """Return the next batch, empty at the end; never called twice at a time."""
        batch: list[Action] = []
        size = 0
        while len(batch) < self._count:
            action, self._held = self._held, None
            if action is None:
                action = await anext(self._actions, None)
            if action is None:
                break
            if self._passed(action):
                continue
            if not self._fits(action) or size + action.size > _BYTES:
                if batch:
                    self._held = action
                    break
                return [action]
            size += action.size
            batch.append(action)
        return batch

    @contextlib.asynccontextmanager
    async def turn(self, count: int) -> AsyncGenerator[None, None]:
        """Wait for the turn of a batch; its time tells what further ones should be."""
        turn = self._turn if self._quick and count > 1 else contextlib.nullcontext()
        async with turn:
            self._running += 1
            # Of those that run at the same time each waits for the others, more or less.
            start, beside = time.monotonic(), self._running
            try:
                yield
            finally:
                self._running -= 1
            seconds = (time.monotonic() - start) / beside
        self._quick = seconds < _QUICK * count
        if seconds < _SHORT and count == self._count:
            self._count = min(2 * count, _MOST)
        elif seconds > _LONG and count > self._count // 2:  # not for one that is large, alone
            self._count = max(self._count // 2, _FEWEST)
