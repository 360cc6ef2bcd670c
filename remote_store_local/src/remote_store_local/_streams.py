"""Reading and writing in steps: one hop to a thread for each, which aiofiles makes for writes."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

from remote_store import WriteResult
from remote_store.aio.workers import WorkerPool, settle
from remote_store.authoring import as_bytes
from remote_store_local._errors import translate
from remote_store_local._files import LocalFiles
from remote_store_local._fs.temp_file import TempFile, abandon
from remote_store_local._read import LazyFile, shrunk, start_reading
from remote_store_local._write import Write, begin, finish

__all__ = ["BLOCK", "read_blocks", "write_blocks"]

#: Bytes for each hop of a write, and for the first of a read.
BLOCK: Final = 1 << 20
#: Blocks for each further hop of a read; one hop is read ahead.
_AHEAD: Final = 2


async def read_blocks(
    files: LocalFiles,
    pool: WorkerPool,
    key: str,
    start: int = 0,
    length: int | None = None,
    if_match: str | None = None,
) -> AsyncGenerator[bytes, None]:
    """
    Yield the content of a file in blocks; the next ones are read while some are consumed.

    Args:
        files: Where.
        pool: Threads.
        key: Key of a file.
        start: Where to begin.
        length: Bytes to yield at most, None for all that follow.
        if_match: ETag of the version to read.

    Raises:
        NotFound, InvalidPath, PermissionDenied, RemoteStoreError: See `LocalFiles`.
        PreconditionFailed: Another program cut the file short meanwhile, or it
            is another version than *if_match*.
    """
    source = LazyFile(start, length)
    ahead: asyncio.Task[list[bytes]] | None = None
    try:
        blocks = [await pool.query(start_reading, files, key, source, BLOCK, if_match)]
        if not blocks[0]:
            blocks.clear()
        while True:
            ahead = None
            if not source.ended:
                ahead = asyncio.create_task(pool.query(source.pull, BLOCK, _AHEAD))
                await asyncio.sleep(0)  # it begins now, and not when the consumer waits
            while blocks:
                yield blocks.pop(0)  # kept by the consumer alone
            if ahead is None:
                break
            try:
                blocks = await ahead
            except OSError as error:
                raise translate(error, key, files.name) from error
        if not source.whole:
            raise shrunk(files, key, source.at, source.size)
    except BaseException:
        with contextlib.suppress(OSError):  # the reader has gone
            source.release()
        if ahead is not None:
            await _end_read_ahead(ahead)
        raise
    try:
        source.release()
    except OSError as error:
        raise translate(error, key, files.name) from error


async def _end_read_ahead(ahead: asyncio.Task[list[bytes]]) -> None:
    """
    Wait for a read-ahead that is not wanted any more: its thread closes the file.

    A caller that closes a reader finds the file closed. A caller that was
    cancelled, or is while closing it, leaves the thread behind at once.
    """
    task = asyncio.current_task()
    try:
        if not ahead.done() and not (task is not None and task.cancelling()):
            await asyncio.wait({ahead})
    finally:
        ahead.cancel()
        await settle(ahead)


async def write_blocks(
    files: LocalFiles, pool: WorkerPool, key: str, content: AsyncIterator[bytes], write: Write
) -> WriteResult:
    """
    Write a file from a stream; small chunks are gathered into blocks.

    Args:
        files: Where.
        pool: Threads.
        key: Key of a file.
        content: The bytes; its exceptions pass unchanged.
        write: What is to be done with them.

    Raises:
        TypeError: A chunk is not bytes.
        AlreadyExists, InvalidPath, PreconditionFailed, RemoteStoreError: See
            `begin` and `finish`; an existing key and a bad path before *content* is
            asked for anything.
    """
    temp_files: list[TempFile] = []
    try:
        await pool.mutate(_begin, files, key, write, temp_files)
        temp_file = temp_files[0]
        raw = RawTempFile(temp_file)
        waiting: list[bytes] = []
        size = 0
        async for chunk in content:
            waiting.append(as_bytes(chunk))
            size += len(chunk)
            if size >= BLOCK:
                block = waiting[0] if len(waiting) == 1 else b"".join(waiting)
                waiting.clear()
                size = 0
                temp_file.written += await _put(pool, files, key, raw, block)
        rest = b"".join(waiting)
        return await pool.mutate(finish, files, key, temp_file, rest, write)
    except GeneratorExit:  # the coroutine is thrown away: there is no loop to wait on
        for temp_file in temp_files:
            abandon(temp_file)
        raise
    except BaseException:
        for temp_file in temp_files:
            await _discard(pool, temp_file)
        raise


def _begin(files: LocalFiles, key: str, write: Write, temp_files: list[TempFile]) -> None:
    # Not returned: the caller may be cancelled and must still find it.
    temp_files.append(begin(files, key, write))


class RawTempFile(io.FileIO):
    """
    A temporary file as the raw file that aiofiles writes to.

    A block whose caller was cancelled keeps the temporary file busy until it is
    written, and discarding the temporary file waits for that; a block that comes later
    finds the temporary file gone and writes nothing.
    """

    def __init__(self, temp_file: TempFile) -> None:
        super().__init__(temp_file.fd, "wb", closefd=False)
        self._temp_file = temp_file

    def write(self, data: Any, /) -> int:
        """Write at most all of *data*; return how many bytes."""
        with self._temp_file.busy:
            return super().write(data) if self._temp_file.fd >= 0 else 0


def _wrapped(file: io.FileIO, pool: WorkerPool) -> Any:
    # Imported here: loading the backend class shall cost no more than it must.
    from aiofiles.threadpool import wrap

    return wrap(file, executor=pool.executor)


async def _put(
    pool: WorkerPool, files: LocalFiles, key: str, raw: RawTempFile, block: bytes
) -> int:
    view = memoryview(block)
    while view:
        file = _wrapped(raw, pool)
        try:
            done = await file.write(view)
        except OSError as error:
            raise translate(error, key, files.name) from error
        view = view[done:]
    return len(block)


async def _discard(pool: WorkerPool, temp_file: TempFile) -> None:
    task = asyncio.create_task(pool.mutate(abandon, temp_file))
    try:
        # A cancellation meanwhile comes out, as from any clean-up that awaits;
        # swallowed, the timeout that it belongs to would be lost.
        await asyncio.wait({task})
    finally:
        await settle(task)
