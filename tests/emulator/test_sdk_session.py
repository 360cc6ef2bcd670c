"""The real SDK of both services, on the emulator, with nothing refused or unverified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.filedatalake.aio import DataLakeServiceClient
from tests.emulator.conftest import Sdk, transport

from hns_emulator import HnsEmulator

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def nothing_refused(emulator: HnsEmulator) -> Iterator[None]:
    """Let no request of the SDK be refused as unknown."""
    emulator.clear()
    yield
    assert not emulator.refused
    assert not emulator.unverified


def code(error: HttpResponseError) -> object:
    """Return the service's code, which the SDK adds without declaring it."""
    return vars(error).get("error_code")


def sent(emulator: HnsEmulator) -> list[tuple[str, str]]:
    """Return method and endpoint of each request."""
    return [(seen.method, seen.kind) for seen in emulator.requests]


async def test_the_life_of_a_filesystem(emulator: HnsEmulator, sdk: Sdk) -> None:
    """A filesystem is created once, found, and gone after its deletion."""
    fs = await sdk.lake.create_file_system("lifecycle")
    with pytest.raises(ResourceExistsError) as caught:
        await sdk.lake.create_file_system("lifecycle")
    assert code(caught.value) == "ContainerAlreadyExists"
    assert await fs.exists()
    await fs.delete_file_system()
    assert not await fs.exists()


async def test_account_information_tells_of_the_namespace(sdk: Sdk) -> None:
    """Service, container and blob level agree."""
    container = sdk.blob.get_container_client(sdk.fs.file_system_name)
    for client in (sdk.blob, container, container.get_blob_client("x")):
        assert (await client.get_account_information())["is_hns_enabled"]


async def test_upload_data_is_three_requests(emulator: HnsEmulator, sdk: Sdk) -> None:
    """Create, append and flush; both endpoints read the same bytes."""
    file = sdk.fs.get_file_client("deep/er/file.bin")
    emulator.clear()
    await file.upload_data(b"hello", overwrite=True)
    assert sent(emulator) == [("PUT", "dfs"), ("PATCH", "dfs"), ("PATCH", "dfs")]
    assert await (await file.download_file()).readall() == b"hello"
    blob = sdk.blob.get_blob_client(sdk.fs.file_system_name, "deep/er/file.bin")
    assert await (await blob.download_blob()).readall() == b"hello"
    assert (await file.get_file_properties()).size == 5


async def test_chunks_that_arrive_in_any_order(sdk: Sdk) -> None:
    """A parallel upload of ten chunks comes out whole."""
    data = bytes(range(256)) * 4096
    file = sdk.fs.get_file_client("parallel.bin")
    await file.upload_data(data, overwrite=True, chunk_size=100_003, max_concurrency=4)
    assert await (await file.download_file()).readall() == data


async def test_exclusive_creation_has_one_winner(sdk: Sdk) -> None:
    """Of sixteen creations with If-None-Match: * one succeeds."""

    async def attempt() -> bool:
        try:
            await sdk.fs.get_file_client("race").create_file(
                match_condition=MatchConditions.IfMissing
            )
        except ResourceExistsError:
            return False
        return True

    assert sorted(await asyncio.gather(*(attempt() for _ in range(16))))[-2:] == [False, True]


async def test_append_and_flush_at_once(emulator: HnsEmulator, sdk: Sdk) -> None:
    """`append_data(flush=True)` is one request and answers the new version."""
    file = sdk.fs.get_file_client("flushed")
    created = await file.create_file(metadata={"a1": "x", "a_b": "y"})
    emulator.clear()
    answer = await file.append_data(b"abc", 0, flush=True)
    assert sent(emulator) == [("PATCH", "dfs")]
    properties = await file.get_file_properties()
    assert properties.etag == answer["etag"] != created["etag"]
    assert properties.metadata == {"a1": "x", "a_b": "y"}


async def test_validated_content(sdk: Sdk) -> None:
    """Content-MD5 of appends and puts is sent and verified."""
    file = sdk.fs.get_file_client("validated")
    await file.create_file()
    await file.append_data(b"abc", 0, validate_content=True)
    await file.flush_data(3)
    blob = sdk.blob.get_blob_client(sdk.fs.file_system_name, "validated-too")
    await blob.upload_blob(b"abc", validate_content=True)
    assert await (await blob.download_blob()).readall() == b"abc"


async def test_rename_keeps_the_version(emulator: HnsEmulator, sdk: Sdk) -> None:
    """One request moves a file with its ETag, metadata and creation time."""
    file = sdk.fs.get_file_client("a/old name+%.txt")
    await file.upload_data(b"abc", overwrite=True, metadata={"k": "v"})
    before = await file.get_file_properties()
    emulator.clear()
    moved = await file.rename_file(f"{sdk.fs.file_system_name}/a/new name+%.txt")
    assert sent(emulator) == [("PUT", "dfs")]
    after = await moved.get_file_properties()
    assert (after.etag, after.last_modified, after.creation_time, after.metadata) == (
        before.etag,
        before.last_modified,
        before.creation_time,
        {"k": "v"},
    )
    assert not await file.exists()


async def test_rename_of_a_directory_moves_what_is_below(sdk: Sdk) -> None:
    """A directory's rename is one step, exclusively if asked."""
    await sdk.fs.get_file_client("from/x/y").create_file()
    await sdk.fs.create_directory("taken")
    source = sdk.fs.get_directory_client("from")
    with pytest.raises(ResourceExistsError) as caught:
        await source.rename_directory(
            f"{sdk.fs.file_system_name}/taken", match_condition=MatchConditions.IfMissing
        )
    assert code(caught.value) == "PathAlreadyExists"
    await source.rename_directory(f"{sdk.fs.file_system_name}/to")
    names = [path.name async for path in sdk.fs.get_paths()]
    assert names == ["taken", "to", "to/x", "to/x/y"]


async def test_rename_with_a_source_condition(sdk: Sdk) -> None:
    """A source that changed meanwhile stays."""
    file = sdk.fs.get_file_client("changing")
    old = await file.create_file()
    await file.upload_data(b"new", overwrite=True)
    with pytest.raises(HttpResponseError) as caught:
        await file.rename_file(
            f"{sdk.fs.file_system_name}/changed",
            source_etag=str(old["etag"]),
            source_match_condition=MatchConditions.IfNotModified,
        )
    assert (caught.value.status_code, code(caught.value)) == (412, "SourceConditionNotMet")
    assert await file.exists()


async def test_pages_of_paths(sdk: Sdk) -> None:
    """Pages of three make the whole listing, sorted and depth first."""
    for name in ("b/2", "a", "b/1/x", "b.c", "c"):
        await sdk.fs.get_file_client(name).create_file()
    pages = sdk.fs.get_paths(max_results=3).by_page()
    listed = [[path.name async for path in page] async for page in pages]
    assert listed == [["a", "b", "b/1"], ["b/1/x", "b/2", "b.c"], ["c"]]
    shallow = [path async for path in sdk.fs.get_paths("/", recursive=False)]
    assert [(path.name, path.is_directory) for path in shallow] == [
        ("a", False),
        ("b", True),
        ("b.c", False),
        ("c", False),
    ]


async def test_deletions(sdk: Sdk) -> None:
    """A file, a directory with its content, and the refusal without `recursive`."""
    await sdk.fs.get_file_client("d/e/f").create_file()
    with pytest.raises(ResourceExistsError) as caught:
        await sdk.fs.get_file_client("d").delete_file(recursive=False)
    assert code(caught.value) == "DirectoryNotEmpty"
    await sdk.fs.get_file_client("d/e/f").delete_file()
    with pytest.raises(ResourceNotFoundError):
        await sdk.fs.get_file_client("d/e/f").delete_file()
    await sdk.fs.get_directory_client("d").delete_directory()
    assert [path async for path in sdk.fs.get_paths()] == []


async def test_an_empty_file_and_a_directory_are_read_in_two_requests(
    emulator: HnsEmulator, sdk: Sdk
) -> None:
    """The ranged GET is 416, the plain one empty; the directory is marked."""
    await sdk.fs.get_file_client("d/empty").create_file()
    for name in ("d", "d/empty"):
        emulator.clear()
        client = sdk.fs.get_file_client(name)
        assert await (await client.download_file()).readall() == b""
        assert [seen.status for seen in emulator.requests] == [416, 200]
    assert (await sdk.fs.get_file_client("d").get_file_properties()).metadata == {
        "hdi_isfolder": "true"
    }


async def test_a_large_download_is_conditional(emulator: HnsEmulator, sdk: Sdk) -> None:
    """Ranges behind the first carry its ETag, and a change in between is 412."""
    data = bytes(700_000)
    blob = sdk.blob.get_blob_client(sdk.fs.file_system_name, "large")
    await blob.upload_blob(data)
    small = BlobServiceClient.from_connection_string(
        emulator.connection_string,
        transport=transport(emulator),
        max_single_get_size=1 << 18,
        max_chunk_get_size=1 << 18,
    )
    async with small:
        reader = await small.get_blob_client(sdk.fs.file_system_name, "large").download_blob()
        assert await reader.readall() == data
        stale = await small.get_blob_client(sdk.fs.file_system_name, "large").download_blob()
        await blob.upload_blob(b"x", overwrite=True)
        with pytest.raises(ResourceModifiedError):
            await stale.readall()


async def test_the_blob_side(sdk: Sdk) -> None:
    """Put, exclusive put, blocks, metadata, list, copy and delete by the Blob SDK."""
    container = sdk.blob.get_container_client(sdk.fs.file_system_name)
    await container.upload_blob("p/one", b"1", metadata={"Key_1": "v"})
    with pytest.raises(ResourceExistsError) as caught:
        await container.upload_blob("p/one", b"2")
    assert code(caught.value) == "BlobAlreadyExists"

    async def stream() -> AsyncIterator[bytes]:
        yield b"a" * 10
        yield b"b" * 10

    await container.upload_blob("p/blocks", stream())
    blob = container.get_blob_client("p/one")
    assert (await blob.get_blob_properties()).metadata == {"Key_1": "v"}
    await blob.set_blob_metadata({"b": "2"})
    assert (await blob.get_blob_properties()).metadata == {"b": "2"}
    copied = await container.get_blob_client("q/copy").start_copy_from_url(blob.url)
    assert copied["copy_status"] == "success"
    copy = await container.get_blob_client("q/copy").get_blob_properties()
    assert (copy.metadata, copy.copy.status, copy.copy.id) == (
        {"b": "2"},
        "success",
        copied["copy_id"],
    )
    names = [item.name async for item in container.list_blobs(include=["metadata"])]
    assert names == ["p", "p/blocks", "p/one", "q", "q/copy"]
    assert [item.name async for item in container.walk_blobs()] == ["p/", "q/"]
    with pytest.raises(ResourceExistsError) as refused:
        await container.delete_blob("p")
    assert code(refused.value) == "DirectoryIsNotEmpty"
    for name in ("p/one", "p/blocks", "p"):
        await container.delete_blob(name)
    assert [item.name async for item in container.list_blobs(name_starts_with="p")] == []


async def test_pages_of_blobs(sdk: Sdk) -> None:
    """Markers lead through the whole listing, with and without delimiter."""
    container = sdk.blob.get_container_client(sdk.fs.file_system_name)
    for number in range(5):
        await container.upload_blob(f"d{number}/f", b"")
    flat = container.list_blobs(results_per_page=3).by_page()
    assert [len([item async for item in page]) async for page in flat] == [3, 3, 3, 1]
    level = container.walk_blobs(results_per_page=2)
    assert [item.name async for item in level] == [f"d{number}/" for number in range(5)]


async def test_path_style_needs_no_resolver(emulator: HnsEmulator, filesystem: str) -> None:
    """With the other connection string the SDK works on its own transport."""
    text = emulator.path_style_connection_string
    async with DataLakeServiceClient.from_connection_string(text) as lake:
        fs = lake.get_file_system_client(filesystem)
        file = fs.get_file_client("a/b")
        await file.upload_data(b"abc", overwrite=True)
        await file.rename_file(f"{filesystem}/a/c")
        assert [path.name async for path in fs.get_paths()] == ["a", "a/c"]
        await fs.get_file_client("a/c").delete_file()
        await fs.get_directory_client("a").delete_directory()
        assert [path.name async for path in fs.get_paths()] == []
    async with BlobServiceClient.from_connection_string(text) as blob:
        container = blob.get_container_client(filesystem)
        first = await container.upload_blob("x/1", b"abc")
        copied = await container.get_blob_client("x/2").start_copy_from_url(first.url)
        assert copied["copy_status"] == "success"
        await container.delete_blob("x/1")
        assert [item.name async for item in container.list_blobs()] == ["x", "x/2"]


async def test_access_control_of_the_root(sdk: Sdk) -> None:
    """The root tells its ACL, which is how an empty account shows its namespace."""
    root = sdk.fs._get_root_directory_client()
    assert (await root.get_access_control())["permissions"] == "rwxr-x---"
