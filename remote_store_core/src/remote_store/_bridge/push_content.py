"""A blocking write whose content comes from an async iterator."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO, Final, Generic, TypeVar, cast

from remote_store._contract.content import as_bytes
from remote_store._threads.chunk_reader import HOP, ChunkReader
from remote_store._threads.worker_pool import settle

__all__ = ["ContentAbandoned", "push_content"]

T = TypeVar("T")

#: Seconds after which a waiting thread looks whether its loop is still there.
_PULSE: Final = 1.0


class ContentAbandoned(Exception):
    """What a blocking write gets instead of content when its caller was cancelled or is gone."""


async def push_content(function: Callable[[BinaryIO], T], content: AsyncIterator[bytes]) -> T:
    """
    Call *function* in a thread, with a file that reads from *content*.

    The iterator is advanced in the calling task, only when the thread asks,
    and by at most `HOP` bytes (or one chunk) at a time. What *content* raises
    is raised in the thread, and then here, as the same object. A cancelled
    call makes the thread's next read fail, and waits for its end.

    The thread is not one of a pool: it may wait for the source as long as it
    likes, and the source may itself be waiting for another write.
    """
    return await _Push(function, content).run()


class _Push(Generic[T]):
    def __init__(self, function: Callable[[BinaryIO], T], content: AsyncIterator[bytes]) -> None:
        self._function = function
        self._content = content
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Event()
        #: None once `run` is over; so is the source's failure. The traceback of an
        #: error leads here: what is kept here would be kept alive by itself.
        self._outcome: asyncio.Future[T] | None = self._loop.create_future()
        self._failure: Exception | None = None
        self._replies: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._abandoned = False
        self._done = False

    async def run(self) -> T:
        context = contextvars.copy_context()
        # A daemon, so that a loop that is never run again does not keep the
        # interpreter from its end.
        threading.Thread(
            target=context.run, args=(self._call,), name="remote-store-write", daemon=True
        ).start()
        outcome = cast("asyncio.Future[T]", self._outcome)
        try:
            await self._serve()
            if self._failure is not None:
                # Whatever the backend made of it, the source's error is the cause.
                raise self._failure
            return outcome.result()
        except BaseException as error:
            self._abandoned = True
            self._replies.put(None)
            if not isinstance(error, GeneratorExit):  # thrown away: nothing can be awaited
                await settle(outcome)
            raise
        finally:
            self._outcome = self._failure = None
            del outcome

    async def _serve(self) -> None:
        while True:
            await self._turn.wait()
            self._turn.clear()
            if self._done:
                return
            try:
                chunk = await self._next()
            except Exception as error:  # noqa: BLE001 - raised in the thread, then in run
                self._failure = error
                chunk = None
            self._replies.put(chunk)

    async def _next(self) -> bytes:
        """Return about `HOP` bytes, or ``b""`` at the end."""
        parts: list[bytes] = []
        size = 0
        while size < HOP:
            try:
                part = as_bytes(await anext(self._content))
            except StopAsyncIteration:
                break
            if part:
                parts.append(part)
                size += len(part)
            else:
                await asyncio.sleep(0)  # an endless one blocks nobody, and can be cancelled
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # In the thread ----------------------------------------------------------

    def _call(self) -> None:
        result, error = None, None
        try:
            result = self._function(cast("BinaryIO", ChunkReader(self._pull)))
        except BaseException as raised:  # noqa: BLE001 - raised by run
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._finish, result, error)
        del error  # its traceback holds this frame

    def _finish(self, result: T | None, error: BaseException | None) -> None:
        self._done = True
        if self._outcome is None:  # thrown away
            return
        if isinstance(error, StopIteration):
            # Neither a future nor a coroutine can carry it.
            wrapped = RuntimeError("the backend raised StopIteration")
            wrapped.__cause__ = error
            error = wrapped
        if error is None:
            self._outcome.set_result(cast("T", result))
        else:
            self._outcome.set_exception(error)
        self._turn.set()

    def _pull(self) -> bytes:
        if self._abandoned:
            msg = "the write was cancelled"
            raise ContentAbandoned(msg)
        if self._failure is not None:
            raise self._failure
        if self._done:
            msg = "the content of a write was read after the write"
            raise ValueError(msg)
        self._loop.call_soon_threadsafe(self._turn.set)
        chunk = self._reply()
        if chunk is not None:
            return chunk
        if self._failure is not None and not self._abandoned:
            raise self._failure
        msg = "the write was cancelled, or its event loop closed"
        raise ContentAbandoned(msg)

    def _reply(self) -> bytes | None:
        while True:
            try:
                return self._replies.get(timeout=_PULSE)
            except queue.Empty:
                if self._loop.is_closed():
                    return None
