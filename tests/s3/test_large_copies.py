"""Copies of what is larger than CopyObject takes."""

from __future__ import annotations

import pytest
from attrs import evolve
from tests.s3.moto import Moto
from tests.s3.scripted import Answer, error, scripted

from remote_store import AlreadyExists, PreconditionFailed, RetryPolicy
from remote_store_objects import ObjectBackend, _transfer
from remote_store_s3 import AsyncS3Backend

pytestmark = pytest.mark.asyncio

_MIB = 1 << 20
_CONTENT = bytes(range(256)) * (4 * 11 * 1024)  # 11 MiB


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five MiB in the place of 5 GiB, and of the parts that a copy is made of."""
    monkeypatch.setattr(_transfer, "_PART", 5 * _MIB)
    assert AsyncS3Backend("bucket").description.max_copy == 5 << 30


def _limited(backend: AsyncS3Backend) -> ObjectBackend:
    description = evolve(backend.description, max_copy=5 * _MIB)
    retry = RetryPolicy(max_attempts=2, backoff_base=0, jitter=0)
    return ObjectBackend(backend.connect, description, retry=retry)


async def test_it_is_copied_by_parts_with_all_it_has(moto: Moto, bucket: str) -> None:
    """Exclusive or not, copied or moved; nothing of it passes through the client."""
    options = {"conditional_copy": True, "conditional_delete": True, **moto.options}
    async with AsyncS3Backend(bucket, **options) as backend:
        limited = _limited(backend)
        await backend.write("dir/a +é.bin", _CONTENT, metadata={"k": "v"})
        before = len(moto.requests())
        await limited.copy("dir/a +é.bin", "b")
        with pytest.raises(AlreadyExists):
            await limited.copy("dir/a +é.bin", "b")
        await limited.move("dir/a +é.bin", "c")
        asked = [(method, status) for method, _, status in moto.requests()[before:]]
        for key in ("b", "c"):
            assert await backend.read_bytes(key) == _CONTENT
            assert (await backend.get_file_info(key)).metadata == {"k": "v"}
        assert not await backend.exists("dir/a +é.bin")
        assert [upload async for upload in backend.unfinished_uploads()] == []
        await limited.aclose()
    assert ("GET", 200) not in asked
    assert asked[-7:] == [
        *(("HEAD", 200), ("POST", 200), ("PUT", 200), ("PUT", 200), ("PUT", 200)),
        *(("POST", 200), ("DELETE", 204)),
    ]


_BEGUN = Answer(
    body="<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
)
_PART = Answer(body='<CopyPartResult><ETag>"p"</ETag></CopyPartResult>')


async def test_a_copy_that_is_refused_for_its_size_goes_on_by_parts_of_one_version() -> None:
    """One that changes meanwhile is PreconditionFailed, and the upload is aborted."""
    size = str(11 * _MIB)
    head = Answer(headers={"ETag": '"e"', "Content-Length": size, "Cache-Control": "no-cache"})
    changed = error(412, "PreconditionFailed")
    answers = (error(400, "InvalidRequest"), head, _BEGUN, _PART, changed, Answer(204))
    async with scripted(*answers) as server:
        backend = server.backend()
        limited = _limited(backend)
        with pytest.raises(PreconditionFailed, match="changed") as caught:
            await limited.copy("a", "b", overwrite=True)
        assert not caught.value.outcome_unknown
        await limited.aclose()
        assert [line.partition("?")[0] for line in server.lines] == [
            *("PUT /bucket/b", "HEAD /bucket/a", "POST /bucket/b"),
            *("PUT /bucket/b", "PUT /bucket/b", "DELETE /bucket/b"),
        ]
        assert server.requests[2].headers["Cache-Control"] == "no-cache"
        ranges = [r.headers.get("x-amz-copy-source-range") for r in server.requests[3:5]]
        assert ranges == ["bytes=0-5242879", "bytes=5242880-10485759"]
        assert server.requests[4].headers["x-amz-copy-source-if-match"] == '"e"'


async def test_a_part_that_failed_after_200_is_copied_again() -> None:
    """The document says how it ended; a lost answer is no second part either."""
    failed = Answer(body="<Error><Code>InternalError</Code><Message>Why.</Message></Error>")
    made = Answer(
        body='<CompleteMultipartUploadResult><ETag>"x-3"</ETag></CompleteMultipartUploadResult>'
    )
    head = Answer(headers={"ETag": '"e"', "Content-Length": str(11 * _MIB)})
    answers = (error(400, "InvalidRequest"), head, _BEGUN, failed, _PART, Answer(0), _PART)
    async with scripted(*answers, _PART, made) as server:
        limited = _limited(server.backend())
        await limited.copy("a", "b", overwrite=True)
        await limited.aclose()
        numbers = [line.partition("partNumber=")[2][:1] for line in server.lines[3:8]]
        assert numbers == ["1", "1", "2", "2", "3"]
        assert server.bodies[-1].count(b"<Part>") == 3
