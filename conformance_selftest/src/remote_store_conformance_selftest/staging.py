"""What the reference's service has besides a backend's calls: parts that wait for their commit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attrs import define, field

from remote_store import WriteResult
from remote_store_conformance_selftest.reference import Content, ReferenceBackend
from remote_store_conformance_selftest.tree import Tree

__all__ = ["StagingBackend"]


@define
class _Staged:
    parts: dict[int, bytes] = field(factory=dict)
    metadata: dict[str, str] | None = None


class StagingBackend(ReferenceBackend):
    """A `ReferenceBackend` that takes files by parts, too."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._staged: dict[str, _Staged] = {}

    async def left(self, path: str) -> list[str]:
        """Return number, size and digest of each part that waits."""
        staged = self._staged.get(self.key(path), _Staged())
        return [
            f"{number} {len(part)} {hashlib.sha256(part).hexdigest()}"
            for number, part in sorted(staged.parts.items())
        ]

    async def first_metadata(self, path: str) -> list[str]:
        """Return the metadata with which the first part came, as keys and values in turn."""
        metadata = self._staged.get(self.key(path), _Staged()).metadata or {}
        return [text for pair in metadata.items() for text in pair]

    async def stage(
        self,
        path: str,
        content: Content,
        *,
        number: int,
        overwrite: bool,
        metadata: dict[str, str] | None,
    ) -> None:
        """Keep a part; one of the same number is replaced."""
        key = self.check_target(path, overwrite=overwrite)
        part = await self.gather(content)
        staged = self._staged.setdefault(key, _Staged(metadata=metadata))
        staged.parts[number] = part

    async def put_together(
        self,
        path: str,
        *,
        numbers: list[int],
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        """Make a file of parts, and forget all that wait for it."""
        key = self.check_target(path, overwrite=overwrite)
        staged = self._staged.pop(key)
        content = b"".join(staged.parts[number] for number in numbers)
        return await self.write(path, content, overwrite=overwrite, metadata=metadata)
