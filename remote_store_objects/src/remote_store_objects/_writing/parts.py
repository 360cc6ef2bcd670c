"""A stream cut into parts, and how large they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from remote_store.authoring import as_bytes
from remote_store_objects._protocol.description import Description
from remote_store_objects._session.session import Sizes

__all__ = ["Gatherer", "part_size"]

#: Bytes below which a piece of a part is joined with its neighbours: a source
#: of tiny chunks would otherwise need many times the memory of its bytes.
_PIECE: Final = 1 << 16


def part_size(index: int, sizes: Sizes, limits: Description) -> int:
    """
    Return the bytes of part *index* of a stream of unknown length.

    It doubles every so many parts, so that their number is no wall, and few
    streams need more memory than the smallest parts do.
    """
    if limits.equal_parts:
        return sizes.part_size
    return min(limits.max_part, sizes.part_size << min(index // sizes.growth, 40))


class Gatherer:
    """
    Joins and cuts the chunks of a stream to parts.

    Holds no more than what one chunk of the source left over.

    Args:
        source: The stream; its exceptions pass unchanged.
    """

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = aiter(source)
        self._left = memoryview(b"")
        self._ended = False

    async def take(self, size: int) -> list[bytes | memoryview]:
        """
        Return the next *size* bytes in pieces; fewer only at the end of the stream.

        Raises:
            TypeError: A chunk is not bytes.
        """
        pieces: list[bytes | memoryview] = []
        small = bytearray()
        missing = size
        while missing and await self._fill():
            part = self._left[:missing]
            self._left = self._left[missing:]
            missing -= len(part)
            if len(part) < _PIECE:
                small += part
                if len(small) < _PIECE:
                    continue
                part = memoryview(b"")
            if small:
                pieces.append(bytes(small))
                small.clear()
            if part:
                pieces.append(part)
        if small:
            pieces.append(bytes(small))
        return pieces

    async def ended(self) -> bool:
        """Return whether nothing is left; may have to ask the source for one more chunk."""
        return not await self._fill()

    async def _fill(self) -> bool:
        while not self._left and not self._ended:
            try:
                chunk = await anext(self._source)
            except StopAsyncIteration:
                self._ended = True
                return False
            self._left = memoryview(as_bytes(chunk))
        return bool(self._left)
