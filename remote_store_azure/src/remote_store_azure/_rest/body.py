"""Request bodies that can be sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Self

__all__ = ["OCTET_STREAM", "PIECE", "Body"]

#: The media type of bytes of which no other is known.
OCTET_STREAM: Final = "application/octet-stream"

#: Bytes handed to the connection at once: what a slow connection buffers.
PIECE: Final = 256 * 1024


class Body:
    """
    The bytes of a request, in pieces, as often as they are asked for.

    A retry sends them from the beginning, which an async generator could not.
    Nothing is joined or copied: large chunks are cut into views.

    Args:
        chunks: The bytes, in order; kept by reference.
    """

    __slots__ = ("_chunks", "_size")

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = tuple(chunks)
        self._size = sum(map(len, self._chunks))

    def __len__(self) -> int:
        return self._size

    def __aiter__(self) -> AsyncIterator[bytes | memoryview]:
        return _Pieces(self._chunks)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # The SDK copies requests for its history; the bytes never change.
        return self


class _Pieces:
    """One pass over the chunks; no generator, which would be left open when a send fails."""

    __slots__ = ("_chunks", "_index", "_start")

    def __init__(self, chunks: tuple[bytes, ...]) -> None:
        self._chunks = chunks
        self._index = 0
        self._start = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes | memoryview:
        while self._index < len(self._chunks):
            chunk = self._chunks[self._index]
            start = self._start
            end = start + PIECE
            if end < len(chunk):
                self._start = end
                return memoryview(chunk)[start:end]
            self._index += 1
            self._start = 0
            if start:
                return memoryview(chunk)[start:]
            if chunk:
                return chunk
        raise StopAsyncIteration
