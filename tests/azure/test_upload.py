"""Writing blobs: gathered into blocks, one request where it fits, exclusive by the commit."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
import uuid
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from attrs import evolve
from azure.storage.blob import BlobServiceClient
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.azure.azurite import Azurite
from tests.azure.wiring import MIB, chunked, upload, wired

from remote_store import AlreadyExists, NotFound
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._blob.blocks import block_id
from remote_store_objects._writing.parts import part_size
from remote_store_objects.authoring import Gatherer


async def given_chunks(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


# --- pure: gathering, names, sizes ---------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 300_000), max_size=12), st.lists(st.integers(1, 400_000), min_size=1)
)
def test_gathering_keeps_every_byte_in_order(chunks: list[int], sizes: list[int]) -> None:
    """Blocks have just the wanted size, all but the last; joined they are the stream."""
    data = os.urandom(sum(chunks))

    async def source() -> AsyncIterator[bytes]:
        start = 0
        for size in chunks:
            yield data[start : start + size]
            start += size

    async def gather() -> list[bytes]:
        gatherer = Gatherer(source())
        blocks = [b"".join(await gatherer.take(size)) for size in sizes]
        while not await gatherer.ended():
            blocks.append(b"".join(await gatherer.take(sizes[-1])))
        return blocks

    blocks = asyncio.run(gather())
    assert b"".join(blocks) == data
    full = True
    for block, size in zip(blocks, sizes, strict=False):
        assert len(block) <= size
        assert full or not block
        full = len(block) == size


@pytest.mark.asyncio
async def test_tiny_chunks_do_not_cost_many_times_their_bytes() -> None:
    """A block of 80 KiB gathered from single bytes takes less than 1 MiB of memory."""
    tracemalloc.start()
    try:
        gatherer = Gatherer(chunked(bytes(80 * 1024), 1))
        block = await gatherer.take(80 * 1024)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(map(len, block)) == 80 * 1024
    assert peak < MIB


@pytest.mark.asyncio
async def test_large_chunks_are_not_copied() -> None:
    """What is cut out of a large chunk is a view of it."""
    chunk = bytes(3 * MIB)
    (first,) = await Gatherer(given_chunks(chunk)).take(2 * MIB)
    assert isinstance(first, memoryview)
    assert first.obj is chunk


@pytest.mark.asyncio
async def test_a_buffer_may_be_used_again() -> None:
    """A source may reuse the bytearray that it handed out."""

    async def reuse() -> AsyncIterator[Any]:
        buffer = bytearray(b"a" * 100_000)
        yield buffer
        buffer[:] = b"b" * 100_000
        yield memoryview(buffer)

    assert b"".join(await Gatherer(reuse()).take(MIB)) == b"a" * 100_000 + b"b" * 100_000


def test_block_ids() -> None:
    """48 characters of base64 with nothing to quote, distinct, and other ones for each upload."""
    token, other = "0123456789abcdef" * 2, "f" * 32
    names = [block_id(token[:30], number) for number in range(1, 50_001)]
    assert {len(name) for name in names} == {48}
    assert all(name.isalnum() for name in names)
    assert len({*names, *(block_id(other[:30], number) for number in range(1, 50_001))}) == 100_000


def test_blocks_grow_with_the_stream() -> None:
    """A block doubles every 10,000 blocks: 50,000 hold far more than 195 GiB."""
    backend = AsyncAzureBackend("box", account_name="n")
    sizes, limits = backend._sizes, backend.description
    assert [part_size(i, sizes, limits) // MIB for i in (0, 9_999, 10_000, 19_999, 49_999)] == [
        *(4, 4, 8, 8, 64)
    ]
    assert sum(part_size(i, sizes, limits) for i in range(50_000)) > 1 << 40
    assert part_size(49_999, evolve(sizes, part_size=1 << 30), limits) == 4000 * MIB


# --- against the server ---------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [0, 1, 300_000, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB])
@pytest.mark.parametrize("exclusive", [False, True])
async def test_round_trip(
    azurite: Azurite, service: BlobServiceClient, container: str, size: int, exclusive: bool
) -> None:
    """WRITE-001: bytes and streams arrive equal, around the size of a block."""
    data = os.urandom(size)
    async with wired(azurite, container) as found:
        for name, content in (("b", data), ("s", given_chunks(b"", data[:7], b"", data[7:]))):
            answer, written = await upload(
                found.wire, name, content, exclusive=exclusive, metadata={"Some_Key": "v"}
            )
            blob = service.get_blob_client(container, name)
            got = blob.download_blob()
            assert written == size
            assert got.readall() == data
            assert got.properties.etag == f'"{answer.etag}"'
            assert got.properties.content_settings.content_type == "application/octet-stream"
            assert {k.lower(): v for k, v in got.properties.metadata.items()} == {"some_key": "v"}


@pytest.mark.long
@pytest.mark.asyncio
async def test_what_a_write_costs(azurite: Azurite, container: str) -> None:
    """The budget: one request up to 8 MiB of bytes or 4 MiB of stream, one more for each block."""
    put_one, block = ("PUT", "", 201), ("PUT", "block", 201)
    commit, look = ("PUT", "blocklist", 201), ("HEAD", "", 404)
    async with wired(azurite, container) as found:

        async def cost(name: str, content: Any, exclusive: bool) -> Any:
            await upload(found.wire, name, content, exclusive=exclusive, metadata=None)
            return found.sent()

        eight = bytes(8 * MIB)
        assert await cost("a", eight, False) == [put_one]
        assert await cost("b", eight, True) == [put_one]
        assert await cost("c", chunked(eight[: 4 * MIB], 70_000), False) == [put_one]
        assert await cost("d", chunked(eight[: 4 * MIB], 70_000), True) == [put_one]
        assert await cost("e", given_chunks(), True) == [put_one]
        assert await cost("f", eight + b"1", False) == [block] * 3 + [commit]
        sixty_four = chunked(bytes(64 * MIB), MIB)
        assert await cost("g", sixty_four, True) == [look, *[block] * 16, commit]


@pytest.mark.asyncio
async def test_the_callers_sizes_win(azurite: Azurite, container: str) -> None:
    """`max_single_put_size` and `max_block_size` decide what is one request and one block."""
    options: dict[str, Any] = {"max_single_put_size": 1000, "max_block_size": 2000}
    async with wired(azurite, container, **options) as found:
        await upload(found.wire, "a", bytes(1000), exclusive=False, metadata=None)
        assert found.sent() == [("PUT", "", 201)]
        await upload(found.wire, "a", bytes(5000), exclusive=False, metadata=None)
        assert [kind for _, kind, _ in found.sent()] == ["block"] * 3 + ["blocklist"]
        stream = chunked(bytes(1500), 100)
        await upload(found.wire, "a", stream, exclusive=False, metadata=None)
        assert [kind for _, kind, _ in found.sent()] == ["block", "blocklist"]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [10, 9 * MIB])
async def test_an_existing_blob_is_left_alone(
    azurite: Azurite, service: BlobServiceClient, container: str, size: int
) -> None:
    """An exclusive write of bytes or of a stream raises AlreadyExists and sends no block."""
    service.get_blob_client(container, "a").upload_blob(b"old")
    async with wired(azurite, container) as found:
        for content in (bytes(size), chunked(bytes(size), MIB)):
            with pytest.raises(AlreadyExists) as caught:
                await upload(found.wire, "a", content, exclusive=True, metadata=None)
            assert (caught.value.path, caught.value.outcome_unknown) == ("a", False)
            kinds = {kind for _, kind, _ in found.sent()}
            assert kinds == {""}
    assert service.get_blob_client(container, "a").download_blob().readall() == b"old"


@pytest.mark.asyncio
async def test_a_long_stream_for_an_existing_blob_is_refused_early(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """One request, and no more of the source than one block and one chunk is consumed."""
    service.get_blob_client(container, "a").upload_blob(b"old")
    pulled = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal pulled
        for _ in range(64):
            pulled += MIB
            yield bytes(MIB)

    async with wired(azurite, container) as found:
        with pytest.raises(AlreadyExists):
            await upload(found.wire, "a", source(), exclusive=True, metadata=None)
        assert found.sent() == [("HEAD", "", 200)]
    assert pulled <= 5 * MIB


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [0, 10, 9 * MIB])
@pytest.mark.parametrize("streamed", [False, True])
async def test_uncommitted_blocks_of_others_are_no_blob(
    azurite: Azurite, service: BlobServiceClient, container: str, size: int, streamed: bool
) -> None:
    """Where only orphaned blocks lie an exclusive write succeeds, though Put Blob gets a 409."""
    blob = service.get_blob_client(container, "a")
    blob.stage_block("x" * 36, b"orphan")  # encoded by the SDK to 48 characters
    data = os.urandom(size)
    content = chunked(data, MIB) if streamed else data
    async with wired(azurite, container) as found:
        await upload(found.wire, "a", content, exclusive=True, metadata={"k": "v"})
    got = blob.download_blob()
    assert got.readall() == data
    assert got.properties.metadata == {"k": "v"}


@pytest.mark.asyncio
async def test_blocks_of_another_kind_are_explained(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Uncommitted blocks with shorter ids make an upload fail with a sentence that helps."""
    service.get_blob_client(container, "a").stage_block(b64encode(b"x").decode(), b"orphan")
    async with wired(azurite, container) as found:
        with pytest.raises(Exception, match="another program left") as caught:
            await upload(found.wire, "a", bytes(9 * MIB), exclusive=False, metadata=None)
    assert getattr(caught.value, "code", None) == "InvalidBlobOrBlock"
    assert caught.value.__cause__ is not None


@pytest.mark.asyncio
async def test_a_content_type(azurite: Azurite, service: BlobServiceClient, container: str) -> None:
    """A blob has the media type that it was given, and the MD5 that the service made."""
    async with wired(azurite, container) as found:
        answer, _ = await upload(
            found.wire, "a", b"x", exclusive=True, metadata=None, content_type="text/plain"
        )
    settings_ = service.get_blob_client(container, "a").get_blob_properties().content_settings
    assert settings_.content_type == "text/plain"
    assert answer.digest is not None
    assert bytes(settings_.content_md5 or b"").hex() == answer.digest.value


@pytest.mark.asyncio
@pytest.mark.parametrize("after", [0, 5, 12])
async def test_the_callers_exception_passes(
    azurite: Azurite, service: BlobServiceClient, container: str, after: int
) -> None:
    """The same object, whatever was sent before; nothing is visible and no task is left."""
    boom = LookupError("mine")

    async def source() -> AsyncIterator[bytes]:
        for _ in range(after):
            yield bytes(MIB)
        raise boom

    async with wired(azurite, container, max_concurrency=3) as found:
        with pytest.raises(LookupError) as caught:
            await upload(found.wire, "a", source(), exclusive=False, metadata=None)
        assert caught.value is boom
        assert len(asyncio.all_tasks()) == 1
        assert ("PUT", "blocklist", 201) not in found.sent()
    assert not service.get_blob_client(container, "a").exists()


@pytest.mark.asyncio
async def test_other_things_than_bytes_are_refused(azurite: Azurite, container: str) -> None:
    """A chunk that is no bytes raises TypeError, and nothing becomes visible."""
    async with wired(azurite, container) as found:
        with pytest.raises(TypeError, match="str"):
            await upload(found.wire, "a", given_chunks(b"x", "y"), exclusive=False, metadata=None)
        assert found.sent() == []


@pytest.mark.asyncio
async def test_an_absent_container(azurite: Azurite) -> None:
    """NotFound, for one request and for blocks."""
    async with wired(azurite, "no-such-container") as found:
        for content in (b"x", bytes(9 * MIB)):
            with pytest.raises(NotFound) as caught:
                await upload(found.wire, "a", content, exclusive=False, metadata=None)
            assert caught.value.code == "ContainerNotFound"


@pytest.mark.long
@pytest.mark.asyncio
@pytest.mark.parametrize("concurrency", [1, 3])
async def test_as_many_blocks_in_flight_as_allowed(
    azurite: Azurite, container: str, concurrency: int
) -> None:
    """`max_concurrency` blocks are sent at the same time, and never more."""
    async with wired(azurite, container, max_concurrency=concurrency) as found:
        flying = most = 0

        async def before(request: Any) -> None:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await asyncio.sleep(0.02)

        async def after(request: Any, answer: Any) -> Any:
            nonlocal flying
            flying -= 1
            return answer

        found.transport.before, found.transport.after = before, after
        await upload(found.wire, "a", chunked(bytes(40 * MIB), MIB), exclusive=False, metadata=None)
    assert most == concurrency


@pytest.mark.asyncio
async def test_a_failed_block_ends_the_upload(azurite: Azurite, service: BlobServiceClient) -> None:
    """A block that is refused ends the others and is the error; the source is not drained."""
    pulled = 0
    container = f"short-{uuid.uuid4().hex}"
    service.create_container(container)

    async def source() -> AsyncGenerator[bytes, None]:
        nonlocal pulled
        for _ in range(400):
            pulled += 1
            yield bytes(MIB)

    async with wired(azurite, container, max_concurrency=2) as found:
        seen = 0

        async def before(request: Any) -> None:
            nonlocal seen
            seen += 1
            if seen == 3:
                service.delete_container(container)

        found.transport.before = before
        with pytest.raises(NotFound):
            await upload(found.wire, "a", source(), exclusive=False, metadata=None)
        assert len(asyncio.all_tasks()) == 1
    assert pulled < 40


@pytest.mark.asyncio
async def test_a_cancelled_upload_leaves_nothing_visible(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """CANCEL: the old blob stays, nothing more is sent, no task is left."""
    service.get_blob_client(container, "a").upload_blob(b"old")
    started = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        for n in range(100):
            if n == 10:
                started.set()
                await asyncio.sleep(60)
            yield bytes(MIB)

    async with wired(azurite, container, max_concurrency=2) as found:
        task = asyncio.create_task(
            upload(found.wire, "a", source(), exclusive=False, metadata=None)
        )
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        found.sent()
        await asyncio.sleep(0.1)
        assert found.sent() == []
    assert service.get_blob_client(container, "a").download_blob().readall() == b"old"
