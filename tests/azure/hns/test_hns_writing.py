"""Writing on a hierarchical account: what is stored, and what stands in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.azure.hns.lake import MIB, Lake, collected, pieces

from remote_store import AlreadyExists, NotFound, RemoteStoreError, WriteResult
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

WAYS = ["bytes", "long bytes", "stream", "long stream", "atomic bytes", "atomic empty"]


def content_of(way: str, fill: bytes = b"n") -> Any:
    """Return what *way* writes."""
    size = 0 if "empty" in way else 9 * MIB if "long" in way else 1000
    content = fill * size
    return pieces(content[: size // 2], content[size // 2 :]) if "stream" in way else content


async def write(
    backend: AsyncAzureBackend, way: str, key: str, fill: bytes = b"n", **options: Any
) -> WriteResult:
    """Write in one of the ways that there are."""
    call = backend.write_atomic if "atomic" in way else backend.write
    return await call(key, content_of(way, fill), **options)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("overwrite", [False, True])
async def test_what_is_written_is_there_with_its_folders_and_metadata(
    lake: Lake, backend: AsyncAzureBackend, way: str, overwrite: bool
) -> None:
    """And the result tells what a later question does."""
    if overwrite:
        lake.put("a/b/f", b"old content", {"old": "1"})
    metadata = {"key": "a value, with = and \\ in it", "Other": "x"}

    result = await write(backend, way, "a/b/f", overwrite=overwrite, metadata=metadata)

    expected = b"n" * result.size
    assert lake.files() == {"a/b/f": expected}
    assert lake.folders() == {"a", "a/b"}
    info = await backend.get_file_info("a/b/f")
    assert (info.size, info.etag, info.modified_at) == (
        result.size,
        result.etag,
        result.last_modified,
    )
    assert info.metadata == metadata
    assert result.metadata == metadata
    assert result.digest in (None, info.digest)
    assert await backend.read_bytes("a/b/f") == expected


@pytest.mark.parametrize("way", ["bytes", "atomic bytes"])
async def test_an_overwrite_drops_the_old_metadata(
    lake: Lake, backend: AsyncAzureBackend, way: str
) -> None:
    """They belong to the content that is gone."""
    lake.put("f", b"old", {"old": "1"})

    await write(backend, way, "f", overwrite=True)
    assert (await backend.get_file_info("f")).metadata is None


@pytest.mark.parametrize("way", WAYS)
async def test_an_existing_file_stays(lake: Lake, backend: AsyncAzureBackend, way: str) -> None:
    """Nothing is left beside it."""
    lake.put("a/f", b"old")

    with pytest.raises(AlreadyExists) as caught:
        await write(backend, way, "a/f")
    assert caught.value.path == "a/f"
    assert not caught.value.outcome_unknown
    assert lake.files() == {"a/f": b"old"}


async def test_who_may_not_look_gets_the_services_answer(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """A probe that is refused is no proof that nothing is there."""
    lake.put("f", b"old")
    await backend.exists("f")

    async def forbid(request: Any, answer: Any) -> Any:
        if request.method == "HEAD":
            answer.status_code = 403
            answer.headers["x-ms-error-code"] = "AuthorizationPermissionMismatch"
        return answer

    lake.transport.after = forbid
    with pytest.raises(AlreadyExists):
        await backend.write("f", b"new")


async def test_an_absent_filesystem_is_not_found(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Nothing makes it implicitly."""
    lake.blobs.delete_container()

    for way in WAYS:
        with pytest.raises(NotFound):
            await write(backend, way, "a/f")


@pytest.mark.parametrize("concurrency", [2, 5])
async def test_blocks_may_be_sent_beside_each_other(lake: Lake, concurrency: int) -> None:
    """In any order, with one flush at the end."""
    backend = lake.backend(max_concurrency=concurrency, client_options={"max_block_size": 1000})
    content = bytes(range(256)) * 100

    async def source() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 700):
            yield content[start : start + 700]

    await backend.write("f", source())
    await backend.aclose()

    flushes = [s for s in lake.seen() if "flush=true" in s]
    assert len(flushes) == 1
    assert lake.files() == {"f": content}


async def test_an_exception_of_the_source_passes_and_leaves_nothing(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The same object, before the first block and after it; the old file stays."""
    mine = KeyError("mine")
    lake.put("a/f", b"old")

    for size in (0, 10, 9 * MIB):

        async def source(size: int = size) -> AsyncIterator[bytes]:
            yield b"x" * size
            raise mine

        for call in (backend.write, backend.write_atomic):
            with pytest.raises(KeyError) as caught:
                await call("a/f", source(), overwrite=True)
            assert caught.value is mine
            assert lake.files() == {"a/f": b"old"}


async def test_a_chunk_that_is_no_bytes_leaves_nothing(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """It is found when the block before it is complete, at the latest."""
    with pytest.raises(TypeError):
        await backend.write("f", pieces(b"x" * 9 * MIB, "text"))  # type: ignore[arg-type]
    assert lake.files() == {}


async def test_an_error_before_the_rename_does_not_claim_to_be_unknown(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The target was not touched; the temporary file is removed."""
    lake.put("f", b"old")
    lake.emulator.fault("drop_before", query="action=append", times=3)

    with pytest.raises(RemoteStoreError) as caught:
        await backend.write_atomic("f", b"new", overwrite=True)
    assert not caught.value.outcome_unknown
    assert lake.files() == {"f": b"old"}


async def test_a_reader_sees_the_old_file_until_the_rename(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Also through long writes."""
    lake.put("f", b"old")
    read: list[bytes] = []
    listed: list[int] = []

    async def source() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"n" * 4 * MIB
            read.append(await backend.read_bytes("f"))
            listed.append(len(await collected(backend.list_files("", recursive=True))))

    await backend.write("f", source(), overwrite=True)
    assert read == [b"old"] * 4
    assert listed == [1] * 4
