"""Content to write, and looks at what is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest


async def chunks(*items: Any, closed: list[bool] | None = None) -> AsyncIterator[Any]:
    try:
        for item in items:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        if closed is not None:
            closed.append(True)


#: Threads of what other tests left open, a cached filesystem for instance.
older: set[threading.Thread] = set()


def worker_threads() -> list[threading.Thread]:
    """Return our threads that began in this test."""
    ours = [t for t in threading.enumerate() if t.name.startswith("remote-store")]
    return [t for t in ours if t not in older]


async def gone(what: Callable[[], Any]) -> None:
    """Wait until *what* is falsy."""
    for _ in range(500):
        if not what():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"still there: {what()}")
