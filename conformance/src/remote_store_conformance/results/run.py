"""What came out of a whole run, and what can be said about its target."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.contract.kinds import FAMILIES
from remote_store_conformance.results.result import Result, Status

__all__ = ["Run", "Verdict", "part_of", "verdict_of"]


class Verdict(enum.Enum):
    """What can be said about a target as a whole."""

    CONFORMANT = "CONFORMANT"
    WAIVED = "CONFORMANT WITH WAIVERS"
    NOT_CONFORMANT = "NOT CONFORMANT"
    INCONCLUSIVE = "INCONCLUSIVE"
    #: No violation in a selection of the clauses; what the others would say is not known.
    PARTIAL = "PARTLY CHECKED"


@frozen
class Run:
    """
    All results of one target, and what they were made with.

    Args:
        target: Name of the target.
        results: One for each clause.
        about: Versions, platform, the declared capabilities, the seed.
    """

    target: str
    results: tuple[Result, ...]
    about: Mapping[str, Any] = field(factory=dict)

    @property
    def verdict(self) -> Verdict:
        """See `verdict_of`."""
        return verdict_of(self.results)

    @property
    def part(self) -> str:
        """Which part of the contract was checked: families, and clauses of a family; "" for all."""
        return part_of(r.clause.id for r in self.results)


def part_of(ids: Iterable[str]) -> str:
    """Return which part of the contract some clauses are, as text; ``""`` for the whole."""
    checked, parts, whole = set(ids), [], True
    for family in FAMILIES:
        members = {c.id for c in all_clauses() if c.family == family}
        found = len(members & checked)
        whole &= found == len(members)
        if found:
            share = "" if found == len(members) else f" ({found} of {len(members)})"
            parts.append(f"{family}{share}")
    return "" if whole else ", ".join(parts) or "no clause"


def verdict_of(results: Iterable[Result]) -> Verdict:
    """
    Return what results say together: a failure first, then a gap, then waivers.

    Of a part of the contract it is never that a backend conforms.
    """
    found = list(results)
    if any(r.blocks for r in found):
        return Verdict.NOT_CONFORMANT
    if not found or any(r.open for r in found):
        return Verdict.INCONCLUSIVE
    if part_of(r.clause.id for r in found):
        return Verdict.PARTIAL
    if any(r.status is Status.WAIVED for r in found):
        return Verdict.WAIVED
    return Verdict.CONFORMANT
