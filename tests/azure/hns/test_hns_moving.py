"""Moving and copying on a hierarchical account."""

from __future__ import annotations

from typing import Any

import pytest
from tests.azure.hns.lake import Lake

from remote_store import AlreadyExists, NotFound, PreconditionFailed
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

METHODS = ["move", "copy"]


async def call(backend: AsyncAzureBackend, method: str, src: str, dst: str, **how: Any) -> None:
    """Move or copy."""
    await getattr(backend, method)(src, dst, **how)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_file_gets_there_with_its_metadata(
    lake: Lake, backend: AsyncAzureBackend, method: str, overwrite: bool
) -> None:
    """In folders that are made for it; the source goes only with a move."""
    await backend.write("a/f", b"content", metadata={"k": "v"})
    if overwrite:
        lake.put("b/c/g", b"old", {"old": "1"})
    before = await backend.get_file_info("a/f")

    await call(backend, method, "a/f", "b/c/g", overwrite=overwrite)

    left = {"a/f": b"content"} if method == "copy" else {}
    assert lake.files() == {"b/c/g": b"content", **left}
    after = await backend.get_file_info("b/c/g")
    assert after.metadata == {"k": "v"}
    assert (after.etag == before.etag) == (method == "move")


@pytest.mark.parametrize("method", METHODS)
async def test_an_existing_file_stays(lake: Lake, backend: AsyncAzureBackend, method: str) -> None:
    """The condition on the destination decides, not a look before."""
    lake.put("f", b"new")
    lake.put("g", b"old")

    with pytest.raises(AlreadyExists) as caught:
        await call(backend, method, "f", "g")
    assert caught.value.path == "g"
    assert lake.files() == {"f": b"new", "g": b"old"}


@pytest.mark.parametrize("method", METHODS)
async def test_a_missing_source_is_not_found(
    lake: Lake, backend: AsyncAzureBackend, method: str
) -> None:
    """It wins over a destination that cannot be, and nothing is made for it."""
    lake.put("f", b"f")

    for src, dst in (("no", "g"), ("no", "a/b/g"), ("f/no", "g"), ("no", "f/x"), ("no", "f")):
        with pytest.raises(NotFound) as caught:
            await call(backend, method, src, dst)
        assert caught.value.path == src
    assert lake.files() == {"f": b"f"}
    assert lake.folders() == set()


@pytest.mark.parametrize("method", METHODS)
async def test_onto_itself_it_is_left_alone(
    lake: Lake, backend: AsyncAzureBackend, method: str
) -> None:
    """The service is not asked for what nobody knows the answer of."""
    lake.put("f", b"f")

    await call(backend, method, "f", "f")
    await call(backend, method, "f", "f", overwrite=True)
    with pytest.raises(NotFound):
        await call(backend, method, "no", "no")
    assert lake.files() == {"f": b"f"}


def _between(lake: Lake, act: Any) -> None:
    """Do something past the backend between its look at the source and what follows."""

    async def before(request: Any) -> None:
        if request.method == "PUT":
            lake.transport.before = None
            act()

    lake.transport.before = before


async def test_a_source_that_changes_meanwhile_is_not_moved(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """It may be a folder by now, or hold what nobody meant to move."""
    lake.put("f", b"old")
    await backend.exists("f")
    _between(lake, lambda: lake.put("f", b"new"))

    with pytest.raises(PreconditionFailed) as caught:
        await backend.move("f", "g")
    assert caught.value.path == "f"
    assert lake.files() == {"f": b"new"}


async def test_a_source_that_becomes_a_folder_is_not_moved(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The condition on its version holds it."""
    lake.put("f", b"old")
    await backend.exists("f")

    def act() -> None:
        lake.remove("f")
        lake.put("f/below", b"x")

    _between(lake, act)
    with pytest.raises(PreconditionFailed):
        await backend.move("f", "g")
    assert lake.files() == {"f/below": b"x"}


async def test_only_the_version_that_was_seen_to_be_a_file_is_copied(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """What the service does with a folder as the source of a copy, nobody recorded."""
    lake.put("f", b"f")
    await backend.copy("f", "g")

    look, copy = lake.transport.requests
    etag = (await backend.get_file_info("f")).etag
    assert copy.headers["x-ms-source-if-match"] == f'"{etag}"'
    assert look.method == "HEAD"


async def test_a_source_that_changes_meanwhile_is_copied_as_it_is_then(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """A copy is of some version; it is looked at again."""
    lake.put("f", b"old")
    await backend.exists("f")
    _between(lake, lambda: lake.put("f", b"new"))

    await backend.copy("f", "g")
    assert lake.files() == {"f": b"new", "g": b"new"}


async def test_a_source_that_goes_meanwhile_is_not_found(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Nothing is there then."""
    for method in METHODS:
        lake.put("f", b"old")
        await backend.exists("f")

        def act() -> None:
            lake.remove("f")

        _between(lake, act)
        with pytest.raises(NotFound) as caught:
            await call(backend, method, "f", "g")
        assert caught.value.path == "f"
    assert lake.files() == {}


async def test_the_folder_of_a_destination_may_come_between(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Who makes it first does not matter, and a folder that is there keeps its version."""
    lake.put("f", b"f")
    made: list[str] = []

    def version() -> str:
        properties = lake.blobs.get_blob_client("a/b").get_blob_properties()
        assert properties.etag
        return properties.etag

    async def before(request: Any) -> None:
        if "resource=directory" in request.url:
            lake.mkdir("a/b")
            made.append(version())

    await backend.exists("f")
    lake.transport.before = before
    await backend.move("f", "a/b/f")

    assert [version()] == made
    assert lake.files() == {"a/b/f": b"f"}


@pytest.mark.parametrize("answers", ["success", "failed"])
async def test_a_copy_that_is_pending_is_waited_for(
    lake: Lake, backend: AsyncAzureBackend, answers: str
) -> None:
    """Until the service says what became of it."""
    lake.put("f", b"f")
    await backend.exists("f")
    looks = 0

    async def after(request: Any, answer: Any) -> Any:
        nonlocal looks
        if request.method == "PUT":
            answer.headers["x-ms-copy-status"] = "pending"
        if request.method == "HEAD" and request.url.endswith("/g"):
            looks += 1
            answer.headers["x-ms-copy-status"] = answers if looks == 2 else "pending"
        return answer

    lake.transport.after = after
    if answers == "success":
        await backend.copy("f", "g")
    else:
        with pytest.raises(Exception, match="did not complete the copy"):
            await backend.copy("f", "g")
    assert looks == 2
