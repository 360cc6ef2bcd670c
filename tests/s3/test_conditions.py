"""Conditions on the version that a write replaces."""

from __future__ import annotations

from typing import Any

import pytest
from tests.s3.moto import Moto
from tests.s3.scripted import error, scripted

from remote_store import ContentHeaders, NotFound, PreconditionFailed
from remote_store_objects import Attributes, Body, StorageNotFound, Upload
from remote_store_s3 import AsyncS3Backend

pytestmark = pytest.mark.asyncio


async def test_put_and_commit_replace_one_version(moto: Moto, bucket: str) -> None:
    """Another one, and none, are refused; what is there stays."""
    service = AsyncS3Backend(bucket, **moto.options).connect()
    kept = Attributes()

    async def put(content: bytes, etag: str | None) -> str | None:
        body = Body([content])
        made = await service.put("a", body, attributes=kept, if_absent=False, if_match=etag)
        return made.etag

    async def send(content: bytes, etag: str | None) -> str | None:
        upload = await service.begin_upload("a", attributes=kept)
        parts = [await service.send_part(upload, 1, Body([content]))]
        try:
            made = await service.commit(upload, parts, if_absent=False, if_match=etag)
        except PreconditionFailed:
            await service.abort(upload)
            raise
        return made.etag

    etag: str | None = "0" * 32
    for change in (put, send):
        with pytest.raises(PreconditionFailed):
            await change(b"0", etag)
    etag = first = await put(b"1", None)
    for change in (put, send):
        etag = await change(change.__name__.encode(), etag)
        with pytest.raises(PreconditionFailed):
            await change(b"3", first)
    stream = await service.get("a")
    assert (await stream.receive(), stream.info.etag) == (b"send", etag)
    await stream.aclose()
    await service.aclose()


@pytest.mark.parametrize("verb", ["put", "commit"])
@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("NoSuchKey", PreconditionFailed),
        ("NoSuchUpload", NotFound),
        ("NoSuchBucket", StorageNotFound),
    ],
)
async def test_what_is_missing(verb: str, code: str, means: type[Exception]) -> None:
    """No version is another version; an upload or a bucket is something else."""
    async with scripted(error(404, code)) as server:
        service = server.backend().connect()
        if verb == "put":
            kept = Attributes()
            change = service.put("a", Body([b"1"]), attributes=kept, if_absent=False, if_match="e")
        else:
            change = service.commit(Upload("a", "u"), [], if_absent=False, if_match="e")
        with pytest.raises(means) as caught:
            await change
        assert caught.type is means
        assert server.requests[0].headers["If-Match"] == '"e"'
        await service.aclose()


@pytest.mark.parametrize(
    ("change", "methods"),
    [
        (lambda b, e: b.write("a", b"x", if_match=e), ["PUT"]),
        (lambda b, e: b.delete("a", if_match=e), ["DELETE"]),
        (lambda b, e: b.copy("a", "b", if_match=e), ["PUT"]),
        (lambda b, e: b.move("a", "b", if_match=e), ["HEAD", "PUT", "DELETE"]),
    ],
)
async def test_a_condition_costs_no_request(
    moto: Moto, bucket: str, change: Any, methods: list[str]
) -> None:
    """The service decides with the change itself, and headers go with it."""
    every = ("conditional_replace", "conditional_copy", "conditional_delete")
    options: dict[str, Any] = {**moto.options, **dict.fromkeys(every, True)}
    backend = AsyncS3Backend(bucket, **options)
    given = ContentHeaders(content_type="text/csv", cache_control="no-store")
    first = (await backend.write("a", b"1", headers=given)).etag
    now = (await backend.write("a", b"2", overwrite=True, headers=given)).etag
    with pytest.raises(PreconditionFailed):
        await change(backend, first)
    assert await backend.read_bytes("a") == b"2"
    before = len(moto.requests())
    await change(backend, now)
    assert [method for method, _, _ in moto.requests()[before:]] == methods
    if await backend.exists("b"):
        assert (await backend.get_file_info("b")).headers == given
    await backend.aclose()
