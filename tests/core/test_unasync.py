"""The sync side of the core is what the async side says, but for what is marked."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from remote_store import Backend, Store
from remote_store.aio import AsyncBackend, AsyncStore

SCRIPT = Path(__file__).parents[2] / "scripts/unasync.py"


@pytest.fixture(scope="module")
def unasync() -> Any:
    spec = importlib.util.spec_from_file_location("unasync", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sync_side_is_as_the_async_side_says(unasync: Any) -> None:
    """Nobody has changed one side alone; ``python scripts/unasync.py`` writes the other."""
    for asynchronous, sync in unasync.PAIRS.items():
        made = unasync.generated(unasync.CORE / asynchronous, unasync.CORE / sync)

        assert made == (unasync.CORE / sync).read_text(), sync


ASYNC = '''
class AsyncStore:
    async def read_bytes(self, path: str, *, size: int = -1) -> bytes:
        """Return bytes; at the call."""
        return await self._call("read_bytes", path, self._backend.read_bytes(path, size))

    async def ping(self) -> None:
        await self._call("ping", "", self._member("check_health")())

    def list_files(self, path: str) -> AsyncGenerator[str, None]:
        """Return an async iterator over files."""
        if path == "all":
            return self._all()
        return self._iterate(path)

    # Async only: said here.
    async def __aenter__(self) -> None: ...
'''
SYNC = """
class Store:
    def read_bytes(self): ...

    def ping(self): ...

    def list_files(self): ...

    # By hand: said here.
    def read(self, path: str) -> bytes:
        return b""
"""
MADE = '''
class Store:
    def read_bytes(self, path: str, *, size: int = -1) -> bytes:
        """Return bytes."""
        return self._call("read_bytes", path, self._backend.read_bytes, path, size)

    def ping(self) -> None:
        self._call("ping", "", self._member("check_health"))

    def list_files(self, path: str) -> Generator[str, None, None]:
        """Yield files."""
        if path == "all":
            yield from self._all()
            return
        yield from self._iterate(path)

    # By hand: said here.
    def read(self, path: str) -> bytes:
        return b""
'''


def test_what_is_made(unasync: Any, tmp_path: Path) -> None:
    """Calls are handed over unmade, iterators become generators, what is marked stays."""
    (tmp_path / "async.py").write_text(ASYNC)
    (tmp_path / "sync.py").write_text(SYNC)

    made = unasync.generated(tmp_path / "async.py", tmp_path / "sync.py")

    assert made.strip() == MADE.strip()


@pytest.mark.parametrize(
    ("side", "mark"),
    [("async.py", "# Async only: said here."), ("sync.py", "# By hand: said here.")],
)
def test_what_has_no_twin_and_no_mark_is_an_error(
    unasync: Any, tmp_path: Path, side: str, mark: str
) -> None:
    """A method of one side alone is on purpose, or forgotten."""
    (tmp_path / "async.py").write_text(ASYNC)
    (tmp_path / "sync.py").write_text(SYNC)
    text = (tmp_path / side).read_text()
    (tmp_path / side).write_text(text.replace(mark, "# Another comment."))

    with pytest.raises(SystemExit, match=r"lacks Store\.(__enter__|read)"):
        unasync.generated(tmp_path / "async.py", tmp_path / "sync.py")


def sections(function: Any) -> set[str]:
    return set(re.findall(r"^ *(Args|Returns|Raises):$", function.__doc__ or "", re.M))


@pytest.mark.parametrize(("sync", "asynchronous"), [(Store, AsyncStore), (Backend, AsyncBackend)])
def test_the_sync_docstrings_say_as_much(sync: Any, asynchronous: Any) -> None:
    """No sync method refers its reader to the async side, or leaves a section out."""
    for name, theirs in inspect.getmembers(asynchronous, inspect.isfunction):
        ours = getattr(sync, {"aclose": "close"}.get(name, name), None)
        if name.startswith("_") or ours is None:
            continue
        assert sections(theirs) <= sections(ours), name
        assert "Async" not in ours.__doc__.replace("AsyncBackendSyncAdapter", ""), name
