"""Accounts with a hierarchical namespace: files in real folders, renamed in one step."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from attrs import evolve, frozen

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
from remote_store.authoring import cannot_delete_many
from remote_store_azure._blob.service import BlobService
from remote_store_azure._datalake import transfer
from remote_store_azure._datalake.create_folder import create_folder
from remote_store_azure._datalake.delete import delete
from remote_store_azure._datalake.list_paths import PathService, SweepService
from remote_store_azure._datalake.probe import folder_at, loses_dots, refuse_dots
from remote_store_azure._datalake.write import write
from remote_store_objects import Attributes
from remote_store_objects.authoring import (
    Entries,
    Flat,
    Reading,
    Session,
    find,
    folder_sum,
    is_literal,
    look_at_storage,
    written_result,
)
from remote_store_objects.http import quoted

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session as Http

__all__ = ["Hierarchical"]


def http_of(session: Session) -> Http:
    """Return what sends the requests of a session of this backend."""
    return cast("BlobService", session.service).http


def _real(session: Session, service: BlobService | None = None) -> Session:
    """Return the same session for a container whose folders are real."""
    of_loop = cast("BlobService", session.service)
    if of_loop.real_folders is None:  # all its fields are checked: not at each call
        of_loop.real_folders = evolve(session.description, real_folders=True, any_prefix=False)
    return Session(
        service or of_loop, of_loop.real_folders, session.retry, session.calls, session.sizes
    )


def _listing(session: Session, *, seen: bool = False) -> Session:
    """Return a session for one listing."""
    return _real(session, PathService(cast("BlobService", session.service), seen=seen))


@frozen
class Hierarchical(Flat):
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
        return await find(session, key) is not None

    async def is_file(self, session: Session, key: str) -> bool:
        """Return True if a file is there."""
        refuse_dots(key)
        return await super().is_file(session, key)

    async def is_folder(self, session: Session, key: str) -> bool:
        """Return True if a folder is there."""
        refuse_dots(key)
        there = await find(session, key)
        return there is not None and there.is_folder

    async def get_file_info(self, session: Session, key: str) -> FileInfo:
        """Return what is known about a file."""
        refuse_dots(key)
        return await super().get_file_info(_real(session), key)

    async def get_folder_info(self, session: Session, key: str) -> FolderInfo:
        """Add up what is below a folder."""
        refuse_dots(key)
        if key:
            await folder_at(http_of(session), key)
        found = await folder_sum(_listing(session, seen=True), key)
        return found or FolderInfo(RemotePath.from_backend_path(key), 0, 0)

    # Reading ---------------------------------------------------------------

    async def open(
        self,
        session: Session,
        key: str,
        *,
        start: int = 0,
        length: int | None = None,
        if_match: str | None = None,
    ) -> Reading:
        """Begin to read a file or a part of it."""
        refuse_dots(key)
        return await super().open(
            _real(session), key, start=start, length=length, if_match=if_match
        )

    # Writing ---------------------------------------------------------------

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
        """Write a file; readers see the old content or the new."""
        refuse_dots(key)
        written, size = await write(
            http_of(session),
            key,
            content,
            exclusive=not overwrite and if_match is None,
            atomic=atomic,
            attributes=attributes,
            if_match=quoted(if_match),
            resuming=session if resume else None,
        )
        return written_result(session, key, size, written, attributes.metadata)

    async def create_folder(self, session: Session, key: str) -> None:
        """Make a folder and those above it, in one request."""
        refuse_dots(key)
        if key:
            await create_folder(http_of(session), key)
        else:
            await look_at_storage(session)

    # Deleting --------------------------------------------------------------

    async def delete(
        self, session: Session, key: str, *, missing_ok: bool, if_match: str | None = None
    ) -> None:
        """Delete a file, in the version that was seen to be one."""
        refuse_dots(key)
        try:
            await delete(http_of(session), key, recursive=None, if_match=quoted(if_match))
        except NotFound:
            if not missing_ok:
                raise

    async def delete_many(
        self, session: Session, wanted: Mapping[str, str | None], *, missing_ok: bool
    ) -> Mapping[str, RemoteStoreError]:
        """Refuse: what is deleted has to be looked at, since it may be a folder."""
        raise cannot_delete_many(session.name)

    async def delete_folder(
        self, session: Session, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete a folder; whether it is empty is decided by the service."""
        refuse_dots(key)
        try:
            await delete(http_of(session), key, recursive=recursive)
        except NotFound:
            if not missing_ok:
                raise

    # Moving and copying ----------------------------------------------------

    async def move(
        self,
        session: Session,
        src: str,
        dst: str,
        *,
        overwrite: bool,
        if_match: str | None = None,
    ) -> None:
        """Rename a file, in the version that was seen to be one."""
        refuse_dots(src, dst)
        await transfer.move(
            http_of(session), src, dst, exclusive=not overwrite, if_match=quoted(if_match)
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
        """Let the service copy a file, and wait until that is complete."""
        refuse_dots(src, dst)
        await transfer.copy(
            http_of(session),
            src,
            dst,
            exclusive=not overwrite,
            if_match=quoted(if_match),
            origin=None if origin is None else http_of(origin),
        )

    # Listing ---------------------------------------------------------------

    def list_files(
        self, session: Session, key: str, *, recursive: bool, max_depth: int | None
    ) -> Entries[FileInfo]:
        """Yield the files of a folder."""
        refuse_dots(key)
        return super().list_files(_listing(session), key, recursive=recursive, max_depth=max_depth)

    def list_folders(self, session: Session, key: str) -> Entries[FolderEntry]:
        """Yield the subfolders of a folder."""
        refuse_dots(key)
        return super().list_folders(_listing(session), key)

    def iter_children(self, session: Session, key: str) -> Entries[FileInfo | FolderEntry]:
        """Yield the files and subfolders of a folder."""
        refuse_dots(key)
        return super().iter_children(_listing(session), key)

    def glob(self, session: Session, pattern: GlobPattern) -> Entries[FileInfo]:
        """Yield the files whose key matches."""
        if loses_dots(pattern.text if is_literal(pattern) else pattern.prefix):
            return _nothing()
        return super().glob(_listing(session), pattern)

    async def sweep(
        self,
        session: Session,
        key: str,
        older_than: timedelta,
        *,
        dry_run: bool,
        found: Callable[[str], object] | None,
    ) -> int:
        """Remove old temporary files below a folder; return how many."""
        refuse_dots(key)
        service = SweepService(
            cast("BlobService", session.service),
            older_than=older_than,
            dry_run=dry_run,
            found=found,
        )
        listing = super().list_files(_real(session, service), key, recursive=True, max_depth=None)
        async with contextlib.aclosing(listing) as pages:
            async for _ in pages:
                pass
        return service.count


async def _nothing() -> Entries[FileInfo]:
    """Yield nothing, and send nothing."""
    return
    yield  # makes this an async generator
