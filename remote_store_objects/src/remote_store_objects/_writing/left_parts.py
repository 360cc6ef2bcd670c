"""Parts that an earlier write left: which of them are what is to be sent now."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from remote_store_objects._protocol.body import Body
from remote_store_objects._protocol.values import Part

__all__ = ["LeftParts", "digest_of", "equals"]


class LeftParts:
    """
    The parts of an unfinished upload.

    Args:
        parts: As the service lists them; of one number there may be several.
    """

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._parts: dict[tuple[int, int], list[Part]] = {}
        for part in parts:
            self._parts.setdefault((part.number, part.size), []).append(part)
        #: The highest number of them, 0 without any.
        self.last = max((part.number for part in parts), default=0)

    async def find(self, number: int, body: Body) -> Part | None:
        """Return the part of that number whose content is *body*, None if it is not there."""
        for part in self._parts.get((number, len(body)), ()):
            if await equals(part, body):
                return part
        return None


async def equals(part: Part, body: Body) -> bool:
    """Return True if a part is *body* for sure; one without a digest never is."""
    digest = part.digest
    if digest is None or part.size != len(body):
        return False
    if digest.algorithm not in hashlib.algorithms_available:
        return False
    return await asyncio.to_thread(digest_of, body, digest.algorithm) == digest.value


def digest_of(body: Body, algorithm: str) -> str:
    """Return the digest of a body, in hexadecimal digits."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for buffer in body.buffers:
        digest.update(buffer)
    return digest.hexdigest()
