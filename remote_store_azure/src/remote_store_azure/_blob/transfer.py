"""
Copying and moving on a flat account.

The service copies; a condition on the destination decides an exclusive copy,
and one on the source holds a move to the version that it removes afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from remote_store import PreconditionFailed, RemoteStoreError
from remote_store_azure._blob.headers import deletion, kept_headers, metadata_of
from remote_store_azure._blob.probe import absent, head, look, refuse_folder
from remote_store_azure._blob.read import BlobReader
from remote_store_azure._blob.refusals import (
    already_exists,
    archived,
    at_source,
    error_as,
    is_condition,
    other_type,
)
from remote_store_azure._blob.write import upload
from remote_store_azure._keys import NAME
from remote_store_azure._rest.errors import ARCHIVED, NO_OVERWRITE, OTHER_TYPE
from remote_store_azure._rest.operations import COPY, DELETE_BLOB
from remote_store_objects.authoring import Progress, in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["complete", "copy", "likeness", "move", "source"]

#: Seconds between two looks at a copy that the service has not finished.
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 5.0


async def source(session: Session, key: str) -> Response:
    """
    Return the headers of the file that is to be copied or moved.

    Raises:
        NotFound: There is none.
        InvalidPath: It is a folder.
    """
    response = await head(session, key)
    if response.status == 404:
        raise await absent(session, key, session.error(response))
    refuse_folder(key, response.headers)
    return response


async def copy(session: Session, src: str, dst: str, *, overwrite: bool) -> None:
    """
    Copy whatever version of *src* there is.

    Raises:
        NotFound, InvalidPath: See `source`.
        AlreadyExists: *overwrite* is False and there is a blob at *dst*; with
            ``outcome_unknown`` if that may be what this copy itself has made.
        PreconditionFailed: Another client replaced or removed *dst* before the
            copy was complete.
    """
    await _Copy(session, src, dst, overwrite=overwrite).run()


async def move(
    session: Session,
    src: str,
    dst: str,
    version: Response,
    *,
    overwrite: bool,
    snapshots: bool = False,
) -> None:
    """
    Copy one version of *src*, and remove that version once the copy is complete.

    Args:
        session: Of the container.
        src: Key of the source.
        dst: Key of the destination.
        version: What `source` returned.
        overwrite: Replace a file at *dst*.
        snapshots: Remove the source with its snapshots, which are not copied.

    Raises:
        NotFound, InvalidPath, AlreadyExists: As `copy`.
        PreconditionFailed: As `copy`; and if the source was changed or
            removed meanwhile: then nothing more of it is removed, and the
            copy may be there already (the message says so).
        RemoteStoreError: By the table of errors. Where the source could not
            be removed, the message says that the copy is there, and
            ``outcome_unknown`` is True: the move has had an effect.
    """
    etag = session.etag(version)
    await _Copy(session, src, dst, overwrite=overwrite, etag=etag).run()
    try:
        # Whatever becomes of the source: of the move as a whole something is done.
        with in_doubt(True):
            await _remove(session, src, deletion(snapshots, etag))
    except RemoteStoreError as error:
        error.args = (f"{error.args[0]}; the copy at {dst!r} is complete and stays",)
        raise


async def _remove(session: Session, src: str, headers: Mapping[str, str]) -> None:
    """Remove the version of a source that was copied."""
    response = await session.send(
        DELETE_BLOB, session.url(src), path=src, headers=headers, accept=(202, 404, 412)
    )
    if response.status == 202:
        return
    if response.status == 412 and not is_condition(response):
        raise session.error(response, f"Cannot remove the source of a move: {src}")
    if response.lost:
        with in_doubt(True):
            if response.status == 404 or (await head(session, src)).status == 404:
                return  # an attempt that got no answer has removed it
    msg = "The source of a move was changed or removed by somebody else"
    raise error_as(session, response, PreconditionFailed, msg, src, outcome_unknown=response.lost)


@frozen
class _Copy:
    """
    One copy.

    Args:
        session: Of the container.
        src: Key of the source.
        dst: Key of the destination.
        overwrite: Replace a blob at *dst*.
        etag: Version of the source, in quotes; None for whichever there is.
    """

    session: Session
    src: str
    dst: str
    overwrite: bool = field(kw_only=True)
    etag: str | None = field(default=None, kw_only=True)

    async def run(self) -> None:
        """Start it, and return when it is complete."""
        headers = {"x-ms-copy-source": self.session.source_url(self.src)}
        if self.etag is not None:
            headers["x-ms-source-if-match"] = self.etag
        if not self.overwrite:
            headers["If-None-Match"] = "*"
        response = await self.session.send(
            COPY,
            self.session.url(self.dst),
            path=self.dst,
            headers=headers,
            accept=(201, 202, 403, 404, 409, 412),
        )
        if response.status in (201, 202):
            await complete(self.session, self.dst, response)
        else:
            await self._refused(response)

    async def _refused(self, response: Response) -> None:
        """Raise what an answer means; or copy by hand, where nothing is in the way."""
        if response.status == 404:
            error = self.session.error(evolve(response, path=self.src))
            with in_doubt(response.lost):
                error = await absent(self.session, self.src, error)
            raise error
        if response.code in ARCHIVED:
            raise await archived(self.session, response, self.src)
        if response.code == OTHER_TYPE:
            raise await other_type(self.session, response)
        if response.status == 412:
            if not is_condition(response):
                raise self.session.error(response)
            if self.etag is not None and await self._source_changed(response):
                msg = "The source of a move was changed by somebody else; it stays"
                raise error_as(
                    self.session,
                    response,
                    PreconditionFailed,
                    msg,
                    self.src,
                    outcome_unknown=response.lost,
                )
        elif response.code not in (NO_OVERWRITE, "BlobAlreadyExists") and (
            response.code or response.status == 403
        ):
            raise self.session.error(at_source(response, self.src))
        if self.overwrite:
            raise self.session.error(response)
        with in_doubt(response.lost):
            there = await look(self.session, self.dst)
        if there.status == 404:
            # Only blocks are there that a client staged and never committed:
            # no file, but enough for the service to refuse the copy.
            await self._by_hand()
            return
        with in_doubt(response.lost):
            unknown = response.lost and (there.status != 200 or await self._may_be_ours(there))
        raise already_exists(self.session, response, unknown=unknown)

    async def _source_changed(self, response: Response) -> bool:
        """Return True if a condition on the source failed, not one on the destination."""
        if response.code != "ConditionNotMet":
            return response.code == "SourceConditionNotMet"
        with in_doubt(response.lost):
            now = await head(self.session, self.src)
        return now.headers.get("ETag") != self.etag

    async def _may_be_ours(self, there: Response) -> bool:
        ours = await head(self.session, self.src)
        return ours.status == 404 or likeness(ours.headers) == likeness(there.headers)

    async def _by_hand(self) -> None:
        """Read the source and write it, which passes by uncommitted blocks."""
        version = await source(self.session, self.src)
        etag = self.etag or version.headers.get("ETag")

        def check(headers: Mapping[str, str]) -> None:
            if headers.get("ETag") != etag:
                msg = "The source was changed by somebody else; it stays"
                raise PreconditionFailed(msg, path=self.src, backend=NAME)

        content = BlobReader(self.session, self.src, check=check)
        async with aclosing(content):
            await upload(
                self.session,
                self.dst,
                content,
                exclusive=True,
                metadata=metadata_of(version.headers),
                kept=kept_headers(version.headers),
            )


async def complete(session: Session, dst: str, response: Response) -> None:
    """
    Wait until the service says that a copy is complete.

    Args:
        session: Of the container.
        dst: Key of the destination.
        response: The answer to the request that began the copy.

    Raises:
        PreconditionFailed: Another client replaced or removed *dst* meanwhile.
        RemoteStoreError: The service gave up, or says nothing of it any more.
        BackendUnavailable: It copies no further for as long as the policy's
            ``timeout``, or an hour; with ``outcome_unknown``.
    """
    copy_id = response.headers.get("x-ms-copy-id")
    wait = _FIRST_WAIT
    copied = ""
    progress = Progress(session, dst, f"The service's copy to {dst}")
    while (status := response.headers.get("x-ms-copy-status")) == "pending":
        so_far, copied = copied, response.headers.get("x-ms-copy-progress", "")
        with in_doubt(True):  # the service may complete it all the same
            progress.step(moved=copied != so_far)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
        with in_doubt(True):
            response = await head(session, dst)
        if response.status == 404 or response.headers.get("x-ms-copy-id") != copy_id:
            msg = (
                "The destination was replaced or removed by somebody else before the copy "
                f"was complete: {dst}"
            )
            raise PreconditionFailed(msg, path=dst, backend=NAME)
    if status not in ("success", "failed", "aborted"):
        msg = f"The service does not tell what became of the copy to {dst}: {status}"
        raise session.error(response, msg, outcome_unknown=True)
    if status != "success":
        await _remove_rest(session, dst, response)
        reason = response.headers.get("x-ms-copy-status-description") or status
        msg = f"The service did not complete the copy to {dst}: {reason}"
        raise RemoteStoreError(msg, path=dst, backend=NAME, code=status)


async def _remove_rest(session: Session, dst: str, response: Response) -> None:
    """Remove the empty blob that a failed copy leaves, unless another client has replaced it."""
    etag = response.headers.get("ETag")
    if etag is not None:
        response = await session.send(
            DELETE_BLOB,
            session.url(dst),
            path=dst,
            headers={"If-Match": etag},
            accept=(202, 404, 412),
        )
        if response.status == 412 and not is_condition(response):
            msg = f"Cannot remove the empty file that a copy left which the service gave up: {dst}"
            raise session.error(response, msg)


def likeness(headers: Mapping[str, str]) -> tuple[object, ...]:
    """Return what a blob and a copy of it have in common."""
    metadata = metadata_of(headers) or {}
    return (
        headers.get("Content-Length"),
        headers.get("Content-MD5"),
        {key.lower(): value for key, value in metadata.items()},
    )
