"""Files that have snapshots."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat

from remote_store import PermissionDenied
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio


def snap(box: Flat, *names: str) -> None:
    """Write blobs, and take a snapshot of each."""
    for name in names:
        box.put(name)
        box.container.get_blob_client(name).create_snapshot()


def left(box: Flat) -> list[str]:
    """Return the names of blobs and snapshots."""
    return sorted(blob.name for blob in box.container.list_blobs(include=["snapshots"]))


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend that leaves snapshots alone."""
    async with flat(azurite, service, container) as found:
        yield found


@pytest_asyncio.fixture
async def deleting(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> AsyncIterator[Flat]:
    """A backend that deletes them, on the same container."""
    async with flat(azurite, service, container, delete_snapshots=True) as found:
        yield found


async def test_they_keep_a_file(box: Flat) -> None:
    """The error has the code and names the option; nothing is deleted that has snapshots."""
    snap(box, "d/a", "d/b")
    box.put("d/c")
    backend = box.backend
    for call, removed_something in (
        (backend.delete("d/a"), False),
        (backend.delete("d/a", missing_ok=True), False),
        (backend.delete_folder("d", recursive=True), True),
    ):
        with pytest.raises(PermissionDenied, match="delete_snapshots=True") as caught:
            await call
        assert (caught.value.path, caught.value.code) == ("d/a", "SnapshotsPresent")
        assert caught.value.outcome_unknown is removed_something
    (other,) = caught.value.others
    assert isinstance(other, PermissionDenied)
    assert other.path == "d/b"
    assert left(box) == ["d/a", "d/a", "d/b", "d/b"], "what has none is deleted with the folder"


async def test_one_file_in_a_folder(box: Flat) -> None:
    """A batch is not needed for it."""
    snap(box, "d/a")
    with pytest.raises(PermissionDenied, match="delete_snapshots=True"):
        await box.backend.delete_folder("d", recursive=True)


async def test_they_keep_the_source_of_a_move(box: Flat) -> None:
    """The copy is there by then, and the error says so."""
    snap(box, "a")
    with pytest.raises(PermissionDenied, match=r"delete_snapshots=True.*copy at 'b' is complete"):
        await box.backend.move("a", "b")
    assert left(box) == ["a", "a", "b"]


async def test_they_are_deleted_on_demand(deleting: Flat) -> None:
    """By delete, move and recursive delete, in as many requests as without."""
    snap(deleting, "a", "b", "one/a", "two/a", "two/b", "two/c")
    backend = deleting.backend
    await backend.delete("a")
    assert deleting.sent() == ["DELETE"]
    await backend.move("b", "c")
    assert deleting.sent() == ["HEAD", "PUT", "DELETE"]
    await backend.delete_folder("one", recursive=True)
    await backend.delete_folder("two", recursive=True)
    assert "POST batch" in deleting.sent()
    assert left(deleting) == ["c"]


async def test_where_batches_are_refused(deleting: Flat) -> None:
    """They are deleted one by one, with their snapshots."""

    async def refuse(request: object, answer: object) -> object:
        if "comp=batch" in request.url:  # type: ignore[attr-defined]
            answer.status_code = 403  # type: ignore[attr-defined]
        return answer

    deleting.transport.after = refuse
    snap(deleting, "d/a", "d/b")
    await deleting.backend.delete_folder("d", recursive=True)
    assert left(deleting) == []


async def test_a_file_without_them(deleting: Flat) -> None:
    """It is deleted as ever, and so is nothing."""
    deleting.put("a")
    await deleting.backend.delete("a")
    await deleting.backend.delete("a", missing_ok=True)
    assert left(deleting) == []


async def test_the_option_travels() -> None:
    """It shows, and goes with a copy of the backend."""
    backend = AsyncAzureBackend("box", account_name="me", account_key="a2V5", delete_snapshots=True)
    assert "delete_snapshots=True" in repr(backend)
    assert "delete_snapshots=True" in repr(copy.copy(backend))
    found, _ = AsyncAzureBackend.from_url("azure://box?account_name=me&delete_snapshots=1")
    assert "delete_snapshots=True" in repr(found)
