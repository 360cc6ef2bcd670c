"""What a store decides about the parts of a file that are asked for."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Sequence
from typing import Final

from remote_store._types.errors import RemoteStoreError

__all__ = [
    "check_block_size",
    "cut_ranges",
    "joined_ranges",
    "part_of_file",
    "part_of_suffix",
    "refuse_more",
    "whole_ranges",
]

#: Position behind the end of every file that systems and services can still be asked for.
_FAR: Final = 1 << 61


def part_of_file(start: int, length: int | None, end: int | None) -> tuple[int, int | None]:
    """
    Return start and length of a part of a file; a negative start counts from its end.

    Raises:
        ValueError: *length* and *end* are both given; *length* is negative;
            *end* is below *start*, or given with a negative one.
        TypeError: One of them is not a whole number.
    """
    start = min(operator.index(start), _FAR)
    if length is not None and end is not None:
        msg = "give length or end, not both"
        raise ValueError(msg)
    if length is not None and (length := operator.index(length)) < 0:
        msg = f"length must be >= 0, got {length}"
        raise ValueError(msg)
    if end is not None:
        if start < 0:
            msg = f"end needs a start from the beginning of the file, got {start}"
            raise ValueError(msg)
        if (end := operator.index(end)) < start:
            msg = f"end must be >= start, got {start} to {end}"
            raise ValueError(msg)
        end = min(end, _FAR)
        length = end - start
    return start, length if length is None or length < _FAR else None


def part_of_suffix(size: int, start: int, length: int | None) -> tuple[int, int]:
    """Return start and end of a part whose *start* counts from the end of *size* bytes."""
    first = max(0, size + start)
    return first, size if length is None else min(size, first + length)


def whole_ranges(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """
    Return the ranges of one call as pairs of start and end.

    Raises:
        ValueError: A start is negative, or an end is below its start.
        TypeError: One is not a pair of whole numbers.
    """
    found = []
    for given in ranges:
        try:
            start, end = map(operator.index, given)
        except (TypeError, ValueError) as error:
            msg = f"a range is a pair of start and end, got {given!r}"
            raise TypeError(msg) from error
        if not 0 <= start <= end:
            msg = f"a range needs 0 <= start <= end, got {start} to {end}"
            raise ValueError(msg)
        found.append((min(start, _FAR), min(end, _FAR)))
    return found


def joined_ranges(ranges: Sequence[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """
    Return what is to be fetched: ranges that touch, or are at most *gap* bytes apart, as one.

    Raises:
        ValueError: *gap* is negative.
        TypeError: It is not a whole number.
    """
    if operator.index(gap) < 0:
        msg = f"gap must be >= 0, got {gap}"
        raise ValueError(msg)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def cut_ranges(
    ranges: Sequence[tuple[int, int]], pieces: Sequence[tuple[int, int]], data: Sequence[bytes]
) -> list[bytes]:
    """Return the bytes of each of *ranges* from those of the *pieces* that were fetched."""
    starts = [start for start, _ in pieces]
    found = []
    for start, end in ranges:
        if start == end:
            found.append(b"")
            continue
        i = bisect.bisect_right(starts, start) - 1
        found.append(data[i][start - starts[i] : end - starts[i]])
    return found


def refuse_more(data: bytes, length: int | None, key: str, backend: str) -> None:
    """
    Refuse more bytes than were asked for: they may be those of the whole file.

    Raises:
        RemoteStoreError: There are.
    """
    if length is not None and len(data) > length:
        msg = f"The backend gave {len(data)} bytes of a range of {length}"
        raise RemoteStoreError(msg, path=key, backend=backend)


def check_block_size(block_size: int) -> None:
    """
    Refuse a block that holds nothing.

    Raises:
        ValueError: *block_size* is below 1.
        TypeError: It is not a whole number.
    """
    if operator.index(block_size) < 1:
        msg = f"block_size must be >= 1, got {block_size}"
        raise ValueError(msg)
