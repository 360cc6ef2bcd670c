"""
List Paths: the pages of a folder, read from their JSON.

A listing of a hierarchical account also removes temporary files that it meets
and whose writer is long gone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from remote_store import PermissionDenied, RemoteStoreError
from remote_store.authoring import RESERVED_PREFIX
from remote_store_azure._blob.headers import is_directory, time_of
from remote_store_azure._blob.list_xml import is_size
from remote_store_azure._blob.probe import head
from remote_store_azure._blob.service import BlobService
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.staged_write import STALE
from remote_store_azure._rest.errors import NO_STORAGE
from remote_store_objects import ObjectInfo, ObjectService, Page
from remote_store_objects.authoring import prefix_of

__all__ = ["PathService", "SweepService", "entries_of"]

_log = logging.getLogger(__name__)

#: Temporary files that one listing removes at most, so that it does not take too long.
_SWEPT: Final = 16


class PathService(BlobService):
    """
    The service of one listing of a hierarchical account.

    Args:
        service: Of the container.
        seen: The folder was seen to be one. Otherwise it is looked at first:
            what the service answers to a listing of a file is not documented.
    """

    def __init__(self, service: BlobService, *, seen: bool) -> None:
        super().__init__(service.clients, snapshots=service.snapshots)
        self._seen = seen
        #: Prefixes below which not all may be listed at once.
        self._split: set[str] = set()
        self._stale: float = STALE
        self._sweeps_left = _SWEPT

    #: Paths, not the blobs of the base.
    list_keys = ObjectService.list_keys

    async def list_page(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        """
        List Paths; nothing where a folder has gone.

        Where folders below refuse to be listed together, each is listed by itself.
        """
        folder = prefix[:-1]
        if folder and not self._seen:
            response = await head(self.http, folder)
            if response.status == 404 or not is_directory(response.headers):
                return Page(())
        self._seen = True
        if not delimiter and prefix not in self._split:
            try:
                return await self._page(folder, token, recursive=True)
            except PermissionDenied as error:
                # Of access rights, which differ from folder to folder.
                if token or error.code != "AuthorizationPermissionMismatch":
                    raise
                self._split.add(prefix)
        return await self._page(folder, token, recursive=False)

    async def _page(self, folder: str, token: str, *, recursive: bool) -> Page:
        http = self.http
        response = await dfs.paths(http, folder, recursive=recursive, continuation=token)
        missing = response.status == 404 or response.code == "PathConflict"
        if missing and not token and response.code not in NO_STORAGE:
            return Page(())
        if response.status != 200:
            raise http.error(response)
        try:
            entries = entries_of(response.body)
        except ValueError as error:
            msg = f"The service's listing cannot be read: {error}"
            raise http.error(response, msg) from error
        await self._sweep(prefix_of(folder), entries, time_of(response.headers.get("Date")))
        further = response.headers.get("x-ms-continuation", "")
        if recursive:
            return Page(entries, (), further)
        files = [entry for entry in entries if not entry.is_folder]
        return Page(files, [f"{entry.key}/" for entry in entries if entry.is_folder], further)

    async def _sweep(
        self, prefix: str, entries: Sequence[ObjectInfo], now: datetime | None
    ) -> None:
        """Remove temporary files that are old by the service's clock, and as they were listed."""
        if now is None:
            return
        for entry in entries:
            name, etag = entry.key, entry.etag
            if not name.startswith(prefix):
                return  # it is refused as a whole
            if entry.is_folder or not name.rpartition("/")[2].startswith(RESERVED_PREFIX):
                continue
            if entry.modified is None or etag is None:
                continue
            if (now - entry.modified).total_seconds() > self._stale:
                await self._remove_stale(name, etag)

    async def _remove_stale(self, name: str, etag: str) -> None:
        if not self._sweeps_left:
            return
        self._sweeps_left -= 1
        try:
            await self._remove(name, etag)
        except RemoteStoreError as error:
            self._sweeps_left = 0  # the next one would not fare better
            _log.debug("stale temporary file %r could not be removed: %s", name, error)

    async def _remove(self, name: str, etag: str) -> bool:
        """Remove a file as it was listed; return False if it has changed or gone since."""
        response = await dfs.delete(self.http, name, name, etag=f'"{etag}"', accept=(200, 404, 412))
        return response.status == 200


class SweepService(PathService):
    """
    The service of a listing that is there to sweep.

    Args:
        service: Of the container.
        older_than: Only files that were changed so long ago.
        dry_run: Remove nothing.
        found: Told the key of each.
    """

    def __init__(
        self,
        service: BlobService,
        *,
        older_than: timedelta,
        dry_run: bool,
        found: Callable[[str], object] | None,
    ) -> None:
        super().__init__(service, seen=False)
        self._stale = older_than.total_seconds()
        self._dry_run = dry_run
        self._found = found
        #: How many files were removed, or would be.
        self.count = 0

    async def _remove_stale(self, name: str, etag: str) -> None:
        if self._dry_run or await self._remove(name, etag):
            self.count += 1
            if self._found is not None:
                self._found(name)


def entries_of(body: bytes) -> list[ObjectInfo]:
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


def _entry(found: Mapping[str, Any]) -> ObjectInfo:
    name, etag = found["name"], found.get("etag")
    if not isinstance(name, str) or not name or name.endswith("/"):
        msg = f"no name: {name!r}"
        raise TypeError(msg)
    name.encode()  # JSON can hold what has no UTF-8 form, and UnicodeEncodeError is a ValueError
    modified = found.get("lastModified")
    size = str(found.get("contentLength", 0))
    if not is_size(size):
        msg = f"the size of {name!r} is {size!r}"
        raise TypeError(msg)
    return ObjectInfo(
        name,
        int(size),
        etag.strip('"') if etag else None,
        time_of(modified) if modified else None,
        is_folder=str(found.get("isDirectory", "false")).lower() == "true",
    )
