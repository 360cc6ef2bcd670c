"""Recursive walks: what they go on past, what they leave out, and that both are told."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from remote_store import PermissionDenied, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.resolve import Root

pytestmark = pytest.mark.asyncio

#: Nine readable files, in folders that are listed before and after two locked ones.
KEYS = [f"{folder}/{name}" for folder in ("a", "b", "c/d") for name in "123"]


@pytest.fixture
def locked(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files beside folders that refuse to be listed, and one whose files refuse to be looked at."""
    keys = [*KEYS, "c/blind/1", "c/blind/2", "c/locked/1", "locked/1"]
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(b"12")
    open_folder, look = Root.open_folder, OpenFolder.stat

    def refuse(self: Root, key: str, *, listing: bool = False) -> OpenFolder:
        if listing and key.endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), key)
        return open_folder(self, key, listing=listing)

    def blind(self: OpenFolder, name: str) -> os.stat_result:
        if "blind" in os.readlink(f"/proc/self/fd/{self.fd}"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
        return look(self, name)

    monkeypatch.setattr(Root, "open_folder", refuse)
    monkeypatch.setattr(OpenFolder, "stat", blind)
    return keys


def told(error: RemoteStoreError) -> list[str]:
    """Return the paths of an error and of its others, without the names in a blind folder."""
    errors: Any = (error, *error.others)
    assert all(isinstance(one, PermissionDenied) for one in errors)
    assert all(isinstance(one.__cause__, PermissionError) for one in errors)
    return sorted(one.path.partition("blind")[0] for one in errors)


async def gathered(items: Any) -> tuple[list[str], Any]:
    """Return the paths that come, sorted, and the error that comes after them."""
    found: list[str] = []
    try:
        if hasattr(items, "__aiter__"):
            async for item in items:
                found.append(str(item.path))  # noqa: PERF401 - what comes before an error counts
        else:
            found.extend(str(item.path) for item in items)
    except RemoteStoreError as error:
        return sorted(found), error
    return sorted(found), None


@pytest.mark.parametrize("listing", ["all", "depth", "glob"])
async def test_a_walk_goes_on(
    backend: AsyncLocalBackend, local: LocalBackend, locked: list[str], listing: str
) -> None:
    """All that can be listed is yielded; then the first error comes, one for each folder."""
    for store in (backend, local):
        items: Any = {
            "all": lambda s: s.list_files("", recursive=True),
            "depth": lambda s: s.list_files("", recursive=True, max_depth=2),
            "glob": lambda s: s.glob("**/?"),
        }[listing](store)
        found, error = await gathered(items)
        assert found == KEYS
        assert told(error) == ["c/", "c/locked", "locked"]


async def test_a_sum_names_all_that_refused(backend: AsyncLocalBackend, locked: list[str]) -> None:
    """A sum that lacks something is an error, which names each folder that refused."""
    with pytest.raises(PermissionDenied) as caught:
        await backend.get_folder_info("")
    assert told(caught.value) == ["c/", "c/locked", "locked"]


async def test_folders_by_depth_go_on(backend: AsyncLocalBackend, locked: list[str]) -> None:
    """The folders of a store are listed level by level past one that refuses."""
    found, error = await gathered(AsyncStore(backend).list_folders("", max_depth=5))
    assert found == ["a", "b", "c", "c/blind", "c/d", "c/locked", "locked"]
    assert told(error) == ["c/locked", "locked"]


async def test_a_single_level_raises_at_once(backend: AsyncLocalBackend, locked: list[str]) -> None:
    """Where only one folder is listed, nothing comes after the error."""
    for items in (
        backend.list_files("locked"),
        backend.iter_children("locked"),
        backend.list_folders("locked"),
        backend.list_files("c/blind"),
        backend.glob("locked/*"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            _ = [item async for item in items]
        assert caught.value.others == ()


@pytest.fixture
def linked(root: Path, tmp_path: Path) -> Path:
    """A tree with links to folders above and beside, to a file, to nothing, and out of the root."""
    (root / "d/e").mkdir(parents=True)
    (root / "d/e/f").write_bytes(b"1")
    (root / "d/up").symlink_to("..")
    (root / "d/e/self").symlink_to(".")
    (root / "beside").symlink_to("d/e")
    (root / "file").symlink_to("d/e/f")
    (root / "d/nothing").symlink_to("gone")
    (tmp_path / "outside").mkdir(exist_ok=True)
    (root / "d/out").symlink_to(tmp_path / "outside")
    return root


def left_out(caplog: pytest.LogCaptureFixture) -> list[int]:
    """Return what the records say, and forget them."""
    found = [getattr(r, "links_left_out") for r in caplog.records if hasattr(r, "links_left_out")]  # noqa: B009
    caplog.clear()
    return found


async def test_walks_enter_no_link(
    backend: AsyncLocalBackend, linked: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link to a folder is a folder of its parent, and no walk goes into it; it says so once."""
    store = AsyncStore(backend)
    files = ["d/e/f", "file"]
    with caplog.at_level(logging.WARNING, "remote_store"):
        assert sorted([str(f.path) async for f in store.list_files("", recursive=True)]) == files
        assert left_out(caplog) == [4]
        assert sorted([str(f.path) async for f in store.list_files("", max_depth=1)]) == ["file"]
        assert left_out(caplog) == [1]  # only where it would have gone down
        assert sorted([str(f.path) async for f in store.glob("**")]) == files
        assert left_out(caplog) == [4]
        assert [str(f.path) async for f in store.glob("d/e/**")] == ["d/e/f"]
        assert left_out(caplog) == [1]
        assert (await store.get_folder_info("")).file_count == 2
        assert left_out(caplog) == [4]
        found = sorted([str(f.path) async for f in store.list_folders("", max_depth=9)])
        assert found == ["beside", "d", "d/e", "d/e/self", "d/up"]
        assert left_out(caplog) == [3]
        for path, names in (("", ["beside", "d"]), ("d/up/d", ["e", "up"]), ("beside", ["self"])):
            entries = [entry async for entry in store.list_folders(path)]
            assert sorted(entry.name for entry in entries) == names
            assert {e.name for e in entries if e.is_link} == {*names} & {"beside", "up", "self"}
            assert await store.is_folder(path)
        assert [str(f.path) async for f in store.list_files("d/up/d/e")] == ["d/up/d/e/f"]
        assert left_out(caplog) == []


async def test_a_walk_begins_at_a_link(backend: AsyncLocalBackend, linked: Path) -> None:
    """The folder that is asked for may be a link: only what is below it is not entered."""
    found = [str(f.path) async for f in backend.list_files("d/up/d", recursive=True)]
    assert found == ["d/up/d/e/f"]


async def test_glob_asks_only_of_what_matches(
    backend: AsyncLocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file whose key does not match is never looked at; links left out are counted as ever."""
    for name in ("a.csv", "a.txt", "d/b.csv", "d/b.txt", "d/c.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"12")
    (root / "to_file.csv").symlink_to("d/c.txt")
    (root / "to_file.txt").symlink_to("d/c.txt")
    (root / "to_folder").symlink_to("d")
    look, asked = OpenFolder.stat, []

    def stat(self: OpenFolder, name: str) -> os.stat_result:
        asked.append(name)
        return look(self, name)

    monkeypatch.setattr(OpenFolder, "stat", stat)
    with caplog.at_level(logging.WARNING):
        found = {str(info.path): info.size async for info in backend.glob("**/*.csv")}

    assert found == {"a.csv": 2, "d/b.csv": 2, "to_file.csv": 2}
    assert {"a.txt", "b.txt"}.isdisjoint(asked)  # c.txt is where links lead
    assert [getattr(r, "links_left_out") for r in caplog.records] == [1]  # noqa: B009
