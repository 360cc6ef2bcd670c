"""move and copy through a store: the same-path rule, order of checks, what is kept."""

from __future__ import annotations

import pytest
from tests.contract.probes import Recorder, as_backend, collect
from tests.contract.reference import NAME, DictBackend

from remote_store import AlreadyExists, InvalidPath, NotFound, RemoteStoreError
from remote_store.aio import AsyncStore

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=["move", "copy"])
def name(request: pytest.FixtureRequest) -> str:
    """The operation."""
    text: str = request.param
    return text


async def files(store: AsyncStore) -> list[str]:
    return sorted([str(f.path) for f in await collect(store.list_files("", recursive=True))])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("dst", ["a/b", "a/./b", "/a//b/", "a\\b"])
async def test_onto_itself(store: AsyncStore, name: str, dst: str, overwrite: bool) -> None:
    """A file moved or copied onto any spelling of its own path stays exactly as it is."""
    await store.write("a/b", b"1", metadata={"k": "v"})
    before = await store.get_file_info("a/b")
    await getattr(store, name)("a/b", dst, overwrite=overwrite)
    after = await store.get_file_info("a/b")
    assert await store.read_bytes("a/b") == b"1"
    assert (after.metadata, after.etag, after.modified_at) == (
        before.metadata,
        before.etag,
        before.modified_at,
    )
    assert await files(store) == ["a/b"]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_same_path_is_decided_by_the_store(
    name: str, overwrite: bool, root: str, reference: DictBackend
) -> None:
    """Neither move nor copy of the backend is called; errors carry the caller's source."""
    backend = Recorder(reference)
    store = AsyncStore(as_backend(backend), root)
    await store.write("d/f", b"1")
    backend.calls.clear()
    await getattr(store, name)("d/f", "d//f", overwrite=overwrite)
    cases: list[tuple[str, type[RemoteStoreError]]] = [("./d", InvalidPath), ("./gone", NotFound)]
    for path, kind in cases:
        with pytest.raises(kind) as caught:
            await getattr(store, name)(path, path, overwrite=overwrite)
        assert (caught.value.path, caught.value.backend) == (path, NAME)
        assert path in str(caught.value)
        if kind is InvalidPath:
            assert f"directory: {path}" in str(caught.value)
    assert set(backend.names) <= {"is_file", "is_folder"}


async def test_arguments_reach_the_backend(name: str, root: str, reference: DictBackend) -> None:
    """The backend gets both keys below the root, and overwrite as a keyword."""
    backend = Recorder(reference)
    store = AsyncStore(as_backend(backend), root)
    await store.write("a", b"")
    await getattr(store, name)("./a", "b\\c", overwrite=True)
    prefix = f"{root}/" if root else ""
    assert backend.calls[-1] == (name, (f"{prefix}a", f"{prefix}b/c"), {"overwrite": True})


async def test_content_and_metadata_go_along(store: AsyncStore, name: str) -> None:
    """The target has the source's bytes and metadata; only a copy leaves the source."""
    await store.write("a", b"body", metadata={"k": "v"})
    await getattr(store, name)("a", "new/folder/b")
    assert await store.read_bytes("new/folder/b") == b"body"
    assert (await store.get_file_info("new/folder/b")).metadata == {"k": "v"}
    assert await store.exists("a") is (name == "copy")


async def test_overwriting(store: AsyncStore, name: str) -> None:
    """An existing target is refused, and replaced with its metadata only when asked."""
    await store.write("a", b"new")
    await store.write("b", b"old", metadata={"k": "v"})
    with pytest.raises(AlreadyExists, match="already exists"):
        await getattr(store, name)("a", "b")
    assert (await store.read_bytes("a"), await store.read_bytes("b")) == (b"new", b"old")
    await getattr(store, name)("a", "b", overwrite=True)
    assert await store.read_bytes("b") == b"new"
    assert (await store.get_file_info("b")).metadata is None
    assert await store.exists("a") is (name == "copy")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("src", "dst", "kind"),
    [
        ("gone", "free", NotFound),
        ("gone", "f", NotFound),
        ("gone", "d", NotFound),
        ("gone", "f/below", NotFound),
        ("f/below", "free", NotFound),
        ("d", "free", InvalidPath),
        ("d", "f", InvalidPath),
        ("d", "d/x", InvalidPath),
        ("f", "d", InvalidPath),
        ("f", "f/below", InvalidPath),
        ("f", "f/below/more", InvalidPath),
        ("f", "d/g/x", InvalidPath),
        ("d/g", "d", InvalidPath),
        ("f", ".~tmp.x", InvalidPath),
        ("f", "d/.~tmp.x", InvalidPath),
    ],
)
async def test_refusals_lose_nothing(
    store: AsyncStore,
    name: str,
    src: str,
    dst: str,
    kind: type[RemoteStoreError],
    overwrite: bool,
) -> None:
    """Wrong kinds and missing sources are refused in order, and every file stays as it was."""
    await store.write("f", b"f")
    await store.write("d/g", b"g")
    with pytest.raises(kind):
        await getattr(store, name)(src, dst, overwrite=overwrite)
    assert await files(store) == ["d/g", "f"]
    assert (await store.read_bytes("f"), await store.read_bytes("d/g")) == (b"f", b"g")
    assert [str(e.path) for e in await collect(store.list_folders("", max_depth=9))] == ["d"]


async def test_copies_are_independent(store: AsyncStore) -> None:
    """What is done to one of the two files afterwards does not change the other."""
    await store.write("a", b"1", metadata={"k": "v"})
    await store.copy("a", "b")
    await store.write("b", b"2", overwrite=True)
    assert await store.read_bytes("a") == b"1"
    assert (await store.get_file_info("a")).metadata == {"k": "v"}
    await store.copy("a", "c")
    await store.delete("a")
    assert await store.read_bytes("c") == b"1"


async def test_move_leaves_the_folder(store: AsyncStore) -> None:
    """The folder of the last file stays behind when the file is moved away."""
    await store.write("d/f", b"")
    await store.move("d/f", "g")
    assert await store.is_folder("d")
    assert await collect(store.iter_children("d")) == []
