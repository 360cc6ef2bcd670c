"""
Parts of one version of a file, fetched side by side.

Written by scripts/unasync.py from its async form, but for what is marked.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import Final

from remote_store._contract import members, versions
from remote_store._contract.backend import Backend
from remote_store._contract.ranges import is_same_version
from remote_store._contract.standard_errors import other_version
from remote_store._store import range_rules
from remote_store._threads.chunk_reader import close_quietly
from remote_store._types.capabilities import Capability
from remote_store._types.models import FileInfo

__all__ = ["read_part", "read_parts"]

#: Ranges of one call that are fetched at once.
_AT_ONCE: Final = 8


def read_part(
    backend: Backend, key: str, start: int, length: int | None, if_match: str | None
) -> bytes:
    """Return a part of a file, from its end if *start* is negative."""
    if start < 0:
        info = backend.get_file_info(key)
        piece = range_rules.part_of_suffix(info.size, start, length)
        return (_of_version(backend, key, [piece], info, if_match))[0]
    if length == 0:
        return _piece(backend, key, start, start, if_match)
    return _fetch(backend, key, start, length, if_match)


def read_parts(
    backend: Backend, key: str, pieces: list[tuple[int, int]], if_match: str | None
) -> list[bytes]:
    """Return the *pieces*, pairs of start and end, of one version of a file."""
    if if_match is None and len(pieces) > 1:
        info = backend.get_file_info(key)
        return _of_version(backend, key, pieces, info, None)
    return _side_by_side(backend, key, pieces or [(0, 0)], if_match)


def _of_version(
    backend: Backend,
    key: str,
    pieces: list[tuple[int, int]],
    info: FileInfo,
    if_match: str | None,
) -> list[bytes]:
    """Return the *pieces* of the version *if_match*, or of that which *info* is about."""
    etag = info.etag if if_match is None else if_match
    found = _side_by_side(backend, key, pieces, etag)
    if etag is None and not is_same_version(backend.get_file_info(key), info):
        raise other_version(key, backend.name)
    return found


# By hand: threads, and none for a backend whose streams can seek: its files are near.
def _side_by_side(
    backend: Backend, key: str, pieces: list[tuple[int, int]], if_match: str | None
) -> list[bytes]:
    def piece(pair: tuple[int, int]) -> bytes:
        return _piece(backend, key, *pair, if_match)

    if len(pieces) == 1 or Capability.SEEKABLE_READ in versions.declared(backend):
        return [piece(pair) for pair in pieces]
    from concurrent.futures import ThreadPoolExecutor  # takes long to import

    pool = ThreadPoolExecutor(min(_AT_ONCE, len(pieces)), "remote-store-ranges")
    try:
        found = [pool.submit(copy_context().run, piece, pair) for pair in pieces]
        return [future.result() for future in found]
    finally:
        pool.shutdown(cancel_futures=True)


def _piece(backend: Backend, key: str, start: int, end: int, if_match: str | None) -> bytes:
    # No backend is asked for no bytes, but whether the file is there must be asked.
    data = _fetch(backend, key, start, end - start or 1, if_match)
    return data if end > start else b""


# By hand: a stream, not chunks.
def _fetch(
    backend: Backend, key: str, start: int, length: int | None, if_match: str | None
) -> bytes:
    read_range = members.member(backend, "read_range", Backend)
    stream = read_range(key, start, length=length, if_match=if_match)
    try:
        data: bytes = stream.read()
    finally:
        close_quietly(stream)
    range_rules.refuse_more(data, length, key, backend.name)
    return data
