"""Writing a file of a hierarchical account: in one request, or staged beside its target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from remote_store import WriteResult
from remote_store.aio import AsyncWritableContent
from remote_store_azure._blob.headers import metadata_headers, write_result
from remote_store_azure._blob.write import may_be
from remote_store_azure._datalake.probe import refused
from remote_store_azure._datalake.staged_write import staged_write
from remote_store_azure._rest.errors import NO_OVERWRITE
from remote_store_azure._rest.operations import OCTET_STREAM, PUT_BLOB

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["write"]


async def write(
    session: Session,
    key: str,
    content: AsyncWritableContent,
    *,
    exclusive: bool,
    atomic: bool,
    metadata: Mapping[str, str] | None,
) -> WriteResult:
    """
    Write a file; readers see the old content or the new.

    Bytes that fit one request are one, by which the service replaces the file
    as a whole, unless *atomic* asks for a temporary file; anything else gets one.

    Args:
        session: Of the container.
        key: Of the file.
        content: Its bytes.
        exclusive: Leave a file at *key* as it is.
        atomic: Stage it whatever its size.
        metadata: User metadata.

    Raises:
        AlreadyExists, InvalidPath, PreconditionFailed, TypeError, RemoteStoreError:
            See `staged_write`.
    """
    most = session.options.max_single_put
    if isinstance(content, bytes) and len(content) <= most and not atomic:
        response = await _put(session, key, content, exclusive=exclusive, metadata=metadata)
        return write_result(key, response.headers, len(content), metadata)
    response, size = await staged_write(
        session, key, content, exclusive=exclusive, metadata=metadata
    )
    return write_result(key, response.headers, size, metadata, md5=False)


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
        "x-ms-blob-content-type": OCTET_STREAM,
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
