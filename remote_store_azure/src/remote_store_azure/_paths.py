"""List Paths: one page, read from its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from remote_store import UNKNOWN_TIME
from remote_store_azure import _dfs as dfs
from remote_store_azure._headers import time_of
from remote_store_azure._names import prefix_of
from remote_store_azure._xml import is_size

if TYPE_CHECKING:
    from remote_store_azure._wire import Wire

__all__ = ["Entry", "Listed", "entries_of", "page"]


@frozen
class Entry:
    """
    One file or folder.

    Args:
        name: Its whole key.
        is_folder: It is no file.
        size: Bytes.
        etag: Without quotes; None if it was not told.
        modified: `UNKNOWN_TIME` if it was not told.
    """

    name: str
    is_folder: bool
    size: int
    etag: str | None
    modified: datetime


@frozen
class Listed:
    """
    One page.

    Args:
        entries: In the service's order.
        continuation: For the next page; ``""`` if this is the last one.
        time: When the service made it.
    """

    entries: list[Entry]
    continuation: str
    time: datetime


async def page(
    wire: Wire, folder: str, *, recursive: bool, continuation: str = "", required: bool = False
) -> Listed | None:
    """
    Return one page of what is in a folder; None where nothing is and it is not *required*.

    Args:
        wire: The container.
        folder: Its key, ``""`` for the root. It must not be a file.
        recursive: Also what is in the folders below it.
        continuation: Of the page before.
        required: The folder is known to have been there.

    Raises:
        NotFound: It is *required* and absent, or it vanished after the page before.
        RemoteStoreError: The answer is no listing, or one of something else;
            other answers by the table of errors.
    """
    answer = await dfs.paths(wire, folder, recursive=recursive, continuation=continuation)
    missing = answer.status == 404 or answer.code == "PathConflict"
    if missing and not (continuation or required):
        return None
    if answer.status != 200:
        raise wire.error(answer)
    try:
        entries = entries_of(answer.body)
    except ValueError as error:
        raise wire.error(answer, f"The service's listing cannot be read: {error}") from error
    prefix = prefix_of(folder)
    for entry in entries:
        rest = entry.name.removeprefix(prefix)
        if not rest or (prefix and rest == entry.name) or (not recursive and "/" in rest):
            msg = f"The service's listing of {folder!r} has something else: {entry.name!r}"
            raise wire.error(answer, f"{msg}; it is refused as a whole")
    further = answer.headers.get("x-ms-continuation", "")
    return Listed(entries, further, time_of(answer.headers.get("Date")))


def entries_of(body: bytes) -> list[Entry]:
    """
    Return what a page tells.

    Raises:
        ValueError: It is no listing.
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


def _entry(found: Mapping[str, Any]) -> Entry:
    name, etag = found["name"], found.get("etag")
    if not isinstance(name, str) or not name:
        msg = f"no name: {name!r}"
        raise TypeError(msg)
    name.encode()  # JSON can say what is no text, and UnicodeEncodeError is a ValueError
    modified = found.get("lastModified")
    size = str(found.get("contentLength", 0))
    if not is_size(size):
        msg = f"the size of {name!r} is {size!r}"
        raise TypeError(msg)
    return Entry(
        name,
        str(found.get("isDirectory", "false")).lower() == "true",
        int(size),
        etag.strip('"') if etag else None,
        time_of(modified) if modified else UNKNOWN_TIME,
    )
