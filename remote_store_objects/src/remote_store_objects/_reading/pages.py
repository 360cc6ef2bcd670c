"""
The pages of a listing, one request each, and whether they belong to it.

A service that ignores a prefix, or a cache that answers from another query, names objects of
others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

from remote_store import RemoteStoreError
from remote_store_objects._keys import too_long
from remote_store_objects._protocol.description import Description
from remote_store_objects._protocol.values import Page, StorageNotFound
from remote_store_objects._session.progress import Progress
from remote_store_objects._session.session import Session

__all__ = ["ask_page", "first_of", "foreign_page", "page", "pages"]


async def ask_page(
    session: Session,
    key: str,
    prefix: str,
    *,
    delimiter: str = "",
    token: str = "",
    limit: int,
    keys_only: bool = False,
) -> Page:
    """
    Return one page of a listing; with *keys_only* nothing else of its objects counts.

    Raises:
        RemoteStoreError: It is of another listing; what it names may be anybody's.
    """
    verb = session.service.list_keys if keys_only else session.service.list_page
    page = await session.ask(key, verb, prefix, delimiter=delimiter, token=token, limit=limit)
    start = len(prefix)
    for info in page.objects:
        if not info.key.startswith(prefix) or (delimiter and info.key.find(delimiter, start) >= 0):
            raise foreign_page(session, key, prefix, info.key)
    for name in page.prefixes:
        if not name.startswith(prefix) or name.find("/", start) != len(name) - 1:
            raise foreign_page(session, key, prefix, name)
    return page


def foreign_page(session: Session, key: str, prefix: str, name: str) -> RemoteStoreError:
    """Return the error for a page that names what was not asked for."""
    msg = f"The service's listing of {prefix!r} names {name!r}, which does not belong to it"
    return RemoteStoreError(msg, path=key, backend=session.name)


async def page(
    session: Session,
    key: str,
    *,
    prefix: str,
    delimiter: str = "",
    token: str = "",
    keys_only: bool = False,
) -> Page:
    """Return one page; without a delimiter of the service's, the same made of a flat one."""
    ask = partial(
        ask_page,
        session,
        key,
        prefix,
        token=token,
        limit=session.description.page,
        keys_only=keys_only,
    )
    if not delimiter or session.description.delimiter:
        return await ask(delimiter=delimiter)
    flat = await ask()
    start = len(prefix)
    here = [info for info in flat.objects if "/" not in info.key[start:]]
    below = (info.key for info in flat.objects if "/" in info.key[start:])
    prefixes = dict.fromkeys(name[: name.index("/", start) + 1] for name in below)
    return Page(here, list(prefixes), flat.token)


def first_of(found: Page, description: Description) -> str:
    # Prefixes that are made of a flat listing may come again on its next page.
    return found.first if found.objects or description.delimiter else ""


async def pages(
    session: Session,
    key: str,
    *,
    prefix: str,
    delimiter: str = "",
    required: bool = False,
    keys_only: bool = False,
) -> AsyncGenerator[Page, None]:
    """
    Yield the pages of a listing, one at a time.

    Args:
        session: To ask.
        key: What errors name.
        prefix: What the keys begin with.
        delimiter: ``"/"`` for one folder, ``""`` for all that is below.
        required: Raise StorageNotFound where the bucket is absent; else
            nothing is yielded.
        keys_only: Nothing but the keys of the objects is wanted.
    """
    if too_long(prefix, session.description):
        return
    token = ""
    first = True
    progress = Progress(session, key, f"The service's listing of {prefix!r}")
    while first or token:
        try:
            found = await page(
                session,
                key,
                prefix=prefix,
                delimiter=delimiter,
                token=token,
                keys_only=keys_only,
            )
        except StorageNotFound:
            if required or not first:
                raise
            return
        yield found
        first = False
        token = found.token
        if token:
            moved = bool(found.objects or found.prefixes)
            progress.step(token, first=first_of(found, session.description), moved=moved)
