"""Deleting files and folders."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from remote_store import (
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs import rmtree, sweep
from remote_store_local._fs.folder import OpenFolder

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("method")]


async def test_delete(backend: AsyncLocalBackend, root: Path) -> None:
    """DEL-001 to 003: gone, the folder stays; missing and wrong kinds are told apart."""
    await backend.write("d/f", b"1")
    await backend.delete("d/f")
    assert (root / "d").is_dir()
    await backend.write("file", b"1")
    for key in ("d/f", "missing/x", "file/below"):
        with pytest.raises(NotFound, match=key) as caught:
            await backend.delete(key)
        assert isinstance(caught.value.__cause__, OSError)
        await backend.delete(key, missing_ok=True)
    for missing_ok in (False, True):
        for key in ("d", "", "."):
            with pytest.raises(InvalidPath):
                await backend.delete(key, missing_ok=missing_ok)


async def test_delete_folder(backend: AsyncLocalBackend, root: Path) -> None:
    """DEL-004 to 006: empty, full, recursive, missing, a file, the root."""
    for key in ("a/b/c", "a/d", "ab/x", "a/e/f/g"):
        await backend.write(key, b"1")
    for key in ("a", "a/b"):
        with pytest.raises(DirectoryNotEmpty, match=key) as caught:
            await backend.delete_folder(key)
        assert isinstance(caught.value.__cause__, OSError)
    await backend.delete_folder("a", recursive=True)
    assert sorted(p.name for p in root.rglob("*")) == ["ab", "x"]
    (root / "empty").mkdir()
    await backend.delete_folder("empty")
    for key in ("a", "ab/x/y"):
        for recursive in (False, True):
            with pytest.raises(NotFound):
                await backend.delete_folder(key, recursive=recursive)
            await backend.delete_folder(key, recursive=recursive, missing_ok=True)
    for recursive in (False, True):
        with pytest.raises(InvalidPath):
            await backend.delete_folder("ab/x", recursive=recursive, missing_ok=True)
        for key in ("", "."):
            with pytest.raises(InvalidPath):
                await backend.delete_folder(key, recursive=recursive, missing_ok=True)
    assert await backend.read_bytes("ab/x") == b"1"


async def test_one_of_many_deletes_wins(backend: AsyncLocalBackend) -> None:
    """DEL-007: of concurrent deletes of one file one succeeds."""
    for _ in range(20):
        await backend.write("f", b"1")
        answers = await asyncio.gather(
            *[backend.delete("f") for _ in range(8)], return_exceptions=True
        )
        assert sorted(type(a).__name__ for a in answers) == ["NoneType"] + ["NotFound"] * 7


async def test_a_child_that_appears_is_never_removed(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The non-recursive form cannot remove a child, however late it comes."""
    (root / "d").mkdir()
    rmdir = OpenFolder.rmdir

    def late(self: OpenFolder, name: str) -> None:
        (root / "d/child").write_bytes(b"1")
        rmdir(self, name)

    monkeypatch.setattr(OpenFolder, "rmdir", late)
    with pytest.raises(DirectoryNotEmpty):
        await backend.delete_folder("d")
    assert (root / "d/child").exists()


async def test_a_file_that_appears_during_a_recursive_delete(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written into a folder while it is being deleted stays, with its folders."""
    (root / "d/e").mkdir(parents=True)
    (root / "d/old").touch()
    rmdir = OpenFolder.rmdir

    def late(self: OpenFolder, name: str) -> None:
        if name == "e":
            (root / "d/e/new").write_bytes(b"1")
        rmdir(self, name)

    monkeypatch.setattr(OpenFolder, "rmdir", late)
    await backend.delete_folder("d", recursive=True)
    assert [p.name for p in sorted(root.rglob("*"))] == ["d", "e", "new"]


async def test_entries_that_vanish_or_change(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A subfolder that vanishes or becomes a link meanwhile is no error and no way out."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/keep").touch()
    for name in ("a", "b", "c"):
        (root / "d" / name).mkdir(parents=True)
    enter = rmtree._Removal._enter
    calls: list[int] = []

    def late(self: Any, name: str, folder: OpenFolder) -> None:
        enter(self, name, folder)
        if not calls:
            os.rmdir(root / "d/a")
            os.rmdir(root / "d/b")
            os.symlink(tmp_path / "outside", root / "d/b")
        calls.append(1)

    monkeypatch.setattr(rmtree._Removal, "_enter", late)
    await backend.delete_folder("d", recursive=True)
    assert os.listdir(root) == []
    assert (tmp_path / "outside/keep").exists()


@pytest.mark.parametrize("method", ["walk"], indirect=True)
async def test_a_folder_that_is_moved_away(
    backend: AsyncLocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The way back up, where it goes through "..", never leads to another folder."""
    (tmp_path / "outside/sub").mkdir(parents=True)
    (root / "d/sub/deep").mkdir(parents=True)
    enter = rmtree._Removal._enter

    def late(self: Any, name: str, folder: OpenFolder) -> None:
        enter(self, name, folder)
        if name == "deep":
            os.rename(root / "d/sub/deep", tmp_path / "outside/deep")

    monkeypatch.setattr(rmtree._Removal, "_enter", late)
    with pytest.raises(RemoteStoreError, match="moved away") as caught:
        await backend.delete_folder("d", recursive=True)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ESTALE
    assert (tmp_path / "outside/sub").exists()


async def test_what_cannot_be_deleted_raises(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal in the middle of a recursive delete comes out; what is left is whole."""
    await backend.write("d/e/f", b"1")

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EIO, "disk")

    for name in ("unlink", "rmdir"):
        with monkeypatch.context() as patch:
            patch.setattr(OpenFolder, name, fail)
            for recursive in (True, False):
                if name == "rmdir" or recursive:
                    with pytest.raises(RemoteStoreError, match="disk"):
                        await backend.delete_folder("d", recursive=recursive)
    assert (root / "d").exists()


async def test_cancelled_recursive_delete(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CANCEL-003: a cancelled delete ends early and nothing changes afterwards."""
    import threading
    import time

    for n in range(200):
        (root / f"d/{n}").mkdir(parents=True)
        (root / f"d/{n}/f").touch()
    started = threading.Event()
    rmdir = OpenFolder.rmdir

    def slow(self: OpenFolder, name: str) -> None:
        started.set()
        time.sleep(0.003)
        rmdir(self, name)

    monkeypatch.setattr(OpenFolder, "rmdir", slow)
    task = asyncio.ensure_future(backend.delete_folder("d", recursive=True))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = len(list((root / "d").iterdir()))
    assert 150 < left < 200
    await asyncio.sleep(0.1)
    assert len(list((root / "d").iterdir())) == left
    monkeypatch.undo()
    await backend.delete_folder("d", recursive=True)


@pytest.fixture
def refusing(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders that refuse to be listed, to lose their files, or to be removed themselves."""
    for name in ("a/1", "locked/1", "kept/1", "kept/2", "kept/below/1", "held/1", "z/1"):
        (root / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "d" / name).write_bytes(b"1")
    enter, unlink, rmdir = OpenFolder.enter, OpenFolder.unlink, OpenFolder.rmdir

    def inside(folder: OpenFolder, name: str) -> bool:
        path = folder.prefix or f"/proc/self/fd/{folder.fd}"
        return os.path.basename(os.path.realpath(path)) == name

    def refuse(name: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)

    def entered(self: OpenFolder, name: str, *, listing: bool = False) -> OpenFolder:
        if name == "locked":
            refuse(name)
        return enter(self, name, listing=listing)

    def unlinked(self: OpenFolder, name: str) -> None:
        if inside(self, "kept"):
            refuse(name)
        unlink(self, name)

    def removed(self: OpenFolder, name: str) -> None:
        if name == "held":
            refuse(name)
        rmdir(self, name)

    monkeypatch.setattr(OpenFolder, "enter", entered)
    monkeypatch.setattr(OpenFolder, "unlink", unlinked)
    monkeypatch.setattr(OpenFolder, "rmdir", removed)
    return root


async def test_a_deletion_goes_on(backend: AsyncLocalBackend, refusing: Path) -> None:
    """All that can be removed is; then the first error comes, one for each folder."""
    with pytest.raises(PermissionDenied) as caught:
        await backend.delete_folder("d", recursive=True)
    errors: Any = (caught.value, *caught.value.others)
    paths = sorted(error.path for error in errors)
    assert paths in (["d/held", "d/kept/1", "d/locked"], ["d/held", "d/kept/2", "d/locked"])
    assert caught.value.outcome_unknown  # some of it is gone
    left = sorted(str(path.relative_to(refusing)) for path in refusing.rglob("*"))
    assert left == ["d", "d/held", "d/kept", "d/kept/1", "d/kept/2", "d/locked", "d/locked/1"]


async def test_an_empty_folder_that_cannot_be_removed(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether anything was deleted before the refusal is what ``outcome_unknown`` says."""

    def refuse(self: OpenFolder, name: str) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(OpenFolder, "rmdir", refuse)
    (root / "d").mkdir()
    for content in (False, True):
        if content:
            (root / "d/f").touch()
        with pytest.raises(PermissionDenied) as caught:
            await backend.delete_folder("d", recursive=True)
        assert (caught.value.path, caught.value.outcome_unknown) == ("d", content)
    assert os.listdir(root / "d") == []


async def test_temporary_names_that_are_nobodys(
    backend: AsyncLocalBackend, root: Path, tmp_path: Path
) -> None:
    """A link, pipe or folder with the name of a temporary file does not outlive its folder."""
    (tmp_path / "outside").mkdir()
    (root / "d").mkdir()
    (root / "d/.~tmp.link").symlink_to(tmp_path / "outside")
    (root / "d/.~tmp.dangling").symlink_to("gone")
    (root / "d/.~tmp.folder").mkdir()
    os.mkfifo(root / "d/.~tmp.pipe")
    await backend.delete_folder("d", recursive=True)
    assert os.listdir(root) == []
    assert (tmp_path / "outside").exists()


@pytest.mark.parametrize("stale", [False, True])
async def test_temporary_files_that_cannot_be_asked(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, stale: bool
) -> None:
    """A deletion says so, while somebody may be writing such a file; later it removes it."""
    (root / "d").mkdir()
    (root / "d/.~tmp.1").touch()

    def fail(self: Any, name: str, *_: Any) -> int:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(OpenFolder, "open", fail)
    if stale:
        later = sweep.now() + 25 * 3600
        monkeypatch.setattr(sweep, "now", lambda: later)
        await backend.delete_folder("d", recursive=True)
        assert os.listdir(root) == []
        return
    with pytest.raises(PermissionDenied) as caught:
        await backend.delete_folder("d", recursive=True)
    assert (caught.value.path, caught.value.outcome_unknown) == ("d/.~tmp.1", False)
    assert os.listdir(root / "d") == [".~tmp.1"]


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
async def test_a_removal_that_may_have_been_done(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whoever cannot know whether a file or folder is gone says so; a refusal is certain."""
    backend = LocalBackend(root)
    (root / "d").mkdir()
    (root / "f").write_bytes(b"1")
    (root / "link").symlink_to("f")

    def fail(*_: object) -> None:
        raise OSError(number, "failed")

    monkeypatch.setattr(OpenFolder, "unlink", fail)
    monkeypatch.setattr(OpenFolder, "rmdir", fail)
    for remove, key in (
        (backend.delete, "f"),
        (backend.delete, "link"),
        (backend.delete_folder, "d"),
    ):
        with pytest.raises(RemoteStoreError) as caught:
            remove(key)
        assert caught.value.outcome_unknown == (number == errno.EIO)
        assert caught.value.path == key
