"""The sync backend over a tree in memory."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import BinaryIO, ClassVar, Final, cast

from remote_store import (
    Backend,
    Capability,
    CapabilitySet,
    ContentHeaders,
    FileInfo,
    FolderEntry,
    FolderInfo,
    WritableContent,
    WriteResult,
)
from remote_store_memory._common import Buffer, Memory, plain_bytes
from remote_store_memory._nodes import FolderNode

__all__ = ["MemoryBackend"]

#: Bytes that are taken from a source at once.
_STEP: Final = 1 << 20


class MemoryBackend(Memory, Backend):
    """
    Keeps files in the memory of the process, for a sync store.

    The same tree, rules, guarantees and errors as of `AsyncMemoryBackend`.
    Threads may use one object at the same time, and so may signal handlers and
    finalisers; closing it changes nothing. A stream that was
    read from it holds one version of a file. It cannot be pickled, copied or
    deep-copied: there is one memory.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability)
        - {
            Capability.GLOB,
            Capability.LAZY_READ,
            Capability.SIGNED_URL,
            Capability.RESUMABLE_WRITE,
        }
    )
    _NAME: ClassVar[str] = "memory"

    # Questions -------------------------------------------------------------

    def exists(self, path: str) -> bool:
        return self._tree.entry(path) is not None

    def is_file(self, path: str) -> bool:
        return isinstance(self._tree.entry(path), tuple)

    def is_folder(self, path: str) -> bool:
        return isinstance(self._tree.entry(path), FolderNode)

    def get_file_info(self, path: str) -> FileInfo:
        return self._info(path)

    def get_folder_info(self, path: str) -> FolderInfo:
        return self._folder_info(path)

    # Reading ---------------------------------------------------------------

    def read(self, path: str) -> BinaryIO:
        # Shares the bytes until its user writes into it, and then has its own.
        return io.BytesIO(self._tree.file(path)[1][0])

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> BinaryIO:
        return io.BytesIO(self._part(path, start, length, if_match))

    def read_bytes(self, path: str) -> bytes:
        return self._tree.file(path)[1][0]

    # Writing ---------------------------------------------------------------

    def write(
        self,
        path: str,
        content: WritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        own = None if metadata is None else dict(metadata)
        if type(content) is not bytes:
            content = self._gather(path, content, overwrite, if_match)
        return self._put(path, content, overwrite, own, if_match, headers)

    #: A version appears in one step, however it was written.
    write_atomic = write

    def _gather(
        self, path: str, content: WritableContent, overwrite: bool, if_match: str | None
    ) -> bytes:
        if isinstance(content, bytes):
            return plain_bytes(content)
        read = getattr(content, "read", None)
        if not callable(read):
            msg = f"content must be bytes or a binary file, got {type(content).__name__}"
            raise TypeError(msg)
        self._check_target(path, overwrite, if_match)
        buffer = Buffer()
        while buffer.add(read(_STEP)):
            pass
        return buffer.getvalue()

    @contextlib.contextmanager
    def open_atomic(self, path: str, *, overwrite: bool = False) -> Iterator[BinaryIO]:
        self._tree.check_target(path, overwrite=overwrite)
        with _KeptBuffer() as buffer:
            yield cast("BinaryIO", buffer)
        self._put(path, buffer.content, overwrite, None)

    def create_folder(self, path: str) -> None:
        self._tree.create_folder(path)

    # Deleting --------------------------------------------------------------

    def delete(self, path: str, *, missing_ok: bool = False, if_match: str | None = None) -> None:
        self._tree.delete(path, missing_ok, if_match)

    def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self._tree.delete_folder(path, recursive=recursive, missing_ok=missing_ok)

    # Moving and copying ----------------------------------------------------

    def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self._tree.transfer(src, dst, overwrite, False, if_match)

    def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        self._tree.transfer(src, dst, overwrite, True, if_match)

    # Listing ---------------------------------------------------------------

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Iterator[FileInfo]:
        for page in self._files(path, max_depth if recursive else 0):
            yield from page

    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        yield from self._folders(path)

    def iter_children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        return self._children(path)

    # Lifecycle -------------------------------------------------------------

    def close(self) -> None:
        """Change nothing: the files stay, and the object stays usable."""

    def check_health(self) -> None:
        """Do nothing: memory is always there."""


class _KeptBuffer(io.BytesIO):
    """A buffer whose content outlives its closing, which is allowed in the block."""

    content = b""

    def close(self) -> None:
        if not self.closed:
            self.content = self.getvalue()
        super().close()
