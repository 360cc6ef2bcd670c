"""Deleting many blobs in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remote_store import BackendUnavailable, RemoteStoreError
from remote_store_azure._rest.operations import DELETE_BLOB, DELETE_BLOBS
from remote_store_azure._rest.response import Response
from remote_store_objects.authoring import Waiting, like

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["delete_many"]


async def delete_many(
    http: Session, names: Sequence[str], *, snapshots: bool
) -> Mapping[str, RemoteStoreError]:
    """
    Delete blobs; those that are absent already are fine.

    Args:
        http: Of the container.
        names: Of the blobs, at most 256.
        snapshots: Delete them with their snapshots; else those that have some
            are refused.

    Returns:
        The errors of those that were refused; BackendUnavailable where the
        answer does not tell.

    Raises:
        BackendUnavailable: The service cannot be reached.
        RemoteStoreError: It has no batches here.
    """
    from azure.core.exceptions import AzureError  # loaded with the session

    record, options = http.record(DELETE_BLOBS)
    with_them = {"delete_snapshots": "include"} if snapshots else {}
    try:
        # The SDK's own method, since each part is signed by itself.
        with Waiting(http.calls, None, record.in_doubt):
            answers = await http.client.delete_blobs(
                *names, raise_on_any_failure=False, **with_them, **options
            )
            parts = [part async for part in answers]
    except AzureError as error:
        ours = http.native(error, None, record)
        if isinstance(ours, BackendUnavailable) and ours.status != 500:
            raise ours from error
        # A kind of account or of SAS token that has no batches. If the cause
        # is another one, single requests meet and name it.
        msg = f"Batches are refused: {ours.args[0]}"
        refusal = like(RemoteStoreError(msg, outcome_unknown=ours.outcome_unknown), ours)
        raise refusal from error
    except RemoteStoreError:
        raise
    except Exception as error:
        # The SDK's parser raises any error for what is not the response to a batch.
        msg = "The answer to a batch cannot be read"
        raise RemoteStoreError(msg, outcome_unknown=True) from error
    if len(parts) != len(names):
        msg = "The answer to a batch has other parts than it was asked for"
        raise RemoteStoreError(msg, outcome_unknown=True)
    found = zip(names, parts, strict=True)
    refused = ((name, _refusal(http, name, part, record.lost)) for name, part in found)
    return {name: error for name, error in refused if error is not None}


def _refusal(http: Session, name: str, part: Any, lost: bool) -> RemoteStoreError | None:
    """Return what a part of the answer says, if it is not that the blob is gone."""
    lack = DELETE_BLOB.lacks(part.status_code, part.headers)
    if lack:
        msg = f"A part of the answer to a batch is not the service's own: {lack}"
        return BackendUnavailable(msg, path=name, status=part.status_code, outcome_unknown=True)
    response = Response(
        part.status_code, part.headers, part.body(), path=name, lost=lost, method="DELETE"
    )
    status = response.status
    if status == 202 or (status == 404 and response.code == "BlobNotFound"):
        return None
    error = http.error(response)
    if status in (404, 408, 429) or status >= 500:
        msg = f"A part of a batch was not carried out: {error.args[0]}"
        return like(BackendUnavailable(msg, path=name), error)
    return error
