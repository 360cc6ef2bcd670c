"""Folders: they are real, listed one at a time, and deleted in one step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from remote_store import (
    AlreadyExists,
    DirectoryNotEmpty,
    FileInfo,
    FolderEntry,
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
)
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio

Refusal = Callable[[Awaitable[object]], Awaitable[RemoteStoreError]]
Contents = Callable[[AsyncMemoryBackend], Awaitable[dict[str, bytes]]]
Folders = Callable[[AsyncMemoryBackend], Awaitable[set[str]]]


async def _fill(backend: AsyncMemoryBackend, *keys: str) -> None:
    for key in keys:
        await backend.write(key, key.encode())


async def _listed(backend: AsyncMemoryBackend, path: str, depth: int | None = None) -> list[str]:
    found = backend.list_files(path, recursive=True, max_depth=depth)
    return sorted([str(info.path) async for info in found])


async def test_parents_stay(backend: AsyncMemoryBackend, folders: Folders) -> None:
    """Writing creates the folders above a file; deleting and moving the file leaves them."""
    await _fill(backend, "a/b/c/f", "a/g")
    await backend.delete("a/b/c/f")
    await backend.move("a/g", "h")

    assert {"a", "a/b", "a/b/c"} == await folders(backend)
    info = await backend.get_folder_info("a")
    assert (info.file_count, info.total_size, info.modified_at) == (0, 0, None)


async def test_insertion_order(backend: AsyncMemoryBackend) -> None:
    """A listing of one folder has the order of creation, which an overwrite does not change."""
    await _fill(backend, "z", "b/x", "m", "a/x", "c")
    await backend.write("m", b"", overwrite=True)

    assert [info.name async for info in backend.list_files("")] == ["z", "m", "c"]
    assert [entry.name async for entry in backend.list_folders("")] == ["b", "a"]
    children = [entry async for entry in backend.iter_children("")]
    assert [entry.name for entry in children] == ["z", "m", "c", "b", "a"]
    assert [FileInfo] * 3 + [FolderEntry] * 2 == [type(entry) for entry in children]


async def test_listed_entries(backend: AsyncMemoryBackend) -> None:
    """Entries carry their whole path; a listed file tells all but its metadata."""
    await backend.write("d/e/f", b"abc", metadata={"k": "v"})
    info = await backend.get_file_info("d/e/f")

    (listed,) = [i async for i in backend.list_files("d/e")]
    (folder,) = [i async for i in backend.list_folders("./d/")]

    assert (info.path, "f", 3, info.etag, info.modified_at, None) == (
        listed.path,
        listed.name,
        listed.size,
        listed.etag,
        listed.modified_at,
        listed.metadata,
    )
    assert (RemotePath("d/e"), "e") == (folder.path, folder.name)


@pytest.mark.parametrize("path", ["gone", "d/f", "d/f/below", "d/gone"])
async def test_nothing_to_list(backend: AsyncMemoryBackend, path: str) -> None:
    """Listing what is missing, a file, or a key below a file yields nothing (LIST-004)."""
    await _fill(backend, "d/f", "d/e/g")

    assert [i async for i in backend.list_files(path)] == []
    assert [i async for i in backend.list_folders(path)] == []
    assert [i async for i in backend.iter_children(path)] == []


async def test_depth(backend: AsyncMemoryBackend) -> None:
    """max_depth bounds a recursive listing only."""
    await _fill(backend, "d/0", "d/a/1", "d/a/b/2", "da/x")

    assert await _listed(backend, "d", 0) == ["d/0"]
    assert await _listed(backend, "d", 1) == ["d/0", "d/a/1"]
    assert await _listed(backend, "d", 2) == ["d/0", "d/a/1", "d/a/b/2"]
    assert await _listed(backend, "d") == ["d/0", "d/a/1", "d/a/b/2"]
    assert [str(i.path) async for i in backend.list_files("d", max_depth=5)] == ["d/0"]


async def test_folder_info(backend: AsyncMemoryBackend) -> None:
    """The info of a folder adds up the files at every depth, and tells the latest time."""
    await backend.write("d/a/b/f", b"12345")
    await backend.write("d/g", b"678")
    await backend.write("e", b"9")
    latest = (await backend.get_file_info("d/g")).modified_at
    await backend.move("d/a/b/f", "d/z")

    info = await backend.get_folder_info("d/")
    assert (RemotePath("d"), 2, 8, latest) == (
        info.path,
        info.file_count,
        info.total_size,
        info.modified_at,
    )
    assert (await backend.get_folder_info("")).file_count == 3


async def test_folder_info_refusals(backend: AsyncMemoryBackend, refusal: Refusal) -> None:
    """A file has no folder info, and what is missing is not found."""
    await _fill(backend, "d/f")

    error = await refusal(backend.get_folder_info("d/f"))
    assert isinstance(error, InvalidPath)
    assert "exists as a file" in str(error)
    for key in ("gone", "d/gone", "d/f/below"):
        error = await refusal(backend.get_folder_info(key))
        assert isinstance(error, NotFound)
        assert f"not found | path={key!r}" in str(error)


async def test_delete_folder(backend: AsyncMemoryBackend, contents: Contents) -> None:
    """Recursion removes exactly the subtree; a sibling with the same beginning survives."""
    await _fill(backend, "d/a/f", "d/a/b/c/g", "d/ab", "d/a.x/h")
    await backend.delete_folder("d/a/", recursive=True)

    assert {"d/ab", "d/a.x/h"} == set(await contents(backend))
    assert not await backend.exists("d/a")
    assert await backend.is_folder("d")


@pytest.mark.parametrize("keep", ["d/f", "d/e/f"])
async def test_delete_folder_not_empty(
    backend: AsyncMemoryBackend, keep: str, contents: Contents, refusal: Refusal
) -> None:
    """Without recursion a folder with a file or a folder in it stays."""
    await _fill(backend, keep)

    error = await refusal(backend.delete_folder("d"))

    assert isinstance(error, DirectoryNotEmpty)
    assert "not empty | path='d'" in str(error)
    assert {keep} == set(await contents(backend))


async def test_delete_empty_folder(backend: AsyncMemoryBackend) -> None:
    """An empty folder goes without recursion, and its folder stays."""
    await _fill(backend, "d/e/f")
    await backend.delete("d/e/f")
    await backend.delete_folder("d/e")

    assert not await backend.exists("d/e")
    assert await backend.is_folder("d")
    await _fill(backend, "d/e/again")
    assert await _listed(backend, "") == ["d/e/again"]


async def test_exclusive_after_another_folder_went(backend: AsyncMemoryBackend) -> None:
    """A file stays protected although a deleted folder made the tree forget short cuts to it."""
    await _fill(backend, "d/f", "other/f")
    await backend.delete_folder("other", recursive=True)
    await _fill(backend, "d/g")

    with pytest.raises(AlreadyExists):
        await backend.write("d/f", b"new")
    assert await backend.read_bytes("d/f") == b"d/f"


@pytest.mark.parametrize("missing_ok", [False, True])
async def test_delete_folder_refusals(
    backend: AsyncMemoryBackend, missing_ok: bool, refusal: Refusal
) -> None:
    """A file is no folder, whatever missing_ok says; what is missing is forgiven by it."""
    await _fill(backend, "d/f")

    error = await refusal(backend.delete_folder("d/f", recursive=True, missing_ok=missing_ok))
    assert isinstance(error, InvalidPath)
    assert await backend.read_bytes("d/f") == b"d/f"
    for key in ("gone", "d/gone", "d/f/below"):
        if missing_ok:
            await backend.delete_folder(key, missing_ok=True)
        else:
            assert isinstance(await refusal(backend.delete_folder(key)), NotFound)


async def test_listing_during_changes(backend: AsyncMemoryBackend) -> None:
    """A folder is listed as it was when the listing reached it, whatever changes meanwhile."""
    await _fill(backend, "d/1", "d/2", "d/3")
    found = backend.list_files("d")
    names = [(await anext(found)).name]
    await backend.delete("d/2")
    await _fill(backend, "d/4")
    names += [info.name async for info in found]

    assert names == ["1", "2", "3"]


@pytest.mark.parametrize("name", ["list_files", "iter_children"])
async def test_a_listing_is_one_moment(backend: AsyncMemoryBackend, name: str) -> None:
    """Nothing that happens to a folder after the first entry shows in its listing."""
    keys = [f"d/{i}" for i in range(1000)]
    await _fill(backend, *keys)
    before = {key: (await backend.get_file_info(key)).etag for key in keys}
    found = getattr(backend, name)("d")
    seen = {str(info.path): info.etag for info in [await anext(found)]}
    await backend.write("d/7", b"again", overwrite=True)
    await backend.copy("d/8", "d/998", overwrite=True)
    await backend.move("d/999", "d/moved")
    await backend.delete("d/500")
    await _fill(backend, "d/500/now a folder", "d/new")
    other = [info.name async for info in backend.list_files("d")]
    await backend.delete_folder("d", recursive=True)
    seen |= {str(info.path): info.etag async for info in found}

    assert before == seen
    assert {"moved", "new"} <= set(other)
    assert {"999", "500"}.isdisjoint(other)


async def test_listings_of_one_folder_do_not_mix(backend: AsyncMemoryBackend) -> None:
    """Each of several listings of a folder shows the moment at which it began."""
    found = []
    for i in range(5):
        await _fill(backend, f"d/{i}", f"d/{i}x/f")
        found.append((backend.iter_children("d"), 2 * i + 2))
        await anext(found[-1][0])

    for listing, count in reversed(found):
        assert len([entry async for entry in listing]) == count - 1


async def test_listing_of_deleted_folders(backend: AsyncMemoryBackend) -> None:
    """A folder that is deleted before a listing reaches it gives nothing (CONC-005)."""
    await _fill(backend, "top", "a/b/1", "a/b/c/2", "a/3")
    found = backend.list_files("", recursive=True)
    names = [(await anext(found)).name]
    await backend.delete_folder("a", recursive=True)
    await _fill(backend, "a/b/new")

    assert names + [info.name async for info in found] == ["top"]


async def test_abandoned_listing(backend: AsyncMemoryBackend) -> None:
    """A listing that is left after its first entry blocks nothing (LIST-010)."""
    await _fill(backend, "a/1", "a/2", "b/3")
    found = backend.list_files("", recursive=True)
    await anext(found)
    await backend.delete_folder("a", recursive=True)
    await backend.write("a/1", b"")

    assert await backend.is_file("a/1")
