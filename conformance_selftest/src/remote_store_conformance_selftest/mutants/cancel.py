"""Backends that do not take a cancellation well."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from attrs import evolve

from remote_store import BackendUnavailable, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend, turn
from remote_store_conformance_selftest.tree import File


@mutant("CANCEL-001", "did not raise CancelledError", "BackendUnavailable")
class CallsItUnavailable(ReferenceBackend):
    """A blanket except turns a cancellation into an error of the service."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        try:
            return await super().store(path, content, overwrite, metadata)
        except asyncio.CancelledError as error:
            msg = f"interrupted: {path}"
            raise BackendUnavailable(msg, path=path, backend=self.name) from error


@mutant("CANCEL-001", "did not raise CancelledError", "None")
class SwallowsTheCancellation(ReferenceBackend):
    """A delete that is cancelled while it cleans up goes on and returns as if nothing was."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await turn()
            await turn()
        await super().delete(path, missing_ok=missing_ok)


@mutant("CANCEL-002", "neither the old files nor the new ones", "0 bytes")
class TruncatesFirst(ReferenceBackend):
    """A write opens the file for writing, which empties it, before its content comes."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        key = self.check_target(path, overwrite=overwrite)
        if (old := self.tree.files.get(key)) is not None:
            self.tree.put(key, evolve(old, content=b""))
        return await super().store(path, content, overwrite, metadata)


@mutant("CANCEL-002", "write(path, source)", "neither the old files nor the new ones")
class KeepsWhatCame(ReferenceBackend):
    """What had come of the content when the write was cancelled becomes the file."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        if isinstance(content, bytes):
            return await super().store(path, content, overwrite, metadata)
        parts: list[bytes] = []
        try:
            async for chunk in content:
                parts.append(chunk)  # noqa: PERF401 - the chunks before a cancellation count
        finally:
            result = self.commit(path, b"".join(parts), overwrite, None)
        return result


@mutant("CANCEL-002", "move", "neither the old files nor the new ones")
class MovesInTwoSteps(ReferenceBackend):
    """A move takes the file away, waits, and puts it under the new name."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        file, target = self.file(src), self.check_target(dst, overwrite=overwrite)
        del self.tree.files[self.key(src)]
        await turn()
        self.tree.put(target, file)


@mutant("CANCEL-003", "after CancelledError was delivered")
class RenamesInAThread(ReferenceBackend):
    """The commit runs in a thread, and a cancelled write does not wait for it."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        self.check_target(path, overwrite=overwrite)
        whole = await self.gather(content)
        own = dict(metadata) if metadata else None
        return await asyncio.to_thread(self._slowly, path, whole, overwrite, own)

    def _slowly(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        time.sleep(0.003)
        with self.tree.lock:
            return self.commit(path, content, overwrite, metadata)


@mutant("CANCEL-003", "after CancelledError was delivered", "delete")
class DeletesBehindTheBack(ReferenceBackend):
    """A delete that has begun goes on in the background when its caller is cancelled."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        async def late() -> None:
            await asyncio.sleep(0.003)
            await super(DeletesBehindTheBack, self).delete(path, missing_ok=missing_ok)

        await asyncio.shield(late())


@mutant("CANCEL-004", "hangs", "a write after")
class KeepsTheLock(ReferenceBackend):
    """A lock is given back only where nothing goes wrong."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._lock = asyncio.Lock()

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        await self._lock.acquire()
        result = await super().store(path, content, overwrite, metadata)
        self._lock.release()
        return result


@mutant("CANCEL-004", "hangs", "a write after")
class LosesAConnection(ReferenceBackend):
    """Each cancelled write takes one of eight connections out of the pool for ever."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._pool = asyncio.Semaphore(8)

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        await self._pool.acquire()
        try:
            result = await super().store(path, content, overwrite, metadata)
        except Exception:
            self._pool.release()
            raise
        self._pool.release()
        return result


@mutant("CANCEL-005", "left a temporary file", ".~tmp.")
class CleansUpAfterErrorsOnly(ReferenceBackend):
    """The temporary file is removed in 'except Exception', which sees no cancellation."""

    async def gather(self, content: Content) -> bytes:
        key = f"{next(iter(self.tree.files), 'x').partition('/')[0]}/.~tmp.{id(content):x}"
        self.tree.put(key, File(b"", datetime.now(UTC), self.tree.new_etag()))
        try:
            whole = await super().gather(content)
        except Exception:
            del self.tree.files[key]
            raise
        del self.tree.files[key]
        return whole


@mutant("CANCEL-005", "a task is left behind")
class ForgetsItsKeepAlive(ReferenceBackend):
    """A task that keeps the upload alive is ended after errors only."""

    async def gather(self, content: Content) -> bytes:
        keep_alive = asyncio.ensure_future(asyncio.sleep(3600))
        try:
            whole = await super().gather(content)
        except Exception:
            keep_alive.cancel()
            raise
        keep_alive.cancel()
        return whole


@mutant("CANCEL-006", "did not raise TimeoutError", "BackendUnavailable")
class CallsATimeoutUnavailable(ReferenceBackend):
    """A timeout of the caller's comes out as an error of the service."""

    async def gather(self, content: Content) -> bytes:
        try:
            return await super().gather(content)
        except asyncio.CancelledError as error:
            msg = "the service did not answer in time"
            raise BackendUnavailable(msg, backend=self.name) from error


@mutant("CANCEL-006", "hangs", "inside asyncio.timeout")
class TriesAgain(ReferenceBackend):
    """A cancellation is taken for a lost connection, and waited for once more."""

    async def gather(self, content: Content) -> bytes:
        pulling = asyncio.ensure_future(super().gather(content))
        with contextlib.suppress(asyncio.CancelledError):
            return await asyncio.shield(pulling)
        try:
            return await pulling
        finally:
            pulling.cancel()


@mutant("CANCEL-007", "a task is left behind")
class ClosesOnce(ReferenceBackend):
    """aclose sets its flag before it waits: after a cancellation the rest is never done."""

    _keeper: asyncio.Task[None] | None = None

    async def exists(self, path: str) -> bool:
        if self._keeper is None:
            self._keeper = asyncio.ensure_future(asyncio.sleep(3600))
        return await super().exists(path)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        await turn()
        await turn()
        if self._keeper is not None:
            self._keeper.cancel()


@mutant("CANCEL-007", "hangs", "an aclose after one that was cancelled")
class WaitsForTheFirstClose(ReferenceBackend):
    """A second aclose waits for the first one, which was cancelled and never tells."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._done = asyncio.Event()

    async def aclose(self) -> None:
        if self._closed:
            await asyncio.wait_for(self._done.wait(), 2.5)
            return
        self._closed = True
        await turn()
        self._done.set()


@mutant("CANCEL-008", "hangs", "read(path) after one that was cancelled")
class LocksWhileReading(ReferenceBackend):
    """A read holds a lock that is given back only at the end of the file."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._lock = asyncio.Lock()

    async def read(self, path: str) -> AsyncIterator[bytes]:
        await self._lock.acquire()
        async for chunk in super().read(path):
            yield chunk
        self._lock.release()


@mutant("CANCEL-008", "did not raise CancelledError")
class EndsTheReadInstead(ReferenceBackend):
    """A read that is cancelled ends as if the file were at its end: short data."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        with contextlib.suppress(asyncio.CancelledError):
            async for chunk in super().read(path):
                yield chunk
