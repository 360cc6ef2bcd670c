"""User metadata: kept as they were given, or refused before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from hypothesis import given
from hypothesis import strategies as st
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, gathered, stream

from remote_store_azure._blob.headers import (
    METADATA,
    blob_info,
    stored_metadata,
    time_of,
    written,
)


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on an empty container."""
    async with flat(azurite, service, container) as found:
        yield found


KEPT = {
    "Mixed_Case": "Value",
    "number9": "a  b\t".rstrip(),
    "symbols": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "empty": "",
    "long": "v" * 1900,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("way", ["bytes", "stream", "blocks", "atomic"])
async def test_kept(box: Flat, way: str) -> None:
    """They come back from every way of writing and of asking, and after a copy and a move."""
    contents: dict[str, bytes | AsyncIterator[bytes]] = {
        "bytes": b"x",
        "atomic": b"x",
        "stream": stream(b"x"),
        "blocks": stream(*[bytes(1 << 20)] * 9),
    }
    write = box.backend.write_atomic if way == "atomic" else box.backend.write
    result = await write("a", contents[way], metadata=KEPT)
    assert result.metadata == KEPT
    assert result.metadata is not KEPT
    await box.backend.copy("a", "b")
    await box.backend.move("a", "c")
    for key in ("b", "c"):
        assert (await box.backend.get_file_info(key)).metadata == KEPT
    listed = await gathered(box.backend.list_files(""))
    assert [info.metadata for info in listed] == [KEPT, KEPT]


@pytest.mark.asyncio
async def test_replaced(box: Flat) -> None:
    """They belong to a version: an overwrite without any leaves none."""
    await box.backend.write("a", b"x", metadata={"key": "value"})
    assert (await box.backend.write("a", b"y", overwrite=True)).metadata is None
    assert (await box.backend.get_file_info("a")).metadata is None
    assert (await box.backend.write("a", b"y", overwrite=True, metadata={})).metadata == {}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "metadata",
    [
        {"has-dash": "v"},
        {"has space": "v"},
        {"9digit": "v"},
        {"schlüssel": "v"},
        {"": "v"},
        {"key": "a", "KEY": "b"},
        {"key": " v"},
        {"key": "v "},
        {"key": " "},
        {"key": "a\tb"},
        {"key": "a\nb"},
        {"key": "ä"},
        {"key": "\x7f"},
        {"hdi_isfolder": "true"},
        {"Hdi_IsFolder": "false"},
    ],
)
async def test_refused(box: Flat, metadata: dict[str, str]) -> None:
    """What would not come back unchanged is a ValueError, and nothing is sent or consumed."""
    pulled = []

    async def source() -> AsyncIterator[bytes]:
        pulled.append(1)
        yield b"x"

    for content in (b"x", source()):
        with pytest.raises(ValueError, match="metadata"):
            await box.backend.write("a", content, metadata=metadata)
    assert (box.sent(), pulled) == ([], [])


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
            lambda key: key.lower() != "hdi_isfolder"
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=126)).filter(
            lambda value: value == value.strip()
        ),
        max_size=8,
    )
)
def test_headers_and_back(metadata: dict[str, str]) -> None:
    """What is accepted is in the headers unchanged."""
    if len({key.lower() for key in metadata}) < len(metadata):
        with pytest.raises(ValueError, match="case"):
            METADATA.refuse(metadata)
        return
    METADATA.refuse(metadata)
    headers = stored_metadata(metadata)
    assert blob_info("a", headers, 0).metadata == metadata
    assert all(name.startswith("x-ms-meta-") for name in headers)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
def test_times(moment: datetime) -> None:
    """The HTTP date of every second is read back."""
    from email.utils import format_datetime

    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert time_of(format_datetime(moment, usegmt=True)) == moment


@pytest.mark.parametrize("text", [None, "", "yesterday", "Fri, 31 Feb 2026 17:06:07 GMT"])
def test_no_time(text: str | None) -> None:
    """A time that is missing or is none is unknown, not an error."""
    assert time_of(text) is None


def test_what_headers_tell() -> None:
    """ETags lose their quotes and keep their case; an MD5 is shown where it is the content's."""
    headers = {
        "Content-Length": "7",
        "ETag": '"0x8DEAbC"',
        "Last-Modified": "Fri, 19 Jun 2026 17:06:07 GMT",
        "Content-MD5": "ndTkYSaMgDT1yFZOFVxnpg==",
        "Content-Type": "text/plain",
        "X-Ms-Meta-Key": "value",
        "x-ms-meta-hdi_isfolder": "false",
        "x-ms-version-id": "",
    }
    info = blob_info("d/a", headers)
    assert (info.key, info.size, info.etag, info.content_type) == (
        "d/a",
        7,
        "0x8DEAbC",
        "text/plain",
    )
    assert info.modified == datetime(2026, 6, 19, 17, 6, 7, tzinfo=UTC)
    assert info.digest is not None
    assert info.digest.value == "9dd4e461268c8034f5c8564e155c67a6"
    assert info.metadata == {"Key": "value"}
    result = written(headers, md5=True)
    assert (result.etag, result.version_id, result.digest) == (info.etag, None, info.digest)
    assert written(headers, md5=False).digest is None
    assert written({}, md5=True).modified is None
    # The digest of a range is not that of the file.
    ranged = headers | {"x-ms-blob-content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    assert blob_info("a", ranged).digest != info.digest
    assert blob_info("a", headers | {"Content-MD5": "?"}).digest is None
    assert blob_info("a", {}, 0).etag is None


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [5, 9 << 20])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_result_agrees_with_the_file(box: Flat, size: int, streamed: bool) -> None:
    """ETag, time, size and digest of a result are those that the file has then."""
    content = bytes(size)
    half = size // 2
    source = stream(content[:half], content[half:]) if streamed else content
    result = await box.backend.write("a", source)
    info = await box.backend.get_file_info("a")
    listed = (await gathered(box.backend.list_files("")))[0]
    assert result.source == "native"
    assert (result.size, result.etag, result.digest) == (info.size, info.etag, info.digest)
    assert result.last_modified == info.modified_at
    assert (info.digest is None) == (size > 8 << 20)
    for name in ("size", "etag", "digest", "modified_at", "content_type", "metadata"):
        assert getattr(listed, name) == getattr(info, name), name


@pytest.mark.asyncio
async def test_no_digest_from_a_list_of_blocks(box: Flat) -> None:
    """A small write that passes by somebody's staged blocks has no digest of their list."""
    box.container.get_blob_client("a").stage_block("a" * 36, b"left")
    result = await box.backend.write("a", b"content")
    assert box.get("a") == b"content"
    assert result.digest == (await box.backend.get_file_info("a")).digest
