"""What the async and the sync backend have in common: one tree, and what it answers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar, Final, NoReturn, Self
from urllib.parse import unquote, urlsplit

from remote_store import (
    CapabilitySet,
    ContentHeaders,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemotePath,
    WriteResult,
)
from remote_store.authoring import as_bytes, folder_key, known_path, other_version, target_key
from remote_store_memory._mutable_tree import MutableTree
from remote_store_memory._nodes import Files, FolderNode, FolderSnapshot

__all__ = ["Buffer", "Memory", "plain_bytes"]

#: Files of one folder that a listing looks at in one go.
_PAGE: Final = 256


class Memory:
    """Files in the memory of the process, and the object that holds them."""

    CAPABILITIES: ClassVar[CapabilitySet]
    CONTRACT: ClassVar[str] = "1.1"
    close_is_terminal: ClassVar[bool] = False
    _NAME: ClassVar[str]

    def __init__(self) -> None:
        self._tree = MutableTree(self._NAME)

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
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = None
        # The message quotes nothing: what is too much in such a URL is often a password.
        if parts is None or parts.netloc:
            msg = "a memory URL has no host: write memory://, or memory:///folder for a folder"
            raise ValueError(msg) from None
        if parts.query or parts.fragment or parts.path[:1] not in ("", "/"):
            msg = "write memory:// or memory:///folder, without a query and a fragment"
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
            for version in files.values():
                size += len(version[0])
                if latest is None or version[1] > latest:
                    latest = version[1]
        key = folder_key(path, self._NAME, utf8=False)
        return FolderInfo(RemotePath.from_backend_path(key), count, size, latest)

    def _info(self, path: str) -> FileInfo:
        """Return what is known of a file, its metadata included."""
        key, version = self._tree.file(path)
        remote_path, name = known_path(key), key.rpartition("/")[2]
        etag = self._tree.etag(version)
        if len(version) == 3:
            return FileInfo(remote_path, name, len(version[0]), version[1], None, etag)
        headers = version[4] if len(version) == 5 else None
        return FileInfo(
            remote_path,
            name,
            len(version[0]),
            version[1],
            None,
            etag,
            None if headers is None else headers.content_type,
            version[3].copy() or None,
            None,
            headers,
        )

    def _part(self, path: str, start: int, length: int | None, if_match: str | None) -> bytes:
        """Return a part of a file."""
        content, _, count, *_ = self._tree.file(path)[1]
        if if_match is not None and if_match != f"{self._tree.token}{count}":
            raise other_version(path, self._NAME)
        return content[start : None if length is None else start + length]

    def _put(
        self,
        path: str,
        content: bytes,
        overwrite: bool,
        metadata: dict[str, str] | None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        key, version = self._tree.put(path, content, overwrite, metadata, if_match, headers)
        etag = f"{self._tree.token}{version[2]}"
        echo = None if metadata is None else metadata.copy()
        size, when = len(content), version[1]
        return WriteResult(known_path(key), size, "native", None, etag, None, when, echo)

    def _check_target(self, path: str, overwrite: bool, if_match: str | None) -> None:
        """Refuse, before its content is read, a write that would be refused now."""
        self._tree.check_target(path, overwrite=overwrite or if_match is not None)
        if if_match is not None:
            self._tree.check_match(target_key(path, self._NAME, utf8=False), if_match)

    def _files(self, path: str, max_depth: int | None) -> Iterator[list[FileInfo]]:
        """Yield the files of a folder, and of those down to *max_depth* below it, in pages."""
        folder = self._tree.entry(path)
        if not isinstance(folder, FolderNode):
            return
        for files in self._tree.walk(folder, max_depth):
            yield from self._pages(files)

    def _pages(self, files: Files) -> Iterator[list[FileInfo]]:
        """Yield the files of one folder in pages."""
        # All names begin behind the key of their folder.
        start = next(iter(files), "").rfind("/") + 1
        entries = iter(files.items())
        token = self._tree.token
        for _ in range(0, len(files), _PAGE):
            yield [
                FileInfo(
                    known_path(key),
                    key[start:],
                    len(version[0]),
                    version[1],
                    None,
                    f"{token}{version[2]}",
                )
                for key, version in islice(entries, _PAGE)
            ]

    def _folders(self, path: str) -> Iterator[FolderEntry]:
        """Yield the subfolders of a folder."""
        folder = self._tree.entry(path)
        if isinstance(folder, FolderNode):
            yield from self._folder_entries(path, self._tree.snapshot(folder))

    def _children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        """Yield the files and subfolders of a folder."""
        folder = self._tree.entry(path)
        if not isinstance(folder, FolderNode):
            return
        # Both of one moment: a file replaced by a folder must not come twice.
        now = self._tree.snapshot(folder)
        for page in self._pages(now.files):
            yield from page
        yield from self._folder_entries(path, now)

    def _folder_entries(self, path: str, now: FolderSnapshot) -> Iterator[FolderEntry]:
        """Yield the subfolders of *path*."""
        above = folder_key(path, self._NAME, utf8=False)
        for name in now.folders:
            yield FolderEntry(known_path(f"{above}/{name}" if above else name), name)


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
        return self.write(as_bytes(chunk))


def plain_bytes(content: bytes) -> bytes:
    """Return the bytes of a subclass, which may hold state of its caller."""
    return bytes(memoryview(content))
