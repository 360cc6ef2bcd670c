"""Errors of recursive work name the folder or file that refused, not the one it began at."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote_store import PermissionDenied, RemoteStoreError
from remote_store_local import LocalBackend
from remote_store_local._fs import rmtree, sweep
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.resolve import Root

DAY = 24 * 3600


@pytest.fixture
def filled(root: Path, local: LocalBackend, method: str) -> LocalBackend:
    """A backend with files in folders, and litter of a dead writer in each."""
    for key in ("a/b/locked/f", "a/b/open/f", "a/z/f", "top"):
        local.write(key, b"1")
    for folder in ("", "a", "a/b/locked", "a/b/open", "a/z"):
        (root / folder / ".~tmp.1").touch()
    return local


def close(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Let nobody list the folder *key*."""
    real = Root.open_folder

    def opened(tree: Root, folder: str, *, listing: bool = False) -> OpenFolder:
        if folder == key and listing:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return real(tree, folder, listing=listing)

    monkeypatch.setattr(Root, "open_folder", opened)


@pytest.mark.parametrize("call", ["list", "children", "glob", "info"])
def test_listings(filled: LocalBackend, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A folder that cannot be listed is named by listings, patterns and folder information."""
    calls: dict[str, Callable[[], object]] = {
        "list": lambda: list(filled.list_files("a", recursive=True)),
        "children": lambda: list(filled.iter_children("a/b/locked")),
        "glob": lambda: list(filled.glob("**/f")),
        "info": lambda: filled.get_folder_info("a"),
    }
    close(monkeypatch, "a/b/locked")
    with pytest.raises(PermissionDenied, match="a/b/locked") as caught:
        calls[call]()
    assert (caught.value.path, caught.value.backend) == ("a/b/locked", "local")
    assert isinstance(caught.value.__cause__, PermissionError)


def test_an_entry_that_cannot_be_looked_at(
    filled: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a single file or link."""
    real = OpenFolder.stat

    def status(folder: OpenFolder, name: str) -> os.stat_result:
        if name == "f":
            raise OSError(errno.EIO, "disk")
        return real(folder, name)

    monkeypatch.setattr(OpenFolder, "stat", status)
    with pytest.raises(RemoteStoreError, match="disk") as caught:
        list(filled.list_files("a/z"))
    assert caught.value.path == "a/z/f"


def test_sweep_goes_on(filled: LocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep does what it can, and names the first folder that refused at its end."""
    monkeypatch.setattr(sweep, "now", lambda: time.time() + 2 * DAY)
    with monkeypatch.context() as patch:
        close(patch, "a/b/locked")
        with pytest.raises(PermissionDenied) as caught:
            filled.sweep()
    assert caught.value.path == "a/b/locked"
    assert isinstance(caught.value.__cause__, PermissionError)
    assert [p.parent.name for p in root.rglob(".~tmp.*")] == ["locked"]
    assert filled.sweep() == 1


@pytest.mark.parametrize(
    ("name", "failing", "key"),
    [
        ("unlink", "f", "a/b/locked/f"),
        ("enter", "locked", "a/b/locked"),
        ("rmdir", "locked", "a/b/locked"),
        ("rmdir", "a", "a"),
    ],
)
def test_recursive_delete(
    filled: LocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    failing: str,
    key: str,
) -> None:
    """A recursive delete names the file or folder that cannot be removed."""
    (root / "a/b/open/f").unlink()
    (root / "a/z/f").unlink()
    real = getattr(OpenFolder, name)

    def refuse(folder: OpenFolder, entry: str, **options: Any) -> Any:
        if entry == failing:
            path = folder.at(entry)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(folder, entry, **options)

    monkeypatch.setattr(OpenFolder, name, refuse)
    with pytest.raises(PermissionDenied) as caught:
        filled.delete_folder("a", recursive=True)
    assert caught.value.path == key
    assert isinstance(caught.value.__cause__, PermissionError)


@pytest.mark.parametrize("method", ["walk"], indirect=True)
def test_no_descriptor_is_left(filled: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing look at the folder above closes it."""
    before = len(os.listdir("/proc/self/fd"))
    real = rmtree._identity
    seen: set[tuple[int, int]] = set()

    def fail(folder: OpenFolder) -> tuple[int, int]:
        identity = real(folder)
        if identity in seen:  # on the way back up
            raise OSError(errno.EIO, "disk")
        seen.add(identity)
        return identity

    monkeypatch.setattr(rmtree, "_identity", fail)
    with pytest.raises(RemoteStoreError, match="disk"):
        filled.delete_folder("a", recursive=True)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_foreign_folder_is_no_temporary_file(filled: LocalBackend, root: Path) -> None:
    """Whoever named a folder like our temporary files need not wait for a writer."""
    (root / "d/.~tmp.mine").mkdir(parents=True)
    with pytest.raises(RemoteStoreError, match=r"not empty.*'d'"):
        filled.delete_folder("d")
