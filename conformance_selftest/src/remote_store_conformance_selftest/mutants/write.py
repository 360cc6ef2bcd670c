"""Backends that write wrongly."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from remote_store import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    RemoteStoreError,
    WriteResult,
)
from remote_store.authoring import is_a_folder
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, File, ReferenceBackend, turn
from remote_store_conformance_selftest.tree import parents

Metadata = Mapping[str, str] | None


@mutant("WRITE-001", "a stream", "is not what is there")
class StopsAtAnEmptyChunk(ReferenceBackend):
    """An empty chunk is taken for the end of the content."""

    async def gather(self, content: Content) -> bytes:
        if isinstance(content, bytes):
            return content
        parts = []
        async for chunk in content:
            if not chunk:
                break
            parts.append(chunk)
        return b"".join(parts)


@mutant("WRITE-001", "a stream", "is not what is there")
class ForgetsTheLastBlock(ReferenceBackend):
    """Blocks are sent when they are full; the last one never is."""

    async def gather(self, content: Content) -> bytes:
        whole = await super().gather(content)
        if isinstance(content, bytes) or len(whole) < 65_536:
            return whole
        return whole[: len(whole) // 65_536 * 65_536]


@mutant("WRITE-001", "a stream of several blocks")
class ForgetsAShortEnd(ReferenceBackend):
    """What is left for the last block of a long stream is dropped where it is short."""

    async def gather(self, content: Content) -> bytes:
        whole = await super().gather(content)
        short = len(whole) % (1 << 20)
        return whole[: len(whole) - short] if len(whole) > 20 << 20 and short < 1000 else whole


@mutant("WRITE-002", "did not replace the whole")
class KeepsTheTail(ReferenceBackend):
    """A write goes over the old content without cutting it off."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        old = self.tree.files.get(self.key(path))
        if old is not None and overwrite:
            content += old.content[len(content) :]
        return super().commit(path, content, overwrite, metadata)


@mutant("WRITE-003", "nothing was raised")
class OverwritesAnyway(ReferenceBackend):
    """A write with overwrite=False replaces the file without a word."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        return await super().store(path, content, True, metadata)


@mutant("WRITE-003", "something changed")
class ReplacesAndThenRefuses(ReferenceBackend):
    """That a file was there is found out after it was replaced."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        was_there = self.key(path) in self.tree.files
        result = super().commit(path, content, True, metadata)
        if was_there and not overwrite:
            raise AlreadyExists(f"already exists: {path}", path=path, backend=self.name)
        return result

    def check_target(self, path: str, *, overwrite: bool) -> str:
        return super().check_target(path, overwrite=True)


@mutant("WRITE-004", "exclusive writers of one key succeeded")
class ChecksAndThenWrites(ReferenceBackend):
    """Whether a file is there is asked before the write, which then overwrites."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        return super().commit(path, content, True, metadata)

    async def gather(self, content: Content) -> bytes:
        await asyncio.sleep(0.0005)
        return await super().gather(content)


@mutant("WRITE-004", "exclusive writers of one key succeeded")
class LocksWritesOfItsOwnObject(ReferenceBackend):
    """Exclusive writes are decided under a lock that each object has for itself."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._mine = threading.Lock()

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        self.check_target(path, overwrite=overwrite)
        whole = await self.gather(content)
        with self._mine:
            self.check_target(path, overwrite=overwrite)
            time.sleep(0.001)  # noqa: ASYNC251 - nothing else runs in this loop
            with self.tree.lock:
                return self.commit(path, whole, True, dict(metadata) if metadata else None)


@mutant("WRITE-004", "got another error")
class LeaksTheLostRace(ReferenceBackend):
    """The service's answer to the loser of a race comes out as an error of no class."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        try:
            return super().commit(path, content, overwrite, metadata)
        except AlreadyExists as error:
            raise RemoteStoreError("400 InvalidBlockList", path=path) from error


@mutant("WRITE-005", "with overwrite=True")
class ReplacesFolders(ReferenceBackend):
    """A write with overwrite=True replaces a folder by a file."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        key = self.key(path)
        if overwrite and key in self.tree.folders:
            self.remove_folder(path, key, recursive=True, missing_ok=True)
        return super().check_target(path, overwrite=overwrite)


@mutant("WRITE-005", "AlreadyExists")
class SaysTheFolderExists(ReferenceBackend):
    """A folder at the target is reported as an existing file."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        if self.key(path) in self.tree.folders and not overwrite:
            raise AlreadyExists(f"already exists: {path}", path=path, backend=self.name)
        return super().check_target(path, overwrite=overwrite)


@mutant("WRITE-005", "nothing was raised", flat=True, shared_names=False)
class LooksForFilesOnly(ReferenceBackend):
    """Where folders are what keys imply, a file is written where keys go on below its name."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        key = self.key(path)
        if self.tree.is_folder(key) and key not in self.tree.files:
            return key
        return super().check_target(path, overwrite=overwrite)


@mutant("WRITE-006", "far below a file", "nothing was raised")
class LooksOneFolderUp(ReferenceBackend):
    """Only the folder right above the target is checked not to be a file."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        key = self.key(path)
        above = parents(key)
        if len(above) > 2 and above[-2] in self.tree.files and above[-1] not in self.tree.files:
            return key
        return super().check_target(path, overwrite=overwrite)


@mutant("WRITE-006", "NotFound")
class MissesTheParent(ReferenceBackend):
    """A file in the way is reported as a missing parent."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        try:
            return super().check_target(path, overwrite=overwrite)
        except InvalidPath as error:
            if "exists as a file" in str(error):
                raise self.missing(path) from error
            raise


@mutant("WRITE-007", "did not come out as it was", "RemoteStoreError")
class MapsEveryException(ReferenceBackend):
    """One except around the whole write turns the caller's exceptions into storage errors."""

    async def gather(self, content: Content) -> bytes:
        try:
            return await super().gather(content)
        except Exception as error:
            raise RemoteStoreError(f"write failed: {error}") from None


@mutant("WRITE-007", "FileNotFoundError", "did not come out as it was")
class TakesThemForItsOwn(ReferenceBackend):
    """An OSError of the caller's content is taken for one of the storage."""

    async def gather(self, content: Content) -> bytes:
        try:
            return await super().gather(content)
        except FileNotFoundError as error:
            raise NotFound(f"not found: {error}", backend=self.name) from error


@mutant("WRITE-008", "already running")
class LeavesAPullBehind(ReferenceBackend):
    """The first chunk is pulled by a task, which a refused write forgets."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        if isinstance(content, bytes):
            return await super().store(path, content, overwrite, metadata)
        first = asyncio.ensure_future(anext(content, b""))
        await turn()
        self.check_target(path, overwrite=overwrite)
        whole = await first + await self.gather(content)
        return await super().store(path, whole, overwrite, metadata)


@mutant("WRITE-009", "wrong path or size")
class CountsTheLastChunk(ReferenceBackend):
    """The size in the result of a streamed write is that of its last chunk."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        sizes = [0]

        async def counted(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for chunk in chunks:
                sizes.append(len(chunk))
                yield chunk

        if isinstance(content, bytes):
            return await super().store(path, content, overwrite, metadata)
        result = await super().store(path, counted(content), overwrite, metadata)
        return evolve(result, size=sizes[-1])


@mutant("WRITE-009", "does not return a WriteResult")
class ReturnsTheSize(ReferenceBackend):
    """The result of a write is the number of bytes."""

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> Any:
        result = await super().write(path, content, overwrite=overwrite, metadata=metadata)
        return result.size


@mutant("WRITE-010", "the backend itself gets str")
class EncodesText(ReferenceBackend):
    """Text is written in UTF-8 without a word."""

    async def gather(self, content: Any) -> bytes:
        return await super().gather(content.encode() if isinstance(content, str) else content)


@mutant("WRITE-010", "RemoteStoreError")
class DressesTypeErrors(ReferenceBackend):
    """The TypeError for a chunk of text comes out as a storage error."""

    async def gather(self, content: Content) -> bytes:
        try:
            return await super().gather(content)
        except TypeError as error:
            raise RemoteStoreError(f"upload failed: {error}") from error


@mutant("WRITE-011", "InvalidPath", flat=True)
class ForbidsFoldersTheirName(ReferenceBackend):
    """On a flat store a file is refused where keys go on below its name."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        if self.tree.is_folder(self.key(path)):
            raise is_a_folder(path, self.name)
        return super().check_target(path, overwrite=overwrite)


@mutant("WRITE-011", "deleting the file harmed the folder", flat=True)
class DeletesThePrefix(ReferenceBackend):
    """On a flat store a file is deleted with all keys that it is a prefix of."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        await super().delete(path, missing_ok=missing_ok)
        for key in self.below(self.key(path)):
            del self.tree.files[key]


@mutant("WRITE-012", "reserved name")
class WritesReservedNames(ReferenceBackend):
    """A reserved name is written, to be swept away one day."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        if "/.~tmp." in path:
            return self.key(path)
        return super().check_target(path, overwrite=overwrite)


@mutant("WRITE-012", "reserved name", "source, overwrite=True")
class TakesReservedNamesForStreams(ReferenceBackend):
    """Only the path of a small file is looked at as a whole; that of a stream is not."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        if isinstance(content, bytes) or not overwrite or "/.~tmp." not in path:
            return await super().store(path, content, overwrite, metadata)
        whole = await self.gather(content)
        file = File(whole, datetime.now(UTC), self.tree.new_etag())
        self.tree.put(self.key(path), file)
        return self.result(self.key(path), file)


@mutant("WRITE-013", "NotFound")
class WantsParents(ReferenceBackend):
    """A write into a folder that is not there fails."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        above = self.key(path).rpartition("/")[0]
        if "/" in above and above not in self.tree.folders:
            raise self.missing(above)
        return super().check_target(path, overwrite=overwrite)


@mutant("WRITE-013", "a folder above a new file is not there")
class MakesOneParent(ReferenceBackend):
    """Of the folders above a new file only the nearest is made."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        before = set(self.tree.folders)
        result = super().commit(path, content, overwrite, metadata)
        above = parents(self.key(path))
        self.tree.folders = before | set(above[:1]) | set(above[-1:])
        return result


@mutant("WRITE-014", "took too much from its source")
class ReadsAllAndThenLooks(ReferenceBackend):
    """The target is looked at when the whole content was read."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        return await super().store(path, await self.gather(content), overwrite, metadata)


@mutant("WRITE-014", "an atomic write", "took too much from its source")
class FillsTheTemporaryFileAndThenLooks(ReferenceBackend):
    """Of an atomic write the target is looked at when the temporary file is complete."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> WriteResult:
        whole = await self.gather(content)
        return await super().write_atomic(path, whole, overwrite=overwrite, metadata=metadata)


@mutant("WRITE-015", "before its content was complete")
class WritesInPlace(ReferenceBackend):
    """The file is emptied first, and filled as the content comes."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        key = self.check_target(path, overwrite=overwrite)
        written = File(b"", datetime.now(UTC), self.tree.new_etag())
        self.tree.put(key, written)
        if isinstance(content, bytes):
            written = evolve(written, content=content)
        else:
            async for chunk in content:
                written = evolve(written, content=written.content + chunk)
                self.tree.put(key, written)
        self.tree.put(key, written)
        return self.result(key, written)


@mutant("WRITE-015", "before its content was complete")
class DeletesTheOldOneFirst(ReferenceBackend):
    """The old file is deleted before the new content is read."""

    async def gather(self, content: Content) -> bytes:
        if not isinstance(content, bytes):
            with contextlib.suppress(KeyError):
                self.tree.files.popitem()
        return await super().gather(content)
