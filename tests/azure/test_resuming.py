"""Blocks that an earlier write left, and what the next one makes of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import flat

from remote_store import AlreadyExists, BackendUnavailable, PreconditionFailed
from remote_store_azure._blob.blocks import block_id, content_id, left_blocks

#: Blocks so small that ten of them are quick.
SMALL: dict[str, Any] = {"client_options": {"max_single_put_size": 1000, "max_block_size": 1000}}
DATA = random.Random(1).randbytes(9500)
GONE = "the source is gone"
LIST, BLOCK, COMMIT = "GET blocklist", "PUT block", "PUT blocklist"


async def stream(data: bytes = DATA, error: BaseException | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 300):
        yield data[start : start + 300]
    if error is not None:
        raise error


@pytest.mark.asyncio
async def test_blocks_that_are_there_are_not_sent_again(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """One request finds them; the first block is this upload's own, and comes again."""
    async with flat(azurite, service, container, **SMALL) as there:
        error = BackendUnavailable(GONE)
        with pytest.raises(BackendUnavailable) as caught:
            await there.backend.write("f", stream(DATA[:6100], error), resume=True)
        assert caught.value is error
        assert there.sent() == ["HEAD", LIST, *[BLOCK] * 5]  # the sixth was under way
        assert there.names() == []

        result = await there.backend.write("f", stream(), resume=True, metadata={"k": "v"})
        assert there.sent() == ["HEAD", LIST, *[BLOCK] * 6, COMMIT]
        assert result.size == 9500
        assert there.get("f") == DATA
        assert (await there.backend.get_file_info("f")).metadata == {"k": "v"}


@pytest.mark.asyncio
async def test_it_takes_one_request_more(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """And none for content of one request."""
    async with flat(azurite, service, container, **SMALL) as there:
        await there.backend.write("f", stream(), overwrite=True)
        plain = there.sent()
        await there.backend.write("g", stream(), overwrite=True, resume=True)
        assert there.sent() == [LIST, *plain]
        await there.backend.write("h", stream(DATA[:900]), resume=True)
        await there.backend.write("i", DATA[:900], resume=True)
        assert there.sent() == ["PUT", "PUT"]


@pytest.mark.parametrize(
    "data",
    [DATA[:3500] + b"!" + DATA[3501:], b"!" + DATA, DATA[:2500], DATA[:900], DATA + DATA, b""],
    ids=["one byte", "shifted", "shorter", "one request", "longer", "none"],
)
@pytest.mark.asyncio
async def test_another_content_arrives_as_it_is(
    azurite: Azurite, service: BlobServiceClient, container: str, data: bytes
) -> None:
    async with flat(azurite, service, container, **SMALL) as there:
        with pytest.raises(BackendUnavailable):
            await there.backend.write("f", stream(DATA, BackendUnavailable(GONE)), resume=True)
        await there.backend.write("f", stream(data), resume=True)
        assert there.get("f") == data


@pytest.mark.asyncio
async def test_blocks_of_the_file_itself_count_as_well(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A large file of which little has changed is overwritten by little."""
    new = DATA[:3500] + b"!" + DATA[3501:]
    async with flat(azurite, service, container, **SMALL) as there:
        await there.backend.write("f", stream(), resume=True)
        there.sent()
        await there.backend.write("f", stream(new), resume=True, overwrite=True)
        assert there.sent() == [LIST, BLOCK, BLOCK, COMMIT]
        assert there.get("f") == new


@pytest.mark.asyncio
async def test_what_other_writes_left_is_no_obstacle(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Blocks of writes without resume, of the SDK, and of other sizes."""
    async with flat(azurite, service, container, **SMALL) as there:
        with pytest.raises(OSError, match="mine"):
            await there.backend.write("f", stream(DATA, OSError("mine")))
        there.container.get_blob_client("f").stage_block("0" * 36, b"of the SDK")
        sizes = {"client_options": {"max_single_put_size": 700, "max_block_size": 700}}
        async with flat(azurite, service, container, **sizes) as other:
            with pytest.raises(BackendUnavailable):
                await other.backend.write("f", stream(DATA, BackendUnavailable(GONE)), resume=True)
        await there.backend.write("f", stream(), resume=True)
        assert there.get("f") == DATA


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.asyncio
async def test_of_two_writers_one_succeeds(
    azurite: Azurite, service: BlobServiceClient, container: str, same: bool
) -> None:
    """The commit of the first drops what the other one sent, whose commit says so."""
    contents = [DATA, DATA if same else DATA[:3500] + b"!" + DATA[3501:]]
    async with (
        flat(azurite, service, container, **SMALL) as one,
        flat(azurite, service, container, **SMALL) as two,
    ):
        met = asyncio.Barrier(2)

        async def meeting(data: bytes) -> AsyncIterator[bytes]:
            yield data[:9000]
            await met.wait()
            yield data[9000:]

        writes = [
            each.backend.write("f", meeting(data), overwrite=True, resume=True)
            for each, data in zip((one, two), contents, strict=True)
        ]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        # Where both sent their last block before either commit, one is told.
        assert len(failed) <= 1
        assert all(isinstance(error, PreconditionFailed) for error in failed)
        winners = [
            contents[n] for n, each in enumerate(outcomes) if not isinstance(each, BaseException)
        ]
        assert one.get("f") in winners


@pytest.mark.asyncio
async def test_a_commit_of_the_same_content_is_not_taken_for_ones_own(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """The answer was lost, and the blocks in the blob have the names of ours, but for the first."""
    async with (
        flat(azurite, service, container, **SMALL) as ours,
        flat(azurite, service, container, **SMALL) as theirs,
    ):
        lost = False

        async def before(request: Any) -> None:
            nonlocal lost
            if "comp=blocklist" in request.url and request.method == "PUT" and not lost:
                lost = True
                await theirs.backend.write("f", stream(), resume=True)
                msg = "the answer was lost"
                raise ServiceResponseError(msg)

        ours.transport.before = before
        with pytest.raises(AlreadyExists):
            await ours.backend.write("f", stream(), resume=True)
        assert lost


@pytest.mark.asyncio
async def test_who_may_not_read_writes_all_the_same(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """It begins from zero each time."""
    options = {**SMALL, **azurite.only(container, "w")}
    async with flat(azurite, service, container, **options) as there:
        await there.backend.write("f", stream(), overwrite=True, resume=True)
        assert there.sent() == [LIST, *[BLOCK] * 10, COMMIT]
        assert there.get("f") == DATA


def test_names_tell_number_and_content() -> None:
    """All of one length, those of the SDK too; other names are nobody's content."""
    digest = "ab" * 28
    name = content_id(50_000, digest)
    assert len(name) == len(block_id("0" * 30, 1)) == 48
    listed = "".join(
        f"<Block><Name>{each}</Name><Size>7</Size></Block>"
        for each in (name, block_id("0" * 30, 1), "AAAA", "no base64", "")
    )
    body = (
        f"<BlockList><CommittedBlocks/><UncommittedBlocks>{listed}</UncommittedBlocks></BlockList>"
    )
    (part,) = left_blocks(body.encode())
    assert (part.number, part.size, part.token) == (50_000, 7, name)
    assert part.digest is not None
    assert (part.digest.algorithm, part.digest.value) == ("sha224", digest)
