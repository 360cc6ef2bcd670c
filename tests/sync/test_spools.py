"""Files kept in memory or on disk for a while: what a body does to them, and what is left."""

from __future__ import annotations

import csv
import gc
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.sync.reference import DictBackend, as_backend

from remote_store import AsyncBackendSyncAdapter, RemoteStoreError, Store
from remote_store._threads.spool import spooled_read
from remote_store_memory import AsyncMemoryBackend

BIG = b"x" * (9 << 20)


@pytest.fixture(params=["default of the protocol", "adapter"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store whose open_atomic is a spool."""
    if request.param == "adapter":
        backend: Any = AsyncBackendSyncAdapter(AsyncMemoryBackend())
    else:
        backend = as_backend(DictBackend())
    with Store(backend) as store:
        yield store


def in_text_wrapper(file: Any) -> None:
    with io.TextIOWrapper(file, newline="") as text:
        csv.writer(text).writerow([1, 2])


def in_lost_text_wrapper(file: Any) -> None:
    io.TextIOWrapper(file, newline="").write("1,2\r\n")
    gc.collect()


def in_buffer(file: Any) -> None:
    with io.BufferedWriter(file) as buffer:
        buffer.write(b"1,2\r\n")


def closed(file: Any) -> None:
    file.write(b"1,2\r\n")
    file.close()
    file.close()


def left(file: Any) -> None:
    with file:
        file.write(b"1,2\r\n")


@pytest.mark.long
@pytest.mark.parametrize("write", [in_text_wrapper, in_lost_text_wrapper, in_buffer, closed, left])
@pytest.mark.parametrize("before", [b"", BIG])
def test_file_that_the_block_closes(
    store: Store, write: Callable[[Any], None], before: bytes
) -> None:
    """What was written is published, and a closed file takes no more."""
    with store.open_atomic("n") as file:
        file.write(before)
        write(file)
        assert file.closed
        with pytest.raises(ValueError, match="closed"):
            file.write(b"late")
    assert store.read_bytes("n") == before + b"1,2\r\n"


def test_block_that_closes_and_fails(store: Store) -> None:
    """An exception publishes nothing, also after the file was closed."""
    with pytest.raises(ZeroDivisionError), store.open_atomic("n") as file:
        file.write(b"%d" % (file.close() or 1 // 0))
    assert not store.exists("n")


class Broken(io.RawIOBase):
    """A stream of which one method fails."""

    def __init__(self, method: str, answer: Any) -> None:
        self.closings = 0
        setattr(self, method, answer)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return 0

    def close(self) -> None:
        self.closings += 1
        super().close()


def fail(*_: object) -> Any:
    raise OSError("broken")


@pytest.mark.parametrize("method", ["seekable", "readinto", "read"])
def test_stream_that_fails_is_closed(method: str) -> None:
    """Whatever fails, the stream is closed and the error is raised."""
    stream = Broken(method, fail)
    with pytest.raises(OSError, match="broken"):
        spooled_read(cast("Any", stream))
    assert stream.closings


def test_stream_whose_close_fails() -> None:
    """What was read is complete: it is handed over all the same."""
    stream: Any = io.BytesIO(b"12")
    pipe = Broken("read", lambda size: stream.read(size))
    pipe.close = fail  # type: ignore[method-assign]
    with spooled_read(cast("Any", pipe)) as copy:
        assert copy.read() == b"12"
    del pipe.close


def test_stream_that_does_not_wait() -> None:
    """A stream that has nothing now is not at its end."""
    stream = Broken("read", lambda size: None)
    with pytest.raises(BlockingIOError, match="does not block"):
        spooled_read(cast("Any", stream))
    assert stream.closings


def test_no_room_for_temporary_files_is_no_missing_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's error for a temporary folder that is gone is the builtin of NotFound."""
    store.write("f", BIG)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    def write() -> None:
        with store.open_atomic("g") as file:
            file.write(BIG)

    class Forward(io.BytesIO):
        def seekable(self) -> bool:
            return False

    for action in (write, lambda: spooled_read(Forward(BIG))):
        with pytest.raises(RemoteStoreError, match="temporary files") as caught:
            action()
        assert not isinstance(caught.value, FileNotFoundError)
        assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert not store.exists("g")
