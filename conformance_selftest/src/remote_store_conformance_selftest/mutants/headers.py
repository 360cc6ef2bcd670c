"""Backends that keep content headers badly."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Mapping
from typing import Any

from attrs import evolve

from remote_store import ContentHeaders, FileInfo, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, File
from remote_store_conformance_selftest.reference_headers import LACKING, HeadersBackend

Metadata = Mapping[str, str] | None


@mutant("HEADERS-001", "the content_disposition of", without=LACKING)
class KeepsThreeOfFour(HeadersBackend):
    """One header has no place in its table."""

    def keep(self, path: str, headers: ContentHeaders | None, result: WriteResult) -> WriteResult:
        if headers is not None:
            headers = evolve(headers, content_disposition=None)
        return super().keep(path, headers, result)


@mutant("HEADERS-001", "of an atomic write", without=LACKING)
class RenamesWithoutHeaders(HeadersBackend):
    """The temporary file of an atomic write has none."""

    async def write_atomic(
        self, path: str, content: Content, *, headers: ContentHeaders | None = None, **more: Any
    ) -> WriteResult:
        return await super().write_atomic(path, content, **more)


@mutant("HEADERS-001", "two media types", without=LACKING)
class TellsTheMediaTypeOnce(HeadersBackend):
    """The media type is told among the headers alone."""

    def info(self, key: str, file: File) -> FileInfo:
        info = super().info(key, file)
        return FileInfo(
            info.path, info.name, info.size, info.modified_at, etag=info.etag, headers=info.headers
        )


@mutant("HEADERS-002", "overwritten without any", without=LACKING)
class KeepsThoseOfTheOldVersion(HeadersBackend):
    """A file that is overwritten keeps the headers that it had."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        old = self.tree.files.get(self.key(path))
        result = super().commit(path, content, overwrite, metadata)
        return self.keep(path, None if old is None else old.headers, result)


@mutant("HEADERS-003", "of the move of a file", without=LACKING)
class MovesContentAndMetadata(HeadersBackend):
    """A move reads the file and writes it, with its metadata alone."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if not keep:
            self.tree.put(self.key(dst), evolve(self.file(dst), headers=None))


@mutant("HEADERS-003", "of the copy of a file", without=LACKING)
class CopiesContentAndMetadata(HeadersBackend):
    """A copy has no headers."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        if keep:
            self.tree.put(self.key(dst), evolve(self.file(dst), headers=None))


@mutant("HEADERS-004", "read_bytes", "other bytes", without=LACKING)
class DecodesWhatItReads(HeadersBackend):
    """Its library for HTTP unpacks an answer that says it is gzipped."""

    def decoded(self, path: str, content: bytes) -> bytes:
        told = self.file(path).headers
        packed = content[:2] == b"\x1f\x8b"
        if told is not None and told.content_encoding == "gzip" and packed:
            return gzip.decompress(content)
        return content

    async def read_bytes(self, path: str) -> bytes:
        return self.decoded(path, await super().read_bytes(path))

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield self.decoded(path, b"".join([chunk async for chunk in super().read(path)]))
