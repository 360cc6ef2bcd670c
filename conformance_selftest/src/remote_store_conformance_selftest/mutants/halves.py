"""Backends that do the first part of what they are asked for, or a part too much."""

from __future__ import annotations

import posixpath
import zlib
from collections.abc import AsyncIterator
from typing import Any

from attrs import evolve

from remote_store import FileInfo, FolderInfo
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.mutants.parts import PART
from remote_store_conformance_selftest.reference import ReferenceBackend


class _CutsTransfers(ReferenceBackend):
    """A backend whose service copies no more than one part."""

    kept = True

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
        file = self.tree.files[self.key(dst)]
        if keep == self.kept and len(file.content) > PART:
            self.tree.put(self.key(dst), evolve(file, content=file.content[:PART]))


@mutant("COPY-001", "has not brought its content")
class CopiesTheFirstPart(_CutsTransfers):
    """A copy on the service's side takes one part, and the rest is forgotten."""


@mutant("MOVE-001", "has not brought its content")
class MovesTheFirstPart(_CutsTransfers):
    """A move that is a copy and a delete copies one part."""

    kept = False


@mutant("READ-001", "a read_bytes of more than one part", "gave something else")
class ReadsTheFirstPart(ReferenceBackend):
    """read_bytes asks for one range, as large as a part."""

    async def read_bytes(self, path: str) -> bytes:
        return (await super().read_bytes(path))[:PART]


@mutant("READ-001", "looks compressed", "gave something else")
class UnpacksWhatItReads(ReferenceBackend):
    """Its HTTP client unpacks what looks compressed."""

    async def read_bytes(self, path: str) -> bytes:
        content = await super().read_bytes(path)
        return zlib.decompress(content, 31) if content.startswith(b"\x1f\x8b") else content


@mutant("LIST-012", "beside keys that are no paths", "photos", flat=True)
class ListsMarkersAsFiles(ReferenceBackend):
    """The empty object that marks a folder is listed as a file of that name."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield file
        key = self.key(path)
        for name in self.below(key):
            if name.endswith("/") and not self.tree.files[name].content:
                yield self.info(name.rstrip("/"), self.tree.files[name])


@mutant("PATH-002", "copy(src, dst", "target")
class TrustsDestinations(ReferenceBackend):
    """A copy checks its source, and cleans its destination up."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        clean = "/".join(s for s in dst.split("/") if s not in ("", ".", "..")).replace("\0", "")
        await super().copy(src, clean, overwrite=overwrite)


@mutant("PATH-002", "get_folder_info", "nothing was raised")
class CleansFoldersUp(ReferenceBackend):
    """Sums are made over whatever is left of a path."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        clean = posixpath.normpath(path.replace("\0", "")).strip("/")
        return await super().get_folder_info(clean)


@mutant("CONC-008", "does not show it")
class RemembersPresence(ReferenceBackend):
    """What was there once is there for this client's life."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: set[str] = set()

    async def exists(self, path: str) -> bool:
        if await super().exists(path):
            self.seen.add(path)
        return path in self.seen
