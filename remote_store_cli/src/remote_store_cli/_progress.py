"""How a transfer shows itself: a bar on a terminal, nothing but failures elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from remote_store_cli._console import complain
from remote_store_cli._outcome import about, describe

__all__ = ["ProgressBar", "Silent"]


class Silent:
    """A listener that reports failures only."""

    def advance(self, size: int) -> None:
        """Show nothing."""

    def skipped(self, size: int) -> None:
        """Show nothing."""

    def failed(self, path: str, error: Exception) -> None:
        """Print the failure as one line on standard error."""
        complain(about(path, describe(error)))


class ProgressBar(Silent):
    """
    A listener with a bar, the rate and the time that is left, on standard error.

    Args:
        total: Bytes to expect; None where that is not known.
    """

    def __init__(self, total: int | None) -> None:
        # Imported only for a terminal: it is the slowest import of the program.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._total = total
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
        )
        self._task = self._progress.add_task("copying", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def advance(self, size: int) -> None:
        """Move the bar."""
        self._progress.advance(self._task, size)

    def skipped(self, size: int) -> None:
        """Shorten the way instead of moving: bytes that were not read would flatter the rate."""
        if self._total is not None:
            self._total = max(self._total - size, 0)
            self._progress.update(self._task, total=self._total)
