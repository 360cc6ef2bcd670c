"""What came out of one clause."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from remote_store import redact_url
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.contract.kinds import Level

__all__ = ["Result", "Status", "without_secrets"]

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
    #: A rule that no check can show.
    UNTESTED = "untested"
    #: The kit or the environment broke before anything could be told.
    ERROR = "error"


@frozen
class Result:
    """
    What became of one clause.

    Args:
        clause: The clause.
        target: Name of the target.
        status: See `Status`.
        seconds: Duration.
        message: One paragraph for the person who has to repair it; empty on a pass.
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
