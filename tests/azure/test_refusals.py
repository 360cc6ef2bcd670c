"""Answers that tell nothing about a file are never taken for its absence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import QUICK, flat, gathered, stream
from tests.azure.scripted import KEY, reply, scripted
from tests.operations import FLAT_OPERATIONS, Paths, settle

from remote_store import BackendUnavailable, PermissionDenied, RemoteStoreError
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

CALLS: Final[list[Callable[[AsyncAzureBackend], Awaitable[Any]]]] = [
    *(partial(op, paths=Paths("a", "a", "b")) for op in FLAT_OPERATIONS.values()),
    lambda b: b.exists(""),
    lambda b: b.is_folder(""),
    lambda b: b.get_folder_info(""),
    lambda b: b.write_atomic("a", stream(b"x", b"y")),
    lambda b: gathered(b.list_files("", recursive=True)),
    lambda b: gathered(b.glob("a")),
]


@pytest.mark.parametrize("hns", [True, False, None])
@pytest.mark.parametrize(
    ("status", "code", "cls"),
    [
        (404, "ResourceNotFound", PermissionDenied),
        (404, "AccountNotFound", BackendUnavailable),
        (409, "PublicAccessNotPermitted", PermissionDenied),
        (400, "InvalidAuthenticationInfo", PermissionDenied),
    ],
)
async def test_who_asks_without_credentials(
    status: int, code: str, cls: type[RemoteStoreError], hns: bool | None
) -> None:
    """The service answers them as if nothing was there; every operation raises, and says why."""
    async with scripted(reply(status, x_ms_error_code=code)) as server:
        backend = AsyncAzureBackend(
            "box", connection_string=f"BlobEndpoint={server.url};", hns=hns, retry=QUICK
        )
        for call in CALLS:
            with pytest.raises(cls) as caught:
                await settle(call(backend))
            assert caught.value.code == code
        await backend.aclose()


async def test_an_account_that_is_not_there(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A server that does not know the account does not make its files absent."""
    url = azurite.blob_url.replace(azurite.account, "nobody")
    options = {"connection_string": None, "account_url": url, "account_key": KEY}
    async with flat(azurite, service, container, **options) as box:
        for call in CALLS:
            with pytest.raises(PermissionDenied, match="ResourceNotFound"):
                await settle(call(box.backend))


@pytest.mark.parametrize("secret", ["a wrong key", "an old token", "a narrow token"])
async def test_a_refusal_is_not_hidden_by_questions(
    azurite: Azurite, service: BlobServiceClient, container: str, secret: str
) -> None:
    """Who is refused is told so, with the service's code and words, the path, and a way out."""
    if secret == "a wrong key":
        url = azurite.blob_url
        options = {"connection_string": None, "account_url": url, "account_key": KEY}
    elif secret == "an old token":
        options = azurite.only(container, "rwdl", hours=-1)
    else:
        options = azurite.only(container, "w")
    async with flat(azurite, service, container, hns=None, **options) as box:
        for operation in (box.backend.exists, box.backend.read_bytes):
            with pytest.raises(PermissionDenied, match=r"\(403 Auth.*: .*pass hns=") as caught:
                await operation("d/a")
            assert (caught.value.path, caught.value.status) == ("d/a", 403)
            assert caught.value.__cause__ is not None
        with pytest.raises(PermissionDenied, match="pass hns="):
            await box.backend.connected()


async def test_a_token_for_one_container(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """It is enough for every operation, on an empty container too, and for the check of health."""
    options = azurite.only(container, "rwdlac")
    async with flat(azurite, service, container, hns=None, **options) as box:
        backend = box.backend
        await backend.check_health()
        assert await backend.exists("")
        assert not await backend.exists("a")
        await backend.write("a", b"x")
        assert await backend.read_bytes("a") == b"x"


async def test_what_questions_meet_names_the_path() -> None:
    """A failure while the kind of account is found out is the failure of an operation."""
    async with scripted(reply(503, x_ms_error_code="ServerBusy")) as server:
        backend = AsyncAzureBackend("box", account_url=server.url, account_key=KEY, retry=QUICK)
        for operation in (
            backend.exists("d/a"),
            backend.write("d/a", b"x"),
            backend.move("d/a", "b"),
            gathered(backend.list_files("d/a")),
            gathered(backend.glob("d/a")),
        ):
            with pytest.raises(BackendUnavailable) as caught:
                await operation
            assert caught.value.path == "d/a"
        await backend.aclose()


async def test_a_container_that_is_being_deleted() -> None:
    """It makes no account a flat one; the next operation asks again."""
    acts = [
        reply(200),
        reply(200),
        reply(409, x_ms_error_code="ContainerBeingDeleted"),
        reply(200, x_ms_is_hns_enabled="false"),
        reply(404, x_ms_error_code="ContainerNotFound"),
    ]
    async with scripted(*acts) as server:
        backend = AsyncAzureBackend("box", account_url=server.url, account_key=KEY, retry=QUICK)
        with pytest.raises(BackendUnavailable, match="being deleted"):
            await backend.exists("a")
        assert not await backend.exists("a")
        await backend.aclose()


async def test_a_data_lake_service_out_of_reach() -> None:
    """Where a network lets only the Blob service through, the error says how to do without."""
    empty = b"<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"
    async with scripted() as dead:
        pass
    async with scripted(reply(200), reply(200), reply(200, empty)) as server:
        text = f"BlobEndpoint={server.url};DfsEndpoint={dead.url};AccountName=acct;AccountKey={KEY}"
        backend = AsyncAzureBackend("box", connection_string=text, retry=QUICK)
        with pytest.raises(BackendUnavailable, match="hns=True or hns=False") as caught:
            await backend.exists("a")
        assert caught.value.path == "a"
        await backend.aclose()
