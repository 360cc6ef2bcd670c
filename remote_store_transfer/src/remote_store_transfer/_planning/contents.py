"""Whether two files have the same content, by reading both."""

from __future__ import annotations

import asyncio
import contextlib

from remote_store_transfer._listing.side import Side

__all__ = ["same_content"]


async def same_content(source: Side, target: Side, path: str) -> bool:
    """Return True if a file has the same content on both sides."""
    ours, theirs = await asyncio.gather(_sha256(source, path), _sha256(target, path))
    return ours == theirs


async def _sha256(side: Side, path: str) -> bytes:
    import hashlib  # few comparisons need the contents

    digest = hashlib.sha256()
    async with contextlib.aclosing(side.store.read(side.at(path))) as chunks:
        async for chunk in chunks:
            digest.update(chunk)
    return digest.digest()
