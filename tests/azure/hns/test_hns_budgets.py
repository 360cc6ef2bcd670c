"""What each operation costs in requests on a hierarchical account, counted by the server."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.azure.hns.lake import MIB, Lake, collected, pieces

from remote_store import AlreadyExists, DirectoryNotEmpty, InvalidPath, PreconditionFailed
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncAzureBackend], Awaitable[Any]]


def _stream(count: int) -> Any:
    return pieces(*[bytes([number]) * 4 * MIB for number in range(count)])


@pytest.mark.parametrize("overwrite", [False, True])
async def test_writing_bytes_is_one_put_blob(
    lake: Lake, backend: AsyncAzureBackend, overwrite: bool
) -> None:
    """Up to 8 MiB, exclusive or not, in folders that are not there yet."""
    for size in (0, 1, 8 * MIB):
        await backend.write(f"a/b/{size}", b"x" * size, overwrite=overwrite)

        assert lake.seen() == [f"PUT blob /a/b/{size}  201"]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_an_atomic_write_of_bytes_is_three_requests(
    lake: Lake, backend: AsyncAzureBackend, overwrite: bool
) -> None:
    """Create, append with flush, rename; the rename's answer carries the ETag."""
    for size in (1, 8 * MIB):
        result = await backend.write_atomic(f"a/{size}", b"x" * size, overwrite=overwrite)

        assert lake.seen() == [
            "PUT dfs /a/TMP resource=file 201",
            "PATCH dfs /a/TMP action=append&position=0&flush=true 202",
            f"PUT dfs /a/{size} mode=legacy 201",
        ]
        assert result.etag == (await backend.get_file_info(f"a/{size}")).etag
        lake.seen()


@pytest.mark.parametrize("content", ["bytes", "stream"])
async def test_an_empty_atomic_write_is_two_requests_and_an_exclusive_one_is_one(
    lake: Lake, backend: AsyncAzureBackend, content: str
) -> None:
    """There is nothing to append, and nothing to hide before the name is there."""
    await backend.write_atomic("e", b"" if content == "bytes" else pieces())
    assert lake.seen() == ["PUT dfs /e resource=file 201"]

    await backend.write_atomic("e", b"" if content == "bytes" else pieces(b""), overwrite=True)
    assert lake.seen() == ["PUT dfs /TMP resource=file 201", "PUT dfs /e mode=legacy 201"]


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_stream_of_n_blocks_is_n_and_two_requests(
    lake: Lake, backend: AsyncAzureBackend, count: int, overwrite: bool, atomic: bool
) -> None:
    """One more for an exclusive one that is longer than a block: a look before it is sent."""
    write = backend.write_atomic if atomic else backend.write
    await write("s", _stream(count), overwrite=overwrite)

    looks = int(not overwrite and count > 1)
    seen = lake.seen()
    assert len(seen) == count + 2 + looks
    assert seen[:looks] == ["HEAD blob /s  404"][:looks]
    assert [s for s in seen if "append" in s] == [
        f"PATCH dfs /TMP action=append&position={4 * MIB * number}"
        + ("&flush=true" if number == count - 1 else "")
        + " 202"
        for number in range(count)
    ]


async def test_small_chunks_are_gathered_into_blocks(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """What a stream costs does not depend on how its source cuts it."""
    await backend.write("s", pieces(*[b"x" * 1000] * 5000), overwrite=True)

    assert [s.split()[0] for s in lake.seen()] == ["PUT", "PATCH", "PATCH", "PUT"]


async def test_bytes_that_are_no_single_put_are_sent_in_blocks(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Above 8 MiB bytes cost what a stream does."""
    await backend.write("b", b"x" * (8 * MIB + 1), overwrite=True)

    assert [s.split()[0] for s in lake.seen()] == ["PUT", *["PATCH"] * 3, "PUT"]


async def test_an_existing_key_is_refused_before_a_block_is_sent(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """At most one request, for a stream longer than a block."""
    lake.put("s", b"old")

    with pytest.raises(AlreadyExists):
        await backend.write("s", _stream(2))
    assert lake.seen() == ["HEAD blob /s  200"]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_move_is_two_requests(
    lake: Lake, backend: AsyncAzureBackend, overwrite: bool
) -> None:
    """More only to make the folder of the destination."""
    lake.put("a/f", b"f")
    if overwrite:
        lake.put("a/g", b"g")

    await backend.move("a/f", "a/g", overwrite=overwrite)
    assert lake.seen() == ["HEAD blob /a/f  200", "PUT dfs /a/g mode=legacy 201"]

    await backend.move("a/g", "b/c/g", overwrite=overwrite)
    assert lake.seen() == [
        "HEAD blob /a/g  200",
        "PUT dfs /b/c/g mode=legacy 404",
        "PUT dfs /b/c resource=directory 201",
        "PUT dfs /b/c/g mode=legacy 201",
    ]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_copy_is_two_requests(
    lake: Lake, backend: AsyncAzureBackend, overwrite: bool
) -> None:
    """Also into folders that are not there yet."""
    lake.put("f", b"f")

    await backend.copy("f", "a/b/g", overwrite=overwrite)
    assert lake.seen() == ["HEAD blob /f  200", "PUT blob /a/b/g  202"]


@pytest.mark.parametrize(
    "call",
    [
        lambda backend, key: backend.exists(key),
        lambda backend, key: backend.is_file(key),
        lambda backend, key: backend.is_folder(key),
        lambda backend, key: backend.get_file_info(key),
        lambda backend, key: backend.read_bytes(key),
        lambda backend, key: collected(backend.read(key)),
    ],
)
async def test_a_question_is_one_request(
    lake: Lake,
    backend: AsyncAzureBackend,
    call: Callable[[AsyncAzureBackend, str], Awaitable[Any]],
) -> None:
    """Whether there is a file, a folder or nothing."""
    lake.put("a/f", b"f")
    lake.put("a/empty")

    for key in ("a/f", "a/empty", "a", "nothing", "a/f/below"):
        with contextlib.suppress(FileNotFoundError, InvalidPath):
            await call(backend, key)
        assert len(lake.seen()) == 1, key


async def test_a_delete_is_two_requests(lake: Lake, backend: AsyncAzureBackend) -> None:
    """A look for kind and version, and a delete of that version."""
    lake.put("a/f", b"f")

    await backend.delete("a/f")
    assert lake.seen() == ["HEAD blob /a/f  200", "DELETE dfs /a/f  200"]


@pytest.mark.parametrize("recursive", [False, True])
async def test_deleting_a_folder_is_two_requests(
    lake: Lake, backend: AsyncAzureBackend, recursive: bool
) -> None:
    """Whatever is in it."""
    lake.mkdir("a/b")
    told = f"recursive={str(recursive).lower()}"

    await backend.delete_folder("a/b", recursive=recursive)
    assert lake.seen() == ["HEAD blob /a/b  200", f"DELETE dfs /a/b {told} 200"]

    for number in range(3):
        lake.put(f"a/f{number}")
    if recursive:
        await backend.delete_folder("a", recursive=True)
    else:
        with pytest.raises(DirectoryNotEmpty):
            await backend.delete_folder("a")
    assert lake.seen() == [
        "HEAD blob /a  200",
        f"DELETE dfs /a {told} {200 if recursive else 409}",
    ]


@pytest.mark.parametrize("folder", ["", "a"])
@pytest.mark.parametrize(
    "call",
    [
        lambda backend, key: collected(backend.list_files(key)),
        lambda backend, key: collected(backend.list_files(key, recursive=True)),
        lambda backend, key: collected(backend.list_folders(key)),
        lambda backend, key: collected(backend.iter_children(key)),
        lambda backend, key: backend.get_folder_info(key),
    ],
)
async def test_a_listing_is_a_look_and_its_pages(
    lake: Lake,
    backend: AsyncAzureBackend,
    call: Callable[[AsyncAzureBackend, str], Awaitable[Any]],
    folder: str,
) -> None:
    """The look tells a folder from a file; the root needs none."""
    lake.put("a/f", b"f")

    await call(backend, folder)
    kinds = [s.split()[0] for s in lake.seen()]
    assert kinds == (["HEAD", "GET"] if folder else ["GET"])


async def test_a_range_is_one_request_for_its_bytes(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Behind the end one more, which tells a file that is too short from a missing one."""
    await backend.write("r", b"0123456789")
    etag = (await backend.get_file_info("r")).etag
    lake.seen()
    assert await collected(backend.read_range("r", 3, length=4, if_match=etag)) == [b"3456"]
    assert lake.seen() == ["GET blob /r  206"]
    assert await collected(backend.read_range("r", 10)) == []
    assert lake.seen() == ["GET blob /r  416", "HEAD blob /r  200"]
    with pytest.raises(PreconditionFailed):
        await collected(backend.read_range("r", 3, if_match="0x1"))
    await backend.write("folder/file", b"")
    with pytest.raises(InvalidPath):
        await collected(backend.read_range("folder", 3))
