"""A file object over ranges of a file of a sync backend."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from remote_store._contract import versions
from remote_store._contract.ranges import BLOCK, Place, is_same_version
from remote_store._contract.standard_errors import other_version
from remote_store._threads.chunk_reader import HOP, close_quietly
from remote_store._types.capabilities import Capability

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["open_ranges", "reads_ranges"]


def reads_ranges(backend: object) -> bool:
    """Return True if ranges are the way to seek in a file of *backend*."""
    declared = versions.declared(backend)
    needed = {Capability.RANGE_READ, Capability.METADATA}
    return needed <= declared and Capability.SEEKABLE_READ not in declared


def open_ranges(
    backend: Any, read_range: Callable[..., BinaryIO], key: str, block: int = BLOCK
) -> BinaryIO:
    """
    Open one version of a file, which is asked for its size; content is read when it is wanted.

    Args:
        backend: Where.
        read_range: Its member of that name.
        key: Of the file.
        block: Bytes to ask for at least.

    Raises:
        NotFound, InvalidPath: As `Backend.get_file_info`.
    """
    return cast("BinaryIO", _RangeReader(_RangeFile(backend, read_range, key, block), block))


class _RangeReader(io.BufferedReader):
    """Tells the raw file below it how much will be read, so that it is asked for at once."""

    def __init__(self, raw: _RangeFile, block: int) -> None:
        super().__init__(raw, max(1, min(block, raw.place.size)))
        self._place = raw.place
        self._block = block

    def read(self, size: int | None = -1, /) -> bytes:
        position = self.tell()
        try:
            self._announce(position, 0 if size is None else size)
            return super().read(size)
        except BaseException:
            self._return_to(position)
            raise

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        position = self.tell()
        try:
            self._announce(position, memoryview(buffer).nbytes)
            return super().readinto(buffer)
        except BaseException:
            self._return_to(position)
            raise

    # By which lines are iterated over, too.
    def readline(self, size: int | None = -1, /) -> bytes:
        position = self.tell()
        try:
            return super().readline(size)
        except BaseException:
            self._return_to(position)
            raise

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        position = self.tell()
        try:
            return super().readlines(hint)
        except BaseException:
            self._return_to(position)
            raise

    def _return_to(self, position: int) -> None:
        """Go back after a failure: nothing of what was read was handed out."""
        if not self.closed:
            self.seek(position)

    def _announce(self, position: int, size: int) -> None:
        """Tell the file below of a large read."""
        if size > self._block:
            self._place.expected = position + size


class _RangeFile(io.RawIOBase):
    """A raw file whose content comes from one range after another."""

    def __init__(
        self, backend: Any, read_range: Callable[..., BinaryIO], key: str, block: int
    ) -> None:
        super().__init__()
        self._backend = backend
        self._read_range = read_range
        self._key = key
        self._stream: Any = None  # first: this is closed, too, if the question fails
        self._info = backend.get_file_info(key)
        ranged = Capability.RANGE_READ in versions.declared(backend)
        self.place = Place(self._info.size, block, ranged=ranged)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        self._refuse_closed()
        return self.place.position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set the position and return it."""
        self._refuse_closed()
        return self.place.seek(offset, whence)

    def readall(self) -> bytes:
        """Return all that is left."""
        self._refuse_closed()
        place = self.place
        place.expected = place.size
        data = bytearray(max(0, place.size - place.position))
        rest = memoryview(data)
        while rest:
            rest = rest[self.readinto(rest) :]
        return bytes(data)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """
        Fill *buffer* from what comes at once, and return the number of bytes, 0 at the end.

        Raises:
            PreconditionFailed: The file was replaced since it was opened.
        """
        self._refuse_closed()
        place = self.place
        target = memoryview(buffer).cast("B")
        target = target[: max(0, min(len(target), place.size - place.position))]
        if not target:
            return 0
        try:
            self._reach(len(target))
            got = _fill(self._stream, target[: place.stop - place.at])
            at = place.at + got
            self._passed(got)
        except BaseException:
            self._leave()
            place.lose()  # the next read may succeed
            raise
        place.position = at
        return got

    def _reach(self, wanted: int) -> None:
        """Have a stream that is at the position."""
        place = self.place
        if self._stream is None or not place.reachable:
            self._leave()
            start, length = place.ask(wanted)
            etag = self._info.etag
            self._stream = self._read_range(self._key, start, length=length, if_match=etag)
            if etag is None:
                now = self._backend.get_file_info(self._key)
                if not is_same_version(now, self._info):
                    raise self._replaced()
        while place.at < place.position:
            way = min(place.position - place.at, HOP)
            self._passed(_fill(self._stream, memoryview(bytearray(way))))

    def _passed(self, got: int) -> None:
        """Note that the stream gave some bytes; see it to its end, which may be an error."""
        place = self.place
        place.at += got
        if not got or (place.at == place.stop and self._stream.read(1)):
            raise self._replaced()
        if place.at == place.stop:
            self._leave()

    def _replaced(self) -> Exception:
        return other_version(self._key, self._backend.name)

    def _leave(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            close_quietly(stream)

    def close(self) -> None:
        """Close what is being read. Idempotent."""
        if not self.closed:
            super().close()
            self._leave()

    def _refuse_closed(self) -> None:
        if self.closed:
            msg = "I/O operation on closed file"
            raise ValueError(msg)


def _fill(stream: Any, target: memoryview) -> int:
    readinto = getattr(stream, "readinto", None)
    if readinto is not None:
        return readinto(target) or 0
    chunk = stream.read(len(target))
    target[: len(chunk)] = chunk
    return len(chunk)
