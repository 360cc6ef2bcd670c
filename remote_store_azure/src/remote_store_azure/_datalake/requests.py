"""
Requests to the Data Lake service: what the Blob service cannot do.

They go the same way as all others, so that retries, lost answers and errors
are the same. Each is one request; what its refusal means is decided elsewhere.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from remote_store_azure._rest.operations import (
    APPEND,
    CREATE_PATH,
    DELETE_PATH,
    FLUSH,
    LIST_PATHS,
    RENAME,
)
from remote_store_objects import Attributes, Body

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["append", "create_file", "create_folder", "delete", "only", "paths", "rename"]

#: Without it a request at an address that both services share is the Blob service's.
_ACCEPT: Final = {"Accept": "application/json"}
#: Whatever the answer is, the caller judges it.
ANY: Final = range(200, 600)


async def create_file(
    session: Session,
    name: str,
    path: str,
    attributes: Attributes,
    *,
    exclusive: bool = False,
    accept: Container[int] = (201,),
) -> Response:
    """
    Create an empty file, and the folders above it.

    Args:
        session: Of the container.
        name: Of the file.
        path: Key that errors name.
        attributes: What it keeps; user metadata are ASCII.
        exclusive: Only where nothing is; else a file there becomes empty.
        accept: Statuses that do not raise.
    """
    headers = dict(_ACCEPT)
    if attributes.content_type is not None:
        headers["x-ms-content-type"] = attributes.content_type
    headers |= {f"x-ms-{name.lower()}": value for name, value in attributes.headers.items()}
    if attributes.metadata:
        headers["x-ms-properties"] = ",".join(
            f"{key}={b64encode(value.encode('ascii')).decode()}"
            for key, value in attributes.metadata.items()
        )
    if exclusive:
        headers["If-None-Match"] = "*"
    url = session.dfs_url(name, "resource=file")
    return await session.send(CREATE_PATH, url, path=path, headers=headers, accept=accept)


async def create_folder(session: Session, name: str, path: str) -> Response:
    """Create a folder and those above it; one that is there stays as it is, status 409."""
    url = session.dfs_url(name, "resource=directory")
    headers = {**_ACCEPT, "If-None-Match": "*"}
    return await session.send(CREATE_PATH, url, path=path, headers=headers, accept=(201, 409))


async def append(
    session: Session,
    name: str,
    path: str,
    position: int,
    pieces: Sequence[bytes | memoryview],
    *,
    flush: bool = False,
    accept: Container[int] = (202,),
) -> Response:
    """
    Append to a file; what was appended is not part of it before a flush.

    Args:
        session: Of the container.
        name: Of the file.
        path: Key that errors name.
        position: Where in the file, in bytes. Any order will do, and the same
            bytes at the same position again.
        pieces: The bytes, not none.
        flush: Also make all that was appended up to their end part of the file.
        accept: Statuses that do not raise.
    """
    query = f"action=append&position={position}" + ("&flush=true" if flush else "")
    body = Body(pieces)
    headers = {**_ACCEPT, "Content-Type": "application/json"}
    url = session.dfs_url(name, query)
    operation = FLUSH if flush else APPEND
    return await session.send(operation, url, path=path, headers=headers, body=body, accept=accept)


def only(etag: str | None) -> dict[str, str]:
    """Return the header of a request that is to replace one version; none for None."""
    return {} if etag is None else {"If-Match": etag}


async def rename(
    session: Session,
    source: str,
    target: str,
    *,
    etag: str,
    exclusive: bool,
    if_match: str | None = None,
) -> Response:
    """
    Give a file another name; its folder has to be there already.

    Args:
        session: Of the container.
        source: Its name.
        target: The new one, also for errors. A file there is replaced.
        etag: Version of the source, in quotes.
        exclusive: Only where nothing is.
        if_match: Only in the place of this version, in quotes.
    """
    headers = {
        **_ACCEPT,
        **only(if_match),
        "x-ms-rename-source": session.rename_source(source),
        "x-ms-source-if-match": etag,
    }
    if exclusive:
        headers["If-None-Match"] = "*"
    url = session.dfs_url(target, "mode=legacy")
    return await session.send(
        RENAME, url, path=target, headers=headers, accept=(201, 404, 409, 412)
    )


async def delete(
    session: Session,
    name: str,
    path: str,
    *,
    etag: str | None = None,
    recursive: bool | None = None,
    continuation: str = "",
    accept: Container[int],
    timeout: float | None = None,
) -> Response:
    """
    Delete a file or folder.

    Args:
        session: Of the container.
        name: Of the file or folder.
        path: Key that errors name.
        etag: Only this version, in quotes.
        recursive: For a folder, with all that is below it or only if that is
            nothing; None for a file.
        continuation: From an answer that was not the last one.
        accept: Statuses that do not raise.
        timeout: Seconds for all attempts together.
    """
    query = "" if recursive is None else f"recursive={str(recursive).lower()}"
    if recursive and session.by_token:
        query += "&paginated=true"  # the service may have to look at access rights at length
    if continuation:
        query += f"&continuation={quote(continuation, safe='')}"
    headers = {**_ACCEPT, **only(etag)}
    url = session.dfs_url(name, query)
    return await session.send(
        DELETE_PATH, url, path=path, headers=headers, accept=accept, timeout=timeout
    )


async def paths(
    session: Session, folder: str, *, recursive: bool, continuation: str = ""
) -> Response:
    """
    List what is in a folder; one page, status 404 where nothing is, or 409 below a file.

    Args:
        session: Of the container.
        folder: Its key, ``""`` for the root.
        recursive: Also what is in the folders below it.
        continuation: From the previous page.
    """
    query = f"resource=filesystem&recursive={str(recursive).lower()}"
    if folder:
        query += f"&directory={quote(folder, safe='')}"
    if continuation:
        query += f"&continuation={quote(continuation, safe='')}"
    url = session.dfs_url(None, query)
    return await session.send(LIST_PATHS, url, path=folder, headers=_ACCEPT, accept=(200, 404, 409))
