"""The reference that copies files from another store by itself, in a dict and over a wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from attrs import evolve

from remote_store import Capability, CapabilitySet, RemoteStoreError, WriteResult
from remote_store.authoring import cannot_copy_from, cannot_copy_many_from
from remote_store_conformance_selftest.reference import ALL, File, turn
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.reference_conditions import LACKS
from remote_store_conformance_selftest.reference_headers import HeadersBackend

__all__ = ["OVER_A_WIRE", "CopyingBackend", "CopyingClient"]

#: What the client does not have of version 1.1 of the contract.
OVER_A_WIRE: Final = (*LACKS, Capability.CONDITIONAL_WRITE)


class CopyingBackend(HeadersBackend):
    """A backend whose storages are all in one process."""

    async def copy_from(
        self,
        source: Any,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        self.require(Capability.COPY, dst)
        theirs = self.origin(source, dst)
        await turn()
        return await self.bring(theirs, src, dst, overwrite, if_match)

    async def copy_many_from(
        self, source: Any, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        self.require(Capability.COPY, "")
        theirs = self.origin_of_many(source)
        return [await self.bring_one(theirs, src, dst) for src, dst in pairs]

    async def bring_one(
        self, theirs: CopyingBackend, src: str, dst: str
    ) -> WriteResult | RemoteStoreError | None:
        """Copy a file of many; return what that raises."""
        await turn()
        try:
            return await self.bring(theirs, src, dst, False, None)
        except RemoteStoreError as error:
            return error

    def origin_of_many(self, source: Any) -> CopyingBackend:
        """Return the backend of the source, if many files can be copied from it in one call."""
        if type(source) is not type(self):
            raise cannot_copy_many_from(self.name)
        found: CopyingBackend = source
        return found

    def origin(self, source: Any, dst: str) -> CopyingBackend:
        """Return the backend of the source, if files can be copied from it."""
        if type(source) is not type(self):
            raise cannot_copy_from(dst, self.name)
        found: CopyingBackend = source
        return found

    async def bring(
        self, theirs: CopyingBackend, src: str, dst: str, overwrite: bool, if_match: str | None
    ) -> WriteResult:
        """Copy a file in one step."""
        with self.tree.lock, theirs.tree.lock:
            file = theirs.file(src)
            if if_match is not None:
                theirs.compare(src, if_match)
            return self.put_copy(file, self.check_target(dst, overwrite=overwrite))

    def put_copy(self, file: File, key: str) -> WriteResult:
        """Put what a file of another storage is."""
        metadata = dict(file.metadata) if file.metadata else None
        made = evolve(file, time=datetime.now(UTC), etag=self.tree.new_etag(), metadata=metadata)
        self.tree.put(key, made)
        return self.result(key, made)


class CopyingClient(WireBackend):
    """A client whose service copies from one of its storages to another."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(ALL - set(OVER_A_WIRE))
    CONTRACT: ClassVar[str] = "1.1"

    async def copy_from(
        self, source: Any, src: str, dst: str, *, overwrite: bool = False
    ) -> WriteResult | None:
        if type(source) is not type(self) or source.address != self.address:
            raise cannot_copy_from(dst, self.name)
        await self.ask_for_copy(src, dst, overwrite=overwrite)
        return None

    async def ask_for_copy(self, src: str, dst: str, *, overwrite: bool) -> None:
        """Let the service copy; its storages are folders of one tree."""
        await self.copy(src, dst, overwrite=overwrite)
