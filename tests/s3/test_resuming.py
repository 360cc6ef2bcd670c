"""Uploads that broke off, and what the next write asks and sends."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.s3.moto import Moto
from tests.s3.scripted import Answer, error, scripted

from remote_store import BackendUnavailable, PermissionDenied
from remote_store_objects import Attributes, Part
from remote_store_s3 import AsyncS3Backend

pytestmark = pytest.mark.asyncio

_MIB = 1 << 20
_PART = 5 * _MIB
DATA = random.Random(5).randbytes(26 * _MIB)


async def stream(data: bytes = DATA, error: BaseException | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _MIB):
        yield data[start : start + _MIB]
    if error is not None:
        raise error


async def break_off(backend: AsyncS3Backend, key: str = "f", **options: Any) -> None:
    """Write until parts 2 and 3 have arrived; the fourth is under way."""
    gone = BackendUnavailable("the source is gone")
    with pytest.raises(BackendUnavailable):
        await backend.write(key, stream(DATA[: 20 * _MIB], gone), resume=True, **options)


async def asked(moto: Moto, since: int) -> list[str]:
    """Return the method and the first parameter of each request."""
    found = []
    for method, target, _ in moto.requests()[since:]:
        query = target.partition("?")[2]
        name = query.partition("=")[0].partition("&")[0]
        found.append(f"{method} {name}".strip())
    return found


@pytest.mark.parametrize("checksum", [True, False])
async def test_what_arrived_is_not_sent_again(moto: Moto, bucket: str, checksum: bool) -> None:
    """Two requests find it; the object has its content, metadata and checksum."""
    options: dict[str, Any] = {"metadata": {"k": "v"}}
    async with AsyncS3Backend(bucket, **moto.options, checksum=checksum) as backend:
        await break_off(backend, **options)
        before = len(moto.requests())
        result = await backend.write("f", stream(), resume=True, overwrite=True, **options)
        assert await asked(moto, before) == [
            "GET encoding-type",
            "GET part-number-marker",
            *["PUT partNumber"] * 4,  # 4, 5, 6 and 1
            "POST uploadId",
        ]
        assert result.size == len(DATA)
        assert await backend.read_bytes("f") == DATA
        assert (await backend.get_file_info("f")).metadata == {"k": "v"}
        assert [upload async for upload in backend.unfinished_uploads()] == []


async def test_a_write_of_parts_takes_two_requests_more(moto: Moto, bucket: str) -> None:
    async with AsyncS3Backend(bucket, **moto.options) as backend:
        before = len(moto.requests())
        await backend.write("f", stream(), overwrite=True)
        plain = await asked(moto, before)
        before = len(moto.requests())
        await backend.write("f", stream(), overwrite=True, resume=True)
        more = await asked(moto, before)
        assert len(plain) == 6 + 2
        assert more == ["GET encoding-type", "POST uploads", "PUT partNumber", *plain[1:]]
        before = len(moto.requests())
        await backend.write("small", stream(b"x" * _MIB), resume=True)
        assert await asked(moto, before) == ["PUT"]


async def test_another_content_arrives_as_it_is(moto: Moto, bucket: str) -> None:
    data = bytearray(DATA)
    data[7 * _MIB] ^= 1
    async with AsyncS3Backend(bucket, **moto.options) as backend:
        await break_off(backend)
        await backend.write("f", stream(bytes(data)), resume=True)
        assert await backend.read_bytes("f") == data
        await break_off(backend, "g")
        await backend.write("g", stream(DATA[: 8 * _MIB]), resume=True)
        assert await backend.read_bytes("g") == DATA[: 8 * _MIB]


async def test_uploads_for_something_else_are_left_alone(moto: Moto, bucket: str) -> None:
    """Of a longer key, with other metadata, of another program, with another option."""
    async with AsyncS3Backend(bucket, **moto.options) as backend:
        await break_off(backend, "f.old")
        await break_off(backend, metadata={"k": "old"})
        service = backend.connect()
        await service.begin_upload("f", attributes=Attributes())
        async with AsyncS3Backend(bucket, **moto.options, checksum=False) as other:
            await break_off(other)
        before = len(moto.requests())
        await backend.write("f", stream(), resume=True, metadata={"k": "new"})
        assert (await asked(moto, before)).count("PUT partNumber") == 1 + 6
        assert await backend.read_bytes("f") == DATA
        assert (await backend.get_file_info("f")).metadata == {"k": "new"}
        assert await backend.sweep(older_than=timedelta(0)) == 4
        await service.aclose()


async def test_a_broken_service_leaves_the_parts_and_says_so(moto: Moto, bucket: str) -> None:
    """A service that cannot be reached at the fourth part."""
    async with AsyncS3Backend(bucket, **moto.options) as backend:
        await break_off(backend)
        assert len([upload async for upload in backend.unfinished_uploads()]) == 1
        with pytest.raises(PermissionDenied):
            await backend.write("g", stream(DATA, PermissionDenied("mine")), resume=True)
        assert [upload.key async for upload in backend.unfinished_uploads()] == ["f"]


def _listing(*uploads: tuple[str, str, int]) -> Answer:
    now = datetime.now(UTC)
    items = "".join(
        f"<Upload><Key>{key}</Key><UploadId>{upload}</UploadId>"
        f"<Initiated>{(now - timedelta(hours=age)).isoformat()}</Initiated></Upload>"
        for key, upload, age in uploads
    )
    body = f"<ListMultipartUploadsResult>{items}</ListMultipartUploadsResult>"
    return Answer(body=body)


def _parts(*parts: tuple[int, bytes], more: bool = False) -> Answer:
    items = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{len(content)}</Size>"
        f'<ETag>"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"</ETag></Part>'
        for number, content in parts
    )
    truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
    return Answer(body=f"<ListPartsResult>{truncated}{items}</ListPartsResult>")


async def _mark() -> bytes:
    async with scripted(_listing()) as server:
        service = server.backend().connect()
        found = await service.unfinished("f", attributes=Attributes(), layout="1")
        await service.aclose()
    return found.mark


async def test_the_newest_upload_with_the_mark_is_taken_and_all_its_pages() -> None:
    """Not one of another key, whatever has been committed meanwhile, and three at most."""
    mark = await _mark()
    answers = [
        _listing(
            ("f", "old", 9), ("f", "gone", 1), ("f", "other", 2), ("f", "ours", 3), ("fg", "x", 0)
        ),
        error(404, "NoSuchUpload"),
        _parts((1, b"x" * len(mark))),
        _parts((1, mark), (2, b"two"), more=True),
        _parts((5, b"five")),
    ]
    async with scripted(*answers) as server:
        service = server.backend().connect()
        found = await service.unfinished("f", attributes=Attributes(), layout="1")
        await service.aclose()
        assert found.upload is not None
        assert found.upload.id == "ours"
        assert [(part.number, part.size) for part in found.parts] == [(2, 3), (5, 4)]
        assert isinstance(found.parts[0], Part)
        assert ["uploadId=" + line.partition("uploadId=")[2] for line in server.lines[1:]] == [
            "uploadId=gone",
            "uploadId=other",
            "uploadId=ours",
            "uploadId=ours",
        ]
        assert "part-number-marker=2" in server.lines[-1]


@pytest.mark.parametrize("second", [((1, b""), (2, b"")), ((4, b""), (2, b""))])
async def test_a_page_that_goes_back_is_no_end_and_no_loop(
    second: tuple[tuple[int, bytes], ...],
) -> None:
    """It may repeat, or be out of order, so that the next one would be this one again."""
    mark = await _mark()
    page = _parts((1, mark), (2, b"two"), (3, b"three"), more=True)
    pages = page, _parts(*second, more=True)
    async with scripted(_listing(("f", "ours", 1)), *pages) as server:
        service = server.backend().connect()
        found = await service.unfinished("f", attributes=Attributes(), layout="1")
        await service.aclose()
    assert found.upload is None


@pytest.mark.parametrize(
    ("attributes", "layout", "options"),
    [
        (Attributes("text/plain"), "1", {}),
        (Attributes(None, {"k": "v"}), "1", {}),
        (Attributes(None, {}, {"Cache-Control": "no-store"}), "1", {}),
        (Attributes(), "2", {}),
        (Attributes(), "1", {"checksum": False}),
        (Attributes(), "1", {"write_headers": {"x-amz-storage-class": "STANDARD_IA"}}),
    ],
)
async def test_the_mark_has_all_that_an_upload_begins_with(
    attributes: Attributes, layout: str, options: dict[str, Any]
) -> None:
    async with scripted(_listing()) as server:
        service = server.backend(**options).connect()
        found = await service.unfinished("f", attributes=attributes, layout=layout)
        await service.aclose()
    assert len(found.mark) == 64
    assert found.mark != await _mark()
