"""A report for a terminal: one line for each family, then only what needs attention."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from remote_store_conformance.contract import FAMILIES
from remote_store_conformance.report.data import Report, counts, entry_of
from remote_store_conformance.results import Result

__all__ = ["ATTENTION", "outcome_text", "render"]

#: Statuses that somebody should look at, worst first.
ATTENTION: Final = ("fail", "stale-waiver", "error", "unverified", "upcoming", "waived")

_WIDTH: Final = 100


def render(report: Report, *, verbose: bool = False) -> str:
    """
    Return a report as text.

    Args:
        report: The report.
        verbose: Also every clause, with its sentence.
    """
    return "\n".join(
        [*_head(report), *_families(report, verbose), *_attention(report), *_end(report)]
    )


def _head(report: Report) -> Iterator[str]:
    about = report["about"]
    plugin = report["plugin"]
    where = f"{plugin['distribution']} {plugin['version']}" if plugin else about.get("class", "")
    yield f"{report['target']}  ({where}; {about.get('environment', '')})"
    declared = about.get("declared", [])
    yield from _wrapped(f"declares: {', '.join(declared) or 'nothing'}", "")
    yield ""


def _families(report: Report, verbose: bool) -> Iterator[str]:
    for family, title in FAMILIES.items():
        entries = [e for e in report["clauses"] if e["family"] == family]
        if not entries:
            continue
        found = counts({"clauses": entries})
        told = ", ".join(f"{number} {status}" for status, number in found.items())
        yield f"{family:<7} {title:<34} {told}"
        if verbose:
            for entry in entries:
                yield f"    {entry['status']:<13} {entry['id']:<11} {entry['text']}"


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
    warns = entry["status"] == "fail" and not entry["blocks"]
    label = "warning" if warns else entry["status"]
    yield f"{label.upper()} {entry['id']} ({entry['level']}) {entry['text']}"
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
    yield f"{report['verdict']}  (contract {report['contract']}; {told})"
    yield f"kit {report['kit']}, seed {report['about'].get('seed', 0)}, {seconds:.1f} s"


def outcome_text(result: Result) -> str:
    """Return one result as text."""
    return "\n".join(_entry(entry_of(result)))


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
