"""Backends whose atomic writes are not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final

from attrs import evolve

from remote_store import WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, File, ReferenceBackend, turn
from remote_store_conformance_selftest.reference_client import WireBackend

Metadata = Mapping[str, str] | None

#: Seconds in which a process that is killed at any moment is probably killed.
_RUN: Final = 0.05


@mutant("ATOM-001", "neither the old version nor the new")
class WritesInTwoSteps(ReferenceBackend):
    """The file grows in two steps, and readers meet the first."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        whole = await self.gather(content)
        await super().store(path, whole[: len(whole) // 2], overwrite, metadata)
        await asyncio.sleep(0.0005)
        return await super().store(path, whole, True, metadata)


@mutant("ATOM-001", "NotFound")
class DeletesAndThenRenames(ReferenceBackend):
    """The old version is deleted before the new one takes its place."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        whole = await self.gather(content)
        key = self.check_target(path, overwrite=overwrite)
        self.tree.files.pop(key, None)
        await asyncio.sleep(0.0005)
        return await super().store(path, whole, True, metadata)


class _Staging(ReferenceBackend):
    """Writes a temporary file beside the target, correctly."""

    #: Exceptions after which the temporary file is removed.
    CLEANS_AFTER: ClassVar[type[BaseException]] = BaseException

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        key = self.check_target(path, overwrite=overwrite)
        folder, slash, name = key.rpartition("/")
        staged = f"{folder}{slash}.~tmp.{name}.{self.tree.new_etag()}"
        self.tree.put(staged, File(b"", datetime.now(UTC), ""))
        try:
            whole = await self.gather(content)
            await turn()
            result = await super().store(path, whole, overwrite, metadata)
        except self.CLEANS_AFTER:
            del self.tree.files[staged]
            raise
        del self.tree.files[staged]
        return result

    def below(self, key: str) -> list[str]:
        return [k for k in super().below(key) if not k.rpartition("/")[2].startswith(".~tmp.")]


@mutant("ATOM-002", "is left", ".~tmp.")
class LeavesItsTemporaryFile(_Staging):
    """When the source fails, the temporary file stays."""

    CLEANS_AFTER = KeyError


@mutant("ATOM-002", "changed the target")
class PublishesWhatItHas(ReferenceBackend):
    """What had come when the source failed is published as the file."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        parts: list[bytes] = []
        if isinstance(content, bytes):
            return await super().store(path, content, overwrite, metadata)
        try:
            async for chunk in content:
                parts += [chunk]
        finally:
            result = await super().store(path, b"".join(parts), overwrite, metadata)
        return result


@mutant("ATOM-003", "is left", ".~tmp.")
class CleansAfterExceptionsOnly(_Staging):
    """The clean-up stands under except Exception, which a CancelledError passes by."""

    CLEANS_AFTER = Exception


@mutant("ATOM-003", "neither the old version nor the new")
class TruncatesAndAwaits(ReferenceBackend):
    """The target is emptied before the last await."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        whole = await self.gather(content)
        key = self.check_target(path, overwrite=overwrite)
        if key in self.tree.files:
            self.tree.put(key, evolve(self.tree.files[key], content=b""))
        await turn()
        return await super().store(path, whole, True, metadata)


@mutant("ATOM-004", "has not yet finished", ".~tmp.")
class ListsItsTemporaryFiles(_Staging):
    """Temporary files are listed like any other."""

    def below(self, key: str) -> list[str]:
        return ReferenceBackend.below(self, key)


@mutant("ATOM-006", "over a file", "nothing was raised")
class RenamesOverTheTarget(ReferenceBackend):
    """The rename at the end of an atomic write replaces whatever is there."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> WriteResult:
        return await super().write_atomic(path, content, overwrite=True, metadata=metadata)


@mutant("ATOM-007", "NotFound")
class MakesNoEmptyTemporaryFile(ReferenceBackend):
    """Nothing is uploaded for empty bytes, and the rename misses its source."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> WriteResult:
        if content == b"":
            raise self.missing(path)
        return await super().write_atomic(path, content, overwrite=overwrite, metadata=metadata)


@mutant("ATOM-005", "half-way through its content", served=True)
class AppendsAsItGoes(WireBackend):
    """Each chunk of a stream is appended to the file itself."""

    async def put(
        self, method: str, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        if isinstance(content, bytes):
            return await super().put(method, path, content, overwrite, metadata)
        whole = b""
        result = None
        async for chunk in content:
            whole += chunk
            result = await super().put(method, path, whole, overwrite, metadata)
            overwrite = True
        return result or await super().put(method, path, whole, overwrite, metadata)


@mutant("ATOM-005", "at some moment", served=True)
class EmptiesTheFileFirst(WireBackend):
    """A write empties the file, and fills it with a second request."""

    async def put(
        self, method: str, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        if isinstance(content, bytes) and overwrite:
            await super().put(method, path, b"", overwrite, metadata)
            await asyncio.sleep(_RUN)
        return await super().put(method, path, content, overwrite, metadata)
