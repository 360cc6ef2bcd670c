"""One side of a plan: a store, a folder in it, and the listing of that."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from attrs import Factory, define, frozen

from remote_store import (
    Capability,
    CapabilityNotSupported,
    FileInfo,
    FolderEntry,
    LeftOutCount,
    NotFound,
    RemotePath,
    RemoteStoreError,
    count_left_out,
)
from remote_store.aio import AsyncStore
from remote_store.aio.workers import WorkerPool
from remote_store_transfer._failures import status_of
from remote_store_transfer._listing.filters import Filters
from remote_store_transfer._listing.records import Seen, files, seen_of
from remote_store_transfer._listing.sorter import Sorter
from remote_store_transfer._listing.this_machine import this_machine
from remote_store_transfer._values import Failure, Links

__all__ = ["DISK", "Gathered", "Side", "gather", "is_below", "normal", "reasons", "require"]

#: Threads for what blocks on this machine's disks. Who ends a run closes it: no idle
#: thread stays, and another run that is on its way begins new ones.
DISK: Final = WorkerPool("remote-store-transfer", 8)


# Nobody compares or prints one of these two, and the methods for that would have to be made.
@frozen(eq=False, repr=False)
class Side:
    """
    A folder of a store.

    Args:
        store: The store.
        folder: Path of the folder in normal form, ``""`` for the root.
    """

    store: AsyncStore
    folder: str

    @classmethod
    def of(cls, store: AsyncStore, folder: str | RemotePath) -> Side:
        """
        Return the side of a folder.

        Raises:
            InvalidPath: *folder* is malformed.
        """
        return cls(store, normal(folder))

    def at(self, path: str) -> str:
        """Return the path in the store of a path in the folder, ``""`` for the folder itself."""
        return f"{self.folder}/{path}" if self.folder and path else self.folder or path

    def relative(self, path: str) -> str:
        """Return the path in the folder of a path in the store."""
        return path[len(self.folder) + 1 :] if self.folder else path


@define(eq=False, repr=False)
class Gathered:
    """
    What a listing gave.

    Args:
        files: The files, sorted.
        failures: What could not be listed.
        left_out: What was left out.
        entered: Links that were entered.
    """

    files: Sorter[Seen]
    failures: list[Failure] = Factory(list)
    left_out: LeftOutCount = Factory(LeftOutCount)
    entered: set[str] = Factory(set)

    def unlisted(self) -> frozenset[str]:
        """Return the folders that could not be listed."""
        return frozenset(failure.path for failure in self.failures if failure.kind == "list")


def is_below(path: str, folders: frozenset[str]) -> bool:
    """Return True if a path is one of some folders, or lies in one; ``""`` is the top of all."""
    if not folders:
        return False
    ends = (place for place, character in enumerate(path) if character == "/")
    return "" in folders or path in folders or any(path[:end] in folders for end in ends)


def normal(path: str | RemotePath) -> str:
    """
    Return the normal form of a path, ``""`` for the root.

    Raises:
        InvalidPath: It is malformed.
    """
    text = str(path)
    return "" if text in ("", ".") else RemotePath(text).as_posix()


async def gather(side: Side, filters: Filters, links: Links, name: str) -> Gathered:
    """
    List all files of a side, and sort them; a folder that refuses does not hide the others.

    Args:
        side: What to list.
        filters: Whose patterns say which files count.
        links: ``"follow"`` enters links to folders.
        name: ``"source"`` or ``"target"``, for failures.

    Raises:
        OSError: There is no room for temporary files.
    """
    gathered = Gathered(files())
    follows = links == "follow" and this_machine(side.store) is not None
    with count_left_out() as left_out:
        listing = _walk(side, gathered) if follows else _list(side)
        try:
            async with contextlib.aclosing(listing):
                async for info in listing:
                    path = side.relative(info.path.as_posix())
                    if filters.names(path) and gathered.files.add(seen_of(path, info)):
                        await DISK.mutate(gathered.files.spill)
        except RemoteStoreError as error:
            gathered.failures += reasons(side, error, name)
    gathered.left_out.links += left_out.links
    gathered.left_out.names |= left_out.names
    return gathered


def require(store: AsyncStore, *capabilities: Capability) -> None:
    """
    Refuse a store that cannot do what is needed.

    Raises:
        TypeError: It is a sync one.
        CapabilityNotSupported: It lacks one of *capabilities*.
    """
    if not isinstance(store, AsyncStore) and _is_sync(store):
        msg = "a sync store is for remote_store_transfer, whose names are those of the aio module"
        raise TypeError(msg)
    for capability in capabilities:
        if not store.supports(capability):
            msg = f"{store!r} lacks {capability.value!r}, which this needs"
            raise CapabilityNotSupported(msg, capability=capability.value)


def _is_sync(store: object) -> bool:
    from remote_store import Store  # not loaded for async stores

    return isinstance(store, Store)


def reasons(side: Side, error: RemoteStoreError, name: str) -> list[Failure]:
    """Return a failure for each folder that could not be listed."""
    failures = []
    for one in (error, *error.others):
        path = getattr(one, "path", None) or ""
        # What lies elsewhere may hide anything of the folder.
        below = f"{side.folder}/" if side.folder else ""
        relative = side.relative(path) if path.startswith(below) else ""
        what = one.args[0] if one.args else one
        reason, kind = f"{name}: {what}", type(one).__name__
        failures.append(Failure(relative, "list", reason, kind, status_of(one)))
    return failures


def _list(side: Side) -> AsyncGenerator[FileInfo, None]:
    return side.store.list_files(side.folder, recursive=True)


async def _walk(side: Side, gathered: Gathered) -> AsyncGenerator[FileInfo, None]:
    """Yield all files, those of linked folders too; a link that leads back up is left out."""
    machine = this_machine(side.store)
    assert machine is not None
    top = await DISK.query(machine.real_path, side.folder)
    # Each folder that waits, with the real paths of those that it lies in.
    waiting: list[tuple[str, tuple[str, ...]]] = [(side.folder, (top,))]
    while waiting:
        folder, above = waiting.pop()
        children = side.store.iter_children(folder)
        try:
            async with contextlib.aclosing(children):
                async for child in children:
                    if not isinstance(child, FolderEntry):
                        yield child
                        continue
                    path = child.path.as_posix()
                    if not child.is_link:
                        waiting.append((path, (*above, f"{above[-1]}/{child.name}")))
                        continue
                    real = await DISK.query(machine.real_path, path)
                    if real in above or any(one.startswith(f"{real}/") for one in above):
                        gathered.left_out.links += 1
                    else:
                        gathered.entered.add(side.relative(path))
                        waiting.append((path, (*above, real)))
            gathered.left_out.links += await DISK.query(machine.links_that_leave, folder)
        except NotFound:
            continue  # deleted since it was seen
        except RemoteStoreError as error:
            gathered.failures += reasons(Side(side.store, side.folder), error, "source")
