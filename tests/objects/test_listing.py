"""Listings: what keys make appear as folders, page after page, and no more than is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.objects.service import Bucket, MemoryService, after, busy, describe, raising

from remote_store import InvalidPath, NotFound, PermissionDenied, RemoteStoreError
from remote_store_objects import ObjectInfo, Page, StorageNotFound

pytestmark = pytest.mark.asyncio

TREE = ["a/b/c/1", "a/b/2", "a/3", "a/4", "d/5", "e", "f/"]


@pytest.fixture(params=[True, False], ids=["delimiter", "flat"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """A bucket with a few folders, in pages of two, with and without a delimiter."""
    bucket = Bucket(description=describe(page=2, delimiter=request.param))
    for key in TREE:
        bucket.put(key, b"" if key.endswith("/") else b"x")
    return bucket


async def names(found: AsyncIterator[Any]) -> list[str]:
    return [item.path.as_posix() async for item in found]


async def until_error(found: AsyncIterator[Any]) -> tuple[list[str], Exception | None]:
    seen: list[str] = []
    try:
        async for item in found:
            seen.append(item.path.as_posix())  # noqa: PERF401 - it raises in the middle
    except RemoteStoreError as error:
        return seen, error
    return seen, None


def asked(bucket: Bucket) -> list[Any]:
    return [(prefix, delimiter) for _, (prefix, delimiter, _) in bucket.calls]


async def test_one_folder(bucket: Bucket) -> None:
    """Files, folders, both; a marker is a folder and no file."""
    backend = bucket.backend()
    assert await names(backend.list_files("")) == ["e"]
    assert await names(backend.list_folders("")) == ["a", "d", "f"]
    assert sorted(await names(backend.iter_children(""))) == ["a", "d", "e", "f"]
    assert sorted(await names(backend.iter_children("a"))) == ["a/3", "a/4", "a/b"]
    for key in ("f", "e", "none", "e/x"):
        assert await names(backend.iter_children(key)) == []


async def test_everything_below(bucket: Bucket) -> None:
    """One page at a time, without a delimiter: ceil(n / page) requests."""
    found = await names(bucket.backend().list_files("", recursive=True))
    assert sorted(found) == sorted(TREE[:-1])
    assert asked(bucket) == [("", "")] * 4


@pytest.mark.parametrize(
    ("depth", "expected"), [(0, ["e"]), (1, ["a/3", "a/4", "d/5", "e"]), (9, TREE[:-1])]
)
async def test_a_depth(bucket: Bucket, depth: int, expected: list[str]) -> None:
    """Each file once; folders below it are not asked for where there is a delimiter."""
    found = await names(bucket.backend().list_files("", recursive=True, max_depth=depth))
    assert sorted(found) == sorted(expected)
    if bucket.description.delimiter and depth < 2:
        assert not [prefix for prefix, _ in asked(bucket) if prefix.count("/") > depth]


@pytest.mark.parametrize(
    ("pattern", "expected", "prefixes"),
    [
        ("a/3", ["a/3"], []),
        ("a/b", [], []),
        ("a/*", ["a/3", "a/4"], ["a/"]),
        ("a/b*/*", ["a/b/2"], ["a/b", "a/b/"]),
        ("*/b/*/1", ["a/b/c/1"], ["", "a/", "a/b/", "a/b/c/", "d/", "f/"]),
        ("a/**", ["a/3", "a/4", "a/b/2", "a/b/c/1"], ["a/"]),
        ("d/[5]", ["d/5"], ["d/"]),
        ("none/*", [], ["none/"]),
    ],
)
async def test_a_pattern(
    bucket: Bucket, pattern: str, expected: list[str], prefixes: list[str]
) -> None:
    """Only what may match is listed."""
    assert sorted(await names(bucket.backend().glob(pattern))) == expected
    if bucket.description.delimiter:
        found = {argument[0] for verb, argument in bucket.calls if verb == "list_page"}
        assert sorted(found) == sorted(prefixes)


async def test_the_sum_of_a_folder(bucket: Bucket) -> None:
    """In one pass; empty, missing, a file, no bucket."""
    backend = bucket.backend()
    found = await backend.get_folder_info("a")
    assert (found.file_count, found.total_size) == (4, 4)
    assert found.modified_at is not None
    assert bucket.verbs() == ["list_page"] * 2
    assert (await backend.get_folder_info("")).file_count == 6
    empty = await backend.get_folder_info("f")
    assert (empty.file_count, empty.modified_at) == (0, None)
    with pytest.raises(NotFound) as refused:
        await backend.get_folder_info("none")
    assert refused.value.status == 404, "as the service said it"
    with pytest.raises(InvalidPath):
        await backend.get_folder_info("e")
    bucket.objects.clear()
    assert (await backend.get_folder_info("")).file_count == 0
    bucket.there = False
    with pytest.raises(StorageNotFound, match="mkbucket"):
        await backend.get_folder_info("")


async def test_keys_that_are_no_paths_are_left_out(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning for each call; and names of temporary files without one."""
    for key in ("a//b", "/lead", "x\\y", "a/../b", "a/.~tmp.1", "g/.~tmp.2/h"):
        bucket.put(key, b"x")
    backend = bucket.backend()
    assert sorted(await names(backend.list_files("", recursive=True))) == sorted(TREE[:-1])
    assert [getattr(r, "names_left_out", False) for r in caplog.records] == [True]
    caplog.clear()
    assert sorted(await names(backend.iter_children("a"))) == ["a/3", "a/4", "a/b"]
    assert len(caplog.records) == 1
    assert (await backend.get_folder_info("")).file_count == 6


async def test_marks_of_the_service_are_folders(bucket: Bucket) -> None:
    """Each once, whether there is something in it or not."""
    for key in ("a", "m"):
        bucket.objects[key] = ObjectInfo(key, 0, "e", is_folder=True), b""
    backend = bucket.backend()
    assert sorted(await names(backend.list_folders(""))) == ["a", "d", "f", "m"]
    assert sorted(await names(backend.list_files("", recursive=True))) == sorted(TREE[:-1])
    assert (await backend.get_folder_info("")).file_count == 6
    assert not await backend.is_file("m")
    assert await backend.exists("m")
    assert await names(backend.glob("m")) == []


async def test_a_page_that_fails_is_asked_for_again_or_raises(bucket: Bucket) -> None:
    """What was yielded stays; nothing is taken for the end."""
    backend = bucket.backend()
    bucket.faults["list_page"] += [None, busy, None, busy]
    assert sorted(await names(backend.list_files("", recursive=True))) == sorted(TREE[:-1])

    bucket.faults["list_page"] += [None, raising(PermissionDenied("no"))]
    found, error = await until_error(backend.list_files("", recursive=True))
    assert isinstance(error, PermissionDenied)
    assert len(found) == 2


async def test_changes_between_pages_neither_repeat_nor_lose(bucket: Bucket) -> None:
    """What is there all the time comes once."""
    backend = bucket.backend()

    def change() -> None:
        del bucket.objects["a/3"]
        bucket.put("a/35", b"x")
        bucket.put("0", b"x")

    bucket.faults["list_page"] += [None, after(change)]
    found = await names(backend.list_files("", recursive=True))
    assert len(found) == len(set(found))
    assert set(found) >= {"a/b/c/1", "a/b/2", "a/4", "d/5", "e"}


async def test_the_bucket_may_be_absent(bucket: Bucket) -> None:
    """Then listings are empty, and questions are answered with False."""
    bucket.there = False
    backend = bucket.backend()
    assert await names(backend.list_files("", recursive=True)) == []
    assert await names(backend.iter_children("a")) == []
    assert await names(backend.glob("*")) == []
    for key in ("", "a"):
        assert not await backend.exists(key)
        assert not await backend.is_folder(key)
        assert not await backend.is_file(key)
    with pytest.raises(StorageNotFound, match="mkbucket"):
        await backend.check_health()
    with pytest.raises(StorageNotFound):
        await backend.get_file_info("a")
    bucket.faults["head"] += [raising(NotFound("an answer without a body"))]
    with pytest.raises(StorageNotFound, match="mkbucket"):
        await backend.get_file_info("a")


async def test_a_bucket_that_vanishes_is_no_end(bucket: Bucket) -> None:
    """Of a listing that has begun."""
    bucket.faults["list_page"] += [None, after(lambda: setattr(bucket, "there", False))]
    with pytest.raises(StorageNotFound):
        await names(bucket.backend().list_files("", recursive=True))


async def test_a_folder_that_refuses_does_not_hide_the_others() -> None:
    """The errors come at the end, the further ones in the first."""
    bucket = Bucket()
    for key in TREE:
        bucket.put(key, b"x")
    first, second = PermissionDenied("first"), PermissionDenied("second")
    bucket.faults["list_page"] += [None, raising(first), raising(second)]
    listing = bucket.backend().list_files("", recursive=True, max_depth=3)
    found, error = await until_error(listing)

    assert error is first
    assert first.others == (second,)
    assert "e" in found

    bucket.faults["list_page"] += [raising(first)]
    with pytest.raises(PermissionDenied):
        await names(bucket.backend().list_files("", recursive=True, max_depth=3))


async def test_a_listing_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever pages are asked for."""

    async def same(self: MemoryService, prefix: str, **request: Any) -> Page:
        return Page([], [], "again")

    monkeypatch.setattr(MemoryService, "list_page", same)
    backend = Bucket().backend()
    for endless in (
        names(backend.list_files("", recursive=True)),
        names(backend.iter_children("")),
        backend.is_folder("a"),
        backend.get_folder_info("a"),
        backend.delete_folder("a", recursive=True),
    ):
        with pytest.raises(RemoteStoreError, match="does not end"):
            await endless
