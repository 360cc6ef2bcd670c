"""The source of a write: when it is asked, how it fails, and what is left then."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from remote_store import AlreadyExists, InvalidPath, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio

Refusal = Callable[[Awaitable[object]], Awaitable[RemoteStoreError]]
Stream = Callable[..., AsyncIterator[bytes]]
METHODS = pytest.mark.parametrize("method", ["write", "write_atomic"])


class _Untouched:
    """A source that must not be pulled from."""

    def __aiter__(self) -> _Untouched:
        return self

    async def __anext__(self) -> bytes:
        pytest.fail("the source was consumed")


@METHODS
@pytest.mark.parametrize("chunks", [(), (b"",), (b"a",), (b"a", b"", b"bc"), (b"x" * 70_000,) * 3])
async def test_chunks(
    backend: AsyncMemoryBackend, method: str, chunks: tuple[bytes, ...], stream: Stream
) -> None:
    """The file is the chunks put together (WRITE-001)."""
    result = await getattr(backend, method)("d/f", stream(*chunks), metadata={"k": "v"})

    assert b"".join(chunks) == await backend.read_bytes("d/f")
    assert sum(map(len, chunks)) == result.size
    assert (await backend.get_file_info("d/f")).metadata == {"k": "v"}


@METHODS
@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("", InvalidPath),
        ("/x", InvalidPath),
        (".~tmp.x", InvalidPath),
        ("d", InvalidPath),
        ("d/f/below", InvalidPath),
        ("d/f", AlreadyExists),
    ],
)
async def test_refused_before_the_source(
    backend: AsyncMemoryBackend, method: str, key: str, kind: type[Exception]
) -> None:
    """What can be refused is refused before the source is pulled from."""
    await backend.write("d/f", b"1")

    with pytest.raises(kind):
        await getattr(backend, method)(key, _Untouched())


@METHODS
async def test_decided_again(backend: AsyncMemoryBackend, method: str, refusal: Refusal) -> None:
    """A file, a folder or a blocker that appears while the source is consumed is respected."""

    async def source(*rivals: str) -> AsyncIterator[bytes]:
        for rival in rivals:
            await backend.write(rival, b"rival")
        yield b"mine"

    write = getattr(backend, method)
    assert isinstance(await refusal(write("f", source("f"))), AlreadyExists)
    assert isinstance(await refusal(write("d", source("d/x"), overwrite=True)), InvalidPath)
    assert isinstance(await refusal(write("b/x", source("b"), overwrite=True)), InvalidPath)
    for key in ("f", "d/x", "b"):
        assert await backend.read_bytes(key) == b"rival"


@METHODS
async def test_source_fails(backend: AsyncMemoryBackend, method: str, stream: Stream) -> None:
    """The caller's own error comes out as the same object, and nothing has changed (WRITE-007)."""
    await backend.write("old", b"old")
    error = LookupError("mine")
    write = getattr(backend, method)

    for key in ("old", "new/deep/f"):
        with pytest.raises(LookupError) as caught:
            await write(key, stream(b"half", error=error), overwrite=True)
        assert error is caught.value
        assert None is caught.value.__cause__

    assert await backend.read_bytes("old") == b"old"
    assert repr(backend) == "AsyncMemoryBackend(files=1, folders=0)"


@METHODS
async def test_cancelled(backend: AsyncMemoryBackend, method: str) -> None:
    """A write that is cancelled while it awaits its source leaves nothing behind (CANCEL-002)."""
    await backend.write("old", b"old")
    waiting = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield b"half"
        waiting.set()
        await asyncio.Event().wait()

    write = getattr(AsyncStore(backend), method)
    for key in ("old", "new/deep/f"):
        waiting.clear()
        task = asyncio.create_task(write(key, source(), overwrite=True))
        await waiting.wait()
        # Nothing is locked while the source is awaited.
        await backend.write("meanwhile", b"", overwrite=True)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await backend.read_bytes("old") == b"old"
    assert repr(backend) == "AsyncMemoryBackend(files=2, folders=0)"
    assert {asyncio.current_task()} == asyncio.all_tasks()
    await backend.write("old", b"next", overwrite=True)


async def test_reused_buffer(backend: AsyncMemoryBackend) -> None:
    """A source may use one buffer for all its chunks, directly and through a store."""

    async def source() -> AsyncIterator[Any]:
        buffer = bytearray(1)
        for digit in b"123":
            buffer[0] = digit
            yield buffer
            buffer[0] = 0

    await backend.write("f", source())
    await AsyncStore(backend).write("g", source())

    assert b"123" == await backend.read_bytes("f") == await backend.read_bytes("g")


async def test_memory_of_a_stream(backend: AsyncMemoryBackend) -> None:
    """Gathering a stream needs the memory of its content once, not twice."""
    chunks, size = 64, 1 << 20

    async def source() -> AsyncIterator[bytes]:
        for i in range(chunks):
            yield bytes([i]) * size

    tracemalloc.start()
    try:
        await backend.write("f", source())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert chunks * size == (await backend.get_file_info("f")).size
    assert peak < 1.3 * chunks * size
