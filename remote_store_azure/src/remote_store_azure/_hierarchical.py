"""Accounts with a hierarchical namespace: files in real folders, renamed in one step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

from attrs import frozen

from remote_store import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    NotFound,
    RemotePath,
    WriteResult,
)
from remote_store.aio import AsyncWritableContent
from remote_store_azure import _list as listing
from remote_store_azure._blob.headers import file_info, is_directory
from remote_store_azure._blob.probe import head, refuse_folder
from remote_store_azure._blob.read import BlobReader
from remote_store_azure._datalake import transfer
from remote_store_azure._datalake.delete import delete
from remote_store_azure._datalake.list_paths import PathPages
from remote_store_azure._datalake.probe import file_at, folder_at, loses_dots, refuse_dots
from remote_store_azure._datalake.write import write

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["Hierarchical"]


@frozen
class Hierarchical:
    """
    The operations on a hierarchical account.

    Each key is a file, a folder or nothing. Folders are made by the files
    written below them, and stay when these go.

    A stream, content above 8 MiB and every atomic write go to a temporary
    file in the folder of the target, which is renamed when it is complete.
    """

    # Questions -------------------------------------------------------------

    async def exists(self, session: Session, key: str) -> bool:
        """Return True if a file or folder is there."""
        refuse_dots(key)
        return (await head(session, key)).status == 200

    async def is_file(self, session: Session, key: str) -> bool:
        """Return True if a file is there."""
        refuse_dots(key)
        response = await head(session, key)
        return response.status == 200 and not is_directory(response.headers)

    async def is_folder(self, session: Session, key: str) -> bool:
        """Return True if a folder is there."""
        refuse_dots(key)
        response = await head(session, key)
        return response.status == 200 and is_directory(response.headers)

    async def get_file_info(self, session: Session, key: str) -> FileInfo:
        """Return what is known about a file."""
        refuse_dots(key)
        return file_info(key, (await file_at(session, key)).headers)

    async def get_folder_info(self, session: Session, key: str) -> FolderInfo:
        """Add up what is below a folder."""
        refuse_dots(key)
        if key:
            await folder_at(session, key)
        found = await listing.folder_sum(PathPages(session, key, required=True), key)
        return found or FolderInfo(RemotePath.from_backend_path(key), 0, 0)

    # Reading ---------------------------------------------------------------

    def read(self, session: Session, key: str) -> BlobReader:
        """Return the content of a file."""
        refuse_dots(key)
        return BlobReader(session, key, check=partial(refuse_folder, key))

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
        """Write a file; readers see the old content or the new."""
        refuse_dots(key)
        return await write(
            session, key, content, exclusive=not overwrite, atomic=atomic, metadata=metadata
        )

    # Deleting --------------------------------------------------------------

    async def delete(self, session: Session, key: str, *, missing_ok: bool) -> None:
        """Delete a file, in the version that was seen to be one."""
        refuse_dots(key)
        try:
            await delete(session, key, recursive=None)
        except NotFound:
            if not missing_ok:
                raise

    async def delete_folder(
        self, session: Session, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete a folder; whether it is empty is decided by the service."""
        refuse_dots(key)
        try:
            await delete(session, key, recursive=recursive)
        except NotFound:
            if not missing_ok:
                raise

    # Listing ---------------------------------------------------------------

    def list_files(
        self, session: Session, key: str, *, recursive: bool, max_depth: int | None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder."""
        refuse_dots(key)
        return listing.files(PathPages(session, key), key, recursive=recursive, max_depth=max_depth)

    def list_folders(self, session: Session, key: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder."""
        refuse_dots(key)
        found = listing.children(PathPages(session, key), key, with_files=False)
        return cast("AsyncGenerator[FolderEntry, None]", found)

    def iter_children(
        self, session: Session, key: str
    ) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder."""
        refuse_dots(key)
        return listing.children(PathPages(session, key), key, with_files=True)

    def glob(self, session: Session, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
        """Yield the files whose key matches."""
        if loses_dots(pattern.text if listing.is_literal(pattern) else pattern.prefix):
            return listing.nothing()
        return listing.matches(PathPages(session, pattern.prefix), pattern)

    # Moving and copying ----------------------------------------------------

    async def move(self, session: Session, src: str, dst: str, *, overwrite: bool) -> None:
        """Rename a file, in the version that was seen to be one."""
        refuse_dots(src, dst)
        await transfer.move(session, src, dst, exclusive=not overwrite)

    async def copy(self, session: Session, src: str, dst: str, *, overwrite: bool) -> None:
        """Let the service copy a file, and wait until that is complete."""
        refuse_dots(src, dst)
        await transfer.copy(session, src, dst, exclusive=not overwrite)
