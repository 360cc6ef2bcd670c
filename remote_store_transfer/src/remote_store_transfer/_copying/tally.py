"""What an execution adds up, and tells now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from remote_store_transfer._planning.plan import Plan
from remote_store_transfer._values import Action, Failure, Totals, TransferReport

if TYPE_CHECKING:
    from remote_store_transfer._progress import Progress

__all__ = ["EndWatch", "Outcome", "Tally", "Watch"]

#: Seconds between two calls of a progress callback.
_QUIET = 0.1

#: Who is told how an execution goes on.
Watch: TypeAlias = "Callable[[Progress], object]"
#: Who is told that an action is over, with its failure where it has one.
EndWatch: TypeAlias = Callable[[Action, Failure | None], object]


class Outcome(NamedTuple):
    """
    What became of an action.

    Args:
        failure: Why it failed; None if it did not.
        size: Bytes that arrived.
        retried: Attempts that were made in vain.
        metadata_left_out: The source has user metadata that the target cannot keep.
        time_left_out: The source's time could not be restored.
    """

    failure: Failure | None = None
    size: int = 0
    retried: int = 0
    metadata_left_out: bool = False
    time_left_out: bool = False


class Tally:
    """
    Adds up what becomes of the actions of a plan.

    Args:
        plan: The plan, prepared.
        progress: Who is told how it goes on.
        ended: Who is told of each action that it is over.
        start: When it began, by `time.monotonic`.
    """

    def __init__(
        self, plan: Plan, progress: Watch | None, ended: EndWatch | None, start: float
    ) -> None:
        self._plan = plan
        self._tell_end = ended
        self._start = start
        self._counts: dict[str, int] = dict.fromkeys(("copy", "replace", "delete"), 0)
        self._size = self._retried = self._withheld = 0
        self._metadata_left_out = self._times_left_out = 0
        self._failures = list(plan.failures)
        self._meter = None if progress is None else _Meter(progress, plan.totals, start)

    @property
    def deletes(self) -> bool:
        """Whether nothing speaks against deletions so far."""
        return not self._failures and not self._plan.source_incomplete

    def withhold(self) -> None:
        """Note that no deletion is carried out."""
        self._withheld = self._plan.totals.delete

    def moved(self, action: Action, count: int) -> None:
        """Note that so many more bytes of a file were read; fewer than 0 take some back."""
        if self._meter is not None:
            self._meter.moved(action, count)

    def passed(self, action: Action) -> bool:
        """Note an action that moves nothing; return False if it is another one."""
        if action.kind != "conflict":
            return False
        self.ended(action, Outcome(Failure(action.path, "conflict", action.reason, "conflict")))
        return True

    def ended(self, action: Action, outcome: Outcome) -> None:
        """Note that an action is over."""
        if outcome.failure is None:
            self._counts[action.kind] += 1
        else:
            self._failures.append(outcome.failure)
        self._size += outcome.size
        self._retried += outcome.retried
        self._metadata_left_out += outcome.metadata_left_out
        self._times_left_out += outcome.time_left_out
        if self._meter is not None:
            self._meter.ended(action, failed=outcome.failure is not None)
        if self._tell_end is not None:
            self._tell_end(action, outcome.failure)

    def tell(self) -> None:
        """Tell whoever watches how far it is."""
        if self._meter is not None:
            self._meter.tell()

    async def keep_telling(self) -> None:
        """
        Tell whoever watches, until cancelled, now and then what is new.

        Nobody else does it: what a callback raises must not be taken for the failure of a file.
        """
        while self._meter is not None:
            self._meter.catch_up()
            await asyncio.sleep(_QUIET)

    def report(self) -> TransferReport:
        """Return what was done."""
        return TransferReport(
            copied=self._counts["copy"],
            replaced=self._counts["replace"],
            skipped=self._plan.totals.skip,
            deleted=self._counts["delete"],
            size=self._size,
            seconds=time.monotonic() - self._start,
            failures=tuple(self._failures),
            retried=self._retried,
            deletes_withheld=self._withheld,
            links_left_out=self._plan.links_left_out,
            names_left_out=self._plan.names_left_out,
            metadata_left_out=self._metadata_left_out,
            times_left_out=self._times_left_out,
        )


class _Meter:
    """Knows how far it is."""

    def __init__(self, tell: Watch, totals: Totals, start: float) -> None:
        # Only for those who watch; not on the way, where every file comes by.
        from remote_store_transfer._progress import Progress

        self._made = Progress
        self._tell = tell
        self._totals = totals
        self._start = start
        #: Something has moved since whoever watches was told.
        self._news = False
        self._files = totals.skip  # over before it begins
        self._bytes = self._failed = 0
        #: Bytes of the files in flight.
        self._open: dict[str, int] = {}
        self._at: tuple[str, int, int] = ("", 0, 0)

    def moved(self, action: Action, count: int) -> None:
        """Note that so many more bytes of a file were read; fewer than 0 take some back."""
        done = self._open[action.path] = self._open.get(action.path, 0) + count
        self._bytes += count
        self._at = action.path, done, action.size
        self._news = True

    def ended(self, action: Action, *, failed: bool) -> None:
        """Note that an action is over."""
        done = self._open.pop(action.path, 0)
        self._files += 1
        self._failed += failed
        self._at = action.path, done, action.size
        self._news = True

    def catch_up(self) -> None:
        """Call whoever watches, if there is something to tell."""
        if self._news:
            self.tell()

    def tell(self) -> None:
        """Call whoever watches."""
        self._news = False
        path, done, size = self._at
        self._tell(
            self._made(
                path=path,
                file_done=done,
                file_size=size,
                files_done=self._files,
                files=self._totals.files,
                bytes_done=self._bytes,
                bytes=self._totals.size,
                failed=self._failed,
                seconds=time.monotonic() - self._start,
            )
        )
