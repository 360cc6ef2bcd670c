"""A plan: both sides listed once, joined, and kept as actions in the order of their execution."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias, get_args

from remote_store import (
    Capability,
    InvalidPath,
    NotFound,
    RemotePath,
)
from remote_store.aio import AsyncStore
from remote_store_transfer._failures import EXPECTED, reason_of
from remote_store_transfer._listing.filters import Filters
from remote_store_transfer._listing.look import look_up
from remote_store_transfer._listing.records import (
    Seen,
    action_of,
    actions,
    is_skip,
    path_of,
    planned,
    seen_of,
)
from remote_store_transfer._listing.side import (
    DISK,
    Gathered,
    Side,
    gather,
    is_below,
    normal,
    require,
)
from remote_store_transfer._listing.this_machine import this_machine
from remote_store_transfer._planning.contents import same_content
from remote_store_transfer._planning.equality import Rule, Verdict, judge, judge_known
from remote_store_transfer._planning.join import join
from remote_store_transfer._planning.overlap import refuse_overlap
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import (
    Action,
    Compare,
    Failure,
    Kind,
    Links,
    Order,
    Totals,
)

if TYPE_CHECKING:
    from remote_store import GlobPattern

__all__ = ["Plan", "plan"]

#: Questions and comparisons of contents at a time.
_ASKING: Final = 16
#: Pairs that wait for them.
_WAITING: Final = 256
#: Pairs between two moments at which other tasks may run.
_PULSE: Final = 256

#: A file as it was seen in the source and in the target, and what is known of the two.
_Both: TypeAlias = tuple[Seen, Seen, Verdict]


class Plan:
    """
    What has to be done to make a target like a source; made by `plan`.

    Nothing happens before the first iteration, which lists both sides, each
    once, and decides. The actions are then kept, in memory or, when they are
    many, in an unnamed temporary file: iterating again, and executing, does
    not list again. Deletions come last.

    ``async with`` closes the temporary file; so does the end of the object.

    Args:
        source: The side that is read.
        target: The side that is written to.
        compare: How files are compared.
        delete: Whether files that only the target has are deleted.
        overwrite: Whether files that differ are replaced.
        filters: Which files count.
        links: What becomes of links.
        order: Which files come first.
        paths: The only files that count; None for all.
        compare_only: Leave out what may be on a side that could not be listed there.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        *,
        compare: Compare,
        delete: bool,
        overwrite: bool,
        filters: Filters,
        links: Links,
        order: Order,
        paths: tuple[str, ...] | None = None,
        compare_only: bool = False,
    ) -> None:
        self.source = source
        self.target = target
        self.one_store = source.store == target.store
        self._rule = Rule(
            compare,
            this_machine(target.store) is not None,
            target.store.supports(Capability.USER_METADATA),
            self.one_store,
        )
        self._delete = delete
        self._overwrite = overwrite
        self._filters = filters
        self._links: Links = links
        self._paths = paths
        self._compare_only = compare_only
        self._by_size = order == "size"
        self._actions = actions()
        self._counts: dict[str, int] = dict.fromkeys(
            ("copy", "replace", "skip", "delete", "conflict"), 0
        )
        self._bytes = 0
        self._failures: list[Failure] = []
        self._ready = self._closed = False
        self._preparing = asyncio.Lock()
        #: Links to folders, or out of the source, that were not followed.
        self.links_left_out = 0
        #: Whether a listing met names that no path can have.
        self.names_left_out = False
        #: Whether deletions have to be withheld, since the source may have more than was listed.
        self.source_incomplete = False

    @property
    def totals(self) -> Totals:
        """The sums of all actions; of those that are decided while it is being prepared."""
        return Totals(size=self._bytes, **self._counts)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What could not be listed or compared."""
        return tuple(self._failures)

    async def prepare(self) -> Self:
        """
        List both sides and decide, unless that was done.

        Returns:
            The plan itself.

        Raises:
            NotFound: The source's folder does not exist.
            InvalidPath: The source's folder is a file.
            ValueError: The plan is closed.
            RemoteStoreError: The source cannot be asked.
            OSError: There is no room for temporary files.
        """
        async with self._preparing:
            if self._closed:
                msg = "the plan is closed: execute it before, or make another one"
                raise ValueError(msg)
            if not self._ready:
                try:
                    await self._prepare()
                finally:
                    DISK.close()
                self._ready = True
        return self

    async def __aiter__(self) -> AsyncGenerator[Action, None]:
        await self.prepare()
        for count, action in enumerate(self.prepared()):
            if count % _PULSE == _PULSE - 1:
                await asyncio.sleep(0)
            yield action

    async def to_do(self) -> AsyncGenerator[Action, None]:
        """Yield the actions of a plan that is prepared, but those of files that are equal."""
        for count, record in enumerate(self._actions):
            if count % _PULSE == _PULSE - 1:
                await asyncio.sleep(0)
            if not is_skip(record):
                yield action_of(record)

    def prepared(self) -> Iterator[Action]:
        """Return the actions of a plan that is prepared, for a program without a loop."""
        return map(action_of, self._actions)

    def close(self) -> None:
        """Give the temporary file back; the plan cannot be used afterwards."""
        self._closed = True
        self._actions.close()

    async def aclose(self) -> None:
        """As `close`."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _prepare(self) -> None:
        source, target = await self._gather()
        # What a call before decided that was cancelled is decided again.
        self._actions.close()
        self._counts = dict.fromkeys(self._counts, 0)
        self._bytes = 0
        try:
            if self._paths is None and not len(source.files) and not source.failures:
                await self._refuse_absent_source()
            self._note(source, target)
            await self._decide(source, target)
        finally:
            source.files.close()
            target.files.close()

    async def _gather(self) -> tuple[Gathered, Gathered]:
        if self._paths is not None:
            return await look_up(self.source, self.target, self._paths)
        async with task_group() as group:
            ours = group.create_task(gather(self.source, self._filters, self._links, "source"))
            theirs = group.create_task(gather(self.target, self._filters, "report", "target"))
        return ours.result(), theirs.result()

    def _note(self, source: Gathered, target: Gathered) -> None:
        self._failures = [*source.failures, *target.failures]
        self.links_left_out = source.left_out.links
        self.names_left_out = source.left_out.names or target.left_out.names
        # What a link leads to may be what the target has.
        linked = bool(source.left_out.links) and self._links == "report"
        self.source_incomplete = bool(source.failures) or linked
        if self._links == "skip":
            self.links_left_out = 0

    async def _refuse_absent_source(self) -> None:
        """Tell an empty folder from none: a name that was misspelt must not delete a target."""
        store, folder = self.source.store, self.source.folder
        if await store.is_folder(folder):
            return
        if folder and await store.is_file(folder):
            msg = f"the source {folder!r} is a file, not a folder; copy_between copies one file"
            raise InvalidPath(msg, path=folder)
        msg = f"the source folder {folder!r} does not exist, or has no files"
        raise NotFound(msg, path=folder)

    async def _decide(self, source: Gathered, target: Gathered) -> None:
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

    async def _heed_link(self, path: str, entered: AbstractSet[str]) -> None:
        """
        Withhold deletions if the source may have a file behind a link that was not entered.

        A listing need not tell of all links, such as one that leads nowhere
        at this moment. What would get lost by that is looked at here again.
        """
        if self._links == "skip" or self.source_incomplete:
            return
        machine = this_machine(self.source.store)
        if machine is None:
            return
        if await DISK.query(machine.stops_at_link, self.source.folder, path, entered):
            self.source_incomplete = True
            self.links_left_out = max(self.links_left_out, 1)

    async def _is_behind_link(self, path: str) -> bool:
        """Return True if the target leads to a file by a link, which its listing did not enter."""
        machine = this_machine(self.target.store)
        if machine is None:
            return False
        return await DISK.query(machine.stops_at_link, self.target.folder, path, frozenset[str]())

    async def _add_behind_link(self, source: Seen) -> None:
        """Decide about a file that a copy would be written to, though no listing shows it."""
        path = path_of(source[0])
        try:
            there = seen_of(path, await self.target.store.get_file_info(self.target.at(path)))
        except NotFound:
            if self._add("copy", "new", source, None):
                await self._spill()
            return
        except EXPECTED as error:
            self._fail_comparison(path, error)
            return
        await self._settle([(source, there, judge(source, there, self._rule))])

    def _fail_comparison(self, path: str, error: Exception) -> None:
        self._failures.append(Failure(path, "compare", reason_of(error), type(error).__name__))

    def _add(self, kind: Kind, reason: str, source: Seen | None, target: Seen | None) -> bool:
        """Take an action; return True if `_spill` has to be called."""
        size = source[1] if source is not None and kind in ("copy", "replace") else 0
        self._counts[kind] += 1
        self._bytes += size
        return self._actions.add(planned(kind, size, reason, source, target, by_size=self._by_size))

    async def _spill(self) -> None:
        await DISK.mutate(self._actions.spill)

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
        if self.target.store.supports(Capability.METADATA):
            try:
                info = await self.target.store.get_file_info(self.target.at(path))
            except NotFound:
                return Verdict("different", "deleted meanwhile")
            target = seen_of(path, info)
        return judge_known(source, target, self._rule)

    async def _read(self, path: str) -> Verdict:
        """Read both contents."""
        equal = await same_content(self.source, self.target, path)
        return Verdict("equal" if equal else "different", "content")


@functools.cache
def _reason(what: str, by: str) -> str:
    """Return what many actions have as their reason, as one object."""
    return f"{what}: {by}"


def plan(
    source: AsyncStore,
    target: AsyncStore,
    *,
    source_path: str | RemotePath = "",
    target_path: str | RemotePath = "",
    paths: Iterable[str | RemotePath] | None = None,
    compare: Compare = "time",
    delete: bool = False,
    overwrite: bool = True,
    include: Iterable[str | GlobPattern] = (),
    exclude: Iterable[str | GlobPattern] = (),
    newer: datetime | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    links: Links = "report",
    order: Order = "size",
    compare_only: bool = False,
) -> Plan:
    """
    Return what has to be done to make a target like a source.

    Files of one size are compared. A digest that both services keep decides;
    where there is none, *compare* says how:

    - ``"time"``: by the source's time, which is kept as user metadata or
      restored on this machine. A target that tells neither is equal if it was
      written after the source. Listings are enough, except for files of
      targets whose listings tell no metadata that were written before their
      source's change, or within two seconds of it: these are asked for. Where
      a source tells no time, its version token takes its place.
    - ``"etag"``: by the source's version token that was kept, else by time.
      Where listings tell no metadata, each file of the target is asked for.
    - ``"size"``: no further.
    - ``"content"``: both are read.

    Args:
        source: Where from.
        target: Where to.
        source_path: Folder of *source*; ``""`` for its root.
        target_path: Folder of *target*, which need not exist.
        paths: Only these files, relative to both folders: each is asked for
            on both sides, and nothing is listed. ``""`` is the folder itself,
            which then is a file: so one file can get another name. One that
            the source does not have is a failure. Patterns do not apply.
            None for all files.
        compare: See above.
        delete: Delete what only the target has.
        overwrite: Replace what differs; False makes it a conflict.
        include: `GlobPattern` texts of relative paths, of which one has to
            match (``**/*.csv``: at any depth); none for all.
        exclude: Patterns of which none may match. What patterns leave out
            is left alone in the target, too.
        newer: Only files that were modified after this aware time.
        min_size: Only files of at least so many bytes.
        max_size: Only files of at most so many bytes.
        links: Links to folders and out of the source: ``"report"`` counts
            them, and deletes nothing where there are any; ``"skip"`` takes
            the source for a tree without them; ``"follow"`` enters those
            that stay in the source's store, but none that lead back up, and
            deletes nothing where the target has a file behind one that was
            not entered.
        order: ``"size"``: largest files first; ``"name"``: by path.
        compare_only: Nothing is going to be executed, so that the target need
            not be writable. A file that one side has, below a folder that
            could not be listed on the other, is told by that failure alone.

    Raises:
        ValueError: An argument is none of these, the two folders are one or
            one lies in the other, a file is its own target, or *delete* is
            asked for some files only.
        TypeError: *paths* is one path, or *include* or *exclude* one pattern.
        InvalidPath: A path or pattern is malformed.
        CapabilityNotSupported: A side cannot list (or the source not tell
            of single files, with *paths*), the source not read, or the target
            not write (nor delete, with *delete*).
    """
    for name, value, allowed in (
        ("compare", compare, get_args(Compare)),
        ("links", links, get_args(Links)),
        ("order", order, get_args(Order)),
    ):
        if value not in allowed:
            msg = f"{name} must be one of {', '.join(allowed)}, got {value!r}"
            raise ValueError(msg)
    sides = Side.of(source, source_path), Side.of(target, target_path)
    named = None
    needed = [] if compare_only else [Capability.WRITE, *([Capability.DELETE] if delete else ())]
    if paths is not None:
        if isinstance(paths, (str, RemotePath)):
            msg = f"paths takes several paths: write [{str(paths)!r}]"
            raise TypeError(msg)
        if delete:
            msg = "delete=True needs all files of the source: leave out paths"
            raise ValueError(msg)
        require(source, Capability.METADATA, Capability.READ)
        require(target, *needed)
        named = tuple(dict.fromkeys(normal(path) for path in paths))
        for path in named:
            refuse_overlap(*(Side(side.store, side.at(path)) for side in sides))
    else:
        require(source, Capability.LIST, Capability.READ)
        require(
            target, Capability.LIST, *needed, *([Capability.DELETE] if delete and needed else ())
        )
        refuse_overlap(*sides)
    filters = Filters(include, exclude, newer, min_size, max_size)
    return Plan(
        *sides,
        compare=compare,
        delete=delete,
        overwrite=overwrite,
        filters=filters,
        links=links,
        order=order,
        paths=named,
        compare_only=compare_only,
    )
