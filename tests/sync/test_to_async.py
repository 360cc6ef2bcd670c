"""SyncBackendAdapter: threads of its own, bounded memory, and nothing left after a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import io
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tests.sync.reference import DictBackend, Flow, as_backend

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
)
from remote_store.aio import AsyncStore, SyncBackendAdapter, _pump

pytestmark = pytest.mark.asyncio


@pytest.fixture
def backend() -> DictBackend:
    """A filled backend."""
    return DictBackend({"a/x": b"12345", "a/y": b"", "z": b"1"})


@pytest.fixture
def adapter(backend: DictBackend) -> SyncBackendAdapter:
    """An adapter around it."""
    return SyncBackendAdapter(as_backend(backend))


async def chunks(*items: Any, closed: list[bool] | None = None) -> AsyncIterator[Any]:
    try:
        for item in items:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        if closed is not None:
            closed.append(True)


def worker_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("remote-store")]


async def gone(what: Callable[[], Any]) -> None:
    """Wait until *what* is falsy."""
    for _ in range(500):
        if not what():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"still there: {what()}")


async def test_every_operation(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """Each call reaches the backend, off the loop's thread, and its result comes back."""
    assert [await adapter.exists("z"), await adapter.is_file("z")] == [True, True]
    assert await adapter.is_folder("a")
    assert await adapter.read_bytes("z") == b"1"
    assert [c async for c in adapter.read("a/x")] == [b"12345"]
    assert [c async for c in adapter.read("a/y")] == []
    assert (await adapter.write("n", b"12", metadata={"k": "v"})).metadata == {"k": "v"}
    assert (await adapter.write_atomic("n", chunks(b"1", b"", b"23"), overwrite=True)).size == 3
    assert (await adapter.get_file_info("n")).size == 3
    await adapter.move("n", "m")
    await adapter.copy("m", "c")
    await adapter.delete("m")
    assert sorted([f.name async for f in adapter.list_files("a")]) == ["x", "y"]
    assert [f.name async for f in adapter.list_folders("")] == ["a"]
    assert sorted([f.name async for f in adapter.iter_children("")]) == ["a", "c", "z"]
    with pytest.raises(CapabilityNotSupported):
        await anext(adapter.glob("*"))
    assert (await adapter.get_folder_info("a")).file_count == 2
    await adapter.delete_folder("a", recursive=True)
    await adapter.check_health()
    assert (adapter.name, adapter.capabilities) == ("dict", backend.capabilities)
    assert (adapter.native_path("."), adapter.to_key("k")) == ("", "k")
    assert adapter.resolve("k").backend == "dict"
    with pytest.raises(CapabilityNotSupported):
        adapter.unwrap(int)
    assert not adapter.close_is_terminal
    await adapter.aclose()
    assert backend.closed == 1
    assert {thread for _, thread in backend.calls} & {threading.main_thread()} == set()
    assert CapabilitySet(Capability) == SyncBackendAdapter.CAPABILITIES


async def test_store_wraps_by_itself(backend: DictBackend) -> None:
    """AsyncStore takes a sync backend; children share the adapter, a new store has its own."""
    store = AsyncStore(as_backend(backend), "a")
    child = store.child("b")
    assert await store.read_bytes("x") == b"12345"
    assert store._backend is child._backend
    assert store != AsyncStore(as_backend(backend), "a")
    await child.aclose()
    assert backend.closed == 0
    await store.aclose()
    assert backend.closed == 1


async def test_wrong_backends() -> None:
    """An async backend and a stranger are refused."""

    class Both(DictBackend):
        async def aclose(self) -> None: ...

    with pytest.raises(TypeError, match="Both is async"):
        SyncBackendAdapter(as_backend(Both()))
    with pytest.raises(TypeError, match="lacks name"):
        SyncBackendAdapter(as_backend(object()))


@pytest.mark.parametrize(
    "error", [NotFound("x", path="z"), OSError(5, "x"), KeyError("k"), ZeroDivisionError()]
)
async def test_exceptions_are_the_same_object(
    adapter: SyncBackendAdapter, backend: DictBackend, error: Exception
) -> None:
    """What the backend raises is what the caller gets, from every kind of call (ERR-001)."""

    def fail(name: str) -> None:
        raise error

    backend.on_call = fail
    calls: list[Callable[[], Any]] = [
        lambda: adapter.exists("z"),
        lambda: adapter.write("n", b""),
        lambda: adapter.write("n", chunks(b"1")),
        lambda: anext(adapter.read("z")),
        lambda: anext(adapter.list_files("")),
        adapter.aclose,
    ]
    for call in calls:
        with pytest.raises(type(error)) as caught:
            await call()
        assert caught.value is error


@pytest.mark.parametrize("call", ["exists", "write", "stream", "read", "list_files"])
async def test_stop_iteration_does_not_hang(
    adapter: SyncBackendAdapter, backend: DictBackend, call: str
) -> None:
    """StopIteration from the backend arrives as a RuntimeError caused by it; nothing hangs."""

    def fail(name: str) -> None:
        raise StopIteration

    backend.on_call = fail
    awaitables: dict[str, Callable[[], Any]] = {
        "exists": lambda: adapter.exists("z"),
        "write": lambda: adapter.write("n", b""),
        "stream": lambda: adapter.write("n", chunks(b"1")),
        "read": lambda: anext(adapter.read("z")),
        "list_files": lambda: anext(adapter.list_files("")),
    }
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError) as caught:
            await awaitables[call]()
    assert isinstance(caught.value.__cause__, StopIteration)


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")


async def test_context_variables_go_along(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """Each call sees the context of the task that made it."""
    seen = []
    backend.on_call = lambda name: seen.append((name, variable.get()))

    async def one(value: str) -> None:
        variable.set(value)
        await adapter.exists(value)
        await adapter.write(value, chunks(b"1"))
        await anext(adapter.read(value))
        await anext(adapter.list_files(""))

    await asyncio.gather(*(one(str(n)) for n in range(4)))
    assert sorted(seen) == sorted(
        (name, str(n)) for n in range(4) for name in ("exists", "write", "read", "list_files")
    )


async def test_slow_calls_leave_the_default_executor_alone(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """64 slow calls delay neither to_thread nor a name lookup, on a bounded number of threads."""
    before = set(worker_threads())
    release = threading.Event()
    backend.on_call = lambda name: release.wait(30)
    slow = [asyncio.create_task(adapter.exists(str(n))) for n in range(64)]
    await asyncio.sleep(0.1)
    try:
        start = time.perf_counter()
        async with asyncio.timeout(5):
            await asyncio.to_thread(time.sleep, 0)
            await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        assert time.perf_counter() - start < 1
        assert 0 < len(set(worker_threads()) - before) <= 32
    finally:
        release.set()
    assert await asyncio.gather(*slow) == [False] * 64


async def test_more_streamed_writes_than_threads_that_wait_for_each_other(
    adapter: SyncBackendAdapter,
) -> None:
    """A source may wait until other writes have begun: 80 at once, no deadlock."""
    begun: set[int] = set()
    all_begun = asyncio.Event()

    async def source(n: int) -> AsyncIterator[bytes]:
        begun.add(n)
        if len(begun) == 80:
            all_begun.set()
        await all_begun.wait()
        yield await adapter.read_bytes("z")

    async with asyncio.timeout(30):
        await asyncio.gather(*(adapter.write(f"n{n}", source(n)) for n in range(80)))


# Streamed writes -----------------------------------------------------------------


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


@pytest.mark.parametrize("bad", ["text", 3, None, bytearray(b"1")])
async def test_wrong_content(adapter: SyncBackendAdapter, backend: DictBackend, bad: Any) -> None:
    """Chunks and contents that are not bytes are TypeErrors; nothing is written."""
    with pytest.raises(TypeError):
        await adapter.write("n", chunks(bad))
    with pytest.raises(TypeError):
        await adapter.write("n", bad)
    assert "n" not in backend.files


async def test_reading_after_the_write_fails(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """A backend that keeps the file gets an error from it later, and does not hang."""
    kept = []
    backend.write = lambda path, file, **options: kept.append(file)  # type: ignore[method-assign, assignment]
    await adapter.write("n", chunks(b"1"))
    with pytest.raises(ValueError, match="after the write"):
        await asyncio.to_thread(kept[0].read)


# Cancellation ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["write", "write_atomic", "delete", "move", "copy", "delete_folder"]
)
async def test_cancelled_change_waits_for_its_thread(
    adapter: SyncBackendAdapter, backend: DictBackend, name: str
) -> None:
    """CancelledError comes when the thread is done, so nothing changes afterwards (CANCEL-003)."""
    begun, release, done = threading.Event(), threading.Event(), threading.Event()
    real = getattr(backend, name)

    def slow(*args: Any, **options: Any) -> Any:
        begun.set()
        assert release.wait(30)
        try:
            return real(*args, **options)
        finally:
            done.set()

    setattr(backend, name, slow)
    arguments: dict[str, tuple[Any, ...]] = {
        "write": ("n", b"1"),
        "write_atomic": ("n", b"1"),
        "delete": ("z",),
        "move": ("z", "n"),
        "copy": ("z", "n"),
        "delete_folder": ("a",),
    }
    task = asyncio.create_task(getattr(adapter, name)(*arguments[name]))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


@pytest.mark.parametrize("where", ["source", "backend"])
async def test_cancelled_stream_fails_in_the_backend(
    adapter: SyncBackendAdapter, backend: DictBackend, where: str
) -> None:
    """Cancelled while the source or the backend works: the next read fails, nothing is written."""
    backend.files["n"] = b"old"
    reached = threading.Event()
    release = threading.Event()
    closed: list[bool] = []
    ended: list[BaseException] = []

    async def source() -> AsyncIterator[bytes]:
        try:
            yield b"1"
            if where == "source":
                reached.set()
                await asyncio.sleep(30)
            for _ in range(1 << 20):
                yield bytes(1 << 20)
        finally:
            closed.append(True)

    real = backend.write

    def write(path: str, content: Any, **options: Any) -> Any:
        try:
            content.read(1)
            if where == "backend":
                reached.set()
                release.wait(30)
            return real(path, content, **options)
        except BaseException as error:
            ended.append(error)
            raise

    backend.write = write  # type: ignore[method-assign]
    task = asyncio.create_task(AsyncStore(adapter).write("n", source(), overwrite=True))
    await asyncio.to_thread(reached.wait)
    task.cancel()
    if where == "backend":
        await asyncio.sleep(0.05)
        assert not task.done()
        release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(ended[0], _pump.ContentAbandoned)
    assert closed == [True]
    assert backend.files["n"] == b"old"
    await gone(lambda: [t for t in worker_threads() if t.name == "remote-store-write"])


async def test_cancelled_query_is_left_behind(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """A call that changes nothing is abandoned at once (CANCEL-004)."""
    release = threading.Event()
    backend.on_call = lambda name: release.wait(30)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await adapter.exists("z")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(adapter.read("z"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(adapter.list_files(""))
    finally:
        release.set()
    # The read that was opened after all is closed by the thread that opened it.
    await gone(lambda: not backend.streams or not backend.streams[0].closed)


# Reads and listings ------------------------------------------------------------------


async def test_read_hops(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """A read crosses in steps of 2 MiB, whatever the stream hands out at once."""

    class Trickle(Flow):
        def readinto(self, buffer: Any, /) -> int:
            return super().readinto(memoryview(buffer)[:10_000])

    for stream in (Flow(3_500_000), Trickle(3_500_000)):
        backend.read = lambda path, stream=stream: stream  # type: ignore[method-assign, misc]
        sizes = [len(chunk) async for chunk in adapter.read("z")]
        assert sum(sizes) == 3_500_000
        assert len(sizes) == 2
        assert stream.closed


async def test_small_file_is_one_hop(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """Opening, reading and closing a small file takes one visit to a thread."""
    hops: list[str] = []
    query = adapter._pool.query
    adapter._pool = Counting(query, hops)  # type: ignore[assignment]
    assert [c async for c in adapter.read("z")] == [b"1"]
    assert len(hops) == 1
    assert backend.streams[0].closed


class Counting:
    def __init__(self, query: Any, hops: list[str]) -> None:
        self._query = query
        self._hops = hops

    async def query(self, function: Any, *args: Any) -> Any:
        self._hops.append("query")
        return await self._query(function, *args)


@pytest.mark.parametrize("how", ["aclose", "cancel", "error", "exhausted"])
async def test_stream_is_closed_in_a_thread(
    adapter: SyncBackendAdapter, backend: DictBackend, how: str
) -> None:
    """However a read ends, its stream is closed, and never on the loop's thread (READ-007)."""
    stream = Flow(9 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    chunks = adapter.read("z")
    await anext(chunks)
    await gone(lambda: stream.left > 5 << 20)  # the next hop is fetched ahead
    if how == "aclose":
        await chunks.aclose()
        assert stream.closed
    elif how == "exhausted":
        assert sum([len(c) async for c in chunks]) == 7 << 20
        assert stream.closed
    elif how == "error":
        stream.readinto = lambda buffer: 1 // 0  # type: ignore[method-assign]
        with pytest.raises(ZeroDivisionError):
            [c async for c in chunks]
        assert stream.closed
    else:
        begun, release = threading.Event(), threading.Event()

        def slow(buffer: Any) -> int:
            begun.set()
            release.wait(30)
            return 0

        stream.readinto = slow  # type: ignore[method-assign]
        await anext(chunks)
        task = asyncio.ensure_future(anext(chunks))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not stream.closed
        release.set()
        await gone(lambda: not stream.closed)
    assert stream.closer is not threading.main_thread()


async def test_chunks_before_an_error_arrive(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """Entries that were listed before an error are yielded before it is raised."""

    def broken(path: str, **options: Any) -> Iterator[str]:
        yield "a"
        yield "b"
        raise PermissionError

    backend.list_files = broken  # type: ignore[method-assign, assignment]
    items: Any = adapter.list_files("")
    assert [await anext(items), await anext(items)] == ["a", "b"]
    with pytest.raises(PermissionError):
        await anext(items)


@pytest.mark.parametrize("name", ["list_files", "list_folders", "iter_children", "glob"])
async def test_listing_is_incremental_and_closed(
    adapter: SyncBackendAdapter, backend: DictBackend, name: str
) -> None:
    """A listing of a million entries yields its first after a page, and is closed when left."""
    made = 0
    closed_in = []

    def endless(path: str, **options: Any) -> Iterator[int]:
        nonlocal made
        try:
            while made < 1_000_000:
                made += 1
                yield made
        finally:
            closed_in.append(threading.current_thread())

    setattr(backend, name, endless)
    items = getattr(adapter, name)("")
    assert [await anext(items), await anext(items)] == [1, 2]
    assert made <= 1000
    await items.aclose()
    assert len(closed_in) == 1
    assert closed_in[0] is not threading.main_thread()
    assert made <= 1000


async def test_slow_listing_is_not_held_back(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """Entries that come slowly are handed over before the page is full."""

    def slow(path: str, **options: Any) -> Iterator[int]:
        for n in range(100):
            time.sleep(0.03)
            yield n

    backend.list_files = slow  # type: ignore[method-assign, assignment]
    start = time.perf_counter()
    items = adapter.list_files("")
    await anext(items)
    assert time.perf_counter() - start < 1
    await items.aclose()


# Lifecycle ------------------------------------------------------------------------


async def test_nothing_is_left(backend: DictBackend) -> None:
    """1,000 stores opened, used and closed leave no thread, task or descriptor."""
    gc.collect()  # of what tests before this one left open
    before = set(worker_threads())
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(1000):
        async with AsyncStore(as_backend(backend)) as store:
            await store.exists("z")
    await gone(lambda: set(worker_threads()) - before)
    assert backend.closed == 1000
    assert len(asyncio.all_tasks()) == 1
    assert len(os.listdir("/proc/self/fd")) <= descriptors


async def test_works_from_loop_to_loop(adapter: SyncBackendAdapter) -> None:
    """One adapter serves several loops at the same time, also after a close."""

    def other() -> bytes:
        return asyncio.run(adapter.read_bytes("z"))

    assert await asyncio.gather(*(asyncio.to_thread(other) for _ in range(4))) == [b"1"] * 4
    await adapter.aclose()
    await adapter.aclose()
    assert await adapter.read_bytes("z") == b"1"


async def test_pickles_as_its_backend() -> None:
    """An adapter is rebuilt around a copy of its backend, with threads of its own."""
    again = pickle.loads(pickle.dumps(SyncBackendAdapter(as_backend(Plain()))))
    assert await again.exists("") is True


class Plain(DictBackend):
    def __reduce__(self) -> Any:
        return Plain, ()


CLOSED_LOOP = """
import asyncio, sys, threading
sys.path.insert(0, {root!r})
from tests.sync.reference import DictBackend
from remote_store.aio import SyncBackendAdapter
backend = DictBackend()
adapter = SyncBackendAdapter(backend)
async def source():
    yield b"1"
    await asyncio.sleep(3600)
loop = asyncio.new_event_loop()
task = loop.create_task(adapter.write("n", source()))
async def begun():
    while not backend.calls:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
loop.run_until_complete(begun())
{end}
for thread in threading.enumerate():
    if thread.name == "remote-store-write":
        thread.join(10)
        print("alive" if thread.is_alive() else "ended")
print(sorted(backend.files))
"""


@pytest.mark.parametrize(
    ("end", "printed"),
    [
        # The loop is closed under a write that waits for its source.
        ("loop.close()", "ended\n[]\n"),
        # It is never run again: the thread must not keep the process.
        ("print('exit'); import os; sys.exit(0)", "exit\n"),
    ],
)
async def test_loop_that_is_gone_releases_the_thread(end: str, printed: str) -> None:
    """A write whose loop is closed fails in its thread; a loop that is left blocks no exit."""
    root = os.getcwd()
    code = CLOSED_LOOP.format(root=root, end=end)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == printed, done.stderr
    assert done.returncode == 0


async def test_invalid_path_of_a_default_member(adapter: SyncBackendAdapter) -> None:
    """Errors of the backend keep its key and name."""
    with pytest.raises(InvalidPath) as caught:
        await adapter.delete("a")
    assert (caught.value.path, caught.value.backend) == ("a", "dict")


async def test_one_hop_is_fetched_ahead(adapter: SyncBackendAdapter, backend: DictBackend) -> None:
    """While a chunk is worked on the next is read, and no more; leaving then waits for it."""
    stream = Flow(100 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    items = adapter.read("z")
    chunk = await anext(items)
    await gone(lambda: stream.left != (100 << 20) - 2 * len(chunk))
    await asyncio.sleep(0.05)
    assert stream.left == (100 << 20) - 2 * len(chunk)
    await items.aclose()
    assert stream.closed
    assert len(asyncio.all_tasks()) == 1


async def test_leaving_while_a_hop_is_in_flight(
    adapter: SyncBackendAdapter, backend: DictBackend
) -> None:
    """``aclose`` waits for the thread that reads ahead, which then closes the stream itself."""
    stream = Flow(100 << 20)
    backend.read = lambda path: stream  # type: ignore[method-assign, assignment, return-value]
    begun, release = threading.Event(), threading.Event()
    real = stream.readinto

    def slow(buffer: Any) -> int:
        if stream.left < 97 << 20:
            begun.set()
            release.wait(30)
        return real(buffer)

    stream.readinto = slow  # type: ignore[method-assign]
    items = adapter.read("z")
    await anext(items)
    await anext(items)
    await asyncio.to_thread(begun.wait)
    closing = asyncio.ensure_future(items.aclose())
    await asyncio.sleep(0.05)
    assert not closing.done()
    release.set()
    await closing
    assert stream.closed
    assert stream.closer is not threading.main_thread()
