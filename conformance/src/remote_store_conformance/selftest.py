"""The kit checks itself: the reference keeps every clause, every mutant breaks its own."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator

from attrs import evolve, field, frozen

from remote_store import Capability, CapabilitySet
from remote_store_conformance.contract import Clause, Level, all_clauses
from remote_store_conformance.engine import Session
from remote_store_conformance.mutants import Mutant, all_mutants
from remote_store_conformance.packaged import PackagedStandIn
from remote_store_conformance.reference import ALL
from remote_store_conformance.reference_wire import WireBackend, WireStandIn
from remote_store_conformance.results import Result, Status
from remote_store_conformance.stand_in import StandIn

__all__ = ["Report", "check_mutant", "references", "run_reference", "self_test"]

#: What a correct backend may get.
_GREEN = {
    Status.PASS,
    Status.REFUSED,
    Status.UNCLAIMED,
    Status.INAPPLICABLE,
    Status.UNTESTED,
}


@frozen
class Report:
    """
    What a self-test found.

    Args:
        problems: What is wrong with the kit, one sentence each.
        runs: Clause runs on the references.
        mutants: Mutants that were tried.
        counts: For each reference, how often each status came.
    """

    problems: tuple[str, ...]
    runs: int
    mutants: int
    counts: dict[str, dict[str, int]] = field(factory=dict)


def references() -> list[StandIn]:
    """Return the correct backends: full, each capability removed, few, none, and other kinds."""
    full = StandIn(name="full")
    less = [
        StandIn(name=f"without-{c.value}", capabilities=CapabilitySet(ALL - {c}))
        for c in Capability
    ]
    few = [
        StandIn(name=name, capabilities=CapabilitySet(caps))
        for name, caps in {
            "read-only": {Capability.READ, Capability.LIST, Capability.METADATA},
            "write-only": {Capability.WRITE},
            "nothing": set[Capability](),
        }.items()
    ]
    kinds = [
        StandIn(name="flat", flat=True),
        StandIn(name="wrapped", wrapped=True),
        StandIn(name="reusable", terminal=False),
        StandIn(name="no-probe", probe=False),
        StandIn(name="volatile", probe=False, target={"persistent": False}),
        StandIn(name="one-loop", target={"loops": False}),
        PackagedStandIn(name="installed"),
        WireStandIn(name="wire", backend=WireBackend),
    ]
    return [full, *less, *few, *kinds]


def run_reference(stand_in: StandIn, clauses: Iterable[Clause]) -> Iterator[Result]:
    """Yield the result of each clause on a correct backend."""
    # Programs at random are the same work on each; a part of them is enough there.
    effort = 1.0 if stand_in.name in ("full", "flat") else 0.1
    with stand_in.offered() as target, Session(target, effort=effort) as session:
        for clause in clauses:
            yield session.run(clause)


def wrong(stand_in: StandIn, result: Result) -> str:
    """Return why a result is not what a correct backend must get, or ``""``."""
    if result.status in _GREEN:
        return ""
    if result.status is Status.UNVERIFIED and (
        not stand_in.probe or "wire" in result.message or "meter" in result.message
    ):
        return ""
    said = f"{result.message}; observed: {result.observed}; expected: {result.expected}"
    return f"reference {stand_in.name}: {result.clause.id} is {result.status.value}: {said}"


def check_mutant(mutant: Mutant, clause: Clause) -> str:
    """Return why a mutant is not caught as it must be, or ``""``."""
    with mutant.stand_in.offered() as target, Session(target) as session:
        result = session.run(evolve(clause, seconds=min(clause.seconds, 10.0)))
    said = " ".join(filter(None, [result.message, result.observed, result.expected]))
    said = " ".join([said, *(f"{v}" for v in result.evidence.values())])
    name = f"mutant {mutant.name} ({mutant.clause})"
    if result.status is not Status.FAIL:
        return f"{name} is not caught: {result.status.value} {said}".rstrip()
    if lacking := [word for word in mutant.words if word not in said]:
        return f"{name} is caught without a helpful message: no {lacking[0]!r} in {said!r}"
    return ""


def self_test(pattern: str = "*", on_line: Callable[[str], object] = lambda line: None) -> Report:
    """
    Check the kit.

    Args:
        pattern: Only clauses whose id matches, and mutants of these.
        on_line: Called with each line of progress.
    """
    clauses = [c for c in all_clauses() if fnmatch.fnmatch(c.id, pattern)]
    problems: list[str] = []
    counts: dict[str, dict[str, int]] = {}
    runs = 0
    for stand_in in references():
        tally = counts.setdefault(stand_in.name, {})
        before = len(problems)
        for result in run_reference(stand_in, clauses):
            runs += 1
            tally[result.status.value] = tally.get(result.status.value, 0) + 1
            if problem := wrong(stand_in, result):
                problems.append(problem)
        counted = ", ".join(f"{n} {status}" for status, n in sorted(tally.items()))
        on_line(f"{_mark(len(problems) == before)} reference {stand_in.name}: {counted}")
    known = {c.id: c for c in all_clauses()}
    mutants = [m for m in all_mutants() if fnmatch.fnmatch(m.clause, pattern)]
    for mutant in mutants:
        if mutant.clause not in known:
            problem = f"mutant {mutant.name} names {mutant.clause}, which is no clause"
        else:
            problem = check_mutant(mutant, known[mutant.clause])
        problems += [problem] if problem else []
        on_line(f"{_mark(not problem)} {mutant.clause} {mutant.name}: {mutant.text}")
    hunted = {m.clause for m in mutants}
    problems += [
        f"{c.id} has no mutant: nothing proves that its check can fail"
        for c in clauses
        if c.level is not Level.UNTESTED and c.id not in hunted
    ]
    return Report(tuple(problems), runs, len(mutants), counts)


def _mark(good: bool) -> str:
    return "ok  " if good else "FAIL"
