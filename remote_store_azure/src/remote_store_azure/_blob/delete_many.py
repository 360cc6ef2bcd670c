"""Deleting many blobs in one request."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING

from remote_store import BackendUnavailable, RemoteStoreError
from remote_store_azure._blob.batch import BatchAnswer, answers, batch_body, shared_key
from remote_store_azure._blob.headers import deletion
from remote_store_azure._blob.signed import named_key
from remote_store_azure._rest.operations import DELETE_BLOB, DELETE_BLOBS
from remote_store_azure._rest.response import Response
from remote_store_objects.authoring import like

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["delete_many"]


async def delete_many(
    http: Session, names: Sequence[str], *, snapshots: bool, etags: Mapping[str, str]
) -> Mapping[str, RemoteStoreError]:
    """
    Delete blobs.

    Args:
        http: Of the container.
        names: Of the blobs, at most 256.
        snapshots: Delete them with their snapshots; else those that have some
            are refused.
        etags: The versions that may be deleted; those of other names all may.

    Returns:
        The errors of those that were refused or absent; BackendUnavailable
        where the answer does not tell.

    Raises:
        BackendUnavailable: The service cannot be reached.
        RemoteStoreError: It has no batches here.
    """
    boundary = f"batch_{uuid.uuid4()}"
    try:
        response = await http.send(
            DELETE_BLOBS,
            http.url(None, "restype=container&comp=batch"),
            path=None,
            headers={"Content-Type": f"multipart/mixed; boundary={boundary}"},
            body=batch_body(boundary, await _parts(http, names, snapshots, etags)),
        )
    except RemoteStoreError as error:
        status = error.status or 600
        if isinstance(error, BackendUnavailable) and (status in (408, 429) or status > 500):
            raise
        # A kind of account or of SAS token that has no batches, or something in
        # between. If the cause is another one, single requests meet and name it.
        msg = f"Batches are refused: {error.args[0]}"
        refusal = like(RemoteStoreError(msg, outcome_unknown=error.outcome_unknown), error)
        raise refusal from error
    try:
        found = answers(response.headers.get("Content-Type", ""), response.body, len(names))
    except ValueError as error:
        msg = f"The answer to a batch cannot be read: {error}"
        raise RemoteStoreError(msg, outcome_unknown=True) from error
    refused = {}
    for name, answer in zip(names, found, strict=True):
        if answer.status != 202 or DELETE_BLOB.lacks(202, answer.headers):
            refused[name] = _refusal(http, name, answer, response.lost)
    return refused


async def _parts(
    http: Session, names: Sequence[str], snapshots: bool, etags: Mapping[str, str]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """
    Return path, query and headers of each deletion.

    Raises:
        RemoteStoreError: They cannot be authorised.
    """
    date = formatdate(usegmt=True)
    always = {"x-ms-date": date, **deletion(snapshots)}
    authorise: Callable[[str, str], str] | None = None
    if http.bearer is not None:
        always["Authorization"] = await http.bearer()
    elif (named := named_key(http.account)) is not None:
        lines = "".join([f"{name}:{value}\n" for name, value in always.items()])
        try:
            authorise = shared_key(*named, lines)
        except ValueError as error:
            msg = "the account key is no base64"
            raise RemoteStoreError(msg) from error
    common = list(always.items())

    def part(name: str) -> tuple[str, list[tuple[str, str]]]:
        headers, match = common, ""
        if (etag := etags.get(name)) is not None:
            if not etag.isprintable():
                msg = "an ETag has a character that no header can have"
                raise RemoteStoreError(msg)
            match = deletion(False, etag)["If-Match"]
            headers = [*headers, ("If-Match", match)]
        target = http.target(name)
        if authorise is not None:
            headers = [*headers, ("Authorization", authorise(target, match))]
        return target, headers

    return map(part, names)


def _refusal(http: Session, name: str, answer: BatchAnswer, lost: bool) -> RemoteStoreError:
    """Return what a part of the answer says if it is not that the blob was deleted."""
    from multidict import CIMultiDict  # aiohttp's own; loaded long since

    headers = CIMultiDict(answer.headers)
    lack = DELETE_BLOB.lacks(answer.status, headers)
    if lack:
        msg = f"A part of the answer to a batch is not the service's own: {lack}"
        return BackendUnavailable(msg, path=name, status=answer.status, outcome_unknown=True)
    response = Response(answer.status, headers, answer.body, name, lost, method="DELETE")
    error = http.error(response)
    status = response.status
    if status == 404 and response.code == "BlobNotFound":
        return error
    # The request as a whole was authorised: a single one tells what is wrong with a part.
    if status in (401, 404, 408, 429) or status >= 500:
        msg = f"A part of a batch was not carried out: {error.args[0]}"
        return like(
            BackendUnavailable(msg, path=name, outcome_unknown=error.outcome_unknown), error
        )
    return error
