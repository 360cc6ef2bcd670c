"""The reference with what version 1.1 of the contract allows: cheap ranges."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Final

from remote_store import Capability, CapabilitySet
from remote_store.authoring import other_version
from remote_store_conformance_selftest.reference import ALL, CHUNK, ReferenceBackend, turn

__all__ = ["LACKS", "RangeBackend"]

#: What it does not have of that version.
LACKS: Final = (
    Capability.CONDITIONAL_WRITE,
    Capability.CONTENT_HEADERS,
    Capability.SIGNED_URL,
    Capability.CREATE_FOLDER,
    Capability.RESUMABLE_WRITE,
)


class RangeBackend(ReferenceBackend):
    """A backend that yields a part of a file without the rest."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(ALL - set(LACKS))
    CONTRACT: ClassVar[str] = "1.1"

    def fetch(self, content: bytes) -> bytes:
        """Take content out of the tree; mutants count it."""
        return content

    def version(self, path: str, if_match: str | None) -> bytes:
        """Return the content of a file, and refuse another version than the one that is wanted."""
        self.require(Capability.READ, path)
        file = self.file(path)
        if if_match is not None and file.etag != if_match:
            raise other_version(path, self.name)
        return file.content

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        content = self.version(path, if_match)
        stop = len(content) if length is None else min(len(content), start + length)
        for at in range(start, stop, CHUNK):
            await turn()
            yield self.fetch(content[at : min(at + CHUNK, stop)])
