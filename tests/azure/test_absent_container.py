"""An absent container answers as an empty one, but it cannot be written to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, gathered, stream
from tests.operations import FLAT_OPERATIONS, Kind, Paths, settle

from remote_store import NotFound, PermissionDenied

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(params=[None, False])
async def box(
    azurite: Azurite, service: BlobServiceClient, request: pytest.FixtureRequest
) -> AsyncIterator[Flat]:
    """A backend on no container, with blocks of two bytes."""
    sizes = {"max_single_put_size": 2, "max_block_size": 2}
    options = {"hns": request.param, "client_options": sizes}
    async with flat(azurite, service, "no-such-container", **options) as found:
        yield found


async def test_questions(box: Flat) -> None:
    """Nothing exists there, the root neither; one request tells that."""
    backend = box.backend
    for question in (backend.exists, backend.is_file, backend.is_folder):
        assert await question("a") is False
    for question in (backend.exists, backend.is_file, backend.is_folder):
        box.sent()
        assert await question("") is False
        assert box.sent() == ([] if question == backend.is_file else ["GET list"])


async def test_listings(box: Flat) -> None:
    """Every listing is empty."""
    backend = box.backend
    for listing in (
        backend.list_files("", recursive=True),
        backend.list_files("a"),
        backend.list_files("a", recursive=True, max_depth=2),
        backend.list_folders(""),
        backend.iter_children("a"),
        backend.glob("**"),
        backend.glob("a/*"),
        backend.glob("a"),
    ):
        assert await gathered(listing) == []


async def test_deletes(box: Flat) -> None:
    """A delete finds nothing, which it may be told is fine."""
    for delete in (box.backend.delete, box.backend.delete_folder):
        with pytest.raises(NotFound):
            await delete("a")
        await delete("a", missing_ok=True)
    await box.backend.delete_folder("a", recursive=True, missing_ok=True)


CALLS: list[Any] = [
    *(
        partial(op, paths=Paths("a", "a", "b"))
        for op in FLAT_OPERATIONS.values()
        if op.kind not in (Kind.QUESTION, Kind.LISTING) and "missing_ok" not in op.options
    ),
    lambda b: b.get_folder_info(""),
    lambda b: b.write("a", stream(b"x"), overwrite=True),
    lambda b: b.write("a", stream(b"x", b"y", b"z")),
]


@pytest.mark.parametrize("call", CALLS)
async def test_not_found(box: Flat, call: Any) -> None:
    """Whatever needs a file or a container says which container is absent, and how to make it."""
    with pytest.raises(NotFound, match="container create --name no-such-container") as caught:
        await settle(call(box.backend))
    assert caught.value.code == "ContainerNotFound" or caught.value.code is None
    assert caught.value.status == 404
    assert "'no-such-container' of http://127.0.0.1" in str(caught.value)


async def test_no_second_question(azurite: Azurite, service: BlobServiceClient) -> None:
    """Where the service says that there is no container, no listing is asked for."""
    async with flat(azurite, service, "no-such-container") as box:
        assert not await box.backend.exists("a")
        await box.backend.delete("a", missing_ok=True)
        assert box.sent() == ["HEAD", "DELETE"]


async def test_it_vanishes_during_a_listing(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """After the first page an absent container is an error, not the end of the listing."""
    async with flat(azurite, service, container) as box:
        for name in ("a", "d1/a", "d2/a"):
            box.put(name)

        async def vanish(request: Any, answer: Any) -> Any:
            if "prefix=" in request.url:
                answer.status_code = 404
                answer.headers["x-ms-error-code"] = "ContainerNotFound"
            return answer

        box.transport.after = vanish
        listing = box.backend.list_files("", recursive=True, max_depth=1)
        assert (await anext(listing)).name == "a"
        with pytest.raises(NotFound):
            await anext(listing)


async def test_no_right_is_no_absence(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """403 is PermissionDenied in every operation, and never False, empty or missing."""
    wrong = "c2VjcmV0" * 8
    url = azurite.blob_url
    options = {"connection_string": None, "account_url": url, "account_key": wrong}
    async with flat(azurite, service, container, **options) as box:
        box.put("a")
        backend = box.backend
        for call in (
            backend.exists("a"),
            backend.is_file("a"),
            backend.is_folder("a"),
            backend.read_bytes("a"),
            gathered(backend.list_files("")),
            gathered(backend.list_folders("")),
            gathered(backend.glob("*")),
            backend.get_file_info("a"),
            backend.get_folder_info(""),
            backend.delete("a", missing_ok=True),
            backend.delete_folder("d", missing_ok=True),
            backend.delete_folder("d", recursive=True, missing_ok=True),
            backend.write("a", b"x"),
            backend.copy("a", "b"),
            backend.move("a", "b"),
            backend.check_health(),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await call
            assert wrong not in repr(caught.value)
        assert box.names() == ["a"]
