"""Moving and copying."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store import (
    AlreadyExists,
    Capability,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_local import AsyncLocalBackend, _transfer
from remote_store_local._fs import renameat2, temp_file

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=["rename", "link"])
def way(request: pytest.FixtureRequest) -> str:
    """Rename without replacing, and its fallback."""
    if request.param == "link":
        request.getfixturevalue("link_fallback")
    return str(request.param)


@pytest.mark.parametrize("kind", ["move", "copy"])
async def test_rules(root: Path, method: str, way: str, kind: str) -> None:
    """MOVE-001 to 006, COPY-001 to 006, on every way of doing it."""
    backend = AsyncLocalBackend(root)
    atomic = Capability.ATOMIC_MOVE in backend.capabilities
    assert atomic == (way == "rename" and method == "walk")
    call = getattr(backend, kind)
    await backend.write("a", b"1")
    await backend.write("b", b"2")
    await backend.write("d/x", b"3")
    with pytest.raises(NotFound):  # the source comes first
        await call("missing", "b")
    with pytest.raises(NotFound):
        await call("missing", "d")
    with pytest.raises(NotFound):
        await call("a/below", "new")
    for src in ("d", "", "."):
        with pytest.raises(InvalidPath):
            await call(src, "new")
    for dst in ("d", "", ".", "./", "/", "b/below", ".~tmp.x"):
        for overwrite in (False, True):
            with pytest.raises(InvalidPath):
                await call("a", dst, overwrite=overwrite)
    with pytest.raises(AlreadyExists, match="b") as caught:
        await call("a", "b")
    assert caught.value.path == "b"
    assert await backend.read_bytes("b") == b"2"
    await call("a", "new/deep/a")
    assert await backend.exists("a") == (kind == "copy")
    assert await backend.read_bytes("new/deep/a") == b"1"
    await call("new/deep/a", "b", overwrite=True)
    assert await backend.read_bytes("b") == b"1"
    assert litter(root) == []


@pytest.mark.parametrize("kind", ["move", "copy"])
async def test_onto_itself(backend: AsyncLocalBackend, method: str, kind: str) -> None:
    """MOVE-005: a file onto itself is a no-op, whatever *overwrite* says."""
    await backend.write("d/f", b"1", metadata={"k": "v"})
    before = await backend.get_file_info("d/f")
    for overwrite in (False, True):
        await getattr(backend, kind)("d/f", "d/f", overwrite=overwrite)
    after = await backend.get_file_info("d/f")
    assert (after.etag, after.metadata) == (before.etag, before.metadata)
    with pytest.raises(NotFound):
        await getattr(backend, kind)("missing", "missing")
    with pytest.raises(InvalidPath):
        await getattr(backend, kind)("d", "d")


async def test_moving_onto_a_second_link(backend: AsyncLocalBackend, root: Path) -> None:
    """Two names of one file: after the move there is one, which a plain rename would not do."""
    await backend.write("a", b"1")
    os.link(root / "a", root / "b")
    with pytest.raises(AlreadyExists):
        await backend.move("a", "b")
    await backend.move("a", "b", overwrite=True)
    assert os.listdir(root) == ["b"]
    os.link(root / "b", root / "B")  # where case counts, another name
    await backend.copy("b", "B", overwrite=True)
    await backend.write("B", b"2", overwrite=True)
    assert await backend.read_bytes("b") == b"1"


async def test_failed_move_removes_its_folders(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that fails leaves no new folders, and the source as it was."""
    await backend.write("a", b"1")

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(renameat2, "renameat2", fail)
    for overwrite in (False, True):
        with pytest.raises(RemoteStoreError, match="copy and delete") as caught:
            await backend.move("a", "x/y/z", overwrite=overwrite)
        assert isinstance(caught.value.__cause__, OSError)
    assert os.listdir(root) == ["a"]


async def test_across_file_systems(root: Path, tmp_path: Path) -> None:
    """EXDEV for real, where this machine lets us mount something."""
    import subprocess

    (root / "mnt").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "none", str(root / "mnt")], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here; the patched test above covers the rule")
    try:
        backend = AsyncLocalBackend(root)
        await backend.write("a", b"1", metadata={"k": "v"})
        for overwrite in (False, True):
            with pytest.raises(RemoteStoreError, match="copy and delete"):
                await backend.move("a", "mnt/b", overwrite=overwrite)
        await backend.copy("a", "mnt/b")
        assert (await backend.get_file_info("mnt/b")).metadata == {"k": "v"}
        with pytest.raises(RemoteStoreError):
            await backend.delete_folder("mnt", recursive=True)  # a mount point stays
        assert await backend.read_bytes("a") == b"1"
    finally:
        subprocess.run(["umount", str(root / "mnt")], check=True)


@pytest.mark.parametrize("kind", ["move", "copy"])
async def test_destination_that_cannot_be_made(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A refusal at the destination carries the destination's key."""
    await backend.write("a", b"1")

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(os, "mkdir", fail)
    with pytest.raises(PermissionDenied) as caught:
        await getattr(backend, kind)("a", "x/y")
    assert caught.value.path == "x/y"


@pytest.mark.parametrize("kind", ["move", "copy"])
@pytest.mark.parametrize("overwrite", [False, True])
async def test_destination_folder_vanishes(
    backend: AsyncLocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    overwrite: bool,
) -> None:
    """A destination folder that is deleted under the call is made again."""
    await backend.write("a", b"1")
    left = [2]

    def vanish() -> None:
        if left[0]:
            left[0] -= 1
            for name in os.listdir(root / "d"):
                os.unlink(root / "d" / name)
            os.rmdir(root / "d")

    rename, publish = _transfer._rename, temp_file.TempFile._publish

    def late_rename(*args: Any) -> None:
        vanish()
        rename(*args)

    def late_publish(self: Any, place: Any) -> None:
        if self.key == "d/f":
            vanish()
        publish(self, place)

    monkeypatch.setattr(_transfer, "_rename", late_rename)
    monkeypatch.setattr(temp_file.TempFile, "_publish", late_publish)
    await getattr(backend, kind)("a", "d/f", overwrite=overwrite)
    assert left == [0]
    assert await backend.read_bytes("d/f") == b"1"
    assert await backend.exists("a") == (kind == "copy")


@pytest.mark.parametrize("kind", ["move", "copy", "write"])
async def test_destination_folder_vanishes_for_ever(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """After many times the call gives up with an error; the source is there."""
    await backend.write("a", b"1")

    def vanish(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, "vanished")

    monkeypatch.setattr(os, "replace", vanish)
    arguments: Any = (b"x",) if kind == "write" else ()
    target = ("d/f", *arguments) if kind == "write" else ("a", "d/f")
    with pytest.raises((NotFound, PreconditionFailed)):
        await getattr(backend, kind)(*target, overwrite=True)
    assert os.listdir(root) == ["a"]


@pytest.mark.parametrize("kind", ["move", "copy", "write"])
@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_folder_takes_the_name(
    backend: AsyncLocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    overwrite: bool,
) -> None:
    """A folder that appears at the destination at the last moment is InvalidPath."""
    await backend.write("a", b"1")
    replace, rename = os.replace, renameat2.renameat2

    def late(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            (root / "b").mkdir()
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(os, "replace", late(replace))
    monkeypatch.setattr(renameat2, "renameat2", late(rename))
    target = ("b", b"x") if kind == "write" else ("a", "b")
    with pytest.raises(InvalidPath, match="exists as a directory"):
        await getattr(backend, kind)(*target, overwrite=overwrite)
    assert await backend.read_bytes("a") == b"1"
    assert litter(root) == []


async def test_lost_race_for_a_name_that_vanished_again(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lost has lost, even when the winner's file is gone by now."""

    def lose(*_: Any) -> None:
        raise FileExistsError(errno.EEXIST, "exists")

    monkeypatch.setattr(renameat2, "renameat2", lose)
    with pytest.raises(AlreadyExists):
        await backend.write("f", b"1")


async def test_cancelled_copy(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled copy gives up early, removes its temporary file, then lets go."""
    import threading
    import time

    await backend.write("a", bytes(64 << 20))
    started = threading.Event()
    copy = temp_file.TempFile.copy_some
    steps: list[int] = []

    def slow(self: Any, fd: int, *args: Any) -> bool:
        more = copy(self, fd, *args)
        steps.append(1)
        started.set()
        time.sleep(0.02)
        return more

    monkeypatch.setattr(temp_file.TempFile, "copy_some", slow)
    task = asyncio.ensure_future(backend.copy("a", "new/b"))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(steps) < 5
    assert os.listdir(root) == ["a"]


@pytest.mark.parametrize("way_", ["rename", "link"])
async def test_atomic_move(root: Path, request: pytest.FixtureRequest, way_: str) -> None:
    """AMOVE-001: seen from beside, a moved file is always under exactly one name."""
    if way_ == "link":
        request.getfixturevalue("link_fallback")
    backend = AsyncLocalBackend(root)
    await backend.write("a", b"1")
    import threading

    stop = threading.Event()
    both: list[tuple[bool, ...]] = []

    def watch() -> None:
        # One reading of the folder is not one moment, so only "none" in two
        # looks at unchanged names, and "both" by open files, would be sure.
        # A folder with two names is read in one system call on this system.
        while not stop.is_set():
            names = set(os.listdir(root))
            both.append(("a" in names, "b" in names))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for _ in range(300):
            await backend.move("a", "b")
            await backend.move("b", "a")
    finally:
        stop.set()
        thread.join()
    seen = set(both)
    assert (False, False) not in seen
    if way_ == "rename":
        assert (True, True) not in seen
        assert Capability.ATOMIC_MOVE in backend.capabilities
    else:
        assert Capability.ATOMIC_MOVE not in backend.capabilities


@pytest.mark.parametrize("failing", ["read", "write"])
async def test_copy_names_the_file_that_failed(
    root: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """An error while reading is about the source, an error while writing about the target."""
    backend = AsyncLocalBackend(root)
    await backend.write("source", b"1")

    def fail(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(RemoteStoreError) as caught:
            await backend.copy("source", "target")
    assert caught.value.path == {"read": "source", "write": "target"}[failing]
    assert isinstance(caught.value.__cause__, OSError)
    assert os.listdir(root) == ["source"]
