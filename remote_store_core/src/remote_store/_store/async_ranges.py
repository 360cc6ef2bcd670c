"""Parts of one version of a file, fetched side by side."""

from __future__ import annotations

import asyncio
from typing import Final

from remote_store._contract import members
from remote_store._contract.async_backend import AsyncBackend
from remote_store._contract.async_closing import Closing
from remote_store._contract.ranges import is_same_version
from remote_store._contract.standard_errors import other_version
from remote_store._store import range_rules
from remote_store._threads.worker_pool import settle
from remote_store._types.models import FileInfo

__all__ = ["read_part", "read_parts"]

#: Ranges of one call that are fetched at once.
_AT_ONCE: Final = 8


async def read_part(
    backend: AsyncBackend, key: str, start: int, length: int | None, if_match: str | None
) -> bytes:
    """Return a part of a file, from its end if *start* is negative."""
    if start < 0:
        info = await backend.get_file_info(key)
        piece = range_rules.part_of_suffix(info.size, start, length)
        return (await _of_version(backend, key, [piece], info, if_match))[0]
    if length == 0:
        return await _piece(backend, key, start, start, if_match)
    return await _fetch(backend, key, start, length, if_match)


async def read_parts(
    backend: AsyncBackend, key: str, pieces: list[tuple[int, int]], if_match: str | None
) -> list[bytes]:
    """Return the *pieces*, pairs of start and end, of one version of a file."""
    if if_match is None and len(pieces) > 1:
        info = await backend.get_file_info(key)
        return await _of_version(backend, key, pieces, info, None)
    return await _side_by_side(backend, key, pieces or [(0, 0)], if_match)


async def _of_version(
    backend: AsyncBackend,
    key: str,
    pieces: list[tuple[int, int]],
    info: FileInfo,
    if_match: str | None,
) -> list[bytes]:
    """Return the *pieces* of the version *if_match*, or of that which *info* is about."""
    etag = info.etag if if_match is None else if_match
    found = await _side_by_side(backend, key, pieces, etag)
    if etag is None and not is_same_version(await backend.get_file_info(key), info):
        raise other_version(key, backend.name)
    return found


async def _side_by_side(
    backend: AsyncBackend, key: str, pieces: list[tuple[int, int]], if_match: str | None
) -> list[bytes]:
    if len(pieces) == 1:
        return [await _piece(backend, key, *pieces[0], if_match)]
    turn = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(start: int, end: int) -> bytes:
        async with turn:
            return await _piece(backend, key, start, end, if_match)

    tasks = [asyncio.create_task(in_turn(start, end)) for start, end in pieces]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            await settle(task)


async def _piece(
    backend: AsyncBackend, key: str, start: int, end: int, if_match: str | None
) -> bytes:
    # No backend is asked for no bytes, but whether the file is there must be asked.
    data = await _fetch(backend, key, start, end - start or 1, if_match)
    return data if end > start else b""


async def _fetch(
    backend: AsyncBackend, key: str, start: int, length: int | None, if_match: str | None
) -> bytes:
    read_range = members.member(backend, "read_range", AsyncBackend)
    chunks = read_range(key, start, length=length, if_match=if_match)
    async with Closing(chunks):
        data = b"".join([chunk async for chunk in chunks])
    range_rules.refuse_more(data, length, key, backend.name)
    return data
