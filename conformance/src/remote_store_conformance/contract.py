"""The contract as data: clauses with ids, and the one registry that holds them."""

from __future__ import annotations

import enum
import importlib
import pkgutil
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import Attribute, field, frozen

from remote_store import Capability

if TYPE_CHECKING:
    from remote_store_conformance.trial import Trial

__all__ = [
    "FAMILIES",
    "GATES",
    "VERSION",
    "Clause",
    "Level",
    "Need",
    "Trait",
    "all_clauses",
    "clause",
    "find",
    "untested",
    "version_key",
]

#: The version of the contract that this kit checks.
VERSION: Final = "1.0"

#: Families in the order of reports, and what each is about.
FAMILIES: Final = {
    "PKG": "Packaging",
    "CAP": "Capabilities, in both directions",
    "PATH": "Paths and names",
    "READ": "Reading",
    "WRITE": "Writing",
    "ATOM": "Atomic writes",
    "INFO": "File and folder information",
    "LIST": "Listing",
    "GLOB": "Globbing",
    "DEL": "Deleting",
    "MOVE": "Moving",
    "AMOVE": "Atomic moves",
    "COPY": "Copying",
    "META": "User metadata",
    "NATIVE": "Native write results",
    "LAZY": "Laziness",
    "SEEK": "Seekable reads",
    "ERR": "Errors",
    "CANCEL": "Cancellation",
    "CONC": "Concurrency",
    "FAULT": "Faults of the network and the service",
    "LIFE": "Lifecycle and leaks",
    "MODEL": "Random programs against a model",
}

#: Capabilities that a store refuses to act without; the others are promises of quality.
GATES: Final = frozenset(Capability) - {
    Capability.ATOMIC_MOVE,
    Capability.SEEKABLE_READ,
    Capability.LAZY_READ,
    Capability.WRITE_RESULT_NATIVE,
}

_ID = re.compile(r"([A-Z]+)-(\d{3})")


class Level(enum.Enum):
    """How binding a clause is."""

    #: A failure makes a backend not conformant.
    MUST = "MUST"
    #: A failure is a warning.
    SHOULD = "SHOULD"
    #: As MUST when it fails; a pass is evidence, not proof, because the check hunts for a race.
    STOCHASTIC = "STOCHASTIC"
    #: Binding, but no check can tell; listed so that the gap is visible.
    UNTESTED = "UNTESTED"


class Need(enum.Enum):
    """What a check needs to see or do; without it the clause is unverified, never passed."""

    #: Put a file there: the backend declares WRITE, or there is a probe.
    SEED = "seed"
    #: Look at a file's content: the backend declares READ, or there is a probe.
    PEEK = "peek"
    #: A way to the storage that does not lead through the plugin.
    PROBE = "probe"
    #: A count of bytes and requests on the wire.
    METER = "meter"
    #: A proxy in front of the service that can break the traffic.
    WIRE = "wire"


class Trait(enum.Enum):
    """What kind of target a clause speaks about; on others it does not apply."""

    #: Folders are real: they stay when they are empty.
    HIERARCHICAL = "hierarchical"
    #: Folders are prefixes, and a file and a folder may share a name.
    FLAT = "flat with shared names"
    #: Nothing can be both a file and a folder, whether folders are real or prefixes.
    EXCLUSIVE = "exclusive in its names"
    #: In process or on a local disk: nothing changes after a CancelledError was delivered.
    LOCAL = "local"
    #: Reached over a network.
    REMOTE = "reached over a network"
    #: Files outlive the backend object, and a second object sees them.
    PERSISTENT = "persistent"
    #: Another process can open the same storage.
    PROCESSES = "processes"
    #: A close is final: later calls raise StoreClosed.
    TERMINAL = "terminal"
    #: Opened through an installed entry point.
    INSTALLED = "installed from a distribution"
    #: At least one gate is not declared.
    PARTIAL = "partial in its capabilities"


Check = Callable[["Trial"], Awaitable[None] | None]


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
    One rule of the contract, and the check that tells whether it is kept.

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
    since: str = VERSION
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

    @property
    def mutants(self) -> tuple[str, ...]:
        """Names of the broken backends that this clause must catch."""
        from remote_store_conformance.mutants import all_mutants

        return tuple(m.name for m in all_mutants() if m.clause == self.id)


_clauses: dict[str, Clause] = {}

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
    since: str = VERSION,
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


def untested(id: str, text: str, *, intent: str, since: str = VERSION) -> None:  # noqa: A002
    """Register a rule that binds although no check can tell; *intent* says why none can."""
    _add(Clause(id=id, text=text, intent=intent, level=Level.UNTESTED, since=since))


def _add(made: Clause) -> None:
    if made.id in _clauses:
        msg = f"the clause id {made.id} is used twice"
        raise ValueError(msg)
    _clauses[made.id] = made


def all_clauses() -> list[Clause]:
    """Return every clause, in the order of reports; imports all families on first use."""
    package = importlib.import_module("remote_store_conformance.clauses")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    order = list(FAMILIES)
    return sorted(_clauses.values(), key=lambda c: (order.index(c.family), c.id))


def find(id: str) -> Clause:  # noqa: A002
    """
    Return the clause of an id.

    Raises:
        KeyError: There is none.
    """
    all_clauses()
    if id not in _clauses:
        msg = f"no clause {id!r}; `remote-store-conform list` names them all"
        raise KeyError(msg)
    return _clauses[id]


def version_key(version: str) -> tuple[int, ...]:
    """Return a contract version in a form that compares."""
    return tuple(int(part) for part in version.split("."))
