"""The sync form of plans: each call runs the async one on a loop of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from remote_store import RemotePath, Store
from remote_store.aio import AsyncStore
from remote_store_transfer._planning import plan as _plan
from remote_store_transfer._sync.blocking import as_async_stores, run
from remote_store_transfer._values import Action, Compare, Failure, Links, Order, Totals

if TYPE_CHECKING:
    from remote_store import GlobPattern

__all__ = ["Plan", "plan"]


class Plan:
    """
    What has to be done to make a target like a source; made by `plan`.

    As `remote_store_transfer.aio.Plan`, whose methods block here: iterating
    lists both sides, once; ``with`` closes it.

    Args:
        actions: The async plan.
        stores: The async stores that were made for it.
    """

    def __init__(self, actions: _plan.Plan, *stores: AsyncStore) -> None:
        self._actions = actions
        self._stores = stores

    @property
    def totals(self) -> Totals:
        """The sums of all actions, once it is prepared."""
        return self._actions.totals

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What could not be listed or compared."""
        return self._actions.failures

    @property
    def links_left_out(self) -> int:
        """Links to folders, or out of the source, that were not followed."""
        return self._actions.links_left_out

    @property
    def names_left_out(self) -> bool:
        """Whether a listing met names that no path can have."""
        return self._actions.names_left_out

    def prepare(self) -> Self:
        """
        List both sides and decide, unless that was done.

        Raises:
            NotFound, InvalidPath, RemoteStoreError, OSError: As
                `remote_store_transfer.aio.Plan.prepare`.
            RuntimeError: An event loop runs in this thread.
        """
        run(self._actions.prepare(), *self._stores)
        return self

    def __iter__(self) -> Iterator[Action]:
        self.prepare()
        return self._actions.prepared()

    def close(self) -> None:
        """Give the temporary file back; the plan is empty afterwards."""
        self._actions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


# Body by hand: a plan is an object of its own.
def plan(
    source: Store,
    target: Store,
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
    ours, theirs = as_async_stores(source, target)
    actions = _plan.plan(
        ours,
        theirs,
        source_path=source_path,
        target_path=target_path,
        paths=paths,
        compare=compare,
        delete=delete,
        overwrite=overwrite,
        include=include,
        exclude=exclude,
        newer=newer,
        min_size=min_size,
        max_size=max_size,
        links=links,
        order=order,
        compare_only=compare_only,
    )
    return Plan(actions, ours, theirs)
