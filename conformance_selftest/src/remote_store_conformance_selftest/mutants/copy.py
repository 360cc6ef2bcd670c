"""Backends that copy wrongly."""

from __future__ import annotations

import asyncio
import threading
import time

from attrs import evolve

from remote_store import WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import ReferenceBackend, turn
from remote_store_conformance_selftest.tree import File


@mutant("COPY-001", "user metadata")
class CopiesTheBytesOnly(ReferenceBackend):
    """A copy reads and writes the content, and nothing else."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep and src != dst:
            key = self.key(dst)
            self.tree.files[key] = evolve(self.tree.files[key], metadata=None)


@mutant("COPY-001", "200001 bytes", "has not brought its content")
class CopiesOneBlock(ReferenceBackend):
    """A copy ends after the first block of a longer file."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep and src != dst:
            key = self.key(dst)
            file = self.tree.files[key]
            self.tree.files[key] = evolve(file, content=file.content[: 1 << 17])


@mutant("COPY-002", "nothing was raised")
class CopiesNothing(ReferenceBackend):
    """A copy of a missing file quietly does nothing."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        if await self.exists(src):
            await super().copy(src, dst, overwrite=overwrite)


@mutant("COPY-002", "something changed", "content of")
class TruncatesTheDestination(ReferenceBackend):
    """The destination is opened for writing before the source is opened for reading."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        old = self.tree.files.get(self.key(dst))
        if overwrite and old is not None and src != dst:
            self.tree.put(self.key(dst), evolve(old, content=b""))
        await super().copy(src, dst, overwrite=overwrite)


@mutant("COPY-003", "nothing was raised")
class CopiesOverAnything(ReferenceBackend):
    """A copy replaces an existing file although overwrite is False."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        await super().copy(src, dst, overwrite=True)


@mutant("COPY-003", "has not replaced the file")
class KeepsTheLongerEnd(ReferenceBackend):
    """A copy over a longer file writes over its beginning."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        old = self.tree.files.get(self.key(dst))
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep and old is not None and src != dst:
            new = self.tree.files[self.key(dst)]
            longer = new.content + old.content[len(new.content) :]
            self.tree.files[self.key(dst)] = evolve(new, content=longer)


@mutant("COPY-003", "has not replaced the metadata")
class ReplacesTheBytesOnly(ReferenceBackend):
    """A copy over a file brings the bytes and forgets the metadata of its source."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        old = self.tree.files.get(self.key(dst))
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep and old is not None and src != dst:
            key = self.key(dst)
            self.tree.files[key] = evolve(self.tree.files[key], metadata=None)


@mutant("COPY-003", "has not replaced the metadata", "'replaced': 'yes'")
class MergesTheMetadata(ReferenceBackend):
    """A copy over a file adds the metadata of its source to what was there."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        old = self.tree.files.get(self.key(dst))
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep and old is not None and src != dst:
            new = self.tree.files[self.key(dst)]
            both = {**(old.metadata or {}), **(new.metadata or {})} if new.metadata else None
            self.tree.files[self.key(dst)] = evolve(new, metadata=both)


@mutant("COPY-004", "changed its source")
class TouchesTheSource(ReferenceBackend):
    """A copy gives its source a new version too."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep and src != dst:
            self.tree.files[self.key(src)] = self.tree.files[self.key(dst)]


@mutant("COPY-005", "onto itself", "content of")
class EmptiesItself(ReferenceBackend):
    """A copy truncates its destination and then reads its source, which is the same file."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        old = self.tree.files.get(self.key(src))
        if old is not None and self.key(src) == self.key(dst):
            self.tree.put(self.key(dst), evolve(old, content=b""))
        await super().copy(src, dst, overwrite=overwrite)


@mutant("COPY-006", "source is a folder", "NotFound")
class FindsNoFolder(ReferenceBackend):
    """A folder as a source is said to be missing."""

    def file(self, path: str) -> File:
        if self.key(path) not in self.tree.files:
            raise self.missing(path)
        return super().file(path)


@mutant("COPY-006", "to its root")
class CopiesOntoTheRoot(ReferenceBackend):
    """A copy to the root makes a file without a name."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        if keep and not self.key(dst):
            self.tree.put("", self.file(src))
            return
        super().transfer(src, dst, overwrite=overwrite, keep=keep)


@mutant("COPY-007", "returned before its destination was complete")
class StartsTheCopyAndReturns(ReferenceBackend):
    """The service answers that the copy is pending, and nobody asks again."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        file = self.file(src)
        if src == dst:
            return
        target = self.check_target(dst, overwrite=overwrite)
        asyncio.get_running_loop().call_later(0.02, self.tree.put, target, file)


@mutant("COPY-007", "held a part of the content")
class CopiesInPlace(ReferenceBackend):
    """A copy writes its destination block by block under its final name."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        file = self.file(src)
        if self.key(src) == self.key(dst):
            return
        target = self.check_target(dst, overwrite=overwrite)
        for part in (file.content[: len(file.content) // 2], file.content):
            self.tree.put(target, evolve(file, content=part))
            await turn()


@mutant("COPY-008", "exclusive calls of copy to one name succeeded")
class LooksBeforeItCopies(ReferenceBackend):
    """An exclusive copy looks first, and then copies without a condition."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        if src != dst:
            self.file(src)
            self.check_target(dst, overwrite=overwrite)
        await super().copy(src, dst, overwrite=True)


@mutant("COPY-008", "exclusive calls of copy to one name succeeded")
class LocksCopiesOfItsOwnObject(ReferenceBackend):
    """Exclusive copies are decided under a lock that each object has for itself."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._mine = threading.Lock()

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        with self._mine:
            self.file(src)
            if src != dst:
                self.check_target(dst, overwrite=overwrite)
                time.sleep(0.001)  # noqa: ASYNC251 - nothing else runs in this loop
            with self.tree.lock:
                self.transfer(src, dst, overwrite=True, keep=True)


@mutant("COPY-009", "the other file of a copy changed as well")
class LinksInstead(ReferenceBackend):
    """A copy is a second name of one file, and writes go through to it."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._links: dict[str, str] = {}

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep:
            self._links[self.key(src)] = self.key(dst)

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        result = super().commit(path, content, overwrite, metadata)
        if (other := self._links.get(self.key(path))) is not None:
            self.tree.put(other, self.tree.files[self.key(path)])
        return result


@mutant("COPY-009", "metadata of the other file")
class SharesTheMetadata(ReferenceBackend):
    """Both files of a copy share one mapping of metadata, which a later write fills anew."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        shared = self.file(src).metadata
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep and src != dst:
            new = self.tree.files[self.key(dst)]
            self.tree.files[self.key(dst)] = evolve(new, metadata=shared)

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        old = self.tree.files.get(self.key(path))
        result = super().commit(path, content, overwrite, metadata)
        if old is not None and old.metadata is not None:
            old.metadata.clear()
            old.metadata.update(metadata or {})
        return result
