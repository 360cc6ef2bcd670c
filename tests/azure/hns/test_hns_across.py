"""Copies from one container of a hierarchical account to another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.azure.hns.lake import FS, Lake

from remote_store import (
    AlreadyExists,
    ContentHeaders,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RetryPolicy,
)
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_objects import StorageNotFound

pytestmark = pytest.mark.asyncio

OTHER = "other"
_HEADERS = ContentHeaders(content_type="text/csv", cache_control="no-cache")


def backend_of(lake: Lake, container: str) -> AsyncAzureBackend:
    """Return a backend on another container of the account."""
    return AsyncAzureBackend(
        container,
        connection_string=lake.emulator.connection_string,
        retry=RetryPolicy(max_attempts=3, backoff_base=0.01, jitter=0),
        hns=True,
        client_options={"transport": lake._transport},
    )


@pytest_asyncio.fixture
async def theirs(lake: Lake) -> AsyncIterator[AsyncAzureBackend]:
    """A backend on the container of the sources."""
    lake.emulator.create_filesystem(OTHER)
    async with backend_of(lake, OTHER) as found:
        yield found


async def test_it_is_two_requests_with_all_that_the_file_has(
    lake: Lake, backend: AsyncAzureBackend, theirs: AsyncAzureBackend
) -> None:
    """A look at the source, and Copy Blob with its version; exclusive or not."""
    source, target = AsyncStore(theirs), AsyncStore(backend)
    key = "dir/a é"
    written = await source.write(key, b"content", metadata={"k": "v"}, headers=_HEADERS)
    lake.seen()
    await target.copy_from(source, key, "new/b")
    await target.copy_from(source, key, "new/b", overwrite=True, if_match=written.etag)
    asked = [line.split(" ") for line in lake.seen()]
    assert [(method, status) for method, *_, status in asked] == [
        *(("HEAD", "200"), ("PUT", "202")),
        *(("HEAD", "200"), ("PUT", "202")),
    ]
    info = await target.get_file_info("new/b")
    assert await target.read_bytes("new/b") == b"content"
    assert (info.metadata, info.headers) == ({"k": "v"}, _HEADERS)
    assert await source.read_bytes(key) == b"content"


async def test_what_stands_in_the_way(
    lake: Lake, backend: AsyncAzureBackend, theirs: AsyncAzureBackend
) -> None:
    """On either side: a file, a folder, a file above, another version, a name with a dot."""
    await theirs.write("a", b"1")
    await theirs.write("f/x", b"1")
    await backend.write("a", b"old")
    await backend.write("f/x", b"old")
    for src, dst, kind in (
        ("a", "a", AlreadyExists),
        ("a", "f", InvalidPath),
        ("a", "a/below", InvalidPath),
        ("a", "b.", InvalidPath),
        ("f", "b", InvalidPath),
        ("none", "b", NotFound),
    ):
        with pytest.raises(kind):
            await backend.copy_from(theirs, src, dst)
    with pytest.raises(PreconditionFailed) as caught:
        await backend.copy_from(theirs, "a", "b", if_match="0x0")
    assert caught.value.path == "a"
    assert lake.files() == {"a": b"old", "f/x": b"old"}
    await backend.copy_from(theirs, "a", "a", overwrite=True)
    assert lake.files() == {"a": b"1", "f/x": b"old"}


async def test_the_container_that_is_absent_is_named(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """That of the source, and that of the target."""
    lake.put("a", b"1")
    async with backend_of(lake, "nowhere") as nowhere:
        with pytest.raises(StorageNotFound, match="'nowhere'") as caught:
            await backend.copy_from(nowhere, "a", "b")
        assert caught.value.path == "a"
        with pytest.raises(StorageNotFound, match="'nowhere'") as caught:
            await nowhere.copy_from(backend, "a", "b")
        assert caught.value.path == "b"


async def test_two_backends_of_one_container(lake: Lake, backend: AsyncAzureBackend) -> None:
    """A file is copied to another name; onto itself it stays."""
    lake.put("a", b"1")
    async with backend_of(lake, FS) as theirs:
        await backend.copy_from(theirs, "a", "b")
        for overwrite in (False, True):
            await backend.copy_from(theirs, "a", "a", overwrite=overwrite)
    assert lake.files() == {"a": b"1", "b": b"1"}
