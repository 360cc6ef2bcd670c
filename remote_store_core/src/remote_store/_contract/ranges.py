"""Parts of a file: cut out of what is read from its beginning, and asked for one after another."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO, Final

from remote_store._contract.standard_errors import other_version
from remote_store._threads.chunk_reader import HOP, ChunkReader, close_quietly, read_some
from remote_store._types.models import FileInfo

__all__ = ["BLOCK", "Cut", "Place", "is_same_version", "part_of_stream", "refuse_other_version"]

#: Bytes that a file object asks for at least.
BLOCK: Final = 64 << 10
#: How many times as much it asks for each time that it is read on in order, and from how
#: many bytes on for all that follows.
_GROWTH: Final = 8
_ALL: Final = 4 << 20
#: Bytes of a first read from which on it is taken for the beginning of all.
_COPYING: Final = 1 << 20


def is_same_version(one: FileInfo, other: FileInfo) -> bool:
    """Return True if two answers are about one version: by the ETag, else by size and time."""
    if one.etag is not None or other.etag is not None:
        return one.etag == other.etag
    return (one.size, one.modified_at) == (other.size, other.modified_at)


def refuse_other_version(info: FileInfo, if_match: str, key: str, backend: str) -> None:
    """
    Refuse a file whose version is not the one that was asked for.

    Raises:
        PreconditionFailed: It has another ETag, or none.
    """
    if info.etag != if_match:
        raise other_version(key, backend)


class Cut:
    """
    Cuts a part out of content that comes in chunks from its beginning.

    Args:
        start: Bytes to leave out.
        length: Bytes to keep, None for all that follow.
    """

    __slots__ = ("_skip", "left")

    def __init__(self, start: int, length: int | None) -> None:
        self._skip = start
        #: Bytes that are still to come, None for all.
        self.left = length

    def take(self, chunk: bytes) -> bytes:
        """Return what belongs to the part of the next *chunk*."""
        if self._skip or (self.left is not None and self.left < len(chunk)):
            stop = None if self.left is None else self._skip + self.left
            part = chunk[self._skip : stop]
            self._skip = max(0, self._skip - len(chunk))
        else:
            part = chunk
        if self.left is not None:
            self.left -= len(part)
        return part


class _PartStream(ChunkReader):
    """Some bytes of a stream, which it closes."""

    def __init__(
        self,
        stream: BinaryIO,
        start: int,
        length: int | None,
        at_end: Callable[[], object] | None,
    ) -> None:
        self._stream = stream
        self._skip = start
        self._left = length
        self._at_end = at_end
        super().__init__(self._next_chunk)

    def _next_chunk(self) -> bytes:
        if self._skip and self._stream.seekable():
            self._stream.seek(self._skip)
            self._skip = 0
        while self._skip:
            passed = len(read_some(self._stream, min(self._skip, HOP)))
            self._skip = self._skip - passed if passed else 0
        wanted = HOP if self._left is None else min(self._left, HOP)
        chunk = read_some(self._stream, wanted) if wanted else b""
        if self._left is not None:
            self._left -= len(chunk)
        if not chunk and self._at_end is not None:
            self._at_end()
        return chunk

    def close(self) -> None:
        """Close the stream, too. Idempotent."""
        if not self.closed:
            super().close()
            close_quietly(self._stream)


def part_of_stream(
    stream: BinaryIO,
    start: int,
    length: int | None = None,
    at_end: Callable[[], object] | None = None,
) -> BinaryIO:
    """
    Return a stream over a part of *stream*, by seeking where it can, else by reading.

    Args:
        stream: At its beginning; closed together with the part.
        start: Bytes to leave out.
        length: Bytes to keep, None for all that follow.
        at_end: Called when all was read, before the end is shown; it may raise.
    """
    return io.BufferedReader(_PartStream(stream, start, length, at_end))


class Place:
    """
    Where the reader of a file object is, where its stream of content is, and what to ask for next.

    What is read here and there is asked for in ranges of what is wanted, at
    least a block. What is read on in order is asked for in ranges that grow
    eightfold, until one goes to the end: each request costs a delay, and a
    stream that is left early little more than that. Who begins at the
    beginning with much reads on, as a rule, and gets all in one stream.

    Args:
        size: Bytes of the file.
        block: Bytes to ask for at least.
        ranged: A range costs what it returns. Else a stream goes to the end of
            the file, and is left only to go back.
    """

    __slots__ = ("_block", "_length", "_ranged", "at", "expected", "position", "size", "stop")

    def __init__(self, size: int, block: int, *, ranged: bool) -> None:
        self._block = block
        self._ranged = ranged
        self._length = 0
        self.size = size
        #: Of the next byte that is wanted.
        self.position = 0
        #: Of the next byte that the stream gives, and where it ends.
        self.at = self.stop = 0
        #: Position up to which the reader said that it will read.
        self.expected = 0

    def seek(self, offset: int, whence: int) -> int:
        """
        Move the reader, and return its position; nothing is asked for.

        Raises:
            ValueError: The position would be negative, or *whence* is unknown.
        """
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}
        if whence not in origins:
            msg = f"whence must be 0, 1 or 2, got {whence!r}"
            raise ValueError(msg)
        position = origins[whence] + offset
        if position < 0:
            msg = f"cannot seek to {position}, before the beginning of the file"
            raise ValueError(msg)
        self.position = position
        self.expected = 0
        return position

    @property
    def reachable(self) -> bool:
        """Whether the stream leads to the reader's position soon enough."""
        way = self.position - self.at
        return self.position < self.stop and 0 <= way <= (self._block if self._ranged else way)

    def lose(self) -> None:
        """Forget the stream, which has failed: what comes next is asked for anew."""
        self.at = self.stop = 0

    def ask(self, wanted: int) -> tuple[int, int | None]:
        """
        Return start and length of the next stream; None for all that follows.

        Args:
            wanted: Bytes that the reader wants at its position.
        """
        in_order = self.position == self.stop and self.stop > 0
        wanted = max(wanted, self.expected - self.position)
        self._length = max(_GROWTH * self._length if in_order else self._block, wanted)
        self.at = self.position
        goes_on = wanted >= _COPYING if not self.at else in_order and self._length >= _ALL
        if goes_on or not self._ranged:
            self.stop = self.size
            return self.at, None
        self.stop = min(self.at + self._length, self.size)
        return self.at, self.stop - self.at
