"""The sync store: listings are lazy, rebased, bounded and closed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.sync.reference import DictBackend, as_backend
from tests.sync.store.probes import paths

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    RemotePath,
    Store,
)
from remote_store.ext.glob import glob_files


def test_listings(store: Store) -> None:
    """Listings are rebased, filtered and bounded as those of the async store."""
    assert paths(store.list_files("")) == ["z.txt"]
    assert paths(store.list_files("", recursive=True)) == ["a/b/y.csv", "a/x.csv", "z.txt"]
    assert paths(store.list_files("", max_depth=1)) == ["a/x.csv", "z.txt"]
    assert paths(store.list_files("", max_depth=0, recursive=True)) == ["z.txt"]
    assert paths(store.list_files("", recursive=True, pattern="?.csv")) == ["a/b/y.csv", "a/x.csv"]
    assert paths(store.list_folders("")) == ["a"]
    assert paths(store.list_folders("", max_depth=1)) == ["a", "a/b"]
    assert paths(store.iter_children("a")) == ["a/b", "a/x.csv"]
    assert paths(store.list_files("gone")) == []
    assert paths(glob_files(store, "**/*.csv")) == ["a/b/y.csv", "a/x.csv"]
    assert paths(glob_files(store, "a/*.csv")) == ["a/x.csv"]
    assert store.get_folder_info("").file_count == 3
    assert store.get_folder_info("", max_depth=0).file_count == 1
    assert store.get_folder_info("a", max_depth=9).path == RemotePath("a")


def test_depth_without_a_limit(store: Store) -> None:
    """A depth that is there to mean "all" costs no more than the folders there are."""
    assert paths(store.list_folders("", max_depth=sys.maxsize)) == ["a", "a/b"]


LAZY: dict[str, tuple[Callable[[Store], Iterator[Any]], type[Exception]]] = {
    "list_files depth": (lambda s: s.list_files("..", max_depth=-1), ValueError),
    "list_files path": (lambda s: s.list_files(".."), InvalidPath),
    "list_folders depth": (lambda s: s.list_folders("..", max_depth=-1), ValueError),
    "list_folders path": (lambda s: s.list_folders(".."), InvalidPath),
    "iter_children": (lambda s: s.iter_children("a/.."), InvalidPath),
    "glob": (lambda s: s.glob(".."), CapabilityNotSupported),
    "glob_files": (lambda s: glob_files(s, "../*"), InvalidPath),
}


@pytest.mark.parametrize("name", LAZY)
def test_listing_errors_appear_at_first_next(store: Store, name: str) -> None:
    """A listing that cannot work says so at the first ``next``, not at the call."""
    call, error = LAZY[name]
    items = call(store)
    with pytest.raises(error):
        next(items)


@pytest.mark.parametrize("name", ["list_files", "list_folders", "iter_children", "glob"])
@pytest.mark.parametrize("how", ["close", "break", "error", "exhausted"])
def test_backend_iterators_are_closed(
    store: Store, backend: DictBackend, name: str, how: str
) -> None:
    """However a listing ends, the backend's generator is closed before it returns (LAZY-005)."""
    closed = []
    real = backend.list_folders if name == "list_folders" else backend.list_files

    def tracked(path: str, **options: Any) -> Iterator[Any]:
        try:
            yield from list(real("root")) * 3
        finally:
            closed.append(name)

    backend.capabilities = CapabilitySet(Capability)
    held = []  # else the count of references would close it, not the store

    def call(path: str, **options: Any) -> Iterator[Any]:
        held.append(tracked(path, **options))
        return held[-1]

    setattr(backend, name, call)
    fresh = Store(as_backend(backend), "root")
    items = fresh.glob("*") if name == "glob" else getattr(fresh, name)("")
    if how == "exhausted":
        list(items)
    else:
        next(items)
        if how == "error":
            with pytest.raises(ZeroDivisionError):
                items.throw(ZeroDivisionError())
        elif how == "close":
            items.close()
        else:
            for _ in items:
                break
            del items
    assert closed == [name]


@pytest.mark.parametrize(
    ("pattern", "listed"),
    [("*/b/**", 3), ("a/**", 1), ("?.txt", 1), ("a/b/*.csv", 1), ("*/*", 2)],
)
def test_search_lists_only_what_can_match(
    store: Store, backend: DictBackend, pattern: str, listed: int
) -> None:
    """The folders on the pattern's way are listed, and from ``**`` on each at once."""
    backend.calls.clear()
    list(glob_files(store, pattern))
    assert len([name for name, _ in backend.calls if name == "list_files"]) == listed
