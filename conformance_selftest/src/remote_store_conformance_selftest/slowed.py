"""The reference behind a network that takes its time: every call waits before it does anything."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator
from typing import Any

from attrs import define

from remote_store_conformance.targets.target import Scratch
from remote_store_conformance_selftest.stand_in import StandIn
from remote_store_conformance_selftest.tree import Tree

__all__ = ["Slowed", "SlowedStandIn"]


class Slowed:
    """
    Delegates to a backend, later.

    Args:
        backend: Where calls go.
        seconds: How much later.
    """

    def __init__(self, backend: object, seconds: float) -> None:
        self._backend = backend
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._backend, name)
        if name == "aclose" or not callable(value):
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(self._seconds)
            return await value(*args, **kwargs)

        async def items(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            await asyncio.sleep(self._seconds)
            async with contextlib.aclosing(value(*args, **kwargs)) as found:
                async for item in found:
                    yield item

        if inspect.isasyncgenfunction(value):
            return items
        return call if inspect.iscoroutinefunction(value) else value


@define(eq=False)
class SlowedStandIn(StandIn):
    """
    The reference, slowed.

    Args:
        seconds: What each call costs.
    """

    seconds: float = 0.05

    def build(self, tree: Tree, scratch: Scratch) -> Any:
        """Return a slow backend over a tree."""
        return Slowed(self.backend(tree, self.capabilities), self.seconds)
