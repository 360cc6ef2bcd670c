"""The reference with what version 1.1 of the contract allows: changes of one version alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from remote_store import Capability, CapabilitySet, NotFound, RemoteStoreError, WriteResult
from remote_store.authoring import other_version
from remote_store_conformance_selftest.reference import ALL, Content, ReferenceBackend, turn

__all__ = ["LACKS", "ConditionalBackend"]

#: What it does not have of that version.
LACKS: Final = (
    Capability.RANGE_READ,
    Capability.CONTENT_HEADERS,
    Capability.SIGNED_URL,
    Capability.CREATE_FOLDER,
    Capability.RESUMABLE_WRITE,
)

Metadata = Mapping[str, str] | None


class ConditionalBackend(ReferenceBackend):
    """A backend that compares and changes in one step."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(ALL - set(LACKS))
    CONTRACT: ClassVar[str] = "1.1"

    def compare(self, path: str, if_match: str) -> None:
        """Refuse another version than the one that is wanted."""
        if self.file(path).etag != if_match:
            raise other_version(path, self.name)

    def compare_target(self, path: str, if_match: str) -> None:
        """As `compare`, for a version that is to be replaced."""
        self.check_target(path, overwrite=True)
        try:
            self.compare(path, if_match)
        except NotFound as error:
            raise other_version(path, self.name) from error

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
        if_match: str | None = None,
    ) -> WriteResult:
        if if_match is None:
            return await super().write(path, content, overwrite=overwrite, metadata=metadata)
        self.require(Capability.WRITE, path)
        return await self.replace(path, content, metadata, if_match)

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Metadata = None,
        if_match: str | None = None,
    ) -> WriteResult:
        if if_match is None:
            return await super().write_atomic(path, content, overwrite=overwrite, metadata=metadata)
        self.require(Capability.ATOMIC_WRITE, path)
        return await self.replace(path, content, metadata, if_match)

    async def replace(
        self, path: str, content: Content, metadata: Metadata, if_match: str
    ) -> WriteResult:
        """Write in the place of one version."""
        self.compare_target(path, if_match)
        whole = await self.gather(content)
        await turn()
        with self.tree.lock:
            self.compare_target(path, if_match)
            return self.commit(path, whole, True, dict(metadata) if metadata else None)

    async def delete(
        self, path: str, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        if if_match is None:
            await super().delete(path, missing_ok=missing_ok)
            return
        self.require(Capability.DELETE, path)
        await turn()
        with self.tree.lock:
            try:
                self.compare(path, if_match)
            except NotFound:
                if not missing_ok:
                    raise
            else:
                del self.tree.files[self.key(path)]

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        """Delete files as if each was alone."""
        refused: dict[str, RemoteStoreError] = {}
        for path in paths:
            try:
                etag = (if_match or {}).get(path)
                await self.delete(path, missing_ok=missing_ok, if_match=etag)
            except RemoteStoreError as error:
                refused[path] = error
        return refused

    async def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self.require(Capability.MOVE, src)
        await self.pass_on(src, dst, overwrite, if_match, keep=False)

    async def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self.require(Capability.COPY, src)
        await self.pass_on(src, dst, overwrite, if_match, keep=True)

    async def pass_on(
        self, src: str, dst: str, overwrite: bool, if_match: str | None, *, keep: bool
    ) -> None:
        """Move or copy one version."""
        await turn()
        with self.tree.lock:
            if if_match is not None:
                self.compare(src, if_match)
            self.transfer(src, dst, overwrite=overwrite, keep=keep)
