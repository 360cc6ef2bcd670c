"""Large files that go on, on a hierarchical account: blocks of a temporary name, and the rename."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from tests.azure.hns.lake import MIB, Lake

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    InvalidPath,
    PreconditionFailed,
)
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

DATA = random.Random(2).randbytes(17 * MIB)
OTHER = DATA[: 6 * MIB] + b"!" + DATA[6 * MIB + 1 :]


async def stream(data: bytes = DATA, error: BaseException | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), MIB):
        yield data[start : start + MIB]
    if error is not None:
        raise error


async def break_off(backend: AsyncAzureBackend, key: str) -> None:
    """Write until three blocks are there; the fourth is under way."""
    with pytest.raises(BackendUnavailable):
        await backend.write(key, stream(DATA[: 16 * MIB], BackendUnavailable("gone")), resume=True)


def kinds(seen: list[str]) -> list[str]:
    """Return each request without what names a block."""
    return [line.partition("&blockid")[0] for line in seen]


async def test_what_arrived_is_not_sent_again(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Of three blocks the first comes again; nothing shows before the commit or is left."""
    await break_off(backend, "a/f")
    assert lake.files() == {}
    assert lake.folders() == set()
    lake.seen()
    result = await backend.write("a/f", stream(), resume=True, metadata={"k": "v"})
    assert kinds(lake.seen()) == [
        "HEAD blob /a/f  404",
        "GET blob /a/TMP comp=blocklist&blocklisttype=all 200",
        *["PUT blob /a/TMP comp=block"] * 3,
        "PUT blob /a/TMP comp=blocklist 201",
        "PUT dfs /a/f mode=legacy 201",
    ]
    assert lake.files() == {"a/f": DATA}
    info = await backend.get_file_info("a/f")
    assert (info.etag, info.size, info.metadata) == (result.etag, len(DATA), {"k": "v"})


async def test_a_short_stream_costs_what_it_did(lake: Lake, backend: AsyncAzureBackend) -> None:
    await backend.write("f", stream(DATA[:MIB]))
    plain = lake.seen()
    await backend.write("g", stream(DATA[:MIB]), resume=True)
    assert [line.replace("/g", "/f") for line in lake.seen()] == plain


async def test_another_content_arrives_as_it_is(lake: Lake, backend: AsyncAzureBackend) -> None:
    await break_off(backend, "f")
    await backend.write("f", stream(OTHER), resume=True)
    assert lake.files() == {"f": OTHER}
    await backend.write("f", stream(DATA[: 5 * MIB]), overwrite=True, resume=True)
    assert lake.files() == {"f": DATA[: 5 * MIB]}


@pytest.mark.parametrize("exclusive", [True, False])
async def test_somebody_who_is_faster_wins(
    lake: Lake, backend: AsyncAzureBackend, exclusive: bool
) -> None:
    """The rename decides; the temporary file goes, and no folder is made for nothing."""
    lake.put("a/f", b"old")
    etag = None if exclusive else (await backend.get_file_info("a/f")).etag
    if exclusive:
        lake.remove("a")

    async def slow() -> AsyncIterator[bytes]:
        yield DATA
        lake.put("a/f", b"theirs")

    with pytest.raises(AlreadyExists if exclusive else PreconditionFailed) as caught:
        await backend.write("a/f", slow(), if_match=etag, resume=True)
    assert caught.value.path == "a/f"
    assert ".~tmp." not in str(caught.value)
    assert lake.files() == {"a/f": b"theirs"}


async def test_below_a_file_and_over_a_folder(lake: Lake, backend: AsyncAzureBackend) -> None:
    lake.put("f", b"x")
    with pytest.raises(InvalidPath) as caught:
        await backend.write("f/g", stream(), overwrite=True, resume=True)
    assert caught.value.path == "f/g"
    lake.mkdir("d")
    with pytest.raises(InvalidPath):
        await backend.write("d", stream(), overwrite=True, resume=True)
    assert lake.files() == {"f": b"x"}
    assert lake.folders() == {"d"}


async def test_a_rename_that_nobody_answers_leaves_all_blocks(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """They are in the temporary file then, and the next write takes them from there."""
    for _ in range(3):
        lake.emulator.fault("drop_before", query="mode=legacy")
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("a/f", stream(), overwrite=True, resume=True)
    assert caught.value.path == "a/f"
    (left,) = lake.files()
    assert left.startswith("a/.~tmp.")
    lake.seen()
    await backend.write("a/f", stream(), overwrite=True, resume=True)
    assert kinds(lake.seen()).count("PUT blob /a/TMP comp=block") == 1
    assert lake.files() == {"a/f": DATA}


async def test_a_network_that_fails_is_told_with_the_key(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    for _ in range(3):
        lake.emulator.fault("drop_before", query="comp=block&", nth=3)
    with pytest.raises(BackendUnavailable, match="what arrived is kept") as caught:
        await backend.write("f", stream(), resume=True)
    assert caught.value.path == "f"
    assert ".~tmp." not in str(caught.value)


async def test_ones_own_error_leaves_no_file(lake: Lake, backend: AsyncAzureBackend) -> None:
    with pytest.raises(OSError, match="mine"):
        await backend.write("a/f", stream(DATA, OSError("mine")), resume=True)
    assert lake.files() == {}
    assert lake.folders() == set()
