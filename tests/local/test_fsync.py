"""Which writes are brought to the disk before they return."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remote_store import RemoteStoreError
from remote_store_local import AsyncLocalBackend

pytestmark = pytest.mark.asyncio


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record syncs and publications in their order."""
    seen: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(fd: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def replaced(*args: Any, **kwargs: Any) -> None:
        seen.append("publish")
        replace(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return seen


async def stream() -> AsyncIterator[bytes]:
    yield b"x"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("policy", "kind", "synced"),
    [
        ("always", "write", True),
        ("always", "write_atomic", True),
        ("atomic", "write", False),
        ("atomic", "write_atomic", True),
        ("never", "write", False),
        ("never", "write_atomic", False),
    ],
)
async def test_writes(
    root: Path, events: list[str], policy: Any, kind: str, synced: bool, streamed: bool
) -> None:
    """The file before it is published, its folder afterwards, or neither."""
    backend = AsyncLocalBackend(root, fsync=policy)
    content = stream() if streamed else b"x"
    await getattr(backend, kind)("f", content, overwrite=True)
    assert events == (["file", "publish", "folder"] if synced else ["publish"])
    events.clear()
    await getattr(backend, kind)("a/b/f", stream() if streamed else b"x", overwrite=True)
    # The new folders' own entries as well, beforehand: "a" in the root, "b" in "a".
    expected = ["file", "folder", "folder", "publish", "folder"]
    assert events == (expected if synced else ["publish"])


async def test_default(root: Path, events: list[str]) -> None:
    """The default syncs what `write_atomic` wrote."""
    backend = AsyncLocalBackend(root)
    await backend.write("f", b"x", overwrite=True)
    await backend.write_atomic("f", b"x", overwrite=True)
    assert events == ["publish", "file", "publish", "folder"]


@pytest.mark.parametrize("policy", ["always", "atomic", "never"])
async def test_move_and_copy(root: Path, events: list[str], policy: Any) -> None:
    """Moves and copies are synced by ``always`` only."""
    backend = AsyncLocalBackend(root, fsync=policy)
    (root / "f").write_bytes(b"x")
    await backend.copy("f", "g", overwrite=True)
    assert events == (["file", "publish", "folder"] if policy == "always" else ["publish"])
    events.clear()
    await backend.move("g", "a/h", overwrite=True)
    expected = ["folder", "publish", "folder", "folder"]  # the root for "a", "a", the root
    assert events == (expected if policy == "always" else ["publish"])


async def test_copies_of_many_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file and its name; and the names of the folders that were made for them."""
    source, target = (AsyncLocalBackend(root / name, fsync="always") for name in "st")
    for name in ("1", "2"):
        (root / "s" / name).write_bytes(b"x")
    synced: list[int] = []
    fsync = os.fsync

    def noted(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    await target.copy_many_from(source, [("1", "a/b/1"), ("2", "a/b/2")])
    one, two, above, a, b = (
        (root / path).stat().st_ino for path in ("t/a/b/1", "t/a/b/2", "t", "t/a", "t/a/b")
    )
    assert synced == [one, above, a, b, two, b]


async def test_unsynced_folder_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the folder cannot be synced the caller is told; the new file stays whole."""
    backend = AsyncLocalBackend(root)
    fsync = os.fsync

    def fail(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(5, "disk")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", fail)
    for content in (b"x", stream()):
        with pytest.raises(RemoteStoreError, match="disk") as caught:
            await backend.write_atomic("f", content, overwrite=True)
        assert caught.value.outcome_unknown
        assert os.listdir(root) == ["f"]
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(RemoteStoreError, match="disk"):
        await backend.write_atomic("f", b"y", overwrite=True)
    assert len(os.listdir("/proc/self/fd")) == before
