"""Listings through a store: depth, pattern, order, what is missing, folder sums."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.contract.probes import LISTINGS, Recorder, as_backend, collect
from tests.contract.reference import NAME, DictBackend

from remote_store import (
    UNKNOWN_TIME,
    FileInfo,
    FolderEntry,
    InvalidPath,
    NotFound,
    RemotePath,
)
from remote_store.aio import AsyncStore

pytestmark = pytest.mark.asyncio

FILES = ["top.txt", "a/one.txt", "a/two.csv", "a/b/.hidden", "a/b/c/deep.txt", "ab/x.txt", "é/ü k"]
FOLDERS = ["a", "ab", "é", "a/b", "a/b/c"]


async def fill(store: AsyncStore) -> None:
    for i, path in enumerate(FILES):
        await store.write(path, b"x" * i)


def depth_in(folder: str, path: str) -> int | None:
    """Folders between *folder* and *path*, counted in segments; None if it is not inside."""
    outer = folder.split("/") if folder else []
    inner = path.split("/")
    inside = len(inner) > len(outer) and inner[: len(outer)] == outer
    return len(inner) - len(outer) - 1 if inside else None


async def names(items: Any) -> list[str]:
    return [str(item.path) for item in await collect(items)]


@pytest.mark.parametrize("folder", ["", "a", "a/b", "a/b/c", "ab"])
@pytest.mark.parametrize("max_depth", [None, 0, 1, 2, 9])
@pytest.mark.parametrize("recursive", [False, True])
async def test_files_by_depth(
    store: AsyncStore, folder: str, max_depth: int | None, recursive: bool
) -> None:
    """max_depth alone decides when it is set; else recursive does. Siblings stay out."""
    await fill(store)
    limit = max_depth if max_depth is not None else 99 if recursive else 0
    depths = {path: depth_in(folder, path) for path in FILES}
    want = sorted(p for p, depth in depths.items() if depth is not None and depth <= limit)
    found = store.list_files(folder, recursive=recursive, max_depth=max_depth)
    assert sorted(await names(found)) == want


@pytest.mark.parametrize("max_depth", [None, 0, 1, 5])
@pytest.mark.parametrize("recursive", [False, True])
async def test_backend_always_gets_depth(
    recursive: bool, max_depth: int | None, reference: DictBackend
) -> None:
    """The backend is asked recursively exactly when files below the folder are wanted."""
    backend = Recorder(reference)
    await collect(
        AsyncStore(as_backend(backend)).list_files("a", recursive=recursive, max_depth=max_depth)
    )
    want = recursive if max_depth is None else max_depth > 0
    assert backend.calls == [("list_files", ("a",), {"recursive": want, "max_depth": max_depth})]


@pytest.mark.parametrize(
    ("pattern", "want"),
    [
        ("*", FILES),
        ("*.txt", ["top.txt", "a/one.txt", "a/b/c/deep.txt", "ab/x.txt"]),
        ("*.TXT", []),
        (".*", ["a/b/.hidden"]),
        ("[!t]*.txt", ["a/one.txt", "a/b/c/deep.txt", "ab/x.txt"]),
        ("a/*", []),
        ("{one,two}.*", []),
        ("?? k", []),
        ("ü ?", ["é/ü k"]),
        ("", []),
    ],
)
async def test_pattern_looks_at_the_basename(
    store: AsyncStore, pattern: str, want: list[str]
) -> None:
    """The pattern is fnmatch on the name alone: dots are ordinary, a slash never matches."""
    await fill(store)
    found = await names(store.list_files("", recursive=True, pattern=pattern))
    assert sorted(found) == sorted(want)


async def test_pattern_and_depth_together(store: AsyncStore) -> None:
    """Both filters apply to one listing."""
    await fill(store)
    found = await names(store.list_files("a", max_depth=1, pattern="*.txt"))
    assert found == ["a/one.txt"]


@pytest.mark.parametrize("max_depth", [None, 0, 1, 2, 9])
async def test_folders_level_by_level(store: AsyncStore, max_depth: int | None) -> None:
    """Folders come breadth first: no deeper one before a shallower one."""
    await fill(store)
    found = await names(store.list_folders("", max_depth=max_depth))
    limit = max_depth or 0
    assert sorted(found) == sorted(f for f in FOLDERS if f.count("/") <= limit)
    levels = [f.count("/") for f in found]
    assert levels == sorted(levels)


async def test_folder_pattern_filters_output_not_descent(store: AsyncStore) -> None:
    """A folder that does not match is still descended into."""
    await fill(store)
    assert await names(store.list_folders("", pattern="c", max_depth=5)) == ["a/b/c"]
    assert await names(store.list_folders("a", pattern="?", max_depth=0)) == ["a/b"]


async def test_one_backend_listing_for_each_visited_folder(reference: DictBackend) -> None:
    """The walk asks once for each folder above the limit and for no folder at it."""
    backend = Recorder(reference)
    store = AsyncStore(as_backend(backend))
    await fill(store)
    backend.calls.clear()
    await collect(store.list_folders("", max_depth=1))
    assert [(name, args[0]) for name, args, _ in backend.calls] == [
        ("list_folders", ""),
        ("list_folders", "a"),
        ("list_folders", "ab"),
        ("list_folders", "é"),
    ]


async def test_depth_without_a_limit(store: AsyncStore) -> None:
    """A depth that is there to mean "all" costs no more than the folders there are."""
    await fill(store)
    assert sorted(await names(store.list_folders("", max_depth=sys.maxsize))) == sorted(FOLDERS)


async def test_folder_walk_is_lazy(reference: DictBackend) -> None:
    """No folder is listed before the level above it was handed out."""
    backend = Recorder(reference)
    store = AsyncStore(as_backend(backend))
    await fill(store)
    backend.calls.clear()
    found = store.list_folders("", max_depth=5)
    assert str((await anext(found)).path) == "a"
    assert backend.names == ["list_folders"]
    await found.aclose()


async def test_children_are_files_and_folders(store: AsyncStore) -> None:
    """iter_children gives both kinds of one level, each in its own model."""
    await fill(store)
    found = await collect(store.iter_children("a"))
    files = {str(c.path) for c in found if isinstance(c, FileInfo)}
    folders = {str(c.path) for c in found if isinstance(c, FolderEntry)}
    assert (files, folders) == ({"a/one.txt", "a/two.csv"}, {"a/b"})
    assert len(found) == 3
    assert {c.name for c in found} == {"one.txt", "two.csv", "b"}


async def test_listed_files_carry_size_and_time(store: AsyncStore) -> None:
    """Each listed file has its size and an aware time."""
    before = datetime.now(UTC) - timedelta(seconds=2)
    await fill(store)
    for info in await collect(store.list_files("", recursive=True)):
        assert info.size == FILES.index(str(info.path))
        assert info.name == str(info.path).rpartition("/")[2]
        assert info.modified_at.utcoffset() == timedelta(0)
        assert before <= info.modified_at <= datetime.now(UTC) + timedelta(seconds=2)


@pytest.mark.parametrize("path", ["missing", "missing/below", "top.txt", "top.txt/below"])
@pytest.mark.parametrize("method", [n for n in LISTINGS if n != "glob"])
async def test_what_is_no_folder_lists_empty(store: AsyncStore, method: str, path: str) -> None:
    """A missing path, a file and a path through a file yield nothing and raise nothing."""
    await fill(store)
    assert await collect(getattr(store, method)(path)) == []
    if method != "iter_children":
        assert await collect(getattr(store, method)(path, max_depth=3)) == []


async def test_root_that_nobody_created_lists_empty(store: AsyncStore) -> None:
    """An empty store lists as empty, also where its root does not exist."""
    for listing in (store.list_files, store.list_folders, store.iter_children):
        assert await collect(listing("")) == []


@pytest.mark.parametrize("folder", ["", "a", "a/b", "ab"])
@pytest.mark.parametrize("max_depth", [None, 0, 1, 9])
async def test_folder_info_sums_what_the_listing_gives(
    store: AsyncStore, folder: str, max_depth: int | None
) -> None:
    """Count, bytes and latest time are those of the files that the same listing yields."""
    await fill(store)
    files = await collect(
        store.list_files(folder, recursive=max_depth is None, max_depth=max_depth)
    )
    info = await store.get_folder_info(folder, max_depth=max_depth)
    assert info.file_count == len(files)
    assert info.total_size == sum(f.size for f in files)
    assert info.modified_at == max((f.modified_at for f in files), default=None)
    assert info.path == (RemotePath(folder) if folder else RemotePath.ROOT)


@pytest.mark.parametrize("max_depth", [None, 0, 3])
async def test_folder_info_of_what_is_no_folder(store: AsyncStore, max_depth: int | None) -> None:
    """A file is InvalidPath and nothing is NotFound, whatever the depth."""
    await fill(store)
    with pytest.raises(InvalidPath, match=r"top\.txt"):
        await store.get_folder_info("top.txt", max_depth=max_depth)
    for path in ("missing", "top.txt/below"):
        with pytest.raises(NotFound, match=path):
            await store.get_folder_info(path, max_depth=max_depth)


@pytest.mark.parametrize("max_depth", [None, 0, 3])
async def test_folder_info_of_an_empty_folder(store: AsyncStore, max_depth: int | None) -> None:
    """An existing folder without files sums to nothing."""
    await store.write("d/e/f", b"1")
    await store.delete("d/e/f")
    info = await store.get_folder_info("d/e", max_depth=max_depth)
    assert (info.file_count, info.total_size, info.modified_at) == (0, 0, None)


async def test_error_of_a_depth_limited_miss(root: str, reference: DictBackend) -> None:
    """The store itself raises it: the caller's path, with the backend's name."""
    store = AsyncStore(as_backend(reference), root)
    await store.write("f", b"")
    for path, kind in (("./gone", NotFound), ("./f", InvalidPath)):
        with pytest.raises(kind) as caught:
            await store.get_folder_info(path, max_depth=0)
        assert isinstance(caught.value, (NotFound, InvalidPath))
        assert (caught.value.path, caught.value.backend) == (path, NAME)


class Timeless(Recorder):
    """Lists files whose times it does not know, but for one."""

    known: datetime | None = None

    async def list_files(self, path: str, **kwargs: Any) -> Any:
        for i, time in enumerate([UNKNOWN_TIME, self.known or UNKNOWN_TIME, UNKNOWN_TIME]):
            yield FileInfo(RemotePath(f"f{i}"), f"f{i}", 5, time)


@pytest.mark.parametrize("known", [None, datetime(2020, 1, 1, tzinfo=UTC)])
async def test_latest_time_is_the_latest_known_one(
    known: datetime | None, reference: DictBackend
) -> None:
    """Unknown times do not count; without a known one there is none."""
    backend = Timeless(reference)
    backend.known = known
    info = await AsyncStore(as_backend(backend)).get_folder_info("", max_depth=0)
    assert (info.file_count, info.total_size, info.modified_at) == (3, 15, known)


async def test_exists_and_kind_of_the_root(store: AsyncStore, root: str) -> None:
    """The backend's own root always exists; a root that nobody created does not."""
    made = root == ""
    for path in ("", "."):
        assert await store.exists(path) is made
        assert await store.is_folder(path) is made
        assert await store.is_file(path) is False
    await store.write("f", b"")
    for path in ("", "."):
        assert (await store.exists(path), await store.is_folder(path)) == (True, True)
        assert await store.is_file(path) is False


async def test_exists_and_kind_below(store: AsyncStore) -> None:
    """Files, folders, missing paths and paths through a file answer without an error."""
    await fill(store)
    for path, file, folder in [
        ("top.txt", True, False),
        ("a/b", False, True),
        ("/a//b/", False, True),
        ("a/missing", False, False),
        ("to", False, False),
        ("top.txt/x", False, False),
        ("missing/x", False, False),
    ]:
        assert await store.exists(path) is (file or folder), path
        assert await store.is_file(path) is file, path
        assert await store.is_folder(path) is folder, path
