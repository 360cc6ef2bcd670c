"""The clauses, one module for each family or group of families."""

from __future__ import annotations

import importlib
import pkgutil

from remote_store_conformance.contract.clause import REGISTERED, Clause
from remote_store_conformance.contract.kinds import FAMILIES

__all__ = ["all_clauses", "find"]


def all_clauses() -> list[Clause]:
    """Return every clause, in the order of reports; imports all families on first use."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    order = list(FAMILIES)
    return sorted(REGISTERED.values(), key=lambda c: (order.index(c.family), c.id))


def find(id: str) -> Clause:  # noqa: A002 - the word of the contract
    """
    Return the clause of an id.

    Raises:
        KeyError: There is none.
    """
    all_clauses()
    if id not in REGISTERED:
        msg = f"no clause {id!r}; `remote-store-conform list` names them all"
        raise KeyError(msg)
    return REGISTERED[id]
