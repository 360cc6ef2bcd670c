"""Pages of listings, for both endpoints: each is cut from the tree as it is at that moment."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from dataclasses import dataclass

from hns_emulator._errors import Refused, ServiceError, UnverifiedError
from hns_emulator._state.account import AccountState
from hns_emulator._state.tree import Filesystem, Node, Path, find, parse_name, under_file, walk

__all__ = ["ListingPage", "list_blobs", "list_paths", "page_size"]

LIMIT = 5000

Entries = list[tuple[Path, Node]]


@dataclass(frozen=True, slots=True)
class ListingPage:
    """
    Some entries and how to go on.

    Attributes:
        continuation: None on the last page.
    """

    entries: Entries
    continuation: str | None


def page_size(account: AccountState, asked: str | None) -> int:
    """
    Return how many entries a page has at most.

    Raises:
        Refused: Unless *asked* is a number from 1 to 5000.
    """
    if asked is not None and not (asked.isascii() and asked.isdigit() and 0 < int(asked) <= LIMIT):
        raise Refused(code="InvalidQueryParameterValue", detail=f"maxResults={asked}")
    size = LIMIT if asked is None else int(asked)
    if account.page_cap is not None:
        size = min(size, account.page_cap)
    return size


def list_paths(
    fs: Filesystem,
    directory: str,
    *,
    recursive: bool,
    size: int,
    continuation: str | None,
) -> ListingPage:
    """
    Return a page of what is below a directory.

    *continuation* is as an earlier page gave it, for the same directory and depth.

    Raises:
        ServiceError: PathConflict below a file, PathNotFound.
        Refused: For a continuation of another listing.
        UnverifiedError: If *directory* is a file.
    """
    base = parse_name(directory)
    if under_file(fs, base):
        raise ServiceError(code="PathConflict")
    node = find(fs, base)
    if node is None:
        raise ServiceError(code="PathNotFound")
    if not node.is_directory:
        raise UnverifiedError(operation="list of a file")
    scope = ["paths", fs.name, *base, str(recursive)]
    after = _resume(scope, continuation)
    found = walk(node, recursive=recursive, after=after, base=base)
    entries = list(itertools.islice(found, size + 1))
    return _cut(scope, entries, size, len(base))


def list_blobs(
    fs: Filesystem,
    prefix: str,
    *,
    delimited: bool,
    size: int,
    marker: str | None,
) -> ListingPage:
    """
    Return a page of the names that start with *prefix*; directories are names too.

    *delimited* leaves out what lies below a directory of the listed level;
    *marker* is as an earlier page gave it, for the same prefix and delimiter.

    Raises:
        Refused: For a marker of another listing.
    """
    base: Path = tuple(prefix.split("/")[:-1])
    start = prefix.rpartition("/")[2]
    scope = ["blobs", fs.name, prefix, str(delimited)]
    after = _resume(scope, marker)
    node = find(fs, base)
    found = walk(node, recursive=not delimited, after=after, base=base) if node else iter(())
    named = ((path, child) for path, child in found if path[len(base)].startswith(start))
    return _cut(scope, list(itertools.islice(named, size + 1)), size, len(base))


def _cut(scope: list[str], entries: Entries, size: int, skip: int) -> ListingPage:
    if len(entries) <= size:
        return ListingPage(entries, None)
    kept = entries[:size]
    last = kept[-1][0]
    token = json.dumps([scope, last[skip:]]).encode()
    return ListingPage(kept, base64.b64encode(token).decode())


def _resume(scope: list[str], continuation: str | None) -> Path:
    if not continuation:
        return ()
    try:
        bound, last = json.loads(base64.b64decode(continuation, validate=True))
        if bound != scope:
            raise ValueError
        if not all(isinstance(name, str) for name in last):
            raise TypeError
        return tuple(last)
    except (binascii.Error, ValueError, TypeError):
        code, detail = "InvalidQueryParameterValue", "continuation of another listing"
        raise Refused(code=code, detail=detail) from None
