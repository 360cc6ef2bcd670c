"""What a listing gave, held against what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.trial import collect

__all__ = ["lists", "names_of", "paths_of"]


async def paths_of(folder: str, listing: AsyncIterator[Any]) -> list[str]:
    """Return the paths of a listing, relative to *folder* and sorted."""
    found = [entry.path.as_posix() for entry in await collect(listing)]
    return sorted([path.removeprefix(f"{folder}/") for path in found])


async def names_of(listing: AsyncIterator[Any]) -> list[str]:
    return [entry.name for entry in await collect(listing)]


def lists(what: str, found: Iterable[str], expected: Iterable[str]) -> None:
    """State that a listing is complete and has nothing else, and nothing twice."""
    seen, wanted = Counter(found), Counter(expected)
    missing = sorted(wanted - seen)
    excess = sorted(set(seen) - set(wanted))
    twice = sorted(name for name, times in seen.items() if times > 1)
    faults = {"missing": missing[:5], "too much": excess[:5], "more than once": twice[:5]}
    expect(
        seen == wanted,
        f"{what} is not what is there",
        observed="; ".join(f"{fault}: {names}" for fault, names in faults.items() if names),
        expected=f"{wanted.total()} entries",
        listed=seen.total(),
    )
