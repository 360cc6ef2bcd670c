"""Closing what a worker thread may be using when its owner is done with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator

__all__ = ["SharedClose"]


class SharedClose:
    """
    Closes something as soon as no thread uses it.

    A cancelled read or listing is left behind at once, and its thread with
    it; closing a file under a running system call would let that call hit
    the file that gets the descriptor next.

    Args:
        close: Called exactly once.
    """

    __slots__ = ("_close", "_closed", "_lock", "_users")

    def __init__(self, close: Callable[[], object]) -> None:
        self._close = close
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False

    def enter(self) -> bool:
        """Keep it open until `leave`; False if it is closed already, then do not leave."""
        with self._lock:
            if self._closed:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """End what `enter` began."""
        with self._lock:
            self._users -= 1
            last = self._closed and not self._users
        if last:
            self._close()

    @contextlib.contextmanager
    def use(self) -> Generator[bool, None, None]:
        """Keep it open meanwhile; gives False if it is closed already."""
        usable = self.enter()
        try:
            yield usable
        finally:
            if usable:
                self.leave()

    def release(self) -> None:
        """Close it now, or when its user is done; idempotent, never waits."""
        with self._lock:
            idle = not self._closed and not self._users
            self._closed = True
        if idle:
            self._close()
