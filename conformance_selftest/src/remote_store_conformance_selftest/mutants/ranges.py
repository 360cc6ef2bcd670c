"""Backends whose parts of files are others, of other versions, or dear."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from remote_store import NotFound, RemoteStoreError
from remote_store.aio import AsyncBackend
from remote_store_conformance.targets.target import Traffic
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import turn
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.reference_ranges import LACKS, RangeBackend
from remote_store_conformance_selftest.tree import Tree


@mutant("RANGE-001", "The backend gave", without=LACKS)
class CountsTheLastByteIn(RangeBackend):
    """The end of a range goes into the header as it is, where HTTP counts the last byte in."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        more = None if length is None else length + 1
        async for chunk in super().read_range(path, start, length=more, if_match=if_match):
            yield chunk


@mutant("RANGE-001", "all from byte", without=LACKS)
class BeginsAtABlock(RangeBackend):
    """A range to the end begins at the block that its first byte is in."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        begin = start - start % 512 if length is None else start
        async for chunk in super().read_range(path, begin, length=length, if_match=if_match):
            yield chunk


@mutant("RANGE-002", "416", without=LACKS)
class HandsOnTheRefusal(RangeBackend):
    """The service's answer to a range behind the end is raised."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        if start >= len(self.version(path, if_match)):
            msg = f"416 InvalidRange: {path}"
            raise RemoteStoreError(msg, path=path, backend=self.name)
        async for chunk in super().read_range(path, start, length=length, if_match=if_match):
            yield chunk


@mutant("RANGE-002", "has other bytes", without=LACKS)
class GivesTheWholeInstead(RangeBackend):
    """A range that the file is too short for is answered with the whole of it."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        size = len(self.version(path, if_match))
        begin = 0 if length is not None and start + length > size else start
        async for chunk in super().read_range(path, begin, length=length, if_match=if_match):
            yield chunk


@mutant("RANGE-003", "nothing was raised", without=LACKS)
class TakesMissingForBehindTheEnd(RangeBackend):
    """Whatever the service says to a range that it cannot give is no bytes."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        try:
            async for chunk in super().read_range(path, start, length=length, if_match=if_match):
                yield chunk
        except NotFound:
            if not start:
                raise


@mutant("RANGE-003", "at the call", without=LACKS)
class OpensAtTheCall(RangeBackend):
    """The file is opened when the range is made, not when it is pulled."""

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        self.file(path)
        return super().read_range(path, start, length=length, if_match=if_match)


@mutant("RANGE-004", "nothing was raised", "a range of an earlier version", without=LACKS)
class IgnoresTheVersion(RangeBackend):
    """The version that is wanted does not reach the service."""

    def version(self, path: str, if_match: str | None) -> bytes:
        return super().version(path, None)


@mutant("RANGE-004", "behind the end of an earlier version", without=LACKS)
class ComparesOnlyWhatItSends(RangeBackend):
    """No bytes are of every version."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        if start < len(self.version(path, None)):
            async for chunk in super().read_range(path, start, length=length, if_match=if_match):
                yield chunk


@mutant("RANGE-005", "bytes of the new version", without=LACKS)
class ReadsWhateverIsThere(RangeBackend):
    """A range is of the version that there is by then."""

    def version(self, path: str, if_match: str | None) -> bytes:
        return super().version(path, None)


@mutant("RANGE-005", "bytes of the new version", without=LACKS)
class TellsOneVersionForAll(RangeBackend):
    """The ETag is made from the path."""

    def info(self, key: str, file: Any) -> Any:
        from attrs import evolve

        return evolve(super().info(key, file), etag=f"of-{hash(key)}")

    def version(self, path: str, if_match: str | None) -> bytes:
        return super().version(path, None)


_received: weakref.WeakKeyDictionary[Tree, int] = weakref.WeakKeyDictionary()


class _TreeMeter:
    """Counts what the backends of a tree took from it."""

    def __init__(self, backend: AsyncBackend) -> None:
        found: Any = backend
        self._tree: Tree = found.tree

    def read(self) -> Traffic:
        return Traffic(received=_received.get(self._tree, 0))


class _Metered(RangeBackend):
    def fetch(self, content: bytes) -> bytes:
        _received[self.tree] = _received.get(self.tree, 0) + len(content)
        return content


@mutant("RANGE-006", "fetched more of the file", without=LACKS, target={"meter": _TreeMeter})
class ReadsAndSkips(_Metered):
    """A range is cut out of a read from the beginning."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        content = self.version(path, if_match)
        stop = len(content) if length is None else start + length
        await turn()
        yield self.fetch(content[:stop])[start:]


@mutant("RANGE-006", "fetched more of the file", without=LACKS, target={"meter": _TreeMeter})
class LeavesTheRest(_Metered):
    """A range asks for all that follows, and takes what it needs."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        content = self.version(path, if_match)
        await turn()
        if rest := self.fetch(content[start:])[:length]:
            yield rest


@mutant("RANGE-006", "fetched more of the file", without=LACKS)
class PromisesWhatItHasNot(WireBackend):
    """The capability is declared, and the member is the protocol's default."""

    CONTRACT: ClassVar[str] = "1.1"


@mutant("RANGE-007", "is short or wrong", without=LACKS)
class EndsWithTheConnection(WireBackend):
    """A range ends where its connection did."""

    CONTRACT: ClassVar[str] = "1.1"

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        content = bytearray()
        try:
            async for chunk in self.read(path):
                content += chunk
        except RemoteStoreError:
            if not content:
                raise
        yield bytes(content[start : None if length is None else start + length])
