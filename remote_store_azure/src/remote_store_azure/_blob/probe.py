"""Looks at a blob, by its headers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remote_store import AlreadyExists, InvalidPath, RemoteStoreError
from remote_store.authoring import is_a_folder
from remote_store_azure._blob.headers import is_directory
from remote_store_azure._keys import NAME
from remote_store_azure._rest.operations import HEAD_BLOB

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["a_folder", "head", "look", "refuse_existing"]

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


def a_folder(key: str, refusal: RemoteStoreError | None = None) -> InvalidPath:
    """Return the error for a folder where a file is needed, with what a *refusal* of it says."""
    error = is_a_folder(key, NAME)
    if refusal is not None:
        error.status, error.code = refusal.status, refusal.code
        error.request_id, error.outcome_unknown = refusal.request_id, refusal.outcome_unknown
        error.__cause__ = refusal.__cause__
    return error


async def refuse_existing(session: Session, key: str) -> None:
    """
    Refuse a key that is taken, to spare the transfer of content for nothing.

    Without the right to look nothing is refused: the write itself decides.

    Args:
        session: Of the container.
        key: Of the file to be made.

    Raises:
        AlreadyExists: By a file.
        InvalidPath: By a folder.
    """
    there = await look(session, key)
    if there.status != 200:
        return
    if is_directory(there.headers):
        raise a_folder(key)
    msg = f"Already exists: {key}"
    raise AlreadyExists(msg, path=key, backend=NAME)
