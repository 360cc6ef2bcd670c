"""The kit checks itself: the reference keeps every clause, every mutant breaks its own."""

from __future__ import annotations

import fnmatch
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

from attrs import evolve, field, frozen

from remote_store import Capability, CapabilitySet
from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.contract.kinds import Level
from remote_store_conformance.engine.session import Session
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance_selftest.installed import PackagedStandIn
from remote_store_conformance_selftest.mutants import Mutant, all_mutants
from remote_store_conformance_selftest.reference import ALL
from remote_store_conformance_selftest.reference_across import CopyingBackend, CopyingClient
from remote_store_conformance_selftest.reference_client import WireBackend, WireStandIn
from remote_store_conformance_selftest.reference_folders import FolderBackend
from remote_store_conformance_selftest.reference_headers import HeadersBackend
from remote_store_conformance_selftest.reference_ranges import RangeBackend
from remote_store_conformance_selftest.reference_resume import SMALL, ResumingBackend
from remote_store_conformance_selftest.reference_signed import SigningBackend
from remote_store_conformance_selftest.served import ServedStandIn
from remote_store_conformance_selftest.slowed import SlowedStandIn
from remote_store_conformance_selftest.stand_in import StandIn

__all__ = [
    "Catch",
    "Report",
    "check_mutant",
    "clauses_for",
    "references",
    "run_reference",
    "self_test",
    "wrong",
]

#: How often a mutant of a STOCHASTIC clause is tried: a busy machine may hide a
#: race for once. All others are caught at the first try, or not at all.
_TRIES: Final = 3

#: Runs of a reference, or mutants, that one process takes at a time.
_CLAUSES: Final = 60
_MUTANTS: Final = 12

#: References that differ from the full one only in what these families look at.
_SPECIAL: Final = {
    "across": {"ACROSS"},
    "across-flat": {"ACROSS"},
    "across-volatile": {"ACROSS"},
    "across-wire": {"ACROSS"},
    "installed": {"PKG", "CAP"},
    "one-loop": {"CAP", "CONC", "CANCEL", "LIFE", "MODEL"},
    "served": {"ATOM", "CAP", "CONC"},
    # Where time is measured, or a call is cut short.
    "slow": {"CAP", "CANCEL", "CONC", "MODEL"},
    "reusable": {"CAP", "ERR", "LIFE", "MODEL"},
    "without-atomic_move": {"CAP", "MOVE", "AMOVE", "CANCEL", "CONC", "MODEL"},
    "without-lazy_read": {"CAP", "READ", "LAZY", "MODEL"},
    "without-seekable_read": {"CAP", "READ", "SEEK", "MODEL"},
    "without-write_result_native": {"CAP", "WRITE", "ATOM", "NATIVE", "MODEL"},
}

#: Kinds of storage from which files are copied to another one.
_ACROSS: Final[dict[str, dict[str, Any]]] = {
    "": {},
    "-flat": {"flat": True},
    "-volatile": {"probe": False, "target": {"persistent": False}},
}

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
        late: Mutants that were not caught at the first try.
    """

    problems: tuple[str, ...]
    runs: int
    mutants: int
    counts: dict[str, dict[str, int]] = field(factory=dict)
    late: tuple[str, ...] = ()


@frozen
class Catch:
    """
    How the hunt for a mutant ended.

    Args:
        problem: Why it is not caught as it must be; ``""`` if it is.
        tries: How often it was tried.
    """

    problem: str
    tries: int


def references() -> list[StandIn]:
    """Return the correct backends: full, each capability removed, few, none, and other kinds."""
    full = StandIn(name="full")
    newest = HeadersBackend.CAPABILITIES
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
        StandIn(name="exclusive", flat=True, shared_names=False),
        StandIn(name="wrapped", wrapped=True),
        StandIn(name="reusable", terminal=False),
        StandIn(name="no-probe", probe=False),
        StandIn(name="volatile", probe=False, target={"persistent": False}),
        StandIn(name="one-loop", target={"loops": False}),
        PackagedStandIn(name="installed"),
        ServedStandIn(name="served"),
        SlowedStandIn(name="slow", target={"max_list": 60}),
        WireStandIn(name="wire", backend=WireBackend),
        StandIn(RangeBackend, "ranges", capabilities=RangeBackend.CAPABILITIES),
        *(
            StandIn(HeadersBackend, f"newest{kind}", flat=flat, capabilities=newest)
            for kind, flat in (("", False), ("-flat", True))
        ),
        StandIn(SigningBackend, "signing", capabilities=SigningBackend.CAPABILITIES),
        StandIn(FolderBackend, "folders", capabilities=FolderBackend.CAPABILITIES),
        WireStandIn(
            backend=ResumingBackend,
            name="resuming",
            capabilities=ResumingBackend.CAPABILITIES,
            target=SMALL,
        ),
        *(
            StandIn(CopyingBackend, f"across{kind}", capabilities=newest, **more)
            for kind, more in _ACROSS.items()
        ),
        WireStandIn(CopyingClient, "across-wire", capabilities=CopyingClient.CAPABILITIES),
    ]
    return [full, *less, *few, *kinds]


def clauses_for(stand_in: StandIn, clauses: Iterable[Clause]) -> list[Clause]:
    """Return the clauses that a reference is worth running with."""
    families = _SPECIAL.get(stand_in.name)
    return [c for c in clauses if families is None or c.family in families]


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


def check_mutant(mutant: Mutant, clause: Clause) -> Catch:
    """Return whether a mutant is caught as it must be; one that wins a race is tried again."""
    problem, tries = "", _TRIES if clause.level is Level.STOCHASTIC else 1
    for seed in range(tries):
        problem = _try_mutant(mutant, clause, seed)
        if not problem:
            return Catch("", seed + 1)
    return Catch(problem, tries)


def _try_mutant(mutant: Mutant, clause: Clause, seed: int) -> str:
    with mutant.stand_in.offered() as target, Session(target, seed=seed) as session:
        result = session.run(evolve(clause, seconds=min(clause.seconds, 10.0)))
    said = " ".join(filter(None, [result.message, result.observed, result.expected]))
    said = " ".join([said, *(f"{v}" for v in result.evidence.values())])
    name = f"mutant {mutant.name} ({mutant.clause})"
    if result.status is not Status.FAIL:
        return f"{name} is not caught: {result.status.value} {said}".rstrip()
    if lacking := [word for word in mutant.words if word not in said]:
        return f"{name} is caught without a helpful message: no {lacking[0]!r} in {said!r}"
    return ""


@frozen
class _Job:
    """
    What one process does at a time, by name.

    Args:
        kind: ``"reference"`` or ``"mutants"``.
        name: Name of the reference.
        ids: Ids of the clauses, or ids and names of the mutants.
    """

    kind: str
    name: str
    ids: tuple[str, ...]


@frozen
class _Done:
    """What came of a job: see `Report`."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    tally: dict[str, int] = field(factory=dict)
    late: tuple[str, ...] = ()


def self_test(
    patterns: Sequence[str] = ("*",),
    on_line: Callable[[str], object] = lambda line: None,
    jobs: int = 1,
) -> Report:
    """
    Check the kit.

    Args:
        patterns: Only clauses whose id matches one of them, and mutants of these.
        on_line: Called with each line of progress.
        jobs: Processes that share the work; with one it is done in this one.
    """
    clauses = [c for c in all_clauses() if any(fnmatch.fnmatch(c.id, p) for p in patterns)]
    mutants = [m for m in all_mutants() if any(fnmatch.fnmatch(m.clause, p) for p in patterns)]
    hunted = {m.clause for m in mutants}
    problems = [
        f"{c.id} has no mutant: nothing proves that its check can fail"
        for c in clauses
        if c.level is not Level.UNTESTED and c.id not in hunted
    ]
    counts: dict[str, dict[str, int]] = {}
    late: list[str] = []
    work = [*_reference_jobs(clauses), *_mutant_jobs(mutants)]
    for job, done in zip(work, _all_done(work, jobs), strict=True):
        problems += done.problems
        late += done.late
        for line in done.lines:
            on_line(line)
        if job.kind == "reference":
            tally = counts.setdefault(job.name, {})
            for status, number in done.tally.items():
                tally[status] = tally.get(status, 0) + number
    runs = sum(sum(tally.values()) for tally in counts.values())
    return Report(tuple(problems), runs, len(mutants), counts, tuple(late))


def _all_done(work: Sequence[_Job], jobs: int) -> Iterator[_Done]:
    if jobs < 2 or len(work) < 2:
        yield from map(_do, work)
        return
    # Spawned: a fork would copy threads of whoever calls this.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=spawn) as pool:
        yield from pool.map(_do, work)


def _reference_jobs(clauses: Sequence[Clause]) -> list[_Job]:
    return [
        _Job("reference", stand_in.name, part)
        # The last ones take longest, and must not be left to one process.
        for stand_in in reversed(references())
        for part in _parts([c.id for c in clauses_for(stand_in, clauses)], _CLAUSES)
    ]


def _mutant_jobs(mutants: Sequence[Mutant]) -> list[_Job]:
    parts = _parts([f"{m.clause} {m.name}" for m in mutants], _MUTANTS)
    return [_Job("mutants", "", part) for part in parts]


def _parts(ids: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(ids), size):
        yield tuple(ids[start : start + size])


def _do(job: _Job) -> _Done:
    return _do_reference(job) if job.kind == "reference" else _do_mutants(job)


def _do_reference(job: _Job) -> _Done:
    (stand_in,) = [s for s in references() if s.name == job.name]
    tally: dict[str, int] = {}
    problems = []
    for result in run_reference(stand_in, [c for c in all_clauses() if c.id in job.ids]):
        tally[result.status.value] = tally.get(result.status.value, 0) + 1
        if problem := wrong(stand_in, result):
            problems.append(problem)
    counted = ", ".join(f"{n} {status}" for status, n in sorted(tally.items()))
    line = f"{_mark(not problems)} reference {job.name}, {job.ids[0]} to {job.ids[-1]}: {counted}"
    return _Done((line,), tuple(problems), tally)


def _do_mutants(job: _Job) -> _Done:
    known = {c.id: c for c in all_clauses()}
    lines, problems, late = [], [], []
    for mutant in all_mutants():
        name = f"{mutant.clause} {mutant.name}"
        if name not in job.ids:
            continue
        if mutant.clause in known:
            catch = check_mutant(mutant, known[mutant.clause])
        else:
            catch = Catch(f"mutant {mutant.name} names {mutant.clause}, which is no clause", 1)
        problems += [catch.problem] if catch.problem else []
        late += [name] if catch.tries > 1 else []
        tries = f" (tries: {catch.tries})" if catch.tries > 1 else ""
        lines.append(f"{_mark(not catch.problem)} {name}: {mutant.text}{tries}")
    return _Done(tuple(lines), tuple(problems), late=tuple(late))


def _mark(good: bool) -> str:
    return "ok  " if good else "FAIL"
