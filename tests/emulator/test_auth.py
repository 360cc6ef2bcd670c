"""SharedKey is verified: what is not signed with the account's key is not carried out."""

from __future__ import annotations

import email.utils
import itertools
import json
import time

import pytest
from azure.storage.blob._shared.authentication import _storage_header_sort
from tests.emulator.conftest import Raw

from hns_emulator import HnsEmulator
from hns_emulator._auth import service_order, strings_to_sign

pytestmark = pytest.mark.asyncio


async def test_unsigned_is_401(raw: Raw) -> None:
    """Without Authorization both endpoints answer 401 in their own shape, and do nothing."""
    blob = await raw("PUT", "blob", "/f", {"x-ms-blob-type": "BlockBlob"}, authorization=None)
    assert (blob.status, blob.code) == (401, "NoAuthenticationInformation")
    assert blob.body.startswith(b"\xef\xbb\xbf<?xml")
    dfs = await raw("PUT", "dfs", "/f?resource=file", authorization=None)
    assert (dfs.status, dfs.code) == (401, "NoAuthenticationInformation")
    assert json.loads(dfs.body)["error"]["code"] == "NoAuthenticationInformation"
    assert (await raw.head("f")).status == 404


@pytest.mark.parametrize(
    "authorization",
    ["SharedKey hnsaccount:AAAA", "SharedKey hnsaccount:", "SharedKey", "SharedKey x:é"],
)
async def test_another_signature_is_403(raw: Raw, authorization: str) -> None:
    """A signature that is not the right one is AuthenticationFailed."""
    reply = await raw("PUT", "dfs", "/f?resource=file", authorization=authorization)
    assert (reply.status, reply.code) == (403, "AuthenticationFailed")


async def test_another_account_is_403(raw: Raw) -> None:
    """The right signature under another account's name does not count."""
    headers = {"x-ms-date": email.utils.formatdate(time.time(), usegmt=True)}
    signed = raw.signature(
        "HEAD", f"/{raw.fs}/f", {"x-ms-version": "2026-04-06", **headers}, 0
    ).replace("hnsaccount", "other")
    reply = await raw("HEAD", "blob", "/f", headers, authorization=signed)
    assert reply.status == 403


async def test_another_key_is_403(raw: Raw) -> None:
    """Each instance has a key of its own."""
    other = HnsEmulator()
    assert other.key != raw.emulator.key
    stranger = Raw(other, raw.session, raw.fs)
    other.port = raw.emulator.port
    assert (await stranger.head("f")).status == 403


@pytest.mark.parametrize(
    ("header", "value"),
    [("If-None-Match", "*"), ("x-ms-properties", "k=dg=="), ("If-Match", '"0x1"')],
)
async def test_a_header_added_after_signing_is_403(raw: Raw, header: str, value: str) -> None:
    """The signature covers the x-ms headers and the conditions."""
    date = {
        "x-ms-version": "2026-04-06",
        "x-ms-date": email.utils.formatdate(time.time(), usegmt=True),
    }
    target = f"/{raw.fs}/f?resource=file"
    signed = raw.signature("PUT", target, date, 0)
    reply = await raw(
        "PUT", "dfs", "/f?resource=file", {**date, header: value}, authorization=signed
    )
    assert reply.status == 403


async def test_another_body_length_or_query_is_403(raw: Raw) -> None:
    """The signature covers Content-Length, path and query."""
    date = {
        "x-ms-version": "2026-04-06",
        "x-ms-date": email.utils.formatdate(time.time(), usegmt=True),
    }
    await raw.create("f")
    signed = raw.signature("PATCH", f"/{raw.fs}/f?action=append&position=0", date, 3)
    for target, body in (("action=append&position=1", b"abc"), ("action=append&position=0", b"a")):
        reply = await raw("PATCH", "dfs", f"/f?{target}", date, body, authorization=signed)
        assert reply.status == 403


@pytest.mark.parametrize("minutes", [-16, 16])
async def test_a_date_that_is_off_is_403(raw: Raw, minutes: int) -> None:
    """A correctly signed request of a quarter of an hour ago or ahead is refused."""
    date = email.utils.formatdate(time.time() + 60 * minutes, usegmt=True)
    reply = await raw("PUT", "dfs", "/f?resource=file", {"x-ms-date": date})
    assert (reply.status, reply.code) == (403, "AuthenticationFailed")


@pytest.mark.parametrize("minutes", [-14, 14])
async def test_a_date_that_is_nearly_off_is_fine(raw: Raw, minutes: int) -> None:
    """Within the quarter of an hour clocks may differ."""
    date = email.utils.formatdate(time.time() + 60 * minutes, usegmt=True)
    assert (await raw("PUT", "dfs", "/f?resource=file", {"x-ms-date": date})).status == 201


async def test_no_date_is_403(raw: Raw) -> None:
    """A request that does not say when it was signed is refused."""
    reply = await raw("PUT", "dfs", "/f?resource=file", {"x-ms-date": "yesterday"})
    assert reply.status == 403


async def test_the_order_of_headers_is_the_services() -> None:
    """All names of up to four characters sort as the SDK sorts them, hyphens last."""
    names = [
        "".join(some) for size in (1, 2, 3, 4) for some in itertools.product("a_-1b", repeat=size)
    ]
    names = [f"x-ms-meta-{name}" for name in names]
    expected = [name for name, _ in _storage_header_sort([(name, "") for name in names])]
    assert sorted(names, key=service_order) == expected
    assert sorted(names) != expected


async def test_ascii_order_is_accepted_too() -> None:
    """Two texts may be signed, which differ in the order of the headers only."""
    headers = {"x-ms-meta-a1": "1", "x-ms-meta-a_b": "2"}
    first, second = strings_to_sign("PUT", "acc", "/fs/p", headers)
    assert first != second
    assert sorted(first.split("\n")) == sorted(second.split("\n"))


async def test_a_query_is_signed_decoded_and_sorted() -> None:
    """Names in lower case and sorted, values decoded; several values joined with commas."""
    text = next(iter(strings_to_sign("GET", "acc", "/f%20s?B=2%2F&a=1&B=1", {})))
    assert text.split("\n")[12:] == ["/acc/f%20s", "a:1", "b:1,2/"]


async def test_a_sas_or_token_is_unverified(raw: Raw) -> None:
    """Nobody recorded other credentials here."""
    before = raw.emulator.unverified.copy()
    sas = await raw("HEAD", "blob", "/f?sv=2026-04-06&sig=abc", authorization=None)
    bearer = await raw("HEAD", "blob", "/f", authorization="Bearer abc")
    assert (sas.status, bearer.status) == (501, 501)
    assert raw.emulator.unverified - before == {"SAS": 1, "authorization by Bearer": 1}
