"""List Blobs: one page, or all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING
from urllib.parse import quote

from remote_store import NotFound
from remote_store_azure._blob.list_xml import Blob, Page, parse_page
from remote_store_azure._rest.operations import LIST_BLOBS
from remote_store_objects.authoring import Progress

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["Blob", "BlobPages", "Page", "page", "pages", "tokens_of"]


async def page(
    session: Session,
    path: str | None,
    *,
    prefix: str,
    delimiter: str = "",
    marker: str = "",
    limit: int | None = None,
    include: str = "metadata",
) -> Page:
    """
    Return one page of a listing: one request.

    Args:
        session: Of the container.
        path: Key that errors name.
        prefix: What the names start with; ``""`` for every blob.
        delimiter: Names that have it after the prefix come as one entry of
            `Page.prefixes` each.
        marker: `Page.marker` of the previous page; ``""`` for the first one.
        limit: Most entries wanted; None for the service's own limit of 5000.
        include: What else to fetch of each blob, separated by commas; ``""``
            for nothing. Without ``metadata`` a directory marker of a flat
            account looks like any empty blob.

    Raises:
        NotFound: The container is absent.
        RemoteStoreError: The response is not a listing, or one of something
            else; other responses by the table of errors.
    """
    query = "restype=container&comp=list"
    if prefix:
        query += "&prefix=" + quote(prefix, safe="")
    if delimiter:
        query += "&delimiter=" + quote(delimiter, safe="")
    if marker:
        query += "&marker=" + quote(marker, safe="")
    if limit is not None:
        query += f"&maxresults={limit}"
    if include:
        query += "&include=" + quote(include, safe="")
    response = await session.send(LIST_BLOBS, session.url(None, query), path=path, accept=(200,))
    steps = parse_page(response.body)
    try:
        while True:
            next(steps)
            await asyncio.sleep(0)
    except StopIteration as end:
        found: Page = end.value
    except ValueError as error:
        raise session.error(response, f"The service's listing cannot be read: {error}") from error
    other = _other(found, prefix, delimiter)
    if other is not None:
        msg = f"The service's listing of {prefix!r} has something else, and is refused: {other!r}"
        raise session.error(response, msg)
    return found


def _other(found: Page, prefix: str, delimiter: str) -> str | None:
    """Return a name of a page that was not asked for."""
    start = len(prefix)
    for blob in found.blobs:
        name = blob.name
        if not name.startswith(prefix) or (delimiter and name.find(delimiter, start) >= 0):
            return name
    for name in found.prefixes:
        first = name.find(delimiter, start) if delimiter else -1
        if first < 0 or not name.startswith(prefix) or first + len(delimiter) != len(name):
            return name
    return None


def tokens_of(found: Page, prefix: str) -> tuple[str, ...]:
    """Return what shows that a page came before, which is not the last one of its listing."""
    first = ""
    if found.blobs:
        first = f"blob {found.blobs[0].name}"
    elif found.prefixes:
        # Both ends: a page might begin with the prefix that the one before ended with.
        first = f"prefixes {found.prefixes[0]}\n{found.prefixes[-1]}"
    return f"marker {prefix}\n{found.marker}", first


async def pages(
    session: Session,
    path: str | None,
    *,
    prefix: str,
    delimiter: str = "",
    limit: int | None = None,
    include: str = "metadata",
    required: bool = False,
) -> AsyncGenerator[Page, None]:
    """
    Yield every page of a listing, one request each; none if the container is absent.

    A page may be empty and still not be the last one.

    Raises:
        NotFound: The container vanished after a page was received; or, with
            *required*, it is absent.
        RemoteStoreError: See `page` and `Progress`.
    """
    marker = ""
    progress = Progress(session, path, f"The service's listing of {prefix!r}")
    while True:
        try:
            found = await page(
                session,
                path,
                prefix=prefix,
                delimiter=delimiter,
                marker=marker,
                limit=limit,
                include=include,
            )
        except NotFound:
            if marker or required:
                raise
            return
        yield found
        if not found.marker:
            return
        marker = found.marker
        progress.step(*tokens_of(found, prefix), moved=bool(found.blobs or found.prefixes))


class BlobPages:
    """
    The pages of one listing of a flat account; none if the container is absent.

    Args:
        session: Of the container.
        key: What errors name.
        required: Raise NotFound if the container is absent.
    """

    any_prefix = True

    def __init__(self, session: Session, key: str, *, required: bool = False) -> None:
        self.session = session
        self.key = key
        self._required = required

    async def page(self, prefix: str, marker: str, *, whole: bool) -> Page | None:
        """Return one page; see `remote_store_azure._list.Pages`."""
        delimiter = "" if whole else "/"
        try:
            found = await page(
                self.session, self.key, prefix=prefix, delimiter=delimiter, marker=marker
            )
        except NotFound:
            if self._required:
                raise
            return None
        self._required = True  # it was there
        return found

    async def left_out(self, blob: Blob, page: Page) -> None:
        """Leave it alone: nothing here is ours."""

    def finish(self) -> None:
        """Return: nothing is put off."""
