"""The sweep: litter of dead writers goes, everything else stays."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store import DirectoryNotEmpty, InvalidPath, RemoteStoreError
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs import renameat2, sweep, temp_file
from remote_store_local._fs.folder import OpenFolder

pytestmark = pytest.mark.asyncio

DAY = 24 * 3600
#: The tests live so many seconds after the files that they make: the time of
#: a file's last change of status cannot be set.
LATER = 100 * DAY


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shift the sweep's clock."""
    monkeypatch.setattr(sweep, "now", lambda: time.time() + LATER)


def make(path: Path, age: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    then = time.time() + LATER - age
    os.utime(path, (then, then))
    return path


async def test_what_goes_and_what_stays(
    backend: AsyncLocalBackend, root: Path, tmp_path: Path
) -> None:
    """Older than 24 hours, unlocked, reserved, a file, and in the tree."""
    old = [make(root / ".~tmp.1", DAY + 60), make(root / "a/b/.~tmp.2", 99 * DAY)]
    young = make(root / "a/.~tmp.3", DAY - 60)
    named = make(root / "a/x.~tmp.4", 99 * DAY)
    folder = make(root / ".~tmp.d/x", 99 * DAY).parent
    os.utime(folder, (0, 0))
    outside = make(tmp_path / "outside/.~tmp.5", 99 * DAY)
    (root / "link").symlink_to(tmp_path / "outside")
    (root / ".~tmp.link").symlink_to(outside)
    os.utime(root / ".~tmp.link", (0, 0), follow_symlinks=False)
    locked = make(root / "a/.~tmp.6", 99 * DAY)
    with locked.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        told: list[str] = []
        assert await backend.sweep(dry_run=True, found=told.append) == 2
        assert sorted(told) == [".~tmp.1", "a/b/.~tmp.2"]
        assert all(path.exists() for path in old)
        assert await backend.sweep() == 2
    for path in (young, named, folder / "x", outside, locked, root / ".~tmp.link"):
        assert path.exists(), path
    assert not any(path.exists() for path in old)
    assert await backend.sweep("a/b") == 0
    assert await backend.sweep("a") == 1  # its writer has died by now
    assert await backend.sweep("missing") == 0
    with pytest.raises(InvalidPath):
        await backend.sweep("../x")


async def test_old_times_of_a_copy_are_no_age(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary file with the old time of its source is as young as its last change."""
    times: list[float] = []
    with monkeypatch.context() as patch:

        def die(temporary: temp_file.TempFile, place: object) -> None:
            times.append(os.fstat(temporary.fd).st_mtime)
            temporary._litter = ""  # nobody cleans up
            raise KeyboardInterrupt

        patch.setattr(temp_file.TempFile, "_publish", die)
        make(root / "old", 0)
        os.utime(root / "old", (0, 0))
        with pytest.raises(KeyboardInterrupt):
            LocalBackend(root).copy("old", "new")
    assert times == [0]
    real = time.time()
    monkeypatch.setattr(sweep, "now", lambda: real + DAY - 60)
    assert await backend.sweep() == 0
    assert len(litter(root)) == 1
    monkeypatch.setattr(sweep, "now", lambda: real + DAY + 60)
    assert await backend.sweep() == 1
    assert litter(root) == []


async def test_living_stream_keeps_its_file(backend: AsyncLocalBackend, root: Path) -> None:
    """A stream that takes longer than a day is not swept, by no other process either."""
    other = AsyncLocalBackend(root)
    code = (
        "import asyncio, sys, time; from remote_store_local import AsyncLocalBackend; "
        "from remote_store_local._fs import sweep; "
        f"sweep.now = lambda: time.time() + {3 * DAY}; "
        "print(asyncio.run(AsyncLocalBackend(sys.argv[1]).sweep()))"
    )

    async def source() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        assert await other.sweep() == 0
        result = subprocess.run(
            [sys.executable, "-c", code, root], capture_output=True, text=True, check=True
        )
        assert result.stdout.strip() == "0"
        assert len(litter(root)) == 1
        yield b"end"

    assert (await backend.write("d/f", source())).size == (2 << 20) + 3


async def test_folder_with_nothing_but_litter(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that looks empty is deleted if its litter is stale, else the error says why."""
    make(root / "d/.~tmp.1", 2 * DAY)
    await backend.delete_folder("d")
    assert not (root / "d").exists()
    young = make(root / "d/.~tmp.1", 60)
    with pytest.raises(DirectoryNotEmpty, match="temporary files of writes") as caught:
        await backend.delete_folder("d")
    assert isinstance(caught.value.__cause__, OSError)
    assert young.exists()
    await backend.delete_folder("d", recursive=True)  # nobody holds it
    assert not (root / "d").exists()
    make(root / "d/.~tmp.1", 2 * DAY)

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EIO, "disk")

    rmdir = OpenFolder.rmdir
    calls: list[int] = []

    def second(self: Any, name: str) -> None:
        calls.append(1)
        (fail if len(calls) > 1 else rmdir)(self, name)

    monkeypatch.setattr(OpenFolder, "rmdir", second)
    with pytest.raises(RemoteStoreError, match="disk"):
        await backend.delete_folder("d")


async def test_recursive_delete_spares_a_living_writer(
    backend: AsyncLocalBackend, root: Path
) -> None:
    """A file that is being written survives: its write comes after the deletion."""

    async def source() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        with pytest.raises(DirectoryNotEmpty, match="temporary files of writes"):
            await backend.delete_folder("d/e")
        (root / "d/other").write_bytes(b"")
        await backend.delete_folder("d", recursive=True)
        assert not (root / "d/other").exists()
        yield b"end"

    await backend.write("d/e/f", source())
    assert len(await backend.read_bytes("d/e/f")) == (2 << 20) + 3


async def test_what_cannot_be_opened_is_left(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that cannot be looked at may be held: the file stays."""
    make(root / ".~tmp.1", 2 * DAY)

    def fail(self: Any, name: str, *_: Any) -> int:
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(OpenFolder, "open", fail)
    assert await backend.sweep() == 0
    assert litter(root) == [".~tmp.1"]


async def test_swept_by_two(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Litter and folders that another sweep removed first are no error."""
    make(root / ".~tmp.1", 2 * DAY)
    make(root / "d/.~tmp.1", 2 * DAY)
    live = sweep.is_live

    def late(folder: Any, name: str) -> bool:
        (root / ".~tmp.1").unlink()
        (root / "d/.~tmp.1").unlink()
        (root / "d").rmdir()
        return live(folder, name)

    monkeypatch.setattr(sweep, "is_live", late)
    assert await backend.sweep() == 0


async def test_without_locks(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no flock, writes work, and age alone decides."""
    monkeypatch.setattr(temp_file, "fcntl", None)
    monkeypatch.setattr(sweep, "fcntl", None)
    await backend.write("f", b"1")
    make(root / ".~tmp.1", 2 * DAY)
    make(root / ".~tmp.2", 60)
    assert await backend.sweep() == 1


# Plain renames are for systems that go by paths.
@pytest.mark.parametrize("method", ["path"], indirect=True)
async def test_without_renaming_open_files(
    root: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Where open files cannot be renamed, they are closed first; the rest is the same."""
    for module in (temp_file, renameat2):
        monkeypatch.setattr(module, "RENAMES_OPEN_FILES", False)

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSYS, "")

    def rename(src: str, dst: str) -> None:
        # As on Windows: a plain rename replaces nothing.
        if os.path.lexists(dst):
            raise FileExistsError(errno.EEXIST, "exists")
        os.replace(src, dst)

    monkeypatch.setattr(renameat2, "renameat2", refuse)
    monkeypatch.setattr(os, "rename", rename)
    backend = AsyncLocalBackend(root)
    result = await backend.write("d/f", b"1", metadata={"a": "b"})
    assert result.etag == (await backend.get_file_info("d/f")).etag
    with pytest.raises(FileExistsError):
        await backend.write("d/f", b"2")
    await backend.write("d/f", b"22", overwrite=True)
    assert await backend.read_bytes("d/f") == b"22"
    assert litter(root) == []


def _as_nfs(fd: int, operation: int) -> None:
    if operation & fcntl.LOCK_EX and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "an exclusive lock is for writers")


async def test_litter_on_a_network_file_system(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS gives no exclusive lock on a file that was opened for reading, which says nothing."""
    monkeypatch.setattr(fcntl, "flock", _as_nfs)
    make(root / "a/.~tmp.1", 60)
    await backend.delete_folder("a", recursive=True)
    assert not (root / "a").exists()
    make(root / ".~tmp.1", 2 * DAY)
    assert await backend.sweep() == 1


async def test_two_who_look_do_not_see_each_other(backend: AsyncLocalBackend, root: Path) -> None:
    """Whoever just looks whether a file is being written is no writer of it for others."""
    with make(root / "a/.~tmp.1", 60).open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        await backend.delete_folder("a", recursive=True)
    assert not (root / "a").exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
async def test_locks_that_cannot_be_told(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Who cannot tell says so, and does not take litter for a living writer's for ever."""

    def refuse(*_: Any) -> None:
        raise OSError(number, "no lock")

    monkeypatch.setattr(fcntl, "flock", refuse)
    litter_ = make(root / "a/.~tmp.1", 60)
    with pytest.raises(RemoteStoreError, match="no lock"):
        await backend.delete_folder("a", recursive=True)
    assert litter_.exists()
    make(litter_, 2 * DAY)
    if number == errno.ENOTSUP:  # age alone tells
        assert await backend.sweep() == 1
    else:
        with pytest.raises(RemoteStoreError, match="no lock"):
            await backend.sweep()
    await backend.delete_folder("a", recursive=True)
    assert not (root / "a").exists()
