"""
What is at a key: a file, a folder, or nothing.

A folder is there as long as an object's key begins with its key and a slash.
Most operations need not know; they ask here when the service has found no
object, to tell a folder from nothing.
"""

from __future__ import annotations

from remote_store import NotFound, RemoteStoreError
from remote_store.authoring import ancestor_is_file, is_a_folder, not_found
from remote_store_objects._keys import prefix_of, too_long
from remote_store_objects._protocol.values import ObjectInfo, StorageNotFound
from remote_store_objects._reading.pages import ask_page
from remote_store_objects._session.outcome import like
from remote_store_objects._session.progress import Progress
from remote_store_objects._session.session import Session

__all__ = [
    "absent",
    "below",
    "find",
    "head",
    "is_folder",
    "look_at_storage",
    "refuse_folder",
    "refuse_impossible",
    "refuse_target",
    "source",
    "storage_exists",
]


def refuse_impossible(session: Session, key: str) -> None:
    """
    Spare the request for a key that no object can have.

    Raises:
        NotFound: It is too long.
    """
    if too_long(key, session.description):
        raise not_found(key, session.name)


async def head(session: Session, key: str) -> ObjectInfo:
    """
    Return what the service tells of an object.

    Raises:
        NotFound: There is none; a folder may be there.
    """
    refuse_impossible(session, key)
    return await session.ask(key, session.service.head, key)


async def find(session: Session, key: str) -> ObjectInfo | None:
    """Return what the service tells of an object, None where there is none."""
    try:
        return await head(session, key)
    except NotFound:
        return None


async def source(session: Session, key: str) -> ObjectInfo:
    """
    Return what the service tells of a file.

    Raises:
        NotFound: There is none.
        InvalidPath: It is a folder.
    """
    try:
        info = await head(session, key)
    except NotFound as error:
        made = await absent(session, key, error)
        raise made from made.__cause__
    refuse_folder(session, key, info)
    return info


async def look_at_storage(session: Session) -> None:
    """
    Ask for the bucket by a listing, since credentials may allow no more.

    Raises:
        StorageNotFound: It is absent.
        PermissionDenied, BackendUnavailable: It cannot be told.
    """
    await session.ask("", session.service.list_page, "", limit=1)


async def storage_exists(session: Session) -> bool:
    """Return whether the bucket is there; raises what does not tell."""
    try:
        await look_at_storage(session)
    except StorageNotFound:
        return False
    return True


async def is_folder(session: Session, key: str) -> bool:
    """Return True if there are objects below *key*; False if the bucket is absent."""
    try:
        return bool(await below(session, key, 1))
    except StorageNotFound:
        return False


async def below(session: Session, key: str, count: int) -> list[ObjectInfo]:
    """
    Return the first objects below *key*, at most *count*.

    Raises:
        StorageNotFound: The bucket is absent.
    """
    prefix = prefix_of(key)
    if too_long(prefix, session.description):
        return []
    found: list[ObjectInfo] = []
    token = ""
    progress: Progress | None = None  # nearly always one page tells
    while True:
        left = count - len(found)
        page = await ask_page(session, key, prefix, token=token, limit=left)
        found += page.objects
        # The service may answer with an empty page that is not the last one.
        if len(found) >= count or not page.token:
            return found
        token = page.token
        progress = progress or Progress(session, key, f"The service's listing of {key!r}")
        progress.step(token, first=page.first, moved=bool(page.objects))


async def absent(session: Session, key: str, error: NotFound) -> RemoteStoreError:
    """
    Return what to raise where there is no object.

    Args:
        session: To ask.
        key: Where no object was found.
        error: The service's answer.
    """
    if isinstance(error, StorageNotFound):
        return error
    try:
        folder = not session.description.real_folders and bool(await below(session, key, 1))
    except StorageNotFound as missing:
        return missing
    unknown = error.outcome_unknown
    if folder:
        return like(is_a_folder(key, session.name, outcome_unknown=unknown), error)
    return like(not_found(key, session.name, outcome_unknown=unknown), error)


def refuse_folder(session: Session, key: str, info: ObjectInfo) -> None:
    """
    Refuse an object that stands for a folder.

    Raises:
        InvalidPath: It does.
    """
    if info.is_folder:
        raise is_a_folder(key, session.name)


async def refuse_target(session: Session, key: str) -> None:
    """
    Refuse a key at which a hierarchical storage could hold no file.

    One request for each folder above, and one for the key itself.

    Raises:
        InvalidPath: There is a file above *key*, or a folder at it.
    """
    names = key.split("/")
    for count in range(1, len(names)):
        above = "/".join(names[:count])
        info = await find(session, above)
        if info is not None and not info.is_folder:
            raise ancestor_is_file(key, session.name, above)
    if await is_folder(session, key):
        raise is_a_folder(key, session.name)
