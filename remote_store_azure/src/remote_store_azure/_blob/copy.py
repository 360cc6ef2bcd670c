"""Copying a blob by the service, which takes its time where it has to fetch the content."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import evolve

from remote_store import (
    AlreadyExists,
    CapabilityNotSupported,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_azure._blob.headers import deletion, written
from remote_store_azure._blob.probe import head, look
from remote_store_azure._blob.refusals import (
    archived,
    at_source,
    error_as,
    is_condition,
    other_type,
    unreachable,
)
from remote_store_azure._keys import NAME
from remote_store_azure._rest.errors import ARCHIVED, NO_OVERWRITE, OTHER_TYPE
from remote_store_azure._rest.operations import COPY, DELETE_BLOB
from remote_store_objects import TargetReplaced, Written
from remote_store_objects.authoring import Progress, in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["complete", "copy"]

#: Seconds between two looks at a copy that the service has not finished.
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 5.0


async def copy(
    http: Session,
    source: str,
    target: str,
    *,
    if_match: str | None,
    if_absent: bool,
    origin: Session,
) -> Written:
    """
    Copy a blob; see `ObjectService.copy`. The source is in the container of *origin*.

    Within an account the source needs no authorization but that of the request,
    unless that is a SAS, which both URLs have (see "Copy Blob" in the REST reference).

    Raises:
        CapabilityNotSupported: Only blocks are at *target* that a client staged
            and never committed: no file, but enough to refuse the copy.
        TargetReplaced: Another client replaced or removed *target* before the
            copy was complete.
    """
    headers = {"x-ms-copy-source": origin.source_url(source)}
    if if_match is not None:
        headers["x-ms-source-if-match"] = f'"{if_match}"'
    if if_absent:
        headers["If-None-Match"] = "*"
    response = await http.send(
        COPY,
        http.url(target),
        path=target,
        headers=headers,
        accept=(201, 202, 403, 404, 409, 412),
    )
    if response.status in (201, 202):
        return written((await complete(http, target, response)).headers, md5=False)
    raise await _refusal(
        http, response, source, if_match=if_match, if_absent=if_absent, origin=origin
    )


async def _refusal(
    http: Session,
    response: Response,
    source: str,
    *,
    if_match: str | None,
    if_absent: bool,
    origin: Session,
) -> RemoteStoreError:
    target, lost = response.path or "", response.lost
    if response.status == 404 and origin is not http:
        return await unreachable(http, response, source, origin)
    if response.status == 404:
        return http.error(evolve(response, path=source))
    if response.code in ARCHIVED:
        return await archived(http, response, source, origin)
    if response.code == OTHER_TYPE:
        return await other_type(http, response)
    if response.status == 412:
        if not is_condition(response):
            return http.error(response)
        if await _source_changed(origin, response, source, if_match):
            msg = "The source was changed by somebody else"
            return error_as(http, response, PreconditionFailed, msg, source, outcome_unknown=lost)
    elif response.code not in (NO_OVERWRITE, "BlobAlreadyExists") and (
        response.code or response.status == 403
    ):
        return http.error(at_source(response, source))
    if not if_absent:
        return http.error(response)
    if lost:  # it may be this copy's own, which is not for a single request to say
        msg = f"There is a blob already: {target}"
        return error_as(http, response, PreconditionFailed, msg, target, outcome_unknown=True)
    if (await look(http, target)).status == 404:
        msg = "Blocks that were never committed are in the way of a copy by the service"
        return CapabilityNotSupported(msg, path=target, capability="copy")
    return error_as(http, response, AlreadyExists, f"Already exists: {target}", target)


async def _source_changed(
    origin: Session, response: Response, source: str, if_match: str | None
) -> bool:
    """Return True if the condition on the source surely failed, not that on the target."""
    if response.code != "ConditionNotMet" or response.lost or if_match is None:
        return response.code == "SourceConditionNotMet"
    return (await head(origin, source)).headers.get("ETag") != f'"{if_match}"'


async def complete(http: Session, dst: str, response: Response) -> Response:
    """
    Wait until the service says that a copy is complete.

    Args:
        http: Of the container.
        dst: Key of the destination.
        response: The answer to the request that began the copy.

    Returns:
        The answer that says so.

    Raises:
        TargetReplaced: Another client replaced or removed *dst* meanwhile.
        RemoteStoreError: The service gave up, or says nothing of it any more.
        BackendUnavailable: It copies no further for as long as the policy's
            ``timeout``, or an hour; with ``outcome_unknown``.
    """
    copy_id = response.headers.get("x-ms-copy-id")
    wait = _FIRST_WAIT
    copied = ""
    progress = Progress(http, dst, f"The service's copy to {dst}")
    while (status := response.headers.get("x-ms-copy-status")) == "pending":
        so_far, copied = copied, response.headers.get("x-ms-copy-progress", "")
        with in_doubt(True):  # the service may complete it all the same
            progress.step(moved=copied != so_far)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
        with in_doubt(True):
            response = await head(http, dst)
        if response.status == 404 or response.headers.get("x-ms-copy-id") != copy_id:
            msg = (
                "The destination was replaced or removed by somebody else before the copy "
                f"was complete: {dst}"
            )
            raise TargetReplaced(msg, path=dst, backend=NAME)
    if status not in ("success", "failed", "aborted"):
        msg = f"The service does not tell what became of the copy to {dst}: {status}"
        raise http.error(response, msg, outcome_unknown=True)
    if status != "success":
        await _remove_rest(http, dst, response)
        reason = response.headers.get("x-ms-copy-status-description") or status
        msg = f"The service did not complete the copy to {dst}: {reason}"
        raise RemoteStoreError(msg, path=dst, backend=NAME, code=status)
    return response


async def _remove_rest(http: Session, dst: str, response: Response) -> None:
    """Remove the empty blob that a failed copy leaves, unless another client has replaced it."""
    etag = response.headers.get("ETag")
    if etag is not None:
        response = await http.send(
            DELETE_BLOB,
            http.url(dst),
            path=dst,
            headers=deletion(False, etag.strip('"')),
            accept=(202, 404, 412),
        )
        if response.status == 412 and not is_condition(response):
            msg = f"Cannot remove the empty file that a copy left which the service gave up: {dst}"
            raise http.error(response, msg)
