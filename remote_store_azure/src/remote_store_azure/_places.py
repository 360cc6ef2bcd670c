"""
What is at a key of a hierarchical account, and what stands in the way of a file.

Each key is a file, a folder or nothing, and one request tells which. Why the
service refused to make a file is asked for afterwards: the code of its answer
does not tell a folder from a file, or a file above from one at the key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from remote_store import AlreadyExists, InvalidPath, PreconditionFailed, RemoteStoreError
from remote_store.authoring import ancestor_is_file, is_a_file
from remote_store_azure._doubt import in_doubt
from remote_store_azure._errors import NO_OVERWRITE
from remote_store_azure._headers import is_directory
from remote_store_azure._kinds import a_folder, head, look
from remote_store_azure._moves import told, typed
from remote_store_azure._names import NAME

if TYPE_CHECKING:
    from remote_store_azure._wire import Answer, Wire

__all__ = [
    "file_at",
    "folder_at",
    "loses_dots",
    "refuse_dots",
    "refuse_existing",
    "refused",
    "under_file",
]


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


async def _existing(wire: Wire, key: str) -> Answer:
    """
    Return the headers of what is at *key*.

    Raises:
        NotFound: There is nothing.
    """
    answer = await head(wire, key)
    if answer.status == 404:
        raise wire.error(answer)
    return answer


async def file_at(wire: Wire, key: str) -> Answer:
    """
    Return the headers of the file at *key*.

    Raises:
        NotFound: There is nothing.
        InvalidPath: It is a folder.
    """
    answer = await _existing(wire, key)
    if is_directory(answer.headers):
        raise a_folder(key)
    return answer


async def folder_at(wire: Wire, key: str) -> Answer:
    """
    Return the headers of the folder at *key*.

    Raises:
        NotFound: There is nothing.
        InvalidPath: It is a file.
    """
    answer = await _existing(wire, key)
    if not is_directory(answer.headers):
        raise is_a_file(key, NAME)
    return answer


async def refuse_existing(wire: Wire, key: str) -> None:
    """
    Refuse a key that is taken, to spare the transfer of content for nothing.

    Raises:
        AlreadyExists: By a file.
        InvalidPath: By a folder.
    """
    there = await look(wire, key)
    if there.status != 200:
        return
    if is_directory(there.headers):
        raise a_folder(key)
    msg = f"Already exists: {key}"
    raise AlreadyExists(msg, path=key, backend=NAME)


async def refused(
    wire: Wire,
    answer: Answer,
    *,
    exclusive: bool,
    ours: Callable[[Answer], bool] | None = None,
) -> RemoteStoreError:
    """
    Return why the service would not make a file.

    Args:
        wire: The container.
        answer: With status 409 or 412, or 404 though it creates, or the code
            for who may not overwrite; its path is the key.
        exclusive: It was asked for only where nothing is.
        ours: Tells whether the file there may be what this request made in an
            attempt that got no answer.
    """
    error = wire.error(answer)
    key = answer.path or ""
    if "Lease" in answer.code or (answer.status == 412 and not exclusive):
        return error
    with in_doubt(answer.lost):
        there = await look(wire, key)
        below = await under_file(wire, answer) if there.status == 404 else None
    if there.status == 404 and answer.status == 404 and below is None:
        msg = "Something in the way went while this was written, and nothing was written"
        return typed(wire, answer, PreconditionFailed, msg, key)
    if there.status == 404:
        return below or error  # whatever it was, it has gone
    if there.status != 200 and answer.code != NO_OVERWRITE:
        return error
    if is_directory(there.headers):
        return a_folder(key, error)
    if not exclusive:
        return error
    unknown = answer.lost and (there.status != 200 or ours is None or ours(there))
    msg = f"Already exists: {key}"
    if unknown:
        msg += " (an attempt to write it got no answer: it may be this one's own)"
    return typed(wire, answer, AlreadyExists, msg, key, outcome_unknown=unknown)


async def under_file(wire: Wire, answer: Answer) -> RemoteStoreError | None:
    """
    Return the error for a file that stands where the path of an answer needs a folder.

    Args:
        wire: The container.
        answer: The refusal to make a file.

    Returns:
        None if there is no such file.
    """
    key = answer.path or ""
    above = await _file_above(wire, key)
    if above is None:
        return None
    return told(wire, answer, ancestor_is_file(key, NAME, above))


async def _file_above(wire: Wire, key: str) -> str | None:
    """Return the file that stands where *key* needs a folder."""
    above = key.rpartition("/")[0]
    while above:
        there = await look(wire, above, key)
        if there.status != 404:
            is_file = there.status == 200 and not is_directory(there.headers)
            return above if is_file else None
        above = above.rpartition("/")[0]
    return None
