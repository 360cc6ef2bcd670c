"""Backends that do not follow the pages of what they ask for, or not all the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from remote_store import (
    BackendUnavailable,
    Capability,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    PermissionDenied,
    RemotePath,
    RemoteStoreError,
)
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import ReferenceBackend
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.service import PAGE


@mutant("LIST-005", "list_folders", "missing")
class FoldersOfTheFirstPage(WireBackend):
    """list_folders asks for one page, because nobody has so many folders."""

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        self.require(Capability.LIST, path)
        for item in await self.call("list_folders", after=None, path=path):
            yield item


@mutant("LIST-005", "glob", "missing")
class GlobsTheFirstPage(WireBackend):
    """A glob asks for one page."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        self.require(Capability.GLOB, pattern)
        GlobPattern.parse(pattern)
        for item in await self.call("glob", after=None, pattern=pattern):
            yield item


@mutant("LIST-005", "get_folder_info", "counts something else")
class SumsTheFirstPage(WireBackend):
    """A folder's sum is that of the first page below it."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        whole = await super().get_folder_info(path)
        more: dict[str, Any] = {"path": path, "recursive": True, "max_depth": None}
        files = await self.call("list_files", after=None, **more)
        sizes = [file.size for file in files]
        return FolderInfo(whole.path, len(sizes), sum(sizes), whole.modified_at)


@mutant("LIST-005", "delete_folder(recursive=True)", "left some of them")
class DeletesTheFirstPage(ReferenceBackend):
    """A recursive delete removes what its one listing gave."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        files = self.below(key)
        if not recursive or len(files) <= PAGE:
            super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)
            return
        for file in files[:PAGE]:
            del self.tree.files[file]


class _Pages(ReferenceBackend):
    """A backend whose service gives files and folders in one order, a page at a time."""

    def page(self, key: str) -> list[list[tuple[str, bool]]]:
        prefix = f"{key}/" if key else ""
        children = {k[len(prefix) :].partition("/")[::2] for k in self.below(key)}
        # What is no path is no entry.
        entries = sorted({(name, bool(rest)) for name, rest in children if name})
        return [entries[i : i + PAGE] for i in range(0, len(entries), PAGE)]


@mutant("LIST-005", "list_files", "missing")
class EndsAtAPageWithoutFiles(_Pages):
    """A page without files is taken for the last one."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        if recursive:
            async for file in super().list_files(path, recursive=True, max_depth=max_depth):
                yield file
            return
        self.require(Capability.LIST, path)
        key = self.key(path)
        for page in self.page(key):
            files = [name for name, folder in page if not folder]
            if not files:
                return
            for name in files:
                child = f"{key}/{name}" if key else name
                if (found := self.tree.files.get(child)) is not None:
                    yield self.info(child, found)


@mutant("LIST-005", "list_folders", "missing")
class EndsAtAPageWithoutFolders(_Pages):
    """A page without folders is taken for the last one."""

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        self.require(Capability.LIST, path)
        first = self.page(self.key(path))[:1]
        if first and not any(is_folder for _, is_folder in first[0]):
            return
        async for folder in super().list_folders(path):
            yield folder


@mutant("LIST-005", "list_folders", "more than once")
class RepeatsTheFolderOfTheBorder(_Pages):
    """A folder whose files lie on both sides of a border is told twice."""

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        number = 0
        async for folder in super().list_folders(path):
            number += 1
            yield folder
            if number % PAGE == 0:
                yield folder


@mutant("LIST-013", "between whose pages something changed", "missing")
class CountsFromTheBeginning(WireBackend):
    """The next page is asked for by number, which shifts when something before it goes."""

    async def pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        number = 0
        while True:
            found = [item async for item in super().pages(method, **arguments)]
            items = found[number : number + PAGE]
            for item in items:
                yield item
            if len(items) < PAGE:
                return
            number += PAGE


@mutant("FAULT-011", "answered 503 ended as if there were no more")
class EndsAtABrokenPage(WireBackend):
    """A page that cannot be had after others is taken for the end."""

    async def pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        got = False
        try:
            async for item in super().pages(method, **arguments):
                yield item
                got = True
        except BackendUnavailable:
            if not got:
                raise


@mutant("FAULT-011", "glob(", "answered a web page ended as if there were no more")
class EndsAtAPageOfNonsense(WireBackend):
    """A glob ends at what is no page of the service."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        got = False
        try:
            async for item in super().glob(pattern):
                yield item
                got = True
        except (BackendUnavailable, PermissionDenied):
            raise
        except RemoteStoreError:
            if not got:
                raise


@mutant("FAULT-011", "get_folder_info", "ended as if there were no more")
class SumsWhatItGets(WireBackend):
    """A sum ends at the page that cannot be had, and returns what has come."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        found: list[FileInfo] = []
        try:
            async for file in self.pages("list_files", path=path, recursive=True, max_depth=None):
                found.append(file)  # noqa: PERF401 - what has come is kept
        except BackendUnavailable:
            if not found:
                raise
        if not found:
            return await super().get_folder_info(path)
        sizes, times = [f.size for f in found], [f.modified_at for f in found]
        return FolderInfo(RemotePath.from_backend_path(path), len(found), sum(sizes), max(times))


class DeletesOneByOne(WireBackend):
    """A backend whose service knows no folders: it removes them file by file."""

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        if not recursive:
            await super().delete_folder(path, missing_ok=missing_ok)
            return
        begun = False
        for file in [file async for file in self.list_files(path, recursive=True)]:
            try:
                await self.delete(file.path.as_posix())
            except RemoteStoreError as error:
                error.outcome_unknown |= begun
                self.failed(error)
            else:
                begun = True
        await super().delete_folder(path, recursive=True, missing_ok=missing_ok or begun)

    def failed(self, error: RemoteStoreError) -> None:
        raise error


@mutant("FAULT-012", "left some of the files")
class DeletesWhatItCan(DeletesOneByOne):
    """A file that cannot be deleted is passed over, and nobody is told."""

    def failed(self, error: RemoteStoreError) -> None:
        self.passed_over = True

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self.passed_over = False
        try:
            await super().delete_folder(path, recursive=recursive, missing_ok=missing_ok)
        except RemoteStoreError:
            if not self.passed_over:
                raise


@mutant("FAULT-012", "its error does not say so")
class ForgetsWhatIsGone(DeletesOneByOne):
    """The error of the file at which a recursive delete ends is all that is told."""

    def failed(self, error: RemoteStoreError) -> None:
        error.outcome_unknown = False
        raise error
