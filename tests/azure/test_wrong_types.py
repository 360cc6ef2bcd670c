"""A folder where a file is needed, and the reverse, on an account whose folders are only names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, gathered, stream
from tests.operations import OPERATIONS, Kind, Paths, settle

from remote_store import DirectoryNotEmpty, InvalidPath, NotFound, ResourceLocked
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncAzureBackend, str], Awaitable[Any]]


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on a file, a folder with one, and blobs that other tools made for folders."""
    async with flat(azurite, service, container) as found:
        found.put("file")
        found.put("folder/below")
        found.put("marked", b"", metadata={"hdi_isfolder": "true"})
        found.put("full", b"", metadata={"Hdi_isfolder": "True"})
        found.put("full/below")
        yield found


#: What needs a file.
FILE_CALLS: dict[str, Call] = {
    name: lambda b, key, op=op: settle(op(b, Paths(key, free="new")))  # type: ignore[misc]
    for name, op in OPERATIONS.items()
    if "file" in op.uses and op.kind is not Kind.QUESTION
}


@pytest.mark.parametrize("name", FILE_CALLS)
async def test_a_folder_is_no_file(box: Flat, name: str) -> None:
    """File operations on a folder are InvalidPath, and change nothing."""
    before = box.names()
    with pytest.raises(InvalidPath, match="directory") as caught:
        await FILE_CALLS[name](box.backend, "folder")
    assert (caught.value.path, caught.value.backend) == ("folder", "async-azure")
    assert caught.value.__cause__ is not None
    assert box.names() == before


@pytest.mark.parametrize("name", ["read", "read_bytes", "get_file_info", "move"])
@pytest.mark.parametrize("key", ["marked", "full"])
async def test_a_folder_that_a_blob_stands_for(box: Flat, name: str, key: str) -> None:
    """A blob that marks a folder is no file where its headers are seen."""
    with pytest.raises(InvalidPath, match="directory"):
        await FILE_CALLS[name](box.backend, key)
    assert key in box.names()
    assert not await box.backend.is_file(key)
    assert await box.backend.exists(key)


@pytest.mark.parametrize("name", FILE_CALLS)
@pytest.mark.parametrize("key", ["no", "file/below", "fold"])
async def test_nothing_there(box: Flat, name: str, key: str) -> None:
    """A missing file is NotFound, also below a file; a delete may be told that it is fine."""
    call = FILE_CALLS[name]
    if name == "delete, missing_ok":
        await call(box.backend, key)
        return
    with pytest.raises(NotFound) as caught:
        await call(box.backend, key)
    assert caught.value.path == key
    assert caught.value.status == 404


@pytest.mark.parametrize("missing_ok", [False, True])
@pytest.mark.parametrize("recursive", [False, True])
async def test_a_file_is_no_folder(box: Flat, recursive: bool, missing_ok: bool) -> None:
    """Folder operations on a file are InvalidPath, and it stays."""
    with pytest.raises(InvalidPath, match="file"):
        await box.backend.delete_folder("file", recursive=recursive, missing_ok=missing_ok)
    with pytest.raises(InvalidPath, match="file"):
        await box.backend.get_folder_info("file")
    assert "file" in box.names()
    assert await gathered(box.backend.iter_children("file")) == []
    assert await gathered(box.backend.list_files("file", recursive=True)) == []
    assert not await box.backend.is_folder("file")


async def test_no_folder_there(box: Flat) -> None:
    """A missing folder is NotFound, unless a delete is told that it is fine."""
    for recursive in (False, True):
        with pytest.raises(NotFound):
            await box.backend.delete_folder("no", recursive=recursive)
        await box.backend.delete_folder("no", recursive=recursive, missing_ok=True)
    with pytest.raises(NotFound):
        await box.backend.get_folder_info("no")


async def test_deleting_folders(box: Flat) -> None:
    """Only what is below goes, with the blob that stands for the folder; siblings stay."""
    for name in ("folder2", "folder.x", "folder/deep/er", "folder//odd", "folder/.~tmp.1"):
        box.put(name)
    with pytest.raises(DirectoryNotEmpty):
        await box.backend.delete_folder("folder")
    await box.backend.delete_folder("folder", recursive=True)
    left = ["file", "folder.x", "folder2", "full", "full/below", "marked"]
    assert box.names() == left
    with pytest.raises(DirectoryNotEmpty):
        await box.backend.delete_folder("full")
    await box.backend.delete_folder("full", recursive=True)
    await box.backend.delete_folder("marked")
    assert box.names() == ["file", "folder.x", "folder2"]


async def test_a_file_and_a_folder_of_one_name(box: Flat) -> None:
    """They coexist: neither hides the other, and deleting one leaves the other."""
    await box.backend.write("folder", b"both")
    await box.backend.write("file/below", b"both")
    for key in ("folder", "file"):
        assert await box.backend.is_file(key)
        assert await box.backend.is_folder(key)
    await box.backend.delete("folder")
    await box.backend.delete_folder("file", recursive=True)
    assert box.names() == ["file", "folder/below", "full", "full/below", "marked"]


async def test_listings_show_marks_as_folders(box: Flat) -> None:
    """A blob that stands for a folder is one in every listing, once, and is never counted."""
    children = [
        type(c).__name__ + " " + c.name for c in await gathered(box.backend.iter_children(""))
    ]
    assert sorted(children) == [
        "FileInfo file",
        "FolderEntry folder",
        "FolderEntry full",
        "FolderEntry marked",
    ]
    folders = [entry.name for entry in await gathered(box.backend.list_folders(""))]
    assert sorted(folders) == ["folder", "full", "marked"]
    files = await gathered(box.backend.list_files("", recursive=True))
    assert [info.path.as_posix() for info in files] == ["file", "folder/below", "full/below"]
    assert await gathered(box.backend.glob("marked")) == []
    assert [i.name for i in await gathered(box.backend.glob("*"))] == ["file"]
    info = await box.backend.get_folder_info("")
    assert (info.file_count, info.total_size) == (3, 21)
    empty = await box.backend.get_folder_info("marked")
    assert (empty.file_count, empty.modified_at) == (0, None)


async def test_targets_are_not_looked_at(box: Flat) -> None:
    """Without the option, nothing is asked about what is above or at a target."""
    await box.backend.write("file/a", b"x")
    await box.backend.write("folder", b"x")
    assert box.sent() == ["PUT", "PUT"]


async def test_rejected_targets(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """With the option, what a hierarchical account could not hold is refused, before the source."""
    pulled = []

    async def source() -> AsyncIterator[bytes]:
        pulled.append(1)
        yield b"x"

    async with flat(azurite, service, container, reject_write_under_file_ancestor=True) as box:
        box.put("a/file")
        box.put("marked", b"", metadata={"hdi_isfolder": "true"})
        for write in (box.backend.write, box.backend.write_atomic):
            for key in ("a/file/b", "a/file/b/c", "a"):
                for content in (b"x", source()):
                    with pytest.raises(InvalidPath, match="exists as") as caught:
                        await write(key, content, overwrite=True)
                    assert caught.value.path == key
        assert pulled == []
        box.sent()
        await box.backend.write("marked/b", stream(b"x"))
        assert box.sent() == ["HEAD", "GET list", "PUT"]
        assert box.names() == ["a/file", "marked", "marked/b"]


@pytest.mark.parametrize("recursive", [False, True])
async def test_a_mark_that_is_locked(box: Flat, recursive: bool) -> None:
    """A folder whose mark somebody leases is not deleted, and that is said."""
    lease = box.container.get_blob_client("marked").acquire_lease()
    with pytest.raises(ResourceLocked) as caught:
        await box.backend.delete_folder("marked", recursive=recursive)
    assert caught.value.path == "marked"
    assert "marked" in box.names()
    lease.release()
    await box.backend.delete_folder("marked", recursive=recursive)
    assert "marked" not in box.names()
