"""Copies from one bucket to another: CopyObject and UploadPartCopy, and who may ask for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from tests.s3.moto import KEY, SECRET, Moto
from tests.s3.scripted import Answer, error, scripted

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    CapabilityNotSupported,
    ContentHeaders,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RetryPolicy,
)
from remote_store.aio import AsyncStore
from remote_store_objects import ObjectBackend, StorageNotFound, _transfer
from remote_store_s3 import AsyncS3Backend

pytestmark = pytest.mark.asyncio

_MIB = 1 << 20
_HEADERS = ContentHeaders(content_type="text/csv", cache_control="no-cache")
_ALL: dict[str, Any] = {
    "conditional_replace": True,
    "conditional_copy": True,
    "conditional_delete": True,
}


@pytest.fixture
def second(moto: Moto) -> Iterator[str]:
    """Name of another fresh bucket."""
    name = f"test-{uuid.uuid4().hex}"
    moto.make_bucket(name)
    yield name
    moto.remove_bucket(name)


async def test_it_is_one_request_with_all_that_the_object_has(
    moto: Moto, bucket: str, second: str
) -> None:
    """Exclusive or not, of one version or of any; nothing is asked of the source's bucket."""
    async with (
        AsyncS3Backend(bucket, **moto.options, **_ALL) as theirs,
        AsyncS3Backend(second, **moto.options, **_ALL) as ours,
    ):
        source, target = AsyncStore(theirs, "in"), AsyncStore(ours, "out")
        key = "dir/a +é.bin"
        written = await source.write(key, b"content", metadata={"k": "v"}, headers=_HEADERS)
        before = len(moto.requests())
        assert await target.copy_from(source, key, "b") is None
        assert await target.copy_from(source, key, "c", if_match=written.etag) is None
        await target.copy_from(source, key, "c", overwrite=True)
        with pytest.raises(AlreadyExists):
            await target.copy_from(source, key, "b")
        with pytest.raises(PreconditionFailed):
            await target.copy_from(source, key, "b", overwrite=True, if_match="0" * 32)
        asked = [(method, path.partition("?")[0]) for method, path, _ in moto.requests()[before:]]
        assert {path.split("/")[1] for method, path in asked if method == "PUT"} == {second}
        assert [method for method, _ in asked[:3]] == ["PUT"] * 3
        for name in ("b", "c"):
            info = await target.get_file_info(name)
            assert await target.read_bytes(name) == b"content"
            assert (info.metadata, info.headers) == ({"k": "v"}, _HEADERS)
        assert await source.read_bytes(key) == b"content"


async def test_what_is_missing_is_named_on_its_side(moto: Moto, bucket: str) -> None:
    """The object, and either bucket."""
    async with (
        AsyncS3Backend(bucket, **moto.options, **_ALL) as there,
        AsyncS3Backend("no-such-bucket", **moto.options, **_ALL) as nowhere,
        AsyncS3Backend(bucket, **moto.options, **_ALL) as again,
    ):
        await there.write("a", b"1")
        with pytest.raises(NotFound) as missing:
            await again.copy_from(there, "none", "b")
        assert missing.value.path == "none"
        assert not isinstance(missing.value, StorageNotFound)
        with pytest.raises(StorageNotFound, match="s3://no-such-bucket") as caught:
            await there.copy_from(nowhere, "a", "b")
        assert caught.value.path == "a"
        with pytest.raises(StorageNotFound, match="s3://no-such-bucket") as caught:
            await nowhere.copy_from(there, "a", "b")
        assert caught.value.path == "b"


async def test_it_is_copied_by_parts_where_copyobject_has_no_condition_or_is_too_small(
    moto: Moto, bucket: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it passes through the client, but for what is empty."""
    monkeypatch.setattr(_transfer, "_PART", 5 * _MIB)
    content = bytes(range(256)) * (4 * 11 * 1024)  # 11 MiB
    async with (
        AsyncS3Backend(bucket, **moto.options) as theirs,
        AsyncS3Backend(second, **moto.options) as ours,
    ):
        description = evolve(ours.description, max_copy=5 * _MIB)
        limited = ObjectBackend(ours.connect, description)
        await theirs.write("a", content, metadata={"k": "v"}, headers=_HEADERS)
        await theirs.write("empty", b"", metadata={"k": "v"})
        before = len(moto.requests())
        await ours.copy_from(theirs, "a", "exclusive")
        await limited.copy_from(theirs, "a", "large", overwrite=True)
        with pytest.raises(AlreadyExists):
            await ours.copy_from(theirs, "a", "large")
        assert ("GET", 200) not in [(m, status) for m, _, status in moto.requests()[before:]]
        await ours.copy_from(theirs, "empty", "empty")
        for name in ("exclusive", "large"):
            info = await ours.get_file_info(name)
            assert await ours.read_bytes(name) == content
            assert (info.metadata, info.headers) == ({"k": "v"}, _HEADERS)
        assert (await ours.get_file_info("empty")).metadata == {"k": "v"}
        assert [upload async for upload in ours.unfinished_uploads()] == []
        await limited.aclose()


#: Nobody listens there: whatever is sent is BackendUnavailable.
_NOBODY: dict[str, Any] = {
    "endpoint_url": "http://127.0.0.1:9",
    "region": "eu-west-1",
    "access_key_id": KEY,
    "secret_access_key": SECRET,
    "retry": RetryPolicy(max_attempts=1),
    **_ALL,
}


def _with(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in {**_NOBODY, **options}.items() if value is not None}


@pytest.mark.parametrize(
    "other",
    [
        _with(),
        _with(endpoint_url="http://127.0.0.1:9/"),
        _with(addressing="virtual"),
        _with(region=None),
    ],
)
async def test_what_is_asked_of_the_service(
    other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One endpoint and one credential; a region that nobody knows yet is no other one."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    async with AsyncS3Backend("ours", **_NOBODY) as ours, AsyncS3Backend("theirs", **other) as b:
        with pytest.raises(BackendUnavailable):
            await ours.copy_from(b, "a", "b")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_with(endpoint_url="http://localhost:9"), id="endpoint"),
        pytest.param(_with(endpoint_url="http://127.0.0.1:9/sub"), id="path"),
        pytest.param(_with(region="eu-west-2"), id="region"),
        pytest.param(_with(access_key_id="AKIAOTHEROTHEROTHER1"), id="key"),
        pytest.param(_with(secret_access_key="other"), id="secret"),
        pytest.param(_with(session_token="token"), id="token"),
        pytest.param(_with(access_key_id=None, secret_access_key=None), id="chain"),
        pytest.param(
            _with(access_key_id=None, secret_access_key=None, anonymous=True), id="anonymous"
        ),
    ],
)
async def test_what_is_not(other: dict[str, Any]) -> None:
    """Told before any request, in both directions, and without a secret."""
    async with AsyncS3Backend("ours", **_NOBODY) as ours, AsyncS3Backend("theirs", **other) as b:
        for target, source in ((ours, b), (b, ours)):
            with pytest.raises(CapabilityNotSupported, match="by itself") as caught:
                await target.copy_from(source, "a", "b")
            assert caught.value.capability == "copy_from"
            assert SECRET not in str(caught.value)


async def test_a_chain_and_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same place of credentials is one, another profile is not; no copy goes unsigned."""
    chain = _with(access_key_id=None, secret_access_key=None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    async with (
        AsyncS3Backend("ours", **chain) as ours,
        AsyncS3Backend("theirs", **chain) as theirs,
        AsyncS3Backend("theirs", **chain, profile="other") as profile,
        AsyncS3Backend("ours", **chain, anonymous=True) as nobody,
        AsyncS3Backend("theirs", **chain, anonymous=True) as no_other,
    ):
        with pytest.raises(BackendUnavailable):
            await ours.copy_from(theirs, "a", "b")
        for target, source in ((ours, profile), (nobody, no_other)):
            with pytest.raises(CapabilityNotSupported):
                await target.copy_from(source, "a", "b")


async def test_two_buckets_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint of AWS is no name that could be compared: an own one beside it is another."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    own = _with(endpoint_url="https://s3.eu-west-1.amazonaws.com")
    async with (
        AsyncS3Backend("ours", **_with(endpoint_url=None)) as ours,
        AsyncS3Backend("theirs", **_with(endpoint_url=None, region="us-east-2")) as far,
        AsyncS3Backend("theirs", **own) as named,
    ):
        for source in (far, named):
            with pytest.raises(CapabilityNotSupported):
                await ours.copy_from(source, "a", "b")


async def test_the_headers_of_a_copy() -> None:
    """The source's bucket and version, the target's condition and what is sent with each write."""
    made = Answer(body='<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>')
    async with scripted(made) as server:
        more = {"write_headers": {"x-amz-storage-class": "STANDARD_IA"}}
        async with server.backend() as theirs, server.backend(**more) as ours:
            theirs._place.bucket = "theirs"
            await ours.copy_from(theirs, "d/ü x", "b", if_match="v1")
        sent = server.requests[0].headers
        assert server.lines == ["PUT /bucket/b"]
        assert sent["x-amz-copy-source"] == "/theirs/d/%C3%BC%20x"
        assert sent["x-amz-copy-source-if-match"] == '"v1"'
        assert sent["If-None-Match"] == "*"
        assert sent["x-amz-storage-class"] == "STANDARD_IA"


async def test_a_refusal_is_told_as_one() -> None:
    """The credentials may not read the source; nothing is known to be there."""
    async with scripted(error(403, "AccessDenied")) as server:
        async with server.backend() as theirs, server.backend() as ours:
            theirs._place.bucket = "theirs"
            with pytest.raises(PermissionDenied) as caught:
                await ours.copy_from(theirs, "a", "b")
        assert not caught.value.outcome_unknown
