"""Accounts with a hierarchical namespace: files in real folders, renamed in one step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from attrs import evolve, frozen

from remote_store import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    WriteResult,
)
from remote_store.aio import AsyncWritableContent
from remote_store_azure import _dfs as dfs
from remote_store_azure import _download as download
from remote_store_azure import _drafts as drafts
from remote_store_azure import _tree as tree
from remote_store_azure._doubt import in_doubt
from remote_store_azure._errors import ARCHIVED, NO_OVERWRITE
from remote_store_azure._headers import file_info, is_directory, metadata_headers, write_result
from remote_store_azure._kinds import archived, head, refuse_folder
from remote_store_azure._moves import at_source, complete, likeness, typed
from remote_store_azure._operations import COPY, PUT_BLOB
from remote_store_azure._places import file_at, folder_at, refuse_dots, refused, under_file
from remote_store_azure._progress import Progress
from remote_store_azure._renames import rename
from remote_store_azure._upload import may_be

if TYPE_CHECKING:
    from remote_store_azure._wire import Answer, Wire

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

    async def exists(self, wire: Wire, key: str) -> bool:
        """Return True if a file or folder is there."""
        refuse_dots(key)
        return (await head(wire, key)).status == 200

    async def is_file(self, wire: Wire, key: str) -> bool:
        """Return True if a file is there."""
        refuse_dots(key)
        answer = await head(wire, key)
        return answer.status == 200 and not is_directory(answer.headers)

    async def is_folder(self, wire: Wire, key: str) -> bool:
        """Return True if a folder is there."""
        refuse_dots(key)
        answer = await head(wire, key)
        return answer.status == 200 and is_directory(answer.headers)

    async def get_file_info(self, wire: Wire, key: str) -> FileInfo:
        """Return what is known about a file."""
        refuse_dots(key)
        return file_info(key, (await file_at(wire, key)).headers)

    async def get_folder_info(self, wire: Wire, key: str) -> FolderInfo:
        """Add up what is below a folder."""
        refuse_dots(key)
        if key:
            await folder_at(wire, key)
        return await tree.folder_sum(wire, key)

    # Reading ---------------------------------------------------------------

    async def read(self, wire: Wire, key: str) -> AsyncGenerator[bytes, None]:
        """Yield the content of a file."""
        refuse_dots(key)

        def check(headers: Mapping[str, str]) -> None:
            refuse_folder(key, headers)

        async with aclosing(download.chunks(wire, key, key, check=check)) as found:
            async for chunk in found:
                yield chunk

    async def read_bytes(self, wire: Wire, key: str) -> bytes:
        """Return the content of a file."""
        refuse_dots(key)

        def check(headers: Mapping[str, str]) -> None:
            refuse_folder(key, headers)

        return await download.content(wire, key, key, check=check)

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
        """Write a file; readers see the old content or the new."""
        refuse_dots(key)
        exclusive = not overwrite
        in_one = isinstance(content, bytes) and len(content) <= wire.options.max_single_put
        if in_one and not atomic:
            whole = cast("bytes", content)
            answer = await _put(wire, key, whole, exclusive=exclusive, metadata=metadata)
            return write_result(key, answer.headers, len(whole), metadata)
        answer, size = await drafts.write(
            wire, key, content, exclusive=exclusive, metadata=metadata
        )
        return write_result(key, answer.headers, size, metadata, md5=False)

    # Deleting --------------------------------------------------------------

    async def delete(self, wire: Wire, key: str, *, missing_ok: bool) -> None:
        """Delete a file, in the version that was seen to be one."""
        refuse_dots(key)
        try:
            await _delete(wire, key, recursive=None)
        except NotFound:
            if not missing_ok:
                raise

    async def delete_folder(
        self, wire: Wire, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete a folder; whether it is empty is decided by the service."""
        refuse_dots(key)
        try:
            await _delete(wire, key, recursive=recursive)
        except NotFound:
            if not missing_ok:
                raise

    # Listing ---------------------------------------------------------------

    def list_files(
        self, wire: Wire, key: str, *, recursive: bool, max_depth: int | None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder."""
        refuse_dots(key)
        return tree.files(wire, key, recursive=recursive, max_depth=max_depth)

    def list_folders(self, wire: Wire, key: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder."""
        refuse_dots(key)
        found = tree.children(wire, key, with_files=False)
        return cast("AsyncGenerator[FolderEntry, None]", found)

    def iter_children(self, wire: Wire, key: str) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder."""
        refuse_dots(key)
        return tree.children(wire, key, with_files=True)

    def glob(self, wire: Wire, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
        """Yield the files whose key matches."""
        return tree.matches(wire, pattern)

    # Moving and copying ----------------------------------------------------

    async def move(self, wire: Wire, src: str, dst: str, *, overwrite: bool) -> None:
        """Rename a file, in the version that was seen to be one."""
        refuse_dots(src, dst)
        version = await file_at(wire, src)
        if src != dst:
            etag = wire.etag(version)
            await rename(wire, src, dst, etag=etag, exclusive=not overwrite)

    async def copy(self, wire: Wire, src: str, dst: str, *, overwrite: bool) -> None:
        """Let the service copy a file, and wait until that is complete."""
        refuse_dots(src, dst)
        for left in reversed(range(_TRIES)):
            version = await file_at(wire, src)
            if src == dst:
                return
            answer = await _copy(wire, src, dst, version, exclusive=not overwrite)
            if answer.status in (201, 202):
                await complete(wire, dst, answer)
                return
            if answer.status == 404:
                raise await _nothing_copied(wire, src, answer)
            if answer.code != "SourceConditionNotMet" or answer.lost or not left:
                raise await _not_copied(wire, src, answer, version, exclusive=not overwrite)


async def _put(
    wire: Wire,
    key: str,
    content: bytes,
    *,
    exclusive: bool,
    metadata: Mapping[str, str] | None,
) -> Answer:
    headers = {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-blob-content-type": _TYPE,
        **metadata_headers(metadata),
    }
    condition = {"If-None-Match": "*"} if exclusive else {}
    answer = await wire.send(
        PUT_BLOB,
        wire.url(key),
        path=key,
        headers={**headers, **condition},
        body=content,
        accept=(201, 403, 404, 409, 412),
    )
    if answer.status == 201:
        return answer
    if answer.status == 404 and answer.code != "BlobNotFound":
        raise wire.error(answer)
    if answer.status == 403 and not (exclusive and answer.code == NO_OVERWRITE):
        raise wire.error(answer)
    # Below a file the service says that it did not find the blob.
    raise await refused(
        wire,
        answer,
        exclusive=exclusive,
        ours=lambda there: may_be(there, [content], headers),
    )


async def _delete(wire: Wire, key: str, *, recursive: bool | None) -> None:
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
        etag = wire.etag(await look_at(wire, key))
        continuation = ""
        begun = False
        progress = Progress(wire, key, f"The deletion of {key!r}")
        while True:
            with in_doubt(begun):
                answer = await dfs.delete(
                    wire,
                    key,
                    key,
                    etag=None if continuation else etag,
                    recursive=recursive,
                    continuation=continuation,
                    accept=(200, 202, 404, 409, 412),
                )
                if answer.status == 409 and answer.code != "PathConflict":
                    raise wire.error(answer)
            continuation = answer.headers.get("x-ms-continuation", "")
            if answer.status not in (200, 202) or not continuation:
                break
            begun = True
            with in_doubt(begun):
                progress.step(continuation, moved=True)
        if answer.status in (200, 202):
            return
        if answer.status in (404, 409):  # 409: a file is above it by now
            if answer.lost or begun:
                return  # an attempt that got no answer has done it, or somebody the rest
            raise typed(wire, answer, NotFound, f"Not found: {key}", key)
        if answer.lost:
            with in_doubt(answer.lost):
                if (await head(wire, key)).status == 404:
                    return
            msg = f"Replaced while it was being deleted, before or after: {key}"
            raise wire.error(answer, msg, outcome_unknown=True)
        if "Lease" in answer.code or not left:
            with in_doubt(begun):
                raise wire.error(answer)


async def _copy(wire: Wire, src: str, dst: str, version: Answer, *, exclusive: bool) -> Answer:
    headers = {
        "x-ms-copy-source": wire.source_url(src),
        "x-ms-source-if-match": wire.etag(version),
    }
    if exclusive:
        headers["If-None-Match"] = "*"
    return await wire.send(
        COPY, wire.url(dst), path=dst, headers=headers, accept=(201, 202, 403, 404, 409, 412)
    )


async def _nothing_copied(wire: Wire, src: str, answer: Answer) -> RemoteStoreError:
    """Tell a source that has gone from a destination below a file: the answer is the same."""
    error = wire.error(evolve(answer, path=src))
    if answer.code == "BlobNotFound":
        with in_doubt(answer.lost):
            return await under_file(wire, answer) or error
    return error


async def _not_copied(
    wire: Wire, src: str, answer: Answer, version: Answer, *, exclusive: bool
) -> RemoteStoreError:
    if answer.code == "SourceConditionNotMet":
        msg = f"The source of a copy was changed by somebody else meanwhile: {src}"
        return typed(wire, answer, PreconditionFailed, msg, src, outcome_unknown=answer.lost)
    if answer.code in ARCHIVED:
        return await archived(wire, answer, src)
    if answer.status == 403 and not (exclusive and answer.code == NO_OVERWRITE):
        return wire.error(at_source(answer, src))
    return await refused(
        wire,
        answer,
        exclusive=exclusive,
        ours=lambda there: likeness(there.headers) == likeness(version.headers),
    )
