"""What the constructor and URLs are given, where that leads, and who signs."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.s3.scripted import Answer, scripted

from remote_store import CapabilityNotSupported, PermissionDenied, Secret
from remote_store.aio import open_store
from remote_store_objects import Condition
from remote_store_objects._writing.parts import part_size
from remote_store_s3 import AsyncS3Backend
from remote_store_s3._credentials import Credentials
from remote_store_s3._place import Place

_PUT = Answer(headers={"ETag": '"e"'})


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of whoever runs the tests, and no metadata service."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"region": 1}, TypeError, "region must be a str"),
        ({"secret_access_key": " ", "access_key_id": "a"}, ValueError, "is empty"),
        ({"access_key_id": "a"}, ValueError, "belong together"),
        ({"session_token": "t"}, ValueError, "belong together"),
        ({"profile": "p", "anonymous": True}, ValueError, "at most one"),
        ({"addressing": "dns"}, ValueError, "addressing"),
        ({"part_size": 1}, ValueError, "5 MiB"),
        ({"part_size": True}, TypeError, "part_size"),
        ({"max_concurrency": 0}, ValueError, "positive"),
        ({"read_timeout": -1}, ValueError, "positive"),
        ({"write_headers": {"content-type": "a"}}, ValueError, "x-amz-"),
        ({"write_headers": {"x-amz-acl": 1}}, TypeError, "write_headers"),
        ({"write_headers": {"x-amz-acl": "a\r\nhost: b"}}, ValueError, "printable"),
        ({"write_headers": {"X-Amz-Copy-Source": "/b/k"}}, ValueError, "itself"),
        (
            {"write_headers": {"x-amz-server-side-encryption-customer-key": "k"}},
            *(ValueError, "itself"),
        ),
        ({"endpoint_url": "https://minio.example.org/a b"}, ValueError, "endpoint_url"),
        ({"endpoint_url": "minio.example.org"}, ValueError, "endpoint_url"),
        ({"endpoint_url": "https://u:p@minio.example.org"}, ValueError, "endpoint_url"),
        ({"checksum": "yes"}, TypeError, "checksum"),
    ],
)
def test_what_cannot_work_is_refused(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Before any I/O, with the name of the option."""
    with pytest.raises(error, match=words):
        AsyncS3Backend("bucket", **options)


@pytest.mark.parametrize("bucket", ["", "a/b", "bu cket", "s3://bucket"])
def test_names_that_are_no_buckets_are_refused(bucket: str) -> None:
    """A URL in the wrong place, for instance."""
    with pytest.raises(ValueError, match="bucket"):
        AsyncS3Backend(bucket)


def test_a_url_has_the_options_that_are_texts_numbers_and_switches() -> None:
    """Others, and what is malformed, are refused without a word of the URL."""
    url = "s3://bucket/a%20b/?region=eu-west-1&checksum=no&max_concurrency=3&read_timeout=1.5"
    backend, root = AsyncS3Backend.from_url(url + "&secret_access_key=a+b&access_key_id=k")
    assert root == "a b"
    assert pickle.loads(pickle.dumps(backend))._given == backend._given
    options = backend._given[1]
    assert (options["region"], options["checksum"], options["max_concurrency"]) == (
        *("eu-west-1", False, 3),
    )
    assert options["secret_access_key"] == Secret("a+b")
    assert "a+b" not in repr(backend)
    for bad in (
        *("s3://u:hidden@bucket", "s3:///a", "gs://bucket", "s3://bucket#hidden"),
        *("s3://bucket?nothing=hidden", "s3://bucket?max_concurrency=hidden"),
        *("s3://bucket?region=a&region=hidden", "s3://bucket/%ff"),
    ):
        with pytest.raises(ValueError) as caught:
            AsyncS3Backend.from_url(bad)
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (Place("b-1", None, "eu-west-1", None), "https://b-1.s3.eu-west-1.amazonaws.com/k%20%2B"),
        (Place("b.1", None, "eu-west-1", None), "https://s3.eu-west-1.amazonaws.com/b.1/k%20%2B"),
        (
            Place("b-1", None, "cn-north-1", None),
            "https://b-1.s3.cn-north-1.amazonaws.com.cn/k%20%2B",
        ),
        (Place("b", "http://h:9000", None, None), "http://h:9000/b/k%20%2B"),
        (Place("b", "http://h:9000/p/", None, "path"), "http://h:9000/p/b/k%20%2B"),
        (Place("b", "http://h:9000", None, "virtual"), "http://b.h:9000/k%20%2B"),
    ],
)
def test_where_a_key_is(place: Place, url: str) -> None:
    """Virtual hosts where a certificate allows them, paths elsewhere."""
    assert f"{place.spot.scheme}://{place.spot.host}{place.spot.path('k +')}" == url


def test_a_place_moves_with_its_region() -> None:
    """Only on AWS: the host of another service is what the caller said."""
    aws, other = Place("b-1", None, None, None), Place("b", "http://h", None, None)
    aws.settle("eu-north-1")
    other.settle("eu-north-1")
    assert (aws.spot.host, other.spot.host) == ("b-1.s3.eu-north-1.amazonaws.com", "h")


def test_conditions_that_others_ignore_are_used_on_aws_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless the caller says that the service has them."""
    extra = {
        Condition.COPY_IF_ABSENT,
        Condition.DELETE_IF_MATCH,
        Condition.PUT_IF_MATCH,
        Condition.COMMIT_IF_MATCH,
    }
    assert extra <= AsyncS3Backend("bucket").description.conditions
    off = AsyncS3Backend("bucket", conditional_writes=False).description.conditions
    assert off == {Condition.GET_IF_MATCH, Condition.COPY_IF_MATCH}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    elsewhere = AsyncS3Backend("bucket")
    assert not extra & elsewhere.description.conditions
    assert elsewhere.resolve("a").details["endpoint"] == "http://minio:9000/bucket"
    told = AsyncS3Backend(
        "bucket", conditional_copy=True, conditional_delete=True, conditional_replace=True
    )
    assert extra <= told.description.conditions


@pytest.mark.asyncio
async def test_without_conditional_writes_nothing_exclusive_is_sent() -> None:
    """A check before the write would exclude nobody (WRITE-004)."""
    async with scripted(_PUT) as server:
        backend = server.backend(conditional_writes=False)
        with pytest.raises(CapabilityNotSupported):
            await backend.write("a", b"1")
        await backend.write("a", b"1", overwrite=True)
        await backend.aclose()


@pytest.mark.asyncio
async def test_headers_for_all_that_makes_an_object() -> None:
    """They are signed, and sent with a write."""
    async with scripted(_PUT) as server:
        backend = server.backend(write_headers={"x-amz-storage-class": "STANDARD_IA"})
        await backend.write("a", b"1")
        await backend.aclose()
        headers = server.requests[0].headers
        assert headers["x-amz-storage-class"] == "STANDARD_IA"
        assert "x-amz-storage-class" in headers["Authorization"]


# Credentials -------------------------------------------------------------------


async def _scope(server: Any, **options: Any) -> str:
    given = dict.fromkeys(("access_key_id", "secret_access_key", "region"))
    async with server.backend(**given, **options) as backend:
        await backend.write("a", b"1")
    authorization: str = server.requests[-1].headers.get("Authorization", "")
    return authorization.partition("Credential=")[2].partition("/s3/")[0]


@pytest.mark.asyncio
async def test_environment_profile_and_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the AWS tools look; the region comes from there, too."""
    (tmp_path / "config").write_text(
        "[profile other]\nregion = eu-south-1\n"
        "aws_access_key_id = PROFILE\naws_secret_access_key = secret\n"
    )
    async with scripted(*[_PUT] * 3) as server:
        with pytest.raises(PermissionDenied, match="no credentials"):
            await _scope(server)
        assert await _scope(server, anonymous=True) == ""
        scope = await _scope(server, profile="other")
        assert scope.startswith("PROFILE/")
        assert scope.endswith("/eu-south-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_REGION", "eu-central-2")
        scope = await _scope(server)
        assert scope.startswith("ENVIRONMENT/")
        assert scope.endswith("/eu-central-2")


class _Container(BaseHTTPRequestHandler):
    """Hands out credentials as containers get them, each time others, soon over."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        over = datetime.now(UTC) + timedelta(minutes=5)
        body = json.dumps(
            {
                "AccessKeyId": f"KEY{self.asked}",
                "SecretAccessKey": "secret",
                "Token": "token",
                "Expiration": over.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.mark.asyncio
async def test_credentials_that_end_are_fetched_anew_off_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of a container; who waits for them does not hold up the loop."""
    with HTTPServer(("127.0.0.1", 0), _Container) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        try:
            credentials = Credentials(None, None, None, None)
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticking = asyncio.create_task(tick())
            first = await credentials.current()
            second = await credentials.current()
            ticking.cancel()
        finally:
            server.shutdown()
            thread.join()
    assert (first.secret, first.token) == ("secret", "token")
    assert second.key_id > first.key_id, "five minutes before their end"
    assert ticks > 10


@pytest.mark.asyncio
async def test_expired_credentials_are_looked_up_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service may say so before the clock does. Given ones are simply refused."""
    expired = Answer(400, "<Error><Code>ExpiredToken</Code></Error>")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with scripted(expired, _PUT, expired) as server:
        assert (await _scope(server)).startswith("ENVIRONMENT/")
        backend = server.backend()
        with pytest.raises(PermissionDenied):
            await backend.write("a", b"1")
        await backend.aclose()


def test_the_parts_of_an_upload_hold_the_largest_object() -> None:
    """Of a stream whose length nobody knows, in parts that start small and stay allowed."""
    backend = AsyncS3Backend("bucket")
    limits = backend.description
    parts = [part_size(index, backend._sizes, limits) for index in range(limits.max_parts)]
    assert (parts[0], parts[899], parts[900]) == (5 << 20, 5 << 20, 10 << 20)
    assert max(parts) <= 5 << 30
    assert sum(parts) >= 5 << 40


def test_the_scheme_opens_a_store() -> None:
    """The entry point serves ``s3:``, without I/O."""

    async def opened() -> str:
        async with open_store("s3://bucket/folder", anonymous=True) as store:
            return store.resolve("a").native_path

    assert asyncio.run(opened()) == "s3://bucket/folder/a"
