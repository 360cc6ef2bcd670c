"""
What is at a key of a flat account: a file, a folder, or nothing.

A folder is there as long as a blob's name begins with its key and a slash.
Most operations need not know; they ask here when the service has found no
blob, whether there is a folder or nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remote_store import AlreadyExists, InvalidPath, NotFound, RemoteStoreError
from remote_store.authoring import ancestor_is_file, is_a_folder
from remote_store_azure._blob.headers import is_directory
from remote_store_azure._blob.list_blobs import page
from remote_store_azure._keys import NAME, prefix_of
from remote_store_azure._rest.errors import NO_STORAGE
from remote_store_azure._rest.operations import HEAD_BLOB
from remote_store_objects.authoring import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remote_store_azure._blob.list_blobs import Blob
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = [
    "a_folder",
    "absent",
    "below",
    "container_exists",
    "head",
    "is_folder",
    "look",
    "look_at_container",
    "refuse_existing",
    "refuse_folder",
    "refuse_target",
]


#: A client that may write need not be allowed to look.
_LOOK: Final = (200, 401, 403, 404)


async def look(
    session: Session, key: str, path: str | None = None, *, deadline: float | None = None
) -> Response:
    """
    Return the headers of a blob; status 404 where there is none, 401 or 403 without the right.

    Args:
        session: Of the container.
        key: Of the blob.
        path: Key that errors name, if it is another one.
        deadline: When to give up, in the loop's time; None for the policy's limit.
    """
    return await session.send(
        HEAD_BLOB, session.url(key), path=path or key, accept=_LOOK, deadline=deadline
    )


async def head(session: Session, key: str) -> Response:
    """Return the headers of a blob; status 404 where there is none."""
    return await session.send(HEAD_BLOB, session.url(key), path=key, accept=(200, 404))


async def look_at_container(session: Session) -> None:
    """
    Ask for the container, in the one way that a token for just this container allows.

    Raises:
        NotFound: It is absent.
        PermissionDenied, BackendUnavailable: The service does not say.
    """
    await page(session, None, prefix="", limit=1, include="")


async def container_exists(session: Session) -> bool:
    """Return whether the container is there; raises if the service does not say."""
    try:
        await look_at_container(session)
    except NotFound as error:
        if error.code in NO_STORAGE:
            return False
        raise
    return True


async def is_folder(session: Session, key: str) -> bool:
    """Return True if there are blobs below *key*; False if the container is absent."""
    return bool(await below(session, key, 1))


async def below(session: Session, key: str, count: int) -> list[Blob]:
    """Return the first blobs below *key*, at most *count*; none if the container is absent."""
    blobs: list[Blob] = []
    marker = ""
    progress: Progress | None = None  # nearly always one page is enough
    while True:
        left = count - len(blobs)
        try:
            found = await page(
                session, key, prefix=prefix_of(key), marker=marker, limit=left, include=""
            )
        except NotFound:
            return blobs
        blobs += found.blobs
        # The service may answer with an empty page that is not the last one.
        if len(blobs) >= count or not found.marker:
            return blobs
        marker = found.marker
        progress = progress or Progress(session, key, f"The service's listing of {key!r}")
        progress.step(marker, moved=bool(found.blobs))


def a_folder(key: str, refusal: RemoteStoreError | None = None) -> InvalidPath:
    """Return the error for a folder where a file is needed, with what a *refusal* of it says."""
    error = is_a_folder(key, NAME)
    if refusal is not None:
        error.status, error.code = refusal.status, refusal.code
        error.request_id, error.outcome_unknown = refusal.request_id, refusal.outcome_unknown
        error.__cause__ = refusal.__cause__
    return error


async def absent(session: Session, key: str, error: RemoteStoreError) -> RemoteStoreError:
    """
    Return what to raise where there is no blob.

    Args:
        session: Of the container.
        key: Where no blob was found.
        error: The NotFound that the service's answer means by itself.
    """
    if error.code not in NO_STORAGE and await is_folder(session, key):
        return a_folder(key, error)
    return error


async def refuse_existing(session: Session, key: str, *, real_folders: bool = False) -> None:
    """
    Refuse a key that is taken, to spare the transfer of content for nothing.

    Without the right to look nothing is refused: the write itself decides.

    Args:
        session: Of the container.
        key: Of the file to be made.
        real_folders: A blob that stands for a folder is one, and no file.

    Raises:
        AlreadyExists: By a file.
        InvalidPath: By a folder.
    """
    there = await look(session, key)
    if there.status != 200:
        return
    if real_folders and is_directory(there.headers):
        raise a_folder(key)
    msg = f"Already exists: {key}"
    raise AlreadyExists(msg, path=key, backend=NAME)


def refuse_folder(key: str, headers: Mapping[str, str]) -> None:
    """
    Refuse a blob that stands for a folder.

    Raises:
        InvalidPath: It does.
    """
    if is_directory(headers):
        raise a_folder(key)


async def refuse_target(session: Session, key: str) -> None:
    """
    Refuse a key at which a hierarchical account could hold no file.

    One request for each folder above, and one for the key itself.

    Raises:
        InvalidPath: There is a file above *key*, or a folder at it.
    """
    names = key.split("/")
    for count in range(1, len(names)):
        above = "/".join(names[:count])
        response = await head(session, above)
        if response.status == 200 and not is_directory(response.headers):
            raise ancestor_is_file(key, NAME, above)
    if await is_folder(session, key):
        raise a_folder(key)
