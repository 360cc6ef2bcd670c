"""
Folders that a write made and no file uses: a write that fails removes them again.

The service makes missing folders along with a file and does not say which. The
version of a folder shows it: it is the time of its creation, in steps of 100 ns by
the service's clock, and stays when something is put into the folder. So a
folder whose version is as old as the file, or older by less than the request
for the file took, was made by this request (or by another in that moment). It
goes only if it is empty and still that version, which the service decides.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from attrs import frozen

from remote_store import RemoteStoreError
from remote_store_azure._blob.headers import is_directory
from remote_store_azure._blob.probe import look
from remote_store_azure._datalake import requests as dfs

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["Made", "made_by"]

_log = logging.getLogger(__name__)

#: Steps of the service's clock in a second.
_PER_SECOND: Final = 10_000_000


@frozen
class Made:
    """
    When a request made something.

    Args:
        etag: Version of what it made, in quotes.
        seconds: How long it took.
    """

    etag: str
    seconds: float

    async def remove_folders(
        self, session: Session, folder: str, path: str, deadline: float
    ) -> None:
        """
        Remove a folder and those above it, from the lowest up, as long as the request made them.

        Failures are logged, not raised: the caller has an error already.

        Args:
            session: Of the container.
            folder: The lowest; nothing may be in it any more.
            path: Key that errors name.
            deadline: In the loop's time. It takes two requests for each folder,
                and one for the first that stays.
        """
        try:
            await self._remove(session, folder, path, deadline)
        except RemoteStoreError as error:
            _log.debug("folders made for %r stay: %s", path, error)

    async def _remove(self, session: Session, folder: str, path: str, deadline: float) -> None:
        while folder:
            there = await look(session, folder, path, deadline=deadline)
            etag = there.headers.get("ETag", "")
            if there.status != 200 or not is_directory(there.headers) or not self._made(etag):
                return
            response = await dfs.delete(
                session,
                folder,
                path,
                etag=etag,
                recursive=False,
                accept=(200, 401, 403, 404, 409, 412),
                timeout=deadline - asyncio.get_running_loop().time(),
            )
            if response.status != 200:
                return
            folder = folder.rpartition("/")[0]

    def _made(self, etag: str) -> bool:
        mine, its = _ticks(self.etag), _ticks(etag)
        if mine is None or its is None:
            return False
        return mine - int(self.seconds * _PER_SECOND) <= its <= mine


async def made_by(request: Awaitable[Response]) -> tuple[Response, Made]:
    """Wait for the answer to a request that makes something, and measure how long it takes."""
    begun = asyncio.get_running_loop().time()
    response = await request
    took = asyncio.get_running_loop().time() - begun
    return response, Made(response.headers.get("ETag", ""), took)


def _ticks(etag: str) -> int | None:
    """Return the time that a version stands for; None if it does not look like one."""
    digits = etag.strip('"')
    if not digits.startswith("0x"):
        return None
    try:
        return int(digits, 16)
    except ValueError:
        return None
