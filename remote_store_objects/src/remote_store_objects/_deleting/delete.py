"""Deleting one object, or one version of it."""

from __future__ import annotations

from remote_store import NotFound, PreconditionFailed, RemoteStoreError
from remote_store.authoring import other_version
from remote_store_objects._protocol.description import Condition
from remote_store_objects._protocol.values import StorageNotFound
from remote_store_objects._reading.probe import absent, head, refuse_impossible
from remote_store_objects._session.outcome import in_doubt, like
from remote_store_objects._session.session import Session

__all__ = ["delete", "delete_version", "refused_as_missing"]


async def delete(
    session: Session, key: str, *, missing_ok: bool, if_match: str | None = None
) -> None:
    """
    Delete a file.

    After an attempt that got no answer, nothing is what that attempt left.

    Args:
        session: To ask.
        key: Of the file.
        missing_ok: Do nothing where nothing is.
        if_match: Only this version; the service decides it.

    Raises:
        NotFound: There is nothing, and *missing_ok* is False.
        InvalidPath: It is a folder.
        PreconditionFailed: It is another version than *if_match*; it stays.
    """
    try:
        if session.description.delete_tells or if_match is not None:
            refuse_impossible(session, key)
        else:
            await head(session, key)
        await _delete(session, key, if_match)
    except NotFound as refusal:
        error = await refused_as_missing(session, key, refusal, missing_ok=missing_ok)
        if error is not None:
            raise error from error.__cause__


async def refused_as_missing(
    session: Session, key: str, refusal: NotFound, *, missing_ok: bool
) -> RemoteStoreError | None:
    """
    Return what to raise for a deletion that found nothing, None if it is as wished.

    Args:
        session: To ask.
        key: Of the file.
        refusal: The service's; after an attempt that got no answer, nothing is
            what that attempt left.
        missing_ok: A missing file is no error.
    """
    if refusal.outcome_unknown:
        return None
    error = await absent(session, key, refusal)
    # Also where there is no bucket.
    return None if missing_ok and isinstance(error, NotFound) else error


async def _delete(session: Session, key: str, if_match: str | None) -> None:
    if if_match is None:
        await session.change(key, session.service.delete, key)
        return
    try:
        await session.change(key, session.service.delete, key, if_match=if_match)
    except PreconditionFailed as refusal:
        error = refusal
    else:
        return
    with in_doubt(error.outcome_unknown):
        await head(session, key)  # which raises where nothing is, as some services say it
    unknown = error.outcome_unknown
    raise like(other_version(key, session.name, outcome_unknown=unknown), error)


async def delete_version(session: Session, key: str, etag: str | None) -> bool:
    """
    Delete an object if it is still one version; return False if it is not.

    Without a condition of the service's it is looked at right before.

    Args:
        session: To ask.
        key: Of the object.
        etag: The version; None for whichever there is.
    """
    description = session.description
    conditional = description.etags and Condition.DELETE_IF_MATCH in description.conditions
    try:
        if etag is None:
            await session.change(key, session.service.delete, key)
        elif conditional:
            await session.change(key, session.service.delete, key, if_match=etag)
        else:
            if description.etags and (await head(session, key)).etag != etag:
                return False
            await session.change(key, session.service.delete, key)
    except NotFound as refusal:
        return refusal.outcome_unknown and not isinstance(refusal, StorageNotFound)
    except PreconditionFailed as refusal:
        if not refusal.outcome_unknown:
            return False
        with in_doubt(True):
            try:
                await head(session, key)
            except NotFound:
                return True  # an attempt that got no answer has removed it
        return False
    return True
