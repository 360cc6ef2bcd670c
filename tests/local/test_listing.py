"""Listings, folder info and glob."""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from remote_store import (
    FileInfo,
    GlobPattern,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store_local import AsyncLocalBackend, _list
from remote_store_local._fs.resolve import Root

pytestmark = pytest.mark.asyncio


def fill(root: Path, *keys: str) -> None:
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(key.encode())


async def keys(items: Any) -> list[str]:
    return sorted([str(item.path) async for item in items])


async def test_listings(backend: AsyncLocalBackend, root: Path) -> None:
    """LIST-001 to 003, 006, 009: complete, whole segments, by depth, both kinds once."""
    fill(root, "a/1", "a/b/2", "a/b/c/3", "ab/4", "top")
    assert await keys(backend.list_files("")) == ["top"]
    assert await keys(backend.list_files("", max_depth=5)) == ["top"]
    assert await keys(backend.list_files("a", recursive=True)) == ["a/1", "a/b/2", "a/b/c/3"]
    assert await keys(backend.list_files("a", recursive=True, max_depth=1)) == ["a/1", "a/b/2"]
    assert await keys(backend.list_files("a", recursive=True, max_depth=0)) == ["a/1"]
    assert await keys(backend.list_folders("")) == ["a", "ab"]
    assert await keys(backend.list_folders("a")) == ["a/b"]
    assert await keys(backend.iter_children("a")) == ["a/1", "a/b"]
    assert await keys(backend.list_files(".")) == ["top"]
    infos = [item async for item in backend.list_files("a/b")]
    assert [(i.name, i.size, i.etag, i.metadata) for i in infos] == [("2", 5, None, None)]
    assert infos[0].modified_at == (await backend.get_file_info("a/b/2")).modified_at


@pytest.mark.parametrize("path", ["missing", "top", "top/below", ".~tmp.d"])
async def test_empty_listings(backend: AsyncLocalBackend, root: Path, path: str) -> None:
    """LIST-004: a missing path, a file, a path through a file and a reserved one are empty."""
    fill(root, "top", ".~tmp.d/x")
    for items in (
        backend.list_files(path),
        backend.list_files(path, recursive=True),
        backend.list_folders(path),
        backend.iter_children(path),
        backend.glob(f"{path}/*"),
    ):
        assert await keys(items) == []


async def test_malformed_paths(backend: AsyncLocalBackend) -> None:
    """PATH-002: a malformed key is refused at the first pull."""
    for items in (
        backend.list_files("../x"),
        backend.list_folders("/x"),
        backend.iter_children("a\\b"),
    ):
        with pytest.raises(InvalidPath):
            await anext(items)


async def test_thousands(backend: AsyncLocalBackend, root: Path) -> None:
    """LIST-005: many entries come over pages, none lost and none twice."""
    names = [f"f{n:04}" for n in range(2000)]
    (root / "d").mkdir()
    for name in names:
        (root / "d" / name).touch()
    assert await keys(backend.list_files("d")) == [f"d/{name}" for name in names]


async def test_pages_on_demand(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAZY-003: the first entries arrive before the others are looked at."""
    for n in range(1500):
        (root / f"f{n}").touch()
    looked = itertools.count()
    look = _list.FolderWalk._look

    def counting(self: Any, *args: Any) -> Any:
        next(looked)
        return look(self, *args)

    monkeypatch.setattr(_list.FolderWalk, "_look", counting)
    items = backend.list_files("")
    await anext(items)
    await items.aclose()
    assert next(looked) <= 300


async def test_pages_of_two_listings_take_turns(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads that look at files wake each other in vain, so one makes its page first."""
    fill(root, *(f"{folder}/{n}" for folder in "ab" for n in range(600)))
    monkeypatch.setattr(_list, "_PATIENCE", 10)
    looked: list[str] = []
    look = _list.FolderWalk._look

    def noting(self: Any, folder: Any, key: str, *args: Any) -> Any:
        looked.append(key[0])
        time.sleep(0)
        return look(self, folder, key, *args)

    monkeypatch.setattr(_list.FolderWalk, "_look", noting)

    found = await asyncio.gather(*(keys(backend.list_files(folder)) for folder in "ab"))

    assert [len(names) for names in found] == [600, 600]
    assert len(list(itertools.groupby(looked))) <= 6  # pages of 256


async def test_a_listing_that_gets_no_answer_holds_up_no_other(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network file system that is gone."""
    fill(root, "dead/f", "alive/f")
    go = threading.Event()
    entered = threading.Event()
    look = _list.FolderWalk._look

    def stuck(self: Any, folder: Any, key: str, *args: Any) -> Any:
        if key == "dead/f":
            entered.set()
            assert go.wait(10)
        return look(self, folder, key, *args)

    monkeypatch.setattr(_list.FolderWalk, "_look", stuck)
    dead = asyncio.create_task(keys(backend.list_files("dead")))
    await asyncio.to_thread(entered.wait, 10)

    try:
        assert await keys(backend.list_files("alive")) == ["alive/f"]
        assert not dead.done()
    finally:
        go.set()
    assert await dead == ["dead/f"]


@pytest.mark.parametrize("count", [0, 1, 300])
async def test_abandoned_listings(backend: AsyncLocalBackend, root: Path, count: int) -> None:
    """LIST-010: closing a listing early leaves no descriptor and no task."""
    for n in range(600):
        (root / f"f{n}").touch()
    await backend.exists("")
    before = sorted(os.listdir("/proc/self/fd"))
    tasks = asyncio.all_tasks()
    items = backend.list_files("", recursive=True)
    for _ in range(count):
        await anext(items)
    await items.aclose()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert asyncio.all_tasks() == tasks


async def test_cancelled_listing(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled listing is left at once, and its thread closes what it holds."""
    (root / "f").touch()
    await backend.exists("")
    before = sorted(os.listdir("/proc/self/fd"))
    entered, go = threading.Event(), threading.Event()
    look = _list.FolderWalk._look

    def slow(self: Any, *args: Any) -> Any:
        entered.set()
        assert go.wait(10)
        return look(self, *args)

    monkeypatch.setattr(_list.FolderWalk, "_look", slow)
    items = backend.list_files("")
    task = asyncio.ensure_future(anext(items))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(2):
            await task
    go.set()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if sorted(os.listdir("/proc/self/fd")) == before:
            break
    assert sorted(os.listdir("/proc/self/fd")) == before


async def test_names_that_are_no_paths(
    backend: AsyncLocalBackend, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    r"""Names with a backslash or not UTF-8 are skipped with one warning for each call."""
    fill(root, "good", "d/x")
    (root / "back\\slash").touch()
    (root / "d" / "a\\b").mkdir()
    (root / "d" / "a\\b" / "in").touch()
    with open(os.fsencode(root) + b"/\xff\xfe", "wb"):
        pass
    for items, expected in (
        (backend.list_files("", recursive=True), ["d/x", "good"]),
        (backend.iter_children(""), ["d", "good"]),
        (backend.list_folders("d"), []),
        (backend.glob("**"), ["d/x", "good"]),
    ):
        caplog.clear()
        assert await keys(items) == expected
        records = [r for r in caplog.records if r.name == "remote_store_local"]
        assert [r.levelno for r in records] == [logging.WARNING]
    caplog.clear()
    assert (await backend.get_folder_info("")).file_count == 2
    assert len(caplog.records) == 1


async def test_temporary_files_are_invisible(backend: AsyncLocalBackend, root: Path) -> None:
    """ATOM-004: reserved names are in no answer of any query."""
    fill(root, ".~tmp.1", "d/.~tmp.2", "d/x", ".~tmp.d/in")
    assert await keys(backend.list_files("", recursive=True)) == ["d/x"]
    assert await keys(backend.iter_children("")) == ["d"]
    assert await keys(backend.list_folders("")) == ["d"]
    assert await keys(backend.glob("**")) == ["d/x"]
    assert (await backend.get_folder_info("")).file_count == 1
    for key in (".~tmp.1", "d/.~tmp.2", ".~tmp.d", ".~tmp.d/in"):
        assert not await backend.exists(key)
        assert not await backend.is_file(key)
        assert not await backend.is_folder(key)
        for call in (
            backend.read_bytes(key),
            backend.get_file_info(key),
            backend.get_folder_info(key),
            backend.delete(key),
            backend.delete_folder(key, recursive=True),
            backend.copy(key, "e"),
            backend.move(key, "e"),
        ):
            with pytest.raises(NotFound):
                await call
        await backend.delete(key, missing_ok=True)
        await backend.delete_folder(key, recursive=True, missing_ok=True)
    assert (root / ".~tmp.d/in").exists()


async def test_folder_info(backend: AsyncLocalBackend, root: Path) -> None:
    """INFO-006, 007: all files below, also for the root and for an empty folder."""
    fill(root, "a/1", "a/b/22")
    (root / "empty").mkdir()
    os.utime(root / "a/1", (10, 10))
    info = await backend.get_folder_info("a")
    assert (info.file_count, info.total_size) == (2, 9)
    assert info.modified_at == (await backend.get_file_info("a/b/22")).modified_at
    assert str((await backend.get_folder_info("")).path) == "."
    empty = await backend.get_folder_info("empty")
    assert (empty.file_count, empty.total_size, empty.modified_at) == (0, 0, None)
    with pytest.raises(NotFound):
        await backend.get_folder_info("missing")
    with pytest.raises(InvalidPath):
        await backend.get_folder_info("a/1")


async def test_cancelled_folder_info_stops(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled sum is left at once, and its thread gives up soon afterwards."""
    for n in range(50):
        (root / f"f{n}").touch()
    entered, go = threading.Event(), threading.Event()
    looked: list[int] = []
    look = _list.FolderWalk._look

    def slow(self: Any, *args: Any) -> Any:
        looked.append(1)
        entered.set()
        assert go.wait(10)
        return look(self, *args)

    monkeypatch.setattr(_list.FolderWalk, "_look", slow)
    task = asyncio.ensure_future(backend.get_folder_info(""))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await asyncio.sleep(0.2)
    assert len(looked) < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "a/*",
        "a/b/*.csv",
        "**/*.csv",
        "a/**",
        "**",
        "?",
        "[ab]/*",
        "a/*/2.csv",
        "top",
        "x/**/y",
    ],
)
async def test_glob(backend: AsyncLocalBackend, root: Path, pattern: str) -> None:
    """GLOB-001: exactly the files whose key the core's pattern matches."""
    every = ["a/1", "a/2.csv", "a/b/2.csv", "a/b/c/3.csv", "b/2.csv", "top", "t"]
    fill(root, *every)
    expected = sorted(filter(GlobPattern.parse(pattern).matches, every))
    assert await keys(backend.glob(pattern)) == expected


async def test_glob_prunes(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders that cannot hold a match are not even opened."""
    fill(root, "logs/2024/a.csv", "logs/2025/a.csv", "other/deep/x", "logs/x/deep/a.csv")
    opened: list[str] = []
    open_folder = Root.open_folder

    def spy(self: Any, key: str, *, listing: bool = False) -> Any:
        opened.append(key)
        return open_folder(self, key, listing=listing)

    monkeypatch.setattr(Root, "open_folder", spy)
    found = await keys(backend.glob("logs/20*/*.csv"))
    assert found == ["logs/2024/a.csv", "logs/2025/a.csv"]
    assert sorted(opened) == ["logs", "logs/2024", "logs/2025"]


async def test_bad_patterns(backend: AsyncLocalBackend) -> None:
    """GLOB: what is no pattern, or leads up, is refused."""
    import re

    for pattern, error in (("../*", InvalidPath), ("", InvalidPath), ("**x", ValueError)):
        with pytest.raises(error):
            await anext(backend.glob(pattern))
    with pytest.raises(re.error):
        await anext(backend.glob("[z-a]"))


async def test_things_vanish_during_a_listing(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIST-007: what is deleted between two steps of a listing is left out quietly."""
    fill(root, "a/1", "b/1", "c")
    look = _list.FolderWalk._look

    def late(self: Any, folder: Any, key: str, *args: Any) -> Any:
        if key == "c":
            os.unlink(root / "c")
            for name in ("a", "b"):
                os.unlink(root / name / "1")
                os.rmdir(root / name)
        return look(self, folder, key, *args)

    monkeypatch.setattr(_list.FolderWalk, "_look", late)
    assert await keys(backend.list_files("", recursive=True)) == []


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.EACCES, PermissionDenied), (errno.EIO, RemoteStoreError)]
)
async def test_what_cannot_be_told_raises(
    backend: AsyncLocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: type[Exception],
) -> None:
    """A folder that cannot be read makes the listing fail, it is not just left out."""
    fill(root, "a/1", "b")

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    for name in ("scandir", "stat"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            for items in (backend.list_files("", recursive=True), backend.glob("*")):
                with pytest.raises(expected) as caught:
                    await keys(items)
                assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.long
async def test_deep_trees(backend: AsyncLocalBackend, root: Path) -> None:
    """Depth is bounded by no recursion and no number of open descriptors."""
    import resource

    depth = 1100
    here = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, limits[1]))
    try:
        files = [item async for item in backend.list_files("", recursive=True)]
        assert [str(item.path).count("/") for item in files] == [depth]
        assert isinstance(files[0], FileInfo)
        assert await backend.sweep("/".join("d" * 1000)) == 0
        await backend.delete_folder("d", recursive=True)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert os.listdir(root) == []
