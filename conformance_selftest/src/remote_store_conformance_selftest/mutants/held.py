"""Backends that hold the loop, swallow what they must pass on, or look before they refuse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from remote_store import FileInfo, FolderInfo, RemotePath, RemoteStoreError, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend

#: Seconds of a call to a service that is made without giving the loop back.
_CALL = 0.4


@mutant("CONC-009", "read_bytes(path) blocks the event loop")
class ReadsInTheLoop(ReferenceBackend):
    """A read is made with a blocking client, in the loop."""

    async def read_bytes(self, path: str) -> bytes:
        time.sleep(_CALL)  # noqa: ASYNC251 - the defect
        return await super().read_bytes(path)


@mutant("CONC-009", "get_folder_info(path, max_depth=0) blocks the event loop")
class ListsInTheLoop(ReferenceBackend):
    """A listing is an async generator around a blocking one."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        time.sleep(_CALL)  # noqa: ASYNC251 - the defect
        async for file in super().list_files(path, recursive=recursive, max_depth=max_depth):
            yield file


@mutant("CONC-009", "blocks the event loop")
class WaitsToTryAgain(ReferenceBackend):
    """Between two attempts of a copy the whole loop sleeps."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        await asyncio.sleep(0.01)
        time.sleep(_CALL)  # noqa: ASYNC251 - the defect
        await super().copy(src, dst, overwrite=overwrite)


@mutant("CANCEL-001", "delete_folder", "did not raise CancelledError")
class StopsTheDelete(ReferenceBackend):
    """A recursive delete that is cancelled stops and returns, as if it were complete."""

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        try:
            await super().delete_folder(path, recursive=recursive, missing_ok=missing_ok)
        except asyncio.CancelledError:
            return


@mutant("CANCEL-008", "get_folder_info(path)", "did not raise CancelledError")
class CountsNothingWhenCancelled(ReferenceBackend):
    """A sum that is cancelled is what was counted so far."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        try:
            await asyncio.sleep(0)
            return await super().get_folder_info(path)
        except asyncio.CancelledError:
            return FolderInfo(RemotePath(path), 0, 0, None)


@mutant("CANCEL-008", "glob(path/*)", "did not raise CancelledError")
class GlobsLessWhenCancelled(ReferenceBackend):
    """A glob that is cancelled ends as if there were no more."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        try:
            async for file in super().glob(pattern):
                yield file
        except asyncio.CancelledError:
            return


@mutant("WRITE-007", "CallerStop", "did not come out as it was")
class WrapsWhateverComes(ReferenceBackend):
    """'except BaseException' around the content makes an error of the store of it."""

    async def gather(self, content: Content) -> bytes:
        try:
            return await super().gather(content)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            msg = "the content could not be read"
            raise RemoteStoreError(msg, backend=self.name) from error


@mutant("WRITE-007", "CallerStop", "CancelledError")
class TakesAStopForACancellation(ReferenceBackend):
    """Whatever is no Exception is taken for a cancellation."""

    async def gather(self, content: Content) -> bytes:
        try:
            return await super().gather(content)
        except Exception:
            raise
        except BaseException:
            raise RuntimeError("CancelledError") from None


@mutant("LIFE-003", "did not raise StoreClosed for a malformed path")
class LooksAtThePathFirst(ReferenceBackend):
    """A closed backend still complains of a path, and so seems to be open."""

    async def get_file_info(self, path: str) -> FileInfo:
        self.key(path)
        return await super().get_file_info(path)


@mutant("LIFE-003", "did not raise StoreClosed for a malformed path", "copy(src, dst")
class LooksAtTheDestinationFirst(ReferenceBackend):
    """A copy checks its destination before anything else."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self.key(dst)
        await super().copy(src, dst, overwrite=overwrite)


@mutant("WRITE-015", "during a plain overwrite a reader saw neither")
class FillsInPlace(ReferenceBackend):
    """The commit of a gathered write empties the file, and then fills it."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        self.check_target(path, overwrite=overwrite)
        whole = await self.gather(content)
        if self.key(path) in self.tree.files and overwrite:
            with self.tree.lock:
                self.commit(path, whole[: len(whole) // 2], overwrite, None)
            await asyncio.sleep(0)
        return await super().store(path, whole, overwrite, metadata)


@mutant("ATOM-001", "NotFound")
class RemovesBeforeItRenames(ReferenceBackend):
    """An atomic overwrite removes the old file, and then renames the new one."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self.check_target(path, overwrite=overwrite)
        whole = await self.gather(content)
        if overwrite:
            with self.tree.lock:
                self.tree.files.pop(self.key(path), None)
            time.sleep(0.0005)  # noqa: ASYNC251 - the defect is that others may look
        more: dict[str, Any] = {"overwrite": overwrite, "metadata": metadata}
        return await super().write_atomic(path, whole, **more)


@mutant("ATOM-001", "a reader saw neither", "8458609")
class AppendsItsParts(ReferenceBackend):
    """An atomic write of more than one part appends them under the file's own name."""

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self.check_target(path, overwrite=overwrite)
        whole = await self.gather(content)
        if len(whole) > 8 << 20:
            with self.tree.lock:
                self.commit(path, whole[: 8 << 20], overwrite, None)
            await asyncio.sleep(0.002)
            overwrite = True
        more: dict[str, Any] = {"overwrite": overwrite, "metadata": metadata}
        return await super().write_atomic(path, whole, **more)
