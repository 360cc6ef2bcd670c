"""What the async and the sync backend have in common: one tree, and what is told of it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any, ClassVar, Final, NoReturn, Self
from urllib.parse import unquote, urlsplit

from remote_store import (
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemotePath,
    redact_url,
)
from remote_store_memory._keys import folder_names, is_store_path
from remote_store_memory._nodes import File, Folder
from remote_store_memory._tree import Tree

__all__ = ["Buffer", "Memory", "plain", "told"]

#: Files of one folder that a listing looks at in one go.
_PAGE: Final = 256
_log = logging.getLogger("remote_store_memory")


class Memory:
    """Files in the memory of the process, and the object that holds them."""

    CAPABILITIES: ClassVar[CapabilitySet]
    CONTRACT: ClassVar[str] = "1.0"
    close_is_terminal: ClassVar[bool] = False
    _NAME: ClassVar[str]

    def __init__(self) -> None:
        self._tree = Tree(self._NAME)

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
            written = redact_url(f"memory://{parts.netloc}{parts.path}").replace("//", "///", 1)
            msg = f"a memory URL has no host: write {written}"
            raise ValueError(msg)
        if parts.query or parts.fragment or parts.path[:1] not in ("", "/"):
            msg = f"write memory:// or memory:///folder, not {redact_url(url)!r}"
            raise ValueError(msg)
        return cls(**options), unquote(parts.path, errors="strict").strip("/")

    @property
    def name(self) -> str:
        """``"async-memory"`` or ``"memory"``."""
        return self._NAME

    @property
    def capabilities(self) -> CapabilitySet:
        """Those of the class."""
        return self.CAPABILITIES

    def __repr__(self) -> str:
        files, folders = self._tree.count()
        return f"{type(self).__name__}(files={files}, folders={folders})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = (
            f"{type(self).__name__} cannot be pickled or copied: its files are in the memory of "
            "this process. Share the object itself, or use a backend that other processes can reach"
        )
        raise TypeError(msg)

    # Operations that differ in how they wait, and in nothing else -----------

    def _folder_info(self, path: str) -> FolderInfo:
        count = size = 0
        latest = None
        for files in self._tree.walk(self._tree.folder(path), None):
            count += len(files)
            for file in files:
                content, modified_at, _, _ = file.version
                size += len(content)
                if latest is None or modified_at > latest:
                    latest = modified_at
        key = "/".join(folder_names(path, self._NAME))
        return FolderInfo(RemotePath.from_backend_path(key), count, size, latest)

    def _files(self, path: str, max_depth: int | None) -> Iterator[list[FileInfo]]:
        """Yield the files of a folder, and of those down to *max_depth* below it, in pages."""
        folder = self._tree.entry(path)
        if not isinstance(folder, Folder):
            return
        skipped = 0
        for files in self._tree.walk(folder, max_depth):
            for start in range(0, len(files), _PAGE):
                part = files[start : start + _PAGE]
                page = [
                    FileInfo(file.path, file.name, len(content), modified_at, None, etag)
                    for file in part
                    if file.listed
                    for content, modified_at, etag, _ in (file.version,)
                ]
                skipped += len(part) - len(page)
                yield page
        _warn_of_skipped(path, skipped)

    def _folders(self, path: str) -> list[FolderEntry]:
        """Return the subfolders of a folder."""
        folder = self._tree.entry(path)
        if not isinstance(folder, Folder):
            return []
        entries, skipped = self._folder_entries(path, self._tree.subfolders(folder))
        _warn_of_skipped(path, skipped)
        return entries

    def _children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        """Yield the files and subfolders of a folder."""
        folder = self._tree.entry(path)
        if not isinstance(folder, Folder):
            return
        # Both at one moment: a file replaced by a folder must not come twice.
        files, names = self._tree.children(folder)
        entries, skipped = self._folder_entries(path, names)
        for file in files:
            if file.listed:
                yield _listed(file)
            else:
                skipped += 1
        yield from entries
        _warn_of_skipped(path, skipped)

    def _folder_entries(self, path: str, names: list[str]) -> tuple[list[FolderEntry], int]:
        """Return the subfolders of *path* that a store can name, and how many it cannot."""
        above = "/".join(folder_names(path, self._NAME))
        keys = [f"{above}/{name}" if above else name for name in names]
        entries = [
            FolderEntry(RemotePath(key), name)
            for key, name in zip(keys, names, strict=True)
            if is_store_path(key)
        ]
        return entries, len(names) - len(entries)


class Buffer(io.BytesIO):
    """
    Gathers the chunks of a source.

    Not a list of chunks: joining them would need the memory twice.
    """

    def add(self, chunk: object) -> int:
        """
        Append a chunk and return its size in bytes.

        Raises:
            TypeError: It is not bytes-like.
        """
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            msg = f"content must consist of bytes, but its source gave {type(chunk).__name__}"
            raise TypeError(msg)
        return self.write(chunk)


def plain(content: bytes) -> bytes:
    """Return the bytes of a subclass, which may hold state of its caller."""
    return bytes(memoryview(content))


def told(file: File) -> FileInfo:
    """Return what is known of a file, its metadata included."""
    content, modified_at, etag, metadata = file.version
    own = metadata and metadata.copy()
    return FileInfo(file.path, file.name, len(content), modified_at, None, etag, None, own)


def _listed(file: File) -> FileInfo:
    content, modified_at, etag, _ = file.version
    return FileInfo(file.path, file.name, len(content), modified_at, None, etag)


def _warn_of_skipped(path: str, skipped: int) -> None:
    if skipped:
        _log.warning(
            "listing %r skipped %d names with a backslash",
            path,
            skipped,
            extra={"names_left_out": True},
        )
