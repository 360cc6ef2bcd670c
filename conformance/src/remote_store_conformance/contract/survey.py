"""What is known about a target before its clauses, and what lies in its store at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import frozen

from remote_store import CapabilitySet
from remote_store_conformance.contract.kinds import Trait

__all__ = ["Snapshot", "Survey"]

#: Seconds of a call with which the deadlines of clauses are made; slower ones get more.
_CALL: Final = 0.005


@frozen
class Survey:
    """
    What was found out about a target before the first clause.

    Args:
        name: Name of the backend.
        capabilities: What it declares.
        contract: Version of the contract that it aims at.
        patience: Seconds to wait for something that should happen.
        settle: Seconds to watch for something that should not.
        traits: What kind of target it is.
        round_trip: Seconds of a small call: the median of the slowest kind.
        cls: Class of the backend.
    """

    name: str
    capabilities: CapabilitySet
    contract: str
    patience: float
    settle: float
    traits: frozenset[Trait]
    round_trip: float
    cls: type[Any]

    @property
    def slowness(self) -> float:
        """How many times slower a call is than those that deadlines are made for, at least 1."""
        return max(1.0, self.round_trip / _CALL)


@frozen
class Snapshot:
    """Every file of a store at one moment: size and content, and its version where known."""

    files: Mapping[str, tuple[bytes, str | None, datetime | None]]

    def difference(self, other: Snapshot) -> str:
        """Return what changed from this to *other*, in words; ``""`` for nothing."""
        changes = [f"{name!r} is gone" for name in self.files if name not in other.files]
        changes += [f"{name!r} appeared" for name in other.files if name not in self.files]
        for name, (content, etag, time) in self.files.items():
            later = other.files.get(name)
            if later is None:
                continue
            if later[0] != content:
                changes.append(f"the content of {name!r} changed")
            elif later[1:] != (etag, time):
                changes.append(f"{name!r} became another version (ETag or time)")
        return "; ".join(changes)
