"""Signed URLs: what plain HTTP may do with them, and for how long."""

from __future__ import annotations

import asyncio
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.contract.probes import Listener
from tests.s3.moto import Moto
from tests.s3.scripted import Answer, error, scripted

from remote_store import (
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    PermissionDenied,
    register_plugin,
    unregister_plugin,
)
from remote_store.aio import AsyncStore
from remote_store_s3 import AsyncS3Backend
from remote_store_s3._credentials import Keys
from remote_store_s3._signing import Signer

pytestmark = pytest.mark.asyncio


async def ask(url: str, method: str = "GET", content: bytes | None = None) -> tuple[int, bytes]:
    """Send a request as any program does, and return status and body."""

    def send() -> tuple[int, bytes]:
        request = urllib.request.Request(url, content, method=method)
        request.add_header("Content-Type", "text/plain")  # else that of a form, which moto reads
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()

    return await asyncio.to_thread(send)


async def test_a_url_reads_or_writes_one_file_for_a_while(
    moto: Moto, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the other method, not another file, and not any longer; made without a request."""
    async with AsyncStore(AsyncS3Backend(bucket, **moto.options), "folder") as store:
        await store.write("a +é?.txt", b"content")
        before = len(moto.requests())
        read = await store.signed_url("a +é?.txt", expires=timedelta(hours=1))
        write = await store.signed_url("new", expires=60, method="PUT")
        assert len(moto.requests()) == before

        assert await ask(read) == (200, b"content")
        assert (await ask(read, "PUT", b"0"))[0] == 403
        assert (await ask(write))[0] == 403
        assert (await ask(write.replace("/new?", "/old?"), "PUT", b"0"))[0] == 403
        assert (await ask(write, "PUT", b"written"))[0] == 200
        assert await store.read_bytes("new") == b"written"
        assert not await store.exists("old")
        assert (await ask(await store.signed_url("none", expires=60)))[0] == 404

    class Earlier:
        @staticmethod
        def now(_: object) -> datetime:
            return datetime.now(UTC) - timedelta(seconds=5)

    monkeypatch.setattr("remote_store_s3._wire.datetime", Earlier)
    async with AsyncS3Backend(bucket, **moto.options) as backend:
        short = await backend.signed_url("folder/new", expires=timedelta(seconds=2))
        assert await ask(short) == (
            403,
            b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
        )
        assert (await ask(await backend.signed_url("folder/new", expires=timedelta(minutes=1))))[
            0
        ] == 200


@pytest.mark.parametrize("token", [None, "to/ken+="])
async def test_it_is_signed_as_aws_signs_it(token: str | None) -> None:
    """By botocore's own signer, for hosts with and without a bucket."""
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for host, path in (("b.s3.eu-west-1.amazonaws.com", "/a%20%2B"), ("h:9000", "/b/%C3%A9/x")):
        query = Signer(Keys("K/Y", "secret", token), "eu-west-1").presign(
            "GET", host, path, 3600, time
        )
        request = AWSRequest("GET", f"http://{host}{path}", {"host": host})
        keys = Credentials("K/Y", "secret", token)
        auth = S3SigV4QueryAuth(keys, "s3", "eu-west-1", expires=3600)
        request.context["timestamp"] = "20260102T030405Z"
        auth._modify_request_before_signing(request)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        assert parse_qs(query)["X-Amz-Signature"] == [auth.signature(text, request)]


async def test_what_cannot_be_signed_is_refused_before_any_request() -> None:
    """More than seven days, what cannot be written, and anonymous access."""
    async with scripted() as server:
        backend = server.backend()
        with pytest.raises(ValueError, match="at most 7 days"):
            await backend.signed_url("a", expires=timedelta(days=7, seconds=1))
        with pytest.raises(InvalidPath):
            await backend.signed_url("a\n", expires=timedelta(1), method="PUT")
        with pytest.raises(InvalidPath):
            await backend.signed_url("", expires=timedelta(1))
        await backend.aclose()
        keys = dict.fromkeys(("access_key_id", "secret_access_key"))
        nobody = server.backend(anonymous=True, **keys)
        assert not nobody.capabilities.supports(Capability.SIGNED_URL)
        with pytest.raises(CapabilityNotSupported):
            await nobody.signed_url("a", expires=timedelta(1))
        await nobody.aclose()


@pytest.mark.parametrize("status", [200, 403])
async def test_a_region_that_nobody_told_is_asked_for_once(status: int) -> None:
    """It is signed, and a wrong one would be found out only by whoever gets the URL."""
    moved = Answer(301, headers={"x-amz-bucket-region": "eu-north-1"})
    there = Answer(status, headers={"x-amz-request-id": "R"})
    async with scripted(moved, there) as server:
        backend = server.backend(region=None)
        for _ in range(2):
            url = await backend.signed_url("a", expires=timedelta(hours=1))
            credential = parse_qs(urlsplit(url).query)["X-Amz-Credential"][0]
            assert credential.split("/")[2] == "eu-north-1"
        await backend.aclose()
        assert server.lines == ["HEAD /bucket"] * 2


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A registered listener, gone after the test."""
    plugin = Listener()
    register_plugin(plugin)
    yield plugin
    unregister_plugin(plugin)


async def test_no_record_has_it(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a log record of any level nor an event, also where the request before it fails."""
    caplog.set_level(logging.DEBUG)
    refused = error(403, "AccessDenied")
    async with scripted(Answer(503), Answer(503), refused) as server:
        async with AsyncStore(server.backend(region=None), owns_backend=True) as store:
            with pytest.raises(BackendUnavailable):
                await store.signed_url("a", expires=60)
        async with AsyncStore(server.backend()) as store:
            url = await store.signed_url("a", expires=60)
            with pytest.raises(PermissionDenied):
                await store.read_bytes("a")
    signature = url.rpartition("=")[2]
    assert len(signature) == 64
    assert [event.name for event in listener.events] == ["signed_url", "signed_url", "read_bytes"]
    assert not [text for text in (*map(repr, listener.events), caplog.text) if signature in text]
