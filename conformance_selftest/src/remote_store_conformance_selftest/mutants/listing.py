"""Backends that list or glob wrongly."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any
from urllib.parse import quote

from attrs import asdict, evolve

from remote_store import FileInfo, FolderEntry, GlobPattern, InvalidPath, RemotePath, WriteResult
from remote_store.authoring import is_key
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend


@mutant("LIST-001", "missing", "recursive=True")
class StopsAtTheSecondLevel(ReferenceBackend):
    """A recursive listing goes one folder deep."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        limit = 1 if max_depth is None else max_depth
        async for file in super().list_files(path, recursive=recursive, max_depth=limit):
            yield file


@mutant("LIST-001", "too much")
class AlwaysListsDeep(ReferenceBackend):
    """A listing is always recursive."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        async for file in super().list_files(path, recursive=True, max_depth=max_depth):
            yield file


@mutant("LIST-001", "other than FileInfo")
class ListsTheServicesObjects(ReferenceBackend):
    """A listing yields the service's own objects, which look alike."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[Any]:
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield type("BlobProperties", (), asdict(file, recurse=False))()


@mutant("LIST-002", "too much", "list_files('sub'")
class ListsByPrefix(ReferenceBackend):
    """A listing takes every key that begins with the folder's name."""

    def below(self, key: str) -> list[str]:
        with self.tree.lock:
            return [k for k in self.tree.files if k.startswith(key)]


@mutant("LIST-003", "more than once", flat=True)
class RepeatsFolders(ReferenceBackend):
    """A subfolder is listed once for each page that has a file of it."""

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        key = self.key(path)
        seen = ""
        for other in self.below(key):
            name, slash, _ = other[len(key) + 1 if key else 0 :].partition("/")
            if slash and name != seen:
                yield FolderEntry(RemotePath(f"{key}/{name}"), name)
            seen = name


@mutant("LIST-003", "not the last segment")
class NamesFoldersByTheirPath(ReferenceBackend):
    """The name of a folder has the slash of the service's prefix."""

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        async for entry in super().list_folders(path):
            yield evolve(entry, name=f"{entry.name}/")


@mutant("LIST-004", "NotFound")
class MissesTheFolder(ReferenceBackend):
    """Listing a missing folder raises NotFound."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        if not await self.exists(path):
            raise self.missing(path)
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield file


@mutant("LIST-004", "of a file gives something")
class ListsTheFileItself(ReferenceBackend):
    """Listing a file gives the file."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        if await self.is_file(path):
            yield self.info(self.key(path), self.file(path))
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield file


@mutant("LIST-005", "missing")
class LosesTheBorder(ReferenceBackend):
    """The next page starts one entry too late."""

    def below(self, key: str) -> list[str]:
        return [k for n, k in enumerate(super().below(key), 1) if n % 501]


@mutant("LIST-005", "more than once")
class RepeatsTheMarker(ReferenceBackend):
    """The next page begins with the last entry of the one before."""

    def below(self, key: str) -> list[str]:
        keys = super().below(key)
        return keys[:500] + keys[499:]


@mutant("LIST-005", "missing")
class EndsWithTheFirstPage(ReferenceBackend):
    """The token of the next page is not followed: a listing ends after a thousand entries."""

    def below(self, key: str) -> list[str]:
        return super().below(key)[:1000]


@mutant("LIST-006", "max_depth=2", "missing")
class CountsTheFolderItself(ReferenceBackend):
    """The folder itself counts as a level, so that a listing ends too early."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        limit = max_depth and max(max_depth - 1, 1)
        async for file in super().list_files(path, recursive=recursive, max_depth=limit):
            yield file


@mutant("LIST-007", "changed size during iteration")
class IteratesTheLiveDict(ReferenceBackend):
    """A listing walks the dict that others change."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        prefix = f"{self.key(path)}/"
        for key, file in self.tree.files.items():
            if key.startswith(prefix) and (recursive or "/" not in key[len(prefix) :]):
                await asyncio.sleep(0.0002)
                yield self.info(key, file)


@mutant("LIST-008", "leads to no file")
class ListsQuotedNames(ReferenceBackend):
    """Names in listings are quoted as the service has sent them."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            name = quote(file.name)
            yield evolve(file, path=RemotePath(f"{file.path.parent}/{name}"), name=name)


@mutant("LIST-009", "wrong kind", "FolderInfo")
class MixesTheModels(ReferenceBackend):
    """The subfolders among the children are FolderInfo."""

    async def iter_children(self, path: str) -> AsyncIterator[Any]:
        async for file in self.list_files(path):
            yield file
        async for folder in self.list_folders(path):
            yield await self.get_folder_info(folder.path.as_posix())


@mutant("LIST-009", "missing")
class ForgetsTheFolders(ReferenceBackend):
    """The children of a folder are its files."""

    async def iter_children(self, path: str) -> AsyncIterator[FileInfo | FolderEntry]:
        async for file in self.list_files(path):
            yield file


@mutant("LIST-010", "hangs", "waits for its consumer")
class LocksWhileItYields(ReferenceBackend):
    """A listing holds the lock of the writes until it is at its end."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        async with self.writing:
            async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
                yield file

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Any
    ) -> WriteResult:
        async with self.writing:
            return await super().store(path, content, overwrite, metadata)

    @property
    def writing(self) -> asyncio.Lock:
        """A lock, made on first use."""
        lock: asyncio.Lock = self.__dict__.setdefault("_writing", asyncio.Lock())
        return lock


@mutant("LIST-011", "another size or time")
class ListsWithoutSizes(ReferenceBackend):
    """A listing does not ask for sizes and tells zero."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield evolve(file, size=0)


@mutant("LIST-011", "another size or time")
class ListsLocalTimes(ReferenceBackend):
    """The times of a listing are local ones, which are UTC on most servers; answers are right."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield evolve(file, modified_at=file.modified_at.astimezone().replace(tzinfo=UTC))


@mutant("LIST-011", "another etag")
class LowersListedEtags(ReferenceBackend):
    """ETags in listings are lower-cased, in answers they are not."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield evolve(file, etag=file.etag and file.etag.lower())


class _OwnGlob(ReferenceBackend):
    """Globs with a matcher of its own."""

    def matches(self, key: str, pattern: str) -> bool:
        """Tell whether a key matches."""
        return GlobPattern.parse(pattern).matches(key)

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        GlobPattern.parse(pattern)
        for key in self.below(""):
            if self.matches(key, pattern):
                yield self.info(key, self.tree.files[key])


@mutant("GLOB-001", "glob('*')")
class MatchesWithFnmatch(_OwnGlob):
    """Patterns are matched by fnmatch, whose star takes slashes."""

    def matches(self, key: str, pattern: str) -> bool:
        return fnmatch.fnmatchcase(key, pattern)


@mutant("GLOB-001", ".hidden.csv")
class HidesDotFiles(_OwnGlob):
    """A star does not match a leading dot, as in a shell."""

    def matches(self, key: str, pattern: str) -> bool:
        return super().matches(key, pattern) and "/." not in key


@mutant("GLOB-002", "foreign.csv")
class ExpandsTheRoot(_OwnGlob):
    """The escaped root is unescaped before the pattern is matched."""

    def matches(self, key: str, pattern: str) -> bool:
        for char in "*?[":
            pattern = pattern.replace(f"[{char}]", char)
        return super().matches(key, pattern)


@mutant("GLOB-003", "nothing was raised", "..")
class MatchesDotDot(_OwnGlob):
    """A pattern with a '..' segment matches nothing and is no error."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        if "/../" not in pattern:
            async for file in super().glob(pattern):
                yield file


@mutant("GLOB-004", "NotFound")
class MissesThePrefix(ReferenceBackend):
    """A glob in a folder that is not there raises NotFound."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        prefix = GlobPattern.parse(pattern).prefix
        if not await self.is_folder(prefix):
            raise self.missing(prefix)
        async for file in super().glob(pattern):
            yield file


@mutant("GLOB-004", "only a folder matches")
class GlobsFolders(ReferenceBackend):
    """Folders match as files do."""

    async def glob(self, pattern: str) -> AsyncIterator[Any]:
        parsed = GlobPattern.parse(pattern)
        async for file in super().glob(pattern):
            yield file
        for folder in sorted(self.tree.folders):
            if parsed.matches(folder):
                yield self.info(folder, next(iter(self.tree.files.values())))


@mutant("GLOB-005", "different things")
class GlobsNamesOnly(ReferenceBackend):
    """A glob knows the names and invents the rest."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        async for file in super().glob(pattern):
            yield evolve(file, size=0)


@mutant("LIST-012", "too much", flat=True)
class GivesThemOtherNames(ReferenceBackend):
    """A key that is no path is listed as the path that it becomes."""

    def usable(self, keys: list[str]) -> list[str]:
        return keys


@mutant("LIST-012", "InvalidPath", flat=True)
class FailsAtForeignKeys(ReferenceBackend):
    """One key that is no path makes every listing fail."""

    def usable(self, keys: list[str]) -> list[str]:
        for key in keys:
            if not is_key(key):
                raise InvalidPath("no path", path=key, backend=self.name)
        return keys


@mutant("LIST-012", "does not say so once", flat=True)
class HidesThemInSilence(ReferenceBackend):
    """Keys that are no paths are left out, and nobody is told."""

    def usable(self, keys: list[str]) -> list[str]:
        return [key for key in keys if is_key(key)]


@mutant("LIST-012", "looks like any other", flat=True)
class WarnsOfThemInPassing(ReferenceBackend):
    """Programs see one warning among others, and take the listing for complete."""

    def usable(self, keys: list[str]) -> list[str]:
        found = [key for key in keys if is_key(key)]
        if len(found) < len(keys):
            logging.getLogger(__name__).warning("%d keys are no paths", len(keys) - len(found))
        return found
