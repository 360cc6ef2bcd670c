"""
What the conformance kit checks of this plugin; imported by the kit alone.

The kit is not a dependency: it passes its own `Target` class.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import frozen

from remote_store import AsyncBackendSyncAdapter
from remote_store.aio import AsyncBackend, SyncBackendAdapter
from remote_store_local import AsyncLocalBackend, LocalBackend

__all__ = ["conformance_targets"]

#: The async class; the sync class made async; the async class made sync and async again.
_WAYS: Final[dict[str, Callable[[Path], AsyncBackend]]] = {
    "local": AsyncLocalBackend,
    "local:sync": lambda root: SyncBackendAdapter(LocalBackend(root)),
    "local:bridges": lambda root: SyncBackendAdapter(
        AsyncBackendSyncAdapter(AsyncLocalBackend(root))
    ),
}


class _Scratch(Protocol):
    """The folder that the kit gives to one run."""

    @property
    def folder(self) -> Path:
        """An empty local folder."""
        ...


def conformance_targets(target: Callable[..., Any]) -> Iterator[Any]:
    """
    Offer a target for each way to files in a temporary folder.

    Args:
        target: The kit's class of targets.
    """
    for name, make in _WAYS.items():
        yield target(
            name=name,
            open=_opener(make),
            environment="local",
            # Another process always opens the async class; it proves nothing of the others.
            url=_url if name == "local" else None,
            probe=lambda backend, scratch: _DiskFiles(_root(scratch)),
        )


def _root(scratch: _Scratch) -> Path:
    return scratch.folder / "root"


def _url(scratch: _Scratch) -> tuple[str, dict[str, Any]]:
    return _root(scratch).as_uri(), {}


def _opener(
    make: Callable[[Path], AsyncBackend],
) -> Callable[[_Scratch], contextlib.AbstractAsyncContextManager[AsyncBackend]]:
    @contextlib.asynccontextmanager
    async def opened(scratch: _Scratch) -> AsyncGenerator[AsyncBackend, None]:
        backend = make(_root(scratch))
        try:
            yield backend
        finally:
            await backend.aclose()

    return opened


@frozen
class _DiskFiles:
    """The way to the files that does not lead through the plugin."""

    root: Path

    async def put(self, key: str, content: bytes) -> None:
        """Write a file, creating its folders."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    async def get(self, key: str) -> bytes | None:
        """Return a file's content, None where there is no file."""
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    async def names(self, prefix: str) -> list[str]:
        """Return the keys of all files below a folder, temporary ones included."""
        found = (self.root / prefix).rglob("*")
        return [path.relative_to(self.root).as_posix() for path in found if path.is_file()]

    async def remove(self, prefix: str) -> None:
        """Remove a folder with everything in it."""
        if (self.root / prefix).exists():
            shutil.rmtree(self.root / prefix)
