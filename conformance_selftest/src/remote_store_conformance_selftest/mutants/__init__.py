"""
Broken backends, each wrong in one way that a real author would get wrong.

They prove that the kit's checks can fail: every one must be caught by the
clause it names, with a message that helps.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from attrs import field, frozen

from remote_store import Capability, CapabilitySet
from remote_store_conformance_selftest.installed import PackagedStandIn
from remote_store_conformance_selftest.reference import ALL, ReferenceBackend
from remote_store_conformance_selftest.reference_client import WireBackend, WireStandIn
from remote_store_conformance_selftest.served import ServedStandIn
from remote_store_conformance_selftest.stand_in import StandIn

__all__ = ["Mutant", "add_mutant", "all_mutants", "mutant", "mutants_of", "packaged_mutant"]

B = TypeVar("B", bound=type[Any])


@frozen
class Mutant:
    """
    A backend with one defect.

    Args:
        name: Kebab-case, unique among the mutants of its clause.
        text: The defect, in one sentence.
        clause: The clause that must catch it.
        words: What the message of the failure must contain.
        stand_in: The target that runs it.
    """

    name: str
    text: str
    clause: str
    words: tuple[str, ...]
    stand_in: StandIn = field(repr=False, eq=False)


_mutants: dict[tuple[str, str], Mutant] = {}


def mutant(
    clause: str,
    *words: str,
    flat: bool = False,
    served: bool = False,
    without: Iterable[Capability] = (),
    **options: Any,
) -> Callable[[B], B]:
    """
    Register a subclass of `ReferenceBackend`, or of `WireBackend`, as a mutant.

    Its name is the class's in kebab-case, its text the first line of the
    docstring.

    Args:
        clause: Id of the clause that must catch it.
        words: What the failure's message (or observed and expected values)
            must contain.
        flat: Run it on a flat tree.
        served: Install it, so that other processes can open it.
        without: Capabilities that it does not declare.
        options: More arguments of `StandIn`.

    Raises:
        ValueError: The clause has a mutant of that name, the docstring is missing or no words
            are given.
    """

    def register(cls: B) -> B:
        name = "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__).strip("-")
        text = (cls.__doc__ or "").strip().partition("\n")[0]
        if not text or cls.__doc__ == ReferenceBackend.__doc__:
            msg = f"mutant {name} needs a docstring: the defect, in one sentence"
            raise ValueError(msg)
        if not words:
            msg = f"mutant {name} needs words of the message that catches it"
            raise ValueError(msg)
        declared = CapabilitySet(ALL - set(without))
        kind: type[StandIn] = StandIn
        if issubclass(cls, WireBackend):
            kind = ServedStandIn if served else WireStandIn
        stand_in = kind(backend=cls, name=name, flat=flat, capabilities=declared, **options)
        add_mutant(Mutant(name, text, clause, words, stand_in))
        return cls

    return register


def packaged_mutant(name: str, text: str, clause: str, *words: str, **options: Any) -> None:
    """Register a mutant of the reference's packaging; *options* are those of `PackagedStandIn`."""
    add_mutant(Mutant(name, text, clause, words, PackagedStandIn(name=name, **options)))


def add_mutant(made: Mutant) -> None:
    """
    Register a mutant whose target is made in another way than a subclass.

    Raises:
        ValueError: The clause has a mutant of that name.
    """
    if (made.clause, made.name) in _mutants:
        msg = f"two mutants of {made.clause} are called {made.name}"
        raise ValueError(msg)
    _mutants[made.clause, made.name] = made


def all_mutants() -> list[Mutant]:
    """Return every mutant, sorted by clause and name; imports them on first use."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return sorted(_mutants.values(), key=lambda m: (m.clause, m.name))


def mutants_of(clause: str) -> list[Mutant]:
    """Return the mutants that a clause must catch, by its id."""
    return [m for m in all_mutants() if m.clause == clause]
