"""The async backend over a tree in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

from remote_store import (
    Capability,
    CapabilitySet,
    ContentHeaders,
    FileInfo,
    FolderEntry,
    FolderInfo,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncWritableContent
from remote_store_memory._common import Buffer, Memory, plain_bytes
from remote_store_memory._nodes import FolderNode

__all__ = ["AsyncMemoryBackend"]


class AsyncMemoryBackend(Memory, AsyncBackend):
    """
    Keeps files in the memory of the process.

    For tests, caches and scratch data. Tasks, threads and event loops may use
    one object at the same time, and one after another; closing it changes
    nothing. No operation waits for anything but the source of a write.

    Every change is made in one step. A signal handler or a finaliser may use
    the object wherever it interrupts another use of it: it sees that change
    undone or done, and neither waits for the other. It must not wait for
    another thread that uses the object. An exception raised at any moment,
    such as KeyboardInterrupt, leaves a change undone or done. A forked child
    has all the files and goes on alone.

    A listing shows each folder as it was when the listing reached it, the first
    one when its first entry was asked for.

    Folders are real: writing a file creates those above it, and they stay
    until `delete_folder`, also when they are empty. Content is kept by
    reference and handed out as one chunk. Every version of a file has an ETag
    of its own; a move keeps it, as it keeps the time, because it makes no new
    version, and a copy gets new ones.

    It cannot be pickled, copied or deep-copied: there is one memory.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability)
        - {
            Capability.GLOB,
            Capability.SIGNED_URL,
            Capability.RESUMABLE_WRITE,
        }
    )
    _NAME: ClassVar[str] = "async-memory"

    # Questions -------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        return self._tree.entry(path) is not None

    async def is_file(self, path: str) -> bool:
        return isinstance(self._tree.entry(path), tuple)

    async def is_folder(self, path: str) -> bool:
        return isinstance(self._tree.entry(path), FolderNode)

    async def get_file_info(self, path: str) -> FileInfo:
        return self._info(path)

    async def get_folder_info(self, path: str) -> FolderInfo:
        return self._folder_info(path)

    # Reading ---------------------------------------------------------------

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield self._tree.file(path)[1][0]

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        yield self._part(path, start, length, if_match)

    async def read_bytes(self, path: str) -> bytes:
        return self._tree.file(path)[1][0]

    # Writing ---------------------------------------------------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        own = None if metadata is None else dict(metadata)
        if type(content) is not bytes:
            content = await self._gather(path, content, overwrite, if_match)
        return self._put(path, content, overwrite, own, if_match, headers)

    #: A version appears in one step, however it was written.
    write_atomic = write

    async def _gather(
        self, path: str, content: AsyncWritableContent, overwrite: bool, if_match: str | None
    ) -> bytes:
        if isinstance(content, bytes):
            return plain_bytes(content)
        if not hasattr(content, "__aiter__"):
            msg = (
                f"content must be bytes or an async iterator of bytes, got {type(content).__name__}"
            )
            raise TypeError(msg)
        self._check_target(path, overwrite, if_match)
        buffer = Buffer()
        async for chunk in content:
            buffer.add(chunk)
        return buffer.getvalue()

    async def create_folder(self, path: str) -> None:
        self._tree.create_folder(path)

    # Deleting --------------------------------------------------------------

    async def delete(
        self, path: str, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        self._tree.delete(path, missing_ok, if_match)

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self._tree.delete_folder(path, recursive=recursive, missing_ok=missing_ok)

    # Moving and copying ----------------------------------------------------

    async def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self._tree.transfer(src, dst, overwrite, False, if_match)

    async def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self._tree.transfer(src, dst, overwrite, True, if_match)

    # Listing ---------------------------------------------------------------

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        for page in self._files(path, max_depth if recursive else 0):
            for info in page:
                yield info

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        for entry in self._folders(path):
            yield entry

    async def iter_children(self, path: str) -> AsyncIterator[FileInfo | FolderEntry]:
        for entry in self._children(path):
            yield entry

    # Lifecycle -------------------------------------------------------------

    async def aclose(self) -> None:
        """Change nothing: the files stay, and the object stays usable."""

    async def check_health(self) -> None:
        """Do nothing: memory is always there."""
