"""Traps of the service and of its SDK, in terms of the backend."""

from __future__ import annotations

import pytest
from tests.azure.hns.lake import MIB, Lake, collected, keys, pieces

from remote_store import AlreadyExists, DirectoryNotEmpty, InvalidPath, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

#: Everything that may stand in a name and means something in a URL, a header or JSON.
NAMES = [
    *" !\"#$%&'()*+,-;<=>?@[]^_`{|}~:",
    "a b",
    "100%",
    "%41",
    "%2F",
    "a+b",
    "a&b=c",
    "x?y#z",
    "..a",
    "a..b",
    ".hidden",
    "ümläut",
    "日本語",
    "🚀",
    "e\u0301",
    "A",
    "a" * 200,
]


@pytest.mark.parametrize("atomic", [False, True])
async def test_nothing_is_something(lake: Lake, backend: AsyncAzureBackend, atomic: bool) -> None:
    """The SDK sends no request at all for empty content."""
    write = backend.write_atomic if atomic else backend.write
    await write("bytes", b"")
    await write("stream", pieces())
    await write("chunks", pieces(b"", b""))
    assert lake.files() == {"bytes": b"", "stream": b"", "chunks": b""}

    lake.put("stream", b"old")
    await write("stream", pieces(), overwrite=True)
    assert lake.files()["stream"] == b""
    assert await backend.read_bytes("stream") == b""
    assert b"".join(await collected(backend.read("stream"))) == b""
    for key in ("bytes", "stream"):
        with pytest.raises(AlreadyExists):
            await write(key, b"")


async def test_an_exclusive_write_makes_a_new_file(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The SDK's own form of it appends to a file that is not there."""
    await backend.write("one", b"1", overwrite=False)
    await backend.write_atomic("two", b"2", overwrite=False)
    await backend.write("three", pieces(b"3" * 9 * MIB), overwrite=False)
    assert set(lake.files()) == {"one", "two", "three"}


async def test_a_generator_needs_no_length(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The SDK buffers 100 MiB of it and flushes without a position."""
    await backend.write_atomic("s", pieces(b"one ", b"two ", b"three"))
    assert lake.files() == {"s": b"one two three"}


async def test_a_folder_is_no_empty_file(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The service answers a read of one with nothing, and lists it like a file."""
    lake.mkdir("d")

    assert await backend.is_folder("d")
    assert not await backend.is_file("d")
    for concurrency in (1, 3):
        other = lake.backend(max_concurrency=concurrency)
        with pytest.raises(InvalidPath):
            await other.read_bytes("d")
        with pytest.raises(InvalidPath):
            await collected(other.read("d"))
        await other.aclose()
    with pytest.raises(InvalidPath):
        await backend.get_file_info("d")
    assert await collected(backend.list_files("")) == []
    assert await collected(backend.glob("d")) == []


async def test_a_conflict_is_not_always_an_existing_file(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The SDK makes one exception of every 409."""
    lake.put("d/f", b"f")

    with pytest.raises(DirectoryNotEmpty):
        await backend.delete_folder("d")
    with pytest.raises(InvalidPath):
        await backend.write("d", b"")
    with pytest.raises(InvalidPath):
        await backend.write_atomic("d/f/x", b"")
    with pytest.raises(InvalidPath):
        await backend.move("d/f", "d")
    with pytest.raises(AlreadyExists):
        await backend.write("d/f", b"")


@pytest.mark.long
async def test_every_character_of_a_name_survives(lake: Lake, backend: AsyncAzureBackend) -> None:
    """In URLs, in the header that names a rename's source, and in JSON."""
    names = [name for name in NAMES if name.strip() == name] + [" "]
    for name in names:
        folder = f"in {name}"
        await backend.write(f"{folder}/{name}1", name.encode())
        await backend.move(f"{folder}/{name}1", f"{folder}/{name}2")
        await backend.copy(f"{folder}/{name}2", f"{folder}/{name}3")
        await backend.write_atomic(f"{folder}/{name}4", name.encode(), metadata={"k": "v"})
        await backend.delete(f"{folder}/{name}3")
        expected = [f"{folder}/{name}2", f"{folder}/{name}4"]
        assert keys(await collected(backend.list_files(folder))) == expected
        assert keys(await collected(backend.list_files(folder, recursive=True))) == expected

    files = lake.files()
    assert files == {
        f"in {name}/{name}{number}": name.encode() for name in names for number in (2, 4)
    }
    assert sorted(keys(await collected(backend.list_folders("")))) == sorted(
        f"in {name}" for name in names
    )


async def test_a_double_slash_is_one(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The service drops an empty segment, and so does the backend, in every place."""
    await backend.write("a//b", b"1")

    assert lake.files() == {"a/b": b"1"}
    assert await backend.read_bytes("a/./b") == b"1"
    assert keys(await collected(backend.list_files("a//"))) == ["a/b"]


async def test_a_name_that_ends_in_a_dot_is_refused(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The service would drop the dot, and it would be another file."""
    lake.put("a/b", b"kept")
    lake.put("f", b"f")

    for key in ("a.", "a./b", "a/b.", "a/b...", "...", "a/..."):
        for call in (
            backend.write(key, b""),
            backend.write_atomic(key, b""),
            backend.read_bytes(key),
            backend.delete(key, missing_ok=True),
            backend.delete_folder(key, recursive=True, missing_ok=True),
            backend.get_file_info(key),
            backend.get_folder_info(key),
            backend.exists(key),
            backend.is_file(key),
            backend.is_folder(key),
            backend.move("f", key),
            backend.move(key, "g"),
            backend.copy("f", key),
            backend.copy(key, "g"),
            collected(backend.read(key)),
            collected(backend.list_files(key)),
            collected(backend.list_folders(key)),
            collected(backend.iter_children(key)),
        ):
            with pytest.raises(InvalidPath, match="dot"):
                await call
        assert await collected(backend.glob(key)) == []
        assert await collected(backend.glob(f"{key}/*")) == []
    assert lake.seen() == []
    assert lake.files() == {"a/b": b"kept", "f": b"f"}


async def test_a_store_refuses_such_a_name_too(backend: AsyncAzureBackend) -> None:
    """With the backend's own error."""
    store = AsyncStore(backend, "root")
    with pytest.raises(InvalidPath, match="dot"):
        await store.write("a.", b"")


async def test_a_path_of_too_many_names_is_refused(lake: Lake, backend: AsyncAzureBackend) -> None:
    """By the service; the error says that it is the path."""
    deep = "/".join(["d"] * 70)
    for call in (backend.write(deep, b""), backend.write_atomic(deep, b""), backend.exists(deep)):
        with pytest.raises(RemoteStoreError) as caught:
            await call
        assert isinstance(caught.value, InvalidPath)


@pytest.mark.parametrize("key", ["hdi_isfolder", "HDI_IsFolder"])
async def test_the_mark_of_a_folder_is_no_users_key(
    lake: Lake, backend: AsyncAzureBackend, key: str
) -> None:
    """A file with it would be taken for a folder by every other program."""
    for call in (backend.write, backend.write_atomic):
        with pytest.raises(ValueError, match="marks a folder"):
            await call("f", b"", metadata={key: "true"})
    assert lake.seen() == []


async def test_a_range_of_nothing_is_not_asked_for(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The service refuses it, also for a read in several connections."""
    lake.put("empty")
    other = lake.backend(max_concurrency=4)
    assert await other.read_bytes("empty") == b""
    await other.aclose()
