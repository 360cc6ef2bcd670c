"""Deleting a file or folder of a hierarchical account, in the version that was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remote_store import NotFound
from remote_store.authoring import other_version
from remote_store_azure._blob.probe import head
from remote_store_azure._blob.refusals import error_as
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.probe import TRIES, file_at, folder_at
from remote_store_azure._keys import NAME
from remote_store_objects.authoring import Progress, in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["delete"]


async def delete(
    session: Session, key: str, *, recursive: bool | None, if_match: str | None = None
) -> None:
    """
    Delete the version of a file, or folder, that was seen to be one; or that of *if_match*.

    Raises:
        NotFound: There is nothing.
        InvalidPath: It is the other kind.
        DirectoryNotEmpty: Something is in the folder, and *recursive* is False.
        PreconditionFailed: It was replaced again and again; or, with
            ``outcome_unknown``, after an attempt that got no answer.
        RemoteStoreError: The service never says that it is done.
    """
    look_at = file_at if recursive is None else folder_at
    for left in reversed(range(TRIES)):
        etag = session.etag(await look_at(session, key))
        if if_match is not None and etag != if_match:
            raise other_version(key, NAME)
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
                return  # an attempt that got no response has done it, or another client the rest
            raise error_as(session, response, NotFound, f"Not found: {key}", key)
        if response.lost:
            with in_doubt(response.lost):
                if (await head(session, key)).status == 404:
                    return
            msg = f"Replaced while it was being deleted, before or after: {key}"
            raise session.error(response, msg, outcome_unknown=True)
        if "Lease" in response.code or not left:
            with in_doubt(begun):
                raise session.error(response)
