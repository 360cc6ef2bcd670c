"""The reference with folders that are made without a file."""

from __future__ import annotations

from typing import ClassVar, Final

from remote_store import Capability, CapabilitySet
from remote_store.authoring import ancestor_is_file, is_a_file, target_key
from remote_store_conformance_selftest.reference import ALL, ReferenceBackend, turn
from remote_store_conformance_selftest.tree import parents

__all__ = ["ONLY_FOLDERS", "FolderBackend"]

#: What it does not have of version 1.1 of the contract.
ONLY_FOLDERS: Final = (
    Capability.RANGE_READ,
    Capability.CONTENT_HEADERS,
    Capability.CONDITIONAL_WRITE,
    Capability.SIGNED_URL,
    Capability.RESUMABLE_WRITE,
)


class FolderBackend(ReferenceBackend):
    """A backend whose folders are real, and can be made."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(ALL - set(ONLY_FOLDERS))
    CONTRACT: ClassVar[str] = "1.1"

    async def create_folder(self, path: str) -> None:
        self.require(Capability.CREATE_FOLDER, path)
        key = self.key(path)
        if key:
            key = target_key(key, self.name)
        await turn()
        with self.tree.lock:
            self.make(path, key)

    def make(self, path: str, key: str) -> None:
        """Make a folder and those above it; called with the lock held."""
        if key in self.tree.files:
            raise is_a_file(path, self.name)
        for parent in parents(key):
            if parent in self.tree.files:
                raise ancestor_is_file(path, self.name, parent)
        self.tree.folders.update([*parents(key), key] if key else [])
