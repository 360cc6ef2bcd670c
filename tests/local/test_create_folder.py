"""Folders that are made on this machine: links, files in the way, rights, and who else is there."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store import InvalidPath, NotFound, PermissionDenied, RemoteStoreError
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs import destination
from remote_store_local._fs.folder import OpenFolder


@pytest.fixture(autouse=True)
def _method(method: str) -> None:
    """Whichever way folders are opened."""


def test_links(local: LocalBackend, root: Path, tmp_path: Path) -> None:
    """A link to a folder is one, a dangling one leads to where it is made, none leads out."""
    (root / "there").mkdir()
    (root / "to-folder").symlink_to("there")
    (root / "dangling").symlink_to("new/deep")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "circle").symlink_to("circle")
    local.create_folder("to-folder")
    local.create_folder("to-folder/a/b")
    local.create_folder("dangling")
    assert (root / "there/a/b").is_dir()
    assert (root / "new/deep").is_dir()
    assert (root / "to-folder").is_symlink()
    for key in ("out", "out/below", "circle", "circle/below"):
        with pytest.raises(InvalidPath):
            local.create_folder(key)
    assert not (tmp_path / "outside").exists()


def test_what_is_in_the_way(local: LocalBackend, root: Path) -> None:
    """Files, links to files, special files, and names that cannot be; nothing is left of it."""
    (root / "file").write_bytes(b"x")
    (root / "link").symlink_to("file")
    os.mkfifo(root / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(root / "socket"))
    before = sorted(os.listdir(root))
    for key in ("file", "file/a", "file/a/b", "link", "link/a", "pipe", "pipe/a", "socket"):
        with pytest.raises(InvalidPath) as caught:
            local.create_folder(key)
        assert caught.value.path == key
    long = "n" * 300
    for key in (long, f"new/{long}", f"{long}/new", ".~tmp.a", "new/.~tmp.a/b", "../up", "/a"):
        with pytest.raises(InvalidPath):
            local.create_folder(key)
    listening.close()
    assert sorted(os.listdir(root)) == before


def test_rights(local: LocalBackend, root: Path) -> None:
    """As those of the folders that a write makes; one that is there keeps its own."""
    before = os.umask(0o027)
    try:
        local.create_folder("a/b")
        local.write("c/d/file", b"")
        (root / "closed").mkdir(0o700)
        local.create_folder("closed")
    finally:
        os.umask(before)
    modes = {p: (root / p).stat().st_mode & 0o777 for p in ("a", "a/b", "c", "c/d", "closed")}
    assert modes == {"a": 0o750, "a/b": 0o750, "c": 0o750, "c/d": 0o750, "closed": 0o700}


def test_a_folder_that_refuses(
    local: LocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made above it goes again, and what somebody has put there stays."""
    made = OpenFolder.mkdir

    def refuse(folder: OpenFolder, name: str) -> None:
        if name == "refused":
            raise PermissionError(13, "no")
        made(folder, name)
        if name == "used":
            (root / "used/theirs").touch()

    monkeypatch.setattr(OpenFolder, "mkdir", refuse)
    with pytest.raises(PermissionDenied) as caught:
        local.create_folder("used/new/refused/below")
    assert caught.value.path == "used/new/refused/below"
    assert not caught.value.outcome_unknown
    assert [p.relative_to(root).as_posix() for p in sorted(root.rglob("*"))] == [
        "used",
        "used/theirs",
    ]


def test_the_root(local: LocalBackend, root: Path) -> None:
    """It is there already, or the error names it."""
    for key in ("", ".", "./"):
        local.create_folder(key)
    root.rmdir()
    for key in ("", "a", "a/b"):
        with pytest.raises(NotFound, match="create_root=True"):
            local.create_folder(key)
    assert not root.exists()


def test_beside_those_who_delete(local: LocalBackend, root: Path) -> None:
    """A folder above that comes and goes is no reason to fail, and nothing strange is left."""
    failures: list[BaseException] = []
    over = threading.Event()

    def delete() -> None:
        while not over.is_set():
            try:
                local.delete_folder("a", recursive=True, missing_ok=True)
            except RemoteStoreError as error:
                failures.append(error)

    deleting = threading.Thread(target=delete)
    deleting.start()
    for _ in range(300):
        local.create_folder("a/b/c/d")
    over.set()
    deleting.join()
    assert not failures
    local.create_folder("a/b/c/d")
    assert (root / "a/b/c/d").is_dir()
    assert not litter(root)


def test_a_file_that_comes_between(
    local: LocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made after the look, it is told from a folder all the same."""
    make: Any = destination._make_folders

    def late(*args: Any) -> None:
        (root / "a").write_bytes(b"x")
        make(*args)

    monkeypatch.setattr(destination, "_make_folders", late)
    with pytest.raises(InvalidPath, match="exists as a file"):
        local.create_folder("a")
    assert (root / "a").read_bytes() == b"x"


@pytest.mark.parametrize("policy", ["always", "atomic", "never"])
def test_what_survives_a_power_loss(
    root: Path, monkeypatch: pytest.MonkeyPatch, policy: Any
) -> None:
    """With ``always`` the name of each folder that was made."""
    synced: list[str] = []
    sync = OpenFolder.sync

    def noted(folder: OpenFolder) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{folder.fd}") if folder.fd else folder.prefix)
        sync(folder)

    monkeypatch.setattr(OpenFolder, "sync", noted)
    backend = LocalBackend(root, fsync=policy)
    backend.create_folder("a/b")
    backend.create_folder("a/b")
    names = [Path(path) for path in synced]
    assert names == ([root, root / "a"] if policy == "always" else [])


@pytest.mark.asyncio
async def test_async(backend: AsyncLocalBackend, root: Path) -> None:
    """The async backend makes the same."""
    await backend.create_folder("a/b")
    assert (root / "a/b").is_dir()
    assert await backend.is_folder("a/b")
