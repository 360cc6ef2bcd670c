"""Listings, copies, moves and deletions: how many calls they take, and what they leave."""

from __future__ import annotations

import os
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fsspec.callbacks import Callback

from remote_store import (
    Capability,
    InvalidPath,
    PermissionDenied,
    RemoteStoreError,
    ResourceLocked,
)
from remote_store.aio import AsyncStore
from remote_store_fsspec import RemoteStoreFileSystem
from remote_store_memory import AsyncMemoryBackend

TREE = {"a/1": b"1", "a/b/2": b"22", "a/b/c/3": b"333", "d/4": b"4444", "e": b"55555"}


class _Counting:
    """A backend that counts the calls of its members."""

    def __init__(self) -> None:
        self.backend = AsyncMemoryBackend()
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.backend, name)
        if not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            self.calls[name] += 1
            return found(*args, **options)

        return call


@pytest.fixture
def tree(fs: RemoteStoreFileSystem) -> RemoteStoreFileSystem:
    """A filesystem with some files."""
    fs.pipe(TREE)
    return fs


@pytest.mark.parametrize(
    ("ask", "calls"),
    [
        (lambda fs: fs.ls("a"), {"iter_children": 1}),
        (lambda fs: fs.find("a"), {"list_files": 1}),
        (lambda fs: fs.find("a", withdirs=True), {"list_files": 1}),
        (lambda fs: fs.du(""), {"list_files": 1}),
        (lambda fs: fs.glob("a/**/*"), {"list_files": 1}),
        (lambda fs: fs.glob("a/*"), {"iter_children": 1}),
        (lambda fs: list(fs.walk("a")), {"iter_children": 3}),
        (lambda fs: fs.exists("a"), {"exists": 1}),
        (lambda fs: fs.isdir("a"), {"is_folder": 1}),
        (lambda fs: fs.isfile("a/1"), {"is_file": 1}),
        (lambda fs: fs.info("a/1"), {"get_file_info": 1}),
        (lambda fs: fs.info("a"), {"get_file_info": 1, "is_folder": 1}),
        (lambda fs: fs.find("a", maxdepth=2, withdirs=True), {"iter_children": 2}),
        (lambda fs: fs.rm_file("a/1"), {"delete": 1}),
        (lambda fs: fs.cat("a/1"), {"read_bytes": 1}),
        (lambda fs: fs.pipe("a/1", b"9"), {"write": 1}),
        (lambda fs: fs.open("a/1", "wb").close(), {"write": 1}),
        (lambda fs: fs.open("a/1").read(), {"get_file_info": 1, "read_range": 1}),
        (lambda fs: fs.cat_file("a/1", 0, 1), {"read_range": 1}),
        (lambda fs: fs.cat_ranges(["a/1"] * 3, 0, 1), {"read_range": 1}),
        (lambda fs: fs.cp_file("a/1", "z"), {"copy": 1}),
        (lambda fs: fs.mv("a/1", "z"), {"is_folder": 3, "move": 1}),
        (lambda fs: fs.rm("a", recursive=True), {"delete_folder": 1}),
        (lambda fs: fs.makedirs("a", exist_ok=True), {"create_folder": 1}),
    ],
)
def test_calls(ask: Any, calls: dict[str, int]) -> None:
    """No entry of a listing is asked for by itself."""
    backend = _Counting()
    fs = RemoteStoreFileSystem(store=AsyncStore(backend))
    fs.pipe(TREE)
    backend.calls.clear()

    ask(fs)
    assert backend.calls == calls


def test_listings(tree: RemoteStoreFileSystem) -> None:
    """Names in order, folders with the files, sizes with both."""
    assert tree.ls("", detail=False) == ["/a", "/d", "/e"]
    assert tree.ls("a/1", detail=False) == ["/a/1"]
    assert [(d["name"], d["type"], d["size"]) for d in tree.ls("a")] == [
        ("/a/1", "file", 1),
        ("/a/b", "directory", 0),
    ]
    assert tree.find("") == sorted(f"/{name}" for name in TREE)
    assert tree.find("e") == ["/e"]
    assert tree.find("none") == []
    assert tree.find("", maxdepth=2) == ["/a/1", "/d/4", "/e"]
    every = ["/a", "/a/1", "/a/b", "/a/b/2", "/a/b/c", "/a/b/c/3"]
    assert tree.find("a", withdirs=True) == every
    assert tree.find("a", withdirs=True, maxdepth=9) == every
    assert tree.glob("**/b") == ["/a/b"]
    assert tree.glob("*/[14]") == ["/a/1", "/d/4"]
    assert tree.du("a") == 6
    assert tree.du("a", total=False, maxdepth=1) == {"/a/1": 1}
    assert [(path, folders, files) for path, folders, files in tree.walk("a")] == [
        ("/a", ["b"], ["1"]),
        ("/a/b", ["c"], ["2"]),
        ("/a/b/c", [], ["3"]),
    ]
    assert [path for path, *_ in tree.walk("a", topdown=False)] == ["/a/b/c", "/a/b", "/a"]
    assert [path for path, *_ in tree.walk("", maxdepth=2)] == ["/", "/a", "/d"]
    pruned = []
    for path, folders, _ in tree.walk("a"):
        pruned.append(path)
        folders.clear()
    assert pruned == ["/a"]
    for call in (tree.find, tree.glob, lambda p, maxdepth: list(tree.walk(p, maxdepth))):
        with pytest.raises(ValueError, match="at least 1"):
            call("a", maxdepth=0)


def test_what_is_known_of_a_file(tree: RemoteStoreFileSystem) -> None:
    """Its time and its version, by which programs see whether it has changed."""
    before = tree.ukey("e"), tree.checksum("e")
    details = tree.info("e")
    assert (details["name"], details["size"], details["type"]) == ("/e", 5, "file")
    assert tree.modified("e") == details["mtime"]
    tree.pipe("e", b"66666")
    assert before[0] != tree.ukey("e")
    assert before[1] != tree.checksum("e")
    assert tree.info("a") == {"name": "/a", "size": 0, "type": "directory"}
    assert tree.info("")["type"] == "directory"


def test_signed_addresses(fs: RemoteStoreFileSystem, flat: RemoteStoreFileSystem) -> None:
    """Where the store can sign, plain HTTP reads the file; elsewhere it says that it cannot."""
    flat.pipe("a/b", b"1")
    with urllib.request.urlopen(flat.sign("a/b", expiration=60)) as answer:
        assert answer.read() == b"1"
    with pytest.raises(NotImplementedError):
        fs.sign("a/b")


def test_links_to_folders_are_not_entered(local: RemoteStoreFileSystem, tmp_path: Path) -> None:
    """One may lead back up."""
    local.pipe("a/1", b"1")
    os.symlink("..", tmp_path / "root" / "a" / "up")

    assert local.isdir("a/up")
    assert [path for path, *_ in local.walk("")] == ["/", "/a"]
    assert local.find("", withdirs=True, maxdepth=9) == ["/a", "/a/1", "/a/up"]


def test_removing(tree: RemoteStoreFileSystem) -> None:
    """Files, folders with all that is in them, and what a pattern matches."""
    with pytest.raises(IsADirectoryError):
        tree.rm("a")
    with pytest.raises(OSError, match="not empty"):
        tree.rmdir("a")
    with pytest.raises(FileNotFoundError):
        tree.rm("none")
    with pytest.raises(FileNotFoundError):
        tree.rm("none", recursive=True)
    tree.rm("a", recursive=True, maxdepth=1)
    assert tree.find("a") == ["/a/b/2", "/a/b/c/3"]
    tree.rm(["a", "a/b", "e"], recursive=True)
    assert tree.find("") == ["/d/4"]
    tree.rm("d/*")
    assert tree.find("") == []
    tree.pipe(TREE)
    tree.rm("", recursive=True)
    assert tree.ls("") == []


def test_copying_and_moving(tree: RemoteStoreFileSystem) -> None:
    """A move is a rename of each file; the folders that it has emptied are gone."""
    tree.cp_file("e", "e2")
    tree.copy("a", "copy", recursive=True)
    assert tree.find("copy") == ["/copy/1", "/copy/b/2", "/copy/b/c/3"]
    tree.mv("e2", "a/b/")
    assert tree.cat("a/b/e2") == b"55555"
    with pytest.raises(IsADirectoryError):
        tree.mv("a", "z")
    with pytest.raises(FileNotFoundError):
        tree.mv("none", "z")
    tree.mv("a", "a")
    tree.mv("a", "z", recursive=True)
    assert tree.find("z") == ["/z/1", "/z/b/2", "/z/b/c/3", "/z/b/e2"]
    assert not tree.exists("a")


def test_putting_and_getting(tree: RemoteStoreFileSystem, tmp_path: Path) -> None:
    """A file arrives as a whole, and progress is told."""
    seen = Callback()
    tree.get("a", str(tmp_path / "got"), recursive=True)
    assert sorted(p.name for p in (tmp_path / "got").rglob("*") if p.is_file()) == ["1", "2", "3"]
    tree.get("e", f"{tmp_path}/got/")
    assert (tmp_path / "got" / "e").read_bytes() == b"55555"
    tree.get_file("e", str(tmp_path / "e"), callback=seen)
    assert (seen.size, seen.value) == (5, 5)
    with (tmp_path / "open").open("wb") as file:
        tree.get_file("e", file)
    assert (tmp_path / "open").read_bytes() == b"55555"
    (tmp_path / "large").write_bytes(b"x" * 9_000_000)
    tree.put(str(tmp_path / "large"), "large", callback=seen)
    assert tree.size("large") == 9_000_000
    with pytest.raises(FileNotFoundError):
        tree.get_file("none", str(tmp_path / "none"))
    with pytest.raises(IsADirectoryError):
        tree.get_file("e", str(tmp_path / "got"))
    assert [p.name for p in tmp_path.rglob(".~tmp*")] == []
    assert not (tmp_path / "none").exists()


def test_folders_are_made_where_they_are_real(tree: RemoteStoreFileSystem) -> None:
    """Elsewhere there is nothing to make; what is taken is refused where the program asks."""
    assert tree._opened is not None
    real = tree._opened.store.supports(Capability.CREATE_FOLDER)
    for number, call in enumerate((tree.mkdir, tree.makedirs)):
        call(f"new/{number}/folder")
        assert tree.isdir(f"new/{number}/folder") is real
        with pytest.raises(FileExistsError):
            call("a")
    tree.makedirs("a", exist_ok=True)
    assert tree.cat("a/1") == b"1"
    if not real:
        return
    with pytest.raises(FileExistsError):
        tree.makedirs("e", exist_ok=True)
    with pytest.raises(NotADirectoryError):
        tree.makedirs("e/below", exist_ok=True)
    with pytest.raises(FileNotFoundError):
        tree.mkdir("none/below", create_parents=False)
    tree.mkdir("new/more", create_parents=False)
    assert sorted(tree.ls("new", detail=False)) == ["/new/0", "/new/1", "/new/more"]


def test_errors_are_those_of_the_operating_system(tree: RemoteStoreFileSystem) -> None:
    """What is missing, a folder, below a file, malformed: each has its class."""
    for call in (tree.cat_file, tree.info, tree.ls, tree.open, tree.size, tree.modified):
        with pytest.raises(FileNotFoundError):
            call("none")
    for call in (tree.cat_file, tree.open, tree.rm_file, lambda p: tree.pipe(p, b"")):
        with pytest.raises(IsADirectoryError):
            call("a")
    with pytest.raises(NotADirectoryError):
        tree.pipe("e/below", b"")
    with pytest.raises(NotADirectoryError):
        tree.cp_file("a/1", "e/below")
    with pytest.raises(IsADirectoryError):
        tree.cp_file("a/1", "d")
    for call in (tree.cat_file, tree.exists, tree.isdir, tree.isfile):
        with pytest.raises(ValueError, match=r"\.\."):
            call("../up")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionDenied("no"), PermissionError),
        (ResourceLocked("leased"), OSError),
        (RemoteStoreError("odd"), OSError),
        (InvalidPath("odd"), ValueError),
    ],
)
def test_what_cannot_be_told_raises(error: Exception, expected: type[Exception]) -> None:
    """A refusal is never an answer: not absent, not empty, no other kind."""

    class Refusing(AsyncMemoryBackend):
        async def exists(self, path: str) -> bool:
            raise error

        is_file = exists
        is_folder = exists

        async def get_file_info(self, path: str) -> Any:
            raise error

        async def iter_children(self, path: str) -> Any:
            raise error
            yield

    fs = RemoteStoreFileSystem(store=AsyncStore(Refusing()))
    for call in (fs.exists, fs.isfile, fs.isdir, fs.info, fs.ls):
        with pytest.raises(expected):
            call("a")
    with pytest.raises(expected):
        fs.find("a", withdirs=True, maxdepth=2)
    if expected is not ValueError:
        assert list(fs.walk("a")) == [("/a", [], [])]  # as fsspec says, unless told otherwise
    with pytest.raises(expected):
        list(fs.walk("a", on_error="raise"))
