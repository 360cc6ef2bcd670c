"""How far a transfer is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from remote_store_cli._console import remark
from remote_store_cli._units import human_size

__all__ = ["Meter", "showing"]

#: Seconds between two lines where standard error is no terminal.
INTERVAL: Final = 10.0
#: Seconds before a bar appears: what is over by then needs none.
_PATIENCE: Final = 0.3
#: Seconds of the past that the rate is of.
_WINDOW: Final = 15.0


class Meter:
    """
    The sums of a command, and what a reader wants to know of them.

    Args:
        doing: What is being done, as long as its size is not known.
        clock: Tells seconds.
    """

    def __init__(self, doing: str = "listing", clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._past: deque[tuple[float, int]] = deque()
        #: What is being done, such as ``"copying"``.
        self.doing = doing
        self.begun = False
        #: How many files are known as long as nothing has begun.
        self.known: Callable[[], int] = int
        self.files = self.files_done = 0
        self.bytes = self.bytes_done = 0

    def begin(self, doing: str, files: int, size: int) -> None:
        """Begin with what is known to be done; with no files where nothing is known."""
        self.doing, self.files, self.bytes = doing, files, size
        self.begun = True
        self._past.append((self._clock(), 0))

    def more(self, size: int) -> None:
        """Note how many bytes more were moved."""
        self.moved(self.bytes_done + size)

    def moved(self, total: int) -> None:
        """Note how many bytes were moved since the beginning."""
        now = self._clock()
        self.bytes_done = total
        self._past.append((now, total))
        while len(self._past) > 2 and now - self._past[0][0] > _WINDOW:
            self._past.popleft()

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        done, all_ = (self.bytes_done, self.bytes) if self.bytes else (self.files_done, self.files)
        return min(done / all_, 1.0) if all_ else 0.0

    @property
    def rate(self) -> float:
        """Bytes a second of late."""
        if not self._past:
            return 0.0
        start, before = self._past[0]
        seconds = self._clock() - start
        return (self.bytes_done - before) / seconds if seconds > 0 else 0.0

    def facts(self) -> dict[str, Any]:
        """Return the state for a program: numbers of files, bytes, and bytes a second."""
        return {
            "doing": self.doing,
            "files_done": self.files_done if self.begun else self.known(),
            "files": self.files if self.begun and self.files else None,
            "bytes_done": self.bytes_done,
            "bytes": self.bytes if self.begun and self.files else None,
            "rate": self.rate,
        }

    def text(self) -> str:
        """Return the state in words and numbers."""
        if not self.begun:
            return f"{known} files" if (known := self.known()) else ""
        done, total = human_size(self.bytes_done), human_size(self.bytes)
        if not self.files:
            parts = [done]
        else:
            if done.split()[1] == total.split()[1]:
                done = done.split()[0]
            parts = [f"{self.files_done}/{self.files} files", f"{done}/{total}"]
        if (rate := self.rate) > 0:
            parts.append(f"{human_size(int(rate))}/s")
            if self.files:
                parts.append(f"{_duration(max(self.bytes - self.bytes_done, 0) / rate)} left")
        return "  ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d{hours % 24:02}h"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextlib.asynccontextmanager
async def showing(meter: Meter, *, quiet: bool) -> AsyncGenerator[None, None]:
    """Show a meter on standard error while something goes on."""
    if quiet:
        yield
        return
    draws = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    work = _draw if draws else _tell
    task = asyncio.create_task(work(meter))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _tell(meter: Meter) -> None:
    while True:
        await asyncio.sleep(INTERVAL)
        text = f"{meter.doing}: {meter.text()}" if meter.text() else f"{meter.doing} ..."
        remark(text, progress=meter.facts())


async def _draw(meter: Meter) -> None:
    await asyncio.sleep(_PATIENCE)
    # Imported only for a terminal: it is the slowest import of the program.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[state]}", markup=False),
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,  # it may be a pipe
        expand=True,
        auto_refresh=False,
    )
    bar = progress.add_task(meter.doing, total=None, state="")
    with progress:
        while True:
            total = 1.0 if meter.begun and meter.files else None
            progress.update(
                bar,
                description=meter.doing,
                total=total,
                completed=meter.share,
                state=meter.text(),
                refresh=True,
            )
            await asyncio.sleep(0.1)
