"""Rename on the Data Lake endpoint: one re-link, or nothing."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.emulator.conftest import Raw

pytestmark = pytest.mark.asyncio


async def listing(raw: Raw) -> list[dict[str, str]]:
    """Return the entries of the whole filesystem."""
    reply = await raw("GET", "dfs", "?resource=filesystem&recursive=true")
    entries: list[dict[str, str]] = json.loads(reply.body)["paths"]
    return entries


async def test_a_rename_keeps_everything(raw: Raw) -> None:
    """ETag, times and metadata are the source's, and what was appended travels along."""
    await raw.create("f", x_ms_properties="k=dg==")
    await raw("PATCH", "dfs", "/f?action=append&position=0", body=b"abc")
    before = (await raw.head("f")).headers
    (entry,) = await listing(raw)
    reply = await raw.rename("f", "g")
    assert (reply.status, reply.headers["ETag"]) == (201, before["ETag"])
    assert reply.headers["Last-Modified"] == before["Last-Modified"]
    after = (await raw.head("g")).headers
    for name in ("ETag", "Last-Modified", "x-ms-creation-time", "x-ms-meta-k"):
        assert after[name] == before[name]
    assert await listing(raw) == [{**entry, "name": "g"}]
    assert (await raw.head("f")).status == 404
    assert (await raw("PATCH", "dfs", "/g?action=flush&position=3")).status == 200
    assert await raw.get("g") == b"abc"


async def test_onto_a_file(raw: Raw) -> None:
    """It is replaced silently."""
    await raw.write("new", b"new")
    await raw.write("old", b"old")
    assert (await raw.rename("new", "old")).status == 201
    assert (await raw.get("new"), await raw.get("old")) == (None, b"new")


async def test_a_directory_onto_an_empty_one(raw: Raw) -> None:
    """It is replaced."""
    await raw.create("a/f")
    await raw.create("b", "directory")
    assert (await raw.rename("a", "b")).status == 201
    assert ((await raw.head("b/f")).status, (await raw.head("a")).status) == (200, 404)


async def test_across_filesystems(raw: Raw) -> None:
    """Another filesystem of the account may be the source."""
    await raw.write("f", b"abc")
    raw.emulator.create_filesystem("across")
    raw.fs, source = "across", raw.fs
    headers = {"x-ms-rename-source": f"/{source}/f", "x-ms-source-lease-id": ""}
    assert (await raw("PUT", "dfs", "/g?mode=posix", headers)).status == 201
    assert await raw.get("g") == b"abc"
    raw.fs = source
    assert await raw.get("f") is None


@pytest.mark.parametrize(
    ("source", "target", "headers", "status", "code"),
    [
        ("no", "x", {}, 404, "SourcePathNotFound"),
        ("no", "file", {"If-None-Match": "*"}, 404, "SourcePathNotFound"),
        ("file", "no/x", {}, 404, "RenameDestinationParentPathNotFound"),
        ("file", "other/x", {}, 409, "InvalidSourceOrDestinationResourceType"),
        ("full", "full", {}, 409, "InvalidRenameSourcePath"),
        ("full", "full/below", {}, 409, "InvalidRenameSourcePath"),
        ("file", "other", {"If-None-Match": "*"}, 409, "PathAlreadyExists"),
        ("file", "empty", {"If-None-Match": "*"}, 409, "PathAlreadyExists"),
        ("full", "empty", {"If-None-Match": "*"}, 409, "PathAlreadyExists"),
        ("file", "other", {"If-Match": '"0x1"'}, 412, "ConditionNotMet"),
        ("file", "empty", {}, 409, "InvalidSourceOrDestinationResourceType"),
        ("empty", "file", {}, 409, "InvalidSourceOrDestinationResourceType"),
        ("file", "x", {"x-ms-source-if-match": '"0x1"'}, 412, "SourceConditionNotMet"),
        (
            "file",
            "other",
            {"x-ms-source-if-match": '"0x1"', "If-None-Match": "*"},
            412,
            "SourceConditionNotMet",
        ),
    ],
)
async def test_refusals(
    raw: Raw, source: str, target: str, headers: dict[str, str], status: int, code: str
) -> None:
    """Each has its code, and leaves the tree as it was."""
    for path in ("file", "other", "full/child"):
        await raw.write(path, path.encode())
    await raw.create("empty", "directory")
    before = await listing(raw)
    reply = await raw.rename(source, target, **headers)
    assert (reply.status, reply.code) == (status, code)
    assert await listing(raw) == before


async def test_conditions_that_hold(raw: Raw) -> None:
    """The source's and the destination's ETag, at once."""
    source = await raw.write("f", b"new")
    target = await raw.write("g", b"old")
    headers = {"x-ms-source-if-match": source.headers["ETag"], "If-Match": target.headers["ETag"]}
    assert (await raw.rename("f", "g", **headers)).status == 201


@pytest.mark.parametrize("source", ["f", "/f", "{fs}/f", "/{fs}", "/{fs}/", "//f"])
async def test_a_source_that_is_none(raw: Raw, source: str) -> None:
    """It starts with the filesystem and has a name."""
    await raw.create("f")
    headers = {"x-ms-rename-source": source.format(fs=raw.fs)}
    reply = await raw("PUT", "dfs", "/g?mode=legacy", headers)
    assert (reply.status, reply.code) == (400, "InvalidSourceUri")


async def test_the_source_is_decoded_once(raw: Raw) -> None:
    """A percent sign in a name arrives as %25."""
    await raw.create("a%20b c")
    assert (await raw.rename("a%20b c", "d")).status == 201


async def test_exclusive_renames_have_one_winner(raw: Raw) -> None:
    """Of sixteen renames to one name with If-None-Match: * one succeeds, the rest stay."""
    for number in range(16):
        await raw.write(f"temp{number}", b"%d" % number)
    replies = await asyncio.gather(
        *(raw.rename(f"temp{number}", "name", If_None_Match="*") for number in range(16))
    )
    winners = [number for number, reply in enumerate(replies) if reply.status == 201]
    assert len(winners) == 1
    assert {reply.code for reply in replies if reply.status != 201} == {"PathAlreadyExists"}
    assert await raw.get("name") == b"%d" % winners[0]
    left = [number for number in range(16) if await raw.get(f"temp{number}") is not None]
    assert left == [number for number in range(16) if number not in winners]


async def test_a_reader_sees_the_old_or_the_new(raw: Raw) -> None:
    """While files are renamed over a name, there is never nothing and never a mix."""
    await raw.write("name", b"0" * 1000)
    seen: set[bytes | None] = set()
    done = asyncio.Event()

    async def poll() -> None:
        while not done.is_set():
            seen.add(await raw.get("name"))

    reader = asyncio.create_task(poll())
    for number in range(1, 10):
        await raw.write("temp", str(number).encode() * 1000)
        assert (await raw.rename("temp", "name")).status == 201
    done.set()
    await reader
    assert seen <= {str(number).encode() * 1000 for number in range(10)}
    assert len(seen) > 1
