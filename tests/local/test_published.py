"""What a write reports when it cannot be sure, and what is refused before anything changes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store import PreconditionFailed, RemoteStoreError
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs.folder import OpenFolder

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncLocalBackend], Coroutine[Any, Any, object]]


async def stream() -> AsyncIterator[bytes]:
    yield b"new"


CALLS: dict[str, Call] = {
    "bytes": lambda backend: backend.write("d/f", b"new"),
    "stream": lambda backend: backend.write("d/f", stream()),
    "overwrite": lambda backend: backend.write("d/f", b"new", overwrite=True),
    "copy": lambda backend: backend.copy("source", "d/f"),
    "move": lambda backend: backend.move("source", "d/f"),
}


@pytest.fixture
def synced(root: Path) -> AsyncLocalBackend:
    """A backend that syncs every change, with a file to move and copy."""
    backend = AsyncLocalBackend(root, fsync="always")
    (root / "source").write_bytes(b"new")
    return backend


def refuse_listing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let no folder be opened for syncing."""
    real = os.open

    def opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if path == ".":
            raise OSError(number, os.strerror(number), path)
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", opened)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("made", [False, True])
async def test_refused_before_publishing(
    synced: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, call: Call, made: bool
) -> None:
    """No descriptor for the sync of the folder: the error comes while nothing has changed."""
    if not made:
        (root / "d").mkdir()
    with monkeypatch.context() as patch:
        refuse_listing(patch, errno.EMFILE)
        with pytest.raises(RemoteStoreError, match="open files") as caught:
            await call(synced)
    assert not caught.value.outcome_unknown
    assert sorted(p.name for p in root.rglob("*")) == (["source"] if made else ["d", "source"])
    assert (root / "source").read_bytes() == b"new"
    await call(synced)  # the retry finds nothing in its way
    assert (root / "d/f").read_bytes() == b"new"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_folder_that_cannot_be_read(
    synced: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    """A folder that may be written but not read takes files, and they are synced all the same."""
    events: list[str] = []
    (root / "d").mkdir()
    monkeypatch.setattr(os, "sync", lambda: events.append(f"sync {(root / 'd/f').exists()}"))
    refuse_listing(monkeypatch, errno.EACCES)
    await call(synced)
    assert (root / "d/f").read_bytes() == b"new"
    assert set(events) == {"sync True"}  # after the file was given its name


@pytest.mark.parametrize(
    ("name", "step"),
    [
        *((name, "fsync") for name in CALLS),
        *((name, "fstat") for name in CALLS if name != "move"),  # which looks at nothing
    ],
)
async def test_failure_once_in_place(
    synced: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, name: str, step: str
) -> None:
    """What fails once the file is there says so: the outcome for a power loss is unknown."""
    (root / "d").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    real = getattr(os, step)

    def fail(fd: int) -> Any:
        if (root / "d/f").exists():
            raise OSError(errno.EIO, "disk")
        return real(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(RemoteStoreError, match=r"in place.*disk") as caught:
            await CALLS[name](synced)
    assert type(caught.value) is RemoteStoreError
    assert (caught.value.outcome_unknown, caught.value.path) == (True, "d/f")
    assert isinstance(caught.value.__cause__, OSError)
    assert (root / "d/f").read_bytes() == b"new"
    assert litter(root) == []
    assert len(os.listdir("/proc/self/fd")) == before


async def test_folder_deleted_before_it_is_synced(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is deleted under a synced write is PreconditionFailed as for any other."""
    backend = AsyncLocalBackend(root, fsync="always")

    async def source() -> AsyncIterator[bytes]:
        yield b"x"
        for name in litter(root):
            os.unlink(root / "d" / name)
        os.rmdir(root / "d")

    (root / "d").mkdir()
    with pytest.raises(PreconditionFailed, match="deleted"):
        await backend.write("d/f", source())
    assert os.listdir(root) == []


@pytest.mark.usefixtures("link_fallback")
@pytest.mark.parametrize("content", [b"mine", None])
async def test_own_link_is_a_success(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    """Once linked, a file is written: a temporary name that stays is logged, and no error."""
    backend = AsyncLocalBackend(root)

    def fail(self: OpenFolder, name: str) -> None:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(OpenFolder, "unlink", fail)
    result = await backend.write("f", stream() if content is None else content)
    assert (root / "f").read_bytes() == (content or b"new")
    assert result.etag == (await backend.get_file_info("f")).etag
    assert len(litter(root)) == 1
    assert [r.levelname for r in caplog.records if r.name == "remote_store_local"] == ["WARNING"]


async def test_clean_up_does_not_hide_the_error(
    local: LocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When a full disk refuses a write and then its clean-up, the first is what is raised."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EIO, "disk")

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(OpenFolder, "unlink", fail)
    with pytest.raises(RemoteStoreError, match="No space left"):
        local.write("f", b"x", overwrite=True)
    assert "temporary file" in caplog.text


# Owners and groups -------------------------------------------------------------


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.fixture
def chowns(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Let nobody give a file away, and record who tries."""
    tried: list[tuple[int, int]] = []

    def refuse(fd: int, uid: int, gid: int) -> None:
        tried.append((uid, gid))
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "fchown", refuse)
    return tried


def seem_of_group(monkeypatch: pytest.MonkeyPatch, gid: int) -> None:
    """Let what is looked at by name, and not the files that are written, be of a group."""
    real = os.stat

    def status(*args: Any, **kwargs: Any) -> os.stat_result:
        found = list(real(*args, **kwargs))
        found[stat.ST_GID] = gid
        return os.stat_result(found)

    monkeypatch.setattr(os, "stat", status)


@pytest.mark.parametrize(
    ("mode", "kept"),
    [(0o640, 0o600), (0o664, 0o644), (0o644, 0o644), (0o604, 0o604)],
)
async def test_a_group_never_gains_rights(
    local: LocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    chowns: list[tuple[int, int]],
    mode: int,
    kept: int,
) -> None:
    """Where the old group cannot be kept, the new one may do what everybody may."""
    local.write("f", b"old")
    (root / "f").chmod(mode)
    with monkeypatch.context() as patch:
        seem_of_group(patch, 54321)
        local.write("f", b"new", overwrite=True)
    assert chowns == [(-1, 54321)]
    assert stat.S_IMODE((root / "f").stat().st_mode) == kept
    assert local.read_bytes("f") == b"new"


async def test_nothing_to_give(
    local: LocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, chowns: list[tuple[int, int]]
) -> None:
    """Where owner, group and permissions are the same, nobody sets them."""
    old = os.umask(0o022)
    try:
        local.write("f", b"old")
        real, modes = os.fchmod, []

        def recorded(fd: int, mode: int) -> None:
            modes.append(mode)
            real(fd, mode)

        monkeypatch.setattr(os, "fchmod", recorded)
        local.write("f", b"new", overwrite=True)
        local.copy("f", "g")
        assert (modes, chowns) == ([], [])
        (root / "f").chmod(0o640)
        local.copy("f", "h")
        assert (modes, chowns) == ([0o640], [])
    finally:
        os.umask(old)


async def test_owner_and_group_are_kept(local: LocalBackend, root: Path) -> None:
    """Root replaces and copies a file of somebody else, who can read it afterwards."""
    if os.getuid() != 0:
        pytest.skip("needs root, to give files away")
    local.write("f", b"old")
    os.chown(root / "f", 1234, 777)
    (root / "f").chmod(0o640)
    local.write("f", b"new", overwrite=True)
    local.copy("f", "g")
    assert rights(root / "f") == rights(root / "g") == (1234, 777, 0o640)


async def test_no_other_group_sees_a_temporary_file(local: LocalBackend, root: Path) -> None:
    """While it is written, a file grants its group no more than everybody."""
    old = os.umask(0)
    try:
        local.write("f", b"old")
        (root / "f").chmod(0o640)
        with local.open_atomic("f", overwrite=True):
            (name,) = litter(root)
            assert stat.S_IMODE((root / name).stat().st_mode) == 0o600
        assert stat.S_IMODE((root / "f").stat().st_mode) == 0o640
    finally:
        os.umask(old)
