"""
Reading local files: blocking and free of asyncio.

A file is read in one call, or opened by its first read and then read in
steps, in whichever threads these happen.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from remote_store import PreconditionFailed
from remote_store_local._errors import mapped
from remote_store_local._files import LocalFiles
from remote_store_local._fs.folder import close_quietly
from remote_store_local._fs.shared_close import SharedClose
from remote_store_local._fs.version import ended_early, first_read, is_behind

__all__ = ["LazyFile", "SharedFile", "read_bytes", "shrunk", "start_reading"]


@mapped
def read_bytes(files: LocalFiles, key: str) -> bytes:
    """Return the content of a file."""
    fd, found = files.open_file(key)
    try:
        size = found.st_size
        # One byte more than expected shows the end without another call.
        data = os.read(fd, first_read(size, sys.maxsize))
        if len(data) != size:
            data = _drain(fd, data, size)
            if ended_early(fd, found, len(data)):
                raise shrunk(files, key, len(data), size)
    except BaseException:
        close_quietly(fd)
        raise
    os.close(fd)
    return data


def shrunk(files: LocalFiles, key: str, got: int, size: int) -> PreconditionFailed:
    """Return the error for a file that another program cut short meanwhile."""
    msg = f"File shrank from {size} to {got} bytes while it was being read"
    return PreconditionFailed(msg, path=key, backend=files.name)


@mapped
def start_reading(
    files: LocalFiles, key: str, file: LazyFile, chunk: int, if_match: str | None = None
) -> bytes:
    """Open a version of a file for reading in steps; return the first chunk."""
    return file.start(lambda: files.open_version(key, if_match), chunk)


def _drain(fd: int, data: bytes, size: int) -> bytes:
    parts = [data]
    got = len(data)
    while part := os.read(fd, min(max(size - got, 0) + (1 << 20), 1 << 26)):
        parts.append(part)
        got += len(part)
    return b"".join(parts)


class SharedFile(io.FileIO):
    """
    A raw file that may be let go of while a thread reads from it.

    Args:
        fd: Its descriptor.
        shared: Keeps it open.
        found: What it was when it was opened.
    """

    def __init__(self, fd: int, shared: SharedClose, found: os.stat_result) -> None:
        super().__init__(fd, "rb")
        self._shared = shared
        self._found = found
        #: False if it ended before its size, because another program cut it short.
        self.whole = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most *size* bytes, none at the end or once released."""
        if not self._shared.enter():  # in the inner loop of streams: no generator
            return b""
        try:
            data = super().read(size) or b""
            if not data:
                self.whole = not ended_early(self.fileno(), self._found, self.tell())
            return data
        finally:
            self._shared.leave()


class LazyFile:
    """
    A file that is opened by its first read, in whichever thread that happens.

    Args:
        start: Where to begin.
        length: Bytes to read at most, None for all that follow.
    """

    __slots__ = ("_shared", "_stop", "at", "ended", "file", "size")

    def __init__(self, start: int = 0, length: int | None = None) -> None:
        self.file: SharedFile | None = None
        self.size = 0
        self.at = start
        self._stop = None if length is None else start + length
        self.ended = False
        self._shared = SharedClose(self._close)

    def start(self, open_file: Callable[[], tuple[int, os.stat_result]], chunk: int) -> bytes:
        """
        Open the file and return its first bytes.

        Args:
            open_file: Gives descriptor and status of a regular file.
            chunk: Bytes to read, one more if that shows the end.
        """
        with self._shared.use() as usable:
            if not usable:
                return b""
            fd, found = open_file()
            self.file = SharedFile(fd, self._shared, found)
            self.size = found.st_size
            if is_behind(self.at, self.size):
                self.ended = True
                return b""
            if self.at:
                self.file.seek(self.at)
            wanted = first_read(max(0, self.size - self.at), self._within(chunk))
            return self._took(self.file.read(wanted), wanted)

    @property
    def whole(self) -> bool:
        """False if another program cut the file short meanwhile."""
        return self.file is None or self.file.whole

    def pull(self, chunk: int, count: int) -> list[bytes]:
        """
        Return the next chunks, as they are and *count* of them: nobody has to cut or to join.

        At the known end one byte more is asked for, which shows that it is one. A file
        that goes on after that is read in chunks as well.
        """
        assert self.file is not None
        chunks: list[bytes] = []
        while not self.ended and len(chunks) < count:
            left = self.size - self.at
            wanted = self._within(left + 1 if 0 < left < chunk else chunk)
            if data := self._took(self.file.read(wanted), wanted):
                chunks.append(data)
        return chunks

    def _within(self, wanted: int) -> int:
        return wanted if self._stop is None else min(wanted, self._stop - self.at)

    def _took(self, data: bytes, wanted: int) -> bytes:
        """
        Count what a read gave.

        Nothing is the end, and so is a little less where the known size is
        reached: any other short read may have more.
        """
        self.at += len(data)
        short = len(data) < wanted and self.at == self.size
        self.ended = not data or short or self.at == self._stop
        return data

    def release(self) -> None:
        """
        Close the file, at the latest when the read that is running ends; idempotent.

        Raises:
            OSError: The system said so while closing it.
        """
        self._shared.release()

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()
