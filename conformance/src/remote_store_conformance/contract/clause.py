"""The contract as data: clauses with ids, and the one registry that holds them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from attrs import Attribute, field, frozen

from remote_store import Capability
from remote_store_conformance.contract.kinds import FAMILIES, FIRST, Level, Need, Trait
from remote_store_conformance.contract.trial import Trial

__all__ = ["REGISTERED", "Clause", "clause", "untested"]

_ID = re.compile(r"([A-Z]+)-(\d{3})")


Check: TypeAlias = Callable[[Trial], Awaitable[None] | None]


def _is_id(instance: object, attribute: Attribute[str], value: str) -> None:
    match = _ID.fullmatch(value)
    if match is None or match[1] not in FAMILIES:
        msg = f"a clause id is FAMILY-123 with one of {', '.join(FAMILIES)}, got {value!r}"
        raise ValueError(msg)


def _is_sentence(instance: object, attribute: Attribute[str], value: str) -> None:
    if not value.endswith(".") or "\n" in value:
        msg = f"{attribute.name} must be one line that ends with a full stop, got {value!r}"
        raise ValueError(msg)


@frozen
class Clause:
    """
    One rule of the contract, and the check that finds out whether it is kept.

    Args:
        id: Family and number, such as ``"WRITE-004"``; never used again for
            another rule, also when the clause is retired.
        text: The rule in one sentence.
        intent: Why the rule is there, in one line.
        level: How binding it is.
        requires: Capabilities that the rule is about. Where one of them is
            not declared, its refusal is checked instead.
        needs: What the check needs to see or do, beside *requires*.
        only: Kinds of target that the rule speaks about: all of them must hold.
        since: Version of the contract that brought it.
        until: Version that retired it, or None.
        seconds: Deadline of the check on a fast target; slow ones get more.
        opens: False if the check opens no backend, or opens its own.
        check: A coroutine function, or a function that runs its own loops;
            None for UNTESTED.
    """

    id: str = field(validator=_is_id)
    text: str = field(validator=_is_sentence)
    intent: str = field(validator=_is_sentence)
    level: Level = Level.MUST
    requires: frozenset[Capability] = frozenset()
    needs: frozenset[Need] = frozenset()
    only: frozenset[Trait] = frozenset()
    since: str = FIRST
    until: str | None = None
    seconds: float = 20.0
    opens: bool = True
    check: Check | None = field(default=None, eq=False, repr=False)

    @property
    def family(self) -> str:
        """The part before the dash."""
        return self.id.partition("-")[0]

    @property
    def gates(self) -> bool:
        """True if a failure makes a backend not conformant."""
        return self.level in (Level.MUST, Level.STOCHASTIC)


_clauses: dict[str, Clause] = {}

#: The clauses of all modules that were imported so far, by id.
REGISTERED: Final[Mapping[str, Clause]] = MappingProxyType(_clauses)

C = TypeVar("C", bound=Callable[..., Any])


def clause(
    id: str,  # noqa: A002 - the word of the contract
    text: str,
    *,
    intent: str,
    level: Level = Level.MUST,
    requires: Iterable[Capability] = (),
    needs: Iterable[Need] = (),
    only: Iterable[Trait] = (),
    since: str = FIRST,
    seconds: float = 20.0,
    opens: bool = True,
) -> Callable[[C], C]:
    """
    Register a check as the clause *id*; see `Clause` for the arguments.

    Raises:
        ValueError: The id is taken or malformed, or *text* or *intent* is not
            one line that ends with a full stop.
    """

    def register(check: C) -> C:
        made = Clause(
            id=id,
            text=text,
            intent=intent,
            level=level,
            requires=frozenset(requires),
            needs=frozenset(needs),
            only=frozenset(only),
            since=since,
            seconds=seconds,
            opens=opens,
            check=check,
        )
        _add(made)
        return check

    return register


def untested(id: str, text: str, *, intent: str, since: str = FIRST) -> None:  # noqa: A002
    """Register a rule that binds although no check can show it; *intent* says why none can."""
    _add(Clause(id=id, text=text, intent=intent, level=Level.UNTESTED, since=since))


def _add(made: Clause) -> None:
    if made.id in _clauses:
        msg = f"the clause id {made.id} is used twice"
        raise ValueError(msg)
    _clauses[made.id] = made
