"""AsyncBackendSyncAdapter: forward-only streams over an async iterator."""

from __future__ import annotations

import gc
import io
import logging
import threading
from collections.abc import AsyncIterator
from typing import cast

import pytest
from tests.sync.to_sync.scripted import Chunks, opened, reading

from remote_store import (
    AsyncBackendSyncAdapter,
    BackendUnavailable,
    NotFound,
    StoreClosed,
)


def test_stream_is_forward_only(adapter: AsyncBackendSyncAdapter) -> None:
    """A RawIOBase that can be read and nothing else."""
    with adapter.read("a/x") as stream:
        assert isinstance(stream, io.RawIOBase)
        assert (stream.readable(), stream.seekable(), stream.writable()) == (True, False, False)
        for call in (stream.tell, stream.fileno, lambda: stream.seek(0)):
            with pytest.raises(io.UnsupportedOperation):
                call()


def test_read_sizes() -> None:
    """Nothing is pulled before it is needed; ``read`` fills its size across chunks."""
    chunks = Chunks(b"ab", b"", b"cd", b"e")
    with reading(chunks) as adapter, adapter.read("p") as stream:
        assert (stream.read(0), chunks.pulled) == (b"", 0)
        assert (stream.read(1), chunks.pulled) == (b"a", 1)
        assert (stream.read(2), chunks.pulled) == (b"bc", 3)
        assert stream.read(99) == b"de"
        assert [stream.read(5), stream.read(), stream.read(None)] == [b"", b"", b""]  # type: ignore[arg-type]
    assert chunks.closed == 1


@pytest.mark.parametrize("size", [-1, None])
def test_read_all(size: int | None) -> None:
    """-1 and None read to the end, over empty chunks too."""
    with reading(Chunks(b"", b"ab", b"", b"c", b"")) as adapter, adapter.read("p") as stream:
        assert stream.read(size) == b"abc"  # type: ignore[arg-type]


def test_readinto_pulls_at_most_one_chunk() -> None:
    """``readinto`` never reports the end for an empty chunk in the middle."""
    chunks = Chunks(b"abc", b"", b"d")
    with reading(chunks) as adapter:
        stream = cast("io.RawIOBase", adapter.read("p"))
        buffer = bytearray(2)
        assert (stream.readinto(buffer), bytes(buffer)) == (2, b"ab")
        assert stream.readinto(buffer) == 1
        assert (stream.readinto(buffer), bytes(buffer)) == (1, b"db")
        assert stream.readinto(buffer) == 0
        assert stream.readinto(bytearray()) == 0
        stream.close()


def test_below_a_buffered_reader() -> None:
    """io.BufferedReader over it gives the whole content in lines and blocks."""
    content = b"".join(b"%d\n" % n for n in range(20_000))
    parts = [content[i : i + 777] for i in range(0, len(content), 777)]
    mixed = [part for pair in zip(parts, [b""] * len(parts), strict=True) for part in pair]
    with reading(Chunks(*mixed)) as adapter:
        raw = cast("io.RawIOBase", adapter.read("p"))
        with io.BufferedReader(raw, 1000) as buffered:
            assert buffered.readline() == b"0\n"
            assert buffered.read(3) == b"1\n2"
            assert b"0\n1\n2" + b"".join(buffered) == content
        assert raw.closed


def test_missing_file_appears_at_the_first_read(adapter: AsyncBackendSyncAdapter) -> None:
    """Opening asks nobody; the first read raises, once, and then the stream is at its end."""
    stream = adapter.read("gone")
    with pytest.raises(NotFound):
        stream.read(1)
    assert stream.read() == b""
    assert cast("io.RawIOBase", stream).readinto(bytearray(3)) == 0
    stream.close()


def test_error_in_mid_stream() -> None:
    """It is raised once, verbatim; the stream is at its end after it, until it is closed."""
    error = BackendUnavailable("gone")
    chunks = Chunks(b"ab", error, b"never")
    with reading(chunks) as adapter:
        stream = adapter.read("p")
        assert stream.read(1) == b"a"
        with pytest.raises(BackendUnavailable) as caught:
            stream.read()
        assert caught.value is error
        assert stream.read(3) == b""
        assert cast("io.RawIOBase", stream).readinto(bytearray(3)) == 0
        stream.close()
        for call in (stream.read, lambda: cast("io.RawIOBase", stream).readinto(bytearray(3))):
            with pytest.raises(ValueError, match="I/O operation on closed file"):
                call()
    assert chunks.closed == 1
    assert chunks.items == [b"never"]


def test_close_swallows_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    """An iterator that fails to close is a DEBUG record; closing twice closes once."""

    class Stubborn(Chunks):
        async def aclose(self) -> None:
            self.closed += 1
            raise OSError

    chunks = Stubborn(b"1")
    with reading(chunks) as adapter, caplog.at_level(logging.DEBUG, "remote_store"):
        stream = adapter.read("p")
        stream.read(1)
        stream.close()
        stream.close()
    assert chunks.closed == 1
    assert [r.levelname for r in caplog.records if "stream aclose raised" in r.message] == ["DEBUG"]


def test_abandoned_stream_is_closed() -> None:
    """A stream that nobody holds any more has its iterator closed, without waiting."""
    closed = threading.Event()

    async def chunks(path: str) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"1"
        finally:
            closed.set()

    with opened(read=chunks) as adapter:
        stream = adapter.read("p")
        assert stream.read(1) == b"1"
        del stream
        gc.collect()
        assert closed.wait(10)


def test_stream_after_the_adapter() -> None:
    """On a closed adapter a stream raises once, is at its end then, and closes quietly."""
    adapter = reading(Chunks(b"ab", b"c"))
    stream = adapter.read("p")
    stream.read(1)
    adapter.close()
    assert stream.read(1) == b"b"
    with pytest.raises(RuntimeError, match="is closed"):
        stream.read(1)
    assert stream.read(1) == b""
    stream.close()


def test_endless_empty_chunks_block_nobody() -> None:
    """A stream that gets only empty chunks leaves the loop to others, and ends with the adapter."""
    begun = threading.Event()

    async def empty(path: str) -> AsyncIterator[bytes]:
        while True:
            begun.set()
            yield b""

    ends: list[Exception] = []

    def read() -> None:
        try:
            stream.read(1)
        except Exception as error:
            ends.append(error)

    adapter = opened(read=empty)
    stream = adapter.read("p")
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert begun.wait(10)
    assert not adapter.exists("x")
    adapter.close(timeout=0.05)
    thread.join(10)
    assert [type(error).__mro__[1] for error in ends] == [StoreClosed]
