"""Roots that are none, and what the constructor finds out about those that are."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from remote_store import Capability, NotFound, RemoteStoreError
from remote_store_local import AsyncLocalBackend
from remote_store_local._fs import renameat2
from remote_store_local._fs.folder import OpenFolder

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "number", [errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.ENOENT]
)
async def test_a_root_that_takes_no_file(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A root that cannot be written, or is full, can be read: no ATOMIC_MOVE is promised there."""
    (root / "f").write_bytes(b"1")

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(OpenFolder, "open", fail)
        backend = AsyncLocalBackend(root)
    assert Capability.ATOMIC_MOVE not in backend.capabilities
    assert await backend.read_bytes("f") == b"1"


@pytest.mark.parametrize("step", ["open", "rename"])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
async def test_capabilities_are_not_guessed(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """What passes by, as the want of descriptors, takes no capability away: it is an error."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        if step == "open":
            patch.setattr(OpenFolder, "open", fail)
        else:
            patch.setattr(renameat2, "renameat2", fail)
        with pytest.raises(RemoteStoreError) as caught:
            AsyncLocalBackend(root)
    assert isinstance(caught.value.__cause__, OSError)
    assert os.listdir(root) == []
    assert Capability.ATOMIC_MOVE in AsyncLocalBackend(root).capabilities


async def test_roots_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nonsense as a root, and a working directory that is gone, are told as what they are."""
    with pytest.raises(TypeError, match="root must be a str"):
        AsyncLocalBackend(os.fsencode(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="root must not contain a NUL"):
        AsyncLocalBackend("a\0b")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(NotFound, match="working directory") as caught:
        AsyncLocalBackend("data")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
