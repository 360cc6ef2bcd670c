"""How large blocks are, their names and the list of them."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, XMLParser

__all__ = ["BlockIds", "block_list", "committed_ids", "size_of_block"]

#: Blocks after which the size of a block doubles; a blob has 50,000 at most.
_DOUBLING: Final = 10_000
#: Bytes of the largest block that the service takes.
_LARGEST: Final = 4000 << 20


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
