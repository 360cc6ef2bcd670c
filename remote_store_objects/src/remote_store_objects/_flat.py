"""What a backend does with keys that are checked, where folders are only prefixes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import cast

from attrs import frozen

from remote_store import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    NotFound,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store.authoring import is_a_file, no_real_folders, not_found
from remote_store_objects import _transfer
from remote_store_objects._deleting.delete import delete
from remote_store_objects._deleting.delete_folder import delete_folder
from remote_store_objects._deleting.delete_many import delete_many
from remote_store_objects._protocol.values import Attributes, StorageNotFound, Written
from remote_store_objects._reading import listing, probe
from remote_store_objects._reading.listing import Entries
from remote_store_objects._reading.read import Reading, open_reading
from remote_store_objects._session.outcome import like
from remote_store_objects._session.session import Session
from remote_store_objects._writing.write import write

__all__ = ["Flat", "written_result"]


@frozen
class Flat:
    """
    The operations of `ObjectBackend`, in the session of one loop.

    Keys are in normal form and not the root, but for the folder of a listing
    or of a sum. Targets are such that the service keeps them, and so are
    metadata. What a method raises is in the docstring of the backend's method
    of that name. A storage whose folders are real derives a class from it.

    Args:
        reject_under_file: Look for files above a target, and for a folder at it.
    """

    reject_under_file: bool = False

    # Questions -----------------------------------------------------------------

    async def exists(self, session: Session, key: str) -> bool:
        """Return True if a file or folder is there."""
        try:
            await probe.head(session, key)
        except StorageNotFound:
            return False
        except NotFound:
            return await probe.is_folder(session, key)
        return True

    async def is_file(self, session: Session, key: str) -> bool:
        """Return True if a file is there."""
        info = await probe.find(session, key)
        return info is not None and not info.is_folder

    async def is_folder(self, session: Session, key: str) -> bool:
        """Return True if a folder is there."""
        return await probe.is_folder(session, key)

    async def get_file_info(self, session: Session, key: str) -> FileInfo:
        """Return what the service tells of a file."""
        info = await probe.source(session, key)
        return listing.file_info(RemotePath(key), info, session.description, info.content_headers)

    async def get_folder_info(self, session: Session, key: str) -> FolderInfo:
        """Add up what is below a folder."""
        found = await listing.folder_sum(session, key)
        if found is not None:
            return found
        if key:
            try:
                info = await probe.head(session, key)
            except StorageNotFound:
                raise
            except NotFound as error:
                missing = like(not_found(key, session.name), error)
                raise missing from missing.__cause__
            if not info.is_folder:
                raise is_a_file(key, session.name)
        return FolderInfo(RemotePath.from_backend_path(key), 0, 0)

    # Reading -------------------------------------------------------------------

    async def open(
        self,
        session: Session,
        key: str,
        *,
        start: int = 0,
        length: int | None = None,
        if_match: str | None = None,
    ) -> Reading:
        """Begin to read a file or a part of it; the caller closes what is returned."""
        return await open_reading(session, key, start=start, length=length, if_match=if_match)

    # Writing -------------------------------------------------------------------

    async def write(
        self,
        session: Session,
        key: str,
        content: bytes | AsyncIterator[bytes],
        *,
        overwrite: bool,
        atomic: bool,
        attributes: Attributes,
        if_match: str | None = None,
        resume: bool = False,
    ) -> WriteResult:
        """Write a file; the one request that makes it visible makes every write atomic."""
        if self.reject_under_file:
            await probe.refuse_target(session, key)
        written, size = await write(
            session,
            key,
            content,
            exclusive=not overwrite and if_match is None,
            attributes=attributes,
            if_match=if_match,
            resume=resume,
        )
        return written_result(session, key, size, written, attributes.metadata)

    async def create_folder(self, session: Session, key: str) -> None:
        """Refuse to make a folder: without an object below there is none."""
        raise no_real_folders(key, session.name)

    # Deleting ------------------------------------------------------------------

    async def delete(
        self, session: Session, key: str, *, missing_ok: bool, if_match: str | None = None
    ) -> None:
        """Delete a file."""
        await delete(session, key, missing_ok=missing_ok, if_match=if_match)

    async def delete_many(
        self, session: Session, wanted: Mapping[str, str | None], *, missing_ok: bool
    ) -> Mapping[str, RemoteStoreError]:
        """Delete files in batches; keys with the version that may be deleted."""
        return await delete_many(session, wanted, missing_ok=missing_ok)

    async def delete_folder(
        self, session: Session, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete a folder."""
        await delete_folder(session, key, recursive=recursive, missing_ok=missing_ok)

    # Moving and copying --------------------------------------------------------

    async def move(
        self,
        session: Session,
        src: str,
        dst: str,
        *,
        overwrite: bool,
        if_match: str | None = None,
    ) -> None:
        """Copy a file, and remove the version that was copied."""
        await _transfer.move(
            session,
            src,
            dst,
            overwrite=overwrite,
            reject_under_file=self.reject_under_file,
            if_match=if_match,
        )

    async def copy(
        self,
        session: Session,
        src: str,
        dst: str,
        *,
        overwrite: bool,
        if_match: str | None = None,
        origin: Session | None = None,
    ) -> None:
        """Copy a file, also from another storage, whose session is *origin*."""
        await _transfer.copy(
            session,
            src,
            dst,
            overwrite=overwrite,
            reject_under_file=self.reject_under_file,
            if_match=if_match,
            origin=origin,
        )

    # Listing -------------------------------------------------------------------

    def list_files(
        self, session: Session, key: str, *, recursive: bool, max_depth: int | None
    ) -> Entries[FileInfo]:
        """Yield the files of a folder, as those of each page; so do the others."""
        return listing.files(session, key, recursive=recursive, max_depth=max_depth)

    def list_folders(self, session: Session, key: str) -> Entries[FolderEntry]:
        """Yield the subfolders of a folder."""
        found = listing.children(session, key, with_files=False)
        return cast("Entries[FolderEntry]", found)

    def iter_children(self, session: Session, key: str) -> Entries[FileInfo | FolderEntry]:
        """Yield the files and subfolders of a folder."""
        return listing.children(session, key, with_files=True)

    def glob(self, session: Session, pattern: GlobPattern) -> Entries[FileInfo]:
        """Yield the files whose key matches."""
        return listing.matches(session, pattern)


def written_result(
    session: Session, key: str, size: int, written: Written, metadata: Mapping[str, str]
) -> WriteResult:
    """Return what is known of a write that was done."""
    if not session.description.written_tells:
        return WriteResult(RemotePath(key), size)
    return WriteResult(
        RemotePath(key),
        size,
        "native",
        written.digest,
        written.etag if session.description.etags else None,
        written.version_id,
        written.modified,
        dict(metadata) or None,
    )
