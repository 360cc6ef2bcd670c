"""Moving and copying a file of a hierarchical account, in the version that was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from remote_store import PreconditionFailed, RemoteStoreError
from remote_store.authoring import other_version
from remote_store_azure._blob.copy import complete
from remote_store_azure._blob.headers import blob_info
from remote_store_azure._blob.refusals import archived, at_source, error_as, unreachable
from remote_store_azure._datalake.probe import TRIES, file_at, refused, under_file
from remote_store_azure._datalake.rename import rename
from remote_store_azure._keys import NAME
from remote_store_azure._rest.errors import ARCHIVED, NO_OVERWRITE
from remote_store_azure._rest.operations import COPY
from remote_store_objects.authoring import in_doubt, likeness

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["copy", "move"]


def _refuse_other(session: Session, src: str, version: Response, if_match: str | None) -> None:
    if if_match is not None and session.etag(version) != if_match:
        raise other_version(src, NAME)


async def move(
    session: Session, src: str, dst: str, *, exclusive: bool, if_match: str | None = None
) -> None:
    """
    Rename a file, whatever version it is or that of *if_match*, in quotes.

    Raises:
        NotFound: There is no file at *src*.
        InvalidPath: One of the keys is a folder, or *dst* lies under a file.
        AlreadyExists: *exclusive*, and there is a file at *dst*.
        PreconditionFailed: It is another version than *if_match*, or was
            replaced meanwhile.
    """
    version = await file_at(session, src)
    _refuse_other(session, src, version, if_match)
    if src != dst:
        await rename(session, src, dst, etag=session.etag(version), exclusive=exclusive)


async def copy(
    session: Session,
    src: str,
    dst: str,
    *,
    exclusive: bool,
    if_match: str | None = None,
    origin: Session | None = None,
) -> None:
    """
    Let the service copy a file, and wait until that is complete; *if_match* as in `move`.

    Args:
        session: Of the container that is copied to.
        src: Key of the file.
        dst: Key of its copy.
        exclusive: Leave a file at *dst* as it is.
        if_match: Version of the file.
        origin: Of the container that it is in, if that is another one of the account.

    Raises:
        NotFound, InvalidPath, AlreadyExists: As `move`.
        PreconditionFailed: The source was replaced again and again, or *dst*
            before the copy was complete.
    """
    origin = origin or session
    for left in reversed(range(TRIES)):
        version = await file_at(origin, src)
        _refuse_other(origin, src, version, if_match)
        if src == dst and origin.container == session.container:
            return
        source = {
            "x-ms-copy-source": origin.source_url(src),
            "x-ms-source-if-match": origin.etag(version),
        }
        response = await _copy(session, source, dst, exclusive=exclusive)
        if response.status in (201, 202):
            await complete(session, dst, response)
            return
        if response.status == 404:
            raise await _nothing_copied(session, src, response, origin)
        if response.code in ARCHIVED:
            raise await archived(session, response, src, origin)
        if response.code != "SourceConditionNotMet" or response.lost or not left:
            raise await _not_copied(session, src, response, version, exclusive=exclusive)


async def _copy(
    session: Session, headers: dict[str, str], dst: str, *, exclusive: bool
) -> Response:
    if exclusive:
        headers["If-None-Match"] = "*"
    return await session.send(
        COPY, session.url(dst), path=dst, headers=headers, accept=(201, 202, 403, 404, 409, 412)
    )


async def _nothing_copied(
    session: Session, src: str, response: Response, origin: Session
) -> RemoteStoreError:
    """Return the error for a missing source, or for a target below a file: one code means both."""
    if response.code == "BlobNotFound":
        with in_doubt(response.lost):
            below = await under_file(session, response)
        if below is not None:
            return below
    if origin is not session:
        return await unreachable(session, response, src, origin)
    return session.error(evolve(response, path=src))


async def _not_copied(
    session: Session, src: str, response: Response, version: Response, *, exclusive: bool
) -> RemoteStoreError:
    if response.code == "SourceConditionNotMet":
        msg = f"The source of a copy was changed by somebody else meanwhile: {src}"
        return error_as(
            session, response, PreconditionFailed, msg, src, outcome_unknown=response.lost
        )
    if response.status == 403 and not (exclusive and response.code == NO_OVERWRITE):
        return session.error(at_source(response, src))
    return await refused(
        session,
        response,
        exclusive=exclusive,
        ours=lambda there: (
            likeness(blob_info(src, there.headers)) == likeness(blob_info(src, version.headers))
        ),
    )
