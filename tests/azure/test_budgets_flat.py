"""What each operation on a flat account may cost, row by row, counted at the transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, gathered, stream

from remote_store import AlreadyExists, FileInfo, InvalidPath, NotFound
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

MIB = 1 << 20


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on an empty container."""
    async with flat(azurite, service, container) as found:
        yield found


Call = Callable[[AsyncAzureBackend], Awaitable[Any]]

ROWS: dict[str, tuple[Call, list[str]]] = {
    "write": (lambda b: b.write("new", b"x"), ["PUT"]),
    "write, overwriting": (lambda b: b.write("d/file", b"x", overwrite=True), ["PUT"]),
    "write_atomic": (lambda b: b.write_atomic("new", b"x"), ["PUT"]),
    "write_atomic, overwriting": (
        lambda b: b.write_atomic("d/file", b"x", overwrite=True),
        ["PUT"],
    ),
    "8 MiB": (lambda b: b.write("new", bytes(8 * MIB)), ["PUT"]),
    "8 MiB, overwriting": (
        lambda b: b.write("d/file", bytes(8 * MIB), overwrite=True),
        ["PUT"],
    ),
    "short stream": (lambda b: b.write("new", stream(b"x", b"y")), ["PUT"]),
    "short stream, overwriting": (
        lambda b: b.write("d/file", stream(b"x", b"y"), overwrite=True),
        ["PUT"],
    ),
    "stream of one block": (lambda b: b.write("new", stream(*[bytes(MIB)] * 4)), ["PUT"]),
    "empty stream": (lambda b: b.write("new", stream()), ["PUT"]),
    "with metadata": (lambda b: b.write("new", b"x", metadata={"key": "value"}), ["PUT"]),
    "read_bytes": (lambda b: b.read_bytes("d/file"), ["GET"]),
    "read": (lambda b: gathered(b.read("d/file")), ["GET"]),
    "read_range": (lambda b: AsyncStore(b).read_range("d/file", 0, length=1), ["GET"]),
    "read_range, behind": (lambda b: gathered(b.read_range("d/file", 99)), ["GET", "HEAD"]),
    "read_range, suffix": (lambda b: AsyncStore(b).read_range("d/file", -1), ["HEAD", "GET"]),
    "exists": (lambda b: b.exists("d/file"), ["HEAD"]),
    "exists, a folder": (lambda b: b.exists("d"), ["HEAD", "GET list"]),
    "exists, missing": (lambda b: b.exists("no"), ["HEAD", "GET list"]),
    "exists, the root": (lambda b: b.exists(""), ["GET list"]),
    "is_folder, the root": (lambda b: b.is_folder(""), ["GET list"]),
    "is_file, the root": (lambda b: b.is_file(""), []),
    "is_file": (lambda b: b.is_file("d/file"), ["HEAD"]),
    "is_file, missing": (lambda b: b.is_file("no"), ["HEAD"]),
    "is_folder": (lambda b: b.is_folder("d"), ["GET list"]),
    "is_folder, missing": (lambda b: b.is_folder("no"), ["GET list"]),
    "get_file_info": (lambda b: b.get_file_info("d/file"), ["HEAD"]),
    "get_folder_info": (lambda b: b.get_folder_info("d"), ["GET list"]),
    "delete": (lambda b: b.delete("d/file"), ["DELETE"]),
    "copy": (lambda b: b.copy("d/file", "new"), ["PUT"]),
    "copy, overwriting": (lambda b: b.copy("d/file", "d/other", overwrite=True), ["PUT"]),
    "move": (lambda b: b.move("d/file", "new"), ["HEAD", "PUT", "DELETE"]),
    "move, overwriting": (
        lambda b: b.move("d/file", "d/other", overwrite=True),
        ["HEAD", "PUT", "DELETE"],
    ),
    "list_files": (lambda b: gathered(b.list_files("d")), ["GET list"]),
    "list_files, recursive": (lambda b: gathered(b.list_files("", recursive=True)), ["GET list"]),
    "list_folders": (lambda b: gathered(b.list_folders("")), ["GET list"]),
    "iter_children": (lambda b: gathered(b.iter_children("")), ["GET list"]),
    "glob, a literal": (lambda b: gathered(b.glob("d/file")), ["HEAD"]),
    "check_health": (lambda b: b.check_health(), ["GET list"]),
}


@pytest.mark.parametrize("row", ROWS)
async def test_rows(box: Flat, row: str) -> None:
    """The operation sends just the requests of its row."""
    call, expected = ROWS[row]
    box.put("d/file")
    box.put("d/other")
    box.put("d/deep/file")
    await call(box.backend)
    assert box.sent() == expected


@pytest.mark.parametrize(
    ("call", "error", "requests"),
    [
        (lambda b: b.read_bytes("no"), NotFound, ["GET", "GET list"]),
        (lambda b: b.read_bytes("d"), InvalidPath, ["GET", "GET list"]),
        (lambda b: b.get_file_info("no"), NotFound, ["HEAD", "GET list"]),
        (lambda b: b.delete("no"), NotFound, ["DELETE", "GET list"]),
        (lambda b: b.copy("no", "new"), NotFound, ["PUT", "GET list"]),
        (lambda b: b.move("no", "new"), NotFound, ["HEAD", "GET list"]),
        # The HEAD tells a blob from blocks that were staged and never committed.
        (lambda b: b.write("d/file", b"x"), AlreadyExists, ["PUT", "HEAD"]),
        (lambda b: b.copy("d/other", "d/file"), AlreadyExists, ["PUT", "HEAD"]),
    ],
)
async def test_refusals(box: Flat, call: Call, error: type[Exception], requests: list[str]) -> None:
    """A second request finds out why the first was refused, and there is no third."""
    box.put("d/file")
    box.put("d/other")
    with pytest.raises(error):
        await call(box.backend)
    assert box.sent() == requests


@pytest.mark.long
async def test_long_streams(box: Flat) -> None:
    """64 MiB are sixteen blocks and a commit, and one look before them if exclusive."""
    blocks = ["PUT block"] * 16 + ["PUT blocklist"]
    for overwrite in (False, True):
        content = stream(*[bytes(MIB)] * 64)
        result = await box.backend.write("long", content, overwrite=overwrite)
        assert result.size == 64 * MIB
        assert box.sent() == ([] if overwrite else ["HEAD"]) + blocks
    assert [len(c) for c in [await box.backend.read_bytes("long")]] == [64 * MIB]
    assert len(box.sent()) == 1
    total = 0
    async for chunk in box.backend.read("long"):
        total += len(chunk)
    assert total == 64 * MIB
    assert len(box.sent()) <= 2


async def test_an_exclusive_stream_to_an_existing_file(box: Flat) -> None:
    """It is refused by one request, before the first block is sent."""
    box.put("file")
    with pytest.raises(AlreadyExists):
        await box.backend.write("file", stream(*[bytes(MIB)] * 9))
    assert box.sent() == ["HEAD"]


async def test_deleting_a_folder_of_500(box: Flat) -> None:
    """500 blobs are listed at once and deleted in two batches, within five requests."""
    for n in range(500):
        await box.backend.write(f"d/{n % 7}/{n}", b"")
    box.transport.taken()
    await box.backend.delete_folder("d", recursive=True)
    sent = box.transport.taken()
    kinds = sorted(f"{r.method} {r.query.partition('comp=')[2].partition('&')[0]}" for r in sent)
    assert kinds == ["GET list", "HEAD ", "POST batch", "POST batch"]
    assert not any("include" in request.query for request in sent)  # names are all that it takes
    assert box.names() == []


async def test_deleting_500_files(box: Flat) -> None:
    """Two batches, and a look for each that was not there; versions take no more."""
    names = [f"d/{n % 7}/{n}" for n in range(500)]
    etags = {name: (await box.backend.write(name, b"")).etag or "" for name in names}
    box.transport.taken()
    store = AsyncStore(box.backend)
    assert await store.delete_many(names[:250]) == [None] * 250
    assert await store.delete_many(names[250:], if_match={n: etags[n] for n in names[250:]}) == (
        [None] * 250
    )
    assert box.sent() == ["POST batch", "POST batch"]
    assert box.names() == []
    again = await store.delete_many(names[:2])
    assert [type(error) for error in again or ()] == [NotFound, NotFound]
    assert sorted(box.sent()) == ["GET list", "GET list", "POST batch"]


async def test_detection_is_once_for_an_instance(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """The account is asked by the first operation alone, and not where hns= is given."""
    async with flat(azurite, service, container, hns=None) as box:
        await box.backend.exists("")
        assert box.sent() == ["GET list"]  # the root is the same on both kinds
        await box.backend.exists("a")
        # This server tells only at the account; a real one at the container.
        assert box.sent() == ["GET properties", "GET properties", "HEAD", "GET list"]
        await box.backend.exists("a")
        assert box.sent() == ["HEAD", "GET list"]


class Listing:
    """A tree of files, and which prefixes were asked for."""

    FILES = (
        "top.csv",
        "data/2023/a.csv",
        "data/2024/a.csv",
        "data/2024/b.txt",
        "data/2024/deep/c.csv",
        "data/2024/deep/deeper/d.csv",
        "data/readme",
        "other/x.csv",
    )

    def __init__(self, box: Flat) -> None:
        self._box = box
        for name in self.FILES:
            box.put(name)

    async def of(self, found: AsyncIterator[FileInfo]) -> tuple[list[str], list[str]]:
        """Return the files that a listing finds, and the prefixes it asked for."""
        keys = sorted(info.path.as_posix() for info in await gathered(found))
        queries = [
            dict(p.split("=") for p in r.query.split("&")) for r in self._box.transport.taken()
        ]
        assert all(q["comp"] == "list" for q in queries)
        asked = [
            q.get("prefix", "").replace("%2F", "/") + ("*" if "delimiter" in q else "**")
            for q in queries
        ]
        return keys, asked


async def test_a_depth_limits_what_is_listed(box: Flat) -> None:
    """Folders below max_depth are never asked for."""
    listing, backend = Listing(box), box.backend
    found, asked = await listing.of(backend.list_files("data", recursive=True, max_depth=1))
    assert found == ["data/2023/a.csv", "data/2024/a.csv", "data/2024/b.txt", "data/readme"]
    assert asked == ["data/*", "data/2023/*", "data/2024/*"]
    found, asked = await listing.of(backend.list_files("data", recursive=True, max_depth=0))
    assert (found, asked) == (["data/readme"], ["data/*"])
    found, asked = await listing.of(backend.list_files("data", recursive=False, max_depth=3))
    assert (found, asked) == (["data/readme"], ["data/*"])
    found, asked = await listing.of(backend.list_files("", recursive=True))
    assert (found, asked) == (sorted(Listing.FILES), ["**"])


@pytest.mark.parametrize(
    ("pattern", "found", "asked"),
    [
        ("*.csv", ["top.csv"], ["*"]),
        ("data/2024/*.csv", ["data/2024/a.csv"], ["data/2024/*"]),
        ("data/2024/a*", ["data/2024/a.csv"], ["data/2024/a*"]),
        (
            "data/*/a.csv",
            ["data/2023/a.csv", "data/2024/a.csv"],
            ["data/*", "data/2023/*", "data/2024/*"],
        ),
        ("data/202[4-9]/*.txt", ["data/2024/b.txt"], ["data/202*", "data/2024/*"]),
        ("o*/*.csv", ["other/x.csv"], ["o*", "other/*"]),
        (
            "data/2024/**",
            [f for f in Listing.FILES if f.startswith("data/2024/")],
            ["data/2024/**"],
        ),
        (
            "data/*4/**/d.csv",
            ["data/2024/deep/deeper/d.csv"],
            ["data/*", "data/2024/**"],
        ),
        ("**/*.txt", ["data/2024/b.txt"], ["**"]),
        ("no/*", [], ["no/*"]),
    ],
)
async def test_a_glob_lists_what_may_match(
    box: Flat, pattern: str, found: list[str], asked: list[str]
) -> None:
    """A glob walks by folders, and never into one that the pattern excludes."""
    assert await Listing(box).of(box.backend.glob(pattern)) == (found, asked)
