"""Several writers of one name, and answers that get lost: who won is never in doubt."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.wiring import chunked, lose, say, upload, wired

from remote_store import AlreadyExists, PreconditionFailed, RemoteStoreError

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.no_cover]

#: Blocks so small that races with many of them are quick.
SMALL: dict[str, Any] = {"max_single_put_size": 1000, "max_block_size": 1000}


def is_put(method: str, kind: str) -> bool:
    return (method, kind) == ("PUT", "")


def is_commit(method: str, kind: str) -> bool:
    return (method, kind) == ("PUT", "blocklist")


def content_of(service: BlobServiceClient, container: str, name: str = "a") -> bytes:
    found: bytes = service.get_blob_client(container, name).download_blob().readall()
    return found


async def slowly(content: bytes, size: int) -> AsyncIterator[bytes]:
    async for chunk in chunked(content, size):
        await asyncio.sleep(0)
        yield chunk


#: The rounds that the contract prescribes, and few of them for those who wait.
@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: bytes([n]) * 900,
        lambda n: slowly(bytes([n]) * 900, 100),
        lambda n: bytes([n]) * 3500,
        lambda n: slowly(bytes([n]) * 3500, 700),
    ],
    ids=["bytes", "stream", "long bytes", "long stream"],
)
async def test_one_of_sixteen_exclusive_writers_wins(
    azurite: Azurite,
    service: BlobServiceClient,
    container: str,
    make: Callable[[int], bytes | AsyncIterator[bytes]],
    rounds: int,
) -> None:
    """WRITE-004: rounds over two connections; all but one get AlreadyExists, and it is whole."""
    async with AsyncExitStack() as stack:
        wires = [
            (await stack.enter_async_context(wired(azurite, container, **SMALL))).wire
            for _ in range(2)
        ]
        for round_ in range(rounds):
            name = f"r{round_}"
            results = await asyncio.gather(
                *(
                    upload(wires[n % 2], name, make(n), exclusive=True, metadata=None)
                    for n in range(16)
                ),
                return_exceptions=True,
            )
            winners = [n for n, result in enumerate(results) if isinstance(result, tuple)]
            losers = [result for result in results if not isinstance(result, tuple)]
            assert len(winners) == 1
            assert {type(error) for error in losers} == {AlreadyExists}
            written = content_of(service, container, name)
            assert set(written) == {winners[0]}
            assert len(written) in (900, 3500)


async def test_an_overwriting_stream_that_lost_says_so(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Of streams that overwrite one name each succeeds or is told; the blob is one of them."""
    async with wired(azurite, container, **SMALL) as found:
        results = await asyncio.gather(
            *(
                upload(
                    found.wire,
                    "a",
                    slowly(bytes([n]) * 3500, 700),
                    exclusive=False,
                    metadata=None,
                )
                for n in range(8)
            ),
            return_exceptions=True,
        )
    errors = [result for result in results if isinstance(result, BaseException)]
    assert len(errors) < 8
    assert {type(error) for error in errors} <= {PreconditionFailed}
    winners = {n for n, result in enumerate(results) if isinstance(result, tuple)}
    written = set(content_of(service, container))
    assert len(written) == 1
    assert written <= winners


@pytest.mark.parametrize("exclusive", [False, True])
async def test_discarded_blocks(
    azurite: Azurite, service: BlobServiceClient, container: str, exclusive: bool
) -> None:
    """InvalidBlockList with nothing there is PreconditionFailed: nothing was written, and known."""
    async with wired(azurite, container, **SMALL) as found:

        async def after(request: Any, answer: Any) -> Any:
            if request.url.endswith("comp=blocklist"):
                # Azurite keeps blocks that the service discards when the name is written whole.
                service.get_blob_client(container, "a").delete_blob()
                answer.status_code = 400
                answer.headers["x-ms-error-code"] = "InvalidBlockList"
            return answer

        found.transport.after = after
        with pytest.raises(PreconditionFailed) as caught:
            await upload(found.wire, "a", bytes(3500), exclusive=exclusive, metadata=None)
    error = caught.value
    assert (error.path, error.code, error.status) == ("a", "InvalidBlockList", 400)
    assert error.outcome_unknown is False
    assert error.__cause__ is not None


async def test_blocks_discarded_by_the_winner(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """InvalidBlockList of an exclusive write is AlreadyExists once there is a blob."""
    async with wired(azurite, container, **SMALL) as found:
        say(found, is_commit, 400, "InvalidBlockList")
        with pytest.raises(AlreadyExists):
            await upload(found.wire, "a", bytes(3500), exclusive=True, metadata=None)
        assert found.sent()[-1] == ("HEAD", "", 200)


@pytest.mark.parametrize("exclusive", [False, True])
async def test_a_stream_knows_its_own_commit(
    azurite: Azurite, service: BlobServiceClient, container: str, exclusive: bool
) -> None:
    """A commit whose answer was lost is found to have been ours, and its ETag is the blob's."""
    data = os.urandom(3500)
    async with wired(azurite, container, **SMALL) as found:
        lose(found, is_commit)
        answer, size = await upload(
            found.wire, "a", chunked(data, 700), exclusive=exclusive, metadata={"k": "v"}
        )
        last = [request for request in found.sent() if request[1] == "blocklist"]
    expected = [("PUT", "blocklist", 201), ("PUT", "blocklist", 201)]
    if exclusive:
        expected = [
            ("PUT", "blocklist", 201),
            ("PUT", "blocklist", 409),
            ("GET", "blocklist", 200),
        ]
    assert last == expected
    blob = service.get_blob_client(container, "a").get_blob_properties()
    assert (size, f'"{answer.etag}"') == (3500, blob.etag)
    assert answer.modified is not None
    assert blob.metadata == {"k": "v"}
    assert content_of(service, container) == data


async def test_a_stream_does_not_take_anothers_blob_for_its_own(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A lost commit, then 409 because of an equal blob of somebody else: AlreadyExists."""
    async with wired(azurite, container, **SMALL) as found:

        async def before(request: Any) -> None:
            if request.url.endswith("comp=blocklist") and not service_blob.exists():
                service_blob.upload_blob(bytes(3500), overwrite=True)

        service_blob = service.get_blob_client(container, "a")
        found.transport.before = before
        lose(found, is_commit)
        with pytest.raises(AlreadyExists):
            await upload(found.wire, "a", bytes(3500), exclusive=True, metadata=None)
        assert ("GET", "blocklist", 200) in found.sent()


async def test_a_lost_commit_that_was_overwritten(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Overwriting: another write after a lost commit leaves the outcome unknown, and says so."""
    async with wired(azurite, container, **SMALL) as found:
        commits = 0

        async def after(request: Any, answer: Any) -> Any:
            nonlocal commits
            if not request.url.endswith("comp=blocklist"):
                return answer
            commits += 1
            if commits == 1:
                from azure.core.exceptions import ServiceResponseError

                await answer.close()
                service.get_blob_client(container, "a").upload_blob(b"other", overwrite=True)
                raise ServiceResponseError("lost")
            if request.method == "PUT":  # Azure has dropped the blocks; Azurite keeps them
                service.get_blob_client(container, "a").upload_blob(b"other", overwrite=True)
                answer.status_code = 400
                answer.headers["x-ms-error-code"] = "InvalidBlockList"
            return answer

        found.transport.after = after
        with pytest.raises(PreconditionFailed) as caught:
            await upload(found.wire, "a", bytes(3500), exclusive=False, metadata=None)
    assert caught.value.outcome_unknown is True
    assert content_of(service, container) == b"other"


@pytest.mark.parametrize(
    ("theirs", "metadata", "unknown"),
    [
        (b"same", {"K": "v"}, True),
        (b"same", {"k": "other"}, False),
        (b"same", None, False),
        (b"same but longer", {"k": "v"}, False),
        (b"sema", {"k": "v"}, False),
    ],
    ids=["equal", "metadata", "no metadata", "size", "md5"],
)
async def test_a_lost_answer_to_an_exclusive_put(
    azurite: Azurite,
    service: BlobServiceClient,
    container: str,
    theirs: bytes,
    metadata: dict[str, str] | None,
    unknown: bool,
) -> None:
    """409 after a lost attempt: never success; unknown exactly if the blob may be our own."""
    service.get_blob_client(container, "a").upload_blob(theirs, metadata=metadata)
    async with wired(azurite, container) as found:
        lose(found, is_put)
        with pytest.raises(AlreadyExists) as caught:
            await upload(found.wire, "a", b"same", exclusive=True, metadata={"k": "v"})
        assert [status for _, _, status in found.sent()] == [409, 409, 200]
    assert caught.value.outcome_unknown is unknown


async def test_an_own_put_whose_answer_was_lost(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """The blob is ours but looks like anybody's: AlreadyExists with `outcome_unknown`."""
    async with wired(azurite, container) as found:
        lose(found, is_put)
        with pytest.raises(AlreadyExists, match="may be this call's own") as caught:
            await upload(found.wire, "a", b"mine", exclusive=True, metadata=None)
    assert caught.value.outcome_unknown is True
    assert content_of(service, container) == b"mine"


async def test_an_overwriting_put_is_simply_sent_again(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A lost answer to an overwriting write is no error: the second attempt succeeds."""
    async with wired(azurite, container) as found:
        lose(found, is_put, 2)
        await upload(found.wire, "a", b"mine", exclusive=False, metadata=None)
    assert content_of(service, container) == b"mine"


async def test_a_conflict_of_another_kind_is_not_an_existing_blob(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """409 and 412 with other codes keep their own meaning."""
    async with wired(azurite, container, **SMALL) as found:
        for wanted, size in ((is_put, 10), (is_commit, 3500)):
            for status, code in ((409, "SnapshotsPresent"), (412, "LeaseIdMissing")):
                say(found, wanted, status, code)
                with pytest.raises(RemoteStoreError) as caught:
                    await upload(found.wire, code, bytes(size), exclusive=True, metadata=None)
                assert not isinstance(caught.value, AlreadyExists)
                assert caught.value.code == code
                service.get_blob_client(container, code).delete_blob()


async def test_who_may_only_create_can_write_exclusively(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Where looking is forbidden the service's own word about the blob counts."""
    service.get_blob_client(container, "old").upload_blob(b"old")
    async with wired(azurite, container, **SMALL) as found:
        say(found, lambda method, kind: method == "HEAD", 403, "AuthorizationFailure", 9)
        with pytest.raises(AlreadyExists):
            await upload(found.wire, "old", b"x", exclusive=True, metadata=None)
        with pytest.raises(AlreadyExists):
            await upload(found.wire, "old", bytes(3500), exclusive=True, metadata=None)
        await upload(found.wire, "new", bytes(3500), exclusive=True, metadata=None)
    assert content_of(service, container, "new") == bytes(3500)
