"""Whose object it is that is there after the answer to a commit was lost."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import AsyncIterator

import pytest
from tests.s3.scripted import Answer, error, scripted

from remote_store import PreconditionFailed

pytestmark = pytest.mark.asyncio

_BEGUN = Answer(
    body="<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
)
_UNKNOWN = error(404, "NoSuchUpload")
_PARTS = (b"a" * (5 << 20), b"b" * (4 << 20))
_SIZE = sum(map(len, _PARTS))


async def _content() -> AsyncIterator[bytes]:
    for part in _PARTS:
        yield part


def _etags() -> list[str]:
    return [hashlib.md5(part, usedforsecurity=False).hexdigest() for part in _PARTS]


def _etag() -> str:
    tokens = b"".join(bytes.fromhex(etag) for etag in _etags())
    return f"{hashlib.md5(tokens, usedforsecurity=False).hexdigest()}-2"


def _crc() -> str:
    crcs = b"".join(zlib.crc32(part).to_bytes(4) for part in _PARTS)
    return f"{base64.b64encode(zlib.crc32(crcs).to_bytes(4)).decode()}-2"


@pytest.mark.parametrize(
    ("etag", "crc", "ours"),
    [
        (_etag(), None, True),
        ("0" * 32 + "-2", _crc(), True),  # encrypted: ETags are no digests
        ("0" * 32 + "-2", None, False),  # somebody else's, of two parts and the same size
        (hashlib.md5(b"", usedforsecurity=False).hexdigest(), None, False),
    ],
)
async def test_an_object_is_recognised_by_what_is_in_it(
    etag: str, crc: str | None, ours: bool
) -> None:
    """Not by its size and the number of its parts: somebody else's may have the same."""
    sent = [Answer(headers={"ETag": f'"{each}"'}) for each in _etags()]
    head = {"ETag": f'"{etag}"', "Content-Length": str(_SIZE), "x-amz-request-id": "R"}
    if crc is not None:
        head["x-amz-checksum-crc32"] = crc
    answers = [_BEGUN, *sent, Answer(0), _UNKNOWN, _UNKNOWN, Answer(headers=head)]
    if not ours:
        answers.append(_UNKNOWN)  # the abort
    async with scripted(*answers) as server:
        backend = server.backend()
        if ours:
            written = await backend.write("a", _content(), overwrite=True)
            assert (written.etag, written.size) == (etag, _SIZE)
        else:
            with pytest.raises(PreconditionFailed) as caught:
                await backend.write("a", _content(), overwrite=True)
            assert caught.value.outcome_unknown
        await backend.aclose()
