"""SIGTERM ends a command in good order, as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Generator
from typing import Final

from remote_store_cli._codes import INTERRUPTED, TERMINATED

__all__ = ["handling_sigterm", "termination"]


class _Termination:
    """Whether the process was asked to end by a signal."""

    def __init__(self) -> None:
        self.came = False
        self._cancel: Callable[[], object] | None = None

    def interrupt(self, signum: int, frame: object) -> None:
        """End as with Ctrl-C, which leaves no temporary file and no half of anything."""
        self.came = True
        # The second one does not wait, as with Ctrl-C.
        cancel, self._cancel = self._cancel, None
        if cancel is None:
            raise KeyboardInterrupt
        cancel()

    @contextlib.contextmanager
    def cancelling(self, cancel: Callable[[], object]) -> Generator[None, None, None]:
        """Let the signal call *cancel*, where an exception could hit any step of a loop."""
        self._cancel = cancel
        try:
            yield
        finally:
            self._cancel = None


termination: Final = _Termination()


@contextlib.contextmanager
def handling_sigterm() -> Generator[None, None, None]:
    """
    Let SIGTERM end a program in good order, unless the caller has other plans with it.

    Raises:
        SystemExit: It came where nothing of a command was done: click knows
            of Ctrl-C only.
    """
    handled = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    try:
        if handled:
            signal.signal(signal.SIGTERM, termination.interrupt)
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        if termination.came and getattr(end, "code", INTERRUPTED) == INTERRUPTED:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        if handled:  # the end of the interpreter has nothing to put in order
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
