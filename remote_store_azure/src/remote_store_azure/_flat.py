"""Accounts without a hierarchical namespace: blobs, and folders that only their names make."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from attrs import frozen

from remote_store import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    InvalidPath,
    NotFound,
    RemotePath,
    WriteResult,
)
from remote_store.aio import AsyncWritableContent
from remote_store.authoring import folder_not_empty, is_a_file
from remote_store_azure import _download as download
from remote_store_azure import _moves as moves
from remote_store_azure import _walk as walk
from remote_store_azure._batch import delete_all
from remote_store_azure._doubt import in_doubt
from remote_store_azure._errors import NO_STORAGE
from remote_store_azure._headers import deletion, file_info, is_directory, write_result
from remote_store_azure._kinds import (
    absent,
    below,
    head,
    is_folder,
    refuse_folder,
    refuse_target,
)
from remote_store_azure._listing import pages
from remote_store_azure._names import NAME, prefix_of
from remote_store_azure._operations import DELETE_BLOB
from remote_store_azure._upload import upload

if TYPE_CHECKING:
    from remote_store_azure._wire import Wire

__all__ = ["Flat"]


@frozen
class Flat:
    """
    The operations on a flat account.

    A file and a folder of one name may coexist. A blob that other tools made
    to stand for a folder is no file: by the metadata ``hdi_isfolder``, or by
    a name that ends in a slash. An otherwise empty folder of the first sort
    is listed, but `is_folder`, which is one request, does not see it.

    Args:
        reject_under_file: Refuse to write below a file, and over a folder.
        delete_snapshots: Delete files with their snapshots.
    """

    reject_under_file: bool = False
    delete_snapshots: bool = False

    # Questions -------------------------------------------------------------

    async def exists(self, wire: Wire, key: str) -> bool:
        """Return True if a file or folder is there."""
        answer = await head(wire, key)
        if answer.status == 200:
            return True
        return answer.code not in NO_STORAGE and await is_folder(wire, key)

    async def is_file(self, wire: Wire, key: str) -> bool:
        """Return True if a file is there."""
        answer = await head(wire, key)
        return answer.status == 200 and not is_directory(answer.headers)

    async def is_folder(self, wire: Wire, key: str) -> bool:
        """Return True if a folder is there."""
        return await is_folder(wire, key)

    async def get_file_info(self, wire: Wire, key: str) -> FileInfo:
        """Return what is known about a file."""
        return file_info(key, (await moves.source(wire, key)).headers)

    async def get_folder_info(self, wire: Wire, key: str) -> FolderInfo:
        """Add up what is below a folder."""
        found = await walk.folder_sum(wire, key)
        if found is not None:
            return found
        if key:
            await self._folder_mark(wire, key)
        return FolderInfo(RemotePath.from_backend_path(key), 0, 0)

    async def _folder_mark(self, wire: Wire, key: str) -> str | None:
        """
        Return the ETag of the blob that stands for a folder without content.

        Raises:
            InvalidPath: It is a file.
            NotFound: There is nothing.
        """
        answer = await head(wire, key)
        if answer.status == 404:
            raise wire.error(answer)
        if not is_directory(answer.headers):
            raise is_a_file(key, NAME)
        return answer.headers.get("ETag")

    # Reading ---------------------------------------------------------------

    async def read(self, wire: Wire, key: str) -> AsyncGenerator[bytes, None]:
        """Yield the content of a file."""

        def check(headers: Mapping[str, str]) -> None:
            refuse_folder(key, headers)

        async with aclosing(download.chunks(wire, key, key, check=check)) as found:
            try:
                first = await anext(found)
            except StopAsyncIteration:
                return
            except NotFound as error:
                raise await absent(wire, key, error) from error.__cause__
            yield first
            async for chunk in found:
                yield chunk

    async def read_bytes(self, wire: Wire, key: str) -> bytes:
        """Return the content of a file."""

        def check(headers: Mapping[str, str]) -> None:
            refuse_folder(key, headers)

        try:
            return await download.content(wire, key, key, check=check)
        except NotFound as error:
            raise await absent(wire, key, error) from error.__cause__

    # Writing ---------------------------------------------------------------

    async def write(
        self,
        wire: Wire,
        key: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool,
        atomic: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        """Write a file; the one request that makes it visible makes every write atomic."""
        if self.reject_under_file:
            await refuse_target(wire, key)
        answer, size = await upload(
            wire, key, key, content, exclusive=not overwrite, metadata=metadata
        )
        # What commits a list of blocks tells the MD5 of that list.
        whole = "x-ms-blob-type" in answer.response.request.headers
        return write_result(key, answer.headers, size, metadata, md5=whole)

    # Deleting --------------------------------------------------------------

    async def delete(self, wire: Wire, key: str, *, missing_ok: bool) -> None:
        """Delete a file."""
        headers = deletion(self.delete_snapshots)
        answer = await wire.send(
            DELETE_BLOB, wire.url(key), path=key, headers=headers, accept=(202, 404)
        )
        # After an attempt that got no answer, nothing is what that attempt left.
        if answer.status == 202 or answer.lost:
            return
        error = await absent(wire, key, wire.error(answer))
        if missing_ok and isinstance(error, NotFound):
            return
        raise error

    async def delete_folder(
        self, wire: Wire, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete all that is below a folder, and the blob that stands for it."""
        if recursive:
            found = _Names(wire, key)
            await delete_all(wire, key, found.names(), snapshots=self.delete_snapshots)
            there = found.there
        else:
            there = await self._remove_mark(wire, key)
        try:
            with in_doubt(there):
                mark = await self._folder_mark(wire, key)
        except (NotFound, InvalidPath) as error:
            if there or (missing_ok and isinstance(error, NotFound)):
                return
            raise
        with in_doubt(there):
            await self._delete_mark(wire, key, mark)

    async def _remove_mark(self, wire: Wire, key: str) -> bool:
        """
        Remove the blob in a folder that stands for it; return True if that was all it had.

        Raises:
            DirectoryNotEmpty: There is something else.
        """
        found = await below(wire, key, 2)
        if not found:
            return False
        first = found[0]
        empty = len(found) == 1 and first.name == prefix_of(key) and not first.size
        etag = None if first.etag is None else f'"{first.etag}"'
        if not (empty and await self._delete_mark(wire, first.name, etag)):
            raise folder_not_empty(key, NAME)
        return True

    async def _delete_mark(self, wire: Wire, name: str, etag: str | None) -> bool:
        """Return False if it is another version by now."""
        headers = deletion(self.delete_snapshots, etag)
        key = name.removesuffix("/")
        answer = await wire.send(
            DELETE_BLOB, wire.url(name), path=key, headers=headers, accept=(202, 404, 412)
        )
        if answer.status == 412 and not moves.is_condition(answer):
            raise wire.error(answer)
        return answer.status != 412

    # Listing ---------------------------------------------------------------

    def list_files(
        self, wire: Wire, key: str, *, recursive: bool, max_depth: int | None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder."""
        return walk.files(wire, key, recursive=recursive, max_depth=max_depth)

    def list_folders(self, wire: Wire, key: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder."""
        found = walk.children(wire, key, with_files=False)
        return cast("AsyncGenerator[FolderEntry, None]", found)

    def iter_children(self, wire: Wire, key: str) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder."""
        return walk.children(wire, key, with_files=True)

    def glob(self, wire: Wire, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
        """Yield the files whose key matches."""
        return walk.matches(wire, pattern)

    # Moving and copying ----------------------------------------------------

    async def move(self, wire: Wire, src: str, dst: str, *, overwrite: bool) -> None:
        """Copy a file, and remove the version that was copied."""
        version = await moves.source(wire, src)
        if src == dst:
            return
        if self.reject_under_file:
            await refuse_target(wire, dst)
        await moves.move(
            wire, src, dst, version, overwrite=overwrite, snapshots=self.delete_snapshots
        )

    async def copy(self, wire: Wire, src: str, dst: str, *, overwrite: bool) -> None:
        """Copy a file."""
        if src == dst or self.reject_under_file:
            await moves.source(wire, src)
            if src == dst:
                return
            await refuse_target(wire, dst)
        await moves.copy(wire, src, dst, overwrite=overwrite)


class _Names:
    """The names of all blobs below a folder, and whether there were any."""

    def __init__(self, wire: Wire, key: str) -> None:
        self._wire = wire
        self._key = key
        self.there = False

    async def names(self) -> AsyncGenerator[str, None]:
        """Yield them, also those that no listing shows."""
        found = pages(self._wire, self._key, prefix=prefix_of(self._key), include="")
        async with aclosing(found):
            async for page in found:
                for blob in page.blobs:
                    self.there = True
                    yield blob.name
