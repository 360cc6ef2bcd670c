"""The sync store: order of checks, what reaches the backend, and what is closed."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from tests.sync.reference import DictBackend, as_backend

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    OperationEvent,
    RemotePath,
    Store,
    hookimpl,
    register_plugin,
    unregister_plugin,
)
from remote_store.ext.glob import glob_files

FILES = {"root/a/x.csv": b"12345", "root/a/b/y.csv": b"1", "root/z.txt": b"", "other": b"?"}


@pytest.fixture
def backend() -> DictBackend:
    """A filled backend."""
    return DictBackend(FILES)


@pytest.fixture
def store(backend: DictBackend) -> Store:
    """A store for one folder of it."""
    return Store(as_backend(backend), "root")


def paths(items: Iterator[Any]) -> list[str]:
    return sorted(item.path.as_posix() for item in items)


def test_reads_and_writes(store: Store, backend: DictBackend) -> None:
    """Content goes through unchanged, results are relative to the store."""
    assert store.read_bytes("a/x.csv") == b"12345"
    assert store.read_text("/a//x.csv") == "12345"
    with store.read("a/x.csv") as stream:
        assert stream.read(2) == b"12"
    assert stream.closed
    result = store.write("n/m", b"1", metadata={"k": "v"})
    assert (result.path, result.size, result.metadata) == (RemotePath("n/m"), 1, {"k": "v"})
    assert store.write_text("t", "ä", encoding="latin-1").size == 1
    assert store.write_atomic("t", b"12", overwrite=True).size == 2
    assert backend.files["root/t"] == b"12"
    assert store.head("t").source == "sidecar"
    assert store.get_file_info("n/m").path == RemotePath("n/m")


SOURCES: dict[str, Callable[[], Any]] = {
    "bytearray": lambda: bytearray(b"abc"),
    "memoryview": lambda: memoryview(b"abc"),
    "list": lambda: [b"a", b"", bytearray(b"bc")],
    "generator": lambda: (c for c in (b"a", b"bc")),
    "file": lambda: io.BytesIO(b"abc"),
    "buffered": lambda: io.BufferedReader(io.BytesIO(b"abc")),
    "duck": lambda: type("Duck", (), {"read": io.BytesIO(b"abc").read})(),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(store: Store, backend: DictBackend, kind: str) -> None:
    """Every kind of content is written whole; a file stays open."""
    source = SOURCES[kind]()

    assert store.write("n", source).size == 3
    assert backend.files["root/n"] == b"abc"
    assert not getattr(source, "closed", False)


async def _chunks() -> Any:
    yield b""


class AsyncFile:
    async def read(self, size: int) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("text", "write_text"),
        (io.StringIO("text"), "write_text"),
        (_chunks(), "AsyncStore"),
        (AsyncFile(), "AsyncStore"),
        (3, "got int"),
        (None, "got NoneType"),
    ],
)
def test_wrong_source(store: Store, backend: DictBackend, source: Any, hint: str) -> None:
    """What is no content is refused before anything is looked at, and the message says more."""
    with pytest.raises(TypeError, match=hint):
        store.write("../bad", source)
    assert backend.calls == []


@pytest.mark.parametrize(
    "source", [["text"], [b"a", 3], type("F", (), {"read": lambda s, n: "t"})()]
)
def test_wrong_chunks(store: Store, backend: DictBackend, source: Any) -> None:
    """A chunk that is not bytes is a TypeError, and nothing is written."""
    with pytest.raises(TypeError, match="must consist of bytes"):
        store.write("n", source)
    assert "root/n" not in backend.files


def test_failing_source_is_not_the_end(store: Store, backend: DictBackend) -> None:
    """A backend that reads on after the source's error gets that error again, never the end."""
    error = OSError("source")

    def source() -> Iterator[bytes]:
        yield b"1"
        raise error

    seen = []

    def greedy(path: str, content: Any, **options: Any) -> Any:
        content.read(1)
        for _ in range(2):
            try:
                seen.append(content.read(1))
            except OSError as raised:
                seen.append(raised)
        raise seen[0]

    backend.write = greedy  # type: ignore[method-assign]
    with pytest.raises(OSError, match="source") as caught:
        store.write("n", source())
    assert caught.value is error
    assert seen == [error, error]


@pytest.mark.parametrize("path", ["n", "a/x.csv", "", "../x"])
def test_generator_is_closed_in_every_case(store: Store, path: str) -> None:
    """Written, refused by the backend or by the store: the generator handed in is closed."""
    closed = []

    def source() -> Iterator[bytes]:
        try:
            yield b"1"
            yield b"2"
        finally:
            closed.append(True)

    content = source()
    next(content)
    with contextlib.suppress(AlreadyExists, InvalidPath):
        store.write(path, content)
    assert closed == [True]


def test_listings(store: Store) -> None:
    """Listings are rebased, filtered and bounded as those of the async store."""
    assert paths(store.list_files("")) == ["z.txt"]
    assert paths(store.list_files("", recursive=True)) == ["a/b/y.csv", "a/x.csv", "z.txt"]
    assert paths(store.list_files("", max_depth=1)) == ["a/x.csv", "z.txt"]
    assert paths(store.list_files("", max_depth=0, recursive=True)) == ["z.txt"]
    assert paths(store.list_files("", recursive=True, pattern="?.csv")) == ["a/b/y.csv", "a/x.csv"]
    assert paths(store.list_folders("")) == ["a"]
    assert paths(store.list_folders("", max_depth=1)) == ["a", "a/b"]
    assert paths(store.iter_children("a")) == ["a/b", "a/x.csv"]
    assert paths(store.list_files("gone")) == []
    assert paths(glob_files(store, "**/*.csv")) == ["a/b/y.csv", "a/x.csv"]
    assert paths(glob_files(store, "a/*.csv")) == ["a/x.csv"]
    assert store.get_folder_info("").file_count == 3
    assert store.get_folder_info("", max_depth=0).file_count == 1
    assert store.get_folder_info("a", max_depth=9).path == RemotePath("a")


LAZY: dict[str, tuple[Callable[[Store], Iterator[Any]], type[Exception]]] = {
    "list_files depth": (lambda s: s.list_files("..", max_depth=-1), ValueError),
    "list_files path": (lambda s: s.list_files(".."), InvalidPath),
    "list_folders depth": (lambda s: s.list_folders("..", max_depth=-1), ValueError),
    "list_folders path": (lambda s: s.list_folders(".."), InvalidPath),
    "iter_children": (lambda s: s.iter_children("a/.."), InvalidPath),
    "glob": (lambda s: s.glob(".."), CapabilityNotSupported),
    "glob_files": (lambda s: glob_files(s, "../*"), InvalidPath),
}


@pytest.mark.parametrize("name", LAZY)
def test_listing_errors_appear_at_first_next(store: Store, name: str) -> None:
    """A listing that cannot work says so at the first ``next``, not at the call."""
    call, error = LAZY[name]
    items = call(store)
    with pytest.raises(error):
        next(items)


@pytest.mark.parametrize("name", ["list_files", "list_folders", "iter_children", "glob"])
@pytest.mark.parametrize("how", ["close", "break", "error", "exhausted"])
def test_backend_iterators_are_closed(
    store: Store, backend: DictBackend, name: str, how: str
) -> None:
    """However a listing ends, the backend's generator is closed before it returns (LAZY-005)."""
    closed = []
    real = backend.list_folders if name == "list_folders" else backend.list_files

    def tracked(path: str, **options: Any) -> Iterator[Any]:
        try:
            yield from list(real("root")) * 3
        finally:
            closed.append(name)

    backend.capabilities = CapabilitySet(Capability)
    held = []  # else the count of references would close it, not the store

    def call(path: str, **options: Any) -> Iterator[Any]:
        held.append(tracked(path, **options))
        return held[-1]

    setattr(backend, name, call)
    fresh = Store(as_backend(backend), "root")
    items = fresh.glob("*") if name == "glob" else getattr(fresh, name)("")
    if how == "exhausted":
        list(items)
    else:
        next(items)
        if how == "error":
            with pytest.raises(ZeroDivisionError):
                items.throw(ZeroDivisionError())
        elif how == "close":
            items.close()
        else:
            for _ in items:
                break
            del items
    assert closed == [name]


GATED: list[tuple[str, Callable[[Store], Any], Capability]] = [
    ("read", lambda s: s.read(".."), Capability.READ),
    ("read_seekable", lambda s: s.read_seekable(".."), Capability.READ),
    ("read_bytes", lambda s: s.read_bytes(".."), Capability.READ),
    ("read_text", lambda s: s.read_text(".."), Capability.READ),
    ("write", lambda s: s.write("..", b""), Capability.WRITE),
    ("write_text", lambda s: s.write_text("..", ""), Capability.WRITE),
    ("write_atomic", lambda s: s.write_atomic("..", b""), Capability.ATOMIC_WRITE),
    ("open_atomic", lambda s: s.open_atomic("..").__enter__(), Capability.ATOMIC_WRITE),
    ("delete", lambda s: s.delete(".."), Capability.DELETE),
    ("delete_folder", lambda s: s.delete_folder(".."), Capability.DELETE),
    ("list_files", lambda s: list(s.list_files("..")), Capability.LIST),
    ("list_folders", lambda s: list(s.list_folders("..")), Capability.LIST),
    ("iter_children", lambda s: list(s.iter_children("..")), Capability.LIST),
    ("glob", lambda s: list(s.glob("..")), Capability.GLOB),
    ("move", lambda s: s.move("..", ".."), Capability.MOVE),
    ("copy", lambda s: s.copy("..", ".."), Capability.COPY),
    ("get_file_info", lambda s: s.get_file_info(".."), Capability.METADATA),
    ("head", lambda s: s.head(".."), Capability.METADATA),
    ("get_folder_info", lambda s: s.get_folder_info(".."), Capability.METADATA),
    ("depth", lambda s: s.get_folder_info("..", max_depth=1), Capability.LIST),
    ("metadata", lambda s: s.write("..", b"", metadata={"a": "b"}), Capability.USER_METADATA),
]


@pytest.mark.parametrize(("name", "call", "needed"), GATED, ids=[g[0] for g in GATED])
def test_gate_comes_before_path(
    backend: DictBackend, name: str, call: Callable[[Store], Any], needed: Capability
) -> None:
    """Without the capability an operation is refused first; with it the bad path is next."""
    backend.capabilities = CapabilitySet(set(Capability) - {needed})
    with pytest.raises(CapabilityNotSupported) as refused:
        call(Store(as_backend(backend)))
    assert refused.value.capability == needed.value

    backend.capabilities = CapabilitySet(Capability)
    with pytest.raises(InvalidPath):
        call(Store(as_backend(backend)))
    assert backend.calls == []


def test_atomic_write_needs_write_too(backend: DictBackend) -> None:
    """ATOMIC_WRITE without WRITE opens neither write_atomic nor open_atomic (CAP-007)."""
    backend.capabilities = CapabilitySet(set(Capability) - {Capability.WRITE})
    store = Store(as_backend(backend))
    for call in (lambda: store.write_atomic("n", b""), lambda: store.open_atomic("n").__enter__()):
        with pytest.raises(CapabilityNotSupported) as refused:
            call()
        assert refused.value.capability == "write"


def test_open_atomic(store: Store, backend: DictBackend) -> None:
    """A clean block publishes, a failing one leaves the file as it was; a conflict is reported."""
    with store.open_atomic("n") as file:
        file.write(b"12")
        assert "root/n" not in backend.files
    assert backend.files["root/n"] == b"12"
    with pytest.raises(ZeroDivisionError), store.open_atomic("n", overwrite=True) as file:
        file.write(b"3" * (1 // 0))
    assert backend.files["root/n"] == b"12"
    with pytest.raises(AlreadyExists), store.open_atomic("n") as file:
        file.write(b"3")
    with store.open_atomic("n", overwrite=True) as file:
        file.write(b"3")
    assert backend.files["root/n"] == b"3"


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._inner.readinto(buffer)


def test_read_seekable(store: Store, backend: DictBackend) -> None:
    """A stream that can seek is handed over; another one is copied and closed, also on failure."""
    stream = store.read_seekable("a/x.csv")
    assert stream is backend.streams[-1]
    stream.close()

    pipe = Pipe(b"12345")
    backend.read = lambda path: pipe  # type: ignore[method-assign, assignment, return-value]
    with store.read_seekable("a/x.csv") as copy:
        assert copy.seek(3) == 3
        assert copy.read() == b"45"
    assert pipe.closed

    broken = Pipe(b"")
    broken.readinto = lambda buffer: 1 // 0  # type: ignore[method-assign]
    backend.read = lambda path: broken  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        store.read_seekable("a/x.csv")
    assert broken.closed


def test_read_asks_the_backend_at_the_call(store: Store) -> None:
    """A missing file is known when it is opened."""
    with pytest.raises(NotFound):
        store.read("gone")


@pytest.mark.parametrize("name", ["move", "copy"])
def test_same_path(store: Store, backend: DictBackend, name: str) -> None:
    """Onto itself: nothing for a file, InvalidPath for a folder, NotFound for nothing."""
    call = getattr(store, name)
    call("a/x.csv", "a//./x.csv")
    with pytest.raises(InvalidPath):
        call("a", "a/")
    with pytest.raises(NotFound):
        call("gone", "./gone")
    assert not {"move", "copy"} & {n for n, _ in backend.calls}


def test_file_operations(store: Store, backend: DictBackend) -> None:
    """Move, copy and the two deletes reach the backend with its keys."""
    store.move("z.txt", "m")
    store.copy("m", "c")
    store.delete("m")
    store.delete("m", missing_ok=True)
    assert sorted(backend.files) == ["other", "root/a/b/y.csv", "root/a/x.csv", "root/c"]
    with pytest.raises(InvalidPath, match="store root"):
        store.delete_folder("")
    store.delete_folder("a", recursive=True)
    store.delete_folder("a", missing_ok=True)
    assert sorted(backend.files) == ["other", "root/c"]
    assert [store.exists("c"), store.is_file("c"), store.is_folder("c")] == [True, True, False]


def test_introspection(store: Store) -> None:
    """Members that a structural backend lacks come from the protocol."""
    assert store.native_path("a") == "root/a"
    assert store.to_key("root/a") == "a"
    assert store.to_key("root") == ""
    with pytest.raises(InvalidPath):
        store.to_key("other")
    assert store.resolve("./a").key == "./a"
    assert store.supports(Capability.READ)
    assert not store.supports(Capability.GLOB)
    with pytest.raises(CapabilityNotSupported):
        store.unwrap(int)
    store.ping()
    assert repr(store) == "Store(backend='dict', root_path='root')"


def test_identity_and_ownership(backend: DictBackend) -> None:
    """Equality is by backend and root; only the store that was constructed closes."""
    with Store(as_backend(backend)) as store:
        child = store.child("root").child("a")
        assert child == Store(as_backend(backend), "root/a", owns_backend=False)
        assert hash(child) == hash(store.child("root/a"))
        assert child != store
        assert store != as_backend(backend)
        with child:
            pass
        assert backend.closed == 0
    assert backend.closed == 1


def test_what_is_no_sync_backend() -> None:
    """An async backend and a stranger are refused with what to do."""

    class Coroutines(DictBackend):
        async def aclose(self) -> None: ...

    with pytest.raises(TypeError, match="AsyncBackendSyncAdapter"):
        Store(as_backend(Coroutines()))
    with pytest.raises(TypeError, match="lacks name, capabilities, exists"):
        Store(as_backend(object()))
    with pytest.raises(InvalidPath):
        Store(as_backend(DictBackend()), "../x")


class Listener:
    def __init__(self) -> None:
        self.events: list[OperationEvent] = []

    @hookimpl
    def remote_store_operation(self, event: OperationEvent) -> None:
        self.events.append(event)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A registered listener."""
    plugin = Listener()
    register_plugin(plugin)
    yield plugin
    unregister_plugin(plugin)


def test_events(store: Store, listener: Listener) -> None:
    """Each operation makes one event, with its bytes, at its end."""
    store.write("n", [b"12", b"3"])
    store.read_text("n")
    with store.read("n") as stream:
        stream.read(2)
        assert len(listener.events) == 2
    list(store.list_files(""))
    store.move("n", "./n")
    with store.open_atomic("o") as file:
        file.write(b"1")
    with pytest.raises(NotFound) as missing:
        store.read("gone")
    with pytest.raises(NotFound):
        store.delete("gone")

    assert [(e.name, e.path, e.bytes, e.outcome) for e in listener.events] == [
        ("write", "n", 3, "ok"),
        ("read_bytes", "n", 3, "ok"),
        ("read", "n", 2, "ok"),
        ("list_files", "", None, "ok"),
        ("move", "n", None, "ok"),
        ("open_atomic", "o", None, "ok"),
        ("read", "gone", None, "error"),
        ("delete", "gone", None, "error"),
    ]
    assert listener.events[-2].error is missing.value


def test_interrupt_is_a_cancellation(
    store: Store, backend: DictBackend, listener: Listener
) -> None:
    """KeyboardInterrupt passes, and the event says cancelled."""

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    backend.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        store.exists("a")
    assert [e.outcome for e in listener.events] == ["cancelled"]


def test_watched_stream_is_the_stream(
    store: Store, backend: DictBackend, listener: Listener
) -> None:
    """While somebody listens a stream still does all it can; its failure is in the event."""
    with store.read("a/x.csv") as stream:
        assert stream.readable()
        assert stream.seekable()
        assert stream.seek(1) == 1
        assert stream.readline(2) == b"23"
        assert stream.tell() == 3
        buffer = bytearray(9)
        assert stream.readinto(buffer) == 2  # type: ignore[attr-defined]
        with pytest.raises(io.UnsupportedOperation):
            stream.fileno()
    assert backend.streams[-1].closed
    with io.BufferedReader(cast("io.RawIOBase", store.read("a/x.csv"))) as buffered:
        assert buffered.read1(9) == b"12345"
    assert [(e.bytes, e.outcome) for e in listener.events] == [(4, "ok"), (5, "ok")]

    broken = Pipe(b"")
    broken.read = lambda size=-1: 1 // 0  # type: ignore[method-assign]
    backend.read = lambda path: broken  # type: ignore[method-assign, assignment, return-value]
    with store.read("n") as stream, pytest.raises(ZeroDivisionError) as caught:
        stream.read(1)
    assert listener.events[-1].error is caught.value
    assert len(listener.events) == 3


def test_log_records(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """DEBUG for each call, INFO for each completed change, with the extra fields."""
    with caplog.at_level(logging.DEBUG, "remote_store"):
        store.write("n", b"")
        store.exists("n")
        store.copy("n", "n")
    assert [(r.levelname, r.op, r.path, r.backend, r.name) for r in caplog.records] == [  # type: ignore[attr-defined]
        ("DEBUG", "write", "n", "dict", "remote_store._store"),
        ("INFO", "write", "n", "dict", "remote_store._store"),
        ("DEBUG", "exists", "n", "dict", "remote_store._store"),
        ("DEBUG", "copy", "n", "dict", "remote_store._store"),
    ]
