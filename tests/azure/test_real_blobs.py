"""What blobs of real accounts are besides content: archived, append blobs, under narrow rights."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from azure.storage.blob import (
    BlobServiceClient,
    BlobType,
    StandardBlobTier,
)
from tests.azure.azurite import Azurite
from tests.azure.flat import QUICK, Flat, flat, gathered, stream
from tests.azure.scripted import KEY, reply, scripted

from remote_store import AlreadyExists, PermissionDenied, RemoteStoreError
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

SMALL = {"max_single_put_size": 2, "max_block_size": 2}


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend with blocks of two bytes."""
    async with flat(azurite, service, container, client_options=SMALL) as found:
        yield found


async def test_an_archived_file(box: Flat) -> None:
    """Reading, copying and moving it name the source, and what to do; it is seen and deleted."""
    backend = box.backend
    box.put("cold")
    box.container.get_blob_client("cold").set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    for call in (
        backend.read_bytes("cold"),
        gathered(backend.read("cold")),
        backend.copy("cold", "new"),
        backend.copy("cold", "new", overwrite=True),
        backend.move("cold", "new"),
    ):
        with pytest.raises(RemoteStoreError, match="rehydrate") as caught:
            await call
        assert (type(caught.value), caught.value.code) == (RemoteStoreError, "BlobArchived")
        assert caught.value.path == "cold"
        assert "cold" in str(caught.value.args[0])
        assert not caught.value.outcome_unknown
    assert await backend.exists("cold")
    await backend.delete("cold")
    assert box.names() == []


@pytest.mark.parametrize("hns", [True, False])
@pytest.mark.parametrize(("tier", "named"), [({"x_ms_access_tier": "Archive"}, "src"), ({}, "dst")])
async def test_which_file_is_archived(hns: bool, tier: dict[str, str], named: str) -> None:
    """A copy that meets one looks whether it is the source, and names the other one if not."""
    headers = {"ETag": '"0x1"', "Content_Length": "0", **tier}
    there = reply(200, b"", **headers)
    refusal = reply(409, x_ms_error_code="BlobBeingRehydrated")
    acts = [there, refusal, there] if hns else [refusal, there]
    async with scripted(*acts) as server:
        backend = AsyncAzureBackend(
            "box", account_url=server.url, account_key=KEY, hns=hns, retry=QUICK
        )
        with pytest.raises(RemoteStoreError, match="being rehydrated") as caught:
            await backend.copy("src", "dst", overwrite=True)
        assert caught.value.path == named
        await backend.aclose()


@pytest.mark.parametrize(
    ("blob_type", "words", "content"),
    [
        (BlobType.APPENDBLOB, "an append blob", b"old"),
        (BlobType.PAGEBLOB, "a page blob", bytes(512)),
    ],
)
async def test_a_blob_of_another_type(
    box: Flat, blob_type: BlobType, words: str, content: bytes
) -> None:
    """One request replaces it; more than one is refused, names its type and changes nothing."""
    box.put("log", content, blob_type=blob_type)
    for more in (b"abc", stream(b"ab", b"c")):
        with pytest.raises(RemoteStoreError, match=f"{words}, .*delete it first") as caught:
            await box.backend.write("log", more, overwrite=True)
        assert (caught.value.path, caught.value.code) == ("log", "InvalidBlobType")
        assert type(caught.value) is RemoteStoreError
        assert not caught.value.outcome_unknown
        assert box.get("log") == content
        with pytest.raises(AlreadyExists):
            await box.backend.write("log", b"abc")
    await box.backend.write("log", b"ab", overwrite=True)
    assert box.get("log") == b"ab"


async def test_a_copy_onto_a_blob_of_another_type() -> None:
    """The error names the type of the destination."""
    acts = [
        reply(409, x_ms_error_code="InvalidBlobType"),
        reply(200, x_ms_blob_type="PageBlob", ETag='"0x1"'),
    ]
    async with scripted(*acts) as server:
        backend = AsyncAzureBackend(
            "box", account_url=server.url, account_key=KEY, hns=False, retry=QUICK
        )
        with pytest.raises(RemoteStoreError, match=r"a page blob.*: dst") as caught:
            await backend.copy("src", "dst", overwrite=True)
        assert caught.value.path == "dst"
        await backend.aclose()


async def test_who_may_only_create(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Content of one request is written; longer content is refused with the right it needs."""
    options = azurite.only(container, "c")
    async with flat(azurite, service, container, client_options=SMALL, **options) as box:
        await box.backend.write("new", b"ab")
        await box.backend.write("other", stream(b"a", b"b"))
        for more in (b"abc", stream(b"ab", b"c")):
            with pytest.raises(PermissionDenied, match="needs the right to write") as caught:
                await box.backend.write("long", more)
            assert (caught.value.path, caught.value.status) == ("long", 403)
            assert not caught.value.outcome_unknown
        assert box.names() == ["new", "other"]


NO_OVERWRITE = reply(403, x_ms_error_code="UnauthorizedBlobOverwrite")
NO_LOOK = reply(403, x_ms_error_code="AuthorizationPermissionMismatch")


@pytest.mark.parametrize("hns", [True, False])
@pytest.mark.parametrize("look", [NO_LOOK, reply(200, ETag='"0x1"', Content_Length="1")])
async def test_who_may_create_meets_a_file(hns: bool, look: bytes) -> None:
    """An exclusive write finds that it exists; an overwriting one is not allowed, and says why."""
    async with scripted(NO_OVERWRITE, look, NO_OVERWRITE) as server:
        backend = AsyncAzureBackend(
            "box", account_url=server.url, sas_token="sp=c&sig=x", hns=hns, retry=QUICK
        )
        with pytest.raises(AlreadyExists) as caught:
            await backend.write("a", b"x")
        assert (caught.value.status, caught.value.code) == (403, "UnauthorizedBlobOverwrite")
        assert not caught.value.outcome_unknown
        with pytest.raises(PermissionDenied, match="not to overwrite") as refused:
            await backend.write("a", b"x", overwrite=True)
        assert refused.value.path == "a"
        await backend.aclose()


@pytest.mark.parametrize("hns", [True, False])
async def test_who_may_create_loses_an_answer(hns: bool) -> None:
    """The file may be this write's own, where nobody may look."""
    async with scripted(None, NO_OVERWRITE, NO_LOOK) as server:
        backend = AsyncAzureBackend(
            "box", account_url=server.url, sas_token="sp=c&sig=x", hns=hns, retry=QUICK
        )
        with pytest.raises(AlreadyExists) as caught:
            await backend.write("a", b"x")
        assert caught.value.outcome_unknown
        await backend.aclose()


@pytest.mark.parametrize("hns", [True, False])
async def test_who_may_create_copies(hns: bool) -> None:
    """An exclusive copy onto a file that exists says so, an overwriting one that it may not."""
    source = [reply(200, ETag='"0x1"', Content_Length="1")] if hns else []
    acts = [*source, NO_OVERWRITE, NO_LOOK, *source, NO_OVERWRITE]
    async with scripted(*acts) as server:
        backend = AsyncAzureBackend(
            "box", account_url=server.url, sas_token="sp=c&sig=x", hns=hns, retry=QUICK
        )
        with pytest.raises(AlreadyExists, match="dst"):
            await backend.copy("src", "dst")
        with pytest.raises(PermissionDenied, match="not to overwrite"):
            await backend.copy("src", "dst", overwrite=True)
        await backend.aclose()


@pytest.mark.parametrize("hns", [True, False])
@pytest.mark.parametrize(
    ("code", "named"), [("CannotVerifyCopySource", "src"), ("AuthorizationFailure", "dst")]
)
async def test_who_may_not_read_the_source(hns: bool, code: str, named: str) -> None:
    """A refusal of a copy is about the file that it is about."""
    source = [reply(200, ETag='"0x1"', Content_Length="1")] if hns else []
    async with scripted(*source, reply(403, x_ms_error_code=code)) as server:
        backend = AsyncAzureBackend(
            "box", account_url=server.url, account_key=KEY, hns=hns, retry=QUICK
        )
        with pytest.raises(PermissionDenied) as caught:
            await backend.copy("src", "dst")
        assert (caught.value.path, caught.value.code) == (named, code)
        await backend.aclose()
