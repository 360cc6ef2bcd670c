"""The JSON report: what it says, and how two of them differ."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeAlias

from remote_store import Capability
from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.contract.kinds import FAMILIES, GATES, VERSION
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance.results.run import Run
from remote_store_conformance.results.waivers import UsageError

__all__ = [
    "SCHEMA",
    "WARNING",
    "Report",
    "as_report",
    "counts",
    "differences",
    "entry_of",
    "label_of",
    "load",
    "plugin_of",
    "save",
    "version_of",
]

#: Version of the form of a report. A reader that knows another one says so.
SCHEMA: Final = 1

#: What a reader sees in place of the status of a broken rule that does not bind.
WARNING: Final = "warning"

Report: TypeAlias = dict[str, Any]


def as_report(run: Run) -> Report:
    """Return a run as JSON-friendly data."""
    about = dict(run.about)
    return {
        "schema": SCHEMA,
        "kit": version_of("remote-store-conformance"),
        "core": version_of("remote-store-core"),
        "plugin": plugin_of(str(about.pop("plugin", ""))),
        "contract": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": run.target,
        "verdict": run.verdict.value,
        "part": run.part,
        "about": about,
        "capabilities": _capabilities(run),
        "clauses": [entry_of(result) for result in run.results],
    }


def version_of(distribution: str) -> str:
    """Return the version of a distribution that is installed, or ``"unknown"``."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def plugin_of(name: str) -> dict[str, str]:
    """Return distribution and version of a backend's entry point; empty where there is none."""
    from remote_store import list_backends

    for plugin in list_backends():
        if plugin.name == name:
            return {"name": name, "distribution": plugin.distribution, "version": plugin.version}
    return {}


def entry_of(result: Result) -> dict[str, Any]:
    """Return one result as JSON-friendly data."""
    clause = result.clause
    entry = {
        "id": clause.id,
        "family": clause.family,
        "level": clause.level.value,
        "since": clause.since,
        "requires": sorted(c.value for c in clause.requires),
        "text": clause.text,
        "intent": clause.intent,
        "status": result.status.value,
        "blocks": result.blocks,
        "seconds": round(result.seconds, 4),
        "message": result.message,
        "observed": result.observed,
        "expected": result.expected,
        "evidence": dict(result.evidence),
        "advice": list(result.advice),
        "waiver": result.waiver,
    }
    # What a check measured is its own choice; a report must not fail over it.
    text: dict[str, Any] = json.loads(json.dumps(entry, default=str))
    return text


def _capabilities(run: Run) -> dict[str, str]:
    """Return what the run has shown of each capability."""
    declared = set(run.about.get("declared", ()))
    found: dict[str, str] = {}
    for capability in Capability:
        about = [r for r in run.results if capability in r.clause.requires]
        states = {r.status for r in about}
        if capability.value in declared:
            if any(r.blocks for r in about):
                state = "broken"
            elif run.part and len(about) < sum(capability in c.requires for c in all_clauses()):
                state = "not checked"
            elif Status.PASS in states and not any(r.open for r in about):
                state = "kept"
            else:
                state = "unverified"
        elif capability not in GATES:
            state = "not claimed"
        elif any(r.blocks for r in about):
            state = "broken"
        else:
            state = "refused" if Status.REFUSED in states else "not checked"
        found[capability.value] = state
    return found


def counts(report: Report) -> dict[str, int]:
    """Return how often each status came, in the order of `Status`; a SHOULD warns, it fails not."""
    found: dict[str, int] = {}
    for status in (label_of(entry) for entry in report["clauses"]):
        found[status] = found.get(status, 0) + 1
    order = [Status.PASS.value, Status.FAIL.value, WARNING, *(s.value for s in Status)]
    return {status: found[status] for status in dict.fromkeys(order) if status in found}


def label_of(entry: Mapping[str, Any]) -> str:
    """Return the status of an entry as a reader sees it: a rule that does not bind warns."""
    warns = entry["status"] == Status.FAIL.value and not entry["blocks"]
    return WARNING if warns else str(entry["status"])


def save(report: Report, path: Path) -> None:
    """Write a report."""
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> Report:
    """
    Read a report.

    Raises:
        UsageError: It is missing, no report, or of another schema.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"cannot read the report {path}: {error}"
        raise UsageError(msg) from error
    if not isinstance(data, Mapping) or "schema" not in data:
        msg = f"{path} is not a report of this kit"
        raise UsageError(msg)
    if data["schema"] != SCHEMA:
        msg = f"{path} has schema {data['schema']}, this kit reads {SCHEMA}"
        raise UsageError(msg)
    return dict(data)


#: Statuses from good to bad; a step to the right is a regression.
_ORDER: Final = [
    {"pass", "refused", "unclaimed", "inapplicable", "untested"},
    {"unverified", "waived", "upcoming"},
    {"error"},
    {"stale-waiver", "fail"},
]


def _rank(status: str) -> int:
    return next(n for n, group in enumerate(_ORDER) if status in group)


def differences(old: Report, new: Report) -> tuple[list[str], list[str]]:
    """
    Compare two reports of one target.

    Returns:
        Regressions, and all other changes, one line each. A clause that is
        gone is a regression, a capability that is no longer declared too.
    """
    before = {e["id"]: e for e in old["clauses"]}
    after = {e["id"]: e for e in new["clauses"]}
    worse: list[str] = []
    other = [f"only compared of {w}: {r['part']}" for w, r in _parts(old, new)]
    for name in sorted(before.keys() | after.keys(), key=_clause_order):
        if name not in after and new.get("part"):
            continue
        if name not in after:
            worse.append(f"{name}: {before[name]['status']} -> not checked")
        elif name not in before:
            line = f"{name}: new, {after[name]['status']}"
            if _rank(after[name]["status"]) == _rank("fail"):
                worse.append(line)
            elif not old.get("part"):
                other.append(line)
        elif before[name]["status"] != after[name]["status"]:
            line = f"{name}: {before[name]['status']} -> {after[name]['status']}"
            if message := after[name]["message"]:
                line += f" ({message})"
            rise = _rank(after[name]["status"]) - _rank(before[name]["status"])
            (worse if rise > 0 else other).append(line)
    gone = set(old["about"].get("declared", ())) - set(new["about"].get("declared", ()))
    worse += [f"{name} is no longer declared" for name in sorted(gone)]
    return worse, other


def _parts(old: Report, new: Report) -> list[tuple[str, Report]]:
    """Return the reports that are about a selection, with what they are called."""
    return [(w, r) for w, r in (("the old report", old), ("the new one", new)) if r.get("part")]


def _clause_order(name: str) -> tuple[int, str]:
    family = re.split("-", name)[0]
    order = list(FAMILIES)
    return (order.index(family) if family in order else len(order), name)
