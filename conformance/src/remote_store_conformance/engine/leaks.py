"""Watches what a run leaves behind: tasks, threads, file descriptors, warnings, lost errors."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any, Final

from attrs import define, field

__all__ = ["Watch"]

_FDS: Final = "/proc/self/fd"

#: How warnings about resources begin that are advice, and not about something that was left open:
#: aiohttp's about the way in which a body is sent.
_ADVICE: Final = ("Sending a large body directly",)

#: Seconds that a thread or descriptor may take to go away after a close.
_GRACE: Final = 2.0


def _descriptors() -> dict[int, str]:
    """Return the open descriptors and what they lead to; empty where the OS does not say."""
    found: dict[int, str] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(_FDS):
            # One of them is the listing itself, which is gone by now.
            with contextlib.suppress(OSError):
                found[int(name)] = os.readlink(f"{_FDS}/{name}")
    return found


@define(eq=False)
class Watch:
    """
    Collects, from `around` to the end of its block, what should not be left behind.

    Args:
        grace: Seconds that threads and descriptors may take to go away.
    """

    grace: float = _GRACE
    #: What was found, as sentences; *kept* are those about threads and descriptors, which a
    #: library may open once for the whole process.
    found: list[str] = field(init=False, factory=list)
    kept: list[str] = field(init=False, factory=list)
    _quiet: bool = field(init=False, default=False)

    def abandon(self) -> None:
        """Stop looking: the run hangs, and what it left behind is no news."""
        self._quiet = True

    def _report(self, text: str) -> None:
        if not self._quiet and text not in self.found:
            self.found.append(text)

    def _report_kept(self, text: str) -> None:
        self._report(text)
        self.kept.append(text)

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """Watch a block that opens loops of its own and closes them."""
        # What exists already cannot be this run's garbage; frozen, it does not
        # have to be looked through by the collections below.
        gc.freeze()
        threads = set(threading.enumerate())
        descriptors = _descriptors()
        unraisable, excepthook = sys.unraisablehook, threading.excepthook
        sys.unraisablehook = self._on_unraisable
        threading.excepthook = self._on_thread_error
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
                if not self._quiet:
                    gc.collect()
                    self._check_threads(threads)
                    self._check_descriptors(descriptors)
            self._check_warnings(caught)
        finally:
            sys.unraisablehook, threading.excepthook = unraisable, excepthook
            gc.unfreeze()

    def loop_started(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen to the loop's complaints."""
        loop.set_exception_handler(self._on_loop_error)

    async def check_tasks(self, settle: float, *own: asyncio.Task[Any] | None) -> None:
        """
        Look for tasks that are still there after *settle* seconds, and cancel them.

        Args:
            settle: Seconds.
            own: Tasks of the kit.
        """
        end = time.monotonic() + max(settle, 0.05)
        while True:
            left = asyncio.all_tasks() - set(own)
            if not left:
                return
            if time.monotonic() > end:
                break
            await asyncio.sleep(0.002)
        for task in left:
            self._report(f"a task is left behind: {task.get_name()} ({task.get_coro()!r})")
            task.cancel()

    def _check_threads(self, before: set[threading.Thread]) -> None:
        end = time.monotonic() + self.grace
        while left := set(threading.enumerate()) - before:
            if time.monotonic() > end:
                for thread in left:
                    self._report_kept(f"a thread is left behind: {thread.name}")
                return
            time.sleep(0.001)

    def _check_descriptors(self, before: dict[int, str]) -> None:
        end = time.monotonic() + self.grace
        while left := dict(_descriptors().items() - before.items()):
            if time.monotonic() > end:
                for number, what in left.items():
                    self._report_kept(f"a file descriptor is left behind: {number} -> {what}")
                return
            gc.collect()
            time.sleep(0.001)

    def _check_warnings(self, caught: list[warnings.WarningMessage]) -> None:
        for warning in caught:
            said = str(warning.message)
            left_open = issubclass(warning.category, ResourceWarning)
            if (left_open and not said.startswith(_ADVICE)) or "was never awaited" in said:
                self._report(f"{warning.category.__name__}: {warning.message}")

    def _on_unraisable(self, unraisable: Any) -> None:
        what = unraisable.err_msg or "exception ignored"
        self._report(f"{what}: {unraisable.exc_value!r} in {unraisable.object!r}")

    def _on_thread_error(self, args: Any) -> None:
        name = args.thread.name if args.thread is not None else "unknown"
        self._report(f"thread {name} died of {args.exc_value!r}")

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._report(f"the loop complained: {context.get('message')} {error!r}".rstrip())
