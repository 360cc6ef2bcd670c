"""Backends that tell wrong things about files and folders."""

from __future__ import annotations

import zlib
from datetime import timedelta
from typing import Any

from attrs import evolve

from remote_store import FileInfo, FolderInfo, NotFound, RemotePath, WriteResult
from remote_store.authoring import ancestor_is_file
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, File, ReferenceBackend


@mutant("INFO-001", "another path, name or size")
class NamesTheWholeKey(ReferenceBackend):
    """The name of a file is its whole key."""

    def info(self, key: str, file: File) -> FileInfo:
        return evolve(super().info(key, file), name=key)


@mutant("INFO-001", "does not return a FileInfo")
class ReturnsTheNativeAnswer(ReferenceBackend):
    """get_file_info returns what the service answered."""

    async def get_file_info(self, path: str) -> Any:
        return {"Content-Length": len(self.file(path).content)}


@mutant("INFO-002", "no aware UTC time")
class TellsNaiveTimes(ReferenceBackend):
    """modified_at has no time zone."""

    def info(self, key: str, file: File) -> FileInfo:
        return evolve(super().info(key, file), modified_at=file.time.replace(tzinfo=None))


@mutant("INFO-002", "not the time of the write")
class TakesLocalTimeForUtc(ReferenceBackend):
    """The local time of a machine one zone east is labelled as UTC."""

    def info(self, key: str, file: File) -> FileInfo:
        return evolve(super().info(key, file), modified_at=file.time + timedelta(hours=1))


@mutant("INFO-003", "a path through a file", "InvalidPath")
class TakesTheWayForMalformed(ReferenceBackend):
    """A path through a file is called invalid when it is asked about."""

    async def get_file_info(self, path: str) -> FileInfo:
        if self.key(path).rpartition("/")[0] in self.tree.files:
            raise ancestor_is_file(path, self.name)
        return await super().get_file_info(path)


@mutant("INFO-004", "nothing was raised")
class DescribesFolders(ReferenceBackend):
    """A folder is described as an empty file."""

    def file(self, path: str) -> File:
        if self.tree.is_folder(self.key(path)):
            return evolve(next(iter(self.tree.files.values())), content=b"")
        return super().file(path)


@mutant("INFO-004", "NotFound", flat=True)
class HandsOnThe404OfAFolder(ReferenceBackend):
    """On a flat store get_file_info of a folder says that nothing is there."""

    def file(self, path: str) -> File:
        if self.key(path) not in self.tree.files:
            raise self.missing(path)
        return super().file(path)


@mutant("INFO-005", "equal size", "have one ETag")
class MakesEtagsOfTimeAndSize(ReferenceBackend):
    """The ETag is made of the time in whole seconds and the size."""

    def info(self, key: str, file: File) -> FileInfo:
        token = f"{int(file.time.timestamp()) // 60:x}-{len(file.content):x}"
        return evolve(super().info(key, file), etag=token)


@mutant("INFO-005", "not the bare token")
class KeepsTheQuotes(ReferenceBackend):
    """The ETag keeps the quotes of the header."""

    def info(self, key: str, file: File) -> FileInfo:
        return evolve(super().info(key, file), etag=f'"{file.etag}"')


@mutant("INFO-005", "of an unchanged file changes")
class MakesEtagsOfObjects(ReferenceBackend):
    """The ETag is made anew for every answer."""

    def info(self, key: str, file: File) -> FileInfo:
        token = f"{zlib.crc32(file.content):08x}-{self.tree.new_etag()}"
        return evolve(super().info(key, file), etag=token)


class _KeepsTheEtag(ReferenceBackend):
    """What replaces a file in one way takes over its ETag."""

    def take_over(self, path: str, old: File | None) -> None:
        if old is not None:
            new = self.tree.files[self.key(path)]
            self.tree.files[self.key(path)] = evolve(new, etag=old.etag)


@mutant("INFO-005", "have one ETag", "by copy")
class CopiesUnderTheOldEtag(_KeepsTheEtag):
    """A copy over a file leaves the ETag of the file that it replaced."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        old = self.tree.files.get(self.key(dst))
        await super().copy(src, dst, overwrite=overwrite)
        self.take_over(dst, old)


@mutant("INFO-005", "have one ETag", "by move")
class MovesUnderTheOldEtag(_KeepsTheEtag):
    """A move over a file leaves the ETag of the file that it replaced."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        old = self.tree.files.get(self.key(dst))
        await super().move(src, dst, overwrite=overwrite)
        self.take_over(dst, old)


@mutant("INFO-005", "have one ETag", "by write_atomic")
class RenamesUnderTheOldEtag(_KeepsTheEtag):
    """An atomic write keeps the ETag of the file that it replaced."""

    async def write_atomic(self, path: str, content: Content, **options: Any) -> WriteResult:
        old = self.tree.files.get(self.key(path))
        result = await super().write_atomic(path, content, **options)
        self.take_over(path, old)
        return result


@mutant("INFO-006", "other files or bytes")
class CountsTheTopOnly(ReferenceBackend):
    """Only the files of the folder itself are counted."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        info = await super().get_folder_info(path)
        start = len(self.key(path)) + 1
        sizes = [
            len(self.tree.files[key].content)
            for key in self.below(self.key(path))
            if "/" not in key[start:]
        ]
        return evolve(info, file_count=len(sizes), total_size=sum(sizes))


@mutant("INFO-006", "other files or bytes")
class CountsByPrefix(ReferenceBackend):
    """What is beside a folder counts where its name begins with the folder's."""

    def below(self, key: str) -> list[str]:
        return [k for k in self.tree.files if k.startswith(key)]


@mutant("INFO-006", "not the latest")
class TakesTheFirstTime(ReferenceBackend):
    """The time of a folder is that of its first file."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        first = next(iter(self.below(self.key(path))), None)
        info = await super().get_folder_info(path)
        time = None if first is None else self.tree.files[first].time
        return evolve(info, modified_at=time)


@mutant("INFO-007", "NotFound")
class HasNoRoot(ReferenceBackend):
    """The root is looked for among the folders, where it is not."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        if not self.key(path):
            raise self.missing(path)
        return await super().get_folder_info(path)


@mutant("INFO-008", "the beginning of a file's name")
class LooksByPrefix(ReferenceBackend):
    """A folder is there if any key begins with its name, slash or not."""

    async def is_folder(self, path: str) -> bool:
        key = self.key(path)
        return not key or any(k.startswith(key) and k != key for k in self.tree.files)


@mutant("INFO-008", "about a folder")
class TakesFoldersForFiles(ReferenceBackend):
    """is_file tells whether anything is there."""

    async def is_file(self, path: str) -> bool:
        key = self.key(path)
        return key in self.tree.files or (bool(key) and self.tree.is_folder(key))


@mutant("INFO-009", "gone with its last file")
class PrunesFolders(ReferenceBackend):
    """A folder is deleted with its last file."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        await super().delete(path, missing_ok=missing_ok)
        self.tree.folders = {f for f in self.tree.folders if self.below(f)}


@mutant("INFO-009", "NotFound")
class MissesEmptyFolders(ReferenceBackend):
    """A folder without files has no info."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        if not self.below(self.key(path)):
            raise self.missing(path)
        return await super().get_folder_info(path)


@mutant("INFO-010", "where nothing is", "nothing was raised")
class AddsUpNothing(ReferenceBackend):
    """A folder that is not there has zero files."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        try:
            return await super().get_folder_info(path)
        except NotFound:
            return FolderInfo(RemotePath(self.key(path)), 0, 0)


@mutant("INFO-010", "of a file", "NotFound", flat=True)
class MissesTheFile(ReferenceBackend):
    """A file that is asked about as a folder is reported as missing."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        if not self.tree.is_folder(self.key(path)):
            raise self.missing(path)
        return await super().get_folder_info(path)
