"""A stream cut into blocks, and the names and the list of those blocks."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element, XMLParser

from remote_store.authoring import as_bytes

__all__ = ["BlockIds", "Gatherer", "block_list", "committed_ids", "size_of_block"]

#: Blocks after which the size of a block doubles; a blob has 50,000 at most.
_DOUBLING: Final = 10_000
#: Bytes of the largest block that the service takes.
_LARGEST: Final = 4000 << 20
#: Bytes below which a piece of a block is joined with its neighbours: a source
#: of tiny chunks would otherwise need many times the memory of its bytes.
_PIECE: Final = 1 << 16


def size_of_block(index: int, smallest: int) -> int:
    """
    Return the bytes of block *index*: *smallest*, doubled every 10,000 blocks.

    So 50,000 blocks hold a thousand times what most streams have, and few
    streams need more memory than the smallest blocks do.
    """
    return min(_LARGEST, smallest << min(index // _DOUBLING, 32))


class BlockIds:
    """
    Names for the blocks of one upload, 48 characters each.

    No other client makes the same ones, so that they show whose upload was
    committed; and they are as long as those of the SDK, since all uncommitted
    blocks of a blob have to be named at one length.
    """

    def __init__(self) -> None:
        self._token = secrets.token_hex(15)

    def __getitem__(self, index: int) -> str:
        # Base64 of 36 hexadecimal digits: no padding, nothing to quote in a URL.
        return base64.b64encode(f"{self._token}{index:06x}".encode()).decode()

    def first(self, count: int) -> list[str]:
        """Return the names of blocks 0 to *count* - 1."""
        return [self[index] for index in range(count)]


def block_list(ids: Sequence[str]) -> bytes:
    """Return the body of the Put Block List request that commits *ids* in this order."""
    # Latest, not Uncommitted: a commit that is sent again finds its blocks in
    # the blob that it made itself.
    entries = "".join(f"<Latest>{name}</Latest>" for name in ids)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{entries}</BlockList>'.encode()


def committed_ids(body: bytes) -> list[str]:
    """
    Return the ids in the body of a Get Block List answer.

    Raises:
        ValueError: It is another document.
    """
    parser = XMLParser()  # noqa: S314 - the answer of the account's own endpoint
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (SyntaxError, LookupError) as error:
        msg = f"it is no XML: {error}"
        raise ValueError(msg) from error
    return [name.text or "" for name in root.iterfind("CommittedBlocks/Block/Name")]


class Gatherer:
    """
    Joins and cuts the chunks of a stream to blocks.

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
