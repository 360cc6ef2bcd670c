"""
A complete, correct backend over one dict: the kit's own measuring stick.

It is structural on purpose: it inherits nothing, so the kit and the store have
to find its members by name. Every mutant is a subclass that is wrong in one
place; the small methods are there to be overridden.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final

from attrs import evolve

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    ContentDigest,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    NotFound,
    RemotePath,
    WriteResult,
)
from remote_store.authoring import (
    LeftOut,
    already_exists,
    ancestor_is_file,
    as_bytes,
    cannot_delete_root,
    closed,
    file_key,
    folder_key,
    folder_not_empty,
    is_a_file,
    is_a_folder,
    is_key,
    not_found,
    target_key,
)
from remote_store_conformance_selftest.tree import File, Tree, parents

__all__ = ["ALL", "File", "ReferenceBackend", "Tree"]

_log = logging.getLogger(__name__)

#: Everything that can be declared.
ALL: Final = CapabilitySet(Capability)

#: Bytes of a chunk of a read.
CHUNK: Final = 1 << 16

Content = bytes | AsyncIterator[bytes]


async def turn() -> None:
    """Let others run, as a real backend does whenever it waits."""
    await asyncio.sleep(0)


class ReferenceBackend:
    """
    Files in a dict, with every capability.

    Args:
        tree: The storage.
        capabilities: What to declare. What is not declared refuses, also when
            the backend is called without a store.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = ALL
    CONTRACT: ClassVar[str] = "1.0"
    NAME: ClassVar[str] = "reference"

    def __init__(self, tree: Tree | None = None, capabilities: CapabilitySet = ALL) -> None:
        self.tree = tree or Tree()
        self._declared = capabilities
        self._closed = False

    @property
    def name(self) -> str:
        return self.NAME

    @property
    def capabilities(self) -> CapabilitySet:
        return self._declared

    @property
    def close_is_terminal(self) -> bool:
        return self.tree.terminal

    # Errors and rules ------------------------------------------------------

    def missing(self, path: str) -> NotFound:
        return not_found(path, self.name)

    def key(self, path: str) -> str:
        """Return the normal form of a key."""
        return folder_key(path, self.name)

    def require(self, capability: Capability, path: str) -> None:
        """Refuse what is not declared."""
        self.check_open(path)
        if capability not in self._declared:
            msg = f"{capability.value!r} is not supported: {path}"
            raise CapabilityNotSupported(
                msg, path=path, backend=self.name, capability=capability.value
            )

    def check_open(self, path: str) -> None:
        if self._closed and self.tree.terminal:
            raise closed(self.name, path)

    def file(self, path: str) -> File:
        """Return the file at *path*."""
        key = self.key(path)
        with self.tree.lock:
            if key in self.tree.files:
                return self.tree.files[key]
            if self.tree.is_folder(key):
                raise is_a_folder(path, self.name)
        raise self.missing(path)

    def check_target(self, path: str, *, overwrite: bool) -> str:
        """Return the key of a file that may be written."""
        key = target_key(self.key(path), self.name)
        if not self.tree.shared_names:
            if self.tree.is_folder(key):
                raise is_a_folder(path, self.name)
            for parent in parents(key):
                if parent in self.tree.files:
                    raise ancestor_is_file(path, self.name, parent)
        if key in self.tree.files and not overwrite:
            raise already_exists(path, self.name)
        return key

    def digest(self, content: bytes) -> ContentDigest:
        return ContentDigest("sha256", hashlib.sha256(content).hexdigest())

    # Looking ---------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        self.check_open(path)
        return await self.is_file(path) or await self.is_folder(path)

    async def is_file(self, path: str) -> bool:
        self.check_open(path)
        # Under the lock: a move is one step for whoever looks from another thread.
        with self.tree.lock:
            return self.key(path) in self.tree.files

    async def is_folder(self, path: str) -> bool:
        self.check_open(path)
        return self.tree.is_folder(self.key(path))

    async def read(self, path: str) -> AsyncIterator[bytes]:
        self.require(Capability.READ, path)
        content = self.file(path).content
        for start in range(0, len(content), CHUNK):
            await turn()
            yield content[start : start + CHUNK]

    async def read_bytes(self, path: str) -> bytes:
        self.require(Capability.READ, path)
        await turn()
        return self.file(path).content

    def info(self, key: str, file: File) -> FileInfo:
        path = RemotePath(key)
        return FileInfo(
            path,
            path.name,
            len(file.content),
            file.time,
            self.digest(file.content),
            file.etag,
            metadata=dict(file.metadata) if file.metadata else None,
        )

    async def get_file_info(self, path: str) -> FileInfo:
        self.require(Capability.METADATA, path)
        return self.info(self.key(path), self.file(path))

    async def get_folder_info(self, path: str) -> FolderInfo:
        self.require(Capability.METADATA, path)
        key = self.key(path)
        if not self.tree.is_folder(key):
            if key in self.tree.files:
                raise is_a_file(path, self.name)
            raise self.missing(path)
        files = [self.tree.files[k] for k in self.below(key)]
        return FolderInfo(
            RemotePath.from_backend_path(key),
            len(files),
            sum(len(f.content) for f in files),
            max((f.time for f in files), default=None),
        )

    def below(self, key: str) -> list[str]:
        """Return the keys of all files below a folder."""
        prefix = f"{key}/" if key else ""
        with self.tree.lock:
            return [k for k in self.tree.files if k.startswith(prefix)]

    def usable(self, keys: list[str]) -> list[str]:
        """Return the keys that are paths; others were not put there through a store."""
        left_out = LeftOut(_log, self.name)
        for key in keys:
            if not is_key(key):
                left_out.name(key)
        return list(filter(is_key, keys))

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        self.require(Capability.LIST, path)
        key = self.key(path)
        prefix = f"{key}/" if key else ""
        for other in self.usable(self.below(key)):
            depth = other[len(prefix) :].count("/")
            limit = 0 if not recursive else max_depth
            file = self.tree.files.get(other)
            if file is not None and (limit is None or depth <= limit):
                await turn()
                yield self.info(other, file)

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        self.require(Capability.LIST, path)
        key = self.key(path)
        prefix = f"{key}/" if key else ""
        if self.tree.flat:
            found = {
                k[len(prefix) :].partition("/")[0]
                for k in self.below(key)
                if "/" in k[len(prefix) :]
            } - {""}
        else:
            with self.tree.lock:
                found = {f[len(prefix) :] for f in self.tree.folders if f.startswith(prefix)}
            found = {name for name in found if name and "/" not in name}
        for name in sorted(found):
            await turn()
            yield FolderEntry(RemotePath(prefix + name), name)

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        self.require(Capability.GLOB, pattern)
        parsed = GlobPattern.parse(pattern)
        for key in self.usable(self.below(parsed.prefix)):
            file = self.tree.files.get(key)
            if file is not None and parsed.matches(key):
                await turn()
                yield self.info(key, file)

    # Changing --------------------------------------------------------------

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self.require(Capability.WRITE, path)
        return await self.store(path, content, overwrite, metadata)

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self.require(Capability.ATOMIC_WRITE, path)
        return await self.store(path, content, overwrite, metadata)

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        """Gather the content, then make it visible in one step."""
        if metadata:
            self.require(Capability.USER_METADATA, path)
        self.check_target(path, overwrite=overwrite)
        own = dict(metadata) if metadata else None
        whole = await self.gather(content)
        await turn()
        with self.tree.lock:
            return self.commit(path, whole, overwrite, own)

    async def gather(self, content: Content) -> bytes:
        if isinstance(content, bytes):
            return content
        if not hasattr(content, "__aiter__"):
            msg = f"content must be bytes or an async iterator, got {type(content).__name__}"
            raise TypeError(msg)
        parts = []
        async for chunk in content:
            parts.append(as_bytes(chunk))  # noqa: PERF401 - a mutant stops in between
        return b"".join(parts)

    def commit(
        self, path: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> WriteResult:
        """Decide and put, in one step; called with the lock held."""
        key = self.check_target(path, overwrite=overwrite)
        file = File(content, datetime.now(UTC), self.tree.new_etag(), metadata)
        self.tree.put(key, file)
        return self.result(key, file)

    def result(self, key: str, file: File) -> WriteResult:
        if Capability.WRITE_RESULT_NATIVE not in self._declared:
            return WriteResult(RemotePath(key), len(file.content), "basic")
        return WriteResult(
            RemotePath(key),
            len(file.content),
            "native",
            digest=self.digest(file.content),
            etag=file.etag,
            last_modified=file.time,
            metadata=dict(file.metadata) if file.metadata else None,
        )

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        self.require(Capability.DELETE, path)
        await turn()
        with self.tree.lock:
            try:
                self.file(path)
            except NotFound:
                if not missing_ok:
                    raise
            else:
                del self.tree.files[self.key(path)]

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self.require(Capability.DELETE, path)
        key = self.key(path)
        if not key:
            raise cannot_delete_root(path, self.name)
        await turn()
        with self.tree.lock:
            self.remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        """Remove a folder; called with the lock held."""
        if not self.tree.is_folder(key):
            if key in self.tree.files:
                raise is_a_file(path, self.name)
            if not missing_ok:
                raise self.missing(path)
            return
        files = self.below(key)
        folders = {f for f in self.tree.folders if f.startswith(f"{key}/")}
        if (files or folders) and not recursive:
            raise folder_not_empty(path, self.name)
        for file in files:
            del self.tree.files[file]
        self.tree.folders -= folders | {key}

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self.require(Capability.MOVE, src)
        await turn()
        with self.tree.lock:
            self.transfer(src, dst, overwrite=overwrite, keep=False)

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self.require(Capability.COPY, src)
        await turn()
        with self.tree.lock:
            self.transfer(src, dst, overwrite=overwrite, keep=True)

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        """Move or copy a file in one step; called with the lock held."""
        for path in (src, dst):
            file_key(self.key(path), self.name)
        file = self.file(src)
        if self.key(src) == self.key(dst):
            return
        target = self.check_target(dst, overwrite=overwrite)
        if keep:
            file = evolve(
                file,
                time=datetime.now(UTC),
                etag=self.tree.new_etag(),
                metadata=dict(file.metadata) if file.metadata else None,
            )
        self.tree.put(target, file)
        if not keep:
            del self.tree.files[self.key(src)]

    # Lifecycle -------------------------------------------------------------

    async def aclose(self) -> None:
        self._closed = True

    async def check_health(self) -> None:
        if self._closed and self.tree.terminal:
            raise closed(self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(files={len(self.tree.files)})"
