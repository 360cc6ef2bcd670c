"""
Copying and moving on a flat account.

The service copies; a condition on the destination decides an exclusive copy,
and one on the source holds a move to the version that it removes afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from remote_store import AlreadyExists, PreconditionFailed, RemoteStoreError
from remote_store_azure._doubt import in_doubt
from remote_store_azure._download import chunks
from remote_store_azure._errors import ARCHIVED, NO_OVERWRITE, OTHER_TYPE
from remote_store_azure._headers import deletion, kept_headers, metadata_of
from remote_store_azure._kinds import absent, archived, head, look, other_type, refuse_folder
from remote_store_azure._names import NAME
from remote_store_azure._operations import COPY, DELETE_BLOB
from remote_store_azure._progress import Progress
from remote_store_azure._upload import upload

if TYPE_CHECKING:
    from remote_store_azure._wire import Answer, Wire

__all__ = [
    "at_source",
    "complete",
    "copy",
    "is_condition",
    "likeness",
    "move",
    "source",
    "told",
    "typed",
]

#: Seconds between two looks at a copy that the service has not finished.
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 5.0


async def source(wire: Wire, key: str) -> Answer:
    """
    Return the headers of the file that is to be copied or moved.

    Raises:
        NotFound: There is none.
        InvalidPath: It is a folder.
    """
    answer = await head(wire, key)
    if answer.status == 404:
        raise await absent(wire, key, wire.error(answer))
    refuse_folder(key, answer.headers)
    return answer


async def copy(wire: Wire, src: str, dst: str, *, overwrite: bool) -> None:
    """
    Copy whatever version of *src* there is.

    Raises:
        NotFound, InvalidPath: See `source`.
        AlreadyExists: *overwrite* is False and there is a blob at *dst*; with
            ``outcome_unknown`` if that may be what this copy itself has made.
        PreconditionFailed: Somebody else replaced or removed *dst* before the
            copy was complete.
    """
    await _Copy(wire, src, dst, overwrite=overwrite).run()


async def move(
    wire: Wire, src: str, dst: str, version: Answer, *, overwrite: bool, snapshots: bool = False
) -> None:
    """
    Copy one version of *src*, and remove that version once the copy is complete.

    Args:
        wire: The container.
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
    etag = wire.etag(version)
    await _Copy(wire, src, dst, overwrite=overwrite, etag=etag).run()
    try:
        # Whatever becomes of the source: of the move as a whole something is done.
        with in_doubt(True):
            await _remove(wire, src, deletion(snapshots, etag))
    except RemoteStoreError as error:
        error.args = (f"{error.args[0]}; the copy at {dst!r} is complete and stays",)
        raise


async def _remove(wire: Wire, src: str, headers: Mapping[str, str]) -> None:
    """Remove the version of a source that was copied."""
    answer = await wire.send(
        DELETE_BLOB, wire.url(src), path=src, headers=headers, accept=(202, 404, 412)
    )
    if answer.status == 202:
        return
    if answer.status == 412 and not is_condition(answer):
        raise wire.error(answer, f"Cannot remove the source of a move: {src}")
    if answer.lost:
        with in_doubt(True):
            if answer.status == 404 or (await head(wire, src)).status == 404:
                return  # an attempt that got no answer has removed it
    msg = "The source of a move was changed or removed by somebody else"
    raise typed(wire, answer, PreconditionFailed, msg, src, outcome_unknown=answer.lost)


def is_condition(answer: Answer) -> bool:
    """Return True for a 412 that is about what we asked for, not about a lease."""
    return answer.code in ("", "ConditionNotMet", "SourceConditionNotMet", "TargetConditionNotMet")


def typed(
    wire: Wire, answer: Answer, cls: type[RemoteStoreError], message: str, key: str, **fields: Any
) -> RemoteStoreError:
    """Return an error of another class than the table's, with all that the answer tells."""
    return told(wire, answer, cls(message, path=key, backend=NAME, **fields))


def told(wire: Wire, answer: Answer, error: RemoteStoreError) -> RemoteStoreError:
    """Return an error of ours with all that an answer tells."""
    native = wire.error(answer)
    error.status, error.code, error.request_id = native.status, native.code, native.request_id
    error.__cause__ = native.__cause__
    return error


@frozen
class _Copy:
    """
    One copy.

    Args:
        wire: The container.
        src: Key of the source.
        dst: Key of the destination.
        overwrite: Replace a blob at *dst*.
        etag: Version of the source, in quotes; None for whichever there is.
    """

    wire: Wire
    src: str
    dst: str
    overwrite: bool = field(kw_only=True)
    etag: str | None = field(default=None, kw_only=True)

    async def run(self) -> None:
        """Start it, and return when it is complete."""
        headers = {"x-ms-copy-source": self.wire.source_url(self.src)}
        if self.etag is not None:
            headers["x-ms-source-if-match"] = self.etag
        if not self.overwrite:
            headers["If-None-Match"] = "*"
        answer = await self.wire.send(
            COPY,
            self.wire.url(self.dst),
            path=self.dst,
            headers=headers,
            accept=(201, 202, 403, 404, 409, 412),
        )
        if answer.status in (201, 202):
            await complete(self.wire, self.dst, answer)
        else:
            await self._refused(answer)

    async def _refused(self, answer: Answer) -> None:
        """Raise what an answer means; or copy by hand, where nothing is in the way."""
        if answer.status == 404:
            error = self.wire.error(evolve(answer, path=self.src))
            with in_doubt(answer.lost):
                error = await absent(self.wire, self.src, error)
            raise error
        if answer.code in ARCHIVED:
            raise await archived(self.wire, answer, self.src)
        if answer.code == OTHER_TYPE:
            raise await other_type(self.wire, answer)
        if answer.status == 412:
            if not is_condition(answer):
                raise self.wire.error(answer)
            if self.etag is not None and await self._source_changed(answer):
                msg = "The source of a move was changed by somebody else; it stays"
                raise typed(
                    self.wire,
                    answer,
                    PreconditionFailed,
                    msg,
                    self.src,
                    outcome_unknown=answer.lost,
                )
        elif answer.code not in (NO_OVERWRITE, "BlobAlreadyExists") and (
            answer.code or answer.status == 403
        ):
            raise self.wire.error(at_source(answer, self.src))
        if self.overwrite:
            raise self.wire.error(answer)
        with in_doubt(answer.lost):
            there = await look(self.wire, self.dst)
        if there.status == 404:
            # Only blocks are there that somebody staged and never committed:
            # no file, but enough for the service to refuse the copy.
            await self._by_hand()
            return
        with in_doubt(answer.lost):
            unknown = answer.lost and (there.status != 200 or await self._may_be_ours(there))
        msg = f"Already exists: {self.dst}"
        if unknown:
            msg += " (an attempt to write it got no answer: it may be what this copy made)"
        raise typed(self.wire, answer, AlreadyExists, msg, self.dst, outcome_unknown=unknown)

    async def _source_changed(self, answer: Answer) -> bool:
        """Tell a condition on the source that failed from one on the destination."""
        if answer.code != "ConditionNotMet":
            return answer.code == "SourceConditionNotMet"
        with in_doubt(answer.lost):
            now = await head(self.wire, self.src)
        return now.headers.get("ETag") != self.etag

    async def _may_be_ours(self, there: Answer) -> bool:
        ours = await head(self.wire, self.src)
        return ours.status == 404 or likeness(ours.headers) == likeness(there.headers)

    async def _by_hand(self) -> None:
        """Read the source and write it, which passes by uncommitted blocks."""
        version = await source(self.wire, self.src)
        etag = self.etag or version.headers.get("ETag")

        def check(headers: Mapping[str, str]) -> None:
            if headers.get("ETag") != etag:
                msg = "The source was changed by somebody else; it stays"
                raise PreconditionFailed(msg, path=self.src, backend=NAME)

        content: AsyncGenerator[bytes, None] = chunks(self.wire, self.src, self.src, check=check)
        async with aclosing(content):
            await upload(
                self.wire,
                self.dst,
                self.dst,
                content,
                exclusive=True,
                metadata=metadata_of(version.headers),
                kept=kept_headers(version.headers),
            )


def at_source(answer: Answer, src: str) -> Answer:
    """Return *answer* to a copy as one about its source, if that is what was refused."""
    return evolve(answer, path=src) if answer.code == "CannotVerifyCopySource" else answer


async def complete(wire: Wire, dst: str, answer: Answer) -> None:
    """
    Wait until the service says that a copy is complete.

    Args:
        wire: The container.
        dst: Key of the destination.
        answer: The answer to the request that began the copy.

    Raises:
        PreconditionFailed: Somebody else replaced or removed *dst* meanwhile.
        RemoteStoreError: The service gave up, or says nothing of it any more.
        BackendUnavailable: It copies no further for as long as the policy's
            ``timeout``, or an hour; with ``outcome_unknown``.
    """
    copy_id = answer.headers.get("x-ms-copy-id")
    wait = _FIRST_WAIT
    copied = ""
    progress = Progress(wire, dst, f"The service's copy to {dst}")
    while (status := answer.headers.get("x-ms-copy-status")) == "pending":
        so_far, copied = copied, answer.headers.get("x-ms-copy-progress", "")
        with in_doubt(True):  # the service may complete it all the same
            progress.step(moved=copied != so_far)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
        with in_doubt(True):
            answer = await head(wire, dst)
        if answer.status == 404 or answer.headers.get("x-ms-copy-id") != copy_id:
            msg = (
                "The destination was replaced or removed by somebody else before the copy "
                f"was complete: {dst}"
            )
            raise PreconditionFailed(msg, path=dst, backend=NAME)
    if status not in ("success", "failed", "aborted"):
        msg = f"The service does not tell what became of the copy to {dst}: {status}"
        raise wire.error(answer, msg, outcome_unknown=True)
    if status != "success":
        await _remove_rest(wire, dst, answer)
        reason = answer.headers.get("x-ms-copy-status-description") or status
        msg = f"The service did not complete the copy to {dst}: {reason}"
        raise RemoteStoreError(msg, path=dst, backend=NAME, code=status)


async def _remove_rest(wire: Wire, dst: str, answer: Answer) -> None:
    """Remove the empty blob that a failed copy leaves, unless somebody has replaced it."""
    etag = answer.headers.get("ETag")
    if etag is not None:
        answer = await wire.send(
            DELETE_BLOB, wire.url(dst), path=dst, headers={"If-Match": etag}, accept=(202, 404, 412)
        )
        if answer.status == 412 and not is_condition(answer):
            msg = f"Cannot remove the empty file that a copy left which the service gave up: {dst}"
            raise wire.error(answer, msg)


def likeness(headers: Mapping[str, str]) -> tuple[object, ...]:
    """Return what a blob and a copy of it have in common."""
    metadata = metadata_of(headers) or {}
    return (
        headers.get("Content-Length"),
        headers.get("Content-MD5"),
        {key.lower(): value for key, value in metadata.items()},
    )
