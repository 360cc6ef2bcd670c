"""Empty blobs ``folder/``, by which the portal and other tools make a folder."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, gathered

from remote_store import DirectoryNotEmpty, FolderEntry, InvalidPath

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on ``empty/``, and on ``full/`` with a file and a folder of the same sort."""
    async with flat(azurite, service, container) as found:
        for name in ("empty/", "full/", "full/sub/"):
            found.put(name, b"")
        found.put("full/file")
        yield found


async def test_it_is_a_folder(box: Flat, caplog: pytest.LogCaptureFixture) -> None:
    """It lists as one and is no file; nothing is left out, so nobody is warned."""
    backend = box.backend
    with caplog.at_level(logging.WARNING):
        children = await gathered(backend.iter_children(""))
        assert [(type(e), e.name) for e in children] == [
            (FolderEntry, "empty"),
            (FolderEntry, "full"),
        ]
        assert [e.name for e in await gathered(backend.list_folders(""))] == ["empty", "full"]
        assert [e.name for e in await gathered(backend.iter_children("full"))] == ["file", "sub"]
        assert [e.name for e in await gathered(backend.list_folders("full"))] == ["sub"]
        assert await gathered(backend.iter_children("empty")) == []
        for listing in (
            backend.list_files("", recursive=True),
            backend.list_files("", recursive=True, max_depth=1),
            backend.list_files("full"),
            backend.glob("**"),
            backend.glob("full/*"),
        ):
            assert [e.path.as_posix() for e in await gathered(listing)] == ["full/file"]
        assert await backend.exists("empty")
        assert await backend.is_folder("empty")
        assert not await backend.is_file("empty")
        for folder, files in (("empty", 0), ("full", 1), ("", 1)):
            assert (await backend.get_folder_info(folder)).file_count == files
        with pytest.raises(InvalidPath):
            await backend.read_bytes("empty")
    assert caplog.records == []


async def test_it_goes_with_a_recursive_delete(box: Flat) -> None:
    """With all that is below it."""
    await box.backend.delete_folder("full", recursive=True)
    await box.backend.delete_folder("empty", recursive=True)
    assert box.names() == []
    assert not await box.backend.exists("full")


async def test_an_empty_one_is_deleted(box: Flat) -> None:
    """A folder that has nothing but its mark is empty; one with a file or folder is not."""
    await box.backend.delete_folder("empty")
    assert box.sent() == ["GET list", "DELETE", "HEAD"]
    with pytest.raises(DirectoryNotEmpty):
        await box.backend.delete_folder("full")
    assert box.names() == ["full/", "full/file", "full/sub/"]


async def test_a_mark_that_is_written_meanwhile_stays(box: Flat) -> None:
    """Only the version goes that was seen to be empty."""

    async def write(request: object, answer: object) -> object:
        if "comp=list" in request.url:  # type: ignore[attr-defined]
            box.put("empty/", b"content")
        return answer

    box.transport.after = write
    with pytest.raises(DirectoryNotEmpty):
        await box.backend.delete_folder("empty")
    assert box.get("empty/") == b"content"


async def test_content_is_not_hidden(box: Flat, caplog: pytest.LogCaptureFixture) -> None:
    """A blob of such a name that has content is left out with a warning, as is one below none."""
    box.put("data/", b"content")
    box.put("x//", b"")
    with caplog.at_level(logging.WARNING):
        await gathered(box.backend.list_files("data"))
        assert "'data/'" in caplog.text
        await gathered(box.backend.list_files("x", recursive=True))
    assert "'x/" in caplog.text
    with pytest.raises(DirectoryNotEmpty):
        await box.backend.delete_folder("data")
