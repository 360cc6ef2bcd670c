"""Construction, equality, children, ownership, rebased names: what a store is."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from tests.contract.probes import Recorder, as_backend, collect, without
from tests.contract.reference import NAME, DictBackend

from remote_store import CapabilityNotSupported, InvalidPath, RemotePath, Store
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_memory import AsyncMemoryBackend

MANDATORY = [
    *("name", "capabilities", "exists", "is_file", "is_folder", "read", "read_bytes", "write"),
    *("write_atomic", "delete", "delete_folder", "list_files", "list_folders"),
    *("get_file_info", "get_folder_info", "move", "copy"),
]


def test_an_object_is_no_backend() -> None:
    """The refusal names every mandatory member that is missing."""
    thing: Any = object()
    with pytest.raises(TypeError) as caught:
        AsyncStore(thing)
    for name in MANDATORY:
        assert name in str(caught.value)


@pytest.mark.parametrize("store", [AsyncStore, Store])
def test_a_class_is_no_backend(store: Any) -> None:
    """Forgotten parentheses are named, instead of members that the class has."""
    with pytest.raises(TypeError, match="AsyncMemoryBackend is a class"):
        store(AsyncMemoryBackend)


@pytest.mark.parametrize("missing", MANDATORY)
def test_each_mandatory_member_is_missed(missing: str) -> None:
    """One missing member is enough for a refusal, which names just that one."""

    class Incomplete(Recorder):
        def __getattr__(self, name: str) -> Any:
            if name == missing:
                raise AttributeError(name)
            return super().__getattr__(name)

    with pytest.raises(TypeError) as caught:
        AsyncStore(as_backend(Incomplete(DictBackend())))
    assert [n for n in MANDATORY if n in str(caught.value).replace(",", "").split()] == [missing]


class SyncBackend(Recorder):
    """Members of a backend, none of them a coroutine function."""

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        return (lambda *a, **k: value(*a, **k)) if callable(value) else value


def closing() -> None:
    """A method that closes something."""


def test_async_and_sync_backends_are_told_apart() -> None:
    """By aclose, else by close, else by whether ``exists`` is a coroutine function."""

    class WithClose(Recorder):
        close = staticmethod(closing)

    class WithBoth(SyncBackend):
        close = staticmethod(closing)
        aclose = staticmethod(closing)

    # A sync backend is wrapped anew by each store, so two stores over it differ.
    for backend in (Recorder(DictBackend()), WithBoth(DictBackend())):
        assert AsyncStore(as_backend(backend)) == AsyncStore(as_backend(backend))
    for backend in (WithClose(DictBackend()), SyncBackend(DictBackend())):
        store = AsyncStore(as_backend(backend))
        assert store != AsyncStore(as_backend(backend))
        assert store.child("a") == store.child("a")


def test_protocol_cannot_be_instantiated_incomplete() -> None:
    """A class that inherits the protocol has to fill every abstract member."""

    class Nothing(AsyncBackend):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Nothing()  # type: ignore[abstract]
    with pytest.raises(TypeError):
        AsyncBackend()  # type: ignore[misc]


@pytest.mark.parametrize("root_path", [".", "/", "../x", "a/..", "\0", "//"])
def test_malformed_root(root_path: str, reference: DictBackend) -> None:
    """A root that is not empty must be a path."""
    with pytest.raises(InvalidPath, match="root_path: ") as caught:
        AsyncStore(as_backend(reference), root_path)
    assert caught.value.path == root_path


def test_repr_and_normal_root(reference: DictBackend) -> None:
    """The repr shows the backend's name and the root in normal form."""
    backend = as_backend(reference)
    assert repr(AsyncStore(backend)) == f"AsyncStore(backend={NAME!r}, root_path='')"
    assert repr(AsyncStore(backend, "data/./sub/")) == (
        f"AsyncStore(backend={NAME!r}, root_path='data/sub')"
    )


def test_equality_and_hash(reference: DictBackend) -> None:
    """Same backend object and same root in normal form: equal, with equal hashes."""
    backend = as_backend(reference)
    store = AsyncStore(backend, "a/b")
    for same in (AsyncStore(backend, "a//b/"), AsyncStore(backend, "a").child("b")):
        assert store == same
        assert hash(store) == hash(same)
    other = AsyncStore(as_backend(DictBackend()), "a/b")
    assert store != AsyncStore(backend, "a")
    assert store != other
    assert store != "a/b"


def test_store_has_no_room_for_more(reference: DictBackend) -> None:
    """A store has no dict, so a misspelt attribute does not go unnoticed."""
    store: Any = AsyncStore(as_backend(reference))
    with pytest.raises(AttributeError):
        store.other = 1


@pytest.mark.parametrize("subpath", ["", ".", "/", "..", "a/../b", "\0"])
def test_child_refuses_what_is_no_path(subpath: str, root: str, reference: DictBackend) -> None:
    """A child is below its parent, never the same and never outside."""
    with pytest.raises(InvalidPath):
        AsyncStore(as_backend(reference), root).child(subpath)


@pytest.mark.asyncio
async def test_child_sees_a_part_of_its_parent(store: AsyncStore) -> None:
    """A child shares the backend and the capabilities; slashes around its path do not count."""
    child = store.child("/x/y/")
    assert child == store.child("x").child("y") == store.child("x//y")
    assert type(child) is AsyncStore
    await child.write("f", b"1")
    assert await store.read_bytes("x/y/f") == b"1"
    assert [str(f.path) for f in await collect(child.list_files(""))] == ["f"]


class Closable(Recorder):
    """Counts how often it is entered and closed."""

    entered = closed = 0

    async def aclose(self) -> None:
        self.closed += 1

    async def __aenter__(self) -> None:
        self.entered += 1


@pytest.mark.asyncio
async def test_ownership(reference: DictBackend) -> None:
    """A store closes its backend, a child does not, and the backend is never entered."""
    backend = Closable(reference)
    store = AsyncStore(as_backend(backend))
    async with store as same:
        assert same is store
        child = store.child("a")
        async with child:
            pass
        await child.aclose()
        assert backend.closed == 0
    assert (backend.closed, backend.entered) == (1, 0)
    await store.aclose()


@pytest.mark.asyncio
async def test_aclose_is_idempotent_and_not_terminal(backend: AsyncBackend) -> None:
    """Backends that hold no connections work on after any number of closes."""
    store = AsyncStore(backend)
    for _ in range(3):
        await store.aclose()
    await store.write("a", b"1")
    assert await store.read_bytes("a") == b"1"


@pytest.mark.asyncio
async def test_structural_backend_gets_every_default(root: str, reference: DictBackend) -> None:
    """A backend without the members that have defaults is served by the protocol's own."""
    store = AsyncStore(as_backend(reference), root)
    for name in ("iter_children", "glob", "aclose", "check_health", "resolve", "unwrap"):
        assert not hasattr(reference, name)
    await store.write("d/f", b"1")
    await store.write("d/e/g", b"2")
    children = await collect(store.iter_children("d"))
    assert [(type(c).__name__, str(c.path)) for c in children] == [
        ("FileInfo", "d/f"),
        ("FolderEntry", "d/e"),
    ]
    await store.ping()
    with pytest.raises(CapabilityNotSupported, match="does not expose native handle") as caught:
        store.unwrap(dict)
    assert caught.value.capability == "unwrap"
    assert store.unwrap(DictBackend) is reference
    plan = store.resolve("x")
    full = f"{root}/x" if root else "x"
    assert (plan.kind, plan.backend, plan.native_path) == (NAME, NAME, full)
    assert plan.details == {}
    assert store.native_path("x") == full
    assert store.to_key(full) == "x"
    async with store:
        pass


@pytest.mark.asyncio
async def test_default_glob_refuses_on_the_first_pull(reference: DictBackend) -> None:
    """A backend that declares GLOB without having it is refused by the protocol's default."""
    backend = without(reference)
    matches = AsyncStore(as_backend(backend)).glob("*")
    with pytest.raises(CapabilityNotSupported, match="does not support glob") as caught:
        await anext(matches)
    assert (caught.value.capability, caught.value.backend) == ("glob", NAME)


@pytest.mark.parametrize(
    ("key", "normal"), [("a", "a"), ("./x//y", "x/y"), ("a\\b", "a/b"), ("", ""), (".", "")]
)
def test_resolve_keeps_the_key_verbatim(
    key: str, normal: str, root: str, reference: DictBackend
) -> None:
    """The plan repeats the caller's key; its native path is that of the normal form."""
    store = AsyncStore(as_backend(reference), root)
    full = "/".join(p for p in (root, normal) if p)
    plan = store.resolve(key)
    assert (plan.key, plan.native_path) == (key, full)
    assert store.native_path(key) == full


@pytest.mark.parametrize("key", ["..", "a/../b", "/", "\0"])
def test_pure_functions_refuse_malformed_keys(key: str, reference: DictBackend) -> None:
    """resolve and native_path check their key like every operation."""
    store = AsyncStore(as_backend(reference))
    for function in (store.resolve, store.native_path):
        with pytest.raises(InvalidPath) as caught:
            function(key)
        assert caught.value.path == key


def test_to_key_is_the_inverse_of_native_path(backend: AsyncBackend, root: str) -> None:
    """Every key and the root come back; what lies outside the store's root is refused."""
    store = AsyncStore(backend, root)
    for key in ("", "a", "a/b c/é"):
        assert store.to_key(store.native_path(key)) == key
    if root:
        outside = AsyncStore(backend)
        for key in ("base/subx/y", "base", "other"):
            native = outside.native_path(key)
            with pytest.raises(InvalidPath, match="not under store root") as caught:
                store.to_key(native)
            assert caught.value.path == native


@pytest.mark.asyncio
async def test_results_are_relative_to_the_store(store: AsyncStore) -> None:
    """Whatever is handed back names its path as the caller would."""
    metadata = {"k": "v"}
    path = RemotePath("d/e/f")
    assert (await store.write("d//e/./f", b"123", metadata=metadata)).path == path
    assert (await store.write_atomic("d/e/f", b"123", overwrite=True)).path == path
    assert (await store.write_text("d/e/f", "123", overwrite=True)).path == path
    info = await store.get_file_info("/d/e/f")
    assert (info.path, info.name, info.size) == (path, "f", 3)
    assert (await store.head("d/e/f")).path == path
    assert [f.path for f in await collect(store.list_files("", recursive=True))] == [path]
    assert [f.path for f in await collect(store.list_folders("d"))] == [RemotePath("d/e")]
    assert [f.path for f in await collect(store.iter_children("d/e"))] == [path]
    for depth in (None, 5):
        whole = await store.get_folder_info("", max_depth=depth)
        assert (whole.path, whole.file_count, whole.total_size) == (RemotePath.ROOT, 1, 3)
        part = await store.get_folder_info("d/./e", max_depth=depth)
        assert (part.path, part.name, part.file_count) == (RemotePath("d/e"), "e", 1)


@pytest.mark.asyncio
async def test_keys_outside_the_root_are_never_handed_out(reference: DictBackend) -> None:
    """A backend that answers with a foreign key is found out, not rebased by guess."""

    class Astray(Recorder):
        async def get_file_info(self, path: str) -> Any:
            return await self._backend.get_file_info("rootx/f")  # type: ignore[attr-defined]

    outside = AsyncStore(as_backend(reference))
    await outside.write("rootx/f", b"")
    store = AsyncStore(as_backend(Astray(reference)), "root")
    with pytest.raises(InvalidPath, match="not under store root"):
        await store.get_file_info("f")


@pytest.mark.parametrize(
    ("kind", "backend"), [(AsyncStore, AsyncLocalBackend), (Store, LocalBackend)]
)
def test_a_pickled_store_owns_its_backend(kind: Any, backend: Any, tmp_path: Path) -> None:
    """Nobody else has that; a copy is the store itself."""
    store = kind(backend(tmp_path), "in", owns_backend=False)

    again = pickle.loads(pickle.dumps(store.child("x")))

    assert again.native_path("y") == str(tmp_path / "in/x/y")
    assert (again._owns, store._owns) == (True, False)
    assert copy.copy(store) is store
    assert copy.deepcopy(store)._owns
