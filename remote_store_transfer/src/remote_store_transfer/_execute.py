"""The execution of plans: bounded in files and bytes, on past failures, deletions last."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

from remote_store import AlreadyExists, NotFound
from remote_store_transfer._copy import Arrival, Copier, SourceChanged, TargetChanged
from remote_store_transfer._failures import EXPECTED, reason_of
from remote_store_transfer._gate import ByteGate
from remote_store_transfer._plan import Plan
from remote_store_transfer._retry import copy_stubbornly
from remote_store_transfer._side import DISK
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import (
    Action,
    Failure,
    Progress,
    Totals,
    TransferReport,
)

__all__ = ["BYTES", "CONCURRENCY", "RETRIES", "Ended", "Watch", "execute"]

#: Files in flight.
CONCURRENCY: Final = 16
#: Bytes in flight.
BYTES: Final = 32 << 20
#: How often a file is tried again.
RETRIES: Final = 2
#: What a file counts for at most: no more of it is in memory, however large it is.
_STREAMED: Final = 8 << 20
#: Seconds between two calls of a progress callback.
_QUIET: Final = 0.1

#: Who is told how an execution goes on.
Watch = Callable[[Progress], object]
#: Who is told that an action is over, with its failure where it has one.
Ended = Callable[[Action, Failure | None], object]


async def execute(
    plan: Plan,
    *,
    concurrency: int = CONCURRENCY,
    max_bytes_in_flight: int = BYTES,
    progress: Watch | None = None,
    ended: Ended | None = None,
    retries: int = RETRIES,
    metadata: bool = True,
) -> TransferReport:
    """
    Do what a plan says.

    One failure stops nothing else. Each file of the target is the old one or
    the new one, whole, at every moment and also after a cancellation. A new
    file is written exclusively; before one is replaced or deleted it is
    compared with what the plan saw, so that what somebody else wrote meanwhile
    is a failure and not lost (but for the moment between that look and the
    commit). Deletions come last, and are withheld if anything failed.

    Args:
        plan: What `plan` returned; prepared here unless it is already.
        concurrency: Files in flight.
        max_bytes_in_flight: Bytes of files in flight, of which a large file
            counts for 8 MiB at most, since it is streamed.
        progress: Called with a `Progress` at most ten times a second, and at
            the end. It must not block; what it raises ends the execution.
        ended: Called after each action with its `Failure`, None where it went
            well; not for actions that were withheld. As *progress* otherwise.
        retries: How often a file is tried again whose source changed
            meanwhile, or whose store did not answer.
        metadata: Take user metadata along where both sides keep them. Where
            the source's listing tells none, that costs one question for each
            file, after it was read.

    Returns:
        What was done, and everything that failed.

    Raises:
        ValueError: A number is out of range.
        NotFound, InvalidPath, RemoteStoreError, OSError: As `Plan.prepare`.
    """
    for name, value, least in (
        ("concurrency", concurrency, 1),
        ("max_bytes_in_flight", max_bytes_in_flight, 1),
        ("retries", retries, 0),
    ):
        if value < least:
            msg = f"{name} must be at least {least}, got {value}"
            raise ValueError(msg)
    start = time.monotonic()
    await plan.prepare()
    gate = ByteGate(max_bytes_in_flight)
    run = _Run(plan, gate, retries, progress, ended, start, metadata=metadata)
    try:
        await run.all(concurrency)
    finally:
        DISK.close()
    return run.report()


class _Run:
    """One execution."""

    def __init__(
        self,
        plan: Plan,
        gate: ByteGate,
        retries: int,
        progress: Watch | None,
        ended: Ended | None,
        start: float,
        *,
        metadata: bool,
    ) -> None:
        self._plan = plan
        self._gate = gate
        self._retries = retries
        self._start = start
        self._copier = Copier(plan.source, plan.target, one_store=plan.one_store, metadata=metadata)
        self._counts: dict[str, int] = dict.fromkeys(("copy", "replace", "skip", "delete"), 0)
        self._size = 0
        self._failures = list(plan.failures)
        self._retried = 0
        self._withheld = 0
        self._metadata_left_out = 0
        self._times_left_out = 0
        self._tell_ended = ended
        self._meter = _Meter(progress, plan.totals, start) if progress is not None else None

    async def all(self, concurrency: int) -> None:
        """Do everything, *concurrency* files at a time."""
        async with contextlib.aclosing(aiter(self._plan)) as actions:
            phases = _Phases(actions)
            await self._work(phases.moves(), concurrency)
            if self._failures or self._plan.source_incomplete:
                self._withheld = self._plan.totals.delete
            else:
                await self._work(phases.deletions(), concurrency)
        if self._meter is not None:
            self._meter.tell()

    async def _work(self, actions: AsyncGenerator[Action, None], concurrency: int) -> None:
        taking = asyncio.Lock()

        async def work() -> None:
            while True:
                async with taking:
                    action = await anext(actions, None)
                    # What need not be moved needs no task of its own.
                    while action is not None and action.kind in ("skip", "conflict"):
                        self._pass(action)
                        action = await anext(actions, None)
                if action is None:
                    return
                await self._do(action)

        async with contextlib.aclosing(actions), task_group() as group:
            for _ in range(concurrency):
                group.create_task(work())

    def _pass(self, action: Action) -> None:
        failure = None
        if action.kind == "skip":
            self._counts["skip"] += 1
        else:
            failure = Failure(action.path, "conflict", action.reason, "conflict")
        self._ended(action, failure)

    async def _do(self, action: Action) -> None:
        size = min(action.size, _STREAMED)
        failure = None
        await self._gate.enter(size)
        try:
            if action.kind == "delete":
                assert action.target is not None
                await self._copier.delete(action.path, action.target)
            else:
                arrival = await self._copy(action)
                self._size += arrival.size
                self._metadata_left_out += arrival.metadata_left_out
                self._times_left_out += arrival.time_left_out
            self._counts[action.kind] += 1
        except EXPECTED as error:
            failure = _failure(action, error)
        finally:
            self._gate.leave(size)
        self._ended(action, failure)

    async def _copy(self, action: Action) -> Arrival:
        assert action.source is not None

        def advance(count: int) -> None:
            if self._meter is not None:
                self._meter.moved(action, count)

        def again(count: int) -> None:
            self._retried += 1
            advance(-count)

        return await copy_stubbornly(
            self._copier,
            action.path,
            action.source,
            action.target if action.kind == "replace" else None,
            self._retries,
            advance,
            again,
        )

    def _ended(self, action: Action, failure: Failure | None) -> None:
        if failure is not None:
            self._failures.append(failure)
        if self._meter is not None:
            self._meter.ended(action, failed=failure is not None)
        if self._tell_ended is not None:
            self._tell_ended(action, failure)

    def report(self) -> TransferReport:
        """Return what was done."""
        return TransferReport(
            copied=self._counts["copy"],
            replaced=self._counts["replace"],
            skipped=self._counts["skip"],
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


def _failure(action: Action, error: Exception) -> Failure:
    if isinstance(error, AlreadyExists):
        reason = "somebody else has written it since the plan was made"
        return Failure(action.path, "conflict", reason, type(error).__name__)
    if isinstance(error, TargetChanged):
        return Failure(action.path, "conflict", reason_of(error), "PreconditionFailed")
    if isinstance(error, SourceChanged):
        return Failure(action.path, action.kind, reason_of(error), "PreconditionFailed")
    if isinstance(error, NotFound) and action.kind != "delete":
        reason = f"it was removed meanwhile: {reason_of(error)}"
        return Failure(action.path, action.kind, reason, type(error).__name__)
    return Failure(action.path, action.kind, reason_of(error), type(error).__name__)


class _Phases:
    """The actions of a plan in two parts: what comes before the first deletion, and the rest."""

    def __init__(self, actions: AsyncGenerator[Action, None]) -> None:
        self._actions = actions
        self._first: Action | None = None

    async def moves(self) -> AsyncGenerator[Action, None]:
        async for action in self._actions:
            if action.kind == "delete":
                self._first = action
                return
            yield action

    async def deletions(self) -> AsyncGenerator[Action, None]:
        if self._first is not None:
            yield self._first
            async for action in self._actions:
                yield action


class _Meter:
    """Adds up, and tells now and then."""

    def __init__(self, tell: Watch, totals: Totals, start: float) -> None:
        self._tell = tell
        self._totals = totals
        self._start = start
        self._last = 0.0
        self._files = self._bytes = self._failed = 0
        #: Bytes of the files in flight.
        self._open: dict[str, int] = {}
        self._at: tuple[str, int, int] = ("", 0, 0)

    def moved(self, action: Action, count: int) -> None:
        """Note that so many more bytes of a file were read; fewer than 0 take some back."""
        done = self._open[action.path] = self._open.get(action.path, 0) + count
        self._bytes += count
        self._at = action.path, done, action.size
        self._maybe()

    def ended(self, action: Action, *, failed: bool) -> None:
        """Note that an action is over."""
        done = self._open.pop(action.path, 0)
        self._files += 1
        self._failed += failed
        self._at = action.path, done, action.size
        self._maybe()

    def _maybe(self) -> None:
        now = time.monotonic()
        if now - self._last >= _QUIET:
            self._last = now
            self.tell()

    def tell(self) -> None:
        """Call whoever watches."""
        path, done, size = self._at
        self._tell(
            Progress(
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
