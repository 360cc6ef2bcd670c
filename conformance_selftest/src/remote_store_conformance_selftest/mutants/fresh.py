"""Backends that remember what somebody else may have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from remote_store import Capability, FileInfo, FolderEntry, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend


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


@mutant("CONC-008", "does not show it", "is_folder")
class RemembersFolders(_Remembers):
    """What was a folder once is one for this client's life."""

    async def is_folder(self, path: str) -> bool:
        found = await super().is_folder(path)
        self.memory[path] = found or self.memory.get(path, False)
        return bool(self.memory[path])


@mutant("CONC-008", "does not show it", "folders")
class RemembersSubfolders(_Remembers):
    """The subfolders of a folder are listed from memory, which only grows."""

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        known: dict[str, FolderEntry] = self.memory.setdefault(path, {})
        async for entry in super().list_folders(path):
            known[entry.name] = entry
        for entry in known.values():
            yield entry


@mutant("CONC-008", "a write into a folder that another client has removed failed")
class RemembersWhatItHasMade(_Remembers):
    """Folders are made once, and then taken to be there."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        folder = self.key(path).rpartition("/")[0]
        if folder and folder in self.memory and not self.tree.is_folder(folder):
            raise self.missing(path)
        result = await super().store(path, content, overwrite, metadata)
        self.memory[folder] = True
        return result

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        await super().delete_folder(path, recursive=recursive, missing_ok=missing_ok)
        self.memory.clear()
