"""What is to be done about each file: the two listings joined, and each pair judged."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

from remote_store import Capability, NotFound
from remote_store_transfer._failures import EXPECTED, reason_of
from remote_store_transfer._listing.filters import Filters
from remote_store_transfer._listing.records import Seen, actions, path_of, planned, seen_of
from remote_store_transfer._listing.side import DISK, Gathered, Side, is_below
from remote_store_transfer._listing.this_machine import this_machine
from remote_store_transfer._planning.contents import same_content
from remote_store_transfer._planning.equality import Rule, Verdict, judge, judge_known
from remote_store_transfer._planning.join import join
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import Failure, Kind, Links, Totals

__all__ = ["Decisions"]

#: Questions and comparisons of contents at a time.
_ASKING: Final = 16
#: Pairs that wait for them.
_WAITING: Final = 256
#: Pairs between two moments at which other tasks may run.
_PULSE: Final = 256

#: A file as it was seen in the source and in the target, and what is known of the two.
_Both: TypeAlias = tuple[Seen, Seen, Verdict]


class Decisions:
    """
    The actions that make a target like a source, and what was met on the way to them.

    Args:
        source: The side that is read.
        target: The side that is written to.
        rule: How files are compared.
        delete: Whether files that only the target has are deleted.
        overwrite: Whether files that differ are replaced.
        filters: Which files count.
        links: What becomes of links.
        by_size: The largest files come first.
        compare_only: Leave out what may be on a side that could not be listed there.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        *,
        rule: Rule,
        delete: bool,
        overwrite: bool,
        filters: Filters,
        links: Links,
        by_size: bool,
        compare_only: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._rule = rule
        self._delete = delete
        self._overwrite = overwrite
        self._filters = filters
        self._links: Links = links
        self._by_size = by_size
        self._compare_only = compare_only
        #: The actions, sorted.
        self.actions = actions()
        #: What could not be listed or compared.
        self.failures: list[Failure] = []
        self.links_left_out = 0
        self.names_left_out = False
        self.source_incomplete = False
        self._counts: dict[str, int] = dict.fromkeys(
            ("copy", "replace", "skip", "delete", "conflict"), 0
        )
        self._bytes = 0

    @property
    def totals(self) -> Totals:
        """The sums of all actions so far."""
        return Totals(size=self._bytes, **self._counts)

    async def decide(self, source: Gathered, target: Gathered) -> None:
        """
        Decide about all files that were listed; once for each object.

        Raises:
            OSError: There is no room for temporary files.
        """
        self._note(source, target)
        waiting: list[_Both] = []
        in_source = in_target = frozenset[str]()  # folders that may have what was not listed
        if self._compare_only:
            in_source, in_target = source.unlisted(), target.unlisted()
        for count, (ours, theirs, obstacle) in enumerate(join(source.files, target.files)):
            if count % _PULSE == _PULSE - 1:
                await asyncio.sleep(0)
            if ours is None:
                assert theirs is not None
                path = path_of(theirs[0])
                if is_below(path, in_source) or not self._delete:
                    continue
                await self._heed_link(path, source.entered)
                full = self._add("delete", "the source has no such file", None, theirs)
            elif not self._filters.takes(ours):
                continue
            elif obstacle:
                full = self._add("conflict", obstacle, ours, None)
            elif theirs is not None:
                verdict = judge(ours, theirs, self._rule)
                if verdict.answer in ("ask", "read"):
                    waiting.append((ours, theirs, verdict))
                    if len(waiting) >= _WAITING:
                        await self._settle(waiting)
                    continue
                full = self._add_judged(ours, theirs, verdict)
            elif in_target and is_below(path_of(ours[0]), in_target):
                continue
            elif target.left_out.links and await self._is_behind_link(path_of(ours[0])):
                await self._add_behind_link(ours)
                continue
            else:
                full = self._add("copy", "new", ours, None)
            if full:
                await self._spill()
        await self._settle(waiting)

    def _note(self, source: Gathered, target: Gathered) -> None:
        self.failures = [*source.failures, *target.failures]
        self.links_left_out = source.left_out.links
        self.names_left_out = source.left_out.names or target.left_out.names
        # What a link leads to may be what the target has.
        linked = bool(source.left_out.links) and self._links == "report"
        self.source_incomplete = bool(source.failures) or linked
        if self._links == "skip":
            self.links_left_out = 0

    async def _heed_link(self, path: str, entered: AbstractSet[str]) -> None:
        """
        Withhold deletions if the source may have a file behind a link that was not entered.

        A listing need not tell of all links, such as one that leads nowhere
        at this moment. What would get lost by that is looked at here again.
        """
        if self._links == "skip" or self.source_incomplete:
            return
        machine = this_machine(self._source.store)
        if machine is None:
            return
        if await DISK.query(machine.stops_at_link, self._source.folder, path, entered):
            self.source_incomplete = True
            self.links_left_out = max(self.links_left_out, 1)

    async def _is_behind_link(self, path: str) -> bool:
        """Return True if the target leads to a file by a link, which its listing did not enter."""
        machine = this_machine(self._target.store)
        if machine is None:
            return False
        return await DISK.query(machine.stops_at_link, self._target.folder, path, frozenset[str]())

    async def _add_behind_link(self, source: Seen) -> None:
        """Decide about a file that a copy would be written to, though no listing shows it."""
        path = path_of(source[0])
        try:
            there = seen_of(path, await self._target.store.get_file_info(self._target.at(path)))
        except NotFound:
            if self._add("copy", "new", source, None):
                await self._spill()
            return
        except EXPECTED as error:
            self._fail_comparison(path, error)
            return
        await self._settle([(source, there, judge(source, there, self._rule))])

    def _fail_comparison(self, path: str, error: Exception) -> None:
        self.failures.append(Failure(path, "compare", reason_of(error), type(error).__name__))

    def _add(self, kind: Kind, reason: str, source: Seen | None, target: Seen | None) -> bool:
        """Take an action; return True if `_spill` has to be called."""
        size = source[1] if source is not None and kind in ("copy", "replace") else 0
        self._counts[kind] += 1
        self._bytes += size
        return self.actions.add(planned(kind, size, reason, source, target, by_size=self._by_size))

    async def _spill(self) -> None:
        await DISK.mutate(self.actions.spill)

    def _add_judged(self, source: Seen, target: Seen, verdict: Verdict) -> bool:
        kind: Kind
        if verdict.answer == "equal":
            kind, what = "skip", "equal"
        elif self._overwrite:
            kind, what = "replace", "differs"
        else:
            kind, what = "conflict", "exists and differs"
        return self._add(kind, _reason(what, verdict.by), source, target)

    async def _settle(self, waiting: list[_Both]) -> None:
        """Decide what listings did not, several at a time."""
        files = iter(tuple(waiting))
        waiting.clear()
        settled: list[_Both] = []

        async def work() -> None:
            for source, target, listed in files:
                verdict, path = listed, path_of(source[0])
                try:
                    if verdict.answer == "ask":
                        verdict = await self._ask(path, source, target)
                    elif verdict.answer == "read":
                        verdict = await self._read(path)
                except EXPECTED as error:
                    self._fail_comparison(path, error)
                else:
                    settled.append((source, target, verdict))

        async with task_group() as group:
            for _ in range(_ASKING):
                group.create_task(work())
        for both in settled:
            if self._add_judged(*both):
                await self._spill()

    async def _ask(self, path: str, source: Seen, target: Seen) -> Verdict:
        """Ask the target for what its listing did not tell."""
        if self._target.store.supports(Capability.METADATA):
            try:
                info = await self._target.store.get_file_info(self._target.at(path))
            except NotFound:
                return Verdict("different", "deleted meanwhile")
            target = seen_of(path, info)
        return judge_known(source, target, self._rule)

    async def _read(self, path: str) -> Verdict:
        """Read both contents."""
        equal = await same_content(self._source, self._target, path)
        return Verdict("equal" if equal else "different", "content")


@functools.cache
def _reason(what: str, by: str) -> str:
    """Return what many actions have as their reason, as one object."""
    return f"{what}: {by}"
