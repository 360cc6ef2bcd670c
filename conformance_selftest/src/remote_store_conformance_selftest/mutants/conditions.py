"""Backends whose conditions are none."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

from attrs import evolve

from remote_store import FileInfo, RemoteStoreError, WriteResult
from remote_store.authoring import cannot_delete_many, other_version
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, File
from remote_store_conformance_selftest.reference_conditions import LACKS, ConditionalBackend

Metadata = Mapping[str, str] | None


class _ComparesFirst(ConditionalBackend):
    async def replace(
        self, path: str, content: Content, metadata: Metadata, if_match: str
    ) -> WriteResult:
        self.compare_target(path, if_match)
        await asyncio.sleep(0.0005)
        return await self.store(path, content, True, metadata)


@mutant("COND-001", "increments of a counter were lost", without=LACKS)
class LooksAtTheVersionAndThenWrites(_ComparesFirst):
    """The version is compared by one request, and the file written by another."""


@mutant("COND-006", "was undone", without=LACKS)
class KnowsOnlyItsOwnConditions(_ComparesFirst):
    """What changes without a condition is not kept out between the look and the write."""


@mutant("COND-002", "by a write of bytes of an earlier version", without=LACKS)
class TakesEveryVersionForTheCurrentOne(ConditionalBackend):
    """The condition of a write is not handed on."""

    async def replace(
        self, path: str, content: Content, metadata: Metadata, if_match: str
    ) -> WriteResult:
        return await self.store(path, content, True, metadata)


@mutant("COND-002", "by a write_atomic of an earlier version", without=LACKS)
class WritesAtomicallyWithoutACondition(ConditionalBackend):
    """The temporary file of an atomic write is renamed over whatever is there."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
        if_match: str | None = None,
    ) -> WriteResult:
        replaces = overwrite or if_match is not None
        return await super().write_atomic(path, content, overwrite=replaces, metadata=metadata)


@mutant("COND-002", "by a delete of an earlier version", without=LACKS)
class DeletesWhateverIsThere(ConditionalBackend):
    """A deletion has no condition."""

    async def delete(
        self, path: str, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        await super().delete(path, missing_ok=missing_ok)


@mutant("COND-002", "by a copy of an earlier version", without=LACKS)
class CopiesWhateverIsThere(ConditionalBackend):
    """The condition of a copy is one on its target."""

    async def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        await super().copy(src, dst, overwrite=overwrite)


@mutant("COND-002", "by a move of an earlier version", without=LACKS)
class MovesWhateverIsThere(ConditionalBackend):
    """A rename has no condition."""

    async def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        await super().move(src, dst, overwrite=overwrite)


@mutant("COND-002", "something changed", without=LACKS)
class WritesAndThenCompares(ConditionalBackend):
    """The new version is there when the old one is compared."""

    async def replace(
        self, path: str, content: Content, metadata: Metadata, if_match: str
    ) -> WriteResult:
        before = self.file(path).etag
        result = await self.store(path, content, True, metadata)
        if before != if_match:
            raise other_version(path, self.name)
        return result


@mutant("COND-002", "PreconditionFailed", without=LACKS)
class ComparesWithQuotes(ConditionalBackend):
    """The token is compared in the quotes of its header, so that none is ever equal."""

    def compare(self, path: str, if_match: str) -> None:
        super().compare(path, f'"{if_match}"')


@mutant("COND-003", "nothing was raised", without=LACKS)
class BringsDeletedFilesBack(ConditionalBackend):
    """Only a file that is there is compared."""

    def compare_target(self, path: str, if_match: str) -> None:
        if self.key(path) in self.tree.files:
            super().compare_target(path, if_match)


@mutant("COND-003", "NotFound", without=LACKS)
class MissesTheFileThatItReplaces(ConditionalBackend):
    """A write of a version of a missing file is NotFound."""

    def compare_target(self, path: str, if_match: str) -> None:
        self.compare(path, if_match)


@mutant("COND-004", "PreconditionFailed", without=LACKS)
class TakesAFolderForAnotherVersion(ConditionalBackend):
    """What is no file of that version is another version."""

    def compare(self, path: str, if_match: str) -> None:
        file = self.tree.files.get(self.key(path))
        if file is None or file.etag != if_match:
            raise other_version(path, self.name)

    def compare_target(self, path: str, if_match: str) -> None:
        self.compare(path, if_match)


class _TellsBySize(ConditionalBackend):
    def told(self, file: File) -> str:
        return hashlib.sha256(b"%d" % len(file.content)).hexdigest()

    def compare(self, path: str, if_match: str) -> None:
        if self.told(self.file(path)) != if_match:
            raise other_version(path, self.name)

    def info(self, key: str, file: File) -> FileInfo:
        return super().info(key, evolve(file, etag=self.told(file)))

    def result(self, key: str, file: File) -> WriteResult:
        return super().result(key, evolve(file, etag=self.told(file)))


@mutant("COND-005", "have one ETag", without=LACKS)
class TellsVersionsBySize(_TellsBySize):
    """The token is made of the size, and of a time that does not tick."""


@mutant("COND-005", "is not that of get_file_info", without=LACKS)
class ReturnsTheTokenOfTheOldVersion(ConditionalBackend):
    """The result of a write has the token that was compared."""

    def result(self, key: str, file: File) -> WriteResult:
        return super().result(key, evolve(file, etag=f"{file.etag}-0"))


@mutant("COND-007", "removed later versions", without=LACKS)
class ForgetsTheVersionsOfMany(ConditionalBackend):
    """The service's request for many has no place for conditions, and they are left out."""

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        return await super().delete_many(paths, missing_ok=missing_ok)


@mutant("COND-007", "was refused, but acted first", without=LACKS)
class DeclinesAfterTheFirstConflict(ConditionalBackend):
    """A version that is another one ends the batch, which is then declined."""

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        found = await super().delete_many(paths, missing_ok=missing_ok, if_match=if_match)
        if found:
            raise cannot_delete_many(self.name)
        return {}


@mutant("COND-007", "tells of a version what delete does not", without=LACKS)
class CallsAnotherVersionMissing(ConditionalBackend):
    """A condition that failed is told as if nothing was there."""

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        found = await super().delete_many(paths, missing_ok=missing_ok, if_match=if_match)
        return {path: self.missing(path) for path in found}
