"""Signed URLs: what plain HTTP may do with them, who can make them, and what that costs."""

from __future__ import annotations

import asyncio
import traceback
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat
from tests.azure.scripted import KEY, clients_for, reply, scripted

from remote_store import (
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._blob import signed
from remote_store_azure._blob.signed import UrlSigner
from remote_store_azure._connect.account import account_of

pytestmark = pytest.mark.asyncio

HOUR = timedelta(hours=1)
KEY_OF_SERVICE = (
    "\ufeff<?xml version='1.0' encoding='utf-8'?><UserDelegationKey>"
    "<SignedOid>oid</SignedOid><SignedTid>tid</SignedTid>"
    "<SignedStart>2026-01-01T00:00:00Z</SignedStart>"
    "<SignedExpiry>2026-01-02T00:00:00Z</SignedExpiry><SignedService>b</SignedService>"
    f"<SignedVersion>2026-06-06</SignedVersion><Value>{KEY}</Value></UserDelegationKey>"
).encode()


class Credential:
    """A token credential that nobody asks."""

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        raise AssertionError


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> Any:
    """A backend on an empty container."""
    async with flat(azurite, service, container) as found:
        yield found


async def ask(url: str, method: str = "GET", content: bytes | None = None) -> tuple[int, bytes]:
    """Send a request as any program does, and return status and body."""

    def send() -> tuple[int, bytes]:
        headers = {"x-ms-blob-type": "BlockBlob"} if method == "PUT" else {}
        request = urllib.request.Request(url, content, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()

    return await asyncio.to_thread(send)


async def test_a_url_reads_or_writes_one_file_for_a_while(
    box: Flat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the other method, not another file, and not any longer; made without a request."""
    store = AsyncStore(box.backend, "folder", owns_backend=False)
    await store.write("a +é?.txt", b"content")
    box.transport.taken()
    read = await store.signed_url("a +é?.txt", expires=HOUR)
    write = await store.signed_url("new", expires=60, method="PUT")
    assert box.transport.taken() == []

    assert await ask(read) == (200, b"content")
    assert (await ask(read, "PUT", b"0"))[0] == 403
    assert (await ask(write))[0] == 403
    assert (await ask(write.replace("/new?", "/old?"), "PUT", b"0"))[0] == 403
    assert (await ask(write, "PUT", b"written"))[0] == 201
    assert await store.read_bytes("new") == b"written"
    assert not await store.exists("old")
    assert (await ask(await store.signed_url("none", expires=60)))[0] == 404

    class Earlier:
        min = datetime.min

        @staticmethod
        def now(_: object) -> datetime:
            return datetime.now(UTC) - timedelta(minutes=5)

    monkeypatch.setattr(signed, "datetime", Earlier)
    assert (await ask(await store.signed_url("new", expires=240)))[0] == 403
    assert (await ask(await store.signed_url("new", expires=360)))[0] == 200


def _backend(**options: Any) -> AsyncAzureBackend:
    return AsyncAzureBackend(
        "box", **{"account_url": "https://acct.blob.core.windows.net"} | options
    )


@pytest.mark.parametrize(
    ("options", "can"),
    [
        ({"account_key": KEY}, True),
        ({"credential": AzureNamedKeyCredential("acct", KEY)}, True),
        ({"credential": Credential()}, True),
        ({}, True),
        ({"credential": Credential(), "account_url": "https://files.example.org"}, False),
        ({"sas_token": "sv=1&sig=abc"}, False),
        ({"credential": AzureSasCredential("sv=1&sig=abc")}, False),
        ({"connection_string": "BlobEndpoint=https://acct.blob.core.windows.net"}, False),
    ],
)
async def test_who_can_sign(options: dict[str, Any], can: bool) -> None:
    """Keys, and who may ask for one; a signature cannot make others. It is told without I/O."""
    backend = _backend(**options)
    assert backend.capabilities.supports(Capability.SIGNED_URL) is can
    if not can:
        with pytest.raises(CapabilityNotSupported, match="cannot sign"):
            await backend.signed_url("a", expires=HOUR)
    await backend.aclose()


async def test_what_cannot_be_signed_is_refused_before_any_request() -> None:
    """Names that no file can have, a time without end, and a week for keys of the service."""
    backend = _backend(account_key=KEY)
    for path, method in (("", "GET"), ("a\x01", "PUT")):
        with pytest.raises(InvalidPath):
            await backend.signed_url(path, expires=HOUR, method=method)
    with pytest.raises(ValueError, match="at most 36500 days"):
        await backend.signed_url("a", expires=timedelta.max)
    url = await backend.signed_url("a b", expires=timedelta(days=400))
    assert url.startswith("https://acct.blob.core.windows.net/box/a%20b?")
    assert parse_qs(urlsplit(url).query)["spr"] == ["https"]
    await backend.aclose()
    by_token = _backend(credential=Credential())
    with pytest.raises(ValueError, match="at most 7 days"):
        await by_token.signed_url("a", expires=timedelta(days=7, seconds=1))
    await by_token.aclose()


async def test_a_key_of_the_service_serves_many_urls() -> None:
    """One request for all that end within its life, also for those that ask at once."""
    account = account_of(
        container="box",
        account_url="https://acct.blob.core.windows.net",
        credential=Credential(),
    )
    answer = reply(200, KEY_OF_SERVICE, **{"Content-Type": "application/xml"})
    async with scripted(answer) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            signer = UrlSigner(account, wire)
            urls = await asyncio.gather(*(signer.url(name, "GET", HOUR) for name in "abc"))
            await signer.url("d", "PUT", timedelta(hours=1, minutes=30))
            assert len(server.seen) == 1
            await signer.url("e", "GET", timedelta(days=7))
            assert len(server.seen) == 2
            await signer.url("f", "GET", timedelta(days=6))
            assert len(server.seen) == 2
        await clients.aclose()
    query = parse_qs(urlsplit(urls[0]).query)
    assert (query["skoid"], query["sktid"], query["sp"]) == (["oid"], ["tid"], ["r"])
    first = server.seen[0]
    assert (first.method, first.target.partition("?")[2]) == (
        *("POST", "restype=service&comp=userdelegationkey"),
    )
    start, end = (
        datetime.fromisoformat(first.body.partition(f"<{name}>".encode())[2][:20].decode())
        for name in ("Start", "Expiry")
    )
    now = datetime.now(UTC)
    assert now - timedelta(minutes=16) < start < now
    assert HOUR < end - now < 2 * HOUR
    asked = [b"<Start>" in seen.body for seen in server.seen]
    assert asked == [True, True]


async def test_a_key_that_does_not_come_leaves_nothing_in_doubt() -> None:
    """Though it is asked for by a POST; and the next URL asks again."""
    account = account_of(
        container="box",
        account_url="https://acct.blob.core.windows.net",
        credential=Credential(),
    )
    refusal = reply(403, b"", **{"x-ms-error-code": "AuthorizationPermissionMismatch"})
    lost = [None] * 3
    answer = reply(200, KEY_OF_SERVICE, **{"Content-Type": "application/xml"})
    async with scripted(refusal, *lost, answer) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            signer = UrlSigner(account, wire)
            for error in (PermissionDenied, BackendUnavailable):
                with pytest.raises(error) as caught:
                    await signer.url("a", "GET", HOUR)
                assert not caught.value.outcome_unknown
            assert "sig=" in await signer.url("a", "GET", HOUR)
        await clients.aclose()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no document",
        b"<UserDelegationKey/>",
        KEY_OF_SERVICE.replace(b"SignedTid", b"SignedTld"),
        KEY_OF_SERVICE.replace(KEY.encode(), b"no key"),
        KEY_OF_SERVICE.replace(KEY.encode(), b""),
        b"<?xml version='1.0' encoding='none'?><a/>",
    ],
)
async def test_what_is_no_key_of_the_service_is_told(body: bytes) -> None:
    """As an error of the store, with nothing of a key in it; and the next URL asks again."""
    account = account_of(
        container="box",
        account_url="https://acct.blob.core.windows.net",
        credential=Credential(),
    )
    answers = [
        reply(200, text, **{"Content-Type": "application/xml"}) for text in (body, KEY_OF_SERVICE)
    ]
    async with scripted(*answers) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            signer = UrlSigner(account, wire)
            with pytest.raises(RemoteStoreError, match="key for signatures") as caught:
                await signer.url("a", "GET", HOUR)
            assert not caught.value.outcome_unknown
            shown = "".join(traceback.format_exception(caught.value))
            assert KEY not in shown
            assert "sig=" in await signer.url("a", "GET", HOUR)
        await clients.aclose()
