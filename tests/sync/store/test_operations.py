"""The sync store: what reaches the backend, and what comes back."""

from __future__ import annotations

import pytest
from tests.sync.reference import DictBackend, as_backend
from tests.sync.store.probes import Pipe

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    RemotePath,
    Store,
)


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
