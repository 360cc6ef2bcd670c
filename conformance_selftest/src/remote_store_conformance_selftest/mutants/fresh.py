"""Backends that remember what somebody else may have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from remote_store import Capability, FileInfo
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import ReferenceBackend


class _Remembers(ReferenceBackend):
    """A backend with a memory of its own."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.memory: dict[str, Any] = {}


@mutant("CONC-008", "does not show it", "info")
class RemembersInfos(_Remembers):
    """What was told about a file is told again, until this client writes it."""

    async def get_file_info(self, path: str) -> FileInfo:
        if path not in self.memory:
            self.memory[path] = await super().get_file_info(path)
        info: FileInfo = self.memory[path]
        return info


@mutant("CONC-008", "does not show it", "exists")
class RemembersAbsence(_Remembers):
    """A path that was missing once is missing for this client's life."""

    async def exists(self, path: str) -> bool:
        if not self.memory.setdefault(path, await super().exists(path)):
            return False
        return await super().exists(path)


@mutant("CONC-008", "does not show it", "listing")
class RemembersListings(_Remembers):
    """A folder is listed from memory when it has been listed before."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        self.require(Capability.LIST, path)
        question = f"{path} {recursive} {max_depth}"
        if question not in self.memory:
            files = super().list_files(path, recursive=recursive, max_depth=max_depth)
            self.memory[question] = [file async for file in files]
        for file in self.memory[question]:
            yield file


@mutant("CONC-008", "does not show it", "content")
class RemembersContent(_Remembers):
    """The content of a file is kept as long as its size is the same."""

    async def read_bytes(self, path: str) -> bytes:
        content = await super().read_bytes(path)
        kept: bytes = self.memory.setdefault(path, content)
        if len(kept) != len(content):
            self.memory[path] = content
        return self.memory[path]  # type: ignore[no-any-return]
