"""One run of one check: a thread and a loop of its own, a deadline, and what came of it."""

from __future__ import annotations

import asyncio
import inspect
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field

from remote_store import RemoteStoreError
from remote_store_conformance.contract import Need
from remote_store_conformance.expect import Hang, Inapplicable, Unverified, Violation
from remote_store_conformance.results import Result, Status
from remote_store_conformance.trial import Trial
from remote_store_conformance.watch import Watch

__all__ = ["Attempt", "Blocked", "call_in_thread"]

#: Seconds beyond its deadline before a thread is given up as blocked.
_MARGIN: Final = 5.0

_HERE: Final = Path(__file__).parent
#: Code of this package that stands in for a vendor's.
_VENDOR_LIKE: Final = (
    "_service.py",
    "reference.py",
    "reference_wire.py",
    "_tree.py",
    "mutants",
    "packaged.py",
    "served.py",
    "stand_in.py",
)


class Blocked(Exception):
    """Raised when a thread does not come back; it is left behind."""


def call_in_thread(function: Callable[[], object], seconds: float, name: str) -> None:
    """
    Call a function in a thread of its own and wait for its end.

    In a thread, because nothing else gets the control back from a loop that
    somebody blocks.

    Raises:
        Blocked: It does not end within *seconds*.
        BaseException: What *function* raised.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - re-raised below
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        msg = f"{name} is blocked for more than {seconds:.0f} s"
        raise Blocked(msg)
    if errors:
        raise errors[0]


@define(eq=False)
class Attempt:
    """
    One run of one check.

    Args:
        trial: What the check gets.
        body: The check.
        needs: What the trial must be able to do.
        deadline: Seconds.
    """

    trial: Trial
    body: Callable[[Trial], Awaitable[None] | None]
    needs: frozenset[Need]
    deadline: float
    _error: BaseException | None = field(init=False, default=None)
    _close_error: BaseException | None = field(init=False, default=None)
    _opened: bool = field(init=False, default=False)
    _watch: Watch = field(init=False, factory=lambda: Watch())

    def execute(self) -> Result:
        """Run it, and tell what came out."""
        with self._watch.around():
            try:
                name = f"kit-{self.trial.clause.id}"
                call_in_thread(self._run, self.deadline + _MARGIN, name)
            except Blocked as error:
                self._watch.abandon()
                self._error = Hang(str(error))
            except BaseException as error:
                if not isinstance(error, Exception):
                    raise
                self._error = error
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
        await asyncio.wait({task}, timeout=self.deadline)
        if not task.done():
            where = _where(task)
            task.cancel()
            await asyncio.wait({task}, timeout=self.trial.settle)
            self._error = Hang(f"no end within {self.deadline:.0f} s{where}")
            self._watch.abandon()
        elif task.cancelled():
            self._error = Violation("a CancelledError came out that nobody asked for")
        else:
            self._error = task.exception()

    # Judging ---------------------------------------------------------------

    def _judged(self) -> Result:
        trial = self.trial
        result = Result(
            trial.clause,
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


def _where(task: asyncio.Task[None]) -> str:
    """Return where a task waits, as text."""
    # Through the chain of awaits: the task's own frame is only the outermost.
    coroutine: Any = task.get_coro()
    names = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        names.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        coroutine = getattr(coroutine, "cr_await", None)
    return f", waiting in {' > '.join(names[1:])}" if names[1:] else ""


def _is_ours(error: BaseException) -> bool:
    """Tell a defect of the kit from one of the backend by where the error was raised."""
    if isinstance(error, RemoteStoreError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return False
    raised = Path(frames[-1].filename)
    if _HERE not in raised.parents:
        return False
    return raised.relative_to(_HERE).parts[0] not in _VENDOR_LIKE
