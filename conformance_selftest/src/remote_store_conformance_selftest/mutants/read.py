"""Backends that read wrongly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import CHUNK, ReferenceBackend, turn


@mutant("READ-001", "65536 bytes", "read differently")
class DropsTheLastFullChunk(ReferenceBackend):
    """A read ends at a chunk that fills its buffer exactly and is the last."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        content = self.file(path).content
        for start in range(0, len(content), CHUNK):
            await turn()
            if start + CHUNK != len(content):
                yield content[start : start + CHUNK]


@mutant("READ-001", "read differently")
class RepeatsTheBorder(ReferenceBackend):
    """Ranges are inclusive: the byte between two chunks comes twice."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        content = self.file(path).content
        for start in range(0, len(content), CHUNK):
            await turn()
            yield content[start : start + CHUNK + 1]


@mutant("READ-002", "InvalidRange")
class AsksForARangeOfNothing(ReferenceBackend):
    """An empty file is asked for the range of its first bytes, which there is none of."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        if not self.file(path).content:
            msg = "416 InvalidRange"
            raise RuntimeError(msg)
        async for chunk in super().read(path):
            yield chunk


@mutant("READ-003", "nothing was raised")
class ReadsNothingAsEmpty(ReferenceBackend):
    """A missing file reads as an empty one."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        if await self.exists(path):
            async for chunk in super().read(path):
                yield chunk


@mutant("READ-003", "at the call")
class LooksAtTheCall(ReferenceBackend):
    """The file is opened when the stream is made, not when it is pulled."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        self.file(path)
        return super().read(path)


@mutant("READ-003", "does not return an async iterator")
class AwaitsTheStream(ReferenceBackend):
    """The backend's read is a coroutine that returns an iterator."""

    def read(self, path: str) -> Any:
        class Pending:
            """What has to be awaited first."""

            def __await__(self) -> Any:
                return turn().__await__()

        return Pending()


@mutant("READ-003", "does not name")
class KeepsTheNameToItself(ReferenceBackend):
    """The error for a missing file does not say which."""

    def missing(self, path: str) -> Any:
        error = super().missing("")
        error.path = None
        return error


@mutant("READ-004", "NotFound")
class TakesAFolderForNothing(ReferenceBackend):
    """Reading a folder says that there is no file, which is true and no help."""

    async def read_bytes(self, path: str) -> bytes:
        if await self.is_folder(path):
            raise self.missing(path)
        return await super().read_bytes(path)


@mutant("READ-004", "a folder is read", flat=True)
class TakesAPrefixForNothing(ReferenceBackend):
    """On a flat store the 404 of a folder is handed on without a second look."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        if not await self.is_file(path):
            raise self.missing(path)
        async for chunk in super().read(path):
            yield chunk


@mutant("READ-005", "NotADirectoryError")
class LeaksNotADirectory(ReferenceBackend):
    """A path through a file raises the system's NotADirectoryError."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        if self.key(path).rpartition("/")[0] in self.tree.files:
            raise NotADirectoryError(20, "Not a directory", path)
        async for chunk in super().read(path):
            yield chunk


@mutant("READ-006", "not of type bytes", "memoryview")
class HandsOutItsBuffer(ReferenceBackend):
    """Chunks are views into the buffer of the read."""

    async def read(self, path: str) -> AsyncIterator[Any]:
        async for chunk in super().read(path):
            yield memoryview(chunk)


class _Bare:
    """An iterator and nothing more."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self.stream)


@mutant("READ-007", "no aclose")
class CannotBeClosed(ReferenceBackend):
    """The stream is an iterator without aclose, freed by the garbage collector."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        return _Bare(super().read(path))


class _Deaf(_Bare):
    async def aclose(self) -> None:
        pass


@mutant("READ-007", "goes on after aclose")
class ClosesLater(ReferenceBackend):
    """aclose returns while the stream is still open."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        return _Deaf(super().read(path))


@mutant("READ-008", "is not its file")
class SharesThePosition(ReferenceBackend):
    """Streams of one file share one position."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        content = self.file(path).content
        positions = self.__dict__.setdefault("positions", {})
        positions[path] = 0
        while positions[path] < len(content):
            start = positions[path]
            positions[path] += CHUNK
            await turn()
            yield content[start : start + CHUNK]


@mutant("READ-009", "gave neither version")
class SplicesVersions(ReferenceBackend):
    """Each chunk is fetched by a request of its own, of whatever version is there then."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        start = 0
        while start < len(self.file(path).content) or not start:
            yield self.file(path).content[start : start + CHUNK]
            start += CHUNK


@mutant("READ-010", "read_bytes and read give different bytes")
class FetchesOneRange(ReferenceBackend):
    """read_bytes makes one request, which the service answers with at most 4 MiB."""

    async def read_bytes(self, path: str) -> bytes:
        return (await super().read_bytes(path))[: 4 << 20]
