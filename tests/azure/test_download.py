"""Reading blobs: one request, lazily, one version, and no connection kept."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.wiring import MIB, BlobReader, Wired, wired

from remote_store import InvalidPath, NotFound, PermissionDenied, PreconditionFailed

pytestmark = pytest.mark.asyncio


def store(service: BlobServiceClient, container: str, size: int, name: str = "a") -> bytes:
    data = os.urandom(size)
    service.get_blob_client(container, name).upload_blob(data, overwrite=True)
    return data


def in_use(found: Wired) -> int:
    """Return how many connections are taken by somebody."""
    session: Any = found.transport.session
    return len(session.connector._acquired)


async def settled(found: Wired) -> int:
    """Return the same once the loop had time to close what was given up."""
    for _ in range(100):
        if not in_use(found):
            break
        await asyncio.sleep(0.01)
    return in_use(found)


@pytest.mark.parametrize("size", [0, 1, 300_000, 4 * MIB, 9 * MIB + 1])
@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_round_trip(
    azurite: Azurite, service: BlobServiceClient, container: str, size: int, concurrency: int
) -> None:
    """READ-001: whole and in chunks the content is what was stored, at any concurrency."""
    data = store(service, container, size)
    async with wired(azurite, container, max_concurrency=concurrency) as found:
        assert await BlobReader(found.wire, "a").read_all() == data
        parts = [part async for part in BlobReader(found.wire, "a")]
        assert b"".join(parts) == data
        assert all(type(part) is bytes and part for part in parts)
        assert in_use(found) == 0
        assert len(asyncio.all_tasks()) == 1


async def test_what_a_read_costs(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """The budget: one request, also for 24 MiB and for nothing; no range is ever asked for."""
    async with wired(azurite, container) as found:
        for size in (0, 10, 24 * MIB):
            store(service, container, size)
            async for _ in BlobReader(found.wire, "a"):
                pass
            (request,) = found.transport.taken()
            assert (request.method, request.status) == ("GET", 200)
            assert "x-ms-range" not in request.headers


async def test_what_a_parallel_read_costs(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Ranges of 4 MiB: each byte once, pinned to one version, none beyond the end."""
    async with wired(azurite, container, max_concurrency=3) as found:
        for size, expected in (
            (8 * MIB, [(0, 4), (4, 8)]),
            (9 * MIB, [(0, 4), (4, 8), (8, 9)]),
            (MIB, [(0, 4)]),
        ):
            store(service, container, size)
            await BlobReader(found.wire, "a").read_all()
            requests = found.transport.taken()
            ranges = sorted(r.headers["x-ms-range"] for r in requests)
            assert ranges == sorted(f"bytes={a * MIB}-{b * MIB - 1}" for a, b in expected)
            assert ["if-match" in r.headers for r in requests].count(False) == 1
        store(service, container, 0)
        assert await BlobReader(found.wire, "a").read_all() == b""
        assert [r.status for r in found.transport.taken()] == [416, 200]


async def test_the_callers_sizes_win(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """`max_single_get_size` and `max_chunk_get_size` decide the ranges of a parallel read."""
    data = store(service, container, 2500)
    sizes: dict[str, Any] = {"max_single_get_size": 500, "max_chunk_get_size": 1000}
    async with wired(azurite, container, max_concurrency=2, **sizes) as found:
        assert await BlobReader(found.wire, "a").read_all() == data
        ranges = {r.headers["x-ms-range"] for r in found.transport.taken()}
    assert ranges == {"bytes=0-499", "bytes=500-1499", "bytes=1500-2499"}


@pytest.mark.long
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_read_ahead_is_bounded(
    azurite: Azurite, service: BlobServiceClient, container: str, concurrency: int
) -> None:
    """A consumer that waits after its first chunk lets at most `max_concurrency` requests run."""
    store(service, container, 40 * MIB)
    async with wired(azurite, container, max_concurrency=concurrency) as found:
        async with aclosing(BlobReader(found.wire, "a")) as source:
            await anext(source)
            await asyncio.sleep(0.5)
            assert len(found.transport.requests) <= concurrency
            assert in_use(found) <= concurrency
        assert await settled(found) == 0


@pytest.mark.long
@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("way", ["close", "cancel", "error"])
async def test_what_is_given_up_holds_no_connection(
    azurite: Azurite, service: BlobServiceClient, container: str, way: str, concurrency: int
) -> None:
    """Closed, cancelled or left by an error after the first chunk: nothing stays in use."""
    store(service, container, 20 * MIB)
    async with wired(azurite, container, max_concurrency=concurrency) as found:

        async def consume() -> None:
            async with aclosing(BlobReader(found.wire, "a")) as source:
                async for _ in source:
                    if way == "close":
                        return
                    if way == "error":
                        raise LookupError
                    await asyncio.sleep(60)

        task = asyncio.create_task(consume())
        if way == "cancel":
            await asyncio.sleep(0.3)
            task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        expected = {"close": type(None), "cancel": asyncio.CancelledError, "error": LookupError}
        assert type(result) is expected[way]
        assert len(asyncio.all_tasks()) == 1  # at once, not after a while
        assert await settled(found) == 0


@pytest.mark.parametrize("replace", [True, False])
async def test_a_blob_replaced_between_ranges_is_never_spliced(
    azurite: Azurite, service: BlobServiceClient, container: str, replace: bool
) -> None:
    """Replaced or deleted: PreconditionFailed, and only the beginning of the old blob before it."""
    old = store(service, container, 30 * MIB)
    got: list[bytes] = []

    async def use(found: Wired) -> None:
        async with aclosing(BlobReader(found.wire, "a")) as source:
            async for part in source:
                if not got and replace:
                    store(service, container, 30 * MIB)
                elif not got:
                    service.get_blob_client(container, "a").delete_blob()
                got.append(part)

    async with wired(azurite, container, max_concurrency=2) as found:
        with pytest.raises(PreconditionFailed, match="while it was being read") as caught:
            await use(found)
    assert caught.value.path == "a"
    assert caught.value.status in (404, 412)
    assert caught.value.__cause__ is not None
    beginning = b"".join(got)
    assert old.startswith(beginning)
    assert 0 < len(beginning) < len(old)


@pytest.mark.parametrize("size", [0, 10, 9 * MIB])
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_blob_that_stands_for_a_folder(
    azurite: Azurite, service: BlobServiceClient, container: str, size: int, concurrency: int
) -> None:
    """It is refused by its headers, before a byte is handed out, and its connection is freed."""
    store(service, container, size)
    service.get_blob_client(container, "a").set_blob_metadata({"hdi_isfolder": "true"})
    async with wired(azurite, container, max_concurrency=concurrency) as found:
        with pytest.raises(InvalidPath):
            await anext(BlobReader(found.wire, "a"))
        assert await settled(found) == 0


async def test_a_missing_blob_or_container(azurite: Azurite, container: str) -> None:
    """NotFound with the service's code, after one request."""
    async with wired(azurite, container) as found:
        with pytest.raises(NotFound) as caught:
            await BlobReader(found.wire, "a/b").read_all()
        assert (caught.value.path, caught.value.code) == ("a/b", "BlobNotFound")
        assert len(found.sent()) == 2  # the second one looks for a folder
    async with wired(azurite, "no-such-container") as found:
        with pytest.raises(NotFound) as caught:
            await BlobReader(found.wire, "a/b").read_all()
        assert caught.value.code == "ContainerNotFound"


async def test_what_cannot_be_told_raises(azurite: Azurite, container: str) -> None:
    """403 is PermissionDenied, never absence."""
    async with wired(azurite, container) as found:

        async def after(request: Any, answer: Any) -> Any:
            answer.status_code = 403
            return answer

        found.transport.after = after
        with pytest.raises(PermissionDenied):
            await BlobReader(found.wire, "a").read_all()
