"""Copies of many files from one root to another one, in one call."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store import (
    AlreadyExists,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    WriteResult,
)
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._fs.resolve import Root
from remote_store_local._transfer import copy_into

COPY_INTO = "remote_store_local._copy_many.copy_into"

Found = list[WriteResult | RemoteStoreError | None]


class Roots:
    """Two roots with files in one of them."""

    def __init__(self, path: Path) -> None:
        self.a, self.b = path / "a", path / "b"
        self.source, self.target = LocalBackend(self.a), LocalBackend(self.b)

    def fill(self, *names: str) -> list[tuple[str, str]]:
        """Write files, each with its name in it; return them as pairs."""
        for name in names:
            self.source.write(name, name.encode())
        return [(name, name) for name in names]

    def copy(self, pairs: list[tuple[str, str]]) -> Found:
        """Copy them, and look what the call leaves open or behind."""
        before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
        found = self.target.copy_many_from(self.source, pairs)
        if before:
            assert len(os.listdir("/proc/self/fd")) == len(before)
        assert litter(self.b) == []
        return list(found)


@pytest.fixture(params=["walk", "path"])
def roots(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Roots:
    """Two roots, with each way of opening folders."""
    monkeypatch.setattr("remote_store_local._files.best_method", lambda: request.param)
    return Roots(tmp_path)


def kinds(found: Found) -> list[type]:
    """Return the classes of results."""
    return [type(one) if isinstance(one, RemoteStoreError) else WriteResult for one in found]


def test_each_goes_along_with_all_that_it_has(roots: Roots) -> None:
    """Content, metadata, time and rights; the results are in order, and tell the copies."""
    pairs = roots.fill("x/1", "2", "x/3", "y/z/4", "x/5")
    roots.source.write("x/1", b"one", overwrite=True, metadata={"owner": "ann"})
    for name, _ in pairs:
        os.utime(roots.a / name, (10**9, 10**9))
    os.chmod(roots.a / "2", 0o640)
    pairs = [(src, f"in/{dst}") for src, dst in pairs]

    found = roots.copy(pairs)

    for (src, dst), result in zip(pairs, found, strict=True):
        info = roots.target.get_file_info(dst)
        assert isinstance(result, WriteResult)
        assert (str(result.path), result.size) == (dst, info.size)
        assert (result.etag, result.last_modified) == (info.etag, info.modified_at)
        assert (roots.b / dst).read_bytes() == (roots.a / src).read_bytes()
        assert info.modified_at.timestamp() == 10**9
    assert roots.target.get_file_info("in/x/1").metadata == {"owner": "ann"}
    assert (roots.b / "in/2").stat().st_mode & 0o777 == 0o640


def test_none_keeps_another_from_being_copied(roots: Roots) -> None:
    """Each that cannot be copied has the error that it has alone."""
    roots.fill("f/1", "f/2", "taken", "folder/3", "f/file")
    roots.target.write("taken", b"theirs")
    roots.target.write("is_folder/x", b"")
    roots.target.write("is_file", b"")
    (roots.a / "f/in").symlink_to("2")
    (roots.a / "f/circle").symlink_to("circle")
    (roots.a.parent / "secret").write_bytes(b"secret")
    (roots.a / "f/out").symlink_to(roots.a.parent / "secret")
    os.mkfifo(roots.a / "f/pipe")
    (roots.a / "f/.~tmp.mine").write_bytes(b"")
    cases: list[tuple[str, str, type]] = [
        ("f/1", "n/1", WriteResult),
        ("f/missing", "n/missing", NotFound),
        ("nowhere/at/all", "n/nowhere", NotFound),
        ("f/file/below", "n/below", NotFound),
        ("folder", "n/folder", InvalidPath),
        ("", "n/root", InvalidPath),
        ("f/../f/1", "n/malformed", InvalidPath),
        ("taken", "taken", AlreadyExists),
        ("f/1", "is_folder", InvalidPath),
        ("f/1", "is_file/below", InvalidPath),
        ("f/1", "n/.~tmp.x", InvalidPath),
        ("f/.~tmp.mine", "n/reserved", NotFound),
        ("f/in", "n/in", WriteResult),
        ("f/circle", "n/circle", InvalidPath),
        ("f/out", "n/out", InvalidPath),
        ("f/pipe", "n/pipe", InvalidPath),
        ("f//2", "n/./2", WriteResult),
        ("f/2", "empty/x/../2", InvalidPath),
        ("f/none", "empty/2", NotFound),
    ]

    found = roots.copy([(src, dst) for src, dst, _ in cases])

    assert kinds(found) == [kind for _, _, kind in cases]
    for (src, dst, kind), error in zip(cases, found, strict=True):
        if not isinstance(error, RemoteStoreError):
            continue
        with pytest.raises(kind) as alone:
            roots.target.copy_from(roots.source, src, dst)
        assert (str(error), error.outcome_unknown) == (str(alone.value), False)
    assert (roots.b / "taken").read_bytes() == b"theirs"
    assert sorted(os.listdir(roots.b)) == ["is_file", "is_folder", "n", "taken"]
    assert sorted(os.listdir(roots.b / "n")) == ["1", "2", "in"]
    assert (roots.b / "n/in").read_bytes() == b"f/2"


def test_folders_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files they hold, and whatever their order."""
    roots = Roots(tmp_path)
    names = [f"{folder}/{number}" for number in range(50) for folder in ("x", "y")]
    pairs = roots.fill(*names)
    opened: list[str] = []
    open_folder = Root.open_folder

    def counted(root: Root, key: str, **options: Any) -> Any:
        opened.append(key)
        return open_folder(root, key, **options)

    monkeypatch.setattr(Root, "open_folder", counted)

    assert set(kinds(roots.copy(pairs))) == {WriteResult}

    # Once in the source; in the target it is missing at first, and made from the root.
    assert len(opened) <= 2 * 7


def test_a_file_onto_itself_stays(roots: Roots) -> None:
    """As alone: it is there."""
    pairs = roots.fill("f")

    assert list(roots.source.copy_many_from(roots.source, pairs)) == [None]

    assert (roots.a / "f").read_bytes() == b"f"


def test_a_folder_that_fails_leaves_none_behind(roots: Roots, monkeypatch: Any) -> None:
    """What was made for copies that were not made goes again."""
    pairs = roots.fill("f/1", "f/2")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    found = roots.copy([(src, f"new/deep/{dst}") for src, dst in pairs])
    monkeypatch.undo()

    assert ["No space left" in str(error) for error in found] == [True, True]
    assert os.listdir(roots.b) == []


def test_the_folder_is_deleted_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who deletes it after some of the copies deletes those; the others make it anew."""
    roots = Roots(tmp_path)
    pairs = roots.fill("f/1", "f/2", "f/3")

    def deleting(*args: Any) -> WriteResult:
        if args[1] == "f/2":
            shutil.rmtree(roots.b / "f")
        return copy_into(*args)

    monkeypatch.setattr(COPY_INTO, deleting)

    assert kinds(roots.copy(pairs)) == [WriteResult] * 3
    assert sorted(os.listdir(roots.b / "f")) == ["2", "3"]


def test_a_link_takes_the_place_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was copied is told all the same, and nothing is followed out of the root."""
    roots = Roots(tmp_path)
    pairs = roots.fill("1", "2")
    (tmp_path / "out/deep").mkdir(parents=True)

    def linking(*args: Any) -> WriteResult:
        copied = copy_into(*args)
        if args[1] == "1":
            (roots.b / "new").rename(roots.b / "moved")
            (roots.b / "new").symlink_to(tmp_path / "out")
        return copied

    monkeypatch.setattr(COPY_INTO, linking)

    found = roots.copy([(src, f"new/deep/{dst}") for src, dst in pairs])

    assert kinds(found) == [WriteResult] * 2
    assert sorted(os.listdir(roots.b / "moved/deep")) == ["1", "2"]
    assert os.listdir(tmp_path / "out/deep") == []


def test_a_file_that_fails_after_a_link_took_the_folders_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told why it failed, and not that its folder cannot be removed."""
    (tmp_path / "out/deep").mkdir(parents=True)
    target = LocalBackend(tmp_path / "b")

    def full(*_: object) -> None:
        (tmp_path / "b/new").rename(tmp_path / "b/moved")
        (tmp_path / "b/new").symlink_to(tmp_path / "out")
        raise OSError(5, "the disk is broken")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RemoteStoreError, match="the disk is broken"):
        target.write("new/deep/1", b"1" * (1 << 20))


def test_a_source_that_changes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it arrives, and the others do."""
    roots = Roots(tmp_path)
    pairs = roots.fill("1", "2", "3")
    read = os.read

    def changing(fd: int, size: int) -> bytes:
        data = read(fd, size)
        if data == b"2":
            os.utime(roots.a / "2", ns=(1, os.stat(roots.a / "2").st_mtime_ns + 1))
        return data

    monkeypatch.setattr(os, "read", changing)

    assert kinds(roots.copy(pairs)) == [WriteResult, PreconditionFailed, WriteResult]
    assert sorted(os.listdir(roots.b)) == ["1", "3"]


def test_what_may_have_arrived_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second attempt would meet the first one, and say that somebody else was faster."""
    roots = Roots(tmp_path)
    pairs = roots.fill("1", "2")

    def late(*args: Any) -> WriteResult:
        result = copy_into(*args)
        if args[1] == "1":
            msg = "late"
            raise RemoteStoreError(msg, path="1", outcome_unknown=True)
        return result

    monkeypatch.setattr(COPY_INTO, late)

    first, second = roots.copy(pairs)

    assert isinstance(first, RemoteStoreError)
    assert first.outcome_unknown
    assert isinstance(second, WriteResult)
    assert sorted(os.listdir(roots.b)) == ["1", "2"]


def test_it_refuses_who_may_have_another_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is done: a class made from ours, or an object with reading of its own."""

    class Other(LocalBackend):
        pass

    roots = Roots(tmp_path)
    pairs = roots.fill("1")
    reads, writes = LocalBackend(roots.a), LocalBackend(roots.b)
    monkeypatch.setattr(reads, "read_bytes", lambda _: b"another")
    monkeypatch.setattr(writes, "write", lambda *_, **__: None)
    for source, target in (
        (Other(roots.a), roots.target),
        (roots.source, Other(roots.b)),
        (reads, roots.target),
        (roots.source, writes),
    ):
        with pytest.raises(CapabilityNotSupported) as caught:
            target.copy_many_from(source, pairs)
        assert caught.value.capability == "copy_many_from"
    assert os.listdir(roots.b) == []


@pytest.mark.asyncio
async def test_a_cancelled_call_stops_between_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was copied stays, whole; nothing else comes, and nothing lies about."""
    roots = Roots(tmp_path)
    pairs = roots.fill(*(f"f/{number}" for number in range(100)))
    reached, go_on = threading.Event(), threading.Event()

    def slow(*args: Any) -> WriteResult:
        if args[1] == "f/10":
            reached.set()
            assert go_on.wait(10)
        return copy_into(*args)

    monkeypatch.setattr(COPY_INTO, slow)
    source, target = AsyncLocalBackend(roots.a), AsyncLocalBackend(roots.b)

    call = asyncio.ensure_future(target.copy_many_from(source, pairs))
    await asyncio.to_thread(reached.wait, 10)
    call.cancel()
    await asyncio.sleep(0.01)
    assert not call.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert len(os.listdir(roots.b / "f")) in (10, 11)
    assert litter(roots.b) == []
    assert all(
        (roots.b / "f" / name).read_text() == f"f/{name}" for name in os.listdir(roots.b / "f")
    )
    await target.aclose()


@pytest.mark.asyncio
async def test_of_many_who_copy_at_once_one_wins_each_file(tmp_path: Path) -> None:
    """Each name has one winner, and its content is whole."""
    names = [f"f/{number}" for number in range(200)]
    backends = [AsyncLocalBackend(tmp_path / str(number)) for number in range(4)]
    target = AsyncLocalBackend(tmp_path / "b")
    for number, backend in enumerate(backends):
        for name in names:
            await backend.write(name, str(number).encode() * 1000)

    found = await asyncio.gather(
        *(target.copy_many_from(backend, [(name, name) for name in names]) for backend in backends)
    )

    for place, name in enumerate(names):
        results = [one[place] for one in found]
        winners = [i for i, result in enumerate(results) if isinstance(result, WriteResult)]
        assert len(winners) == 1
        assert sum(isinstance(result, AlreadyExists) for result in results) == 3
        assert await target.read_bytes(name) == str(winners[0]).encode() * 1000
    assert litter(tmp_path / "b") == []
