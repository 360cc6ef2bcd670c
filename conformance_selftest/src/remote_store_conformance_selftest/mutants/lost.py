"""Clients that say that something was done, or is not there, after an answer that tells neither."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from remote_store import (
    BackendUnavailable,
    Capability,
    FileInfo,
    FolderInfo,
    PermissionDenied,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.mutants.interfering import TriesTwice
from remote_store_conformance_selftest.reference import Content
from remote_store_conformance_selftest.reference_client import WireBackend


@mutant("FAULT-004", "returned, but its effect is not there")
class StoresNothingWhenBusy(WireBackend):
    """After a 503 a write gives up, and returns the result that it had prepared."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        try:
            return await super().put(method, path, content, overwrite, metadata)
        except BackendUnavailable as error:
            if error.status is None:
                raise
            return WriteResult(RemotePath(path), len(content) if isinstance(content, bytes) else 0)


@mutant("FAULT-004", "the user metadata are not those that were given")
class TriesAgainWithoutMetadata(TriesTwice):
    """The headers of a request that is sent again are those of every request, and no others."""

    def tries_again(self, error: BackendUnavailable) -> bool:
        return error.status is not None

    async def put_again(
        self,
        method: str,
        path: str,
        content: bytes,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        return await super().put_again(method, path, content, overwrite, None)


@mutant("FAULT-004", "delete(path", "returned, but its effect is not there")
class DeletesNothingWhenBusy(WireBackend):
    """A delete that is answered 503 counts as done: the next clean-up will get it."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        try:
            await super().delete(path, missing_ok=missing_ok)
        except BackendUnavailable as error:
            if error.status is None:
                raise


@mutant("FAULT-004", "move(src, dst", "returned, but its effect is not there")
class MovesNothingWhenBusy(WireBackend):
    """A move that is answered 503 counts as done."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        try:
            await super().move(src, dst, overwrite=overwrite)
        except BackendUnavailable as error:
            if error.status is None:
                raise


@mutant("FAULT-004", "exists(path) did not take an answer 503")
class TakesBusyForAbsent(WireBackend):
    """exists answers False to any status but 200."""

    async def exists(self, path: str) -> bool:
        try:
            return await super().exists(path)
        except BackendUnavailable as error:
            if error.status is None:
                raise
            return False


@mutant("FAULT-004", "did not take an answer 503", "file_count=0")
class TakesBusyForEmpty(WireBackend):
    """A page that is answered 503 is an empty one."""

    async def pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        try:
            async for item in super().pages(method, **arguments):
                yield item
        except BackendUnavailable as error:
            if error.status is None:
                raise


@mutant("FAULT-004", "get_folder_info(path) did not take an answer 503")
class CountsNothingWhenBusy(WireBackend):
    """A folder whose sum cannot be had counts as empty."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        try:
            return await super().get_folder_info(path)
        except BackendUnavailable as error:
            if error.status is None:
                raise
            return FolderInfo(RemotePath(path), 0, 0, None)


@mutant("FAULT-006", "delete(path", "took its own work for somebody else's")
class DeletesTwice(WireBackend):
    """A delete whose answer was lost is sent again, and finds nothing."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        try:
            await super().delete(path, missing_ok=missing_ok)
        except BackendUnavailable:
            await super().delete(path, missing_ok=missing_ok)


@mutant("FAULT-006", "move(src, dst", "took its own work for somebody else's")
class MovesTwice(WireBackend):
    """A move whose answer was lost is sent again, and finds no source."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        try:
            await super().move(src, dst, overwrite=overwrite)
        except BackendUnavailable:
            await super().move(src, dst, overwrite=overwrite)


@mutant("FAULT-006", "copy(src, dst", "took its own work for somebody else's")
class CopiesTwice(WireBackend):
    """A copy whose answer was lost is sent again, and finds what it made."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        try:
            await super().copy(src, dst, overwrite=overwrite)
        except BackendUnavailable:
            await super().copy(src, dst, overwrite=overwrite)


@mutant("FAULT-006", "its error does not say so: outcome_unknown is False")
class IsSureThatNothingHappened(WireBackend):
    """Every error of the network says that the call had no effect."""

    async def guarded(self, call: Any, path: str) -> Any:
        try:
            return await super().guarded(call, path)
        except BackendUnavailable as error:
            msg = str(error.args[0])
            raise BackendUnavailable(msg, path=path, backend=self.name) from error.__cause__


@mutant("FAULT-003", "delete_folder(path", "did not raise BackendUnavailable", "it returned None")
class TakesNoAnswerForYes(WireBackend):
    """A delete of a folder that gets no answer has worked, on the whole."""

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        try:
            await super().delete_folder(path, recursive=recursive, missing_ok=missing_ok)
        except BackendUnavailable:
            return


@mutant("FAULT-007", "write", "did not raise PermissionDenied")
class KnowsForbiddenOfReadsOnly(WireBackend):
    """403 is PermissionDenied where something is read; writes have an error of their own."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        try:
            return await super().put(method, path, content, overwrite, metadata)
        except PermissionDenied as error:
            msg = f"the write failed: {path}"
            raise RemoteStoreError(msg, path=path, backend=self.name) from error


@mutant("FAULT-007", "delete(path, missing_ok=True) did not raise PermissionDenied")
class TakesForbiddenForMissing(WireBackend):
    """With missing_ok every refusal of a delete is swallowed."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        try:
            await super().delete(path, missing_ok=missing_ok)
        except PermissionDenied:
            if not missing_ok:
                raise


@mutant("FAULT-008", "is_folder(path) did not take an answer", "it returned False")
class TakesNonsenseForNo(WireBackend):
    """What cannot be understood is no."""

    async def is_folder(self, path: str) -> bool:
        try:
            return await super().is_folder(path)
        except RemoteStoreError as error:
            if type(error) is not RemoteStoreError:
                raise
            return False


@mutant("FAULT-008", "glob(path/*) did not take an answer", "it returned []")
class TakesNonsenseForEmpty(WireBackend):
    """An answer without a list of entries is a listing without entries."""

    async def pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        try:
            async for item in super().pages(method, **arguments):
                yield item
        except BackendUnavailable:
            raise
        except RemoteStoreError as error:
            if type(error) is not RemoteStoreError or method != "glob":
                raise


@mutant("FAULT-003", "get_file_info", "it returned FileInfo")
class RemembersWhileDown(WireBackend):
    """While the service is down, what was known of a file is told."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.known: dict[str, FileInfo] = {}

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        result = await super().write(path, content, overwrite=overwrite, metadata=metadata)
        self.known = {path: await super().get_file_info(path)}
        return result

    async def get_file_info(self, path: str) -> FileInfo:
        self.require(Capability.METADATA, path)
        try:
            return await super().get_file_info(path)
        except BackendUnavailable:
            if path not in self.known:
                raise
            return self.known[path]
