"""AsyncBackendSyncAdapter: calls, streams and listings."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import io
import logging
import os
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from tests.sync.reference import DictBackend, as_backend

from remote_store import (
    AlreadyExists,
    AsyncBackendSyncAdapter,
    Backend,
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    Store,
)
from remote_store._to_sync import _AsyncIteratorBridge, _SyncSafeHandleProvider
from remote_store.aio import AsyncBackend, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend


class Scripted:
    """Memory, with any member replaced; an async backend by its members alone."""

    def __init__(self, **members: Any) -> None:
        self._inner = AsyncMemoryBackend()
        self._members = members

    def __getattr__(self, name: str) -> Any:
        if name in self._members:
            return self._members[name]
        if name in ("glob", "sync_safe_unwrap", "_members"):
            raise AttributeError(name)
        return getattr(self._inner, name)


def scripted(**members: Any) -> AsyncBackend:
    return cast("AsyncBackend", Scripted(**members))


@pytest.fixture
def adapter() -> Iterator[AsyncBackendSyncAdapter]:
    """An adapter around memory with a few files, closed after the test."""
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        adapter.write("a/x", b"12345", metadata={"k": "v"})
        adapter.write("a/y", b"")
        adapter.write("z", b"1")
        yield adapter


def opened(**members: Any) -> AsyncBackendSyncAdapter:
    return AsyncBackendSyncAdapter(scripted(**members))


def test_every_operation(adapter: AsyncBackendSyncAdapter) -> None:
    """Each call reaches the backend and its result comes back."""
    assert isinstance(adapter, Backend)
    assert [adapter.exists("z"), adapter.is_file("z"), adapter.is_folder("z")] == [
        True,
        True,
        False,
    ]
    assert adapter.read_bytes("a/x") == b"12345"
    assert adapter.get_file_info("a/x").metadata == {"k": "v"}
    assert adapter.get_folder_info("").file_count == 3
    assert sorted(f.name for f in adapter.list_files("", recursive=True)) == ["x", "y", "z"]
    assert [f.name for f in adapter.list_folders("")] == ["a"]
    assert sorted(f.name for f in adapter.iter_children("")) == ["a", "z"]
    adapter.move("z", "m")
    adapter.copy("m", "c")
    adapter.delete("m")
    adapter.delete("m", missing_ok=True)
    adapter.delete_folder("a", recursive=True)
    adapter.check_health()
    assert [f.name for f in adapter.list_files("")] == ["c"]
    assert (adapter.name, adapter.native_path("k"), adapter.to_key("k")) == (
        "async-memory",
        "k",
        "k",
    )
    assert adapter.resolve("k").backend == "async-memory"
    with pytest.raises(CapabilityNotSupported):
        next(adapter.glob("*"))


def test_capabilities(adapter: AsyncBackendSyncAdapter) -> None:
    """All of the backend's but SEEKABLE_READ; always the same object."""
    inner = set(AsyncMemoryBackend().capabilities)
    assert Capability.SEEKABLE_READ in inner
    assert set(adapter.capabilities) == inner - {Capability.SEEKABLE_READ}
    assert adapter.capabilities is adapter.capabilities
    assert adapter.close_is_terminal is False


@pytest.mark.parametrize("thing", [object(), DictBackend(), AsyncMemoryBackend, None])
def test_only_async_backends(thing: Any) -> None:
    """Anything else is a TypeError that names AsyncBackend and the type; no thread is left."""
    before = threading.active_count()
    with pytest.raises(TypeError, match=f"AsyncBackend, got {type(thing).__name__}"):
        AsyncBackendSyncAdapter(thing)
    assert threading.active_count() == before


def test_unwrap() -> None:
    """Only a backend with sync_safe_unwrap hands out a handle, by inheritance or structure."""

    class Safe(AsyncMemoryBackend, _SyncSafeHandleProvider):
        def sync_safe_unwrap(self, type_hint: type[Any]) -> Any:
            return type_hint(3)

    with AsyncBackendSyncAdapter(Safe()) as adapter:
        assert adapter.unwrap(float) == 3.0
    with opened(sync_safe_unwrap=lambda hint: hint(4)) as adapter:
        assert adapter.unwrap(int) == 4
    with (
        opened() as adapter,
        pytest.raises(CapabilityNotSupported, match="AsyncBackendSyncAdapter") as no,
    ):
        adapter.unwrap(int)
    assert no.value.capability == "unwrap"


@pytest.mark.parametrize(
    "error",
    [NotFound("m", path="p"), BackendUnavailable("b"), OSError(5, "x"), StopAsyncIteration("s"),
     KeyError("k"), SystemExit(3), asyncio.CancelledError("c")],
)  # fmt: skip
def test_exceptions_are_the_same_object(error: BaseException) -> None:
    """What the backend raises is what the caller gets; the loop survives even SystemExit."""

    async def fail(*args: Any) -> None:
        raise error

    with opened(exists=fail, check_health=fail) as adapter:
        for call in (lambda: adapter.exists("a"), adapter.check_health):
            with pytest.raises(type(error)) as caught:
                call()
            # A cancellation is told by the task, in an exception of its own.
            assert caught.value is error or isinstance(error, asyncio.CancelledError)
        assert adapter.is_folder("")


def test_stop_iteration_does_not_hang() -> None:
    """No coroutine can raise StopIteration: a RuntimeError with it as cause arrives."""

    async def fail(*args: Any) -> bool:
        raise StopIteration

    with opened(exists=fail) as adapter, pytest.raises(RuntimeError, match="StopIteration"):
        adapter.exists("a")


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")


def test_context_variables_go_along() -> None:
    """A call sees the context of the thread that made it, whoever else calls at the time."""

    async def exists(path: str) -> bool:
        await asyncio.sleep(0)
        return path == variable.get()

    with opened(exists=exists) as adapter:

        def use(value: str) -> None:
            variable.set(value)
            answers.extend(adapter.exists(value) for _ in range(200))

        answers: list[bool] = []
        threads = [threading.Thread(target=use, args=(str(n),)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [True] * 1600


# Writing -----------------------------------------------------------------------------


CONTENTS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"abc",
    "bytearray": lambda: bytearray(b"abc"),
    "memoryview": lambda: memoryview(b"abc"),
    "file": lambda: io.BytesIO(b"abc"),
    "iterable": lambda: iter([b"a", b"bc"]),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("name", ["write", "write_atomic"])
def test_contents(adapter: AsyncBackendSyncAdapter, kind: str, name: str) -> None:
    """Every form of content is written whole, with its metadata."""
    source = CONTENTS[kind]()
    result = getattr(adapter, name)("n", source, metadata={"a": "b"})
    assert (result.size, result.source, result.metadata) == (3, "native", {"a": "b"})
    assert adapter.read_bytes("n") == b"abc"
    assert not getattr(source, "closed", False)


def test_failing_source(adapter: AsyncBackendSyncAdapter) -> None:
    """The file's error passes as the same object, and nothing is written."""
    error = OSError("source")

    class Broken(io.RawIOBase):
        def readinto(self, buffer: Any) -> int:
            raise error

    with pytest.raises(OSError, match="source") as caught:
        adapter.write("n", Broken())
    assert caught.value is error
    assert not adapter.exists("n")
    with pytest.raises(TypeError):
        adapter.write("n", "text")  # type: ignore[arg-type]


def test_copy_through_its_own_stream(adapter: AsyncBackendSyncAdapter) -> None:
    """A stream of the adapter can be the source of a write to it."""
    with adapter.read("a/x") as stream:
        assert adapter.write("copy", stream).size == 5
    assert adapter.read_bytes("copy") == b"12345"


def test_open_atomic(adapter: AsyncBackendSyncAdapter) -> None:
    """Published at the end, not at all after an error; conflicts appear at the end."""
    with adapter.open_atomic("n") as file:
        file.write(b"12")
        assert not adapter.exists("n")
    assert adapter.read_bytes("n") == b"12"
    with pytest.raises(ZeroDivisionError), adapter.open_atomic("m") as file:
        raise ZeroDivisionError
    assert not adapter.exists("m")
    manager = adapter.open_atomic("n")
    file = manager.__enter__()
    file.write(b"34")
    with pytest.raises(AlreadyExists):
        manager.__exit__(None, None, None)
    manager.__exit__(None, None, None)
    assert adapter.read_bytes("n") == b"12"


def test_read_seekable(adapter: AsyncBackendSyncAdapter) -> None:
    """The forward-only stream is copied into one that can seek."""
    with adapter.read_seekable("a/x") as stream:
        assert stream.seek(3) == 3
        assert stream.read() == b"45"


# Streams -------------------------------------------------------------------------------


class Chunks:
    """An async iterator over chunks and errors that remembers what was done to it."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)
        self.pulled = 0
        self.closed = 0
        self.running = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.running += 1
        assert self.running == 1
        await asyncio.sleep(0)
        self.running -= 1
        if not self.items:
            raise StopAsyncIteration
        self.pulled += 1
        item = self.items.pop(0)
        if isinstance(item, BaseException):
            raise item
        return cast("bytes", item)

    async def aclose(self) -> None:
        self.closed += 1


def reading(chunks: Chunks) -> AsyncBackendSyncAdapter:
    return opened(read=lambda path: chunks)


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


# Listings ------------------------------------------------------------------------------


def test_listing_pulls_one_by_one() -> None:
    """Each ``next`` pulls one entry; nothing is gathered."""
    items = Chunks("a", "b", "c")
    with opened(list_files=lambda path, **options: items) as adapter:
        found: Any = adapter.list_files("")
        assert items.pulled == 0
        assert (next(found), items.pulled) == ("a", 1)
        assert (next(found), items.pulled) == ("b", 2)
        found.close()
        assert items.closed >= 1
        assert list(found) == []


@pytest.mark.parametrize("error", [None, OSError("x")])
def test_ended_listing_stays_ended(error: Exception | None) -> None:
    """After its end or an error a listing stops for ever."""
    items = Chunks("a", *([error, "b"] if error else []))
    with opened(list_folders=lambda path: items) as adapter:
        found: Any = adapter.list_folders("")
        assert next(found) == "a"
        if error:
            with pytest.raises(OSError, match="x") as caught:
                next(found)
            assert caught.value is error
        for _ in range(3):
            with pytest.raises(StopIteration):
                next(found)


@pytest.mark.parametrize("how", ["del", "best effort", "store"])
def test_left_listing_is_closed(how: str) -> None:
    """A listing that is left early has the backend's generator closed."""
    closed = threading.Event()

    async def endless(path: str, **options: Any) -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            closed.set()

    with opened(list_files=endless) as adapter:
        if how == "store":
            items = Store(adapter).list_files("")
            with pytest.raises(AttributeError):  # a str is no FileInfo
                next(items)
            assert closed.is_set()
            return
        bridge = adapter.list_files("")
        assert isinstance(bridge, _AsyncIteratorBridge)
        next(bridge)
        if how == "del":
            del bridge
            gc.collect()
        else:
            bridge._aclose_best_effort()
        assert closed.wait(10)


def test_bridge_over_any_async_iterator(adapter: AsyncBackendSyncAdapter) -> None:
    """It can be built over an iterator that cannot be closed."""

    class Bare:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return self.left

    assert list(_AsyncIteratorBridge(adapter, Bare())) == [1, 0]
    bridge = _AsyncIteratorBridge(adapter, Bare())
    next(bridge)
    bridge.close()
    bridge._aclose_best_effort()


def test_glob_uses_the_backends(adapter: AsyncBackendSyncAdapter) -> None:
    """A backend's own glob is reached; one that lacks it answers by the protocol's default."""
    with opened() as plain, pytest.raises(CapabilityNotSupported):
        next(plain.glob("*"))
    with opened(glob=lambda pattern: Chunks(pattern)) as own:
        assert [*map(str, own.glob("x*"))] == ["x*"]


# Both bridges ----------------------------------------------------------------------------


def test_bridge_over_bridge() -> None:
    """Sync behind async behind sync behaves as the backend itself."""
    backend = DictBackend({"a/x": b"12345"})
    twice = AsyncBackendSyncAdapter(SyncBackendAdapter(as_backend(backend)))
    content = os.urandom(3_000_000)
    with Store(twice) as store:
        assert store.write("n", io.BytesIO(content)).size == len(content)
        with store.read("n") as stream:
            assert stream.read() == content
        assert sorted(f.path.as_posix() for f in store.list_files("", recursive=True)) == [
            "a/x",
            "n",
        ]
        with pytest.raises(AlreadyExists):
            store.write("n", (b"" for _ in range(2)))
        with pytest.raises(InvalidPath):
            store.read_bytes("a")
    assert backend.closed == 1


def test_pickles_as_its_backend() -> None:
    """A copy is built around a copy of the backend, on a loop of its own."""
    inner = SyncBackendAdapter(as_backend(Plain()))
    with (
        AsyncBackendSyncAdapter(inner) as adapter,
        pickle.loads(pickle.dumps(adapter)) as again,
    ):
        assert again.exists("")
        assert again._loop is not adapter._loop


class Plain(DictBackend):
    def __reduce__(self) -> Any:
        return Plain, ()
