"""A badge: JSON in the form that shields.io's endpoint badges read."""

from __future__ import annotations

from typing import Final

from remote_store_conformance.report.data import Report, counts
from remote_store_conformance.results.run import Verdict
from remote_store_conformance.results.waivers import UsageError

__all__ = ["render"]

_COLORS: Final = {
    Verdict.CONFORMANT.value: "brightgreen",
    Verdict.WAIVED.value: "yellowgreen",
    Verdict.INCONCLUSIVE.value: "lightgrey",
    Verdict.NOT_CONFORMANT.value: "red",
}

#: Statuses of a clause that binds this target and that a check can show.
_OUT_OF_COUNT: Final = ("untested", "inapplicable", "unclaimed")


def render(report: Report) -> dict[str, object]:
    """
    Return the badge of a report: how many of the clauses that bind it were proven.

    Raises:
        UsageError: It is about a selection of the clauses.
    """
    if part := report.get("part"):
        msg = f"a badge is about the whole contract; {report['target']} was checked in part: {part}"
        raise UsageError(msg)
    found = counts(report)
    proven = found.get("pass", 0) + found.get("refused", 0)
    binding = sum(number for status, number in found.items() if status not in _OUT_OF_COUNT)
    return {
        "schemaVersion": 1,
        "label": f"storage contract {report['contract']}",
        "message": f"{report['verdict'].lower()} {proven}/{binding}",
        "color": _COLORS[report["verdict"]],
    }
