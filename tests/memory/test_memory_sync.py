"""What only the sync memory backend has: streams, `open_atomic`, calls from threads."""

from __future__ import annotations

import inspect
import io
import pickle
import time
from typing import Any

import pytest
from tests.sync.twins import KINDS, Source, race

from remote_store import (
    AlreadyExists,
    Backend,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    Store,
)
from remote_store_memory import AsyncMemoryBackend, MemoryBackend
from remote_store_memory._mutable_tree import MutableTree


@pytest.fixture
def memory() -> MemoryBackend:
    """An empty backend."""
    return MemoryBackend()


def contents(memory: MemoryBackend) -> dict[str, bytes]:
    found = memory.list_files("", recursive=True)
    return {str(info.path): memory.read_bytes(str(info.path)) for info in found}


def test_identity() -> None:
    """The backend declares the sync set, and differs from its twin in nothing else."""
    memory = MemoryBackend()
    assert memory.name == "memory"
    missing = {
        Capability.GLOB,
        Capability.LAZY_READ,
        Capability.SIGNED_URL,
        Capability.RESUMABLE_WRITE,
    }
    assert set(Capability) - set(memory.capabilities) == missing
    assert memory.capabilities == MemoryBackend.CAPABILITIES
    assert (MemoryBackend.CONTRACT, MemoryBackend.close_is_terminal) == ("1.1", False)
    assert Backend in MemoryBackend.__mro__
    memory.write("a/b", b"1")
    assert repr(memory) == "MemoryBackend(files=1, folders=1)"
    memory.close()
    memory.close()
    memory.check_health()
    assert memory.read_bytes("a/b") == b"1"
    plan = memory.resolve("a/b")
    assert (plan.kind, plan.backend, plan.native_path) == ("memory", "memory", "a/b")
    with pytest.raises(CapabilityNotSupported):
        memory.unwrap(dict)
    with pytest.raises(CapabilityNotSupported):
        next(iter(memory.glob("*")))
    with pytest.raises(TypeError, match="MemoryBackend cannot be pickled"):
        pickle.dumps(memory)
    with pytest.raises(InvalidPath) as caught:
        memory.read("/a")
    assert (caught.value.path, caught.value.backend) == ("/a", "memory")


def test_url() -> None:
    """A URL gives an empty backend of this class, and a folder in it."""
    memory, root = MemoryBackend.from_url("memory:///a/b")
    assert type(memory) is MemoryBackend
    assert root == "a/b"
    with pytest.raises(ValueError, match="host"):
        MemoryBackend.from_url("memory://host")


def test_signatures_are_those_of_the_twin() -> None:
    """Every method that both have takes the same arguments."""
    for name, method in vars(MemoryBackend).items():
        if inspect.isfunction(method) and name[0] != "_" and hasattr(AsyncMemoryBackend, name):
            own, twin = (
                inspect.signature(method),
                inspect.signature(getattr(AsyncMemoryBackend, name)),
            )
            assert [str(p).partition(":")[0] for p in own.parameters.values()] == [
                str(p).partition(":")[0] for p in twin.parameters.values()
            ], name


def test_a_stream_is_one_version(memory: MemoryBackend) -> None:
    """A stream seeks, outlives its file, and what is written into it stays there."""
    memory.write("f", b"0123456789")
    with memory.read("f") as stream, memory.read_seekable("f") as other:
        memory.write("f", b"new", overwrite=True)
        assert stream.seekable()
        assert stream.read(3) == b"012"
        assert stream.seek(-2, io.SEEK_END) == 8
        assert (stream.read(), stream.read(), stream.tell()) == (b"89", b"", 10)
        memory.delete("f")
        stream.seek(0)
        stream.write(b"xx")
        assert other.read() == b"0123456789"
    with pytest.raises(NotFound):
        memory.read("f")


def test_sources_are_read_in_steps(memory: MemoryBackend) -> None:
    """A file is read a MiB at a time to its end, short reads included, and left open."""
    source = Source(b"a", bytearray(b"b"), memoryview(b"c"))
    result = memory.write("f", source, metadata={"k": "v"})  # type: ignore[arg-type]
    assert source.asked == [1 << 20] * 4
    assert (memory.read_bytes("f"), result.size, result.source) == (b"abc", 3, "native")
    assert result.metadata == memory.get_file_info("f").metadata == {"k": "v"}
    file = io.BytesIO(b"12345")
    file.seek(2)
    memory.write_atomic("f", file, overwrite=True)
    assert memory.read_bytes("f") == b"345"
    assert not file.closed
    memory.write("empty", io.BytesIO())
    assert memory.read_bytes("empty") == b""


def test_failing_sources(memory: MemoryBackend) -> None:
    """The source's exception passes as the same object, and nothing is written."""
    memory.write("f", b"old")
    for error in (OSError(5, "disk"), KeyboardInterrupt(), ValueError("mine")):
        for key in ("f", "d/new"):
            with pytest.raises(type(error)) as caught:
                memory.write(key, Source(b"part", error=error), overwrite=True)  # type: ignore[arg-type]
            assert caught.value is error
    for wrong in ("text", io.StringIO("text"), [b"x"], None, 5, Source(None)):
        with pytest.raises(TypeError):
            memory.write("f", wrong, overwrite=True)  # type: ignore[arg-type]
    assert contents(memory) == {"f": b"old"}
    assert list(memory.list_folders("")) == []


def test_the_source_comes_last(memory: MemoryBackend) -> None:
    """An existing key and a bad path are refused before the source is read."""
    memory.write("f", b"old")
    memory.write("d/g", b"")
    for key, kind in (
        ("f", AlreadyExists),
        ("d", InvalidPath),
        ("f/x", InvalidPath),
        ("", InvalidPath),
    ):
        source = Source(b"new")
        with pytest.raises(kind):
            memory.write(key, source)  # type: ignore[arg-type]
        with pytest.raises(kind), memory.open_atomic(key):
            pytest.fail("the block was entered")
        assert source.asked == []


def test_open_atomic(memory: MemoryBackend) -> None:
    """The file appears at the end of the block as a whole, and may be sought in and closed."""
    with memory.open_atomic("d/f") as file:
        file.write(b"abc")
        file.seek(1)
        file.write(b"B")
        assert not memory.exists("d")
    assert memory.read_bytes("d/f") == b"aBc"
    with memory.open_atomic("d/f", overwrite=True) as file, io.TextIOWrapper(file) as text:
        text.write("text")
    assert memory.read_bytes("d/f") == b"text"
    with memory.open_atomic("none"):
        pass
    assert memory.read_bytes("none") == b""


def fail_within(memory: MemoryBackend, key: str, error: BaseException) -> None:
    with memory.open_atomic(key, overwrite=True) as file:
        file.write(b"part")
        raise error


def test_open_atomic_fails(memory: MemoryBackend) -> None:
    """An exception in the block publishes nothing and passes as the same object."""
    memory.write("f", b"old")
    for error in (ValueError("mine"), KeyboardInterrupt(), StopIteration()):
        for key in ("f", "d/new"):
            with pytest.raises(type(error)) as caught:
                fail_within(memory, key, error)
            assert caught.value is error
    block = memory.open_atomic("late")
    block.__enter__().write(b"mine")
    memory.write("late", b"first")
    with pytest.raises(AlreadyExists):
        block.__exit__(None, None, None)
    assert contents(memory) == {"f": b"old", "late": b"first"}


def test_listings_are_lazy(memory: MemoryBackend) -> None:
    """Nothing is looked at before the first ``next``, not even the path."""
    for list_ in (memory.list_files, memory.list_folders, memory.iter_children):
        items = list_("../x")
        with pytest.raises(InvalidPath):
            next(iter(items))
        late = list_("d")
        memory.write("d/e/f", b"", overwrite=True)
        memory.write("d/g", b"", overwrite=True)
        assert len(list(late)) == (2 if list_ == memory.iter_children else 1)
        memory.delete_folder("d", recursive=True)


def test_store(memory: MemoryBackend) -> None:
    """A store works over it, generators as content included."""
    with Store(memory, "base") as store:
        store.write("a", (part for part in (b"x", b"y")))
        with store.open_atomic("b") as file:
            file.write(b"z")
        assert [str(f.path) for f in store.list_files("")] == ["a", "b"]
        assert store.read_bytes("a") + store.read("b").read() == b"xyz"


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_many_threads_wins(memory: MemoryBackend, kind: str) -> None:
    """Of 16 threads that create one key exactly one succeeds (WRITE-004)."""
    race(memory, kind, 100)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_check_then_act_fails_the_race(
    memory: MemoryBackend, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same race catches a tree that looks first and acts afterwards."""

    def put(tree: MutableTree, key: str, content: bytes, overwrite: bool, *more: Any) -> Any:
        look(tree, key, overwrite)
        return store(tree, key, content, True, *more)

    def transfer(tree: MutableTree, src: str, dst: str, overwrite: bool, *more: Any) -> None:
        look(tree, dst, overwrite)
        rename(tree, src, dst, True, *more)

    def look(tree: MutableTree, key: str, overwrite: bool) -> None:
        tree.check_target(key, overwrite=overwrite)
        time.sleep(0)

    store, rename = MutableTree.put, MutableTree.transfer
    if kind in ("move", "copy"):
        monkeypatch.setattr(MutableTree, "transfer", transfer)
    else:
        monkeypatch.setattr(MutableTree, "put", put)
    with pytest.raises(AssertionError, match=r"(?:[2-9]|1\d) succeeded"):
        race(memory, kind, 300)
