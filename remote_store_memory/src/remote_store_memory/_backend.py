"""The async backend over a tree in memory."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final, NoReturn, Self
from urllib.parse import unquote, urlsplit

from remote_store import (
    Capability,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemotePath,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncWritableContent
from remote_store_memory._keys import folder_names, is_store_path
from remote_store_memory._nodes import File, Folder
from remote_store_memory._results import file_info, write_result
from remote_store_memory._tree import Tree

__all__ = ["AsyncMemoryBackend"]

_log = logging.getLogger(__name__)

_NAME: Final = "async-memory"
_ALL_BUT_GLOB: Final = CapabilitySet(set(Capability) - {Capability.GLOB})


class AsyncMemoryBackend(AsyncBackend):
    r"""
    Keeps files in the memory of the process.

    For tests, caches and scratch data. Tasks, threads and event loops may use
    one object at the same time, and one after another; closing it changes
    nothing. No operation waits for anything but the source of a write.

    Folders are real: writing a file creates those above it, and they stay
    until `delete_folder`, also when they are empty. Content is kept by
    reference and handed out as one chunk. Every version of a file has an ETag
    of its own; a move keeps it, as it keeps the time, because it makes no new
    version, and a copy gets new ones.

    Called directly, without a store, it takes ``\`` as an ordinary
    character. A name with one is no path of a store: listings skip it with a
    warning.

    It cannot be pickled, copied or deep-copied: there is one memory.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = _ALL_BUT_GLOB
    CONTRACT: ClassVar[str] = "1.0"
    close_is_terminal: ClassVar[bool] = False

    def __init__(self) -> None:
        self._tree = Tree(_NAME)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        """
        Return a new, empty backend and the root path that a URL names.

        Args:
            url: ``memory://``, or ``memory:///folder`` for a store below a folder.
            options: None are known.

        Raises:
            ValueError: *url* has a host, a query or a fragment.
            TypeError: *options* are given.
        """
        parts = urlsplit(url)
        if parts.netloc:
            msg = f"a memory URL has no host: write {parts.scheme}:///{parts.netloc}{parts.path}"
            raise ValueError(msg)
        if parts.query or parts.fragment or parts.path[:1] not in ("", "/"):
            msg = f"write memory:// or memory:///folder, not {url!r}"
            raise ValueError(msg)
        return cls(**options), unquote(parts.path, errors="strict").strip("/")

    @property
    def name(self) -> str:
        """``"async-memory"``."""
        return _NAME

    @property
    def capabilities(self) -> CapabilitySet:
        """All but GLOB."""
        return _ALL_BUT_GLOB

    # Looking ---------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        return self._tree.entry(path) is not None

    async def is_file(self, path: str) -> bool:
        return isinstance(self._tree.entry(path), File)

    async def is_folder(self, path: str) -> bool:
        return isinstance(self._tree.entry(path), Folder)

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield self._tree.file(path).version[0]

    async def read_bytes(self, path: str) -> bytes:
        return self._tree.file(path).version[0]

    async def get_file_info(self, path: str) -> FileInfo:
        file = self._tree.file(path)
        content, modified_at, etag, metadata = file.version
        return file_info(
            file.path, file.name, len(content), modified_at, etag, metadata and metadata.copy()
        )

    async def get_folder_info(self, path: str) -> FolderInfo:
        count = size = 0
        latest = None
        for files in self._tree.walk(self._tree.folder(path), None):
            count += len(files)
            for file in files:
                content, modified_at, _, _ = file.version
                size += len(content)
                if latest is None or modified_at > latest:
                    latest = modified_at
        key = "/".join(folder_names(path, _NAME))
        return FolderInfo(RemotePath.from_backend_path(key), count, size, latest)

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        folder = self._tree.entry(path)
        if not isinstance(folder, Folder):
            return
        skipped = 0
        for files in self._tree.walk(folder, max_depth if recursive else 0):
            for file in files:
                if file.listed:
                    yield _listed(file)
                else:
                    skipped += 1
        _warn_of_skipped(path, skipped)

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        folder = self._tree.entry(path)
        if not isinstance(folder, Folder):
            return
        entries, skipped = _folder_entries(path, self._tree.subfolders(folder))
        for entry in entries:
            yield entry
        _warn_of_skipped(path, skipped)

    async def iter_children(self, path: str) -> AsyncIterator[FileInfo | FolderEntry]:
        folder = self._tree.entry(path)
        if not isinstance(folder, Folder):
            return
        # Both at one moment: a file replaced by a folder must not come twice.
        files, names = self._tree.children(folder)
        entries, skipped = _folder_entries(path, names)
        for file in files:
            if file.listed:
                yield _listed(file)
            else:
                skipped += 1
        for entry in entries:
            yield entry
        _warn_of_skipped(path, skipped)

    # Changing --------------------------------------------------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        own = None if metadata is None else dict(metadata)
        if type(content) is not bytes:
            content = await self._gather(path, content, overwrite)
        file, version = self._tree.put(path, content, overwrite=overwrite, metadata=own or None)
        echo = None if own is None else own.copy()
        return write_result(file.path, len(content), version[2], version[1], echo)

    #: A version appears in one step, however it was written.
    write_atomic = write

    async def _gather(self, path: str, content: AsyncWritableContent, overwrite: bool) -> bytes:
        if isinstance(content, bytes):
            # A subclass may hold state of its caller; only its bytes are kept.
            return bytes(memoryview(content))
        if not hasattr(content, "__aiter__"):
            msg = (
                f"content must be bytes or an async iterator of bytes, got {type(content).__name__}"
            )
            raise TypeError(msg)
        self._tree.check_target(path, overwrite=overwrite)
        # Not a list of chunks: joining them would need the memory twice.
        buffer = io.BytesIO()
        async for chunk in content:
            if not isinstance(chunk, (bytes, bytearray, memoryview)):
                msg = f"content must consist of bytes, but its source gave {type(chunk).__name__}"
                raise TypeError(msg)
            buffer.write(chunk)
        return buffer.getvalue()

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        self._tree.delete(path, missing_ok=missing_ok)

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self._tree.delete_folder(path, recursive=recursive, missing_ok=missing_ok)

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self._tree.move(src, dst, overwrite=overwrite)

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self._tree.copy(src, dst, overwrite=overwrite)

    # The object itself -----------------------------------------------------

    async def aclose(self) -> None:
        """Change nothing: the files stay, and the object stays usable."""

    async def check_health(self) -> None:
        """Do nothing: memory is always there."""

    def __repr__(self) -> str:
        files, folders = self._tree.count()
        return f"{type(self).__name__}(files={files}, folders={folders})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = (
            f"{type(self).__name__} cannot be pickled or copied: its files are in the memory of "
            "this process. Share the object itself, or use a backend that other processes can reach"
        )
        raise TypeError(msg)


def _listed(file: File) -> FileInfo:
    content, modified_at, etag, _ = file.version
    return file_info(file.path, file.name, len(content), modified_at, etag, None)


def _folder_entries(path: str, names: list[str]) -> tuple[list[FolderEntry], int]:
    """Return the subfolders of *path* that a store can name, and how many it cannot."""
    above = "/".join(folder_names(path, _NAME))
    keys = [f"{above}/{name}" if above else name for name in names]
    entries = [
        FolderEntry(RemotePath(key), name)
        for key, name in zip(keys, names, strict=True)
        if is_store_path(key)
    ]
    return entries, len(names) - len(entries)


def _warn_of_skipped(path: str, skipped: int) -> None:
    if skipped:
        _log.warning("listing %r skipped %d names with a backslash", path, skipped)
