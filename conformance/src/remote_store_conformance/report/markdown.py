"""Reports as Markdown: one target, or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from remote_store import Capability
from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.contract.kinds import FAMILIES, GATES
from remote_store_conformance.report.data import Report, counts
from remote_store_conformance.report.terminal import ATTENTION

__all__ = ["capability_table", "registry_table", "render"]


def render(reports: Sequence[Report]) -> str:
    """Return reports as one page: verdicts, capabilities, clauses, what needs attention."""
    parts = ["# Conformance", *_verdicts(reports), "## Capabilities", capability_table(reports)]
    parts += ["## Clauses", *_clauses(reports)]
    if notes := list(_notes(reports)):
        parts += ["## What needs attention", *notes]
    return "\n\n".join(parts) + "\n"


def _verdicts(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        told = ", ".join(f"{number} {status}" for status, number in counts(report).items())
        plugin = report["plugin"]
        made = f"{plugin['distribution']} {plugin['version']}, " if plugin else ""
        only = f"only {part}; " if (part := report.get("part")) else ""
        yield (
            f"**{report['target']}: {report['verdict']}** ({only}{told}; {made}"
            f"contract {report['contract']}, kit {report['kit']}, Python {report['python']})"
        )


def capability_table(reports: Sequence[Report]) -> str:
    """Return what was shown of each capability, as a table."""
    names = list(reports[0]["capabilities"]) if reports else []
    rows = [[f"`{n}`", *(r["capabilities"].get(n, "") for r in reports)] for n in names]
    return _table(["capability", *(r["target"] for r in reports)], rows)


def registry_table() -> str:
    """Return what is checked of each capability, by the registry of clauses, as a table."""
    rows = []
    for capability in Capability:
        about = [c.family for c in all_clauses() if capability in c.requires]
        gate = capability in GATES
        rows.append(
            [
                f"`{capability.name}`",
                "gate" if gate else "flag",
                ", ".join(f"{family} {about.count(family)}" for family in dict.fromkeys(about)),
                "refused, and nothing changes" if gate else "unclaimed",
            ]
        )
    return _table(["Capability", "Kind", "Clauses, if declared", "If not declared"], rows)


def _clauses(reports: Sequence[Report]) -> Iterator[str]:
    found: dict[str, dict[str, Any]] = {}
    for report in reports:
        for entry in report["clauses"]:
            found.setdefault(entry["id"], entry)
    statuses = [{e["id"]: e["status"] for e in r["clauses"]} for r in reports]
    for family, title in FAMILIES.items():
        rows = [
            [
                f"`{name}`",
                entry["level"],
                _cell(entry["text"]),
                *(s.get(name, "") for s in statuses),
            ]
            for name, entry in found.items()
            if entry["family"] == family
        ]
        if rows:
            yield f"### {title}"
            yield _table(["clause", "level", "rule", *(r["target"] for r in reports)], rows)


def _notes(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        for entry in report["clauses"]:
            if entry["status"] not in ATTENTION:
                continue
            lines = [f"- **{report['target']} {entry['id']}**: {entry['status']}"]
            lines += [
                f"  - {name}: {_cell(entry[name])}"
                for name in ("message", "observed", "expected", "waiver")
                if entry[name]
            ]
            yield "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    # Backslashes are escaped too, or one before a "|" would undo its escape.
    for character in "\\|<>*_`":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
