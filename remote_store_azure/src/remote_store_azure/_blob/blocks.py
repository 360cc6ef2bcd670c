"""The names of blocks, and the list of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from xml.etree.ElementTree import Element, XMLParser

__all__ = ["block_id", "block_list", "committed_ids"]


def block_id(token: str, number: int) -> str:
    """
    Return the name of a block, 48 characters.

    No other client makes the same ones, so that they show whose upload was
    committed; and they are as long as those of the SDK, since all uncommitted
    blocks of a blob have to be named at one length.

    Args:
        token: Of the upload, 30 hexadecimal digits.
        number: Of the block.
    """
    # Base64 of 36 hexadecimal digits: no padding, nothing to quote in a URL.
    return base64.b64encode(f"{token}{number:06x}".encode()).decode()


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
