"""Backends that move wrongly."""

from __future__ import annotations

import asyncio
import threading
import time

from attrs import evolve

from remote_store import AlreadyExists
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import ReferenceBackend, turn
from remote_store_conformance_selftest.tree import parents


@mutant("MOVE-001", "user metadata")
class MovesTheBytesOnly(ReferenceBackend):
    """A move writes the content anew and forgets the user metadata."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if not keep:
            key = self.key(dst)
            self.tree.files[key] = evolve(self.tree.files[key], metadata=None)


@mutant("MOVE-001", "0 bytes", "has not brought its content")
class SkipsEmptyFiles(ReferenceBackend):
    """A move of an empty file has nothing to send, so nothing arrives."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        empty = not self.file(src).content
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if empty and src != dst:
            del self.tree.files[self.key(dst)]


@mutant("MOVE-001", "unexpected error", "No such file or directory")
class NeedsTheFolder(ReferenceBackend):
    """A move into a folder that is not there fails, as the system's rename does."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        if parents(self.key(dst))[-1:] and not self.tree.is_folder(parents(self.key(dst))[-1]):
            raise OSError(2, "No such file or directory", dst)
        super().transfer(src, dst, overwrite=overwrite, keep=keep)


@mutant("MOVE-002", "something changed", "is gone")
class ClearsTheWayFirst(ReferenceBackend):
    """The old destination is removed before anybody looks for the source."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        if overwrite and src != dst and self.key(dst) in self.tree.files:
            del self.tree.files[self.key(dst)]
        super().transfer(src, dst, overwrite=overwrite, keep=keep)


@mutant("MOVE-002", "wrong exception", "AlreadyExists")
class LooksAtTheDestinationFirst(ReferenceBackend):
    """A missing source goes unnoticed where the destination exists."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        if src != dst:
            self.check_target(dst, overwrite=overwrite)
        super().transfer(src, dst, overwrite=overwrite, keep=keep)


@mutant("MOVE-003", "nothing was raised")
class MovesOverAnything(ReferenceBackend):
    """A move replaces an existing file although overwrite is False."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=True, keep=keep)


@mutant("MOVE-003", "something changed", "is gone")
class RefusesTooLate(ReferenceBackend):
    """The source is taken away before the destination is looked at."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        try:
            super().transfer(src, dst, overwrite=overwrite, keep=keep)
        except AlreadyExists:
            self.tree.files.pop(self.key(src), None)
            raise


@mutant("MOVE-003", "has not replaced the metadata")
class MergesTheMetadata(ReferenceBackend):
    """A move over a file keeps the metadata of the file that it replaced."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        old = self.tree.files.get(self.key(dst))
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if old is not None and old.metadata:
            new = self.tree.files[self.key(dst)]
            self.tree.files[self.key(dst)] = evolve(new, metadata={**old.metadata})


@mutant("MOVE-003", "has not replaced the metadata")
class ReplacesTheBytesOnly(ReferenceBackend):
    """A move over a file brings the bytes and forgets the metadata of its source."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        old = self.tree.files.get(self.key(dst))
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if not keep and old is not None and src != dst:
            key = self.key(dst)
            self.tree.files[key] = evolve(self.tree.files[key], metadata=None)


@mutant("MOVE-004", "still there after a move")
class CopiesInstead(ReferenceBackend):
    """A move is a copy whose second half was forgotten."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=True)


@mutant("MOVE-005", "onto itself", "is gone")
class RemovesItself(ReferenceBackend):
    """A move puts the destination and removes the source, also where they are one."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        if self.key(src) == self.key(dst) and not keep:
            del self.tree.files[self.key(src)]
        super_transfer = super().transfer
        if self.key(src) in self.tree.files:
            super_transfer(src, dst, overwrite=overwrite, keep=keep)


@mutant("MOVE-005", "already exists")
class RefusesItself(ReferenceBackend):
    """A move of a file onto itself is refused, because the destination exists."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        self.file(src)
        self.check_target(dst, overwrite=overwrite)
        super().transfer(src, dst, overwrite=overwrite, keep=keep)


@mutant("MOVE-006", "source is a folder", "nothing was raised")
class MovesFoldersToo(ReferenceBackend):
    """A move takes folders as well, as the system's rename does."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        key = self.key(src)
        if not keep and key and self.tree.is_folder(key):
            for inner in self.below(key):
                target = self.key(dst) + inner.removeprefix(key)
                self.tree.put(target, self.tree.files.pop(inner))
            self.tree.folders.discard(key)
            return
        super().transfer(src, dst, overwrite=overwrite, keep=keep)


@mutant("MOVE-006", "lies under a file", "nothing was raised")
class MovesUnderFiles(ReferenceBackend):
    """A move to a path under a file leaves a file that no path leads to."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        under = any(parent in self.tree.files for parent in parents(self.key(path)))
        return self.key(path) if under else super().check_target(path, overwrite=overwrite)


@mutant("MOVE-006", "destination is a folder", "AlreadyExists")
class TakesAFolderForAFile(ReferenceBackend):
    """A folder at the destination is reported as a file that exists."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        if self.key(path) and self.tree.is_folder(self.key(path)):
            raise AlreadyExists(f"already exists: {path}", path=path, backend=self.name)
        return super().check_target(path, overwrite=overwrite)


@mutant("MOVE-006", "reserved", "nothing was raised", flat=True)
class TakesReservedNames(ReferenceBackend):
    """A move may end at a name that the next sweep of temporary files removes."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        if ".~tmp." in path:
            return self.key(path)
        return super().check_target(path, overwrite=overwrite)


@mutant("MOVE-007", "under neither")
class RemovesBeforeItPuts(ReferenceBackend):
    """The source is removed first; a crash, or a reader, finds nothing."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        file = self.file(src)
        if src == dst:
            return
        target = self.check_target(dst, overwrite=overwrite)
        del self.tree.files[self.key(src)]
        await turn()
        self.tree.put(target, file)


@mutant("MOVE-007", "returned before its destination was complete")
class IgnoresThatACopyIsPending(ReferenceBackend):
    """The service copies in the background; the move does not wait for it."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        file = self.file(src)
        if src == dst:
            return
        target = self.check_target(dst, overwrite=overwrite)
        asyncio.get_running_loop().call_later(0.02, self.tree.put, target, file)
        del self.tree.files[self.key(src)]


@mutant("MOVE-008", "exclusive calls of move to one name succeeded")
class LooksBeforeItMoves(ReferenceBackend):
    """An exclusive move looks first, and then moves with overwrite."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        if src != dst:
            self.check_target(dst, overwrite=overwrite)
        await super().move(src, dst, overwrite=True)


@mutant("MOVE-008", "exclusive calls of move to one name succeeded")
class LocksItsOwnLoop(ReferenceBackend):
    """Calls exclude each other in one thread, and not those of other threads."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._mine = threading.local()

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        lock = self._mine.__dict__.setdefault("lock", asyncio.Lock())
        async with lock:
            if src != dst:
                self.file(src)
                self.check_target(dst, overwrite=overwrite)
            await super().move(src, dst, overwrite=True)


@mutant("MOVE-008", "exclusive calls of move to one name succeeded")
class LocksMovesOfItsOwnObject(ReferenceBackend):
    """Exclusive moves are decided under a lock that each object has for itself."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._mine = threading.Lock()

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        with self._mine:
            self.file(src)
            if src != dst:
                self.check_target(dst, overwrite=overwrite)
                time.sleep(0.001)  # noqa: ASYNC251 - nothing else runs in this loop
            with self.tree.lock:
                self.transfer(src, dst, overwrite=True, keep=False)
