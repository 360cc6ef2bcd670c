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
    for asynchronous, sync in unasync.pairs():
        assert unasync.generated(asynchronous, sync) == sync.read_text(), sync


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


ENGINE = '''
async def join(
    source: AsyncStore, path: str, target: AsyncStore, *, retries: int = 2
) -> list[str]:
    """
    Join as `remote_store.aio.AsyncStore.copy` does.

    Raises:
        NotFound: Nothing is there.
    """
    return await something(source)


def plan(store: AsyncStore) -> Plan:
    """Plan."""


async def _own(store: AsyncStore) -> None: ...
'''
RUNNING = """
def join(): ...


# Body by hand: said here.
def plan():
    return Plan(store)
"""
RUNS = '''
def join(source: Store, path: str, target: Store, *, retries: int = 2) -> list[str]:
    """
    Join as `remote_store.Store.copy` does.

    Raises:
        NotFound: Nothing is there.
        RuntimeError: An event loop runs in this thread.
    """
    ours, theirs = as_async_stores(source, target)
    work = joining.join(ours, path, theirs, retries=retries)
    return run(work, ours, theirs)


# Body by hand: said here.
def plan(store: Store) -> Plan:
    """Plan."""
    return Plan(store)
'''


def test_how_the_engine_is_run(
    unasync: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync function runs its namesake; what is made is made of itself again."""
    monkeypatch.setattr(unasync, "ENGINE", tmp_path)
    (tmp_path / "joining.py").write_text(ENGINE)
    for text in (RUNNING, RUNS):
        (tmp_path / "sync.py").write_text(text)
        assert unasync.generated(tmp_path / "joining.py", tmp_path / "sync.py").strip() == (
            RUNS.strip()
        )
    (tmp_path / "sync.py").write_text(RUNNING.replace("join", "other"))
    with pytest.raises(SystemExit, match="lacks join"):
        unasync.generated(tmp_path / "joining.py", tmp_path / "sync.py")
