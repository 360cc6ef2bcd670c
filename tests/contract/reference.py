"""
A complete backend over one dict, for testing the store before and without any plugin.

It inherits nothing on purpose: the store has to find its members by name, and
has to serve the members with defaults that it lacks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from attrs import define, evolve, field, frozen

from remote_store import (
    AlreadyExists,
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

__all__ = ["NAME", "DictBackend"]

NAME = "reference"


@frozen
class _File:
    content: bytes
    time: datetime
    metadata: dict[str, str] | None


def _invalid(what: str, path: str) -> InvalidPath:
    return InvalidPath(f"{what}: {path}", path=path, backend=NAME)


def _missing(path: str) -> NotFound:
    return NotFound(f"not found: {path}", path=path, backend=NAME)


def _key(path: str) -> str:
    segments = path.split("/")
    if path.startswith("/") or ".." in segments or "\0" in path:
        raise _invalid("malformed path", path)
    return "/".join(s for s in segments if s not in ("", "."))


def _parents(key: str) -> list[str]:
    """The proper ancestors of *key*, nearest last, without the root."""
    names = key.split("/")[:-1]
    return ["/".join(names[: i + 1]) for i in range(len(names))]


@define(eq=False)
class DictBackend:
    """Files by key, and the folders that were ever written into."""

    files: dict[str, _File] = field(factory=dict)
    folders: set[str] = field(factory=set)

    @property
    def name(self) -> str:
        return NAME

    @property
    def capabilities(self) -> CapabilitySet:
        return CapabilitySet(set(Capability) - {Capability.GLOB})

    async def exists(self, path: str) -> bool:
        return await self.is_file(path) or await self.is_folder(path)

    async def is_file(self, path: str) -> bool:
        return _key(path) in self.files

    async def is_folder(self, path: str) -> bool:
        key = _key(path)
        return key == "" or key in self.folders

    def _file(self, path: str) -> _File:
        key = _key(path)
        if key == "" or key in self.folders:
            raise _invalid("exists as a directory", path)
        if key not in self.files:
            raise _missing(path)
        return self.files[key]

    async def read(self, path: str) -> AsyncIterator[bytes]:
        yield self._file(path).content

    async def read_bytes(self, path: str) -> bytes:
        return self._file(path).content

    def _check_target(self, path: str, *, overwrite: bool) -> str:
        key = _key(path)
        if key == "":
            raise _invalid("path must not be empty", path)
        if key.rpartition("/")[2].startswith(".~tmp."):
            raise _invalid("reserved name", path)
        if key in self.folders:
            raise _invalid("exists as a directory", path)
        for parent in _parents(key):
            if parent in self.files:
                raise _invalid(f"{parent} exists as a file", path)
        if key in self.files and not overwrite:
            raise AlreadyExists(f"already exists: {path}", path=path, backend=NAME)
        return key

    def _put(self, key: str, file: _File) -> None:
        self.folders.update(_parents(key))
        self.files[key] = file

    async def write(
        self,
        path: str,
        content: bytes | AsyncIterator[bytes],
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self._check_target(path, overwrite=overwrite)
        whole = content if isinstance(content, bytes) else b"".join([c async for c in content])
        key = self._check_target(path, overwrite=overwrite)
        stored = dict(metadata) if metadata else None
        file = _File(whole, datetime.now(UTC), stored)
        self._put(key, file)
        return WriteResult(
            RemotePath(key),
            len(whole),
            "native",
            last_modified=file.time,
            metadata=None if metadata is None else dict(metadata),
        )

    write_atomic = write

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        try:
            self._file(path)
        except NotFound:
            if not missing_ok:
                raise
        else:
            del self.files[_key(path)]

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        key = _key(path)
        if key == "":
            raise _invalid("path must not be empty", path)
        if key in self.files:
            raise _invalid("exists as a file", path)
        if key not in self.folders:
            if missing_ok:
                return
            raise _missing(path)
        below = {k for k in [*self.files, *self.folders] if k.startswith(f"{key}/")}
        if below and not recursive:
            raise DirectoryNotEmpty(f"folder not empty: {path}", path=path, backend=NAME)
        self.folders -= below | {key}
        self.files = {k: v for k, v in self.files.items() if k not in below}

    def _info(self, key: str) -> FileInfo:
        file = self.files[key]
        metadata = None if file.metadata is None else dict(file.metadata)
        path = RemotePath(key)
        return FileInfo(path, path.name, len(file.content), file.time, metadata=metadata)

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        # max_depth is ignored, as a backend may: the store has to filter.
        key = _key(path)
        prefix = f"{key}/" if key else ""
        for other in list(self.files):
            if not other.startswith(prefix):
                continue
            if recursive or "/" not in other[len(prefix) :]:
                yield self._info(other)

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        key = _key(path)
        for other in sorted(self.folders):
            if other.rpartition("/")[0] == key:
                entry = RemotePath(other)
                yield FolderEntry(entry, entry.name)

    async def get_file_info(self, path: str) -> FileInfo:
        self._file(path)
        return self._info(_key(path))

    async def get_folder_info(self, path: str) -> FolderInfo:
        key = _key(path)
        if key in self.files:
            raise _invalid("exists as a file", path)
        if key and key not in self.folders:
            raise _missing(path)
        prefix = f"{key}/" if key else ""
        files = [v for k, v in self.files.items() if k.startswith(prefix)]
        return FolderInfo(
            RemotePath.from_backend_path(key),
            len(files),
            sum(len(f.content) for f in files),
            max((f.time for f in files), default=None),
        )

    def _transfer(self, src: str, dst: str, *, overwrite: bool) -> tuple[str, str]:
        if _key(src) == "":
            raise _invalid("path must not be empty", src)
        if _key(dst) == "":
            raise _invalid("path must not be empty", dst)
        self._file(src)
        source = _key(src)
        if source == _key(dst):
            return source, source
        return source, self._check_target(dst, overwrite=overwrite)

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        source, target = self._transfer(src, dst, overwrite=overwrite)
        if source != target:
            self._put(target, self.files.pop(source))

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        source, target = self._transfer(src, dst, overwrite=overwrite)
        if source != target:
            self._put(target, evolve(self.files[source], time=datetime.now(UTC)))
