"""A copy from one root to another one, which the system makes."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from remote_store import (
    AlreadyExists,
    AsyncBackendSyncAdapter,
    Backend,
    CapabilityNotSupported,
    NotFound,
    PreconditionFailed,
    RemotePath,
    RemoteStoreError,
    Store,
)
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs import temp_file

LARGE = 3 << 20


@pytest.mark.parametrize("size", [0, 10, LARGE])
def test_all_goes_along(tmp_path: Path, size: int) -> None:
    """Content, user metadata and time; and the result tells the copy."""
    source, target = Store(LocalBackend(tmp_path / "a"), "in"), Store(LocalBackend(tmp_path / "b"))
    content = os.urandom(size)
    source.write("x/f", content, metadata={"owner": "ann"})
    os.utime(tmp_path / "a/in/x/f", (10**9, 10**9))

    result = target.copy_from(source, "x/f", "y/g")

    info = target.get_file_info("y/g")
    assert target.read_bytes("y/g") == content
    assert info.metadata == {"owner": "ann"}
    assert info.modified_at.timestamp() == 10**9
    assert result is not None
    assert (str(result.path), result.size, result.etag, result.last_modified) == (
        "y/g",
        size,
        info.etag,
        info.modified_at,
    )
    assert os.listdir(tmp_path / "b") == ["y"]
    assert os.listdir(tmp_path / "b/y") == ["g"]


@pytest.mark.asyncio
async def test_it_is_exclusive_and_names_what_is_missing(tmp_path: Path) -> None:
    """As a copy within one store."""
    source = AsyncStore(AsyncLocalBackend(tmp_path / "a"))
    target = AsyncStore(AsyncLocalBackend(tmp_path / "b"))
    await source.write("f", b"1")
    await target.write("f", b"theirs")

    with pytest.raises(AlreadyExists):
        await target.copy_from(source, "f", "f")
    with pytest.raises(NotFound):
        await target.copy_from(source, "missing", "new")
    assert await target.read_bytes("f") == b"theirs"
    assert await target.copy_from(source, RemotePath("f"), RemotePath("f"), overwrite=True)
    assert await target.read_bytes("f") == b"1"
    assert os.listdir(tmp_path / "b") == ["f"]


def test_one_version_and_a_file_onto_itself(tmp_path: Path) -> None:
    """Another version is refused, and what is there already stays."""
    source, target = Store(LocalBackend(tmp_path / "a")), Store(LocalBackend(tmp_path / "b"))
    old = source.write("f", b"1").etag
    new = source.write("f", b"2", overwrite=True).etag

    with pytest.raises(PreconditionFailed):
        target.copy_from(source, "f", "f", if_match=old)
    assert os.listdir(tmp_path / "b") == []
    assert target.copy_from(source, "f", "f", if_match=new) is not None
    for overwrite in (False, True):
        assert (
            target.copy_from(Store(LocalBackend(tmp_path)), "b/f", "f", overwrite=overwrite) is None
        )
    assert target.read_bytes("f") == b"2"


def test_a_link_out_of_the_source_is_not_followed(tmp_path: Path) -> None:
    """The source's own rules hold, whoever copies."""
    source, target = Store(LocalBackend(tmp_path / "a")), Store(LocalBackend(tmp_path / "b"))
    (tmp_path / "secret").write_bytes(b"1")
    (tmp_path / "a/link").symlink_to(tmp_path / "secret")

    with pytest.raises(Exception, match="link"):
        target.copy_from(source, "link", "x")

    assert os.listdir(tmp_path / "b") == []


@pytest.mark.parametrize("code", [None, *temp_file._NO_COPY])
def test_where_the_system_does_not_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    """It is read and written then: an error at the first bytes, or none of them."""

    def refuse(*_: object) -> int:
        if code is not None:
            raise OSError(code, os.strerror(code))
        return 0

    monkeypatch.setattr(os, "copy_file_range", refuse)
    source, target = Store(LocalBackend(tmp_path / "a")), Store(LocalBackend(tmp_path / "b"))
    content = os.urandom(LARGE)
    source.write("f", content)

    assert target.copy_from(source, "f", "f") is not None
    assert target.read_bytes("f") == content


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other error of the system is the error of the copy."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    source, target = Store(LocalBackend(tmp_path / "a")), Store(LocalBackend(tmp_path / "b"))
    source.write("f", b"1" * LARGE)

    with pytest.raises(RemoteStoreError, match="No space left"):
        target.copy_from(source, "f", "f")
    assert os.listdir(tmp_path / "b") == []


def test_a_source_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing arrives."""
    source, target = Store(LocalBackend(tmp_path / "a")), Store(LocalBackend(tmp_path / "b"))
    source.write("f", b"1" * LARGE)
    real = os.copy_file_range

    def copy(*args: Any) -> int:
        with open(tmp_path / "a/f", "r+b") as file:
            file.write(b"2")
        return real(*args)

    monkeypatch.setattr(os, "copy_file_range", copy)
    with pytest.raises(PreconditionFailed):
        target.copy_from(source, "f", "f")
    assert os.listdir(tmp_path / "b") == []


class Wrapped:
    """Hands on what it does not know, and might change content."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class Upper(LocalBackend):
    """Another content than its files have."""


@pytest.mark.asyncio
async def test_what_may_have_another_content_is_left_alone(tmp_path: Path) -> None:
    """Wrappers, classes made from ours, and the other side, on either end."""
    plain: list[tuple[Backend, Backend]] = [
        (Wrapped(LocalBackend(tmp_path / "a")), LocalBackend(tmp_path / "b")),
        (LocalBackend(tmp_path / "a"), Wrapped(LocalBackend(tmp_path / "b"))),
        (Upper(tmp_path / "a"), LocalBackend(tmp_path / "b")),
        (LocalBackend(tmp_path / "a"), Upper(tmp_path / "b")),
    ]
    Store(LocalBackend(tmp_path / "a")).write("f", b"1")
    for source, target in plain:
        with pytest.raises(CapabilityNotSupported, match="by itself"):
            Store(target).copy_from(Store(source), "f", "g")
        with pytest.raises(CapabilityNotSupported, match="by itself"):
            await AsyncStore(target).copy_from(AsyncStore(source), "f", "g")
    mixed: list[tuple[AsyncBackend | Backend, AsyncBackend | Backend]] = [
        (LocalBackend(tmp_path / "a"), AsyncLocalBackend(tmp_path / "b")),
        (AsyncLocalBackend(tmp_path / "a"), LocalBackend(tmp_path / "b")),
    ]
    for one, other in mixed:
        with pytest.raises(CapabilityNotSupported) as caught:
            await AsyncStore(other).copy_from(AsyncStore(one), "f", "g")
        assert caught.value.capability == "copy_from"
    assert os.listdir(tmp_path / "b") == []


@pytest.mark.asyncio
async def test_through_both_bridges(tmp_path: Path) -> None:
    """A sync backend in an async store, and an async one in a sync store."""
    Store(LocalBackend(tmp_path / "a")).write("f", b"1")
    async with (
        AsyncStore(LocalBackend(tmp_path / "a")) as source,
        AsyncStore(LocalBackend(tmp_path / "b")) as target,
    ):
        assert await target.copy_from(source, "f", "async") is not None

    def sync() -> None:
        with (
            Store(AsyncBackendSyncAdapter(AsyncLocalBackend(tmp_path / "a"))) as one,
            Store(AsyncBackendSyncAdapter(AsyncLocalBackend(tmp_path / "b"))) as other,
        ):
            assert other.copy_from(one, "f", "sync") is not None

    await asyncio.to_thread(sync)
    assert sorted(os.listdir(tmp_path / "b")) == ["async", "sync"]


def test_it_is_logged_as_a_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the new path; not where nothing was done."""
    source, target = Store(LocalBackend(tmp_path / "a")), Store(LocalBackend(tmp_path / "b"))
    source.write("f", b"1")
    caplog.set_level(logging.INFO, "remote_store")

    assert target.copy_from(source, "f", "g") is not None
    with pytest.raises(CapabilityNotSupported):
        target.copy_from(Store(Upper(tmp_path / "a")), "f", "h")

    assert [(r.op, r.path) for r in caplog.records] == [("copy_from", "g")]  # type: ignore[attr-defined]
