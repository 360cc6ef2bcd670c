"""The rules that a backend keeps when it is called without a store."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.probes import Source, collect, drain

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilitySet,
    DirectoryNotEmpty,
    FileInfo,
    FolderEntry,
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
)
from remote_store.aio import AsyncBackend

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncBackend, str], Any]

READS: dict[str, Call] = {
    "read": lambda b, p: b.read(p),
    "read_bytes": lambda b, p: b.read_bytes(p),
    "get_file_info": lambda b, p: b.get_file_info(p),
    "delete": lambda b, p: b.delete(p),
    "move": lambda b, p: b.move(p, "free"),
    "copy": lambda b, p: b.copy(p, "free"),
}
TARGETS: dict[str, Call] = {
    "write": lambda b, p: b.write(p, b"new"),
    "write-over": lambda b, p: b.write(p, b"new", overwrite=True),
    "write_atomic": lambda b, p: b.write_atomic(p, b"new"),
    "write_atomic-over": lambda b, p: b.write_atomic(p, b"new", overwrite=True),
    "move": lambda b, p: b.move("f", p),
    "move-over": lambda b, p: b.move("f", p, overwrite=True),
    "copy": lambda b, p: b.copy("f", p),
    "copy-over": lambda b, p: b.copy("f", p, overwrite=True),
}
FOLDERS: dict[str, Call] = {
    "delete_folder": lambda b, p: b.delete_folder(p),
    "get_folder_info": lambda b, p: b.get_folder_info(p),
}
QUERIES: dict[str, Call] = {
    "exists": lambda b, p: b.exists(p),
    "is_file": lambda b, p: b.is_file(p),
    "is_folder": lambda b, p: b.is_folder(p),
    "list_files": lambda b, p: b.list_files(p),
    "list_files-all": lambda b, p: b.list_files(p, recursive=True),
    "list_folders": lambda b, p: b.list_folders(p),
}


async def fill(backend: AsyncBackend) -> None:
    await backend.write("f", b"f-body", metadata={"k": "v"})
    await backend.write("d/g", b"g-body")
    await backend.write("d/e/h", b"h-body")


async def state(backend: AsyncBackend) -> dict[str, bytes]:
    files = await collect(backend.list_files("", recursive=True))
    return {str(f.path): await backend.read_bytes(str(f.path)) for f in files}


FILLED = {"f": b"f-body", "d/g": b"g-body", "d/e/h": b"h-body"}


async def refused(
    backend: AsyncBackend, answer: Any, kind: type[RemoteStoreError], path: str
) -> None:
    """The error is of that kind, from this backend, about that key, and nothing has changed."""
    with pytest.raises(kind) as caught:
        await drain(answer)
    assert type(caught.value) is kind
    assert caught.value.backend == backend.name
    assert caught.value.path == path
    assert path in str(caught.value)
    assert await state(backend) == FILLED


@pytest.mark.parametrize("name", [*READS, *TARGETS, *FOLDERS, *QUERIES])
async def test_malformed_keys(backend: AsyncBackend, name: str) -> None:
    """A leading slash, a parent segment and NUL are refused by every method."""
    await fill(backend)
    call = {**READS, **TARGETS, **FOLDERS, **QUERIES}[name]
    for path in ("/a", "..", "a/..", "a/../f", "../f", "\0", "a\0b", "//f"):
        with pytest.raises(InvalidPath) as caught:
            await drain(call(backend, path))
        assert (caught.value.path, caught.value.backend) == (path, backend.name)
    assert await state(backend) == FILLED


@pytest.mark.parametrize("path", ["", ".", "./", ".//"])
@pytest.mark.parametrize("name", [*READS, *TARGETS, "delete_folder"])
async def test_root_is_no_file_in_any_spelling(backend: AsyncBackend, name: str, path: str) -> None:
    """The root cannot be read, written, deleted or be the end of a move or copy."""
    await fill(backend)
    with pytest.raises(InvalidPath):
        await drain({**READS, **TARGETS, **FOLDERS}[name](backend, path))
    assert await state(backend) == FILLED


@pytest.mark.parametrize("name", ["move", "move-over", "copy", "copy-over"])
async def test_root_target_is_refused_before_the_source(backend: AsyncBackend, name: str) -> None:
    """A root destination wins over a missing source."""
    for path in ("", ".", "./"):
        with pytest.raises(InvalidPath):
            await drain(TARGETS[name](backend, path))


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("path", ["", "."])
async def test_root_always_is_a_folder(backend: AsyncBackend, path: str, filled: bool) -> None:
    """Both spellings of the root exist as a folder, on an empty store as well."""
    if filled:
        await fill(backend)
    assert await backend.exists(path) is True
    assert await backend.is_file(path) is False
    assert await backend.is_folder(path) is True
    info = await backend.get_folder_info(path)
    assert info.path == RemotePath.ROOT
    assert info.file_count == (3 if filled else 0)
    assert info.total_size == (18 if filled else 0)
    assert len(await collect(backend.list_files(path, recursive=True))) == info.file_count


@pytest.mark.parametrize(
    "path", ["gone", "d/gone", "gone/below", "f/below", "f/below/more", "d/g/x"]
)
async def test_missing(backend: AsyncBackend, path: str) -> None:
    """A missing key, and one that runs through a file, is absent in every answer."""
    await fill(backend)
    for call in QUERIES.values():
        assert await drain(call(backend, path)) in (False, [])
    for call in [*READS.values(), *FOLDERS.values()]:
        await refused(backend, call(backend, path), NotFound, path)
    await backend.delete(path, missing_ok=True)
    for recursive in (False, True):
        await backend.delete_folder(path, missing_ok=True, recursive=recursive)
        await refused(backend, backend.delete_folder(path, recursive=recursive), NotFound, path)
    assert await state(backend) == FILLED


@pytest.mark.parametrize("path", ["d", "d/e"])
async def test_file_operations_on_a_folder(backend: AsyncBackend, path: str) -> None:
    """A folder is InvalidPath where a file is needed, whatever missing_ok and overwrite say."""
    await fill(backend)
    for call in [*READS.values(), *TARGETS.values()]:
        await refused(backend, call(backend, path), InvalidPath, path)
    await refused(backend, backend.delete(path, missing_ok=True), InvalidPath, path)
    assert await backend.is_file(path) is False
    assert (await backend.exists(path), await backend.is_folder(path)) == (True, True)


async def test_folder_operations_on_a_file(backend: AsyncBackend) -> None:
    """A file is InvalidPath where a folder is needed, and lists as empty."""
    await fill(backend)
    for path in ("f", "d/g"):
        for call in FOLDERS.values():
            await refused(backend, call(backend, path), InvalidPath, path)
        for options in ({"missing_ok": True}, {"recursive": True}):
            await refused(backend, backend.delete_folder(path, **options), InvalidPath, path)
        for name in ("list_files", "list_files-all", "list_folders"):
            assert await collect(QUERIES[name](backend, path)) == []
        assert await backend.is_folder(path) is False
        assert (await backend.exists(path), await backend.is_file(path)) == (True, True)


@pytest.mark.parametrize("name", TARGETS)
async def test_target_below_a_file(backend: AsyncBackend, name: str) -> None:
    """A target below a file is InvalidPath, and the message names the file in the way."""
    await fill(backend)
    for path, blocking in {"d/g/x": "d/g", "d/g/x/y": "d/g", "f/x": "f"}.items():
        with pytest.raises(InvalidPath, match=blocking) as caught:
            await drain(TARGETS[name](backend, path))
        assert caught.value.backend == backend.name
        assert await state(backend) == FILLED
        assert not await backend.exists(path)


@pytest.mark.parametrize("name", [n for n in TARGETS if not n.endswith("-over")])
async def test_existing_target(backend: AsyncBackend, name: str) -> None:
    """An existing file is AlreadyExists without overwrite, and nothing changes."""
    await fill(backend)
    await refused(backend, TARGETS[name](backend, "d/g"), AlreadyExists, "d/g")
    assert (await backend.get_file_info("f")).metadata == {"k": "v"}


@pytest.mark.parametrize("name", ["move", "copy"])
async def test_source_wins_over_destination(backend: AsyncBackend, name: str) -> None:
    """A missing source or a folder as source is reported before anything about the target."""
    await fill(backend)
    transfer = getattr(backend, name)
    for dst in ("f", "d", "f/below", "free"):
        for overwrite in (False, True):
            await refused(backend, transfer("gone", dst, overwrite=overwrite), NotFound, "gone")
            await refused(backend, transfer("d/e", dst, overwrite=overwrite), InvalidPath, "d/e")


@pytest.mark.parametrize("name", ["move", "copy"])
@pytest.mark.parametrize("overwrite", [False, True])
async def test_onto_itself(backend: AsyncBackend, name: str, overwrite: bool) -> None:
    """A backend asked to move or copy a file onto itself leaves it as it is."""
    await fill(backend)
    before = await backend.get_file_info("f")
    await getattr(backend, name)("f", "f", overwrite=overwrite)
    after = await backend.get_file_info("f")
    assert await state(backend) == FILLED
    assert (after.metadata, after.modified_at) == (before.metadata, before.modified_at)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("path", [".~tmp.x", "d/.~tmp.", "new/.~tmp.y"])
async def test_reserved_names(backend: AsyncBackend, name: str, path: str) -> None:
    """Names of temporary files are no targets."""
    await fill(backend)
    await refused(backend, TARGETS[name](backend, path), InvalidPath, path)
    assert not await backend.exists("new")


async def test_deleting_folders(backend: AsyncBackend) -> None:
    """Any child stops a plain delete; a recursive one takes exactly the subtree."""
    await fill(backend)
    await backend.write("de/f", b"sibling")
    for path in ("d", "d/e"):
        with pytest.raises(DirectoryNotEmpty, match="not empty") as caught:
            await backend.delete_folder(path)
        assert (caught.value.path, caught.value.backend) == (path, backend.name)
    await backend.delete("d/e/h")
    await backend.delete("d/g")
    with pytest.raises(DirectoryNotEmpty):  # the empty folder d/e is a child
        await backend.delete_folder("d")
    await backend.delete_folder("d/e")
    assert await backend.is_folder("d")
    await backend.delete_folder("d")
    assert not await backend.exists("d")
    await backend.write("x/y/z", b"")
    await backend.write("x/y2", b"")
    await backend.delete_folder("x", recursive=True)
    assert await state(backend) == {"f": b"f-body", "de/f": b"sibling"}
    assert [e.name for e in await collect(backend.list_folders(""))] == ["de"]


async def test_folders_outlive_their_files(backend: AsyncBackend) -> None:
    """An emptied folder exists, is listed and has a zero sum."""
    await backend.write("d/e/f", b"1")
    await backend.delete("d/e/f")
    assert await backend.is_folder("d/e")
    assert [str(e.path) for e in await collect(backend.list_folders("d"))] == ["d/e"]
    info = await backend.get_folder_info("d")
    assert (info.file_count, info.total_size, info.modified_at) == (0, 0, None)


async def test_flat_listing_ignores_depth(backend: AsyncBackend) -> None:
    """Without recursive a listing has the immediate files, whatever max_depth is."""
    await fill(backend)
    for max_depth in (None, 0, 1, 9):
        found = await collect(backend.list_files("d", recursive=False, max_depth=max_depth))
        assert [str(f.path) for f in found] == ["d/g"]


async def test_plugins_prune_by_depth(plugin: AsyncBackend) -> None:
    """With recursive our own backends honour max_depth themselves."""
    await fill(plugin)
    for max_depth, count in {0: 1, 1: 2, 2: 3, None: 3}.items():
        found = await collect(plugin.list_files("", recursive=True, max_depth=max_depth))
        assert len(found) == count


async def test_listings_have_keys_of_the_backend(backend: AsyncBackend) -> None:
    """Entries name their whole key, in the right model."""
    await fill(backend)
    (file,) = await collect(backend.list_files("d"))
    (folder,) = await collect(backend.list_folders("d"))
    assert type(file) is FileInfo
    assert type(folder) is FolderEntry
    assert (str(file.path), file.name, file.size) == ("d/g", "g", 6)
    assert (str(folder.path), folder.name) == ("d/e", "e")


async def test_keys_that_are_not_in_normal_form(backend: AsyncBackend) -> None:
    """Empty and dot segments are dropped; they never make a key of their own."""
    for key in ("a//b", "a/./b", "a/b/", "./a/b"):
        for write in (backend.write, backend.write_atomic):
            result = await write(key, b"1", overwrite=True)
            assert result.path == RemotePath("a/b")
            assert await state(backend) == {"a/b": b"1"}
        assert await backend.read_bytes(key) == b"1"
        assert await collect(backend.read(key)) == [b"1"]
        assert (await backend.get_file_info(key)).path == RemotePath("a/b")
        assert await backend.is_file(key)
        with pytest.raises(AlreadyExists):
            await backend.write(key, b"2")
        await backend.copy(key, "./c//d/")
        assert await state(backend) == {"a/b": b"1", "c/d": b"1"}
        await backend.move("c/./d", key, overwrite=True)
        assert await state(backend) == {"a/b": b"1"}
        for folder in ("a/", "./a", "a/."):
            info = await backend.get_folder_info(folder)
            assert (info.path, info.file_count) == (RemotePath("a"), 1)
            assert [str(f.path) for f in await collect(backend.list_files(folder))] == ["a/b"]
        await backend.delete(key)
        await backend.delete_folder("./a/")
        await backend.delete_folder("c//")
        assert not await backend.exists("a")
        assert not await backend.exists("c")


async def test_iterators_and_identity(backend: AsyncBackend) -> None:
    """read and listings are called without await and are closable; the name and set are fixed."""
    for items in (backend.read("x"), backend.list_files(""), backend.list_folders("")):
        assert inspect.isasyncgen(items)
        await items.aclose()
    assert backend.capabilities == backend.capabilities
    assert isinstance(backend.capabilities, CapabilitySet)


async def test_read_is_a_snapshot_or_the_old_file(backend: AsyncBackend) -> None:
    """A read that has begun is not mixed with a later write."""
    await backend.write("f", b"old" * 1000)
    chunks = backend.read("f")
    first = await anext(chunks)
    await backend.write("f", b"new" * 1000, overwrite=True)
    rest = b"".join(await collect(chunks))
    assert first + rest == b"old" * 1000


async def test_move_keeps_the_time_copy_the_metadata(backend: AsyncBackend) -> None:
    """A moved file is the same version; both transfers carry the user metadata."""
    await fill(backend)
    before = await backend.get_file_info("f")
    await backend.copy("f", "c")
    await backend.move("f", "m")
    moved, copied = await backend.get_file_info("m"), await backend.get_file_info("c")
    assert moved.modified_at == before.modified_at
    assert moved.metadata == copied.metadata == {"k": "v"}
    assert await backend.read_bytes("m") == await backend.read_bytes("c") == b"f-body"


@pytest.mark.parametrize("name", ["write", "write_atomic"])
async def test_key_that_appears_while_the_source_runs(backend: AsyncBackend, name: str) -> None:
    """The commit decides: a file that came meanwhile is not replaced by an exclusive write."""

    async def chunks() -> Any:
        yield b"late"
        await backend.write("f", b"first")

    with pytest.raises(AlreadyExists):
        await getattr(backend, name)("f", chunks())
    assert await state(backend) == {"f": b"first"}


@pytest.mark.parametrize("name", ["write", "write_atomic"])
@pytest.mark.parametrize("overwrite", [False, True])
async def test_way_that_is_blocked_while_the_source_runs(
    backend: AsyncBackend, name: str, overwrite: bool
) -> None:
    """A folder at the target or a file above it that came meanwhile is InvalidPath."""

    want: dict[str, bytes] = {}

    async def put_in_the_way(path: str) -> Any:
        yield b"late"
        # A backend may have made the folder of its target already, and refuses this then.
        with contextlib.suppress(InvalidPath):
            await backend.write(path, b"in the way")
            want[path] = b"in the way"

    with pytest.raises(InvalidPath):
        await getattr(backend, name)("a", put_in_the_way("a/b"), overwrite=overwrite)
    assert await state(backend) == want == {"a/b": b"in the way"}
    attempt = getattr(backend, name)("x/y", put_in_the_way("x"), overwrite=overwrite)
    if backend.name.endswith("local"):
        await attempt
        assert await state(backend) == {**want, "x/y": b"late"}
    else:
        with pytest.raises(InvalidPath):
            await attempt
        assert await state(backend) == {**want, "x": b"in the way"}


async def test_failed_write_leaves_no_trace(backend: AsyncBackend) -> None:
    """A source that fails leaves no file, no folder, and nothing that a listing shows."""
    await fill(backend)
    for write in (backend.write, backend.write_atomic):
        for path in ("d/new", "new/sub/file"):
            source = Source([b"part"], error=ValueError("mine"))
            with pytest.raises(ValueError, match="mine"):
                await write(path, source.open(), overwrite=path == "d/new")
    assert await state(backend) == FILLED
    assert [e.name for e in await collect(backend.list_folders(""))] == ["d"]


async def test_plugin_declares_what_it_has(plugin: AsyncBackend) -> None:
    """The instance's set is within its class's, and the least sets are declared."""
    declared: Any = type(plugin)
    assert set(plugin.capabilities) <= set(declared.CAPABILITIES)
    assert declared.CONTRACT == "1.0"
    assert declared.close_is_terminal is False
    missing = {"async-memory": {Capability.GLOB}, "async-local": {Capability.SEEKABLE_READ}}
    assert set(Capability) - set(plugin.capabilities) <= missing[plugin.name]
    if plugin.name == "async-memory":
        assert Capability.SEEKABLE_READ in plugin.capabilities
        assert Capability.GLOB not in plugin.capabilities
