"""Backends whose write results mislead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC

from attrs import evolve

from remote_store import Capability, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend
from remote_store_conformance_selftest.tree import File

C = Capability


@mutant("NATIVE-001", "differ in last_modified")
class ReturnsLocalTimes(ReferenceBackend):
    """The time of a result is a local one, which is UTC on most servers; answers are right."""

    def result(self, key: str, file: File) -> WriteResult:
        made = super().result(key, file)
        if made.last_modified is None:
            return made
        local = made.last_modified.astimezone().replace(tzinfo=UTC)
        return evolve(made, last_modified=local)


@mutant("NATIVE-001", "differ in etag")
class FoldsTheEtag(ReferenceBackend):
    """The ETag of a result is lower-cased, that of the file information is not."""

    def result(self, key: str, file: File) -> WriteResult:
        return evolve(super().result(key, file), etag=file.etag.lower())


@mutant("NATIVE-001", "is not native")
class SaysBasic(ReferenceBackend):
    """Native results are declared, but results say that they are basic."""

    def result(self, key: str, file: File) -> WriteResult:
        return evolve(super().result(key, file), source="basic")


@mutant("NATIVE-001", "neither ETag nor digest nor time")
class TellsNothing(ReferenceBackend):
    """Results are called native and hold nothing that the service answered."""

    def result(self, key: str, file: File) -> WriteResult:
        return evolve(super().result(key, file), etag=None, digest=None, last_modified=None)


@mutant("NATIVE-001", "differ in last_modified")
class TakesItsOwnClock(ReferenceBackend):
    """The time of a result is that of the client's clock, not the service's."""

    def result(self, key: str, file: File) -> WriteResult:
        result = super().result(key, file)
        return evolve(result, last_modified=file.time.replace(microsecond=0, year=2001))


@mutant("NATIVE-002", "does not repeat")
class ForgetsTheMetadata(ReferenceBackend):
    """The result does not say which metadata were stored."""

    def result(self, key: str, file: File) -> WriteResult:
        return evolve(super().result(key, file), metadata=None)


@mutant("NATIVE-002", "changes with the mapping")
class HandsBackTheCallersMapping(ReferenceBackend):
    """The metadata of a result is the very mapping that the caller handed in."""

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        result = await super().write(path, content, overwrite=overwrite, metadata=metadata)
        return evolve(result, metadata=metadata)


@mutant("NATIVE-003", "holds more than path and size", without=[C.WRITE_RESULT_NATIVE])
class MakesUpAnEtag(ReferenceBackend):
    """A backend without native results computes an ETag from the content."""

    def result(self, key: str, file: File) -> WriteResult:
        etag = self.digest(file.content).value[:8]
        return evolve(super().result(key, file), etag=etag)


@mutant("NATIVE-003", "without WRITE_RESULT_NATIVE", "native", without=[C.WRITE_RESULT_NATIVE])
class SaysNative(ReferenceBackend):
    """Results say that they are native although that is not declared."""

    def result(self, key: str, file: File) -> WriteResult:
        return evolve(super().result(key, file), source="native")


@mutant("NATIVE-004", "at the same moment")
class AsksAgain(ReferenceBackend):
    """The result is what a second question after the write answers."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        await super().store(path, content, overwrite, metadata)
        await asyncio.sleep(0.001)
        return self.result(self.key(path), self.file(path))
