"""The sync backend's files: what `read` returns, and what a write takes."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter
from tests.sync.twins import Source

from remote_store import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_local import LocalBackend, _file_objects

pytestmark = pytest.mark.slow


def broken(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "full")


def test_a_stream_is_one_version(local: LocalBackend) -> None:
    """A stream seeks, reads lines, and keeps its version when the file is replaced or deleted."""
    data = b"line 1\nline 2\n" + bytes(1 << 20)
    local.write("f", data)
    with local.read("f") as stream, local.read_seekable("f") as other:
        assert isinstance(stream, io.BufferedReader)
        assert os.fstat(stream.fileno()).st_size == len(data)
        local.write("f", b"new", overwrite=True)
        local.delete("f")
        assert (stream.readable(), stream.seekable(), stream.writable()) == (True, True, False)
        assert stream.readline() == b"line 1\n"
        assert stream.seek(-5, io.SEEK_END) == len(data) - 5
        assert (stream.read(), stream.read(), stream.tell()) == (bytes(5), b"", len(data))
        stream.seek(len(data) + 10)  # beyond the end there is nothing, which is no error
        assert stream.read(1) == b""
        stream.seek(0)
        assert stream.read(3) + stream.read(1 << 19) + stream.read() == data
        assert other.read() == data
        with pytest.raises(io.UnsupportedOperation):
            stream.write(b"x")
    assert stream.closed
    with pytest.raises(NotFound):
        local.read("f")


@pytest.mark.parametrize("size", [-1, 1000, 1 << 20])
def test_a_file_that_shrinks(local: LocalBackend, root: Path, size: int) -> None:
    """FAULT-001: a stream that another program cuts short ends in an error."""
    local.write("f", bytes(300_000))
    with local.read("f") as stream:
        assert len(stream.read(10)) == 10
        os.truncate(root / "f", 200_000)
        with pytest.raises(PreconditionFailed, match="200000 bytes") as caught:
            list(iter(lambda: stream.read(size), b""))
        assert (caught.value.path, caught.value.backend) == ("f", "local")
        with pytest.raises(PreconditionFailed):  # and does not become an ordinary end
            stream.read(size)
    with local.read("f") as stream:
        assert len(stream.read()) == 200_000


def test_raw_reads_of_a_file_that_shrinks(local: LocalBackend, root: Path) -> None:
    """The raw file below the buffer says so as well, in each of its ways to read."""
    for size in (-1, None, 7):
        local.write("f", b"0123456789", overwrite=True)
        with local.read("f") as stream:
            raw = stream.raw  # type: ignore[attr-defined]
            assert raw.read(2) == b"01"
            assert raw.read(0) == b""
            os.truncate(root / "f", 2)
            with pytest.raises(PreconditionFailed):
                raw.read(size)


def test_errors_of_the_system_while_reading(local: LocalBackend) -> None:
    """ERR-001: what the system raises in a stream is translated; its cause is kept."""
    local.write("f", bytes(100))
    with local.read("f") as stream:
        os.dup2(os.open(os.path.dirname(local.native_path("f")), os.O_RDONLY), stream.fileno())
        for size in (-1, 10):
            with pytest.raises(InvalidPath) as caught:
                stream.read(size)
            assert isinstance(caught.value.__cause__, IsADirectoryError)


def test_streams_leak_nothing(local: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed streams, finished blocks and failed openings leave no descriptor."""
    local.write("f", b"1")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        local.read("f").close()
        with local.open_atomic("f", overwrite=True) as file:
            file.write(b"1")
        with pytest.raises(InvalidPath):
            local.read("")
    monkeypatch.setattr(_file_objects._ReadFile, "__init__", broken)
    with pytest.raises(RemoteStoreError, match="No space"):
        local.read("f")
    assert len(os.listdir("/proc/self/fd")) == before


def test_sources_are_read_in_steps(local: LocalBackend) -> None:
    """A file is read a MiB at a time to its end, short reads included, and left open."""
    for write in (local.write, local.write_atomic):
        source: Any = Source(b"a", bytearray(b"b"), memoryview(b"c"))
        result = write("d/f", source, metadata={"k": "v"}, overwrite=True)
        assert source.asked == [1 << 20] * 4
        assert (local.read_bytes("d/f"), result.size, result.source) == (b"abc", 3, "native")
        info = local.get_file_info("d/f")
        assert result.metadata == info.metadata == {"k": "v"}
        assert (result.etag, result.last_modified) == (info.etag, info.modified_at)
    file = io.BytesIO(b"12345")
    file.seek(2)
    local.write("g", file)
    assert local.read_bytes("g") == b"345"
    assert not file.closed
    local.write("empty", io.BytesIO())
    assert local.read_bytes("empty") == b""


def test_failing_sources(local: LocalBackend, root: Path) -> None:
    """The source's exception passes as the same object, and nothing is left of the write."""
    local.write("f", b"old")
    for error in (OSError(5, "disk"), KeyboardInterrupt(), NotFound("mine")):
        for key in ("f", "d/new"):
            source: Any = Source(b"part", error=error)
            with pytest.raises(type(error)) as caught:
                local.write(key, source, overwrite=True)
            assert caught.value is error
    wrong: Any
    for wrong in ("text", io.StringIO("text"), [b"x"], None, 5, Source(None), Source("text")):
        with pytest.raises(TypeError):
            local.write("f", wrong, overwrite=True)
    assert os.listdir(root) == ["f"]
    assert local.read_bytes("f") == b"old"


def test_the_source_comes_last(local: LocalBackend, root: Path) -> None:
    """An existing key and a bad path are refused before the source is read or a block entered."""
    local.write("f", b"old")
    local.write("d/g", b"")
    refused = [("f", AlreadyExists), ("d", InvalidPath), ("f/x", InvalidPath), ("", InvalidPath)]
    for key, kind in [*refused, (".~tmp.x", InvalidPath), ("../x", InvalidPath)]:
        source: Any = Source(b"new")
        with pytest.raises(kind) as caught:
            local.write(key, source)
        assert (caught.value.path, caught.value.backend) == (key, "local")
        with pytest.raises(kind), local.open_atomic(key):
            pytest.fail("the block was entered")
        assert source.asked == []
    assert litter(root) == []


def test_full_disk(local: LocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ERR-001: what the system raises for the backend's own writes is translated."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken)
        with pytest.raises(RemoteStoreError, match="No space") as caught:
            local.write("f", io.BytesIO(b"1"))
        assert isinstance(caught.value.__cause__, OSError)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", broken)
        source: Any = Source(error=ValueError("mine"))
        with pytest.raises(ValueError, match="mine"):  # not the failure of the cleaning
            local.write("f", source)
    assert len(litter(root)) == 1


GROWTH = """
import io, sys
from remote_store_local import LocalBackend

def peak():
    with open("/proc/self/status") as status:
        return next(int(l.split()[1]) for l in status if l.startswith("VmHWM")) / 1024

class Flow(io.RawIOBase):
    def __init__(self, size): self.left = size
    def readable(self): return True
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return b"x" * size

backend = LocalBackend(sys.argv[1], fsync="never")
how, gather = sys.argv[2], sys.argv[3] == "gather"

def run(size):
    if how == "write":
        source = Flow(size)
        backend.write("f", source.read(size) if gather else source, overwrite=True)
    elif how == "open_atomic":
        step = size if gather else 1 << 20
        with backend.open_atomic("f", overwrite=True) as file:
            for _ in range(size // step):
                file.write(b"x" * step)
    else:
        backend.write("f", Flow(size), overwrite=True)
        with backend.read("f") as file:
            while file.read(size if gather else 1 << 20):
                pass

run(8 << 20)
before = peak()
run(256 << 20)
print(peak() - before)
"""


@pytest.mark.long
@pytest.mark.parametrize("how", ["write", "open_atomic", "read"])
def test_streams_are_bounded(root: Path, how: str) -> None:
    """MEM-001: 256 MiB grow the peak by at most 24 MiB, and gathering them would be seen."""
    grown = {}
    for kind in ("stream", "gather"):
        command = [sys.executable, "-c", GROWTH, str(root), how, kind]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        grown[kind] = float(done.stdout)
    assert grown["stream"] <= 24
    assert grown["gather"] > 200
