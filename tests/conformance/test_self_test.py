"""The kit's own proof, and that the proof itself can fail."""

from __future__ import annotations

import fnmatch

import pytest
from attrs import evolve
from tests.conformance.conftest import clause_of, run_one

from remote_store_conformance.cli import main
from remote_store_conformance.contract import Level, all_clauses, find
from remote_store_conformance.expect import expect
from remote_store_conformance.mutants import Mutant, all_mutants, mutant
from remote_store_conformance.reference import ReferenceBackend
from remote_store_conformance.selftest import check_mutant, references, run_reference, wrong
from remote_store_conformance.stand_in import StandIn
from remote_store_conformance.trial import Trial

MUTANTS = all_mutants()


@pytest.mark.parametrize("one", MUTANTS, ids=lambda m: f"{m.clause}-{m.name}")
def test_every_mutant_is_caught_by_its_clause(one: Mutant) -> None:
    """The headline clause fails, with a message that helps."""
    assert check_mutant(one, find(one.clause)) == ""


def test_every_clause_that_is_tested_has_a_mutant() -> None:
    """A check that nothing makes fail proves nothing."""
    hunted = {m.clause for m in MUTANTS}
    lacking = [c.id for c in all_clauses() if c.level is not Level.UNTESTED and c.id not in hunted]

    assert lacking == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stand_in", references(), ids=lambda s: s.name)
def test_a_correct_backend_keeps_every_clause(stand_in: StandIn) -> None:
    """With the full set, without each capability, with few, with none, and of every kind."""
    problems = [wrong(stand_in, result) for result in run_reference(stand_in, all_clauses())]

    assert [p for p in problems if p] == []


async def blind(t: Trial) -> None:
    """A check that sees nothing."""


async def unhelpful(t: Trial) -> None:
    """A check that fails without saying what is wrong."""
    expect(False, "no")


def a_mutant() -> Mutant:
    return Mutant("m", "It is wrong.", "WRITE-999", ("the file is gone",), StandIn())


def test_a_mutant_that_is_not_caught_is_reported() -> None:
    """A pass is no catch."""
    assert "is not caught" in check_mutant(a_mutant(), clause_of(blind))


def test_a_catch_without_a_helpful_message_is_reported() -> None:
    """A failure has to name what is wrong."""
    assert "without a helpful message" in check_mutant(a_mutant(), clause_of(unhelpful))


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


def test_the_command_ends_with_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and a line that counts."""
    assert main(["self-test", "-k", "CAP-011"]) == 0
    assert fnmatch.fnmatch(capsys.readouterr().out, "*correct backends, 1 mutants, 0 problems\n")
