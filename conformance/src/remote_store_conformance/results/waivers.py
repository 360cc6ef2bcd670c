"""Waivers: deviations that are known and explained. A waived clause still runs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Self

from attrs import evolve, field, fields, frozen

from remote_store_conformance.clauses import find
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance.targets.target import Waiver

__all__ = ["UsageError", "Waivers", "load_waivers"]

#: Fewest characters of a reason.
_REASON: Final = 10

#: Where a pyproject.toml has them.
_TABLE: Final = ("tool", "remote_store", "conformance")

_FIELDS: Final = frozenset(f.name for f in fields(Waiver))

_VERSION: Final = re.compile(r"\d+(\.\d+)*")


class UsageError(Exception):
    """Raised when the kit is asked for something that makes no sense."""


def check_waiver(waiver: Waiver) -> Waiver:
    """
    Return *waiver* if it may be used.

    Raises:
        UsageError: Its clause is unknown or of the CAP family, its reason is
            too short, its date or a version is none, or a clause that gates lacks a link.
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
    for name in ("until_plugin", "until_kit"):
        value = getattr(waiver, name)
        if value and not _VERSION.fullmatch(value):
            msg = f"waiver of {clause.id}: {name!r} must be a version like 1.2, got {value!r}"
            raise UsageError(msg)
    return waiver


def _expiry(waiver: Waiver) -> date | None:
    if not waiver.until:
        return None
    try:
        return date.fromisoformat(waiver.until)
    except ValueError:
        msg = f"waiver of {waiver.clause}: 'until' must be a date like 2027-03-01"
        raise UsageError(msg) from None


def _is_later(version: str, last: str) -> bool:
    """Return True if a version comes after the last one, which stands for all that begin so."""
    found = _VERSION.match(version)
    if found is None or not last:
        return False
    numbers, end = ([int(n) for n in text.split(".")] for text in (found[0], last))
    return numbers[: len(end)] > end


@frozen
class Waivers:
    """
    The waivers of a run.

    Args:
        items: Each already checked.
        today: The date that expiry is measured by.
        plugin: Version of the plugin that is checked; ``""`` where there is none.
        kit: Version of the kit.
    """

    items: tuple[Waiver, ...] = ()
    today: date = field(factory=lambda: datetime.now(UTC).date())
    plugin: str = ""
    kit: str = ""

    @classmethod
    def of(cls, items: Iterable[Waiver], *, plugin: str = "", kit: str = "") -> Self:
        """
        Return the waivers, each checked.

        Args:
            items: The waivers.
            plugin: See the class.
            kit: See the class.

        Raises:
            UsageError: See `check_waiver`.
        """
        return cls(tuple(check_waiver(item) for item in items), plugin=plugin, kit=kit)

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
        if ended := self._ended(waiver):
            return evolve(result, message=f"{result.message} (its waiver {ended})")
        return evolve(result, status=Status.WAIVED)

    def _ended(self, waiver: Waiver) -> str:
        """Return when a waiver has ended, ``""`` if it holds."""
        end = _expiry(waiver)
        if end is not None and end < self.today:
            return f"expired on {waiver.until}"
        for what, version, last in (
            ("the plugin", self.plugin, waiver.until_plugin),
            ("the kit", self.kit, waiver.until_kit),
        ):
            if _is_later(version, last):
                return f"held up to version {last} of {what}, and this is {version}"
        return ""


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
    targets = table.get("targets", [])
    # TOML has dates of its own.
    given = {**table, "until": str(table.get("until", ""))}
    given.pop("targets", None)
    if not all(isinstance(t, str) for t in [*given.values(), *targets]) or isinstance(targets, str):
        msg = f"waivers: {path}: fields are strings, and 'targets' is a list of them"
        raise UsageError(msg)
    return Waiver(**given, targets=tuple(targets))
