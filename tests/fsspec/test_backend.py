"""Filesystems of fsspec as stores to read from."""

from __future__ import annotations

import logging
import os
import pickle
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from remote_store import (
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    Store,
    open_store,
)
from remote_store_fsspec import FsspecBackend


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store over fsspec's filesystem of local files."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "1").write_bytes(b"0123456789")
    (tmp_path / "a" / "b" / "2").write_bytes(b"22")
    with open_store(f"fsspec:file://{tmp_path}") as store:
        yield store


def test_a_url_of_fsspec(store: Store, tmp_path: Path) -> None:
    """What is there is read and listed, in memory, in archives and through our own filesystem."""
    assert [str(info.path) for info in store.list_files("", recursive=True)] == ["a/1", "a/b/2"]
    assert sorted(str(entry.path) for entry in store.iter_children("a")) == ["a/1", "a/b"]
    info = store.get_file_info("a/1")
    assert (info.size, info.modified_at) == (
        10,
        datetime.fromtimestamp((tmp_path / "a" / "1").stat().st_mtime, UTC),
    )
    assert store.get_folder_info("").total_size == 12
    assert store.read_range("a/1", 3, end=6) == b"345"
    assert store.open("a/1").read() == b"0123456789"

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/side", b"zipped")
    with open_store(f"fsspec:zip://in::file://{tmp_path}/a.zip") as zipped:
        assert zipped.read_bytes("side") == b"zipped"
    with open_store("fsspec:remote-store:///a", store=f"local://{tmp_path}") as ours:
        assert ours.read_bytes("1") == b"0123456789"
    fsspec.filesystem("memory").pipe("/of-the-test/x", b"m")
    with open_store("fsspec:memory://of-the-test") as memory:
        assert memory.read_bytes("x") == b"m"
    fsspec.filesystem("memory").rm("/of-the-test", recursive=True)


def test_what_it_cannot_do_is_refused(store: Store) -> None:
    """It declares four capabilities, and the store gates the others."""
    declared = {c for c in Capability if store.supports(c)}
    assert declared == {
        Capability.READ, Capability.LIST, Capability.METADATA, Capability.RANGE_READ
    }  # fmt: skip
    with pytest.raises(CapabilityNotSupported):
        store.write("new", b"")
    with pytest.raises(ValueError, match="nonsense"):
        open_store("fsspec:nonsense://x")


class _Caching(LocalFileSystem):
    """Keeps listings, as filesystems of services do."""

    protocol = "caching"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Any] = {}

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> Any:
        return self._kept.setdefault(path, super().ls(path, detail, **kwargs))

    def invalidate_cache(self, path: str | None = None) -> None:
        self._kept.clear()


def test_what_is_there_is_asked_anew(tmp_path: Path) -> None:
    """A filesystem's cache of listings does not answer for it."""
    store = Store(FsspecBackend(_Caching(), str(tmp_path)))
    (tmp_path / "1").touch()
    assert len(list(store.list_files(""))) == 1
    (tmp_path / "2").touch()
    assert len(list(store.list_files(""))) == 2


class _Odd(LocalFileSystem):
    """Fails in the ways of services, for paths that say how."""

    protocol = "odd"
    cachable = False

    def _fail(self, path: str) -> None:
        for name, error in {
            "denied": PermissionError("no"),
            "down": ConnectionError("https://me:hunter2@host/ is down"),
            "odd": KeyError("odd"),
        }.items():
            if name in str(path):
                raise error

    def info(self, path: str, **kwargs: Any) -> Any:
        self._fail(path)
        found = super().info(path, **kwargs)
        if "unsized" in str(path):
            found["size"] = None
        elif "short" in str(path):
            found["size"] += 5
        elif "long" in str(path):
            found["size"] -= 2
        return {**found, "ETag": f'"{found["mtime"]}"'}

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> Any:
        if "closed" in str(path):
            raise ConnectionError
        found = super().ls(path, detail, **kwargs)
        return [{**one, "size": None} if "/lazy" in one["name"] else one for one in found]


@pytest.fixture
def odd(tmp_path: Path) -> Store:
    """A store over a filesystem that fails."""
    tmp_path = tmp_path / "root"
    tmp_path.mkdir()
    (tmp_path / "good").mkdir()
    (tmp_path / "closed").mkdir()
    for name in ("unsized", "short", "long", "lazy", "good/file", "closed/x"):
        (tmp_path / name).write_bytes(b"12345")
    return Store(FsspecBackend(_Odd(), str(tmp_path)))


def test_a_failure_is_no_answer(odd: Store) -> None:
    """It raises, with the native error as its cause and without what is secret in it."""
    for path, error in {
        "denied": PermissionDenied,
        "down": BackendUnavailable,
        "odd": RemoteStoreError,
    }.items():
        for call in (odd.exists, odd.is_file, odd.is_folder, odd.read_bytes, odd.get_file_info):
            with pytest.raises(error) as raised:
                call(path)
            assert raised.value.__cause__ is not None
            assert "hunter2" not in str(raised.value)
    with pytest.raises(NotFound):
        odd.read_bytes("none")
    with pytest.raises(InvalidPath):
        odd.read_bytes("good")
    with pytest.raises(InvalidPath):
        odd.get_folder_info("good/file")


def test_a_walk_goes_on_and_then_raises(odd: Store) -> None:
    """One folder that cannot be listed does not hide the others."""
    found: list[str] = []
    listing = (str(info.path) for info in odd.list_files("", recursive=True))
    with pytest.raises(RemoteStoreError) as raised:
        found.extend(listing)  # up to the error
    assert sorted(found) == ["good/file", "lazy", "long", "short"]
    kinds = {type(error) for error in (raised.value, *raised.value.others)}
    assert kinds == {BackendUnavailable, RemoteStoreError}  # a closed folder, an unknown size


def test_content_that_ends_too_early_is_an_error(odd: Store) -> None:
    """It must not pass for the whole file; nor may a size that nobody knows."""
    with pytest.raises(RemoteStoreError, match="5 bytes too early"):
        odd.read_bytes("short")
    assert odd.read_bytes("long") == b"123"  # what came later is of another version
    with pytest.raises(RemoteStoreError, match="size"):
        odd.get_file_info("unsized")


def test_a_version_is_compared(odd: Store, tmp_path: Path) -> None:
    """Before the first byte and after the last one, where the filesystem has an ETag."""
    etag = odd.get_file_info("good/file").etag
    assert etag is not None
    assert odd.read_range("good/file", 1, length=2, if_match=etag) == b"23"
    backend = FsspecBackend(_Odd(), str(tmp_path / "root"))
    with backend.read_range("good/file", 1, length=3, if_match=etag) as part:
        os.utime(tmp_path / "root" / "good" / "file", (1, 1))
        with pytest.raises(PreconditionFailed):
            part.read()
    with pytest.raises(PreconditionFailed):  # though there is nothing to read
        odd.read_range("good/file", 100, length=2, if_match=etag)
    with pytest.raises(PreconditionFailed):
        odd.read_range("good/file", 1, length=2, if_match=etag)


def test_names_that_are_no_paths_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning; links to folders are not entered."""
    (tmp_path / "d").mkdir()
    (tmp_path / "a\\b").touch()
    (tmp_path / ".~tmp.x").touch()
    (tmp_path / "d" / "1").touch()
    os.symlink("..", tmp_path / "d" / "up")
    os.symlink("1", tmp_path / "d" / "too")
    os.symlink("none", tmp_path / "d" / "dangling")
    store = Store(FsspecBackend(fsspec.filesystem("file"), str(tmp_path)))
    with caplog.at_level(logging.WARNING):
        found = sorted(str(info.path) for info in store.list_files("", recursive=True))
    assert found == ["d/1", "d/too"]
    assert [hasattr(record, "names_left_out") for record in caplog.records] == [True, False]
    assert [entry.is_link for entry in store.list_folders("d")] == [True]


def test_it_pickles_as_its_filesystem(tmp_path: Path) -> None:
    """And is rebuilt where it arrives."""
    (tmp_path / "a").write_bytes(b"1")
    backend = FsspecBackend(fsspec.filesystem("file"), str(tmp_path))
    assert Store(pickle.loads(pickle.dumps(backend))).read_bytes("a") == b"1"
    assert Store(backend).unwrap(LocalFileSystem) is fsspec.filesystem("file")
    assert Store(backend).to_key(Store(backend).native_path("a")) == "a"
