"""Conditions on the version that a write replaces."""

from __future__ import annotations

import pytest
from tests.s3.moto import Moto
from tests.s3.scripted import error, scripted

from remote_store import NotFound, PreconditionFailed
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
