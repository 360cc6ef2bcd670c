"""Writes, copies and moves that somebody else interferes with at the worst moment."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote_store import (
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs import destination, renameat2
from remote_store_local._fs.folder import OpenFolder

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(("size", "way"), [(100, "read"), (3 << 20, "read"), (3 << 20, "system")])
async def test_copy_of_a_file_that_shrinks(
    root: Path, monkeypatch: pytest.MonkeyPatch, size: int, way: str
) -> None:
    """FAULT-001: a source that is cut short meanwhile is an error at once, and no short copy."""
    backend = AsyncLocalBackend(root)
    (root / "source").write_bytes(bytes(size))
    name = "read" if way == "read" else "copy_file_range"
    read = getattr(os, name)
    reads: list[object] = []

    def late(*args: Any) -> Any:
        if not reads:
            os.truncate(root / "source", 40)
        reads.append(args)
        return read(*args)

    if way == "read":
        monkeypatch.delattr(os, "copy_file_range")
    monkeypatch.setattr(os, name, late)
    with pytest.raises(PreconditionFailed, match=f"shrank from {size} to 40") as caught:
        await backend.copy("source", "target")
    assert caught.value.path == "source"
    assert len(reads) == 2  # not tried again
    assert os.listdir(root) == ["source"]


@pytest.mark.usefixtures("link_fallback")
@pytest.mark.parametrize("late_look", [False, True])
async def test_two_moves_by_links(
    root: Path, monkeypatch: pytest.MonkeyPatch, late_look: bool
) -> None:
    """Of two moves of one file, one wins, and the other leaves no second name behind."""
    backend = LocalBackend(root)
    backend.write("a", b"1")
    if late_look:  # the rival has made its link before the file is looked at
        os.link(root / "a", root / "c")
    link = os.link
    rivals = ["c"]

    def late(*args: Any, **kwargs: Any) -> None:
        link(*args, **kwargs)
        if late_look:
            (root / "a").unlink()
        while rivals and not late_look:
            backend.move("a", rivals.pop())

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(NotFound):
        backend.move("a", "b")
    assert os.listdir(root) == ["c"]
    assert backend.read_bytes("c") == b"1"


@pytest.mark.usefixtures("link_fallback")
async def test_a_move_by_links_leaves_a_new_source(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody writes under the old name while it is moved is not removed."""
    backend = LocalBackend(root)
    backend.write("a", b"old")
    link = os.link

    def late(*args: Any, **kwargs: Any) -> None:
        link(*args, **kwargs)
        backend.write("a", b"new", overwrite=True)

    monkeypatch.setattr(os, "link", late)
    backend.move("a", "b")
    assert {name: backend.read_bytes(name) for name in os.listdir(root)} == {
        "a": b"new",
        "b": b"old",
    }


@pytest.mark.usefixtures("link_fallback")
async def test_a_move_by_links_never_removes_the_last(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is left under the old name, and no rival has the file, it was moved."""
    backend = LocalBackend(root)
    backend.write("a", b"1")
    unlink = OpenFolder.unlink

    def twice(self: OpenFolder, name: str) -> None:
        # As when the answer of a network file system is lost, and the call repeated.
        unlink(self, name)
        unlink(self, name)

    monkeypatch.setattr(OpenFolder, "unlink", twice)
    backend.move("a", "b")
    assert os.listdir(root) == ["b"]


@pytest.mark.usefixtures("link_fallback")
@pytest.mark.parametrize("replaced", [False, True])
async def test_a_source_that_cannot_be_removed(
    root: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    """A refused removal of the old name undoes the new one, unless it is another's by then."""
    backend = LocalBackend(root)
    backend.write("a", b"1")
    unlink = OpenFolder.unlink

    def refuse(self: OpenFolder, name: str) -> None:
        if name == "a":
            if replaced:
                (root / "new").write_bytes(b"2")
                os.link(root / "new", root / "new2")
                os.replace(root / "new", root / "b")
            raise PermissionError(errno.EACCES, "no")
        unlink(self, name)

    monkeypatch.setattr(OpenFolder, "unlink", refuse)
    with pytest.raises(PermissionDenied):
        backend.move("a", "b")
    assert (root / "a").read_bytes() == b"1"
    assert (root / "b").exists() == replaced


@pytest.mark.parametrize("kind", ["write", "stream", "atomic", "copy", "move"])
async def test_a_file_takes_the_name_of_a_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A file that appears where a folder is about to be made is InvalidPath, not missing."""
    backend = LocalBackend(root)
    backend.write("source", b"1")
    make = destination._make_folders

    def late(*args: Any) -> None:
        (root / "d").touch()
        make(*args)

    monkeypatch.setattr(destination, "_make_folders", late)
    calls: dict[str, Callable[[], object]] = {
        "write": lambda: backend.write("d/x/y", b"1", overwrite=True),
        "stream": lambda: backend.write("d/x/y", io.BytesIO(b"1")),
        "atomic": lambda: backend.write_atomic("d/x/y", b"1"),
        "copy": lambda: backend.copy("source", "d/x/y"),
        "move": lambda: backend.move("source", "d/x/y"),
    }
    with pytest.raises(InvalidPath, match="exists as a file") as caught:
        calls[kind]()
    assert isinstance(caught.value.__cause__, NotADirectoryError)
    assert sorted(os.listdir(root)) == ["d", "source"]


async def test_a_folder_that_comes_and_goes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that stood in the way of an overwriting write is InvalidPath, gone by now or not."""
    backend = LocalBackend(root)
    replace = os.replace

    def late(*args: Any, **kwargs: Any) -> None:
        (root / "f").mkdir()
        try:
            replace(*args, **kwargs)
        finally:
            (root / "f").rmdir()

    monkeypatch.setattr(os, "replace", late)
    with pytest.raises(InvalidPath, match="directory"):
        backend.write("f", b"1", overwrite=True)


@pytest.mark.parametrize("link", [False, True])
async def test_a_lost_answer_to_an_exclusive_move(
    root: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    """A move that was done and repeated says that it may have been done, and leaves one name."""
    backend = LocalBackend(root)
    backend.write("a", b"1")
    rename, make_link = renameat2.renameat2, os.link

    def done(*args: Any, **kwargs: Any) -> None:
        if link and not kwargs:
            raise OSError(errno.ENOSYS, "no")
        (make_link if link else rename)(*args, **kwargs)
        raise FileNotFoundError(errno.ENOENT, "repeated")

    monkeypatch.setattr(renameat2, "renameat2", done)
    monkeypatch.setattr(os, "link", done)
    with pytest.raises(NotFound) as caught:
        backend.move("a", "b")
    assert caught.value.outcome_unknown
    assert os.listdir(root) == ["b"]


@pytest.mark.usefixtures("link_fallback")
@pytest.mark.parametrize("names", [1, 2])
async def test_a_source_that_was_removed_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch, names: int
) -> None:
    """A removal of the old name that was done, whatever was answered, ends a move well."""
    backend = LocalBackend(root)
    backend.write("a", b"1")
    if names == 2:
        os.link(root / "a", root / "other")
    unlink = OpenFolder.unlink

    def late(self: OpenFolder, name: str) -> None:
        unlink(self, name)
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(OpenFolder, "unlink", late)
    backend.move("a", "b")
    assert sorted(os.listdir(root)) == ["b", "other"][:names]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_failing_disk_after_the_rename(
    root: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """Where neither the rename nor the file itself tells what was done, the error says so."""
    backend = LocalBackend(root)
    backend.write("a/x", b"1")
    broken: list[bool] = []
    stat = os.fstat

    def failing(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> None:
            function(*args, **kwargs)
            broken.append(True)
            raise OSError(errno.EIO, "lost")

        return call

    def look(fd: int) -> os.stat_result:
        if broken:
            raise OSError(errno.EIO, "broken")
        return stat(fd)

    with monkeypatch.context() as patch:
        patch.setattr(renameat2, "renameat2", failing(renameat2.renameat2))
        patch.setattr(os, "replace", failing(os.replace))
        patch.setattr(os, "fstat", look)
        with pytest.raises(RemoteStoreError, match="cannot be told") as caught:
            backend.write("a/f", b"new", overwrite=overwrite)
    assert caught.value.outcome_unknown
    assert (root / "a/f").read_bytes() == b"new"


@pytest.mark.parametrize("key", ["f", "d/f"])
async def test_a_lost_answer_to_the_first_step_of_a_write(
    root: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """A temporary file that was made, whatever was answered, is no file of somebody else."""
    backend = LocalBackend(root)
    (root / "f").write_bytes(b"old")
    make, left = os.open, [1]

    def late(path: str, flags: int, *args: Any, **kwargs: Any) -> int:
        fd = make(path, flags, *args, **kwargs)
        if flags & os.O_EXCL and left:
            left.clear()
            os.close(fd)
            raise FileExistsError(errno.EEXIST, "repeated")
        return fd

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", late)
        backend.write(key, b"new", overwrite=True)
    assert not left
    assert (root / key).read_bytes() == b"new"
    assert os.listdir((root / key).parent) == ["f"]
