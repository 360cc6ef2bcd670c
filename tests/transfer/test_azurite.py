"""What transfers cost on a real service, in requests of its access log."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import API_VERSION, Azurite
from tests.transfer.conftest import contents, fill

from remote_store import ContentHeaders
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_local import AsyncLocalBackend
from remote_store_memory import AsyncMemoryBackend
from remote_store_transfer.aio import execute, plan, sync_tree, verify_tree

FILES = {f"d{i % 5}/f{i}": b"x" * (i + 1) for i in range(40)}


async def since(azurite: Azurite, box: str, start: int, expected: int) -> Counter[str]:
    """Return how often what was asked of a container since *start*; the log may be late."""
    for _ in range(100):
        found: Counter[str] = Counter()
        for method, target, _status in azurite.requests()[start:]:
            # The log tells late that the container was made.
            if f"/{box}" in target and not (method == "PUT" and "restype=container" in target):
                found["LIST" if "comp=list" in target else method] += 1
        if found.total() >= expected:
            break
        await asyncio.sleep(0.05)
    return found


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_content_headers_go_there_and_back(azurite: Azurite) -> None:
    """Through a service whose listings tell of none; a user's metadata with them."""
    here, back = (AsyncStore(AsyncMemoryBackend()) for _ in "ab")
    headers = ContentHeaders(content_type="text/csv", cache_control="no-cache")
    await here.write("a/f", b"1", headers=headers, metadata={"owner": "ann"})
    box = f"transfer-{uuid.uuid4().hex}"
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=API_VERSION
    ) as client:
        client.create_container(box)
    backend = AsyncAzureBackend(
        box,
        connection_string=azurite.connection_string,
        hns=False,
        client_options={"api_version": API_VERSION},
    )
    async with AsyncStore(backend) as there:
        assert (await sync_tree(here, there)).ok
        assert (await there.get_file_info("a/f")).headers == headers
        assert (await sync_tree(there, back)).ok
        assert (await sync_tree(there, back)).skipped == 1
    info = await back.get_file_info("a/f")
    assert info.headers == headers
    assert info.metadata is not None
    assert info.metadata["owner"] == "ann"


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_requests_of_a_mirror_and_of_its_way_back(azurite: Azurite, tmp_path: Path) -> None:
    """One write for each new file, then one listing; times come back from the metadata."""
    here, back = (AsyncStore(AsyncLocalBackend(tmp_path / name)) for name in ("a", "b"))
    await fill(here, FILES)
    box = f"transfer-{uuid.uuid4().hex}"
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=API_VERSION
    ) as client:
        client.create_container(box)
    backend = AsyncAzureBackend(
        box,
        connection_string=azurite.connection_string,
        hns=False,
        client_options={"api_version": API_VERSION},
    )
    async with AsyncStore(backend) as there:
        start = len(azurite.requests())
        assert (await sync_tree(here, there)).copied == 40
        assert await since(azurite, box, start, 41) == {"PUT": 40, "LIST": 1}
        start = len(azurite.requests())
        assert (await sync_tree(here, there, delete=True)).skipped == 40
        assert await since(azurite, box, start, 1) == {"LIST": 1}

        start = len(azurite.requests())
        assert (await sync_tree(there, back, metadata=False)).copied == 40
        assert await since(azurite, box, start, 41) == {"GET": 40, "LIST": 1}
        assert (await sync_tree(there, back)).skipped == 40
        assert (await verify_tree(here, back)).ok

        new = AsyncStore(AsyncMemoryBackend())
        await fill(new, {"new": b"1"})
        start = len(azurite.requests())
        assert (await sync_tree(new, there, delete=True)).deleted == 40
        assert await since(azurite, box, start, 3) == {"LIST": 1, "PUT": 1, "POST": 1}
        assert await contents(there) == {"new": b"1"}
    assert await contents(here) == await contents(back)
    for path in FILES:  # to the microsecond, as a store tells times
        one, other = ((tmp_path / side / path).stat().st_mtime_ns // 1000 for side in "ab")
        assert one == other


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_a_blob_that_changes_meanwhile_is_a_conflict(azurite: Azurite) -> None:
    """Told by its ETag, though its size is the same; neither replaced nor deleted."""
    box = f"transfer-{uuid.uuid4().hex}"
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=API_VERSION
    ) as client:
        client.create_container(box)
    backend = AsyncAzureBackend(
        box,
        connection_string=azurite.connection_string,
        hns=False,
        client_options={"api_version": API_VERSION},
    )
    source = AsyncStore(AsyncMemoryBackend())
    await fill(source, {"f": b"ours", "new": b"ours"})
    async with AsyncStore(backend) as there:
        await fill(there, {"f": b"old", "gone": b"old"})
        actions = await plan(source, there).prepare()
        deletions = await plan(source, there, delete=True, include=["gone"]).prepare()
        theirs = {"f": b"its", "gone": b"its", "new": b"its"}
        await fill(there, theirs)

        for one, paths in ((actions, {"f", "new"}), (deletions, {"gone"})):
            failures = (await execute(one)).failures
            assert {(f.path, f.kind) for f in failures} == {(path, "conflict") for path in paths}
        assert await contents(there) == theirs
