"""Conditional changes of local files: held against threads, processes and plain changes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    ResourceLocked,
)
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs import changing, temp_file
from remote_store_local._fs.changing import Changing, holds_locks
from remote_store_local._fs.folder import LIST, OpenFolder
from remote_store_local._fs.mounts import is_of_this_machine
from remote_store_local._fs.resolve import Root

#: Increments a counter under a condition, a number of times.
COUNT = """
import sys
from remote_store import PreconditionFailed
from remote_store_local import LocalBackend

backend = LocalBackend(sys.argv[1])
for _ in range(int(sys.argv[2])):
    while True:
        etag = backend.get_file_info("counter").etag
        number = int(backend.read_bytes("counter"))
        try:
            backend.write("counter", b"%d" % (number + 1), if_match=etag)
        except PreconditionFailed:
            continue
        break
"""


@contextlib.contextmanager
def held(folder: Path, *, alone: bool) -> Iterator[None]:
    """Somebody is in the middle of a change of a folder."""
    with (
        OpenFolder(os.open(folder, LIST)) as opened,
        Changing(opened, alone=alone, key="k", backend="other"),
    ):
        yield


def test_processes_and_threads_count_together(root: Path) -> None:
    """No increment is lost, whoever made it."""
    backend = LocalBackend(root)
    backend.write("counter", b"0")
    command = [sys.executable, "-P", "-c", COUNT, str(root), "20"]
    others = [subprocess.Popen(command) for _ in range(2)]
    failures: list[BaseException] = []

    def count() -> None:
        own = LocalBackend(root)
        for _ in range(20):
            while True:
                etag = own.get_file_info("counter").etag
                number = int(own.read_bytes("counter"))
                try:
                    own.write("counter", b"%d" % (number + 1), if_match=etag)
                except PreconditionFailed:
                    continue
                except BaseException as error:
                    failures.append(error)
                    raise
                break

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    assert not failures
    assert backend.read_bytes("counter") == b"80"
    assert os.listdir(root) == ["counter"]


def race(calls: dict[str, Callable[[], Any]]) -> dict[str, bool]:
    """Make calls at the same moment, and tell which of them succeeded."""
    barrier, won = threading.Barrier(len(calls)), dict.fromkeys(calls, False)

    def run(name: str) -> None:
        barrier.wait()
        with contextlib.suppress(PreconditionFailed, NotFound):
            calls[name]()
            won[name] = True

    threads = [threading.Thread(target=run, args=(name,)) for name in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


@pytest.mark.parametrize("away", ["move", "delete", "write"])
def test_a_plain_change_is_not_undone(root: Path, away: str) -> None:
    """
    Where both succeed, the conditional one came first.

    A version that was moved away, deleted or replaced is not replaced as well.
    """
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    mine, theirs = LocalBackend(root), LocalBackend(root)
    plain: dict[str, Callable[[], Any]] = {
        "move": lambda: theirs.move("file", "away", overwrite=True),
        "delete": lambda: theirs.delete("file"),
        "write": lambda: theirs.write("file", b"theirs", overwrite=True),
    }
    try:
        for _ in range(150):
            etag = mine.write("file", b"old", overwrite=True).etag
            won = race(
                {
                    "plain": plain[away],
                    "mine": functools.partial(mine.write, "file", b"mine", if_match=etag),
                }
            )
            assert won["plain"]
            now = mine.read_bytes("file") if mine.exists("file") else None
            assert now == (b"theirs" if away == "write" else None)
            if away == "move":
                assert mine.read_bytes("away") == (b"mine" if won["mine"] else b"old")
    finally:
        sys.setswitchinterval(switch)


def test_a_killed_process_leaves_no_lock(root: Path) -> None:
    """Its locks end with it, also where it was killed in the middle of a change."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.local.test_conditions import held\n"
        "with held(Path(sys.argv[1]), alone=True):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    top = Path(__file__).parents[2]
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, cwd=top
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    backend = LocalBackend(root)
    etag = backend.write("file", b"x", overwrite=True).etag
    backend.delete("file", if_match=etag)


def test_a_fork_keeps_no_lock(root: Path) -> None:
    """A child that was forked in the middle of a change has copies of its descriptors."""
    with held(root, alone=True):
        child = os.fork()
        if not child:
            signal.pause()
            os._exit(0)
    try:
        backend = LocalBackend(root)
        backend.delete("file", if_match=backend.write("file", b"x", overwrite=True).etag)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.parametrize("alone", [False, True])
def test_who_never_ends_is_not_waited_for(
    root: Path, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process holds up a change for a time, which then says so and has done nothing."""
    monkeypatch.setattr(changing, "_PATIENCE", 0.05)
    backend = LocalBackend(root)
    etag = backend.write("file", b"old").etag
    changes: list[Callable[[], Any]] = [
        lambda: backend.write("file", b"x", if_match=etag),
        lambda: backend.delete("file", if_match=etag),
        lambda: backend.move("file", "other", if_match=etag),
    ]
    plain: list[Callable[[], Any]] = [
        lambda: backend.write("file", b"x", overwrite=True),
        lambda: backend.move("file", "other"),
        lambda: backend.delete("file"),
    ]
    with held(root, alone=alone):
        for call in changes + plain * alone:
            with pytest.raises(ResourceLocked):
                call()
        assert backend.read_bytes("file") == b"old"
        assert os.listdir(root) == ["file"]
        backend.write("new", b"x")  # what replaces nothing waits for nobody
        for call in [] if alone else plain[:1]:
            call()
    backend.write("file", b"x", if_match=backend.get_file_info("file").etag)


def test_locks_of_other_programs_do_not_matter(root: Path) -> None:
    """``flock /srv/data program`` holds a lock on a folder for as long as the program runs."""
    fd = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        backend = LocalBackend(root)
        etag = backend.write("file", b"x", overwrite=True).etag
        backend.delete("file", if_match=etag)
    finally:
        os.close(fd)


def test_a_folder_that_may_not_be_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be locked: plain changes go on, and a version is not compared there."""
    backend = LocalBackend(root)
    etag = backend.write("file", b"old").etag
    opened = Root.open_folder

    def refusing(self: Root, key: str, *, listing: bool = False) -> OpenFolder:
        if listing:
            raise PermissionError(errno.EACCES, "Permission denied", key)
        return opened(self, key)

    monkeypatch.setattr(Root, "open_folder", refusing)
    for call in (
        lambda: backend.write("file", b"x", if_match=etag),
        lambda: backend.delete("file", if_match=etag),
        lambda: backend.move("file", "other", if_match=etag),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert backend.read_bytes("file") == b"old"
    backend.write("file", b"new", overwrite=True)
    backend.move("file", "other")
    backend.delete("other")
    assert os.listdir(root) == []


def test_declared_only_where_it_holds(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system belongs to this machine, keeps attributes and knows the locks."""
    gate = Capability.CONDITIONAL_WRITE
    assert gate in LocalBackend(root).capabilities
    for name in ("is_of_this_machine", "holds_locks", "keeps_attributes"):
        with monkeypatch.context() as patched:
            patched.setattr(f"remote_store_local._files.{name}", lambda path: False)
            assert gate not in LocalBackend(root).capabilities
            assert gate not in AsyncLocalBackend(root).capabilities
            LocalBackend(root).write("file", b"x", overwrite=True)
            with pytest.raises(CapabilityNotSupported):
                LocalBackend(root).delete("file", if_match="v")


def test_file_systems(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system does not tell, and what it does not know as its own, is not trusted."""
    assert is_of_this_machine(str(root))
    assert is_of_this_machine(str(root / "missing"))
    assert not is_of_this_machine("/proc")
    assert not holds_locks(str(root / "missing"))
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(
        b"22 1 8:1 / / rw - ext4 /dev/sda rw\n"
        b"23 22 0:5 / /mnt/two\\040words rw shared:1 - nfs4 server:/ rw\n"
        b"24 22 0:6 / /mnt/hidden rw - ext4 /dev/sdb rw\n"
        b"25 22 0:7 / /mnt/hidden rw - fuse.sshfs host: rw\n"
    )
    real = open
    monkeypatch.setattr(
        "builtins.open",
        lambda path, *a, **k: real(mounts if path == "/proc/self/mountinfo" else path, *a, **k),
    )
    assert is_of_this_machine("/mnt/twowords")
    assert not is_of_this_machine("/mnt/two words/x")
    assert not is_of_this_machine("/mnt/hidden")
    mounts.unlink()
    assert not is_of_this_machine("/")


def test_an_exclusive_write_needs_no_version(root: Path) -> None:
    """*overwrite* is not looked at where a version is named."""
    backend = LocalBackend(root)
    etag = backend.write("file", b"1").etag
    for overwrite in (False, True):
        etag = backend.write("file", b"2", overwrite=overwrite, if_match=etag).etag
    with pytest.raises(AlreadyExists):
        backend.write("file", b"3")


@pytest.mark.asyncio
async def test_a_link_is_the_file_that_it_leads_to(root: Path) -> None:
    """Its version is that file's: a write replaces it there, a delete removes the link."""
    backend = AsyncLocalBackend(root)
    await backend.write("there/file", b"1")
    (root / "link").symlink_to("there/file")
    etag = (await backend.get_file_info("link")).etag
    assert etag == (await backend.get_file_info("there/file")).etag
    etag = (await backend.write("link", b"2", if_match=etag)).etag
    assert await backend.read_bytes("there/file") == b"2"
    with pytest.raises(PreconditionFailed):
        await backend.delete("link", if_match="v")
    await backend.delete("link", if_match=etag)
    assert await backend.read_bytes("there/file") == b"2"
    assert os.listdir(root) == ["there"]


@pytest.mark.asyncio
async def test_what_another_program_writes_is_a_version(root: Path) -> None:
    """Its bytes change size or times, which are part of the token."""
    backend = AsyncLocalBackend(root)
    etag = (await backend.write("file", b"1")).etag
    await asyncio.sleep(0.02)  # a tick of the file system's clock
    (root / "file").write_bytes(b"2")
    with pytest.raises(PreconditionFailed):
        await backend.write("file", b"3", if_match=etag)
    assert (root / "file").read_bytes() == b"2"


def test_a_recursive_deletion_is_not_undone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that has compared ends before its file is deleted, and not after."""
    backend = LocalBackend(root)
    etag = backend.write("d/f", b"old").etag
    deleting = threading.Thread(
        target=backend.delete_folder, args=("d",), kwargs={"recursive": True}
    )
    compared: Any = vars(temp_file)["etag_at"]

    def late(*args: Any) -> Any:
        found = compared(*args)
        deleting.start()
        deleting.join(0.2)  # it is not to come in between
        return found

    monkeypatch.setattr(temp_file, "etag_at", late)
    backend.write("d/f", b"new", if_match=etag)
    deleting.join()
    assert not backend.exists("d")


def test_a_recursive_deletion_waits_for_nobody_who_is_stuck(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it cannot lock is told, and the rest is deleted."""
    monkeypatch.setattr(changing, "_PATIENCE", 0.05)
    backend = LocalBackend(root)
    for key in ("d/a/f", "d/b/f", "d/f"):
        backend.write(key, b"x")
    with held(root / "d/a", alone=True), pytest.raises(ResourceLocked) as caught:
        backend.delete_folder("d", recursive=True)
    assert (caught.value.path, caught.value.outcome_unknown) == ("d/a", True)
    assert [p.relative_to(root).as_posix() for p in sorted(root.rglob("*"))] == [
        *("d", "d/a", "d/a/f"),
    ]
