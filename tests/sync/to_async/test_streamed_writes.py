"""SyncBackendAdapter: the file that a backend reads from an async iterator."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sync.reference import DictBackend
from tests.sync.to_async.probes import chunks

from remote_store import (
    AlreadyExists,
)
from remote_store.aio import AsyncStore, SyncBackendAdapter

pytestmark = pytest.mark.asyncio


async def test_source_is_advanced_in_the_callers_task(adapter: SyncBackendAdapter) -> None:
    """The source runs in the task that called, so that its timeouts and scopes work."""
    tasks = []

    async def source() -> AsyncIterator[bytes]:
        async with asyncio.timeout(10):
            for _ in range(3):
                tasks.append(asyncio.current_task())
                yield bytes(1 << 20)

    await adapter.write("n", source())
    assert tasks == [asyncio.current_task()] * 3


async def test_existing_key_is_refused_before_the_source(adapter: SyncBackendAdapter) -> None:
    """The backend looks first: not one chunk is pulled (WRITE-008)."""
    pulled = []

    async def source() -> AsyncIterator[bytes]:
        pulled.append(1)
        yield b""

    with pytest.raises(AlreadyExists):
        await adapter.write("z", source())
    assert pulled == []


async def test_stream_is_pulled_as_it_is_read(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """Never more than about a hop is ahead of the backend, however small the chunks."""
    pulled = 0
    ahead = []

    async def source() -> AsyncIterator[bytes]:
        nonlocal pulled
        for _ in range(100):
            pulled += 1 << 16
            yield bytes(1 << 16)

    def write(path: str, content: Any, **options: Any) -> None:
        read = 0
        while part := content.read(100_000):
            read += len(part)
            ahead.append(pulled - read)

    backend.write = write  # type: ignore[method-assign, assignment]
    await adapter.write("n", source())
    assert pulled == 100 << 16
    assert max(ahead) <= (1 << 20) + (1 << 16)


@pytest.mark.parametrize("size", [1, 7, 1 << 16, -1, None])
async def test_file_that_the_backend_gets(
    adapter: SyncBackendAdapter, backend: DictBackend, size: int | None
) -> None:
    """It is a readable binary file that hands out the content whole, in any step."""
    content = os.urandom(3000)
    got = []

    def write(path: str, file: Any, **options: Any) -> None:
        assert file.readable()
        assert not file.seekable()
        while part := file.read(size):
            got.append(part)
        assert file.read() == file.read(5) == b""
        buffer = bytearray(4)
        assert file.readinto(buffer) == 0

    backend.write = write  # type: ignore[method-assign, assignment]
    parts = [content[i : i + 11] for i in range(0, 3000, 11)]
    await adapter.write("n", chunks(*parts))
    assert b"".join(got) == content


async def test_readinto_and_buffered_reader(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """The file works below io.BufferedReader."""
    content = os.urandom(2_500_000)
    got = []

    def write(path: str, file: Any, **options: Any) -> None:
        buffered = io.BufferedReader(file)
        while part := buffered.read(99_999):
            got.append(part)

    backend.write = write  # type: ignore[method-assign, assignment]
    await adapter.write("n", chunks(content[:1], content[1:1_200_000], content[1_200_000:]))
    assert b"".join(got) == content


@pytest.mark.parametrize("error", [OSError("source"), asyncio.QueueEmpty()])
async def test_sources_error_passes_and_nothing_is_written(
    adapter: SyncBackendAdapter, backend: DictBackend, error: Exception
) -> None:
    """The source's error reaches the backend and the caller as the same object (WRITE-007)."""
    closed: list[bool] = []
    with pytest.raises(type(error)) as caught:
        await AsyncStore(adapter).write("n", chunks(b"1", error, closed=closed))
    assert caught.value is error
    assert closed == [True]
    assert "n" not in backend.files


async def test_sources_error_wins_over_what_the_backend_makes_of_it(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """A backend that hides or translates the source's error does not keep it from the caller."""
    error = OSError("source")
    for translated in (True, False):

        def write(path: str, file: Any, translated: bool = translated, **options: Any) -> None:
            with contextlib.suppress(OSError):
                file.read()
            with pytest.raises(OSError, match="source"):
                file.read()
            if translated:
                msg = "translated"
                raise ValueError(msg)

        backend.write = write  # type: ignore[method-assign, assignment]
        with pytest.raises(OSError, match="source") as caught:
            await adapter.write("n", chunks(error))
        assert caught.value is error


@pytest.mark.parametrize("bad", ["text", 3, None])
async def test_wrong_content(adapter: SyncBackendAdapter, backend: DictBackend, bad: Any) -> None:
    """Chunks and contents that are not bytes are TypeErrors; nothing is written."""
    with pytest.raises(TypeError):
        await adapter.write("n", chunks(bad))
    with pytest.raises(TypeError):
        await adapter.write("n", bad)
    assert "n" not in backend.files


async def test_chunk_whose_owner_uses_it_again(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """A bytearray is a chunk, of which the bytes at that moment count; it is no content."""
    reused = bytearray(b"1")

    async def content() -> AsyncIterator[Any]:
        yield reused
        reused[:] = b"2"
        yield reused

    await adapter.write("n", content())
    assert backend.files["n"] == b"12"
    with pytest.raises(TypeError):
        await adapter.write("m", reused)  # type: ignore[arg-type]


async def test_reading_after_the_write_fails(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """A backend that keeps the file gets an error from it later, and does not hang."""
    kept = []
    backend.write = lambda path, file, **options: kept.append(file)  # type: ignore[method-assign, assignment]
    await adapter.write("n", chunks(b"1"))
    with pytest.raises(ValueError, match="after the write"):
        await asyncio.to_thread(kept[0].read)


async def test_endless_empty_chunks_can_be_cancelled(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """A source that gives only empty chunks, and never waits, lets the loop go on."""

    async def source() -> AsyncIterator[bytes]:
        while True:
            yield b""

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await adapter.write("n", source())
    assert "n" not in backend.files
