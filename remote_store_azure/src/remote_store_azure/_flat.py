"""Accounts without a hierarchical namespace: blobs, and folders that only their names make."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
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
from remote_store_azure import _list as listing
from remote_store_azure._blob import transfer as moves
from remote_store_azure._blob.delete_many import delete_all
from remote_store_azure._blob.headers import deletion, file_info, is_directory, write_result
from remote_store_azure._blob.list_blobs import BlobPages, pages
from remote_store_azure._blob.probe import (
    absent,
    below,
    head,
    is_folder,
    refuse_folder,
    refuse_target,
)
from remote_store_azure._blob.read import BlobReader
from remote_store_azure._blob.refusals import is_condition
from remote_store_azure._blob.write import upload
from remote_store_azure._keys import NAME, prefix_of
from remote_store_azure._rest.errors import NO_STORAGE
from remote_store_azure._rest.operations import DELETE_BLOB
from remote_store_objects.authoring import in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["Flat"]


@frozen
class Flat:
    """
    The operations on a flat account.

    A file and a folder of one name may coexist. A blob that other tools made
    to stand for a folder is not a file: by the metadata ``hdi_isfolder``, or by
    a name that ends in a slash. An otherwise empty folder of the first sort
    is listed, but `is_folder`, which is one request, does not see it.

    Args:
        reject_under_file: Refuse to write below a file, and over a folder.
        delete_snapshots: Delete files with their snapshots.
    """

    reject_under_file: bool = False
    delete_snapshots: bool = False

    # Questions -------------------------------------------------------------

    async def exists(self, session: Session, key: str) -> bool:
        """Return True if a file or folder is there."""
        response = await head(session, key)
        if response.status == 200:
            return True
        return response.code not in NO_STORAGE and await is_folder(session, key)

    async def is_file(self, session: Session, key: str) -> bool:
        """Return True if a file is there."""
        response = await head(session, key)
        return response.status == 200 and not is_directory(response.headers)

    async def is_folder(self, session: Session, key: str) -> bool:
        """Return True if a folder is there."""
        return await is_folder(session, key)

    async def get_file_info(self, session: Session, key: str) -> FileInfo:
        """Return what is known about a file."""
        return file_info(key, (await moves.source(session, key)).headers)

    async def get_folder_info(self, session: Session, key: str) -> FolderInfo:
        """Add up what is below a folder."""
        found = await listing.folder_sum(BlobPages(session, key, required=True), key)
        if found is not None:
            return found
        if key:
            await self._folder_mark(session, key)
        return FolderInfo(RemotePath.from_backend_path(key), 0, 0)

    async def _folder_mark(self, session: Session, key: str) -> str | None:
        """
        Return the ETag of the blob that stands for a folder without content.

        Raises:
            InvalidPath: It is a file.
            NotFound: There is nothing.
        """
        response = await head(session, key)
        if response.status == 404:
            raise session.error(response)
        if not is_directory(response.headers):
            raise is_a_file(key, NAME)
        return response.headers.get("ETag")

    # Reading ---------------------------------------------------------------

    def read(self, session: Session, key: str) -> BlobReader:
        """Return the content of a file."""
        return BlobReader(
            session,
            key,
            check=partial(refuse_folder, key),
            missing=partial(absent, session, key),
        )

    # Writing ---------------------------------------------------------------

    async def write(
        self,
        session: Session,
        key: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool,
        atomic: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        """Write a file; the one request that makes it visible makes every write atomic."""
        if self.reject_under_file:
            await refuse_target(session, key)
        response, size = await upload(
            session, key, content, exclusive=not overwrite, metadata=metadata
        )
        # The response to the commit of a list of blocks has the MD5 of that list.
        whole = "x-ms-blob-type" in response.sdk_response.request.headers
        return write_result(key, response.headers, size, metadata, md5=whole)

    # Deleting --------------------------------------------------------------

    async def delete(self, session: Session, key: str, *, missing_ok: bool) -> None:
        """Delete a file."""
        headers = deletion(self.delete_snapshots)
        response = await session.send(
            DELETE_BLOB, session.url(key), path=key, headers=headers, accept=(202, 404)
        )
        # After an attempt that got no answer, nothing is what that attempt left.
        if response.status == 202 or response.lost:
            return
        error = await absent(session, key, session.error(response))
        if missing_ok and isinstance(error, NotFound):
            return
        raise error

    async def delete_folder(
        self, session: Session, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete all that is below a folder, and the blob that stands for it."""
        if recursive:
            found = _Names(session, key)
            await delete_all(session, key, found.names(), snapshots=self.delete_snapshots)
            there = found.there
        else:
            there = await self._remove_mark(session, key)
        try:
            with in_doubt(there):
                mark = await self._folder_mark(session, key)
        except (NotFound, InvalidPath) as error:
            if there or (missing_ok and isinstance(error, NotFound)):
                return
            raise
        with in_doubt(there):
            await self._delete_mark(session, key, mark)

    async def _remove_mark(self, session: Session, key: str) -> bool:
        """
        Remove the blob in a folder that stands for it; return True if that was all it had.

        Raises:
            DirectoryNotEmpty: There is something else.
        """
        found = await below(session, key, 2)
        if not found:
            return False
        first = found[0]
        empty = len(found) == 1 and first.name == prefix_of(key) and not first.size
        etag = None if first.etag is None else f'"{first.etag}"'
        if not (empty and await self._delete_mark(session, first.name, etag)):
            raise folder_not_empty(key, NAME)
        return True

    async def _delete_mark(self, session: Session, name: str, etag: str | None) -> bool:
        """Return False if it is another version by now."""
        headers = deletion(self.delete_snapshots, etag)
        key = name.removesuffix("/")
        response = await session.send(
            DELETE_BLOB, session.url(name), path=key, headers=headers, accept=(202, 404, 412)
        )
        if response.status == 412 and not is_condition(response):
            raise session.error(response)
        return response.status != 412

    # Listing ---------------------------------------------------------------

    def list_files(
        self, session: Session, key: str, *, recursive: bool, max_depth: int | None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder."""
        return listing.files(BlobPages(session, key), key, recursive=recursive, max_depth=max_depth)

    def list_folders(self, session: Session, key: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder."""
        found = listing.children(BlobPages(session, key), key, with_files=False)
        return cast("AsyncGenerator[FolderEntry, None]", found)

    def iter_children(
        self, session: Session, key: str
    ) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder."""
        return listing.children(BlobPages(session, key), key, with_files=True)

    def glob(self, session: Session, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
        """Yield the files whose key matches."""
        return listing.matches(BlobPages(session, pattern.text), pattern)

    # Moving and copying ----------------------------------------------------

    async def move(self, session: Session, src: str, dst: str, *, overwrite: bool) -> None:
        """Copy a file, and remove the version that was copied."""
        version = await moves.source(session, src)
        if src == dst:
            return
        if self.reject_under_file:
            await refuse_target(session, dst)
        await moves.move(
            session, src, dst, version, overwrite=overwrite, snapshots=self.delete_snapshots
        )

    async def copy(self, session: Session, src: str, dst: str, *, overwrite: bool) -> None:
        """Copy a file."""
        if src == dst or self.reject_under_file:
            await moves.source(session, src)
            if src == dst:
                return
            await refuse_target(session, dst)
        await moves.copy(session, src, dst, overwrite=overwrite)


class _Names:
    """The names of all blobs below a folder, and whether there were any."""

    def __init__(self, session: Session, key: str) -> None:
        self._session = session
        self._key = key
        self.there = False

    async def names(self) -> AsyncGenerator[str, None]:
        """Yield them, also those that no listing shows."""
        found = pages(self._session, self._key, prefix=prefix_of(self._key), include="")
        async with aclosing(found):
            async for page in found:
                for blob in page.blobs:
                    self.there = True
                    yield blob.name
