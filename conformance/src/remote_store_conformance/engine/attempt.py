"""One run of one check: a thread and a loop of its own, a deadline, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import shutil
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, FrameType
from typing import Any, Final, NoReturn

from attrs import define, evolve, field

from remote_store import RemoteStoreError
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.contract.expect import Hang, Inapplicable, Unverified, Violation
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.engine.leaks import Watch
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance.targets.probing import ProbeFailed
from remote_store_conformance.tools.operations import OPERATIONS

__all__ = ["Attempt", "Blocked", "call_in_thread"]

#: Seconds between two looks at a check, once something has hung.
_GLANCE: Final = 0.1

#: A call that has hung before gets this part of the patience.
_AGAIN: Final = 4

#: Seconds beyond its deadline before a thread is given up as blocked.
_MARGIN: Final = 5.0

#: What has a frame of its own, and may await something else.
_AWAITED: Final = (CoroutineType, AsyncGeneratorType)

#: The kit, whose own defects are no failures of a backend.
_HERE: Final = Path(__file__).parents[1]


class Blocked(Exception):
    """Raised when a thread does not come back; it is left behind."""


def call_in_thread(
    function: Callable[[], object], seconds: float, name: str
) -> BaseException | None:
    """
    Call a function in a thread of its own and wait for its end.

    In a thread, because nothing else gets the control back from a loop that
    somebody blocks.

    Returns:
        What *function* raised, also a SystemExit; None if it returned.

    Raises:
        Blocked: It does not end within *seconds*.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        msg = f"{name} is blocked for more than {seconds:.0f} s"
        raise Blocked(msg)
    return errors[0] if errors else None


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """Let an ``os._exit`` of this process, made in the block, be an error in its thread."""
    real, own = os._exit, os.getpid()

    def refused(status: int) -> NoReturn:
        if os.getpid() != own:
            # In a child that was forked meanwhile it is the regular end.
            real(status)
        raise SystemExit(status)

    os._exit = refused
    try:
        yield
    finally:
        os._exit = real


@define(eq=False)
class Attempt:
    """
    One run of one check.

    Args:
        clause: What is checked.
        trial: What the check gets.
        body: The check.
        needs: What the trial must be able to do.
        deadline: Seconds.
    """

    clause: Clause
    trial: Trial
    body: Callable[[Trial], Awaitable[None] | None]
    needs: frozenset[Need]
    deadline: float
    _error: BaseException | None = field(init=False, default=None)
    _close_error: BaseException | None = field(init=False, default=None)
    _opened: bool = field(init=False, default=False)
    _watch: Watch = field(init=False, factory=lambda: Watch())

    @property
    def only_keeps(self) -> bool:
        """True if nothing was found but threads and descriptors that are still there."""
        found = self._watch.found
        return bool(found) and found == self._watch.kept and not self._failed

    @property
    def _failed(self) -> bool:
        return self._error is not None or self._close_error is not None

    def execute(self) -> Result:
        """Run it, and return what came out."""
        with self._watch.around(), _no_way_out():
            try:
                name = f"kit-{self.clause.id}"
                error = call_in_thread(self._run, self.deadline + _MARGIN, name)
                self._error = error or self._error
            except Blocked as blocked:
                self._watch.abandon()
                self._error = Hang(str(blocked))
        shutil.rmtree(self.trial.scratch.folder, ignore_errors=True)
        return self._judged()

    def _run(self) -> None:
        if not inspect.iscoroutinefunction(self.body):
            self._opened = True
            try:
                self.body(self.trial)
            except (Exception, Hang) as error:  # noqa: BLE001 - judged below
                self._error = error
            return
        with asyncio.Runner() as runner:
            self._watch.loop_started(runner.get_loop())
            runner.run(self._drive())

    async def _drive(self) -> None:
        own = asyncio.current_task()
        try:
            try:
                await self.trial.start()
            except Exception as error:  # noqa: BLE001 - judged below
                self._error = error
                return
            self._opened = True
            await self._check()
        finally:
            try:
                await asyncio.wait_for(self.trial.finish(), self.deadline)
            except Exception as error:  # noqa: BLE001 - judged below
                self._close_error = error
            await self._watch.check_tasks(self.trial.settle, own)

    async def _check(self) -> None:
        lacking = sorted(n.value for n in self.needs if not self.trial.can(n))
        if lacking:
            self._error = Unverified(f"the target offers no {' and no '.join(lacking)}")
            return
        task = asyncio.ensure_future(_called(self.body, self.trial))
        seconds = await self._waited(task)
        if not task.done():
            where = _where(task)
            self.trial.hung |= _waits_in(asyncio.all_tasks())
            task.cancel()
            await asyncio.wait({task}, timeout=self.trial.settle)
            probing = getattr(self.trial.probe, "spent", 0.0)
            if probing > seconds / 2:
                msg = f"the target's probe took {probing:.1f} of {seconds:.1f} s"
                self._error = ProbeFailed(msg)
            else:
                self._error = Hang(f"no end within {seconds:.1f} s{where}")
            self._watch.abandon()
        elif task.cancelled():
            self._error = Violation("a CancelledError came out that nobody asked for")
        else:
            self._error = task.exception()
            if self._error is not None and isinstance(self._error.__cause__, Hang):
                self._watch.abandon()

    async def _waited(self, task: asyncio.Task[None]) -> float:
        """
        Wait for a check until its deadline, and return the seconds that were given.

        A call that has hung before gets a small part of it.
        """
        loop = asyncio.get_running_loop()
        start = since = loop.time()
        waiting: set[str] = set()
        while not task.done():
            now = loop.time()
            if now - start >= self.deadline:
                return self.deadline
            hung = self.trial.hung
            calls = _waits_in(asyncio.all_tasks()) & hung if hung else set()
            if calls != waiting:
                waiting, since = calls, now
            elif calls and now - since >= self.trial.patience / _AGAIN:
                return now - since
            left = self.deadline - (now - start)
            await asyncio.wait({task}, timeout=min(left, _GLANCE) if hung else left)
        return 0.0

    # Judging ---------------------------------------------------------------

    def _judged(self) -> Result:
        trial = self.trial
        result = Result(
            self.clause,
            trial.target.name,
            Status.PASS,
            evidence=dict(trial.evidence),
            advice=tuple(trial.advice),
        )
        error = self._error
        if error is None and self._close_error is not None:
            closing = self._close_error
            error = Violation(f"closing the backend failed: {type(closing).__name__}: {closing}")
        if error is not None:
            result = self._broken(result, error)
        found = self._watch.found
        if not found or result.status not in (Status.PASS, Status.FAIL):
            return result
        left = "left behind: " + "; ".join(found)
        message = left if result.status is Status.PASS else f"{result.message} ({left})"
        return evolve(result, status=Status.FAIL, message=message)

    def _broken(self, result: Result, error: BaseException) -> Result:
        # Whatever came of it in between.
        failed = getattr(self.trial.probe, "failed", "") or isinstance(error, ProbeFailed)
        if failed:
            message = failed if isinstance(failed, str) else str(error)
            return evolve(result, status=Status.ERROR, message=message)
        if isinstance(error, Unverified):
            return evolve(result, status=Status.UNVERIFIED, message=str(error))
        if isinstance(error, Inapplicable):
            return evolve(result, status=Status.INAPPLICABLE, message=str(error))
        if isinstance(error, Violation):
            return evolve(
                result,
                status=Status.FAIL,
                message=error.message,
                observed=error.observed,
                expected=error.expected,
                evidence={**result.evidence, **error.evidence},
            )
        if isinstance(error, Hang):
            return evolve(result, status=Status.FAIL, message=f"hangs: {error}")
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, SystemExit):
            message = f"the backend ended the process, or tried to: {text}"
            return evolve(result, status=Status.FAIL, message=message)
        if not self._opened:
            return evolve(result, status=Status.ERROR, message=f"the target did not open: {text}")
        if _is_ours(error):
            trace = "".join(traceback.format_exception(error)[-3:])
            message = f"the kit itself failed: {text}"
            evidence = {**result.evidence, "traceback": trace}
            return evolve(result, status=Status.ERROR, message=message, evidence=evidence)
        return evolve(result, status=Status.FAIL, message=f"an unexpected error came out: {text}")


async def _called(body: Callable[[Trial], Any], trial: Trial) -> None:
    # Hang is no Exception, and a task that raises one would take the loop down.
    try:
        coroutine: Coroutine[Any, Any, None] = body(trial)
        await coroutine
    except Hang as hang:
        msg = f"hangs: {hang}"
        raise Violation(msg) from hang


def _frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames in which a task waits, from the outermost on."""
    # Through the chain of awaits: the task's own frame is only the outermost.
    awaited: Any = task.get_coro()
    while awaited is not None:
        if isinstance(awaited, CoroutineType):
            frame, awaited = awaited.cr_frame, awaited.cr_await
        elif isinstance(awaited, AsyncGeneratorType):
            frame, awaited = awaited.ag_frame, awaited.ag_await
        else:
            # Only the garbage collector knows whose a step of a generator is.
            frame, within = None, gc.get_referents(awaited)
            awaited = next((a for a in within if isinstance(a, _AWAITED)), None)
        if frame is not None:
            yield frame


def _where(task: asyncio.Task[None]) -> str:
    """Return where a task waits, as text."""
    names = [f"{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in _frames(task)]
    return f", waiting in {' > '.join(names[1:])}" if names[1:] else ""


def _waits_in(tasks: Iterable[asyncio.Task[Any]]) -> set[str]:
    """Return the operations in which tasks wait."""
    methods = {op.method for op in OPERATIONS}
    return {frame.f_code.co_name for task in tasks for frame in _frames(task)} & methods


def _is_ours(error: BaseException) -> bool:
    """Return True if the kit raised the error itself, so that the defect is not the backend's."""
    if isinstance(error, RemoteStoreError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return False
    return _HERE in Path(frames[-1].filename).parents
