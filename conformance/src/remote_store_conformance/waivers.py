"""Waivers: deviations that are known and explained. A waived clause still runs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Self

from attrs import evolve, field, frozen

from remote_store_conformance.contract import Clause, find
from remote_store_conformance.hookspecs import Waiver
from remote_store_conformance.results import Result, Status

__all__ = ["UsageError", "Waivers", "load_waivers"]

#: Fewest characters of a reason.
_REASON: Final = 10

#: Where a pyproject.toml has them.
_TABLE: Final = ("tool", "remote_store", "conformance")

_FIELDS: Final = frozenset({"clause", "reason", "targets", "link", "until"})


class UsageError(Exception):
    """Raised when the kit is asked for something that makes no sense."""


def check_waiver(waiver: Waiver) -> Waiver:
    """
    Return *waiver* if it may be used.

    Raises:
        UsageError: Its clause is unknown or of the CAP family, its reason is
            too short, its date is no date, or a clause that gates lacks a link.
    """
    try:
        clause = find(waiver.clause)
    except KeyError as error:
        msg = f"waiver: {error.args[0]}"
        raise UsageError(msg) from None
    if clause.family == "CAP":
        msg = (
            f"waiver: {clause.id} cannot be waived: a backend may declare less than it can do, "
            "it may not lie about it"
        )
        raise UsageError(msg)
    if len(waiver.reason.strip()) <= _REASON:
        msg = f"waiver of {clause.id}: say why, in more than {_REASON} characters"
        raise UsageError(msg)
    if clause.gates and not waiver.link:
        msg = f"waiver of {clause.id}: a {clause.level.value} clause needs a link"
        raise UsageError(msg)
    _expiry(waiver)
    return waiver


def _expiry(waiver: Waiver) -> date | None:
    if not waiver.until:
        return None
    try:
        return date.fromisoformat(waiver.until)
    except ValueError:
        msg = f"waiver of {waiver.clause}: 'until' must be a date like 2027-03-01"
        raise UsageError(msg) from None


@frozen
class Waivers:
    """
    The waivers of a run.

    Args:
        items: Each already checked.
        today: The date that expiry is measured by.
    """

    items: tuple[Waiver, ...] = ()
    today: date = field(factory=lambda: datetime.now(UTC).date())

    @classmethod
    def of(cls, items: Iterable[Waiver]) -> Self:
        """
        Return the waivers, each checked.

        Raises:
            UsageError: See `check_waiver`.
        """
        return cls(tuple(check_waiver(item) for item in items))

    def for_clause(self, clause: Clause, target: str) -> Waiver | None:
        """Return the waiver that holds for a clause on a target, or None."""
        for item in self.items:
            if item.clause == clause.id and (not item.targets or target in item.targets):
                return item
        return None

    def apply(self, result: Result, clause: Clause, target: str) -> Result:
        """Return *result* as the waivers leave it."""
        waiver = self.for_clause(clause, target)
        if waiver is None:
            return result
        result = evolve(result, waiver=waiver.reason)
        if result.status is Status.PASS:
            message = f"passes although it is waived ({waiver.reason}); remove the waiver"
            return evolve(result, status=Status.STALE_WAIVER, message=message)
        if result.status is not Status.FAIL:
            return result
        end = _expiry(waiver)
        if end is not None and end < self.today:
            message = f"{result.message} (its waiver expired on {waiver.until})"
            return evolve(result, message=message)
        return evolve(result, status=Status.WAIVED)


def load_waivers(path: Path) -> list[Waiver]:
    """
    Read waivers from a TOML file: ``[[waiver]]`` tables, in a pyproject.toml below
    ``tool.remote_store.conformance``.

    Raises:
        UsageError: The file is missing, is no TOML, or a table is malformed.
    """
    try:
        data: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        msg = f"waivers: cannot read {path}: {error}"
        raise UsageError(msg) from error
    if path.name == "pyproject.toml":
        for name in _TABLE:
            data = data.get(name, {})
    tables = data.get("waiver", [])
    if not isinstance(tables, list):
        msg = f"waivers: {path} must have [[waiver]] tables"
        raise UsageError(msg)
    return [_parsed(table, path) for table in tables]


def _parsed(table: Any, path: Path) -> Waiver:
    unknown = set(table) - _FIELDS
    if unknown:
        msg = f"waivers: {path}: unknown field {', '.join(sorted(unknown))}"
        raise UsageError(msg)
    if not {"clause", "reason"} <= set(table):
        msg = f"waivers: {path}: a waiver needs 'clause' and 'reason'"
        raise UsageError(msg)
    until = table.get("until", "")
    targets = table.get("targets", [])
    texts = [table["clause"], table["reason"], table.get("link", "")]
    if not all(isinstance(t, str) for t in [*texts, *targets]) or isinstance(targets, str):
        msg = f"waivers: {path}: fields are strings, and 'targets' is a list of them"
        raise UsageError(msg)
    return Waiver(
        table["clause"], table["reason"], tuple(targets), table.get("link", ""), str(until)
    )
