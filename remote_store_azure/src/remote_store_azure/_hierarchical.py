"""Accounts with a hierarchical namespace: files in real folders, renamed in one step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from attrs import evolve, frozen

from remote_store import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    NotFound,
    PreconditionFailed,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store.aio import AsyncWritableContent
from remote_store_azure import _list as listing
from remote_store_azure._blob.headers import file_info, is_directory, metadata_headers, write_result
from remote_store_azure._blob.probe import archived, head, refuse_folder
from remote_store_azure._blob.read import BlobReader
from remote_store_azure._blob.transfer import at_source, complete, likeness, typed
from remote_store_azure._blob.write import may_be
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake import staged_write as drafts
from remote_store_azure._datalake.list_paths import PathPages
from remote_store_azure._datalake.probe import (
    file_at,
    folder_at,
    loses_dots,
    refuse_dots,
    refused,
    under_file,
)
from remote_store_azure._datalake.rename import rename
from remote_store_azure._http.progress import Progress
from remote_store_azure._rest.errors import ARCHIVED, NO_OVERWRITE
from remote_store_azure._rest.operations import COPY, PUT_BLOB
from remote_store_azure._rest.outcome import in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["Hierarchical"]

#: How often an operation looks again at what was replaced after it looked.
_TRIES: Final = 5
_TYPE: Final = "application/octet-stream"


@frozen
class Hierarchical:
    """
    The operations on a hierarchical account.

    Each key is a file, a folder or nothing. Folders are made by the files
    written below them, and stay when these go.

    A stream, content above 8 MiB and every atomic write go to a temporary
    file in the folder of the target, which is renamed when it is complete.
    Shorter content is one request, by which the service replaces the file as
    a whole.
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
        exclusive = not overwrite
        in_one = isinstance(content, bytes) and len(content) <= session.options.max_single_put
        if in_one and not atomic:
            whole = cast("bytes", content)
            response = await _put(session, key, whole, exclusive=exclusive, metadata=metadata)
            return write_result(key, response.headers, len(whole), metadata)
        response, size = await drafts.write(
            session, key, content, exclusive=exclusive, metadata=metadata
        )
        return write_result(key, response.headers, size, metadata, md5=False)

    # Deleting --------------------------------------------------------------

    async def delete(self, session: Session, key: str, *, missing_ok: bool) -> None:
        """Delete a file, in the version that was seen to be one."""
        refuse_dots(key)
        try:
            await _delete(session, key, recursive=None)
        except NotFound:
            if not missing_ok:
                raise

    async def delete_folder(
        self, session: Session, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete a folder; whether it is empty is decided by the service."""
        refuse_dots(key)
        try:
            await _delete(session, key, recursive=recursive)
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
        version = await file_at(session, src)
        if src != dst:
            etag = session.etag(version)
            await rename(session, src, dst, etag=etag, exclusive=not overwrite)

    async def copy(self, session: Session, src: str, dst: str, *, overwrite: bool) -> None:
        """Let the service copy a file, and wait until that is complete."""
        refuse_dots(src, dst)
        for left in reversed(range(_TRIES)):
            version = await file_at(session, src)
            if src == dst:
                return
            response = await _copy(session, src, dst, version, exclusive=not overwrite)
            if response.status in (201, 202):
                await complete(session, dst, response)
                return
            if response.status == 404:
                raise await _nothing_copied(session, src, response)
            if response.code != "SourceConditionNotMet" or response.lost or not left:
                raise await _not_copied(session, src, response, version, exclusive=not overwrite)


async def _put(
    session: Session,
    key: str,
    content: bytes,
    *,
    exclusive: bool,
    metadata: Mapping[str, str] | None,
) -> Response:
    headers = {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-blob-content-type": _TYPE,
        **metadata_headers(metadata),
    }
    condition = {"If-None-Match": "*"} if exclusive else {}
    response = await session.send(
        PUT_BLOB,
        session.url(key),
        path=key,
        headers={**headers, **condition},
        body=content,
        accept=(201, 403, 404, 409, 412),
    )
    if response.status == 201:
        return response
    if response.status == 404 and response.code != "BlobNotFound":
        raise session.error(response)
    if response.status == 403 and not (exclusive and response.code == NO_OVERWRITE):
        raise session.error(response)
    # Below a file the service says that it did not find the blob.
    raise await refused(
        session,
        response,
        exclusive=exclusive,
        ours=lambda there: may_be(there, [content], headers),
    )


async def _delete(session: Session, key: str, *, recursive: bool | None) -> None:
    """
    Delete the version of a file, or folder, that was seen to be one.

    Raises:
        NotFound: There is nothing.
        InvalidPath: It is the other kind.
        DirectoryNotEmpty: Something is in the folder, and *recursive* is False.
        PreconditionFailed: It was replaced again and again; or, with
            ``outcome_unknown``, after an attempt that got no answer.
        RemoteStoreError: The service never says that it is done.
    """
    look_at = file_at if recursive is None else folder_at
    for left in reversed(range(_TRIES)):
        etag = session.etag(await look_at(session, key))
        continuation = ""
        begun = False
        progress = Progress(session, key, f"The deletion of {key!r}")
        while True:
            with in_doubt(begun):
                response = await dfs.delete(
                    session,
                    key,
                    key,
                    etag=None if continuation else etag,
                    recursive=recursive,
                    continuation=continuation,
                    accept=(200, 202, 404, 409, 412),
                )
                if response.status == 409 and response.code != "PathConflict":
                    raise session.error(response)
            continuation = response.headers.get("x-ms-continuation", "")
            if response.status not in (200, 202) or not continuation:
                break
            begun = True
            with in_doubt(begun):
                progress.step(continuation, moved=True)
        if response.status in (200, 202):
            return
        if response.status in (404, 409):  # 409: a file is above it by now
            if response.lost or begun:
                return  # an attempt that got no answer has done it, or somebody the rest
            raise typed(session, response, NotFound, f"Not found: {key}", key)
        if response.lost:
            with in_doubt(response.lost):
                if (await head(session, key)).status == 404:
                    return
            msg = f"Replaced while it was being deleted, before or after: {key}"
            raise session.error(response, msg, outcome_unknown=True)
        if "Lease" in response.code or not left:
            with in_doubt(begun):
                raise session.error(response)


async def _copy(
    session: Session, src: str, dst: str, version: Response, *, exclusive: bool
) -> Response:
    headers = {
        "x-ms-copy-source": session.source_url(src),
        "x-ms-source-if-match": session.etag(version),
    }
    if exclusive:
        headers["If-None-Match"] = "*"
    return await session.send(
        COPY, session.url(dst), path=dst, headers=headers, accept=(201, 202, 403, 404, 409, 412)
    )


async def _nothing_copied(session: Session, src: str, response: Response) -> RemoteStoreError:
    """Tell a source that has gone from a destination below a file: the answer is the same."""
    error = session.error(evolve(response, path=src))
    if response.code == "BlobNotFound":
        with in_doubt(response.lost):
            return await under_file(session, response) or error
    return error


async def _not_copied(
    session: Session, src: str, response: Response, version: Response, *, exclusive: bool
) -> RemoteStoreError:
    if response.code == "SourceConditionNotMet":
        msg = f"The source of a copy was changed by somebody else meanwhile: {src}"
        return typed(session, response, PreconditionFailed, msg, src, outcome_unknown=response.lost)
    if response.code in ARCHIVED:
        return await archived(session, response, src)
    if response.status == 403 and not (exclusive and response.code == NO_OVERWRITE):
        return session.error(at_source(response, src))
    return await refused(
        session,
        response,
        exclusive=exclusive,
        ours=lambda there: likeness(there.headers) == likeness(version.headers),
    )
