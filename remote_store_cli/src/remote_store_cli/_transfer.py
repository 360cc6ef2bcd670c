"""Transfers of a command: plans made by the engine, shown or carried out, and added up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import Factory, define, frozen

from remote_store_cli._codes import FAILED
from remote_store_cli._console import complain, names_left_out, remark, tell_refused, was_refused
from remote_store_cli._failing import Failures
from remote_store_cli._opening import OpenedPath
from remote_store_cli._options import Moving, Said
from remote_store_cli._outcome import NO_ROOM, about, advised
from remote_store_cli._output import emit, emit_json
from remote_store_cli._progress import Meter, showing
from remote_store_cli._units import count, human_size
from remote_store_transfer.aio import Action, Failure, Plan, Progress, TransferReport, execute

__all__ = [
    "Job",
    "Manner",
    "Outcome",
    "carry_out",
    "finish",
    "prepare",
    "run_jobs",
    "show",
]


@frozen
class Manner:
    """
    How a command goes about its transfers, and what it says.

    Args:
        said: What is said, and whether it is all that is done.
        moving: How files get to their places.
        doing: What it does, for the progress.
        done: What was done to a new file, for the summary.
        hint: What to do about a file that exists and differs.
        words: What actions are called in a dry run, where it is not their kind.
    """

    said: Said
    moving: Moving
    doing: str = "copying"
    done: str = "copied"
    hint: str = "--overwrite replaces it"
    words: Mapping[str, str] = Factory(dict)


@frozen
class Job:
    """
    One plan of a command.

    Args:
        plan: The plan.
        source: Its source: a folder, or a file for the path ``""``.
        target: Its target.
        is_folder: It is about all that is below a folder.
    """

    plan: Plan
    source: OpenedPath
    target: OpenedPath
    is_folder: bool = False

    def told(self, failure: Failure) -> tuple[str, str]:
        """Return the location that a failure concerns, and why it failed."""
        if failure.kind == "list":
            side, _, reason = failure.reason.partition(": ")
            place = self.target if side == "target" else self.source
            return place.text(failure.path), reason
        at_target = failure.kind in ("conflict", "delete") or NO_ROOM in failure.reason
        place = self.target if at_target else self.source
        return place.text(failure.path), failure.reason


@define
class Outcome(Failures):
    """The sums over the jobs of a command, and what failed besides."""

    reports: list[TransferReport] = Factory(list)
    #: Links that listings left out.
    links: int = 0

    def note(self, job: Job, failure: Failure, hint: str) -> None:
        """Note and print a failure of a job."""
        where, reason = job.told(failure)
        self.add(where, failure.kind, reason, failure.status)
        if was_refused(where, failure.status):
            return
        differs, _, how = reason.partition(": ")
        if differs == "exists and differs":
            message = f"{where} {differs} ({how}); {hint}"
        elif failure.error in _MEANWHILE:
            message = f"{about(where, reason)}; the same command looks again"
        else:
            message = about(where, reason)
        facts: dict[str, Any] = {"type": failure.error, "status": failure.status}
        complain(advised(message, **facts), **facts, location=where)

    def total(self, name: str) -> int:
        """Return the sum of a number over all reports."""
        return sum(getattr(report, name) for report in self.reports)

    @property
    def is_clean(self) -> bool:
        """Whether nothing failed, and nothing was left out."""
        return not (self.failures or self.links or names_left_out())

    @property
    def is_told(self) -> bool:
        """Whether one failure was all that happened."""
        names = ("copied", "replaced", "skipped", "deleted", "deletes_withheld")
        return len(self.failures) == 1 and not any(map(self.total, names))

    @property
    def code(self) -> int | None:
        """The exit code."""
        return FAILED if self.failures or self.total("deletes_withheld") else None

    def facts(self) -> dict[str, Any]:
        """Return the sums for a program."""
        names = ("copied", "replaced", "skipped", "deleted", "size", "deletes_withheld")
        more = ("metadata_left_out", "times_left_out", "retried")
        return {
            **{name: self.total(name) for name in (*names, *more)},
            "links_left_out": self.links,
            "names_left_out": names_left_out(),
            "failures": self.failures,
        }

    def summary(self, done: str) -> str:
        """Return the sums for a reader."""
        copied, replaced = self.total("copied"), self.total("replaced")
        parts = [
            f"{done} {count(copied + replaced, 'file')} ({human_size(self.total('size'))})"
            + (f", {replaced} of them replaced" if replaced else "")
        ]
        if skipped := self.total("skipped"):
            parts.append(f"skipped {count(skipped, 'equal file')}")
        if deleted := self.total("deleted"):
            parts.append(f"deleted {count(deleted, 'file')}")
        if withheld := self.total("deletes_withheld"):
            parts.append(f"kept {count(withheld, 'file')} that should be deleted, see above")
        if left := self.total("metadata_left_out"):
            parts.append(f"user metadata of {count(left, 'file')} left behind")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if names_left_out():
            parts.append("names that no path can have left out")
        if self.links:
            parts.append(f"{count(self.links, 'link')} left out, see --links")
        return "; ".join(parts)


async def prepare(jobs: Sequence[Job], outcome: Outcome, hint: str) -> list[Job]:
    """
    List and compare for every job; return those that can go on.

    A job one of whose sides could not be listed at all ends here: whatever it
    did would fail for the same reason, once for each file.
    """
    ready = []
    for job in jobs:
        await job.plan.prepare()
        for failure in job.plan.failures:
            outcome.note(job, failure, hint)
        outcome.links += job.plan.links_left_out
        if not any(f.kind == "list" and not f.path for f in job.plan.failures):
            ready.append(job)
    return ready


async def carry_out(jobs: Iterable[Job], manner: Manner, outcome: Outcome, meter: Meter) -> None:
    """Execute prepared plans, one after the other, each with many files at a time."""
    jobs = list(jobs)
    totals = [job.plan.totals for job in jobs]
    files = sum(t.copy + t.replace + t.delete for t in totals)
    meter.begin(manner.doing, files, sum(t.size for t in totals))
    before = 0
    for job in jobs:

        def ended(action: Action, failure: Failure | None, job: Job = job) -> None:
            meter.files_done += action.kind in ("copy", "replace", "delete")
            if failure is not None:
                outcome.note(job, failure, manner.hint)
            elif manner.said.verbose and action.kind != "skip":
                remark(_line(job, action))

        def moved(now: Progress, before: int = before) -> None:
            meter.moved(before + now.bytes_done)

        report = await execute(
            job.plan,
            concurrency=manner.moving.jobs,
            progress=moved,
            ended=ended,
            metadata=not manner.moving.no_metadata,
        )
        outcome.reports.append(report)
        before += job.plan.totals.size


#: Errors of files that somebody else changes at the same time.
_MEANWHILE: Final = ("AlreadyExists", "PreconditionFailed")
_PAST: Final = {"copy": "copied", "replace": "replaced", "delete": "deleted"}


def _line(job: Job, action: Action) -> str:
    word = _PAST[action.kind]
    if action.kind == "delete":
        return f"{word}  {job.target.text(action.path)}"
    source, target = job.source.text(action.path), job.target.text(action.path)
    return f"{word}  {source} -> {target} ({human_size(action.size)})"


async def show(jobs: Iterable[Job], manner: Manner) -> None:
    """Print what would be done: a table, or JSON."""
    facts: list[dict[str, Any]] = []
    size = files = equal = 0
    for job in jobs:
        equal += job.plan.totals.skip
        async with contextlib.aclosing(aiter(job.plan)) as actions:
            async for action in actions:
                word = manner.words.get(action.kind, action.kind)
                if word == "skip" and not (manner.said.verbose or manner.said.as_json):
                    continue
                source = "" if action.kind == "delete" else job.source.text(action.path)
                target = job.target.text(action.path)
                size += action.size
                files += word != "skip"
                if manner.said.as_json:
                    facts.append(
                        {
                            "action": word,
                            "source": source or None,
                            "target": target,
                            "size": action.size,
                            "reason": action.reason,
                        }
                    )
                else:
                    amount = human_size(action.size) if action.kind in ("copy", "replace") else "-"
                    emit(f"{word:<8}  {amount:>10}  {target}  ({action.reason})")
    if manner.said.as_json:
        emit_json(facts)
    elif not manner.said.quiet:
        skips = f"; {count(equal, 'equal file')}" if equal and "skip" not in manner.words else ""
        remark(f"dry run: {count(files, 'action')}, {human_size(size)}{skips}; nothing was done")


def finish(outcome: Outcome, manner: Manner) -> int | None:
    """Say what was done; return the exit code."""
    tell_refused()
    if manner.said.as_json:
        emit_json(outcome.facts())
    elif not (manner.said.quiet or outcome.is_told):
        remark(outcome.summary(manner.done))
    return outcome.code


async def run_jobs(
    jobs: Sequence[Job],
    manner: Manner,
    outcome: Outcome,
    *,
    review: Callable[[], object] = bool,
) -> int | None:
    """
    Prepare all jobs, then show them or carry them out.

    Args:
        jobs: What to do.
        manner: How.
        outcome: Gets what comes of it.
        review: Called once everything is planned and nothing done; what it
            raises ends the command.

    Returns:
        The exit code.
    """
    meter = Meter()
    meter.known = lambda: sum(job.plan.totals.files for job in jobs)
    try:
        async with showing(meter, quiet=manner.said.quiet):
            ready = await prepare(jobs, outcome, manner.hint)
            review()
            if not manner.said.dry_run:
                await carry_out(ready, manner, outcome, meter)
        if manner.said.dry_run:
            await show(ready, manner)
            return outcome.code
        return finish(outcome, manner)
    finally:
        for job in jobs:
            job.plan.close()
