"""A backend that inherits from the protocol: checked at its definition and its construction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from remote_store import (
    UNKNOWN_TIME,
    Capability,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemotePath,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncStore, AsyncWritableContent


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


class Sufficient(AsyncBackend):
    """Only what has no default."""

    @property
    def name(self) -> str:
        return "sufficient"

    @property
    def capabilities(self) -> CapabilitySet:
        return CapabilitySet()

    async def exists(self, path: str) -> bool:
        return False

    is_file = is_folder = exists

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield b""

    async def read_bytes(self, path: str) -> bytes:
        return b""

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        return WriteResult(RemotePath(path), 0)

    write_atomic = write

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        return

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        return

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        yield FileInfo(RemotePath("a"), "a", 0, UNKNOWN_TIME)

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        yield FolderEntry(RemotePath("a"), "a")

    async def get_file_info(self, path: str) -> FileInfo:
        return FileInfo(RemotePath(path), path, 0, UNKNOWN_TIME)

    async def get_folder_info(self, path: str) -> FolderInfo:
        return FolderInfo(RemotePath(path), 0, 0)

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        return

    copy = move


# The defaults count as implemented: nothing is left abstract.
AsyncStore(Sufficient())
