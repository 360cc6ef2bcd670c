"""Backends that fetch and keep what nobody asked for."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Mapping
from typing import Any

from remote_store import FileInfo, WriteResult
from remote_store.aio import AsyncBackend
from remote_store_conformance.targets.target import Traffic
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import CHUNK, Content, ReferenceBackend, turn
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.tree import Tree

_received: weakref.WeakKeyDictionary[Tree, int] = weakref.WeakKeyDictionary()


class _TreeMeter:
    """Counts what the backends of a tree took from it."""

    def __init__(self, backend: AsyncBackend) -> None:
        found: Any = backend
        self._tree: Tree = found.tree

    def read(self) -> Traffic:
        return Traffic(received=_received.get(self._tree, 0))


class _Metered(ReferenceBackend):
    """The reference with a count of the bytes that reads fetch."""

    def fetch(self, content: bytes) -> bytes:
        _received[self.tree] = _received.get(self.tree, 0) + len(content)
        return content


@mutant("LAZY-001", "fetched too much", target={"meter": _TreeMeter})
class DownloadsFirst(_Metered):
    """A read downloads the whole file, and then hands it out in chunks."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        content = self.fetch(self.file(path).content)
        for start in range(0, len(content), CHUNK):
            await turn()
            yield content[start : start + CHUNK]


@mutant("LAZY-001", "fetched too much", target={"meter": _TreeMeter})
class StartsWithALargeRange(_Metered):
    """The first request of a read asks for 32 MiB, whatever the reader wants."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        content = self.file(path).content
        self.fetch(content[: 32 << 20])
        for start in range(0, len(content), CHUNK):
            await turn()
            yield content[start : start + CHUNK]


@mutant("LAZY-002", "memory for the whole")
class JoinsTheChunks(ReferenceBackend):
    """A read gathers everything before it yields the first byte."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        content = b"".join([chunk async for chunk in super().read(path)])
        yield content


@mutant("LAZY-002", "memory for the whole")
class CopiesTheSnapshot(ReferenceBackend):
    """A read protects itself from later writes with a copy of the whole content."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        snapshot = bytearray(self.file(path).content)
        for start in range(0, len(snapshot), CHUNK):
            await turn()
            yield bytes(snapshot[start : start + CHUNK])


@mutant("LAZY-003", "keeps all of its entries")
class CollectsTheListing(ReferenceBackend):
    """A listing is collected in a list before its first entry is handed out."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        inner = super().list_files(path, recursive=recursive, max_depth=max_depth)
        files = [file async for file in inner]
        for file in files:
            yield file


@mutant("LAZY-003", "keeps all of its entries")
class HandsOutAListing(CollectsTheListing):
    """A listing is collected first; what was handed out is let go of."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        inner = ReferenceBackend.list_files(self, path, recursive=recursive, max_depth=max_depth)
        files = [file async for file in inner]
        while files:
            yield files.pop(0)


@mutant("LAZY-003", "all of its pages before")
class FetchesEveryPage(WireBackend):
    """A listing asks for all of its pages before it hands out an entry."""

    async def pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        for item in [item async for item in super().pages(method, **arguments)]:
            yield item


@mutant("LAZY-001", "fetched too much")
class ReadsTheAnswerWhole(WireBackend):
    """A read takes the whole body of the answer before it yields a chunk of it."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        whole = await self.read_bytes(path)
        for start in range(0, len(whole), CHUNK):
            yield whole[start : start + CHUNK]

    async def read_bytes(self, path: str) -> bytes:
        return b"".join([chunk async for chunk in super().read(path)])


@mutant("LAZY-004", "memory for the whole", target={"environment": "local"})
class GathersTheStream(ReferenceBackend):
    """A stream is gathered in memory before anything is sent."""


@mutant("LAZY-004", "memory for the whole")
class NeedsTheLength(WireBackend):
    """A stream is gathered before it is sent, because the request states its length."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        if not isinstance(content, bytes):
            content = b"".join([chunk async for chunk in content])
        return await super().put(method, path, content, overwrite, metadata)
