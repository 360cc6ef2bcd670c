"""Listings of a hierarchical account."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest
from tests.azure.hns.lake import FS, Lake, collected, keys, pieces

from hns_emulator import HnsEmulator
from hns_emulator._state.tree import Node
from remote_store import (
    FileInfo,
    FolderEntry,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._datalake.list_paths import entries_of

pytestmark = pytest.mark.asyncio

TREE = ["a/b/c/deep", "a/b/mid", "a/near", "a0", "top", "x/y/z"]


@pytest.fixture
def emulator(request: pytest.FixtureRequest) -> HnsEmulator:
    """Small pages, unless a test wants others."""
    return HnsEmulator(debug=True, page_cap=getattr(request, "param", 2))


@pytest.fixture
def tree(lake: Lake) -> Lake:
    """Some files, and a folder without any."""
    for key in TREE:
        lake.put(key, key.encode())
    lake.mkdir("a/empty")
    return lake


async def test_files_are_listed_as_deep_as_they_are_asked_for(
    tree: Lake, backend: AsyncAzureBackend
) -> None:
    """Over many pages, each file once."""
    for folder in ("", "a", "a/b", "a/empty", "no", "top", "top/no"):
        prefix = f"{folder}/" if folder else ""
        for depth in (None, 0, 1, 2, 9):
            found = await collected(backend.list_files(folder, recursive=True, max_depth=depth))
            expected = [
                key
                for key in TREE
                if key.startswith(prefix)
                and (depth is None or key.removeprefix(prefix).count("/") <= depth)
            ]
            assert sorted(keys(found)) == sorted(expected)
        flat = await collected(backend.list_files(folder, max_depth=3))
        here = [k for k in TREE if k.startswith(prefix) and "/" not in k.removeprefix(prefix)]
        assert sorted(keys(flat)) == sorted(here)


async def test_what_a_listing_tells_agrees_with_a_question(
    tree: Lake, backend: AsyncAzureBackend
) -> None:
    """Size, time and version; what a listing has not fetched is None."""
    for info in await collected(backend.list_files("a", recursive=True)):
        asked = await backend.get_file_info(info.path.as_posix())
        assert (info.name, info.size, info.etag, info.modified_at) == (
            asked.name,
            asked.size,
            asked.etag,
            asked.modified_at,
        )
        assert info.metadata is None


async def test_children_are_files_and_folders(tree: Lake, backend: AsyncAzureBackend) -> None:
    """An empty folder looks like an empty file to the service's other listing, but is none."""
    lake = tree
    lake.put("a/nothing")
    children = await collected(backend.iter_children("a"))
    assert {(type(one), one.path.as_posix()) for one in children} == {
        (FolderEntry, "a/b"),
        (FolderEntry, "a/empty"),
        (FileInfo, "a/near"),
        (FileInfo, "a/nothing"),
    }
    assert keys(await collected(backend.list_folders("a"))) == ["a/b", "a/empty"]
    assert keys(await collected(backend.list_folders(""))) == ["a", "x"]
    for missing in ("no", "top", "top/no"):
        assert await collected(backend.iter_children(missing)) == []
        assert await collected(backend.list_folders(missing)) == []


async def test_a_depth_is_not_exceeded_by_the_requests(
    tree: Lake, backend: AsyncAzureBackend
) -> None:
    """Folders that are too deep are not listed."""
    await collected(backend.list_files("", recursive=True, max_depth=1))

    asked = {s.split()[2].partition("directory=")[2].partition("&")[0] for s in tree.seen()}
    assert asked == {"", "a", "x"}


async def test_a_pattern_prunes(tree: Lake, backend: AsyncAzureBackend) -> None:
    """Only folders that may hold a match are listed; below ``**`` all at once."""
    cases = {
        "a/*": ["a/near"],
        "a/b/*": ["a/b/mid"],
        "*/b/*": ["a/b/mid"],
        "*": ["a0", "top"],
        "a/near": ["a/near"],
        "a/b": [],
        "no/*": [],
        "top/*": [],
        "a/**": ["a/b/c/deep", "a/b/mid", "a/near"],
        "**/deep": ["a/b/c/deep"],
        "[ax]/*/*": ["a/b/mid", "x/y/z"],
        "?0": ["a0"],
    }
    for pattern, expected in cases.items():
        assert sorted(keys(await collected(backend.glob(pattern)))) == expected, pattern
    for pattern, folders in {
        "a/b/*": {"a/b"},
        "*/b/*": {"", "a", "x", "a/b"},
        "a*/*": {"", "a"},
        "x/**": {"x"},
        "**/z": {""},
    }.items():
        tree.seen()
        await collected(backend.glob(pattern))
        listed = [s for s in tree.seen() if s.startswith("GET")]
        asked = {s.split()[2].partition("directory=")[2].partition("&")[0] for s in listed}
        assert asked == folders, pattern


async def test_a_folder_is_added_up(tree: Lake, backend: AsyncAzureBackend) -> None:
    """Files below it, at any depth; an empty folder is zero."""
    info = await backend.get_folder_info("a")
    assert (info.file_count, info.total_size) == (3, sum(map(len, TREE[:3])))
    assert info.modified_at == (await backend.get_file_info("a/near")).modified_at

    empty = await backend.get_folder_info("a/empty")
    assert (empty.file_count, empty.total_size, empty.modified_at) == (0, 0, None)
    assert (await backend.get_folder_info("")).file_count == len(TREE)
    with pytest.raises(NotFound):
        await backend.get_folder_info("no")
    with pytest.raises(InvalidPath):
        await backend.get_folder_info("top")


@pytest.mark.parametrize("emulator", [None], indirect=True)
async def test_more_than_five_thousand_children_come_in_two_pages(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The service's own limit; one look, two pages."""
    state = lake.emulator._state  # a request for each file would take a minute
    fs = state.filesystems[FS]

    for number in range(5003):
        path = ("many", f"f{number:05}")
        ticks = state.clock.tick()
        state.link(state.make_parents(fs, path), path[-1], Node(False, ticks, ticks))

    found = await collected(backend.list_files("many"))
    assert len(set(keys(found))) == 5003
    assert [s.split()[0] for s in lake.seen()] == ["HEAD", "GET", "GET"]


async def test_an_absent_filesystem_lists_nothing(lake: Lake, backend: AsyncAzureBackend) -> None:
    """But the root is absent with it, and who may not look does not get an empty answer."""
    lake.blobs.delete_container()

    assert await collected(backend.list_files("", recursive=True)) == []
    assert await collected(backend.iter_children("a")) == []
    for key in ("a", ""):
        assert not await backend.exists(key)
        assert not await backend.is_folder(key)
        with pytest.raises(NotFound, match=r"'lake' of http.* does not exist; make it"):
            await backend.get_folder_info(key)
    with pytest.raises(NotFound, match="does not exist; make it"):
        await backend.check_health()
    for content in (b"x", pieces(b"x"), pieces(b"x", b"y")):
        with pytest.raises(NotFound, match="does not exist; make it"):
            await backend.write("d/a", content)

    wrong = lake.backend(
        connection_string=None,
        account_url=lake.emulator.blob_url,
        account_key="d3Jvbmc=",
    )
    for folder in ("", "a"):
        with pytest.raises(PermissionError):
            await collected(wrong.list_files(folder))
    await wrong.aclose()


async def test_a_filesystem_that_vanishes_between_pages_is_an_error(
    tree: Lake, backend: AsyncAzureBackend
) -> None:
    """The listing is not complete."""
    found = backend.list_files("", recursive=True)
    await anext(found)
    tree.blobs.delete_container()

    with pytest.raises(NotFound):
        await collected(found)


async def test_a_folder_that_vanishes_during_a_walk_is_passed_by(
    tree: Lake, backend: AsyncAzureBackend
) -> None:
    """Its files are gone, the others are listed."""
    found = backend.list_files("", recursive=True, max_depth=5)
    first = await anext(found)
    tree.remove("a/b")

    rest = keys(await collected(found))
    assert "a/near" in [first.path.as_posix(), *rest]
    assert "a/b/mid" not in rest


async def test_an_answer_that_is_no_listing_is_an_error(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Never an empty listing."""
    for body in (b"", b"{}", b"[]", b'{"paths":[{}]}', b"<html>", b'{"paths":[{"name":1}]}'):
        with pytest.raises(ValueError, match=r"."):
            entries_of(body)
    await backend.exists("a")

    async def after(request: Any, answer: Any) -> Any:
        if "resource=filesystem" in request.url:
            answer.iter_raw = lambda: pieces(b'{"paths":{}}')
        return answer

    lake.transport.after = after
    with pytest.raises(RemoteStoreError, match="cannot be read"):
        await collected(backend.list_files(""))


CLOSED: Final = ("w%2Fb", "w%2Fd%2Fx")
WALKS: Final[dict[str, Callable[[AsyncAzureBackend], AsyncIterator[Any]]]] = {
    "recursive": lambda b: b.list_files("w", recursive=True),
    "by depth": lambda b: b.list_files("w", recursive=True, max_depth=9),
    "glob": lambda b: b.glob("w/**/f"),
    "glob by level": lambda b: b.glob("w/*/f"),
}


def refusing(lake: Lake, *folders: str, code: str = "AuthorizationPermissionMismatch") -> None:
    """Refuse to list folders, and all that is below one that has one of them in it."""

    async def after(request: Any, answer: Any) -> Any:
        found = re.search(r"recursive=(\w+)&directory=([^&]*)", request.url)
        if found and any(
            f == found[2] or (found[1] == "true" and f.startswith(f"{found[2]}%2F"))
            for f in folders
        ):
            answer.status_code = 403
            answer.headers["x-ms-error-code"] = code
        return answer

    lake.transport.after = after


@pytest.mark.parametrize("call", WALKS)
async def test_a_folder_that_refuses_hides_no_other(
    lake: Lake, backend: AsyncAzureBackend, call: str
) -> None:
    """Its error comes at the end, with those of the others that refuse."""
    for folder in ("a", "b", "c", "d", "d/x", "d/y"):
        lake.put(f"w/{folder}/f", b"f")
    await backend.exists("a")
    refusing(lake, *CLOSED)
    found: list[str] = []

    async def walk() -> None:
        async for info in WALKS[call](backend):
            found.append(info.path.as_posix())  # noqa: PERF401 - what comes before an error counts

    with pytest.raises(PermissionDenied) as caught:
        await walk()
    assert caught.value.path == "w/b"
    deep = call != "glob by level"
    assert found == ["w/a/f", "w/c/f", "w/d/f", *["w/d/y/f"] * deep]
    others = [error.path for error in caught.value.others if isinstance(error, RemoteStoreError)]
    assert others == ["w/d/x"] * deep


async def test_a_sum_with_a_folder_that_refuses(lake: Lake, backend: AsyncAzureBackend) -> None:
    """It raises, once, after one request for each folder on the way."""
    lake.put("w/a/f", b"f")
    lake.put("w/b/f", b"f")
    await backend.exists("a")
    refusing(lake, "w%2Fb")
    with pytest.raises(PermissionDenied) as caught:
        await backend.get_folder_info("w")
    assert caught.value.path == "w/b"


@pytest.mark.parametrize(
    ("folders", "code"),
    [
        (("w",), "AuthorizationPermissionMismatch"),
        (("w%2Fa",), "AuthenticationFailed"),
        (("w%2Fa",), "AuthorizationFailure"),
    ],
)
async def test_a_walk_ends_at_once(
    lake: Lake, backend: AsyncAzureBackend, folders: tuple[str, ...], code: str
) -> None:
    """Where the first folder itself refuses, or whoever asks is refused everywhere."""
    for folder in "abc":
        lake.put(f"w/{folder}/f", b"f")
    await backend.exists("a")
    refusing(lake, *folders, code=code)
    with pytest.raises(PermissionDenied) as caught:
        await collected(backend.list_files("w", recursive=True))
    assert caught.value.path == "w"
    assert len(lake.seen()) <= 4
