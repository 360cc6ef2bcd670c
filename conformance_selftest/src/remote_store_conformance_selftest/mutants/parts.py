"""Backends that are right about small files, and wrong about what takes more than one part."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from remote_store import ContentDigest, FileInfo, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend
from remote_store_conformance_selftest.tree import File

#: Bytes that the services of these backends take at once.
PART = 8 << 20

Metadata = Mapping[str, str] | None


class InParts(ReferenceBackend):
    """A backend that commits large content by another way than small one."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        if len(content) <= PART:
            return super().commit(path, content, overwrite, metadata)
        return self.commit_parts(path, content, overwrite, metadata)

    def commit_parts(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        return super().commit(path, content, overwrite, metadata)


@mutant("WRITE-003", "from bytes, more than one part")
class CommitsPartsUnconditionally(InParts):
    """The condition of an exclusive write is not sent with the commit of many parts."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        self.check_target(path, overwrite=True)
        whole = await self.gather(content)
        return await super().store(path, whole, overwrite or len(whole) > PART, metadata)


@mutant("WRITE-004", "exclusive writers of one key succeeded")
class RacesWithParts(ReferenceBackend):
    """Exclusive writes of many parts are decided by a look before the first part."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        self.check_target(path, overwrite=True)
        whole = await self.gather(content)
        if len(whole) > PART:
            self.check_target(path, overwrite=overwrite)
            await asyncio.sleep(0.005)  # the parts are on their way
            overwrite = True
        return await super().store(path, whole, overwrite, metadata)


@mutant("META-001", "more than one part", "did not come back unchanged")
class ForgetsMetadataOfParts(InParts):
    """The metadata go with the first request of a small file, and with none of many parts."""

    def commit_parts(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        return super().commit_parts(path, content, overwrite, None)


@mutant("INFO-005", "differ in one have one ETag")
class EtagOfTheFirstPart(InParts):
    """The ETag of many parts is that of the first one."""

    def info(self, key: str, file: File) -> FileInfo:
        info = super().info(key, file)
        if len(file.content) <= PART:
            return info
        etag = hashlib.sha256(file.content[:PART]).hexdigest()
        return evolve(info, etag=etag)


@mutant("INFO-005", "differ in one have one ETag")
class EtagOfSizeAndPart(InParts):
    """The ETag is made of the number of parts and of the size."""

    def info(self, key: str, file: File) -> FileInfo:
        info = super().info(key, file)
        size = len(file.content)
        return info if size <= PART else evolve(info, etag=f"{size}-{-(-size // PART)}")


@mutant("INFO-001", "is not that of the content")
class DigestOfDigests(InParts):
    """The digest of many parts is that of their digests, as some services tell it."""

    def digest(self, content: bytes) -> ContentDigest:
        if len(content) <= PART:
            return super().digest(content)
        parts = [content[i : i + PART] for i in range(0, len(content), PART)]
        joined = b"".join(hashlib.sha256(part).digest() for part in parts)
        return ContentDigest("sha256", hashlib.sha256(joined).hexdigest())


@mutant("NATIVE-001", "more than one part", "differ in size")
class SizeOfTheLastPart(InParts):
    """The result of a write in parts tells the bytes of its last request."""

    def commit_parts(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        result = super().commit_parts(path, content, overwrite, metadata)
        return evolve(result, size=len(content) % PART)


@mutant("WRITE-001", "looks compressed", "is not what is there")
class Unpacks(ReferenceBackend):
    """Content that begins like a compressed file is unpacked, as some HTTP clients do."""

    async def gather(self, content: Content) -> bytes:
        whole = await super().gather(content)
        return zlib.decompress(whole, 31) if whole.startswith(b"\x1f\x8b") else whole


@mutant("WRITE-001", "text whose characters", "is not what is there")
class NormalisesLineEnds(ReferenceBackend):
    """Files are opened in text mode, which changes the ends of lines."""

    async def gather(self, content: Content) -> bytes:
        return (await super().gather(content)).replace(b"\r\n", b"\n")


@mutant("WRITE-002", "did not replace the whole content")
class SkipsEqualSizes(ReferenceBackend):
    """A write of as many bytes as are there already is taken for unchanged."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        old = self.tree.files.get(self.key(path))
        if old is not None and overwrite and len(old.content) == len(content) > 4:
            return self.result(self.key(path), old)
        return super().commit(path, content, overwrite, metadata)


@mutant("WRITE-015", "changed the file before its content was complete")
class PublishesFullParts(ReferenceBackend):
    """Each full part is appended to the file as soon as it is there."""

    async def gather(self, content: Content) -> bytes:
        if isinstance(content, bytes):
            return content
        return await super().gather(self._published(content))

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Metadata
    ) -> WriteResult:
        self._path = path
        return await super().store(path, content, overwrite, metadata)

    async def _published(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        whole = b""
        async for chunk in content:
            whole += chunk
            if len(whole) > PART:
                self.commit(self._path, whole, True, None)
            yield chunk


@mutant("ATOM-002", "more than one part changed the target")
class PublishesThePartsOfAFailure(ReferenceBackend):
    """What had been uploaded when the source of an atomic write failed is committed."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> WriteResult:
        if isinstance(content, bytes):
            return await super().write_atomic(path, content, overwrite=overwrite, metadata=metadata)
        self.check_target(path, overwrite=overwrite)
        parts: list[bytes] = []
        try:
            async for chunk in content:
                parts.append(chunk)  # noqa: PERF401 - what had come is wanted
        except Exception:
            if sum(map(len, parts)) > PART:
                self.commit(path, b"".join(parts), overwrite, None)
            raise
        return await super().write_atomic(
            path, b"".join(parts), overwrite=overwrite, metadata=metadata
        )


@mutant("ATOM-006", "more than one part (8458609 bytes), over a file")
class AtomicPartsReplace(InParts):
    """An exclusive atomic write of many parts ends in a rename that replaces."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
    ) -> WriteResult:
        self.check_target(path, overwrite=True)
        whole = await self.gather(content)
        more: dict[str, Any] = {"overwrite": overwrite or len(whole) > PART}
        return await super().write_atomic(path, whole, metadata=metadata, **more)


@mutant("INFO-002", "did not move with it")
class KeepsTheFirstTime(ReferenceBackend):
    """modified_at is the time at which the file was first made."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.first_times: dict[str, datetime] = {}

    def info(self, key: str, file: File) -> FileInfo:
        first = self.first_times.setdefault(key, file.time)
        return evolve(super().info(key, file), modified_at=first)


@mutant("INFO-002", "is not the time of the write")
class TakesLocalForUtc(ReferenceBackend):
    """The local time of the machine, which is UTC on most servers, is labelled UTC."""

    def info(self, key: str, file: File) -> FileInfo:
        local = file.time.astimezone().replace(tzinfo=UTC)
        return evolve(super().info(key, file), modified_at=local)


@mutant("MOVE-003", "more than one part", "meets a file")
@mutant("COPY-003", "more than one part", "meets a file")
class TransfersPartsUnconditionally(ReferenceBackend):
    """A file of many parts is copied part by part, and the condition goes with none of them."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        large = len(self.file(src).content) > PART
        super().transfer(src, dst, overwrite=overwrite or large, keep=keep)


@mutant("MOVE-001", "more than one part", "user metadata")
@mutant("COPY-001", "more than one part", "user metadata")
class TransfersPartsWithoutMetadata(ReferenceBackend):
    """A file of many parts is copied part by part, and its metadata are in none of them."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        key = self.key(dst)
        if self.key(src) != key and len(self.tree.files[key].content) > PART:
            self.tree.files[key] = evolve(self.tree.files[key], metadata=None)
