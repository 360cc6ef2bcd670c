"""Clients that do not take a failing network or service for what it is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from remote_store import (
    BackendUnavailable,
    Capability,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
    WriteResult,
)
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content
from remote_store_conformance_selftest.reference_client import WireBackend

_CHUNK = 1 << 16


@mutant("FAULT-001", "returned short or wrong data")
class TakesABreakForTheEnd(WireBackend):
    """A read ends when the connection does, whatever length the answer had announced."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        self.require(Capability.READ, path)
        async with self.request("read", {"path": path}) as (_, reader):
            while chunk := await self.guarded(reader.read(_CHUNK), path):
                yield chunk


@mutant("FAULT-001", "returned short or wrong data")
class BeginsAgain(WireBackend):
    """A read that breaks is begun again, after the bytes that were handed out already."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in super().read(path):
                yield chunk
        except BackendUnavailable:
            async for chunk in super().read(path):
                yield chunk


@mutant("FAULT-002", "a stream", "neither the old file nor the new one")
class SendsTheRestAgain(WireBackend):
    """A streamed write is tried again with what is left of its content."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        for _ in range(2):
            try:
                return await super().put(method, path, content, overwrite, metadata)
            except BackendUnavailable:
                pass
        return await super().put(method, path, content, overwrite, metadata)


@mutant("FAULT-003", "exists", "it returned False")
class TakesDownForAbsent(WireBackend):
    """exists answers False to whatever goes wrong."""

    async def exists(self, path: str) -> bool:
        try:
            return await super().exists(path)
        except Exception:
            return False


@mutant("FAULT-003", "did not raise BackendUnavailable", "Connection")
class LeaksSocketErrors(WireBackend):
    """Errors of the socket come out as they are."""

    async def guarded(self, call: Any, path: str) -> Any:
        return await call


@mutant("FAULT-003", "list_files", "it returned []")
class ListsNothing(WireBackend):
    """A listing that cannot be had is an empty one."""

    async def pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        try:
            async for item in super().pages(method, **arguments):
                yield item
        except BackendUnavailable:
            return


@mutant("FAULT-004", "did not take an answer 503", "NotFound")
class KnowsOneError(WireBackend):
    """Every answer but 200 means that the file is not there."""

    def error(self, status: int, body: bytes, path: str) -> RemoteStoreError | TypeError:
        return NotFound(f"not found: {path}", path=path, backend=self.name, status=status)


@mutant("FAULT-004", "does not work after an answer 503")
class GivesUpForGood(WireBackend):
    """After one answer 503 the service counts as down for the rest of the object's life."""

    _down = False

    def error(self, status: int, body: bytes, path: str) -> RemoteStoreError | TypeError:
        self._down = self._down or status == 503
        return super().error(status, body, path)

    async def guarded(self, call: Any, path: str) -> Any:
        if self._down:
            call.close()
            raise BackendUnavailable(f"circuit open: {path}", path=path, backend=self.name)
        return await super().guarded(call, path)


@mutant("FAULT-005", "hangs", "cancelled while the service was silent")
class WaitsForTheAnswerFirst(WireBackend):
    """A cancelled call waits for its answer before it lets go."""

    async def guarded(self, call: Any, path: str) -> Any:
        waiting = asyncio.ensure_future(super().guarded(call, path))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await asyncio.sleep(4)
            waiting.cancel()
            raise


@mutant("FAULT-006", "took its own work for somebody else's")
class TriesAgainBlindly(WireBackend):
    """A write whose answer was lost is sent again, and finds the file that it made itself."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        try:
            return await super().put(method, path, content, overwrite, metadata)
        except BackendUnavailable:
            return await super().put(method, path, content, overwrite, metadata)


@mutant("FAULT-007", "exists", "it returned False")
class TakesForbiddenForAbsent(WireBackend):
    """Whoever may not look is told that there is nothing."""

    async def exists(self, path: str) -> bool:
        try:
            return await super().exists(path)
        except PermissionDenied:
            return False


@mutant("FAULT-007", "did not raise PermissionDenied", "BackendUnavailable")
class CallsForbiddenUnavailable(WireBackend):
    """A refused key is reported as a service that is down, and tried again for hours."""

    def error(self, status: int, body: bytes, path: str) -> RemoteStoreError | TypeError:
        return super().error(503 if status == 403 else status, body, path)


@mutant("FAULT-008", "did not take an answer that is no HTTP", "ValueError")
class LeaksItsParser(WireBackend):
    """What cannot be parsed comes out as the parser's own error."""

    def nonsense(self, what: str, path: str) -> RemoteStoreError:
        cause = sys.exception()
        if cause is not None:
            raise cause
        return super().nonsense(what, path)


@mutant("FAULT-008", "read(path) did not take an answer that is a web page", "log in")
class TakesAnyPageForTheFile(WireBackend):
    """Whatever comes with 200 is the content, also from a proxy that wants a log-in."""

    def nonsense(self, what: str, path: str) -> RemoteStoreError:
        return _Ignored(what)

    async def head(self, reader: asyncio.StreamReader, path: str) -> tuple[int, Any]:
        try:
            return await super().head(reader, path)
        except _Ignored:
            return 26, reader


class _Ignored(RemoteStoreError):
    """What the client above does not mind."""


@mutant("FAULT-009", "has no cause")
class CutsTheCauseOff(WireBackend):
    """Errors of the network are mapped with 'from None'."""

    async def guarded(self, call: Any, path: str) -> Any:
        try:
            return await super().guarded(call, path)
        except BackendUnavailable as error:
            raise BackendUnavailable(str(error.args[0]), path=path, backend=self.name) from None
