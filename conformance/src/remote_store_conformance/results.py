"""What came out: of one clause, and of a whole run."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from remote_store import redact_url
from remote_store_conformance.contract import FAMILIES, Clause, Level, all_clauses

__all__ = ["Result", "Run", "Status", "Verdict", "part_of", "verdict_of", "without_secrets"]

_PLAIN: Final = (list, tuple, set, frozenset)


class Status(enum.Enum):
    """What became of a clause on a target."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    #: It needs a capability that is not declared, and the refusal was proven.
    REFUSED = "refused"
    #: It is about a promise of quality that the backend does not make.
    UNCLAIMED = "unclaimed"
    #: It speaks about another kind of target.
    INAPPLICABLE = "inapplicable"
    #: It fails as a waiver says.
    WAIVED = "waived"
    #: A waiver holds for it, and it passes.
    STALE_WAIVER = "stale-waiver"
    #: The target lacks what the measurement needs.
    UNVERIFIED = "unverified"
    #: It fails, but is newer than the contract that the backend states.
    UPCOMING = "upcoming"
    #: A rule that no check can tell.
    UNTESTED = "untested"
    #: The kit or the environment broke before anything could be told.
    ERROR = "error"


class Verdict(enum.Enum):
    """What can be said about a target as a whole."""

    CONFORMANT = "CONFORMANT"
    WAIVED = "CONFORMANT WITH WAIVERS"
    NOT_CONFORMANT = "NOT CONFORMANT"
    INCONCLUSIVE = "INCONCLUSIVE"
    #: No violation in a selection of the clauses; what the others would say is not known.
    PARTIAL = "PARTLY CHECKED"


@frozen
class Result:
    """
    What became of one clause.

    Args:
        clause: The clause.
        target: Name of the target.
        status: See `Status`.
        seconds: Duration.
        message: One paragraph for whoever has to repair it; empty on a pass.
        observed: What happened, in a failure.
        expected: What the contract asks for, in a failure.
        evidence: Measurements, JSON-friendly.
        advice: Remarks that do not change the verdict.
        waiver: Reason of the waiver, where one holds.
    """

    clause: Clause
    target: str
    status: Status
    seconds: float = 0.0
    message: str = ""
    observed: str | None = None
    expected: str | None = None
    evidence: Mapping[str, Any] = field(factory=dict)
    advice: tuple[str, ...] = ()
    waiver: str = ""

    @property
    def blocks(self) -> bool:
        """True if this alone makes the target not conformant."""
        if self.status is Status.STALE_WAIVER:
            return self.clause.level is not Level.STOCHASTIC and self.clause.family != "MODEL"
        return self.status is Status.FAIL and self.clause.gates

    @property
    def open(self) -> bool:
        """True if it leaves something unknown that a verdict would have to know."""
        return self.status is Status.ERROR or (
            self.status is Status.UNVERIFIED and self.clause.gates
        )


def without_secrets(result: Result, secrets: Iterable[str]) -> Result:
    """
    Return a result that may be published.

    What it holds was said by backends and services. The credentials of URLs
    and the *secrets* of the target are ``***`` in it.
    """
    words = sorted(filter(None, secrets), key=len, reverse=True)

    def hidden(value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {hidden(key): hidden(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return type(value)(map(hidden, value)) if type(value) in _PLAIN else hidden(str(value))
        text = str(value)
        for word in words:
            text = text.replace(word, "***")
        text = redact_url(text)
        return value if text == str(value) else text

    fields = ("message", "observed", "expected", "evidence", "advice")
    return evolve(result, **{name: hidden(getattr(result, name)) for name in fields})


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
