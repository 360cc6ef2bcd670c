"""Backends that do not open, close or end as they should."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from remote_store import BackendUnavailable, RemoteStoreError, WriteResult
from remote_store_conformance.targets.target import Traffic
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend, turn
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.tree import File


class _Requests:
    """Counts what `AsksAtOnce` sends."""

    count = 0

    def __init__(self, backend: object) -> None:
        pass

    def read(self) -> Traffic:
        return Traffic(requests=_Requests.count)


@mutant("LIFE-001", "already asked its service", target={"meter": _Requests})
class AsksAtOnce(ReferenceBackend):
    """The constructor asks the service what kind of account it is."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        _Requests.count += 1


@mutant("LIFE-002", "aclose number 2", "AttributeError")
class ClosesItsClientTwice(ReferenceBackend):
    """A second aclose closes a client that is gone."""

    _client: Any = contextlib.ExitStack()

    async def aclose(self) -> None:
        await super().aclose()
        self._client.close()
        self._client = None


@mutant("LIFE-002", "two calls of aclose", "RuntimeError")
class TripsOverAnotherClose(ReferenceBackend):
    """Two calls of aclose at the same moment both end the one session."""

    _ended = False

    async def aclose(self) -> None:
        if self._closed:
            return
        await turn()
        if self._ended:
            msg = "the session is ended already"
            raise RuntimeError(msg)
        self._ended = True
        await turn()
        await super().aclose()


@mutant("LIFE-003", "did not raise StoreClosed", "it worked")
class ReopensQuietly(ReferenceBackend):
    """A closed backend opens a new connection when it is asked, which nobody closes."""

    async def exists(self, path: str) -> bool:
        return self.key(path) in self.tree.files or self.tree.is_folder(self.key(path))


@mutant("LIFE-003", "did not raise StoreClosed", "AttributeError")
class BreaksAfterTheClose(ReferenceBackend):
    """A closed backend trips over the client that it no longer has."""

    def check_open(self, path: str) -> None:
        if self._closed:
            msg = "'NoneType' object has no attribute 'request'"
            raise AttributeError(msg)


@mutant("LIFE-003", "close_is_terminal is not declared", terminal=False)
class ForgetsToDeclareItsEnd(ReferenceBackend):
    """A close is final, but close_is_terminal does not say so."""

    async def exists(self, path: str) -> bool:
        if self._closed:
            raise RemoteStoreError("closed", path=path, backend=self.name)
        return await super().exists(path)


@mutant("LIFE-004", "a task is left behind")
class LeavesAKeeper(ReferenceBackend):
    """A task that refreshes the token is never ended."""

    _keeper: asyncio.Task[None] | None = None

    async def exists(self, path: str) -> bool:
        self._keeper = self._keeper or asyncio.ensure_future(asyncio.sleep(3600))
        return await super().exists(path)


@mutant("LIFE-004", "a thread is left behind")
class LeavesAThread(ReferenceBackend):
    """A worker thread waits for jobs that nobody will send."""

    async def aclose(self) -> None:
        await super().aclose()
        wait = threading.Event().wait
        threading.Thread(target=wait, args=(4,), name="mutant-worker", daemon=True).start()


@mutant("LIFE-004", "a file descriptor is left behind")
class LeavesADescriptor(ReferenceBackend):
    """Each backend opens a lock file that it does not close."""

    async def aclose(self) -> None:
        if not self._closed:
            os.open(os.devnull, os.O_RDONLY)
        await super().aclose()


@mutant("LIFE-004", "ResourceWarning")
class WarnsOfAnUnclosedClient(ReferenceBackend):
    """The session of a closed backend is left to the garbage collector, which complains."""

    async def aclose(self) -> None:
        await super().aclose()
        warnings.warn("Unclosed client session", ResourceWarning, stacklevel=2)


@mutant("LIFE-005", "a file descriptor is left behind")
class LeaksOnErrors(ReferenceBackend):
    """A missing file leaves the connection of its request open."""

    def missing(self, path: str) -> Any:
        os.open(os.devnull, os.O_RDONLY)
        return super().missing(path)


@mutant("LIFE-009", "made something beside it", ".index")
class KeepsAnIndex(ReferenceBackend):
    """An index file at the root of the storage is kept up to date."""

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        index = "\n".join(sorted(self.tree.files)).encode()
        self.tree.put(".index", File(index, datetime.now(UTC), self.tree.new_etag()))
        return super().commit(path, content, overwrite, metadata)


class _Managed(ReferenceBackend):
    """The reference as a context manager."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        await self.aclose()
        return None


@mutant("LIFE-010", "swallowed the exception")
class SwallowsExceptions(_Managed):
    """The end of 'async with' returns the truth of its close, and so hides exceptions."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        await self.aclose()
        return self._closed


@mutant("LIFE-010", "something else than itself")
class EntersNothing(_Managed):
    """'async with ... as backend' gives None."""

    async def __aenter__(self) -> Any:
        return None


@mutant("LIFE-010", "did not close the backend")
class StaysOpen(_Managed):
    """The end of 'async with' leaves the backend open."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return None


@mutant("LIFE-011", "wrong exception", "AttributeError")
class PullsTheRugAway(ReferenceBackend):
    """A close takes the client away from whoever is using it."""

    async def gather(self, content: Content) -> bytes:
        whole = await super().gather(content)
        if self._closed:
            msg = "'NoneType' object has no attribute 'put'"
            raise AttributeError(msg)
        return whole


@mutant("LIFE-011", "hangs", "aclose while a write is running")
class WaitsForAnIdleMoment(ReferenceBackend):
    """A close waits for running calls, whose end nobody tells it."""

    _running = 0

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        self._running += 1
        return await super().store(path, content, overwrite, metadata)

    async def aclose(self) -> None:
        if self._closed:
            return
        await super().aclose()
        while self._running:  # noqa: ASYNC110 - the defect
            await asyncio.sleep(0.05)


@mutant("LIFE-012", "does not see the files")
class PicklesAsNew(ReferenceBackend):
    """What comes out of a pickle is a new backend with a storage of its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


@mutant("LIFE-012", "wrong exception", "RuntimeError")
class PicklesItsLoop(ReferenceBackend):
    """Pickling fails with whatever the first connection raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        msg = "this object belongs to an event loop"
        raise RuntimeError(msg)


@mutant("LIFE-008", "left behind")
class KeepsAHandleOfAFailedStart(WireBackend):
    """What was opened before the first request failed is not closed again."""

    async def guarded(self, call: Any, path: str) -> Any:
        try:
            return await super().guarded(call, path)
        except BackendUnavailable:
            os.open(os.devnull, os.O_RDONLY)
            raise
