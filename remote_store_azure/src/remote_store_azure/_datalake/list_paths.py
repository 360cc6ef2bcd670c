"""
List Paths: the pages of a folder, read from their JSON.

A listing of a hierarchical account also removes temporary files that it meets
and whose writer is long gone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from remote_store import UNKNOWN_TIME, RemoteStoreError
from remote_store.authoring import RESERVED_PREFIX, first_with_others
from remote_store_azure._blob.headers import is_directory, time_of
from remote_store_azure._blob.list_xml import Blob, Page, is_size
from remote_store_azure._blob.probe import head
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.staged_write import STALE
from remote_store_azure._keys import prefix_of

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["PathPages", "entries_of", "page"]

_log = logging.getLogger(__name__)

#: Temporary files that one listing removes at most, so that it does not take too long.
_SWEPT: Final = 16


class PathPages:
    """
    The pages of one listing of a hierarchical account; none where there is no folder.

    A folder below that may not be listed is passed by until the end: `finish`
    raises the first such error, in its ``others`` the rest. For the first
    folder itself the error comes at once.

    Args:
        session: Of the container.
        key: The folder.
        required: It is known to be one, and NotFound is raised if it has gone.
            Otherwise it is looked at first: what the service answers to a
            listing of a file is not documented.
    """

    any_prefix = False

    def __init__(self, session: Session, key: str, *, required: bool = False) -> None:
        self.session = session
        self.key = key
        self._required = required
        self._looked_at = required or not key
        self._errors: list[RemoteStoreError] = []
        #: Prefixes below which not all may be listed at once.
        self._split: set[str] = set()
        self._sweeps_left = _SWEPT

    async def page(self, prefix: str, marker: str, *, whole: bool) -> Page | None:
        """Return one page; see `remote_store_azure._list.Pages`."""
        folder = prefix[:-1]
        first = folder == self.key
        if not self._looked_at:
            self._looked_at = True
            response = await head(self.session, folder)
            if response.status == 404 or not is_directory(response.headers):
                return None
        while True:
            at_once = whole and prefix not in self._split
            try:
                return await page(
                    self.session,
                    folder,
                    recursive=at_once,
                    continuation=marker,
                    required=self._required and first,
                )
            except RemoteStoreError as error:
                refusal = _is_of_one_folder(error)
                if refusal and at_once and not marker:
                    self._split.add(prefix)  # it may be any folder below that refuses
                elif refusal and not first:
                    self._errors.append(error)
                    return None
                else:
                    first_with_others([error, *self._errors])
                    raise

    async def left_out(self, blob: Blob, page: Page) -> None:
        """Remove a temporary file that is old by the service's own clock, and as it was listed."""
        name, etag = blob.name, blob.etag
        if blob.is_directory or not name.rpartition("/")[2].startswith(RESERVED_PREFIX):
            return
        if UNKNOWN_TIME in (page.time, blob.last_modified or UNKNOWN_TIME) or etag is None:
            return
        age = page.time - (blob.last_modified or UNKNOWN_TIME)
        if age.total_seconds() <= STALE or not self._sweeps_left:
            return
        self._sweeps_left -= 1
        try:
            await dfs.delete(self.session, name, name, etag=f'"{etag}"', accept=(200, 404, 412))
        except RemoteStoreError as error:
            self._sweeps_left = 0  # the next one would not fare better
            _log.debug("stale temporary file %r could not be removed: %s", name, error)

    def finish(self) -> None:
        """Raise the errors of folders that may not be listed."""
        if self._errors:
            raise first_with_others(self._errors)


def _is_of_one_folder(error: RemoteStoreError) -> bool:
    """Return True for a refusal by access rights, which differ from folder to folder."""
    return error.status == 403 and error.code == "AuthorizationPermissionMismatch"


async def page(
    session: Session,
    folder: str,
    *,
    recursive: bool,
    continuation: str = "",
    required: bool = False,
) -> Page | None:
    """
    Return one page of what is in a folder; None where nothing is and it is not *required*.

    Args:
        session: Of the container.
        folder: Its key, ``""`` for the root. It must not be a file.
        recursive: Also what is in the folders below it.
        continuation: Of the previous page.
        required: The folder is known to have been there.

    Raises:
        NotFound: It is *required* and absent, or it vanished after the previous page.
        RemoteStoreError: The response is not a listing, or one of something
            else; other responses by the table of errors.
    """
    response = await dfs.paths(session, folder, recursive=recursive, continuation=continuation)
    missing = response.status == 404 or response.code == "PathConflict"
    if missing and not (continuation or required):
        return None
    if response.status != 200:
        raise session.error(response)
    try:
        entries = entries_of(response.body)
    except ValueError as error:
        raise session.error(response, f"The service's listing cannot be read: {error}") from error
    prefix = prefix_of(folder)
    folders = []
    for entry in entries:
        if entry.is_directory and not recursive:
            folders.append(f"{entry.name}/")
        rest = entry.name.removeprefix(prefix)
        if not rest or (prefix and rest == entry.name) or (not recursive and "/" in rest):
            msg = f"The service's listing of {folder!r} has something else: {entry.name!r}"
            raise session.error(response, f"{msg}; it is refused as a whole")
    further = response.headers.get("x-ms-continuation", "")
    return Page(entries, folders, further, time_of(response.headers.get("Date")))


def entries_of(body: bytes) -> list[Blob]:
    """
    Return the entries of a page.

    Raises:
        ValueError: It is not a listing.
    """
    try:
        listed = json.loads(body)["paths"]
        if not isinstance(listed, list):
            msg = f"paths are of type {type(listed).__name__}"
            raise TypeError(msg)
        return [_entry(found) for found in listed]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        msg = f"it is no list of paths: {error!r}"
        raise ValueError(msg) from error


def _entry(found: Mapping[str, Any]) -> Blob:
    name, etag = found["name"], found.get("etag")
    if not isinstance(name, str) or not name:
        msg = f"no name: {name!r}"
        raise TypeError(msg)
    name.encode()  # JSON can hold what has no UTF-8 form, and UnicodeEncodeError is a ValueError
    modified = found.get("lastModified")
    size = str(found.get("contentLength", 0))
    if not is_size(size):
        msg = f"the size of {name!r} is {size!r}"
        raise TypeError(msg)
    return Blob(
        name,
        int(size),
        etag.strip('"') if etag else None,
        time_of(modified) if modified else None,
        None,
        None,
        None,
        str(found.get("isDirectory", "false")).lower() == "true",
    )
