"""What a backend says when its root is gone, or has become a file."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.operations import OPERATIONS, Kind, Paths, settle

from remote_store import InvalidPath, NotFound, PermissionDenied
from remote_store_local import AsyncLocalBackend, LocalBackend

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("method")]


@pytest.fixture
def backend(root: Path) -> AsyncLocalBackend:
    """A backend whose root has a folder above that can be lost as well."""
    return AsyncLocalBackend(root / "data")


@pytest.fixture(params=["missing", "file", "below a file"])
def lost(request: pytest.FixtureRequest, backend: AsyncLocalBackend, root: Path) -> Path:
    """The backend's root, which is not there any more."""
    (root / "data").rmdir()
    if request.param == "file":
        (root / "data").write_bytes(b"1")
    if request.param == "below a file":
        root.rmdir()
        root.write_bytes(b"1")
    return root / "data"


async def stream() -> AsyncIterator[bytes]:
    yield b"x"


async def gathered(items: Any) -> list[Any]:
    return [item async for item in items]


async def test_questions(backend: AsyncLocalBackend, lost: Path) -> None:
    """Nothing is there, the root neither, and listings are empty."""
    for path in ("", "a", "a/b"):
        assert not await backend.exists(path)
        assert not await backend.is_file(path)
        assert not await backend.is_folder(path)
        assert await gathered(backend.list_files(path, recursive=True)) == []
        assert await gathered(backend.list_folders(path)) == []
        assert await gathered(backend.iter_children(path)) == []
    assert await gathered(backend.glob("**")) == []
    await backend.delete("a", missing_ok=True)
    await backend.delete_folder("a", missing_ok=True)
    await backend.delete_folder("a", recursive=True, missing_ok=True)


CALLS: dict[str, Any] = {
    name: op
    for name, op in OPERATIONS.items()
    if op.kind not in (Kind.QUESTION, Kind.LISTING) and "missing_ok" not in op.options
} | {
    "get_folder_info of the root": lambda b, _: b.get_folder_info(""),
    "stream": lambda b, _: b.write("a", stream()),
}


@pytest.mark.parametrize("call", CALLS)
async def test_whatever_needs_the_root(backend: AsyncLocalBackend, lost: Path, call: str) -> None:
    """The error names the root, and says how to make it; nothing makes it by the way."""
    for paths in (Paths("a", "a", "b"), Paths("a/b", "a/b", "a/b/c")):
        with pytest.raises(NotFound, match="create_root=True") as caught:
            await settle(CALLS[call](backend, paths))
        assert str(lost) in str(caught.value)
        assert caught.value.backend == backend.name
    assert not lost.is_dir()


async def test_sync(local: LocalBackend, root: Path) -> None:
    """The sync backend says the same."""
    root.rmdir()
    assert not local.exists("")
    for call in (
        lambda: local.check_health(),
        lambda: local.read("a"),
        lambda: local.open_atomic("a").__enter__(),
    ):
        with pytest.raises(NotFound, match="create_root=True"):
            call()


async def test_a_root_that_is_refused(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A root that may not be entered is not missing."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for name in ("open", "scandir", "stat"):
        monkeypatch.setattr(os, name, refuse)
    for call in (backend.exists(""), backend.check_health(), backend.read_bytes("a")):
        with pytest.raises(PermissionDenied):
            await call


async def test_a_new_backend(tmp_path: Path) -> None:
    """A backend is not built on a file, nor on nothing if it may not make its root."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidPath):
        LocalBackend(tmp_path / "file")
    with pytest.raises(NotFound):
        LocalBackend(tmp_path / "gone", create_root=False)
