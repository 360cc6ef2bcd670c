"""What walks level by level leave out, and how they go on past a folder that refuses."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.probes import Listener
from tests.sync.reference import DictBackend, as_backend

from remote_store import (
    BackendUnavailable,
    FileInfo,
    FolderEntry,
    PermissionDenied,
    RemotePath,
    RemoteStoreError,
    Store,
    register_plugin,
    unregister_plugin,
)
from remote_store._store.descent import Descent
from remote_store.aio import AsyncStore, SyncBackendAdapter
from remote_store.aio.ext.glob import glob_files as async_glob_files
from remote_store.ext.glob import glob_files

pytestmark = pytest.mark.asyncio

#: What each folder holds: links that lead back up, and two folders that refuse.
TREE = {"": ["a", "bad", "c", "up@", "worse"], "a": ["b", "up@"], "a/b": [], "c": ["d"], "c/d": []}


class Maze(DictBackend):
    """A backend of folders only."""

    refusal: type[RemoteStoreError] = PermissionDenied

    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        if path not in TREE:
            raise self.refusal(f"no: {path}", path=path)
        for name in TREE[path]:
            bare = name.removesuffix("@")
            at = f"{path}/{bare}" if path else bare
            yield FolderEntry(RemotePath(at), bare, name != bare)

    def iter_children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        return self.list_folders(path)


WALKS: dict[str, Callable[[Any], Any]] = {
    "list_folders": lambda store: store.list_folders("", max_depth=9),
    "glob": lambda store: (async_glob_files if isinstance(store, AsyncStore) else glob_files)(
        store, "*/*/*"
    ),
}


async def walked(way: str, walk: str, refusal: type[RemoteStoreError] = PermissionDenied) -> Any:
    """Return the paths that a walk yields, and the error at its end."""
    backend = Maze()
    backend.refusal = refusal
    found: list[str] = []
    try:
        if way == "sync":
            for entry in WALKS[walk](Store(as_backend(backend))):
                found.append(str(entry.path))  # noqa: PERF401 - what came before an error counts
        else:
            async for entry in WALKS[walk](AsyncStore(SyncBackendAdapter(as_backend(backend)))):
                found.append(str(entry.path))  # noqa: PERF401 - what came before an error counts
    except RemoteStoreError as error:
        return found, error
    return found, None


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_walk_goes_on(way: str, walk: str, caplog: pytest.LogCaptureFixture) -> None:
    """Links are not entered, which is logged once; a refusal hides nothing, and comes last."""
    with caplog.at_level(logging.WARNING, "remote_store"):
        found, error = await walked(way, walk)
    if walk == "list_folders":
        assert found == ["a", "bad", "c", "up", "worse", "a/b", "a/up", "c/d"]
    assert isinstance(error, PermissionDenied)
    assert error.path == "bad"
    assert [getattr(rest, "path", None) for rest in error.others] == ["worse"]
    records = [r for r in caplog.records if hasattr(r, "links_left_out")]
    assert [record.links_left_out for record in records] == [2]


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_an_outage_ends_a_walk(way: str) -> None:
    """A service that is down is not asked for each folder again."""
    found, error = await walked(way, "list_folders", BackendUnavailable)
    assert (len(found), error.path, error.others) == (7, "bad", ())


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_an_outage_keeps_what_was_refused(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had failed before the service went down is told with that."""
    refusals = iter([PermissionDenied, BackendUnavailable])
    monkeypatch.setattr(Maze, "refusal", property(lambda self: next(refusals), lambda *_: None))
    _, error = await walked(way, "list_folders")
    assert (type(error), error.path) == (BackendUnavailable, "worse")
    assert [type(other) for other in error.others] == [PermissionDenied]


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("lie", ["a", "b", "ab"])
async def test_a_folder_in_itself(
    way: str, walk: str, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing that gives a folder of elsewhere is an error: following it might never end."""

    def lying(self: Maze, path: str) -> Iterator[FolderEntry]:
        yield FolderEntry(RemotePath(lie if path else "a"), lie if path else "a")

    monkeypatch.setattr(Maze, "list_folders", lying)
    _, error = await walked(way, walk)
    assert type(error) is RemoteStoreError
    assert error.path == "a"


async def test_errors_of_errors_are_told_together() -> None:
    """What a folder's own walk kept is kept with it, in order and flat."""
    descent = Descent("", None)
    levels = descent.levels()
    next(levels)
    for name in ("a", "b"):
        with descent.listing(name):
            raise PermissionDenied(name, path=name, others=(OSError(f"below {name}"),))
    with pytest.raises(PermissionDenied) as caught:
        next(levels)
    assert [str(e.args[0]) for e in caught.value.others] == ["below a", "b", "below b"]


async def test_an_error_that_is_raised_again_is_told_once() -> None:
    """One object for several folders is not among its own others, which would have no end."""
    descent = Descent("", None)
    levels = descent.levels()
    next(levels)
    same, other = PermissionDenied("no"), PermissionDenied("nor this")
    for error in (same, other, same, other):
        with descent.listing("a"):
            raise error
    with pytest.raises(PermissionDenied) as caught:
        next(levels)
    assert caught.value is same
    assert same.others == (other,)


FILES: dict[str, Callable[[Any], Any]] = {
    "list_files": lambda store: store.list_files("", recursive=True),
    "list_files by depth": lambda store: store.list_files("", max_depth=3),
    "glob_files": lambda store: (async_glob_files if isinstance(store, AsyncStore) else glob_files)(
        store, "**"
    ),
    "get_folder_info": lambda store: store.get_folder_info("", max_depth=3),
}


async def gathered(call: Callable[[], Any], found: list[Any]) -> None:
    """Add to *found* what a call of either store yields, one by one."""
    result = call()
    if inspect.isawaitable(result):
        await result
    elif inspect.isgenerator(result):
        for entry in result:
            found += [entry]
    else:
        async for entry in result:
            found += [entry]


@pytest.mark.parametrize("call", FILES)
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_the_backends_own_walk(way: str, call: str) -> None:
    """Its files come first, then its error as it is, which listeners hear of, too."""
    error = PermissionDenied("no", path="bad", others=(PermissionDenied("no", path="worse"),))
    backend: Any = DictBackend({"a/b": b"1"})
    walk = backend.list_files

    def refusing(path: str, **options: Any) -> Iterator[FileInfo]:
        yield from walk(path, **options)
        raise error

    backend.list_files = refusing
    sync = Store(as_backend(backend))
    store: Any = AsyncStore(SyncBackendAdapter(as_backend(backend)))
    found: list[Any] = []
    listener = Listener()
    register_plugin(listener)
    try:
        with pytest.raises(PermissionDenied) as caught:
            await gathered(lambda: FILES[call](sync if way == "sync" else store), found)
    finally:
        unregister_plugin(listener)
    assert caught.value is error
    assert [other.path for other in error.others if isinstance(other, PermissionDenied)] == [
        "worse"
    ]
    assert [str(entry.path) for entry in found] == ["a/b"] * (call != "get_folder_info")
    assert [event.error for event in listener.events] == [error]


@pytest.mark.parametrize("depth", [0, 1])
async def test_a_child_keeps_links(depth: int) -> None:
    """Whether a folder is a link survives the way through a store with a root."""
    store = Store(as_backend(Maze()), "a")
    found = list(store.list_folders("", max_depth=depth))
    assert [(str(entry.path), entry.is_link) for entry in found] == [("b", False), ("up", True)]
