"""Folders whose entries take more than one page of a listing: how many, and of which kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from remote_store import Capability
from remote_store_conformance.contract.kinds import Trait
from remote_store_conformance.contract.trial import Trial, collect

__all__ = ["USUAL", "Crowd", "crowds", "entries_needed", "fill", "walkable"]

#: Somewhat more than the most usual length of a page, which is 1,000.
USUAL: Final = 1_100

#: Somewhat more than the longest pages that are known, which have 5,000 entries.
_LONGEST: Final = 5_100

#: Entries of the other kind, at the end.
_LAST: Final = 20

#: Files that are put there side by side.
_SIDE_BY_SIDE: Final = 16

#: Entries for which a listing that asks for pages makes at most one request more. One that
#: asks for each entry makes many, and shows nothing about pages.
_PER_REQUEST: Final = 20

#: Seconds of calls one after the other, one for each entry, up to which a target is cheap.
_CHEAP: Final = 20.0

#: What this module learns about a target, for the checks after it.
_LEARNED: Final = "entries of two pages"


@frozen
class Crowd:
    """
    A folder whose entries take more than one page.

    Args:
        path: Where it is.
        files: Names of its files.
        folders: Names of its folders; each holds the one file ``in``.
        shape: How the kinds follow each other, in words.
    """

    path: str
    files: tuple[str, ...]
    folders: tuple[str, ...] = ()
    shape: str = "files only"

    @property
    def size(self) -> int:
        """Number of its entries."""
        return len(self.files) + len(self.folders)

    @property
    def below(self) -> list[str]:
        """Paths of all files below it, relative to it."""
        return [*self.files, *(f"{name}/in" for name in self.folders)]


async def entries_needed(t: Trial) -> int:
    """
    Return how many entries a folder needs so that listing it takes more than one page.

    Where the requests of a listing can be counted, they show whether the usual
    number is enough. Where they cannot, the number is that of the longest pages that are
    known, or the usual one if it would take minutes. It is never more than
    `Target.max_list`. The report says the number.
    """
    most = t.target.max_list
    if t.is_a(Trait.LOCAL) or most <= USUAL:
        # Pages are the backend's own, or the target knows how long they are.
        number = min(USUAL, most)
    else:
        if _LEARNED not in t.learned:
            t.learned[_LEARNED] = min(await _learn(t), most)
        number = t.learned[_LEARNED]
    t.note(entries=number)
    return number


async def _learn(t: Trial) -> int:
    meter = t.meter
    if meter is None or meter.read().requests is None or not t.declares(Capability.LIST):
        return USUAL if _is_slow(t, _LONGEST) else _LONGEST

    async def requests(count: int) -> list[int]:
        crowd = Crowd(t.name("some"), tuple(f"entry-{n:05d}" for n in range(count)))
        await fill(t, crowd)
        found = []
        for _ in range(3):
            before = meter.read()
            await collect(t.store.list_files(crowd.path))
            found.append((meter.read() - before).requests or 0)
        # The first may ask what a client asks only once.
        return found[1:]

    # A request that is sent again must not be taken for one that asks for a page.
    more = min(await requests(USUAL)) - max(await requests(2))
    return USUAL if 0 < more <= USUAL // _PER_REQUEST else _LONGEST


def _is_slow(t: Trial, calls: int) -> bool:
    return calls * t.survey.round_trip > _CHEAP


async def crowds(t: Trial) -> list[Crowd]:
    """Return folders whose kinds of entries follow each other in every way, not yet filled."""
    number = await entries_needed(t)
    found = list(_every_shape(t, number))
    if _is_slow(t, number):
        # A page of nothing but folders, before one with files.
        found = found[:1]
    t.note(shapes=[crowd.shape for crowd in found])
    return found


def _every_shape(t: Trial, number: int) -> Iterator[Crowd]:
    names = [f"entry-{n:05d}" for n in range(number)]
    shapes: dict[str, Callable[[int], bool]] = {
        "folders, then files": lambda n: n < number - _LAST,
        "files, then folders": lambda n: n >= number - _LAST,
        # On both sides of every border.
        "files and folders by turns": lambda n: n % 2 == 1,
    }
    for shape, is_folder in shapes.items():
        files = tuple(name for n, name in enumerate(names) if not is_folder(n))
        folders = tuple(name for n, name in enumerate(names) if is_folder(n))
        yield Crowd(t.name("many"), files, folders, shape)


def walkable(t: Trial, crowd: Crowd) -> bool:
    """Return True if a walk, which may ask a service once for each folder, is cheap."""
    folders = len(crowd.folders)
    return folders <= crowd.size // 2 and not _is_slow(t, folders)


async def fill(t: Trial, crowd: Crowd) -> None:
    """Put the files of a folder there."""

    async def seed(some: list[str]) -> None:
        for name in some:
            # By the backend where it can: a probe may open a client for each file.
            await t.seed_file(f"{crowd.path}/{name}", b"x")

    below = crowd.below
    await asyncio.gather(*(seed(below[n::_SIDE_BY_SIDE]) for n in range(_SIDE_BY_SIDE)))
