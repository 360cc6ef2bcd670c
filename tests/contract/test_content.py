"""Content brought to bytes or a stream: when it is read, closed, and by whom."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import itertools
import threading
from collections.abc import Generator
from typing import Any

import pytest
from tests.contract.gates import Gate, wait_until
from tests.contract.probes import CallerError, Source, collect

from remote_store._contract.async_content import ContentStream, as_content

pytestmark = pytest.mark.asyncio


def opened(source: Any) -> ContentStream:
    stream = as_content(source)
    assert not isinstance(stream, bytes)
    return stream


def source_threads() -> list[str]:
    names = (t.name for t in threading.enumerate())
    return [name for name in names if name.startswith("remote-store-source")]


@pytest.mark.parametrize("source", [b"a", bytearray(b"a"), memoryview(b"a"), memoryview(b"xa")[1:]])
async def test_buffers_become_bytes(source: Any) -> None:
    """Anything with a buffer is bytes at once; bytes themselves are not copied."""
    content = as_content(source)
    assert type(content) is bytes
    assert content == b"a"
    if type(source) is bytes:
        assert content is source


@pytest.mark.parametrize("source", ["a", None, 1, 1.0, object(), int])
async def test_other_types_are_refused(source: Any) -> None:
    """What can never give bytes is a TypeError at once, which names the type."""
    with pytest.raises(TypeError, match="bytes") as caught:
        as_content(source)
    assert "write_text" in str(caught.value) or type(source).__name__ in str(caught.value)


async def test_chunks_are_checked_one_by_one() -> None:
    """Good chunks pass as bytes; the first that is none is a TypeError naming its type."""
    stream = opened(Source([b"a", bytearray(b"b"), memoryview(b"c"), "d"]).open())  # type: ignore[list-item]
    assert [await anext(stream) for _ in range(3)] == [b"a", b"b", b"c"]
    with pytest.raises(TypeError, match="str"):
        await anext(stream)
    await stream.aclose()


async def test_async_source_is_pulled_only_as_asked() -> None:
    """Nothing is taken from an async source ahead of the consumer."""
    source = Source([b"1", b"2", b"3"])
    stream = opened(source.open())
    assert source.pulled == 0
    await anext(stream)
    assert source.pulled == 1
    await stream.aclose()
    assert source.closed


async def test_iterable_is_opened_at_the_first_pull() -> None:
    """The iterator of an async iterable is made late, and closed if it was made."""
    made: list[Source] = []

    class Chunks:
        def __aiter__(self) -> Any:
            made.append(Source([b"1", b"2"]))
            return made[-1].open()

    untouched = opened(Chunks())
    await untouched.aclose()
    assert made == []
    stream = opened(Chunks())
    await anext(stream)
    await stream.aclose()
    assert [source.closed for source in made] == [True]


class File(io.BytesIO):
    """A file that notes what is asked of it."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.sizes: list[int] = []

    def read(self, size: int | None = -1, /) -> bytes:
        self.sizes.append(-1 if size is None else size)
        return super().read(size)


async def test_file_is_read_in_bounded_steps_and_left_open() -> None:
    """A file is asked for 1 MiB at a time and belongs to the caller afterwards."""
    file = File(b"x" * ((2 << 20) + 5))
    stream = opened(file)
    assert file.sizes == []
    assert [len(chunk) for chunk in await collect(stream)] == [1 << 20, 1 << 20, 5]
    assert file.sizes == [1 << 20] * 4
    await stream.aclose()
    assert not file.closed


async def test_small_chunks_of_a_sync_iterable_are_gathered() -> None:
    """Many small chunks take few hops, in order, with the empty ones dropped."""
    chunks = [bytes([i % 251]) * 1000 for i in range(3000)]
    got = await collect(stream := opened(b for c in chunks for b in (c, b"")))
    await stream.aclose()
    assert b"".join(got) == b"".join(chunks)
    assert len(got) <= 3
    assert max(map(len, got)) < (1 << 20) + 1000


async def test_sync_generator_is_closed_started_or_not() -> None:
    """A generator is closed in every case; another iterable is not touched."""

    def chunks() -> Generator[bytes, None, None]:
        yield b"x" * (1 << 20)
        yield b"y"

    for pulls in (0, 1):
        generator = chunks()
        stream = opened(generator)
        for _ in range(pulls):
            await anext(stream)
        await stream.aclose()
        assert inspect.getgeneratorstate(generator) == inspect.GEN_CLOSED


async def test_error_of_a_sync_source_is_the_same_object() -> None:
    """What a blocking source raises in its thread comes out unchanged."""
    error = CallerError()

    def chunks() -> Generator[bytes, None, None]:
        yield b"x" * (1 << 20)
        raise error

    stream = opened(chunks())
    await anext(stream)
    with pytest.raises(CallerError) as caught:
        await anext(stream)
    assert caught.value is error
    await stream.aclose()


async def test_cancelled_read_waits_for_the_callers_file() -> None:
    """After the cancellation no thread reads from the caller's file any more."""
    started, release = threading.Event(), threading.Event()
    reading = False

    class Slow:
        def read(self, size: int = -1) -> bytes:
            nonlocal reading
            reading = True
            started.set()
            release.wait(10)
            reading = False
            return b"x"

    stream = opened(Slow())
    task = asyncio.ensure_future(anext(stream))
    assert await asyncio.to_thread(started.wait, 10)
    task.cancel()
    await asyncio.sleep(0.02)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reading is False
    await stream.aclose()


@pytest.mark.parametrize("pulls", [0, 1, 5])
async def test_no_thread_is_left(pulls: int) -> None:
    """A stream has a thread only between its first pull and its close."""
    stream = opened(io.BytesIO(b"x" * 10))
    for _ in range(pulls):
        if not await anext(stream, b""):
            break
    assert bool(source_threads()) is bool(pulls)
    await stream.aclose()
    assert wait_until(lambda: not source_threads())


class AsyncFile:
    """An async file; to iterate over it would give lines."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []
        self.closed = False

    async def read(self, size: int = -1) -> Any:
        self.asked.append(size)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def __aiter__(self) -> Any:
        raise AssertionError

    async def close(self) -> None:
        self.closed = True


async def test_async_files_are_read_in_steps() -> None:
    """A file with a coroutine ``read`` is read by 1 MiB to its end, and stays open."""
    file = AsyncFile(b"1\n2", b"3", b"")
    stream = opened(file)
    assert await collect(stream) == [b"1\n2", b"3"]
    await stream.aclose()
    assert (file.asked, file.closed) == ([1 << 20] * 3, False)


async def test_async_files_need_no_iteration() -> None:
    """A coroutine ``read`` alone makes an async file."""

    class Bare:
        def __init__(self) -> None:
            self.read = AsyncFile(b"1", b"").read

    assert await collect(opened(Bare())) == [b"1"]


@pytest.mark.parametrize(
    ("answer", "error"), [("", TypeError), (None, TypeError), (StopAsyncIteration(), RuntimeError)]
)
async def test_async_files_that_give_no_bytes(answer: Any, error: type[Exception]) -> None:
    """What is neither bytes nor an end is not taken for the end."""
    with pytest.raises(error):
        await collect(opened(AsyncFile(b"1", answer)))


async def test_stream_of_a_subprocess_without_lines() -> None:
    """A `StreamReader` is content, whatever the length of its lines."""
    reader = asyncio.StreamReader(limit=10)
    reader.feed_data(b"x" * 1000)
    reader.feed_eof()
    assert b"".join(await collect(opened(reader))) == b"x" * 1000


async def test_endless_empty_chunks_can_be_cancelled() -> None:
    """A source that gives only empty chunks does not hold a cancelled write for ever."""
    stream = opened(itertools.repeat(b""))
    pull = asyncio.ensure_future(anext(stream))
    assert await asyncio.to_thread(wait_until, lambda: bool(source_threads()))
    pull.cancel()
    await asyncio.wait({pull}, timeout=10)
    assert pull.cancelled()
    await stream.aclose()
    assert wait_until(lambda: not source_threads())


async def test_text_file_is_refused_at_once() -> None:
    """A file of text is told from one of bytes before anything is read."""
    with pytest.raises(TypeError, match="write_text"):
        as_content(io.StringIO("text"))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["generator", "file"])
async def test_stop_async_iteration_is_no_end(kind: str) -> None:
    """A blocking source that raises StopAsyncIteration has failed, and not come to its end."""

    def chunks() -> Generator[bytes, None, None]:
        yield b"x" * (1 << 20)
        raise StopAsyncIteration

    class Broken:
        left = iter([b"x"])

        def read(self, size: int = -1) -> bytes:
            for chunk in self.left:
                return chunk
            raise StopAsyncIteration

    stream = opened(chunks() if kind == "generator" else Broken())
    await anext(stream)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="StopAsyncIteration") as caught:
            await anext(stream)
        assert isinstance(caught.value.__cause__, StopAsyncIteration)
    await stream.aclose()


class Made:
    """An iterable whose iterator is a generator; notes in which thread that ends."""

    def __init__(self) -> None:
        self.closed_in: list[threading.Thread] = []
        self.release = threading.Event()
        self.release.set()

    def __iter__(self) -> Generator[bytes, None, None]:
        try:
            while True:
                yield b"x" * (1 << 20)
        finally:
            self.closed_in.append(threading.current_thread())
            self.release.wait(30)


@pytest.mark.parametrize("handed", ["generator", "iterable"])
async def test_generator_is_closed_where_it_ran(handed: str) -> None:
    """What was pulled in a thread is closed there, also if the stream made it, and waited for."""
    made = Made()
    stream = opened(iter(made) if handed == "generator" else made)
    await anext(stream)
    made.release.clear()
    closing = asyncio.ensure_future(stream.aclose())
    await asyncio.sleep(0.05)
    assert not closing.done()
    made.release.set()
    await closing
    assert len(made.closed_in) == 1
    assert made.closed_in[0] is not threading.current_thread()
    assert wait_until(lambda: not source_threads())


async def test_generator_is_closed_although_the_close_is_cancelled() -> None:
    """A close that is cancelled before its thread began leaves it to the thread."""
    made = Made()
    stream: Any = opened(made)
    await anext(stream)
    gate = Gate()
    stream._pool.executor.submit(gate)  # the one thread has something else to do
    closing = asyncio.ensure_future(stream.aclose())
    await asyncio.sleep(0.01)
    closing.cancel()
    await asyncio.wait({closing}, timeout=5)  # less than the thread's own patience
    assert closing.cancelled()
    gate.release.set()
    assert wait_until(lambda: len(made.closed_in) == 1)
    assert made.closed_in[0] is not threading.current_thread()
    assert wait_until(lambda: not source_threads())


async def test_generator_is_closed_although_the_write_is_thrown_away() -> None:
    """A coroutine that is closed cannot wait for its thread, which closes the generator."""
    made = Made()
    stream = opened(made)

    async def write() -> None:
        async with contextlib.aclosing(stream):
            await anext(stream)
            await asyncio.Event().wait()

    coroutine = write()
    pulled: Any = coroutine.send(None)
    await asyncio.wait({pulled})
    coroutine.send(None)
    coroutine.close()  # a RuntimeError if it waited
    assert wait_until(lambda: len(made.closed_in) == 1)
    assert made.closed_in[0] is not threading.current_thread()
    assert wait_until(lambda: not source_threads())


async def test_iterator_that_is_no_generator_is_the_callers() -> None:
    """An async iterator with an ``aclose``, as files and connections have, stays open."""

    class Connection:
        closed = False

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> bytes:
            return b"1"

        async def aclose(self) -> None:
            self.closed = True

    connection = Connection()
    stream = opened(connection)
    assert await anext(stream) == b"1"
    await stream.aclose()
    assert not connection.closed
