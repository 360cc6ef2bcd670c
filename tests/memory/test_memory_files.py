"""Writing, reading and describing files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from remote_store import (
    AlreadyExists,
    FileInfo,
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio

Refusal = Callable[[Awaitable[object]], Awaitable[RemoteStoreError]]
Stream = Callable[..., AsyncIterator[bytes]]


@pytest.mark.parametrize("content", [b"", b"x", b"abc" * 100_000])
async def test_one_chunk(backend: AsyncMemoryBackend, content: bytes) -> None:
    """A read yields the whole content as one chunk, also that of an empty file."""
    await backend.write("f", content)

    assert [content] == [chunk async for chunk in backend.read("f")]
    assert content == await backend.read_bytes("f")


async def test_snapshot(backend: AsyncMemoryBackend) -> None:
    """What a reader pulled is not changed by a later write."""
    await backend.write("f", b"old")
    reader = backend.read("f")
    first = await anext(reader)
    await backend.write("f", b"new", overwrite=True)

    assert first == b"old"
    assert [chunk async for chunk in reader] == []


async def test_by_reference(backend: AsyncMemoryBackend) -> None:
    """Bytes are kept and handed out as they are, without a copy."""
    content = b"x" * 1000
    await backend.write("f", content)

    assert content is await backend.read_bytes("f")


class _Tagged(bytes):
    """Bytes with a state of their own, which lie when they are converted."""

    def __bytes__(self) -> bytes:
        return b"lie"


async def test_bytes_subclass(backend: AsyncMemoryBackend) -> None:
    """Of an instance of a subclass only its bytes are kept."""
    await backend.write("f", _Tagged(b"abc"))

    assert bytes is type(await backend.read_bytes("f"))
    assert await backend.read_bytes("f") == b"abc"


async def test_result_equals_info(backend: AsyncMemoryBackend) -> None:
    """The result of a write tells what a following get_file_info tells."""
    before = datetime.now(UTC)
    result = await backend.write("d/f", b"abc", metadata={"k": "v"})
    after = datetime.now(UTC)
    info = await backend.get_file_info("d/f")

    assert WriteResult is type(result)
    assert FileInfo is type(info)
    assert result.source == "native"
    assert (RemotePath("d/f"), "f", 3) == (info.path, info.name, info.size)
    assert (info.path, info.size, info.etag, info.modified_at, info.metadata, info.digest) == (
        result.path,
        result.size,
        result.etag,
        result.last_modified,
        result.metadata,
        result.digest,
    )
    assert before <= info.modified_at <= after
    assert info.modified_at.tzinfo == UTC
    assert info.extra == {}
    assert None is info.content_type is result.version_id


async def test_fast_models(backend: AsyncMemoryBackend) -> None:
    """The results are the core's models: equal to constructed ones, and frozen."""
    result = await backend.write("f", b"abc")
    info = await backend.get_file_info("f")

    assert result == WriteResult(
        RemotePath("f"),
        3,
        "native",
        etag=result.etag,
        last_modified=result.last_modified,
    )
    assert repr(info) == repr(FileInfo(RemotePath("f"), "f", 3, info.modified_at, etag=info.etag))
    with pytest.raises(AttributeError):
        result.size = 4  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del info.size


async def test_etags(backend: AsyncMemoryBackend) -> None:
    """Each version has an ETag of its own, also across instances and after a delete."""
    other = AsyncMemoryBackend()
    etags = []
    for _ in range(3):
        etags.append((await backend.write("f", b"same", overwrite=True)).etag)
        etags.append((await other.write("f", b"same", overwrite=True)).etag)
        await backend.delete("f")
        await backend.write("g", b"same", overwrite=True)
        await backend.copy("g", "f", overwrite=True)
        etags.append((await backend.get_file_info("f")).etag)

    assert len(etags) == len(set(etags))
    assert all(etag and '"' not in etag for etag in etags)


@pytest.mark.parametrize("method", ["write", "write_atomic"])
async def test_exclusive(
    backend: AsyncMemoryBackend, method: str, refusal: Refusal, stream: Stream
) -> None:
    """Without overwrite an existing file is refused and kept (WRITE-003)."""
    await backend.write("d/f", b"old", metadata={"k": "v"})
    info = await backend.get_file_info("d/f")
    write = getattr(backend, method)

    for content in (b"new", stream(b"new")):
        error = await refusal(write("d/f", content))
        assert isinstance(error, AlreadyExists)
        assert "already exists" in str(error)

    assert await backend.read_bytes("d/f") == b"old"
    assert info.etag == (await backend.get_file_info("d/f")).etag


@pytest.mark.parametrize("method", ["write", "write_atomic"])
async def test_overwrite(backend: AsyncMemoryBackend, method: str) -> None:
    """With overwrite content, time and metadata are replaced, not merged (META-002)."""
    write = getattr(backend, method)
    await write("f", b"old", metadata={"a": "1"})
    old = await backend.get_file_info("f")
    await write("f", b"newer", overwrite=True, metadata={"b": "2"})
    new = await backend.get_file_info("f")
    await write("f", b"", overwrite=True)

    assert new.metadata == {"b": "2"}
    assert new.size == 5
    assert new.modified_at >= old.modified_at
    assert None is (await backend.get_file_info("f")).metadata


@pytest.mark.parametrize("overwrite", [False, True])
async def test_blocked_target(
    backend: AsyncMemoryBackend, overwrite: bool, refusal: Refusal
) -> None:
    """A folder, and a key below a file, are no targets, whatever overwrite says."""
    await backend.write("d/f", b"1")

    on_folder = await refusal(backend.write("d", b"2", overwrite=overwrite))
    below_file = await refusal(backend.write("d/f/g/h", b"2", overwrite=overwrite))

    assert isinstance(on_folder, InvalidPath)
    assert "exists as a directory" in str(on_folder)
    assert isinstance(below_file, InvalidPath)
    assert "d/f exists as a file" in str(below_file)
    assert repr(backend) == "AsyncMemoryBackend(files=1, folders=1)"


async def test_lazy_errors(backend: AsyncMemoryBackend) -> None:
    """A read reports a missing file at the first pull, not at the call (READ-003)."""
    reader = backend.read("gone")
    with pytest.raises(NotFound):
        await anext(reader)


async def test_delete(backend: AsyncMemoryBackend, refusal: Refusal) -> None:
    """A deleted file is gone everywhere, its folder stays, and missing_ok forgives once more."""
    await backend.write("d/f", b"1")
    await backend.delete("d/f")

    assert not await backend.exists("d/f")
    assert await backend.is_folder("d")
    assert isinstance(await refusal(backend.delete("d/f")), NotFound)
    await backend.delete("d/f", missing_ok=True)
    await backend.delete("no/such/f", missing_ok=True)
    assert isinstance(await refusal(backend.delete("d", missing_ok=True)), InvalidPath)


async def test_no_alias_of_metadata(backend: AsyncMemoryBackend) -> None:
    """Changing what was given or returned changes nothing that is stored (META-003)."""
    given = {"k": "v"}
    result = await backend.write("f", b"1", metadata=given)
    await backend.copy("f", "g")
    await backend.move("f", "h")
    given["k"] = "changed"
    assert result.metadata is not None
    result.metadata["k"] = "changed"  # type: ignore[index]
    info = await backend.get_file_info("g")
    assert info.metadata is not None
    info.metadata["k"] = "changed"  # type: ignore[index]
    info.extra["k"] = "changed"

    for key in ("g", "h"):
        info = await backend.get_file_info(key)
        assert info.metadata == {"k": "v"}
        assert info.extra == {}


async def test_metadata_of_the_call(backend: AsyncMemoryBackend) -> None:
    """Metadata is taken when the write is called, not when its source has ended."""
    given = {"k": "v"}

    async def source() -> AsyncIterator[bytes]:
        given["k"] = "changed"
        yield b"1"

    result = await backend.write("f", source(), metadata=given)

    assert {"k": "v"} == result.metadata == (await backend.get_file_info("f")).metadata


async def test_empty_metadata(backend: AsyncMemoryBackend) -> None:
    """An empty mapping is echoed, and a file with none says None."""
    assert (await backend.write("f", b"1", metadata={})).metadata == {}
    assert None is (await backend.write("g", b"1")).metadata
    assert None is (await backend.get_file_info("f")).metadata


async def test_through_a_store(backend: AsyncMemoryBackend) -> None:
    """A store below a folder sees its own paths, and backslashes as slashes."""
    store = AsyncStore(backend, "root/d")
    await store.write("a\\b", b"1", metadata={"k": "v"})

    assert await backend.read_bytes("root/d/a/b") == b"1"
    assert (await store.head("a/b")).metadata == {"k": "v"}
    assert [str(i.path) async for i in store.list_files("", recursive=True)] == ["a/b"]
    assert "memory" in store.resolve("a").kind
