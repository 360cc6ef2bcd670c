"""What the tests of the thread pool share: its threads, and work that waits to be let go."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

PREFIX = "contract-pool"


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(PREFIX)]


def wait_until(condition: Callable[[], bool]) -> bool:
    """Poll for at most ten seconds."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


class Gate:
    """Work in a thread that reports its start and waits to be let go."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()
        self.done = False

    def __call__(self) -> str:
        self.started.set()
        assert self.release.wait(10)
        self.done = True
        return "done"

    async def wait_started(self) -> None:
        assert await asyncio.to_thread(self.started.wait, 10)


async def is_gone(reference: weakref.ref[Any]) -> bool:
    """Wait until nobody holds what *reference* leads to; the garbage collector should be off."""
    # The loop holds a future until its waiter's step is over; threads take their time.
    for _ in range(1000):
        if reference() is None:
            return True
        await asyncio.sleep(0.001)
    return False
