"""What a refusal means, by its code and by what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from remote_store import AlreadyExists, PermissionDenied, RemoteStoreError
from remote_store.authoring import other_version
from remote_store_azure._blob.probe import look
from remote_store_azure._keys import NAME
from remote_store_azure._rest.errors import NO_OVERWRITE, NO_STORAGE, OTHER_TYPE, UNVERIFIED
from remote_store_objects.authoring import in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = [
    "already_exists",
    "archived",
    "at_source",
    "error_as",
    "is_condition",
    "is_taken",
    "other_type",
    "refusal",
    "replaced",
    "unreachable",
    "with_details",
]

_TYPES: Final = {"AppendBlob": "an append blob", "PageBlob": "a page blob"}
#: Codes with which a blob in the way refuses `If-None-Match: *`.
_TAKEN: Final = {
    "",
    "BlobAlreadyExists",
    "ConditionNotMet",
    "PathAlreadyExists",
    "TargetConditionNotMet",
}


def is_condition(response: Response) -> bool:
    """Return True for a 412 that is about what we asked for, not about a lease."""
    return response.code in (
        "",
        "ConditionNotMet",
        "SourceConditionNotMet",
        "TargetConditionNotMet",
    )


def error_as(
    session: Session,
    response: Response,
    cls: type[RemoteStoreError],
    message: str,
    key: str,
    **fields: Any,
) -> RemoteStoreError:
    """Return an error of another class than the table's, with all that the response says."""
    return with_details(session, response, cls(message, path=key, backend=NAME, **fields))


def with_details(session: Session, response: Response, error: RemoteStoreError) -> RemoteStoreError:
    """Return an error of ours with all that a response says."""
    native = session.error(response)
    error.status, error.code, error.request_id = native.status, native.code, native.request_id
    error.__cause__ = native.__cause__
    return error


def at_source(response: Response, src: str) -> Response:
    """Return *response* to a copy as one about its source, if that is what was refused."""
    return evolve(response, path=src) if response.code == UNVERIFIED else response


def is_taken(response: Response) -> bool:
    """Return True for the refusal to create a blob because there is one."""
    return response.code == NO_OVERWRITE if response.status == 403 else response.code in _TAKEN


def already_exists(session: Session, response: Response, *, unknown: bool) -> RemoteStoreError:
    """
    Return the error for a file in the way.

    Args:
        session: Of the container.
        response: The refusal.
        unknown: The file may be what an attempt of this operation made which
            got no answer.
    """
    msg = f"Already exists: {response.path}"
    if unknown:
        msg += " (an attempt to write it got no answer: it may be this write's own)"
    key = response.path or ""
    return error_as(session, response, AlreadyExists, msg, key, outcome_unknown=unknown)


def replaced(session: Session, response: Response, *, unknown: bool) -> RemoteStoreError:
    """
    Return the error for a file that is not the version which was to be replaced.

    Args:
        session: Of the container.
        response: The refusal.
        unknown: The file may be what an attempt of this operation made.
    """
    key = response.path or ""
    error = other_version(key, NAME, outcome_unknown=unknown)
    if unknown:
        error.args = (
            f"{error.args[0]} (an attempt to write it got no answer: it may be this write's own)",
        )
    return with_details(session, response, error)


async def refusal(session: Session, response: Response) -> RemoteStoreError:
    """Return the error for a refusal to make a blob that is about something else in the way."""
    if response.code == OTHER_TYPE:
        return await other_type(session, response)
    return session.error(response)


async def archived(
    session: Session, response: Response, src: str, origin: Session
) -> RemoteStoreError:
    """
    Return the error for a copy that met a file in the archive tier.

    Args:
        session: Of the container.
        response: The refusal; its path is the destination.
        src: Key of the source, which the error names unless it is the destination that is there.
        origin: Of the source's container.
    """
    with in_doubt(response.lost):
        found = await look(origin, src)
    online = found.status == 200 and found.headers.get("x-ms-access-tier", "") != "Archive"
    return session.error(response if online else evolve(response, path=src))


async def unreachable(
    session: Session, response: Response, src: str, origin: Session
) -> RemoteStoreError:
    """
    Return the error for a copy from another container whose source the service does not find.

    Args:
        session: Of the container.
        response: The refusal, a 404; its path is the destination.
        src: Key of the source.
        origin: Of the source's container.
    """
    if response.code in NO_STORAGE:
        return session.error(response)
    if response.code == UNVERIFIED:  # also where it may not read it
        with in_doubt(response.lost):
            found = await look(origin, src)
        if found.status != 404:
            msg = f"The service may not read the source of a copy, which is there: {src}"
            unknown = response.lost
            return error_as(session, response, PermissionDenied, msg, src, outcome_unknown=unknown)
    return session.error(evolve(response, path=src))


async def other_type(session: Session, response: Response) -> RemoteStoreError:
    """Return the error for a blob whose type refuses a request; it is at the path of *response*."""
    with in_doubt(response.lost):
        found = await look(session, response.path or "")
    kind = _TYPES.get(found.headers.get("x-ms-blob-type", ""), "a blob of another type")
    msg = (
        f"The file is {kind}, which the service does not let this request replace; delete it "
        f"first: {response.path} ({response.status} {response.code})"
    )
    return session.error(response, msg)
