"""The reference as a client that sends large files by parts, and goes on with them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final

from remote_store import Capability, CapabilitySet, WriteResult
from remote_store.authoring import as_bytes
from remote_store_conformance_selftest.reference import ALL, Content
from remote_store_conformance_selftest.reference_client import WireBackend

__all__ = ["PARTS", "SMALL", "ResumingBackend"]

#: What it does not have of version 1.1 of the contract.
PARTS: Final = (
    Capability.RANGE_READ,
    Capability.CONDITIONAL_WRITE,
    Capability.CONTENT_HEADERS,
    Capability.SIGNED_URL,
    Capability.CREATE_FOLDER,
)
#: Bytes of a part.
_PART: Final = 1 << 17
#: What a target of it says of itself.
SMALL: Final = {"part_size": 2 * _PART}


class ResumingBackend(WireBackend):
    """A client of the service whose large files go on."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(ALL - set(PARTS))
    CONTRACT: ClassVar[str] = "1.1"

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        resume: bool = False,
    ) -> WriteResult:
        if not resume:
            return await super().write(path, content, overwrite=overwrite, metadata=metadata)
        self.require(Capability.RESUMABLE_WRITE, path)
        kept = dict(metadata) if metadata else None
        left = set(await self.call("left", path=path))
        numbers: list[int] = []
        async for part in _parts(content):
            number = len(numbers) + 1
            if not self.is_there(left, number, part):
                more = {"number": number, "overwrite": overwrite, "metadata": kept}
                await self.call("stage", part, path=path, **more)
            numbers.append(number)
        return await self.together(path, numbers, left, overwrite=overwrite, metadata=kept)

    def is_there(self, left: set[str], number: int, part: bytes) -> bool:
        """Return whether the service has a part already."""
        return f"{number} {len(part)} {hashlib.sha256(part).hexdigest()}" in left

    async def together(
        self, path: str, numbers: list[int], left: set[str], **options: Any
    ) -> WriteResult:
        """Let the service make a file of parts."""
        if not numbers:
            return await super().write(path, b"", **options)
        result: WriteResult = await self.call("put_together", path=path, numbers=numbers, **options)
        return result


async def _parts(content: Content) -> AsyncIterator[bytes]:
    buffer = bytearray()
    if isinstance(content, bytes):
        buffer += content
    else:
        async for chunk in content:
            buffer += as_bytes(chunk)
            while len(buffer) > _PART:
                yield bytes(buffer[:_PART])
                del buffer[:_PART]
    for start in range(0, len(buffer), _PART):
        yield bytes(buffer[start : start + _PART])
