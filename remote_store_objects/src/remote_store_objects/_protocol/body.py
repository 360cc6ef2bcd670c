"""Request bodies that can be sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, Self

__all__ = ["Body"]

#: Bytes handed to a connection at once: what a slow one buffers.
_PIECE: Final = 256 << 10


class Body:
    """
    The bytes of a request, in pieces, as often as they are asked for.

    A repeated request sends them from the beginning, which an async generator
    could not. Nothing is joined or copied: large buffers are cut into views.
    ``len(body)`` is its size in bytes. Iterating over it, sync or async,
    yields pieces of at most 256 KiB, none of them empty; ``bytes(body)`` joins
    them.

    Args:
        buffers: The bytes, in order; kept by reference.
    """

    __slots__ = ("_size", "buffers")

    def __init__(self, buffers: Sequence[bytes | memoryview]) -> None:
        #: The bytes as they were given, for checksums.
        self.buffers = tuple(buffers)
        self._size = sum(map(len, self.buffers))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A library may copy requests for its history; the bytes never change.
        return self

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        if len(self.buffers) == 1 and isinstance(self.buffers[0], bytes):
            return self.buffers[0]
        return b"".join(self.buffers)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for buffer in self.buffers:
            if len(buffer) <= _PIECE:
                if buffer:
                    yield buffer
                continue
            view = memoryview(buffer)
            for start in range(0, len(view), _PIECE):
                yield view[start : start + _PIECE]

    def __aiter__(self) -> AsyncIterator[bytes | memoryview]:
        return _Pass(iter(self))


class _Pass:
    """One pass over a body; no async generator, which a failed request would leave open."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes | memoryview:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration
