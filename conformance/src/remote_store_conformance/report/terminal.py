"""A report for a terminal: one line for each family, then only what needs attention."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import define, field

from remote_store_conformance.contract.kinds import FAMILIES
from remote_store_conformance.report.data import Report, as_report, counts, entry_of, label_of
from remote_store_conformance.results.result import Result
from remote_store_conformance.results.run import Run

__all__ = ["ATTENTION", "Live", "outcome_text"]

#: Statuses that somebody should look at, worst first.
ATTENTION: Final = ("fail", "stale-waiver", "error", "unverified", "upcoming", "waived")

_WIDTH: Final = 100


@define(eq=False)
class Live:
    """
    Shows a run while it goes on: the target, a line for each family as it ends, and the rest.

    Args:
        say: Prints one line.
        verbose: Also every clause, with its sentence.
    """

    say: Callable[[str], object]
    verbose: bool = False
    _family: list[Result] = field(init=False, factory=list)

    def begin(self, target: str, about: Mapping[str, Any]) -> None:
        """Show what is checked."""
        for line in _head(as_report(Run(target, (), about))):
            self.say(line)

    def take(self, result: Result) -> None:
        """Show what came of a clause."""
        if self._family and self._family[0].clause.family != result.clause.family:
            self._end_family()
        self._family.append(result)
        if self.verbose:
            clause = result.clause
            self.say(f"    {result.status.value:<13} {clause.id:<11} {clause.text}")

    def _end_family(self) -> None:
        if self._family:
            self.say(_family_line([entry_of(result) for result in self._family]))
        self._family.clear()

    def end(self, report: Report) -> None:
        """Show what needs attention, and the verdict."""
        self._end_family()
        for line in (*_attention(report), *_end(report)):
            self.say(line)


def _head(report: Report) -> Iterator[str]:
    about = report["about"]
    plugin = report["plugin"]
    where = f"{plugin['distribution']} {plugin['version']}" if plugin else about.get("class", "")
    yield f"{report['target']}  ({where}; {about.get('environment', '')})"
    declared = about.get("declared", [])
    yield from _wrapped(f"declares: {', '.join(declared) or 'nothing'}", "")
    yield ""


def _family_line(entries: list[dict[str, Any]]) -> str:
    family = entries[0]["family"]
    found = counts({"clauses": entries})
    told = ", ".join(f"{number} {status}" for status, number in found.items())
    return f"{family:<7} {FAMILIES[family]:<34} {told}"


def _attention(report: Report) -> Iterator[str]:
    entries = [e for e in report["clauses"] if e["status"] in ATTENTION]
    entries.sort(key=lambda e: ATTENTION.index(e["status"]))
    for entry in entries:
        yield ""
        yield from _entry(entry)
    advice = [f"{e['id']}: {text}" for e in report["clauses"] for text in e["advice"]]
    if advice:
        yield ""
        yield "Remarks"
        for text in dict.fromkeys(a.partition(": ")[2] for a in advice):
            yield from _wrapped(text, "    ")


def _entry(entry: dict[str, Any]) -> Iterator[str]:
    yield f"{label_of(entry).upper()} {entry['id']} ({entry['level']}) {entry['text']}"
    for name in ("message", "observed", "expected"):
        if entry[name]:
            yield from _wrapped(f"{name}: {entry[name]}", "    ")
    if entry["waiver"]:
        yield from _wrapped(f"waiver: {entry['waiver']}", "    ")
    for name, value in entry["evidence"].items():
        yield from _wrapped(f"{name}: {value}", "    ")


def _end(report: Report) -> Iterator[str]:
    told = ", ".join(f"{number} {status}" for status, number in counts(report).items())
    seconds = sum(e["seconds"] for e in report["clauses"])
    yield ""
    if part := report.get("part"):
        yield from _wrapped(f"checked only: {part}", "")
    yield f"{report['verdict']}  (contract {report['contract']}; {told})"
    yield f"kit {report['kit']}, seed {report['about'].get('seed', 0)}, {seconds:.1f} s"


def outcome_text(result: Result) -> str:
    """Return one result as text."""
    return "\n".join(_entry(entry_of(result)))


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
