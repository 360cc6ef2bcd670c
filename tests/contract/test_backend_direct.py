"""
What a backend keeps when it is called without a store.

Its rules about keys and content, and its errors: tests/authoring/test_rules.py.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import pytest
from tests.contract.probes import Source, collect
from tests.operations import NOT_IN_PROCESS

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilitySet,
    DirectoryNotEmpty,
    FileInfo,
    FolderEntry,
    InvalidPath,
    NotFound,
)
from remote_store.aio import AsyncBackend

pytestmark = pytest.mark.asyncio


async def fill(backend: AsyncBackend) -> None:
    await backend.write("f", b"f-body", metadata={"k": "v"})
    await backend.write("d/g", b"g-body")
    await backend.write("d/e/h", b"h-body")


async def state(backend: AsyncBackend) -> dict[str, bytes]:
    files = await collect(backend.list_files("", recursive=True))
    return {str(f.path): await backend.read_bytes(str(f.path)) for f in files}


FILLED = {"f": b"f-body", "d/g": b"g-body", "d/e/h": b"h-body"}


@pytest.mark.parametrize("name", ["move", "copy"])
async def test_source_wins_over_destination(backend: AsyncBackend, name: str) -> None:
    """A missing source or a folder as source is reported before anything about the target."""
    await fill(backend)
    transfer = getattr(backend, name)
    for dst in ("f", "d", "f/below", "free"):
        for overwrite in (False, True):
            for src, kind in {"gone": NotFound, "d/e": InvalidPath}.items():
                with pytest.raises(kind) as caught:
                    await transfer(src, dst, overwrite=overwrite)
                assert caught.value.path == src
    assert await state(backend) == FILLED


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
    assert declared.CONTRACT == "1.1"
    assert declared.close_is_terminal is False
    missing = {
        "async-memory": {Capability.GLOB, Capability.SIGNED_URL, Capability.RESUMABLE_WRITE},
        "async-local": {Capability.SEEKABLE_READ, *NOT_IN_PROCESS},
    }
    assert set(Capability) - set(plugin.capabilities) <= missing[plugin.name]
    if plugin.name == "async-memory":
        assert Capability.SEEKABLE_READ in plugin.capabilities
        assert Capability.GLOB not in plugin.capabilities
