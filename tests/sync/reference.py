"""
A complete sync backend over one dict, which can be told to be slow, to fail or to count.

It inherits nothing on purpose: what looks for its members has to do so by
name, and has to serve the members with defaults that it lacks.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from remote_store import (
    AlreadyExists,
    Backend,
    Capability,
    CapabilitySet,
    DirectoryNotEmpty,
    FileInfo,
    FolderEntry,
    FolderInfo,
    InvalidPath,
    NotFound,
    RemotePath,
    WriteResult,
)

NAME = "dict"


def as_backend(backend: object) -> Backend:
    """Return *backend* as what it is only by its members."""
    return cast("Backend", backend)


class DictBackend:
    """Folders are real: they appear with a file and stay."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.folders: set[str] = set()
        #: Called at the start of each operation, with its name.
        self.on_call: Callable[[str], object] = lambda name: None
        #: Names of the operations, in order, with the thread that ran each.
        self.calls: list[tuple[str, threading.Thread]] = []
        self.closed = 0
        self.streams: list[BinaryIO] = []
        self._lock = threading.Lock()
        for path, content in (files or {}).items():
            self._put(path, content, None)

    name = NAME
    capabilities = CapabilitySet(set(Capability) - {Capability.GLOB})

    def _called(self, name: str) -> None:
        self.calls.append((name, threading.current_thread()))
        self.on_call(name)

    def _put(self, path: str, content: bytes, metadata: Mapping[str, str] | None) -> None:
        self.files[path] = content
        self.metadata[path] = dict(metadata or {})
        names = path.split("/")[:-1]
        self.folders |= {"/".join(names[: i + 1]) for i in range(len(names))}

    def _file(self, path: str) -> bytes:
        if path in self.files:
            return self.files[path]
        if self._folder(path):
            msg = f"is a folder: {path}"
            raise InvalidPath(msg, path=path, backend=NAME)
        msg = f"not found: {path}"
        raise NotFound(msg, path=path, backend=NAME)

    def _folder(self, path: str) -> bool:
        return path in ("", ".") or path in self.folders

    def _refuse(self, path: str, overwrite: bool) -> None:
        if self._folder(path):
            msg = f"exists as a directory: {path}"
            raise InvalidPath(msg, path=path, backend=NAME)
        if path in self.files and not overwrite:
            msg = f"already exists: {path}"
            raise AlreadyExists(msg, path=path, backend=NAME)

    def exists(self, path: str) -> bool:
        self._called("exists")
        return path in self.files or self._folder(path)

    def is_file(self, path: str) -> bool:
        self._called("is_file")
        return path in self.files

    def is_folder(self, path: str) -> bool:
        self._called("is_folder")
        return self._folder(path)

    def read(self, path: str) -> BinaryIO:
        self._called("read")
        stream = io.BytesIO(self._file(path))
        self.streams.append(stream)
        return stream

    def read_bytes(self, path: str) -> bytes:
        self._called("read_bytes")
        return self._file(path)

    def write(
        self,
        path: str,
        content: BinaryIO | bytes,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self._called("write")
        self._refuse(path, overwrite)
        if isinstance(content, bytes):
            data = content
        else:
            parts = []
            while part := content.read(65536):
                parts.append(part)
            data = b"".join(parts)
        with self._lock:
            self._refuse(path, overwrite)
            self._put(path, data, metadata)
        return WriteResult(RemotePath(path), len(data), "native", metadata=metadata)

    write_atomic = write

    def delete(self, path: str, *, missing_ok: bool = False) -> None:
        self._called("delete")
        if path in self.files or self._folder(path) or not missing_ok:
            self._file(path)
            del self.files[path]

    def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self._called("delete_folder")
        if path in self.files:
            msg = f"is a file: {path}"
            raise InvalidPath(msg, path=path, backend=NAME)
        if path not in self.folders:
            if missing_ok:
                return
            msg = f"not found: {path}"
            raise NotFound(msg, path=path, backend=NAME)
        below = [key for key in [*self.files, *self.folders] if key.startswith(f"{path}/")]
        if below and not recursive:
            msg = f"not empty: {path}"
            raise DirectoryNotEmpty(msg, path=path, backend=NAME)
        for key in below:
            self.files.pop(key, None)
        self.folders -= {path, *below}

    def _below(self, path: str, keys: list[str]) -> Iterator[tuple[str, str]]:
        prefix = "" if path in ("", ".") else f"{path}/"
        for key in keys:
            if key.startswith(prefix):
                yield key, key[len(prefix) :]

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Iterator[FileInfo]:
        self._called("list_files")
        for key, rest in self._below(path, list(self.files)):
            if recursive or "/" not in rest:
                yield self._info(key)

    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        self._called("list_folders")
        for key, rest in self._below(path, sorted(self.folders)):
            if "/" not in rest:
                yield FolderEntry(RemotePath(key), rest)

    def _info(self, path: str) -> FileInfo:
        time = datetime(2026, 1, 2, tzinfo=UTC)
        return FileInfo(
            RemotePath(path),
            path.rpartition("/")[2],
            len(self.files[path]),
            time,
            metadata=self.metadata[path] or None,
        )

    def get_file_info(self, path: str) -> FileInfo:
        self._called("get_file_info")
        self._file(path)
        return self._info(path)

    def get_folder_info(self, path: str) -> FolderInfo:
        self._called("get_folder_info")
        if path in self.files:
            msg = f"is a file: {path}"
            raise InvalidPath(msg, path=path, backend=NAME)
        if not self._folder(path):
            msg = f"not found: {path}"
            raise NotFound(msg, path=path, backend=NAME)
        infos = [self._info(key) for key, _ in self._below(path, list(self.files))]
        where = RemotePath.from_backend_path(path)
        return FolderInfo(where, len(infos), sum(info.size for info in infos))

    def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self._called("move")
        content = self._file(src)
        self._refuse(dst, overwrite)
        self._put(dst, content, self.metadata[src])
        del self.files[src]

    def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self._called("copy")
        content = self._file(src)
        self._refuse(dst, overwrite)
        self._put(dst, content, self.metadata[src])

    def close(self) -> None:
        self._called("close")
        self.closed += 1


class Plain(DictBackend):
    """Pickles as an empty backend."""

    def __reduce__(self) -> Any:
        return Plain, ()


class Flow(io.RawIOBase):
    """A readable stream of *size* zero bytes that takes no memory, and notes its close."""

    def __init__(self, size: int, thread_of_close: list[Any] | None = None) -> None:
        super().__init__()
        self.left = size
        self.closer: threading.Thread | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = min(len(buffer), self.left)
        self.left -= count
        return count

    def close(self) -> None:
        self.closer = self.closer or threading.current_thread()
        super().close()
