"""What the conformance kit checks of the backend: fsspec's own filesystem of local files."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import fsspec
from attrs import frozen

from remote_store.aio import AsyncBackend, SyncBackendAdapter
from remote_store_fsspec import FsspecBackend

__all__ = ["conformance_targets"]


def conformance_targets(target: Callable[..., Any]) -> Iterator[Any]:
    """
    Offer the filesystem of local files, below the run's own folder.

    Args:
        target: The kit's class of targets.
    """
    yield target(
        name="fsspec:file",
        open=_opened,
        environment="local",
        probe=lambda backend, scratch: _Files(fsspec.filesystem("file"), _root(scratch)),
    )


def _root(scratch: Any) -> str:
    return str(scratch.folder / "root")


@contextlib.asynccontextmanager
async def _opened(scratch: Any) -> AsyncGenerator[AsyncBackend, None]:
    fs = fsspec.filesystem("file")
    fs.makedirs(_root(scratch), exist_ok=True)
    backend = SyncBackendAdapter(FsspecBackend(fs, _root(scratch)))
    try:
        yield backend
    finally:
        await backend.aclose()


@frozen
class _Files:
    """The way to the files that does not lead through the backend."""

    fs: Any
    root: str

    async def put(self, key: str, content: bytes) -> None:
        """Write a file, creating its folders."""
        path = f"{self.root}/{key}"
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(path, content)

    async def get(self, key: str) -> bytes | None:
        """Return a file's content, None where there is no file."""
        try:
            found: bytes = self.fs.cat_file(f"{self.root}/{key}")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return found

    async def names(self, prefix: str) -> list[str]:
        """Return the keys of all files below a folder."""
        found = self.fs.find(f"{self.root}/{prefix}")
        return [str(name).removeprefix(f"{self.root}/") for name in found]

    async def remove(self, prefix: str) -> None:
        """Remove a folder with everything in it."""
        if self.fs.exists(f"{self.root}/{prefix}"):
            self.fs.rm(f"{self.root}/{prefix}", recursive=True)
