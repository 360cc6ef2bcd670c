"""Writing a file of a hierarchical account: in one request, or staged beside its target."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from remote_store_azure._blob.headers import blob_info, stored_headers, written
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.probe import refused
from remote_store_azure._datalake.staged_write import staged_write
from remote_store_azure._rest.errors import NO_OVERWRITE
from remote_store_azure._rest.operations import PUT_BLOB
from remote_store_objects import Attributes, Body, Written
from remote_store_objects.authoring import may_be

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response
    from remote_store_objects.authoring import Session as Objects

__all__ = ["write"]


async def write(
    session: Session,
    key: str,
    content: bytes | AsyncIterator[bytes],
    *,
    exclusive: bool,
    atomic: bool,
    attributes: Attributes,
    if_match: str | None = None,
    resuming: Objects | None = None,
) -> tuple[Written, int]:
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
        attributes: What it keeps beside them.
        if_match: Only in the place of this version, in quotes.
        resuming: As in `staged_write`.

    Returns:
        What the service told of the new version, and its size in bytes.

    Raises:
        AlreadyExists, InvalidPath, PreconditionFailed, TypeError, RemoteStoreError:
            See `staged_write`.
    """
    most = session.options.max_single_put
    if isinstance(content, bytes) and len(content) <= most and not atomic:
        response = await _put(session, key, content, attributes, exclusive, if_match)
        return written(response.headers, md5=True), len(content)
    response, size = await staged_write(
        session,
        key,
        content,
        exclusive=exclusive,
        attributes=attributes,
        if_match=if_match,
        resuming=resuming,
    )
    return written(response.headers, md5=False), size


async def _put(
    session: Session,
    key: str,
    content: bytes,
    attributes: Attributes,
    exclusive: bool,
    if_match: str | None,
) -> Response:
    body = Body([content])
    headers = {"x-ms-blob-type": "BlockBlob", **stored_headers(attributes)}
    condition = {"If-None-Match": "*"} if exclusive else dfs.only(if_match)
    response = await session.send(
        PUT_BLOB,
        session.url(key),
        path=key,
        headers={**headers, **condition},
        body=body,
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
        replaces=if_match is not None,
        ours=lambda there: may_be(blob_info(key, there.headers), body, attributes),
    )
