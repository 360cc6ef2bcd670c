"""A backend that inherits from the protocol: checked at its definition and its construction."""

from __future__ import annotations

from collections.abc import AsyncIterator

from remote_store import Capability, CapabilitySet
from remote_store.aio import AsyncBackend


class Incomplete(AsyncBackend):
    @property
    def name(self) -> str:
        return "incomplete"

    @property
    def capabilities(self) -> CapabilitySet:
        return CapabilitySet([Capability.READ])

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield b""

    async def exists(self, path: bytes) -> bool:  # expect-error: a path is a str
        return False


Incomplete()  # expect-error: most members are abstract
CapabilitySet(["read"])  # expect-error: members of the enum, not their values
