"""
Runs a clause against a target. Front-ends only choose clauses and show results.

Each clause gets a loop of the kit's own in a thread of the kit's own, so
neither the vendor's test set-up nor a blocked loop can get in the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import shutil
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from attrs import define, evolve, field

from remote_store import Capability, CapabilitySet
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.contract.kinds import (
    FIRST,
    GATES,
    Level,
    Need,
    Trait,
    version_key,
)
from remote_store_conformance.contract.survey import Survey
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.engine.attempt import Attempt, Blocked, call_in_thread
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.results.result import Result, Status, without_secrets
from remote_store_conformance.results.run import Run
from remote_store_conformance.results.waivers import Waivers
from remote_store_conformance.targets.proxy import Wire
from remote_store_conformance.targets.target import NotOpen, Scratch, Target
from remote_store_conformance.tools.undeclared import refuse_in_store, refuse_raw

__all__ = ["Session"]

#: Calls of each kind that are timed before the first clause, and writes that are kept in mind.
_SAMPLES: Final = 5
_WRITES: Final = 20

#: Least seconds of patience and of settling, on a fast target.
_PATIENCE: Final = 2.0
_SETTLE: Final = 0.05

#: How much longer a check may take where each call goes over a network.
_REMOTE: Final = 3.0

#: Seconds that a target may take to open for the first time.
_OPENING: Final = 60.0

Body = Callable[[Trial], Awaitable[None] | None]


@define(eq=False)
class Session:
    """
    A target that is being checked.

    Args:
        target: What to check.
        kit: Where probes, meters and waivers come from.
        waivers: Deviations that are known.
        seed: Seed of every random choice.
        budget: Seconds after which no further clause starts, or None.
        patience: Least patience, in seconds.
        effort: See `Trial`.
        folder: Where the folders of runs are made; by default in one that `close` removes.
    """

    target: Target
    kit: Kit = field(factory=Kit)
    waivers: Waivers = field(factory=Waivers)
    seed: int = 0
    budget: float | None = None
    patience: float = _PATIENCE
    effort: float = 1.0
    folder: Path | None = None
    _survey: Survey | None = field(init=False, default=None)
    _folder: Path | None = field(init=False, default=None)
    _wire: Wire | None = field(init=False, default=None)
    _wired: bool = field(init=False, default=False)
    _hung: set[str] = field(init=False, factory=set)
    _writes: deque[float] = field(init=False, factory=lambda: deque(maxlen=_WRITES))
    _learned: dict[str, int] = field(init=False, factory=dict)
    _refusals: dict[Capability, Result] = field(init=False, factory=dict)
    _numbers: itertools.count[int] = field(init=False, factory=lambda: itertools.count(1))
    _spent: float = field(init=False, default=0.0)
    _token: str = field(init=False, factory=lambda: secrets.token_hex(4))

    # The target as a whole -------------------------------------------------

    @property
    def survey(self) -> Survey:
        """
        What is known about the target; opens it on first use.

        Raises:
            NotOpen: It does not open, or is not a backend.
        """
        if self._survey is None:
            self._survey = self._look()
        return self._survey

    def _look(self) -> Survey:
        found: list[Survey] = []

        scratch = self._scratch("survey")

        async def look() -> None:
            async with self.target.open(scratch) as backend:
                found.append(await self._measure(backend))
                if self._wire is not None:
                    # The root may be known to exist without asking.
                    await backend.exists(scratch.prefix)

        try:
            error = call_in_thread(lambda: asyncio.run(look()), _OPENING, "kit-survey")
        except Blocked as blocked:
            error = blocked
        if error is not None:
            msg = f"target {self.target.name!r} does not open: {type(error).__name__}: {error}"
            raise NotOpen(msg) from error
        # A proxy that saw nothing of these calls would also see nothing of a
        # fault or of a byte too many.
        self._wired = self._wire is not None and self._wire.read().sent > 0
        return found[0]

    async def _measure(self, backend: Any) -> Survey:
        medians = []
        for question in (backend.exists, backend.is_file, backend.is_folder):
            times = []
            for _ in range(_SAMPLES):
                start = time.perf_counter()
                # A backend that refuses even this one breaks a clause (CAP-010),
                # and can be checked.
                with contextlib.suppress(NotImplementedError):
                    await question("")
                times.append(time.perf_counter() - start)
            medians.append(statistics.median(times))
        slowest = max(medians)
        store = AsyncStore(backend)  # which leaves out what came after the backend's contract
        capabilities = CapabilitySet(c for c in Capability if store.supports(c))
        return Survey(
            name=backend.name,
            capabilities=capabilities,
            contract=str(getattr(backend, "CONTRACT", FIRST)),
            patience=self.patience,
            settle=_SETTLE,
            traits=self._traits(backend, capabilities),
            round_trip=slowest,
            cls=type(backend),
        )

    def _now(self) -> Survey:
        """Return the survey with the times of what calls cost by now, writes included."""
        survey, later = self.survey, self.target.consistency
        cost = max(survey.round_trip, statistics.median(self._writes) if self._writes else 0.0)
        return evolve(
            survey,
            patience=max(self.patience, 50 * cost) + later,
            settle=max(_SETTLE, 5 * cost) + later,
            round_trip=cost,
        )

    def _traits(self, backend: Any, capabilities: CapabilitySet) -> frozenset[Trait]:
        target = self.target
        told = {
            Trait.HIERARCHICAL: target.hierarchical,
            Trait.FLAT: target.shared_names,
            Trait.EXCLUSIVE: not target.shared_names,
            Trait.LOCAL: target.local,
            Trait.REMOTE: not target.local,
            Trait.PERSISTENT: target.persistent,
            Trait.PROCESSES: target.url is not None,
            Trait.TERMINAL: bool(getattr(backend, "close_is_terminal", False)),
            Trait.INSTALLED: bool(target.plugin),
            Trait.PARTIAL: not set(capabilities) >= GATES,
        }
        return frozenset(trait for trait, holds in told.items() if holds)

    def close(self) -> None:
        """Remove what the session itself made."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    # Running ---------------------------------------------------------------

    def run_all(
        self, clauses: Iterable[Clause], on_result: Callable[[Result], object] = lambda r: None
    ) -> Run:
        """
        Run clauses one after the other.

        Args:
            clauses: What to check.
            on_result: Called with each result as it comes.

        Raises:
            NotOpen: The target does not open.
        """
        results = []
        for clause in clauses:
            results.append(self.run(clause))
            on_result(results[-1])
        return Run(self.target.name, tuple(results), self.about())

    def about(self) -> dict[str, Any]:
        """Return what a report says about the target and this run."""
        survey = self._now()
        return {
            "backend": survey.name,
            "plugin": self.target.plugin,
            "class": f"{survey.cls.__module__}.{survey.cls.__qualname__}",
            "environment": self.target.environment,
            "hierarchical": self.target.hierarchical,
            "shared_names": self.target.shared_names,
            "contract": survey.contract,
            "declared": sorted(c.value for c in survey.capabilities),
            "part_size": self.target.part_size,
            "seed": self.seed,
            "patience": round(survey.patience, 3),
            "round_trip": survey.round_trip,
        }

    def deadline(self, clause: Clause) -> float:
        """Return the seconds after which a check of a clause hangs."""
        slowness = 1.0 if self.target.local else _REMOTE
        survey = self._now()
        return clause.seconds * max(slowness, survey.slowness, survey.patience / _PATIENCE)

    def run(self, clause: Clause) -> Result:
        """
        Check one clause.

        Raises:
            NotOpen: The target does not open.
        """
        start = time.perf_counter()
        result = self.waivers.apply(self._judge(clause), clause, self.target.name)
        seconds = time.perf_counter() - start
        self._spent += seconds
        return without_secrets(evolve(result, seconds=seconds), self.target.secrets)

    def _judge(self, clause: Clause) -> Result:
        survey = self.survey
        if clause.level is Level.UNTESTED or clause.check is None:
            return self._result(clause, Status.UNTESTED, clause.intent)
        if other := sorted(t.value for t in clause.only - survey.traits):
            return self._result(clause, Status.INAPPLICABLE, f"the target is not {other[0]}")
        missing = clause.requires - survey.capabilities
        if gates := sorted(missing & GATES, key=lambda c: c.value):
            return self._refused(clause, gates)
        if missing:
            names = ", ".join(sorted(c.name for c in missing))
            return self._result(clause, Status.UNCLAIMED, f"the backend does not claim {names}")
        if self.budget is not None and self._spent > self.budget:
            text = f"the budget of {self.budget:g} s is used up"
            return self._result(clause, Status.UNVERIFIED, text)
        result = self._execute(clause, clause.check, clause.needs)
        late = version_key(clause.since) > version_key(survey.contract)
        if late and result.status is Status.FAIL:
            return evolve(result, status=Status.UPCOMING)
        return result

    def _refused(self, clause: Clause, gates: list[Capability]) -> Result:
        for capability in gates:
            if capability not in self._refusals:
                run = self._execute(clause, _refusal(capability), frozenset())
                self._refusals[capability] = run
            known = self._refusals[capability]
            if known.status is not Status.PASS:
                return evolve(known, clause=clause)
        names = ", ".join(c.name for c in gates)
        advice = tuple(a for c in gates for a in self._refusals[c].advice)
        text = f"{names} not declared; calls are refused and change nothing"
        return evolve(self._result(clause, Status.REFUSED, text), advice=advice)

    def _result(self, clause: Clause, status: Status, message: str = "") -> Result:
        return Result(clause, self.target.name, status, message=message)

    def _execute(self, clause: Clause, body: Body, needs: frozenset[Need]) -> Result:
        """
        Run one check, watched and with a deadline.

        What a library opens once for the whole process is no leak: a check that only leaves
        threads or descriptors behind is run again, and leaves none the second time.
        """
        attempt = self._attempt(clause, body, needs)
        result = attempt.execute()
        return self._attempt(clause, body, needs).execute() if attempt.only_keeps else result

    def _attempt(self, clause: Clause, body: Body, needs: frozenset[Need]) -> Attempt:
        trial = Trial(
            clause.id,
            self.target,
            self._now(),
            self._scratch(clause.id),
            seed=self.seed,
            effort=self.effort,
            wire=self._wire if self._wired else None,
            hung=self._hung,
            opens=clause.opens,
            writes=self._writes,
            learned=self._learned,
            find_probe=lambda backend, scratch: self.kit.probe(self.target, backend, scratch),
            find_meter=lambda backend: self.kit.meter(self.target, backend, trial.wire),
        )
        return Attempt(clause, trial, body, needs, self.deadline(clause))

    def _scratch(self, label: str) -> Scratch:
        home = self.folder
        if home is None:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="remote-store-conform-"))
            home = self._folder
        name = f"{self._token}-{next(self._numbers)}-{label.lower()}"
        folder = home / name
        folder.mkdir()
        proxy = self._proxy()
        endpoint = self.target.endpoint if proxy is None else proxy.address
        base = f"{self.target.root}/" if self.target.root else ""
        return Scratch(f"{base}rs-conform-{name}", folder, endpoint)

    def _proxy(self) -> Wire | None:
        if self.target.endpoint is None:
            return None
        if self._wire is None:
            self._wire = Wire(self.target.endpoint)
        self._wire.clear()
        return self._wire


def _refusal(capability: Capability) -> Body:
    async def check(trial: Trial) -> None:
        await refuse_in_store(trial, capability)
        await refuse_raw(trial, capability)

    return check
