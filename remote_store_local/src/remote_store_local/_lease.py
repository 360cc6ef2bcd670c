"""Things that a worker thread may be using at the moment when their owner lets go of them."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from remote_store_local._versions import ended_early, first_read

__all__ = ["Lease", "Pages", "Source", "SourceFile"]

T = TypeVar("T")


class Lease:
    """
    Closes something as soon as nobody uses it.

    A cancelled read or listing is left behind at once, and its thread with
    it; closing a file under a running system call would let that call hit
    whatever gets the descriptor next.

    Args:
        close: Called exactly once.
    """

    __slots__ = ("_close", "_closed", "_lock", "_users")

    def __init__(self, close: Callable[[], object]) -> None:
        self._close = close
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False

    def enter(self) -> bool:
        """Keep it open until `leave`; False if it is closed already, then do not leave."""
        with self._lock:
            if self._closed:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """End what `enter` began."""
        with self._lock:
            self._users -= 1
            last = self._closed and not self._users
        if last:
            self._close()

    @contextlib.contextmanager
    def use(self) -> Generator[bool, None, None]:
        """Keep it open meanwhile; gives False if it is closed already."""
        usable = self.enter()
        try:
            yield usable
        finally:
            if usable:
                self.leave()

    def release(self) -> None:
        """Close it now, or when its user is done; idempotent, never waits."""
        with self._lock:
            idle = not self._closed and not self._users
            self._closed = True
        if idle:
            self._close()


class SourceFile(io.FileIO):
    """
    A raw file that may be let go of while a thread reads from it.

    Args:
        fd: Its descriptor.
        lease: Keeps it open.
        found: What it was when it was opened.
    """

    def __init__(self, fd: int, lease: Lease, found: os.stat_result) -> None:
        super().__init__(fd, "rb")
        self._lease = lease
        self._found = found
        #: False if it ended before its size, because another program cut it short.
        self.whole = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most *size* bytes, none at the end or once released."""
        if not self._lease.enter():  # in the inner loop of streams: no generator
            return b""
        try:
            data = super().read(size) or b""
            if not data:
                self.whole = not ended_early(self.fileno(), self._found, self.tell())
            return data
        finally:
            self._lease.leave()


class Source:
    """A file that is opened by its first read, in whichever thread that happens."""

    __slots__ = ("_lease", "ended", "file", "got", "size")

    def __init__(self) -> None:
        self.file: SourceFile | None = None
        self.size = self.got = 0
        self.ended = False
        self._lease = Lease(self._close)

    def start(self, open_file: Callable[[], tuple[int, os.stat_result]], chunk: int) -> bytes:
        """
        Open the file and return its first bytes.

        Args:
            open_file: Gives descriptor and status of a regular file.
            chunk: Bytes to read, one more if that shows the end.
        """
        with self._lease.use() as usable:
            if not usable:
                return b""
            fd, found = open_file()
            self.file = SourceFile(fd, self._lease, found)
            self.size = found.st_size
            wanted = first_read(self.size, chunk)
            return self.took(self.file.read(wanted), wanted)

    @property
    def whole(self) -> bool:
        """False if another program cut the file short meanwhile."""
        return self.file is None or self.file.whole

    def wanted(self, chunk: int) -> int:
        """
        Return how many bytes to ask for: at the known end one more, which shows that it is one.

        A file that goes on after that is read in chunks as well.
        """
        left = self.size - self.got
        return left + 1 if 0 < left < chunk else chunk

    def took(self, data: bytes, wanted: int) -> bytes:
        """
        Count what a read gave.

        Nothing is the end, and so is a little less where the known size is
        reached: whatever else gives less may have more.
        """
        self.got += len(data)
        self.ended = not data or (len(data) < wanted and self.got == self.size)
        return data

    def release(self) -> None:
        """
        Close the file, at the latest when the read that is running ends; idempotent.

        Raises:
            OSError: The system said so while closing it.
        """
        self._lease.release()

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()


class Pages(Generic[T]):
    """
    A generator that is advanced in worker threads, some items at a time.

    Args:
        items: The generator; closed on release.
    """

    __slots__ = ("_error", "_items", "_lease", "ended")

    def __init__(self, items: Generator[T, None, None]) -> None:
        self._items = items
        self._lease = Lease(items.close)
        self._error: Exception | None = None
        #: Whether nothing comes after the last page.
        self.ended = False

    def next(self, count: int) -> list[T]:
        """
        Return the next *count* items, fewer at the end, none once released.

        What came before an error is a page, and the error comes instead of
        the next one.
        """
        page: list[T] = []
        with self._lease.use() as usable:
            if self._error is not None:
                raise self._error
            if usable:
                try:
                    page.extend(itertools.islice(self._items, count))
                except Exception as error:
                    if not page:
                        raise
                    self._error = error
                    return page
            self.ended = len(page) < count
            return page

    def release(self) -> None:
        """Close the generator, at the latest when the page that is running ends."""
        self._lease.release()
