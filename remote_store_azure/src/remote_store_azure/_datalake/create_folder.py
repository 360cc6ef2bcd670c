"""Making a folder of a hierarchical account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remote_store import PreconditionFailed
from remote_store.authoring import is_a_file
from remote_store_azure._blob.headers import is_directory
from remote_store_azure._blob.probe import look
from remote_store_azure._blob.refusals import error_as, with_details
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.probe import TRIES, under_file
from remote_store_azure._keys import NAME
from remote_store_objects.authoring import in_doubt

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["create_folder"]


async def create_folder(session: Session, key: str) -> None:
    """
    Make a folder and those above it; one that is there stays as it is.

    Whose request made it makes no difference, so that after a lost answer a
    folder that is there is success, too.

    Args:
        session: Of the container.
        key: Of the folder, not the root.

    Raises:
        InvalidPath: A file is at *key*, or above it.
        PreconditionFailed: What was in the way went again and again.
        PermissionDenied: Something is there, and the credentials do not allow to look.
    """
    for left in reversed(range(TRIES)):
        response = await dfs.create_folder(session, key, key)
        if response.status == 201:
            return
        # The code does not tell a folder from a file, nor a file above from one at the key.
        with in_doubt(response.lost):
            there = await look(session, key)
            if there.status == 200 and is_directory(there.headers):
                return
            if there.status == 200:
                raise with_details(session, response, is_a_file(key, NAME))
            if there.status != 404:  # who may not look is not told
                raise session.error(there)
            if refusal := await under_file(session, response):
                raise refusal
            if not left:
                msg = f"Something in the way came and went again and again: {key}"
                raise error_as(session, response, PreconditionFailed, msg, key)
