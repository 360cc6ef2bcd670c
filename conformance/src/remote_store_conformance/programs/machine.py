"""
Random programs against a model, with Hypothesis.

What a target does not declare stays in the programs, as calls that must be
refused and change nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import hypothesis
from attrs import define, field
from hypothesis import HealthCheck, Verbosity
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from remote_store import Capability, CapabilityNotSupported
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_conformance.contract.expect import Hang, Violation
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.programs.model import Model, above
from remote_store_conformance.programs.steps import (
    Step,
    agree,
    changes,
    contents,
    difference,
    flag,
    folders,
    looks,
    outcome,
    paths,
    told,
    write,
)
from remote_store_conformance.tools.cancelling import cancel_after_steps
from remote_store_conformance.tools.sources import CallerError, Source

__all__ = ["Programs", "run_programs"]

T = TypeVar("T")
C = Capability

_STEPS: Final = 15

#: Seconds for making a program that goes wrong smaller.
_SHRINKING: Final = 2.0

_EXAMPLES: Final = {"in-process": 60, "local": 40, "emulator": 6, "live": 3}


class Enough(BaseException):
    """Ends Hypothesis's search; it passes on what is no Exception."""


@define(eq=False)
class Programs:
    """
    One target that programs run on.

    Args:
        trial: The run.
        runner: The loop that everything runs in.
        disturbed: Also cancel writes and let their content fail.
    """

    trial: Trial
    runner: asyncio.Runner
    disturbed: bool = False
    number: int = field(init=False, default=0)
    smallest: Violation | None = field(init=False, default=None)
    _least: int = field(init=False, default=0)
    _until: float = field(init=False, default=0.0)
    #: The steps of the current program; after a failure, of the smallest one.
    steps: list[str] = field(init=False, factory=list)
    _backend: AsyncBackend | None = field(init=False, default=None)

    def do(self, call: Coroutine[Any, Any, T]) -> T:
        """
        Await a call in the loop.

        Raises:
            Hang: It does not end in time.
        """
        return self.runner.run(self.trial.within(call, self.steps[-1], 3 * self.trial.patience))

    def begin(self) -> AsyncStore:
        """
        Return a store over a fresh folder.

        Raises:
            Enough: The time for making a failing program smaller is over.
        """
        if self.smallest is not None and time.monotonic() > self._until:
            raise Enough
        self.number += 1
        self.steps = ["begin"]
        return self.store()

    def store(self) -> AsyncStore:
        """Return a store over the current folder."""
        backend = self._backend or self.trial.backend
        root = f"{self.trial.prefix}/p{self.number}"
        return AsyncStore(backend, root, owns_backend=False)

    def fail(self, what: str, observed: str, expected: str) -> None:
        """
        Say that the current program went wrong.

        Programs are made smaller for a few seconds; after that they stop, and
        the smallest one so far is told.

        Raises:
            Violation: Always.
        """
        violation = Violation(
            what,
            observed=observed,
            expected=expected,
            evidence={"program": list(self.steps[1:])},
        )
        if self.smallest is None:
            self._until = time.monotonic() + _SHRINKING
        if self.smallest is None or len(self.steps) <= self._least:
            self.smallest, self._least = violation, len(self.steps)
        raise violation

    async def reopen(self) -> None:
        """Close the backend and open another on the same storage."""
        old = self._backend or self.trial.backend
        self._backend = await self.trial.another()
        if self._backend is not old:
            close: Any = getattr(old, "aclose", None)
            if close is not None:
                await close()


def machine(programs: Programs) -> type[RuleBasedStateMachine]:
    """Return the class whose instances are the programs."""
    trial = programs.trial
    real = [folders] if trial.declares(C.CREATE_FOLDER) else []

    class Program(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.store = programs.begin()
            self.model = Model(trial.target.hierarchical, trial.target.shared_names)
            self.was_reopened = False

        @initialize(start=st.sets(paths, max_size=4))
        def some_files(self, start: set[str]) -> None:
            # From nothing, most calls of a short program would meet nothing.
            if trial.declares(C.WRITE):
                for path in sorted(start):
                    self.one(write(path, b"old", overwrite=True, atomic=False, chunked=False))

        def wrong(self, what: str, observed: Any, answer: Any) -> None:
            """Say that the program went wrong."""
            programs.fail(what, told(observed), told(answer))

        def compare(self, what: str) -> None:
            """State that the store is as the model."""
            difference = self.difference(self.model)
            if difference:
                self.wrong(what, difference, "as the model")

        def difference(self, model: Model) -> str:
            return programs.do(difference(trial, self.store, model))

        def adopt_folders(self, path: str) -> None:
            # Whether a write that fails leaves folders behind is its own affair.
            for folder in above(path):
                if folder not in self.model.files and programs.do(self.store.is_folder(folder)):
                    self.model.folders.add(folder)

        @rule(step=st.one_of(changes, looks, *real))
        def one(self, step: Step) -> None:
            programs.steps.append(step.text)
            observed = programs.do(outcome(step.call(self.store)))
            declared = trial.declares(*step.needs)
            answer = step.play(self.model) if declared else CapabilityNotSupported
            if not agree(observed, answer):
                self.wrong(f"{step.text} gives the wrong answer", observed, answer)
            self.compare("the store is not what it must be")

        @precondition(lambda self: programs.disturbed)
        @rule(path=paths, content=contents, overwrite=flag, turns=st.integers(0, 12))
        def cancelled_write(self, path: str, content: bytes, overwrite: bool, turns: int) -> None:
            step = write(path, content, overwrite, atomic=False, chunked=True)
            if not trial.declares(*step.needs):
                return
            programs.steps.append(f"cancelled after {turns} turns of the loop: {step.text}")
            ended = programs.do(cancel_after_steps(step.call(self.store), turns))
            refused = ended.error is not None and not ended.came_out
            if refused and not agree(ended.error, step.play(self.model.copy())):
                self.wrong("a cancelled write raised", ended.error, "CancelledError")
            self.adopt_folders(path)
            if not self.difference(self.model):
                return
            newer = self.model.copy()
            step.play(newer)
            if self.difference(newer):
                what = "a cancelled write left neither the old nor the new"
                self.wrong(what, self.difference(self.model), "the old file or the new one")
            self.model = newer

        @precondition(lambda self: programs.disturbed)
        @rule(path=paths, overwrite=flag, after=st.integers(0, 2))
        def failing_write(self, path: str, overwrite: bool, after: int) -> None:
            if not trial.declares(C.WRITE):
                return
            text = f"write({path!r}, overwrite={overwrite}), its content fails after {after} chunks"
            programs.steps.append(text)
            error = CallerError("the content fails")
            body = Source([b"xx", b"xx"], error=error, fail_after=after).open()
            observed = programs.do(outcome(self.store.write(path, body, overwrite=overwrite)))
            refusal = self.model.copy().write(path, b"", overwrite=overwrite)
            refused = isinstance(refusal, type) and isinstance(observed, refusal)
            if observed is not error and not refused:
                self.wrong("a write whose content fails gives", observed, "that very error")
            self.adopt_folders(path)
            self.compare("a write whose content failed left neither the old nor nothing")

        # A condition may ask what was drawn before, never the model: how a cancelled
        # write ends depends on time, and Hypothesis repeats programs draw by draw.
        @precondition(lambda self: not self.was_reopened)
        @rule()
        def reopened(self) -> None:
            self.was_reopened = True
            programs.steps.append("close the backend and open it again")
            programs.do(programs.reopen())
            self.store = programs.store()
            self.compare("the files are not what they were before the close")

    return Program


def run_programs(trial: Trial, *, disturbed: bool = False) -> None:
    """
    Run random programs, and shrink the first that goes wrong.

    Args:
        trial: The run; started and finished here.
        disturbed: Also cancel writes and let their content fail.

    Raises:
        Violation: A program comes out as the contract does not allow; its
            evidence is the smallest such program.
        Hang: A call does not end.
    """
    wanted = _EXAMPLES[trial.target.environment] * trial.effort / trial.survey.slowness
    settings = hypothesis.settings(
        max_examples=max(3, round(wanted)),
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        derandomize=True,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    with asyncio.Runner() as runner:
        runner.run(trial.start())
        programs = Programs(trial, runner, disturbed)
        seeded = hypothesis.seed(trial.seed)(machine(programs))
        try:
            run_state_machine_as_test(seeded, settings=settings)
        except Enough:
            assert programs.smallest is not None
            raise programs.smallest from None
        except Hang as hang:
            msg = f"{hang}; the program: {', '.join(programs.steps[1:])}"
            raise Hang(msg) from hang
        except Exception:
            # Also when Hypothesis calls the program flaky: it went wrong.
            if programs.smallest is None:
                raise
            raise programs.smallest from None
        finally:
            runner.run(trial.finish())
        trial.note(programs=programs.number)
