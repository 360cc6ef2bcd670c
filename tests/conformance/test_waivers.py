"""Waivers: a waived clause still runs, and no waiver covers a lie."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.conformance.conftest import clause_of

from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.engine.session import Session
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance.results.run import Run, Verdict
from remote_store_conformance.results.waivers import UsageError, Waivers, load_waivers
from remote_store_conformance.targets.target import Waiver
from remote_store_conformance_selftest.stand_in import StandIn

REASON = "the service cannot do it"


def run_waived(
    waiver: Waiver,
    *,
    broken: bool,
    level: Level = Level.MUST,
    plugin: str = "",
    kit: str = "",
) -> Result:
    """Return the result of a clause that a waiver names."""

    async def check(t: Trial) -> None:
        expect(not broken, "it is broken")

    waivers = Waivers((waiver,), date(2026, 6, 1), plugin=plugin, kit=kit)
    with StandIn().offered() as target, Session(target, waivers=waivers) as session:
        return session.run(clause_of(check, level=level))


def whole_run(result: Result) -> Run:
    """Return a run in which all other clauses pass."""
    return Run("t", (result, *(Result(c, "t", Status.PASS) for c in all_clauses())))


def waiver_of(**fields: object) -> Waiver:
    """Return a waiver of the clause that these tests run."""
    return Waiver(**{"clause": "WRITE-999", "reason": REASON, **fields})  # type: ignore[arg-type]


def test_a_failure_that_is_waived_does_not_gate() -> None:
    """The clause ran and failed; the verdict names the waiver."""
    result = run_waived(waiver_of(), broken=True)

    assert (result.status, result.waiver, result.message) == (Status.WAIVED, REASON, "it is broken")
    assert whole_run(result).verdict is Verdict.WAIVED


def test_a_waiver_that_is_not_needed_fails() -> None:
    """A waived clause that passes is a failure: the waiver is stale."""
    result = run_waived(waiver_of(), broken=False)

    assert result.status is Status.STALE_WAIVER
    assert Run("t", (result,)).verdict is Verdict.NOT_CONFORMANT


def test_a_stale_waiver_of_a_race_is_a_warning() -> None:
    """A race that did not happen this time proves nothing."""
    result = run_waived(waiver_of(), broken=False, level=Level.STOCHASTIC)

    assert result.status is Status.STALE_WAIVER
    assert whole_run(result).verdict is Verdict.CONFORMANT


@pytest.mark.parametrize(
    ("until", "status"), [("2026-06-01", Status.WAIVED), ("2026-05-31", Status.FAIL)]
)
def test_a_waiver_ends_with_its_date(until: str, status: Status) -> None:
    """It holds on its last day and not after it."""
    result = run_waived(waiver_of(until=until), broken=True)

    assert result.status is status
    assert ("expired" in result.message) == (status is Status.FAIL)


@pytest.mark.parametrize("what", ["plugin", "kit"])
@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("1.1", Status.WAIVED),
        ("1.2", Status.WAIVED),
        ("1.2.7rc1", Status.WAIVED),
        ("1.10", Status.FAIL),
        ("2", Status.FAIL),
        ("", Status.WAIVED),
    ],
)
def test_a_waiver_ends_with_a_version(what: str, version: str, status: Status) -> None:
    """It holds up to a version of the plugin or of the kit, with its patches, and says so."""
    waiver = waiver_of(**{f"until_{what}": "1.2"})
    plugin, kit = (version, "") if what == "plugin" else ("", version)
    result = run_waived(waiver, broken=True, plugin=plugin, kit=kit)

    assert result.status is status
    assert (f"up to version 1.2 of the {what}" in result.message) == (status is Status.FAIL)


def test_a_waiver_holds_for_its_targets() -> None:
    """On another target the failure is a failure."""
    assert run_waived(waiver_of(targets=("other",)), broken=True).status is Status.FAIL
    assert run_waived(waiver_of(targets=("reference",)), broken=True).status is Status.WAIVED


@pytest.mark.parametrize(
    ("waiver", "said"),
    [
        (Waiver("WRITE-998", REASON, link="x"), "no clause 'WRITE-998'"),
        (Waiver("CAP-008", REASON, link="x"), "cannot be waived"),
        (Waiver("MODEL-001", "todo", link="x"), "say why"),
        (Waiver("MODEL-001", REASON), "needs a link"),
        (Waiver("MODEL-001", REASON, link="x", until="soon"), "must be a date"),
        (Waiver("MODEL-001", REASON, link="x", until_kit="<2"), "'until_kit' must be a version"),
    ],
)
def test_a_waiver_that_may_not_be_is_wrong_usage(waiver: Waiver, said: str) -> None:
    """Unknown ids, CAP clauses, missing reasons, links and dates are refused."""
    with pytest.raises(UsageError, match=said):
        Waivers.of([waiver])


def test_waivers_are_read_from_toml(tmp_path: Path) -> None:
    """A file of their own, or a table of pyproject.toml; a date may be a TOML date."""
    table = (
        'clause = "MODEL-001"\nreason = "because of this"\ntargets = ["a"]\nuntil = 2027-03-01\n'
        'until_plugin = "1.2"\n'
    )
    own, project = tmp_path / "waivers.toml", tmp_path / "pyproject.toml"
    own.write_text(f"[[waiver]]\n{table}")
    project.write_text(f"[[tool.remote_store.conformance.waiver]]\n{table}")

    expected = [
        Waiver(
            "MODEL-001",
            "because of this",
            targets=("a",),
            until="2027-03-01",
            until_plugin="1.2",
        )
    ]
    assert expected == load_waivers(own) == load_waivers(project)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[waiver]]\nclause = "a"\nreason = "b"\nexpires = "c"', "unknown field expires"),
        ('[[waiver]]\nclause = "a"', "needs 'clause' and 'reason'"),
        ('[[waiver]]\nclause = "a"\nreason = "b"\ntargets = "c"', "a list"),
        ("waiver = 3", "tables"),
        ("[[waiver", "cannot read"),
    ],
)
def test_a_malformed_file_is_wrong_usage(text: str, said: str, tmp_path: Path) -> None:
    """Each mistake is named."""
    path = tmp_path / "waivers.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match=said):
        load_waivers(path)
