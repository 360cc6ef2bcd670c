"""The reference with what version 1.1 of the contract allows: content headers too."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from attrs import evolve

from remote_store import Capability, CapabilitySet, ContentHeaders, FileInfo, WriteResult
from remote_store_conformance_selftest.reference import ALL, Content, File
from remote_store_conformance_selftest.reference_conditions import ConditionalBackend

__all__ = ["LACKING", "HeadersBackend"]

#: What it does not have of that version.
LACKING: Final = (
    Capability.RANGE_READ,
    Capability.SIGNED_URL,
    Capability.CREATE_FOLDER,
    Capability.RESUMABLE_WRITE,
)


class HeadersBackend(ConditionalBackend):
    """A backend that keeps with content what is handed out with it."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(ALL - set(LACKING))

    async def write(
        self,
        path: str,
        content: Content,
        *,
        headers: ContentHeaders | None = None,
        **more: Any,
    ) -> WriteResult:
        return self.keep(path, headers, await super().write(path, content, **more))

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        headers: ContentHeaders | None = None,
        **more: Any,
    ) -> WriteResult:
        return self.keep(path, headers, await super().write_atomic(path, content, **more))

    def keep(self, path: str, headers: ContentHeaders | None, result: WriteResult) -> WriteResult:
        """Keep headers with a file that was just written."""
        if headers is not None:
            with self.tree.lock:
                self.tree.put(self.key(path), evolve(self.file(path), headers=headers))
        return result

    def info(self, key: str, file: File) -> FileInfo:
        info = super().info(key, file)
        told = file.headers or ContentHeaders(content_type="application/octet-stream")
        return FileInfo(
            info.path,
            info.name,
            info.size,
            info.modified_at,
            info.digest,
            info.etag,
            told.content_type,
            info.metadata,
            info.extra,
            told,
        )
