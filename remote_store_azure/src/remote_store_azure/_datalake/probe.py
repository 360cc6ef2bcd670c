"""
What is at a key of a hierarchical account, and what stands in the way of a file.

Each key is a file, a folder or nothing, and one request shows which. Why the
service refused to make a file is asked for afterwards: the code of its answer
does not distinguish a folder from a file, or a file above from one at the key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from remote_store import InvalidPath, PreconditionFailed, RemoteStoreError
from remote_store.authoring import ancestor_is_file, is_a_file, other_version
from remote_store_azure._blob.headers import is_directory
from remote_store_azure._blob.probe import a_folder, head, look
from remote_store_azure._blob.refusals import already_exists, error_as, replaced, with_details
from remote_store_azure._keys import NAME
from remote_store_azure._rest.errors import NO_OVERWRITE
from remote_store_objects.authoring import in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = [
    "TRIES",
    "file_at",
    "folder_at",
    "loses_dots",
    "refuse_dots",
    "refuse_other_version",
    "refused",
    "under_file",
]


#: How often an operation looks again at what was replaced after it looked.
TRIES: Final = 5


def loses_dots(key: str) -> bool:
    """Return True if a name in *key* ends in a dot, which the service would drop."""
    return key.endswith(".") or "./" in key


def refuse_dots(*keys: str) -> None:
    """
    Refuse names that the service would change.

    Raises:
        InvalidPath: A name in one of *keys* ends in a dot.
    """
    for key in keys:
        if loses_dots(key):
            msg = "path has a name that ends in a dot, which the service would drop"
            raise InvalidPath(msg, path=key, backend=NAME)


async def _existing(session: Session, key: str) -> Response:
    """
    Return the headers of what is at *key*.

    Raises:
        NotFound: There is nothing.
    """
    response = await head(session, key)
    if response.status == 404:
        raise session.error(response)
    return response


async def file_at(session: Session, key: str) -> Response:
    """
    Return the headers of the file at *key*.

    Raises:
        NotFound: There is nothing.
        InvalidPath: It is a folder.
    """
    response = await _existing(session, key)
    if is_directory(response.headers):
        raise a_folder(key)
    return response


async def folder_at(session: Session, key: str) -> Response:
    """
    Return the headers of the folder at *key*.

    Raises:
        NotFound: There is nothing.
        InvalidPath: It is a file.
    """
    response = await _existing(session, key)
    if not is_directory(response.headers):
        raise is_a_file(key, NAME)
    return response


async def refuse_other_version(session: Session, key: str, etag: str) -> None:
    """
    Look whether a file is the version that is to be replaced, before anything is sent.

    Args:
        session: Of the container.
        key: Of the file.
        etag: The version, in quotes.

    Raises:
        PreconditionFailed: It is another one, or there is nothing.
        InvalidPath: It is a folder, or *key* lies below a file.
    """
    there = await look(session, key)
    if there.status == 404:
        raise await under_file(session, there) or replaced(session, there, unknown=False)
    if there.status != 200:
        return  # who may not look is told by the change itself
    if is_directory(there.headers):
        raise a_folder(key)
    if session.etag(there) != etag:
        raise other_version(key, NAME)


async def refused(
    session: Session,
    response: Response,
    *,
    exclusive: bool,
    replaces: bool = False,
    ours: Callable[[Response], bool] | None = None,
) -> RemoteStoreError:
    """
    Return why the service would not make a file.

    Args:
        session: Of the container.
        response: With status 409 or 412, or 404 though it creates, or the code
            for clients that may not overwrite; its path is the key.
        exclusive: It was asked for only where nothing is.
        replaces: It was asked for only in the place of one version.
        ours: Decides whether the file there may be what this request made in an
            attempt that got no answer.
    """
    error = session.error(response)
    key = response.path or ""
    if "Lease" in response.code or (response.status == 412 and not exclusive and not replaces):
        return error
    with in_doubt(response.lost):
        there = await look(session, key)
        below = await under_file(session, response) if there.status == 404 else None
    if there.status == 404:
        return below or _gone(session, response, error, replaces=replaces)
    if there.status != 200 and response.code != NO_OVERWRITE:
        return error
    if is_directory(there.headers):
        return a_folder(key, error)
    if replaces and response.status == 412:
        unknown = response.lost and (ours is None or ours(there))
        return replaced(session, response, unknown=unknown)
    if not exclusive:
        return error
    unknown = response.lost and (there.status != 200 or ours is None or ours(there))
    return already_exists(session, response, unknown=unknown)


def _gone(
    session: Session, response: Response, error: RemoteStoreError, *, replaces: bool
) -> RemoteStoreError:
    """Return the error for a refusal whose reason has gone."""
    if replaces:
        return replaced(session, response, unknown=response.lost)
    if response.status != 404 and type(error) is not RemoteStoreError:
        return error  # its code says what was in the way
    key = response.path or ""
    written = "it may have been written all the same" if response.lost else "nothing was written"
    msg = f"Something in the way went while this was written, {written}: {key}"
    return error_as(session, response, PreconditionFailed, msg, key, outcome_unknown=response.lost)


async def below_file(session: Session, key: str) -> RemoteStoreError | None:
    """Return the error for a file that stands where *key* needs a folder, None without one."""
    above = await _file_above(session, key)
    return None if above is None else ancestor_is_file(key, NAME, above)


async def under_file(session: Session, response: Response) -> RemoteStoreError | None:
    """
    Return the error for a file that stands where the path of an answer needs a folder.

    Args:
        session: Of the container.
        response: The refusal to make a file.

    Returns:
        None if there is none.
    """
    key = response.path or ""
    above = await _file_above(session, key)
    if above is None:
        return None
    return with_details(session, response, ancestor_is_file(key, NAME, above))


async def _file_above(session: Session, key: str) -> str | None:
    """Return the file that stands where *key* needs a folder."""
    above = key.rpartition("/")[0]
    while above:
        there = await look(session, above, key)
        if there.status != 404:
            is_file = there.status == 200 and not is_directory(there.headers)
            return above if is_file else None
        above = above.rpartition("/")[0]
    return None
