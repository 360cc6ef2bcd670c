"""Reports: JSON is the source, the rest is drawn from it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.conformance.conftest import clause_of
from tests.operations import SINCE_1_1

from remote_store import Capability, CapabilitySet
from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.cli import main
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.engine.session import Session
from remote_store_conformance.report import badge, data, html, markdown, terminal
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance.results.run import Run
from remote_store_conformance_selftest.reference import ALL
from remote_store_conformance_selftest.stand_in import StandIn

PASS, UNTESTED = Status.PASS, Status.UNTESTED

EVIL = "<script>alert('x')</script> | `x`"


async def passes(t: Trial) -> None:
    """Keep the rule."""


async def fails(t: Trial) -> None:
    """Break the rule, in a way that an HTML page must not repeat."""
    expect(False, EVIL, observed=EVIL, path=Path("a"))


def report_of(*checks: Any, name: str = "target", **fields: Any) -> data.Report:
    """Return the report of a run of checks, the first of them with a capability."""
    clauses = [clause_of(check, requires=[Capability.GLOB]) for check in checks]
    with StandIn(name=name, **fields).offered() as target, Session(target) as session:
        return data.as_report(session.run_all(clauses))


def result_of(check: Any) -> Result:
    """Return the result of a check."""
    with StandIn().offered() as target, Session(target) as session:
        return session.run(clause_of(check))


def whole_of(check: Any) -> data.Report:
    """Return a report in which every clause passes, and one more is that of a check."""
    others = [Result(c, "target", UNTESTED if c.check is None else PASS) for c in all_clauses()]
    about = report_of(check)["about"]
    return data.as_report(Run("target", (result_of(check), *others), about))


def shown(result: Result, *, verbose: bool = False) -> str:
    """Return what a terminal shows of a run."""
    lines: list[str] = []
    live = terminal.Live(lines.append, verbose=verbose)
    live.begin("target", {})
    live.take(result)
    live.end(data.as_report(Run("target", (result,))))
    return "\n".join(lines)


def test_json_says_everything(tmp_path: Path) -> None:
    """A report survives its file, and holds versions, declaration, verdict and facts."""
    report = report_of(fails)
    data.save(report, tmp_path / "r.json")

    loaded = data.load(tmp_path / "r.json")
    assert loaded == report
    assert loaded["schema"] == 1
    assert loaded["verdict"] == "NOT CONFORMANT"
    assert loaded["about"]["declared"] == sorted(c.value for c in set(Capability) - SINCE_1_1)
    entry = loaded["clauses"][0]
    assert (entry["status"], entry["message"], entry["evidence"]) == ("fail", EVIL, {"path": "a"})


def test_no_report_shows_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a target names as its secrets, and what URLs hold, is in no form of a report."""

    async def leaks(t: Trial) -> None:
        """Repeat what a careless backend says."""
        error = OSError("cannot open https://u:TOPSECRET@h/?sig=TOPSECRET with hunter2")
        expect(False, str(error), observed=[error], got={"deep": [error], "hunter2": 1})

    with StandIn(name="t").offered() as plain:
        target = evolve(plain, secrets=("hunter2", ""))
        with Session(target) as session:
            report = data.as_report(session.run_all([clause_of(leaks)]))
    report |= {"plugin": {"name": "a\x1b[2J", "distribution": "b", "version": "1"}}
    data.save(report, tmp_path / "r.json")
    assert 0 == main(["matrix", str(tmp_path / "r.json")])

    printed = capsys.readouterr().out
    for text in ((tmp_path / "r.json").read_text(), html.render([report]), printed):
        assert "SECRET" not in text
        assert "hunter2" not in text
        assert "h/?sig=" in text
    assert "\x1b" not in printed


def test_the_matrix_tells_what_folders_are() -> None:
    """Three kinds of storage differ in what the rules ask of them."""
    reports = {
        "real folders": report_of(passes),
        "flat keys": report_of(passes, flat=True),
        "flat keys, exclusive names": report_of(passes, flat=True, shared_names=False),
    }
    for words, report in reports.items():
        assert f"{words} ·" in html.render([report]), words


def test_capabilities_tell_what_was_shown() -> None:
    """Kept, broken and refused are told apart, and nothing is kept that was not checked."""
    assert whole_of(passes)["capabilities"]["glob"] == "kept"
    assert report_of(passes)["capabilities"]["glob"] == "not checked"
    assert report_of(fails)["capabilities"]["glob"] == "broken"
    less = CapabilitySet(ALL - {Capability.GLOB, Capability.LAZY_READ})
    refused = report_of(fails, capabilities=less)["capabilities"]
    assert (refused["glob"], refused["lazy_read"]) == ("refused", "not claimed")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 99}'])
def test_a_file_that_is_no_report_is_wrong_usage(text: str, tmp_path: Path) -> None:
    """A broken file and a schema of another version give exit code 2."""
    path = tmp_path / "r.json"
    path.write_text(text)

    assert main(["badge", str(path)]) == 2
    assert main(["badge", str(tmp_path / "missing.json")]) == 2


def test_a_regression_is_told_and_an_improvement_is_not(tmp_path: Path) -> None:
    """The exit code of diff is that of what became worse."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    data.save(report_of(passes), good)
    data.save(report_of(fails), bad)

    assert main(["diff", str(good), str(bad)]) == 1
    assert main(["diff", str(bad), str(good)]) == 0
    assert main(["diff", str(good), str(good)]) == 0


def test_a_capability_that_is_given_up_is_a_regression() -> None:
    """Declaring less, or checking less, is no way to a better report."""
    less = report_of(passes, capabilities=CapabilitySet(ALL - {Capability.COPY}))
    worse, _ = data.differences(report_of(passes), less)
    assert worse == ["copy is no longer declared"]

    short = whole_of(passes)
    short["clauses"] = short["clauses"][1:]
    worse, _ = data.differences(whole_of(passes), short)
    assert worse == ["WRITE-999: pass -> not checked"]


class Page(HTMLParser):
    """Notes every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_matrix_is_one_file_without_scripts() -> None:
    """No script, nothing to load from elsewhere, and no text of a result becomes a tag."""
    text = html.render([report_of(passes, name="one"), report_of(fails, name="<two>")])
    page = Page(text)

    assert "script" not in {tag for tag, _ in page.found}
    loads = {"src", "href", "srcset", "data"}
    links = [v for _, attrs in page.found for k, v in attrs.items() if k in loads]
    assert links
    assert all(v is not None and v.startswith("#") for v in links)
    assert "url(" not in text
    assert "&lt;two&gt;" in text
    assert "<two>" not in text


def test_every_cell_of_the_matrix_leads_to_its_explanation() -> None:
    """Each button opens an element that is there."""
    page = Page(html.render([report_of(passes), report_of(fails)]))

    ids = {attrs.get("id") for _, attrs in page.found if "popover" in attrs}
    targets = [attrs["popovertarget"] for _, attrs in page.found if "popovertarget" in attrs]
    assert len(targets) == 2
    assert set(targets) <= ids


def test_markdown_keeps_its_tables() -> None:
    """A bar in a text does not end a cell."""
    text = markdown.render([report_of(fails)])

    assert EVIL not in text
    rows = [line for line in text.splitlines() if line.startswith("| `WRITE-999`")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 5


def test_the_terminal_shows_what_needs_attention() -> None:
    """A failure with its facts, and no failure without one."""
    assert "FAIL WRITE-999 (MUST) It holds." in shown(result_of(fails))
    assert "FAIL" not in shown(result_of(passes))
    assert "pass          WRITE-999" in shown(result_of(passes), verbose=True)


def test_the_terminal_shows_results_as_they_come() -> None:
    """The target before its first clause, and a family as soon as the next one begins."""
    lines: list[str] = []
    live = terminal.Live(lines.append)
    live.begin("target", {"declared": ["read"]})
    assert lines == ["target  (; )", "declares: read", ""]

    first = result_of(passes)
    live.take(first)
    assert len(lines) == 3
    live.take(evolve(first, clause=evolve(first.clause, id="ATOM-999")))
    assert lines[3].split() == ["WRITE", "Writing", "1", "pass"]
    live.end(data.as_report(Run("target", (first,))))
    assert lines[4].split()[0] == "ATOM"


def test_a_part_is_never_called_conformant(tmp_path: Path) -> None:
    """Every form of a report says which part was checked, and none gives a badge."""
    path = tmp_path / "r.json"
    data.save(report_of(passes), path)
    report = data.load(path)

    assert (report["verdict"], report["part"]) == ("PARTLY CHECKED", "no clause")
    for text in (html.render([report]), markdown.render([report]), shown(result_of(passes))):
        assert "CONFORMANT" not in text
        assert "no clause" in text
    assert main(["badge", str(path)]) == 2


def test_a_part_is_compared_with_what_it_is_a_part_of(tmp_path: Path) -> None:
    """What was not chosen is no regression; what was chosen and fails is one."""
    whole, part = whole_of(passes), report_of(passes)

    assert data.differences(whole, part) == ([], ["only compared of the new one: no clause"])
    assert data.differences(part, whole)[0] == []
    worse, _ = data.differences(whole, report_of(fails))
    assert [line.partition(" (")[0] for line in worse] == ["WRITE-999: pass -> fail"]


def test_a_rule_that_does_not_bind_is_counted_as_a_warning() -> None:
    """No total calls a broken SHOULD a failure; the report still holds its status."""
    clauses = [clause_of(fails), clause_of(fails, level=Level.SHOULD)]
    with StandIn().offered() as target, Session(target) as session:
        report = data.as_report(session.run_all(clauses))
    lines: list[str] = []
    terminal.Live(lines.append).end(report)

    assert data.counts(report) == {"fail": 1, "warning": 1}
    assert [e["status"] for e in report["clauses"]] == ["fail", "fail"]
    assert "1 fail, 1 warning" in "\n".join(lines)
    assert "1 fail, 1 warning" in markdown.render([report])
    assert '<li class="s-warning"><b>1</b> warning</li>' in html.render([report])


def test_the_badge_counts_what_was_proven() -> None:
    """The colour is that of the verdict."""
    clauses = len([c for c in all_clauses() if c.check])
    assert badge.render(whole_of(passes))["message"] == f"conformant {clauses + 1}/{clauses + 1}"
    assert badge.render(whole_of(fails))["color"] == "red"


def test_the_matrix_command_takes_several_reports(tmp_path: Path) -> None:
    """Rows are clauses, columns are targets."""
    names = []
    for number, check in enumerate((passes, fails)):
        names.append(str(tmp_path / f"{number}.json"))
        data.save(report_of(check, name=f"t{number}"), Path(names[-1]))

    page = tmp_path / "m.html"
    assert main(["matrix", *names, "--html", str(page), "--markdown", str(tmp_path / "m.md")]) == 0
    assert "t0" in page.read_text()
    assert "| clause | level | rule | t0 | t1 |" in (tmp_path / "m.md").read_text()
    json.loads((tmp_path / "0.json").read_text())


def test_the_page_leads_to_what_needs_attention() -> None:
    """A card links the row of each clause that is not as it should be, and no other."""
    broken, kept = html.render([report_of(fails)]), html.render([report_of(passes)])

    assert broken.count('<a class="s-fail" href="#WRITE-999">') == 1
    assert '<tr id="WRITE-999">' in broken
    assert 'class="odd"' not in kept


def test_a_page_of_many_targets_scrolls_sideways() -> None:
    """Seven columns do not fit beside the rules; six stay under their heads."""
    report = report_of(passes)

    assert '<div class="scroll wide">' in html.render([report] * 7)
    assert '<div class="scroll wide">' not in html.render([report] * 6)
