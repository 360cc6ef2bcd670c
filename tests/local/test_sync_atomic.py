"""`open_atomic`: a file is published at the end of its block, or not at all."""

from __future__ import annotations

import gc
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter
from tests.local.test_sync_streams import broken

from remote_store import (
    AlreadyExists,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_local import LocalBackend, _file_objects


def test_open_atomic(local: LocalBackend, root: Path) -> None:
    """A file appears at the end of the block as a whole; it can be sought, read and closed."""
    with local.open_atomic("d/f") as file:
        file.write(b"abc")
        file.seek(1)
        file.write(b"B")
        file.seek(0)
        assert file.read() == b"aBc"
        file.truncate(2)
        assert not local.exists("d/f")
        assert [str(f.path) for f in local.list_files("", recursive=True)] == []
        assert len(litter(root)) == 1
    assert local.read_bytes("d/f") == b"aB"
    assert local.get_file_info("d/f").etag is not None
    os.chmod(root / "d/f", 0o600)
    with local.open_atomic("d/f", overwrite=True) as file, io.TextIOWrapper(file) as text:
        text.write("text")
    assert local.read_bytes("d/f") == b"text"
    assert (root / "d/f").stat().st_mode & 0o777 == 0o600
    with local.open_atomic("a.zip") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", b"y" * 1000)
    with local.read("a.zip") as stream, zipfile.ZipFile(stream) as archive:
        assert archive.read("x") == b"y" * 1000
    with local.open_atomic("none"):
        pass
    assert local.read_bytes("none") == b""
    assert litter(root) == []


def fail_within(local: LocalBackend, key: str, error: BaseException) -> io.BufferedRandom:
    with local.open_atomic(key, overwrite=True) as file:
        file.write(b"part")
        error.args = (file,)
        raise error


@pytest.mark.long
def test_open_atomic_fails(local: LocalBackend, root: Path) -> None:
    """An exception in the block publishes nothing; the file is dead, its buffer goes nowhere."""
    local.write("f", b"old")
    for error in (ValueError(), KeyboardInterrupt(), StopIteration(), OSError()):
        for key in ("f", "d/new"):
            with pytest.raises(type(error)) as caught:
                fail_within(local, key, error)
            assert caught.value is error
            file: Any = error.args[0]
            victim = os.open(root / "f", os.O_RDWR)  # may well get the temporary file's descriptor
            for call in (file.flush, lambda file=file: file.write(b"late")):
                with pytest.raises(ValueError, match="closed file"):
                    call()
            error.args = ()
            error.__traceback__ = None
            del file, call, caught
            gc.collect()
            os.close(victim)
    assert os.listdir(root) == ["f"]
    assert local.read_bytes("f") == b"old"


def test_open_atomic_loses_at_the_end(local: LocalBackend, root: Path) -> None:
    """Who took the name during the block keeps it; a folder that was deleted is named."""
    block = local.open_atomic("late")
    block.__enter__().write(b"mine")
    local.write("late", b"first")
    with pytest.raises(AlreadyExists) as caught:
        block.__exit__(None, None, None)
    assert (caught.value.path, caught.value.backend) == ("late", "local")
    assert local.read_bytes("late") == b"first"
    block = local.open_atomic("d/f")
    block.__enter__().write(b"mine")
    os.unlink(root / "d" / litter(root)[0])
    os.rmdir(root / "d")
    with pytest.raises(PreconditionFailed, match="deleted"):
        block.__exit__(None, None, None)
    assert os.listdir(root) == ["late"]


def test_open_atomic_on_a_full_disk(
    local: LocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ERR-001: what the system raises while the block writes is translated, and not forgotten."""
    real = _file_objects._RawFile._call

    def full(self: Any, function: Any, *args: Any) -> Any:
        return real(self, broken if function.__name__ in ("write", "truncate") else function, *args)

    monkeypatch.setattr(_file_objects._RawFile, "_call", full)
    block = local.open_atomic("f")
    file = block.__enter__()
    with pytest.raises(RemoteStoreError, match="No space") as caught:
        file.write(bytes(1 << 20))
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(RemoteStoreError, match="No space"):
        file.truncate(0)
    with pytest.raises(RemoteStoreError, match="No space"):
        block.__exit__(None, None, None)
    assert os.listdir(root) == []


def test_open_atomic_syncs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a block publishes is on the disk as after `write_atomic`, before it has its name."""
    synced: list[bool] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append((root / "f").exists())
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    for policy, count in (("always", 2), ("atomic", 2), ("never", 0)):
        synced.clear()
        backend = LocalBackend(root, fsync=policy)  # type: ignore[arg-type]
        with backend.open_atomic("f") as file:
            file.write(b"1")
        assert synced == [False, True][:count]
        backend.delete("f")
