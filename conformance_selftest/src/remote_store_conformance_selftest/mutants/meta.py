"""Backends that treat user metadata wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from attrs import evolve

from remote_store import FileInfo, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, File, ReferenceBackend

Metadata = Mapping[str, str] | None


@mutant("META-001", "metadata of a write_atomic of bytes")
class ForgetsThemInTheTemporaryFile(ReferenceBackend):
    """An atomic write does not put the metadata on its temporary file."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> WriteResult:
        return await super().write_atomic(path, content, overwrite=overwrite)


@mutant("META-001", "metadata of a streamed write")
class ForgetsThemInStreams(ReferenceBackend):
    """The commit of a streamed write drops the metadata."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        kept = metadata if isinstance(content, bytes) else None
        return await super().store(path, content, overwrite, kept)


@mutant("META-002", "{'b': '3'}")
class MergesMetadata(ReferenceBackend):
    """New metadata are merged into the old."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        old = self.tree.files.get(self.key(path))
        merged = {**((old and old.metadata) or {}), **(metadata or {})}
        return super().commit(path, content, overwrite, merged)


@mutant("META-002", "write_atomic")
class KeepsThemOfTheReplacedFile(ReferenceBackend):
    """What an atomic write replaces hands its metadata on where the new version has none."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> WriteResult:
        old = self.tree.files.get(self.key(path))
        kept = metadata or (old.metadata if old else None)
        return await super().write_atomic(path, content, overwrite=overwrite, metadata=kept)


@mutant("META-002", "None")
class TellsOfNone(ReferenceBackend):
    """A file without metadata has an empty mapping."""

    def info(self, key: str, file: File) -> FileInfo:
        return evolve(super().info(key, file), metadata=dict(file.metadata or {}))


@mutant("META-003", "changed afterwards", "changed after the write")
class KeepsTheCallersMapping(ReferenceBackend):
    """The caller's mapping is stored as it is, and changes with it."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        result = await super().store(path, content, overwrite, metadata)
        key = self.key(path)
        given = cast("dict[str, str] | None", metadata)
        self.tree.files[key] = evolve(self.tree.files[key], metadata=given)
        return result


@mutant("META-003", "changed afterwards")
class HandsOutItsOwn(ReferenceBackend):
    """get_file_info hands out the very mapping that is stored."""

    def info(self, key: str, file: File) -> FileInfo:
        return evolve(super().info(key, file), metadata=file.metadata)


@mutant("META-004", "accepted metadata", "blank")
class TrimsValues(ReferenceBackend):
    """Outer blanks of values are trimmed, as a header's are."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        trimmed = {key: value.strip() for key, value in (metadata or {}).items()}
        return await super().store(path, content, overwrite, trimmed)


@mutant("META-004", "accepted metadata", "Upper")
class LowersKeys(ReferenceBackend):
    """Keys are lower-cased, as a header's name may be."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        lowered = {key.lower(): value for key, value in (metadata or {}).items()}
        return await super().store(path, content, overwrite, lowered)


@mutant("META-004", "the content was read before")
class RefusesAtTheCommit(ReferenceBackend):
    """What cannot be kept is refused by the service, after all content was sent."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        whole = await self.gather(content)
        if not all(key.isidentifier() for key in metadata or {}):
            raise ValueError("400 InvalidMetadata")
        return await super().store(path, whole, overwrite, metadata)


@mutant("META-005", "in one value")
class CutsLongValues(ReferenceBackend):
    """A value is cut at 1024 characters."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        cut = {key: value[:1024] for key, value in (metadata or {}).items()}
        return await super().store(path, content, overwrite, cut)


@mutant("META-005", "in 32 values")
class KeepsTenOfThem(ReferenceBackend):
    """Of the keys only the first ten are kept, which the service calls tags."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        ten = dict(list((metadata or {}).items())[:10])
        return await super().store(path, content, overwrite, ten)
