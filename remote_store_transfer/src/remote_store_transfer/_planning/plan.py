"""A plan: both sides listed once, and what is to be done in the order of its execution."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, get_args

from remote_store import Capability, InvalidPath, NotFound, RemotePath
from remote_store.aio import AsyncStore
from remote_store_transfer._listing.filters import Filters
from remote_store_transfer._listing.look import look_up
from remote_store_transfer._listing.records import action_of, is_skip
from remote_store_transfer._listing.side import DISK, Gathered, Side, gather, normal, require
from remote_store_transfer._listing.this_machine import this_machine
from remote_store_transfer._planning.decisions import Decisions
from remote_store_transfer._planning.equality import Rule
from remote_store_transfer._planning.overlap import refuse_overlap
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import Action, Compare, Failure, Links, Order, Totals

if TYPE_CHECKING:
    from remote_store import GlobPattern

__all__ = ["Plan", "plan"]

#: Actions between two moments at which other tasks may run.
_PULSE: Final = 256


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
        self._filters = filters
        self._links: Links = links
        self._paths = paths
        self._anew = partial(
            Decisions,
            source,
            target,
            rule=Rule(
                compare,
                this_machine(target.store) is not None,
                target.store.supports(Capability.USER_METADATA),
                self.one_store,
            ),
            delete=delete,
            overwrite=overwrite,
            filters=filters,
            links=links,
            by_size=order == "size",
            compare_only=compare_only,
        )
        self._decided = self._anew()
        self._ready = self._closed = False
        self._preparing = asyncio.Lock()

    @property
    def totals(self) -> Totals:
        """The sums of all actions; of those that are decided while it is being prepared."""
        return self._decided.totals

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What could not be listed or compared."""
        return tuple(self._decided.failures)

    @property
    def links_left_out(self) -> int:
        """Links to folders, or out of the source, that were not followed."""
        return self._decided.links_left_out

    @property
    def names_left_out(self) -> bool:
        """Whether a listing met names that no path can have."""
        return self._decided.names_left_out

    @property
    def source_incomplete(self) -> bool:
        """Whether deletions have to be withheld: the source may have more than was listed."""
        return self._decided.source_incomplete

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
        for count, record in enumerate(self._decided.actions):
            if count % _PULSE == _PULSE - 1:
                await asyncio.sleep(0)
            if not is_skip(record):
                yield action_of(record)

    def prepared(self) -> Iterator[Action]:
        """Return the actions of a plan that is prepared, for a program without a loop."""
        return map(action_of, self._decided.actions)

    def close(self) -> None:
        """Give the temporary file back; the plan cannot be used afterwards."""
        self._closed = True
        self._decided.actions.close()

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
        self._decided.actions.close()
        self._decided = self._anew()
        try:
            if self._paths is None and not len(source.files) and not source.failures:
                await self._refuse_absent_source()
            await self._decided.decide(source, target)
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
