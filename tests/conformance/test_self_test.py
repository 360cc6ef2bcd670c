"""The kit's own proof, and that the proof itself can fail."""

from __future__ import annotations

import fnmatch
import sys

import pytest
from attrs import evolve
from tests.conformance.conftest import clause_of, run_one

from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.cli import main
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance_selftest import run as selftest
from remote_store_conformance_selftest.mutants import Mutant, all_mutants, mutant
from remote_store_conformance_selftest.reference import ReferenceBackend
from remote_store_conformance_selftest.run import (
    check_mutant,
    clauses_for,
    references,
    self_test,
    wrong,
)
from remote_store_conformance_selftest.stand_in import StandIn


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(1200)
def test_the_kit_proves_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Correct backends of every kind keep every clause, and every mutant is caught by its own."""
    # Thousands of runs: that they are traced would cost minutes, and other tests reach the same.
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
    report = self_test(jobs=2)

    assert report.problems == ()
    assert report.mutants == len(all_mutants()) >= 70
    assert set(report.counts) == {stand_in.name for stand_in in references()}
    assert sum(report.counts["full"].values()) == len(all_clauses()) >= 80


@pytest.mark.long
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_work_is_the_same_however_it_is_shared(jobs: int) -> None:
    """Each clause runs on each correct backend that it is for, and each mutant is shown once."""
    lines: list[str] = []
    report = self_test(["CAP-01*"], lines.append, jobs)
    mutants = [m for m in all_mutants() if m.clause.startswith("CAP-01")]
    clauses = [c for c in all_clauses() if c.id.startswith("CAP-01")]

    assert report.problems == ()
    looked_at = [r for r in references() if "CAP" in selftest._SPECIAL.get(r.name, {"CAP"})]
    assert report.runs == len(clauses) * len(looked_at) > 0
    assert len(lines) == len(looked_at) + len(mutants)
    assert all(line.startswith("ok  ") for line in lines)


def test_a_clause_without_a_mutant_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that nothing makes fail proves nothing."""
    monkeypatch.setattr(selftest, "all_mutants", list)

    assert "CAP-011 has no mutant" in "".join(self_test(["CAP-011"]).problems)


def test_a_mutant_that_escapes_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A correct backend that is called a mutant is not caught, however often it is tried."""
    correct = Mutant("m", "It is right.", "CAP-011", ("wrong",), StandIn())
    monkeypatch.setattr(selftest, "all_mutants", lambda: [correct])
    report = self_test(["CAP-011"])

    assert len(report.problems) == 1
    assert "m (CAP-011) is not caught: pass" in report.problems[0]


def test_special_references_run_what_they_are_special_in() -> None:
    """All others run every clause; the families of the special ones exist."""
    everything = all_clauses()
    special = {
        s.name: {c.family for c in clauses_for(s, everything)}
        for s in references()
        if len(clauses_for(s, everything)) < len(everything)
    }

    assert set(special) == set(selftest._SPECIAL)
    assert special == selftest._SPECIAL


async def blind(t: Trial) -> None:
    """A check that sees nothing."""


async def unhelpful(t: Trial) -> None:
    """A check that fails without saying what is wrong."""
    expect(False, "no")


def a_mutant() -> Mutant:
    return Mutant("m", "It is wrong.", "WRITE-999", ("the file is gone",), StandIn())


def test_a_mutant_that_is_not_caught_is_reported() -> None:
    """A pass is no catch."""
    catch = check_mutant(a_mutant(), clause_of(blind))

    assert "is not caught" in catch.problem
    assert catch.tries == 1


def test_a_catch_without_a_helpful_message_is_reported() -> None:
    """A failure has to name what is wrong."""
    assert "without a helpful message" in check_mutant(a_mutant(), clause_of(unhelpful)).problem


def test_only_the_mutants_of_a_race_get_another_try() -> None:
    """A check that sees the defect at its second run: luck for a MUST, a race for a STOCHASTIC."""
    runs: list[int] = []

    async def sees_it_later(t: Trial) -> None:
        runs.append(t.seed)
        expect(t.seed == 0, "the file is gone")

    race = check_mutant(a_mutant(), clause_of(sees_it_later, level=Level.STOCHASTIC))
    assert (race.problem, race.tries, runs) == ("", 2, [0, 1])

    runs.clear()
    must = check_mutant(a_mutant(), clause_of(sees_it_later))
    assert ("is not caught" in must.problem, must.tries, runs) == (True, 1, [0])


def test_a_correct_backend_that_fails_is_reported() -> None:
    """A false alarm is a problem of the kit."""
    assert "is fail" in wrong(StandIn(), run_one(clause_of(unhelpful)))


def test_unverified_is_accepted_only_where_something_lacks() -> None:
    """A full reference has nothing to hide behind."""
    result = run_one(clause_of(blind), budget=-1.0)
    result = evolve(result, message="the budget of -1 s is used up")

    assert "is unverified" in wrong(StandIn(), result)
    assert wrong(StandIn(probe=False), result) == ""


def test_a_mutant_says_what_is_wrong_with_it() -> None:
    """A class without a docstring, or without words, is refused."""
    with pytest.raises(ValueError, match="docstring"):

        @mutant("WRITE-999", "x")
        class Silent(ReferenceBackend):
            pass

    with pytest.raises(ValueError, match="words"):

        @mutant("WRITE-999")
        class Wordless(ReferenceBackend):
            """It is wrong."""


@pytest.mark.long
def test_the_command_ends_with_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and a line that counts."""
    assert main(["self-test", "-k", "CAP-011", "-k", "CAP-010"]) == 0
    assert fnmatch.fnmatch(capsys.readouterr().out, "*correct backends, 2 mutants, 0 problems\n")


def test_without_the_self_test_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is wrong usage, told in one line; `explain` goes without the mutants."""
    package = "remote_store_conformance_selftest"
    for name in [n for n in sys.modules if n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)

    assert main(["self-test"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "pip install remote-store-conformance-selftest" in err
    assert main(["explain", "WRITE-004"]) == 0
    assert "which is not installed" in capsys.readouterr().out
