"""What a file that is read keeps, and how far it reads ahead."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from fsspec.caching import BaseCache, register_cache

__all__ = ["ReadAhead"]

#: Bytes that are read ahead when a program first goes on where it stopped.
_FIRST: Final = 64 * 1024


class ReadAhead(BaseCache):
    """
    Reads ahead of who reads on, and exactly what is asked of who jumps.

    A program that goes on where it stopped gets more with each request, up
    to a block; what was fetched in vain is never more than what was read
    before it. One that jumps, as readers of Parquet and zip files do, gets
    what it asks for and no byte more.

    Args:
        blocksize: The most that is read ahead, in bytes.
        fetcher: Called with start and end, returns these bytes.
        size: Of the file, in bytes.
    """

    name: ClassVar[str] = "remote-store"

    def __init__(self, blocksize: int, fetcher: Any, size: int) -> None:
        super().__init__(blocksize, fetcher, size)
        self._start = 0
        self._held = b""
        self._ahead = 0

    def _fetch(self, start: int | None, stop: int | None) -> bytes:
        start = start or 0
        stop = self.size if stop is None else min(stop, self.size)
        if start >= stop:
            return b""
        end = self._start + len(self._held)
        if self._start <= start and stop <= end:
            self.hit_count += 1
            return self._held[start - self._start : stop - self._start]
        known = b""
        if self._held and self._start <= start <= end:
            known = self._held[start - self._start :]
            self._ahead = min(self.blocksize, max(_FIRST, 2 * self._ahead))
        else:
            self._ahead = 0
        first = start + len(known)
        self._held = b""  # not both at once
        self._held = self.fetcher(first, min(self.size, stop + self._ahead))
        self._start = first
        self.miss_count += 1
        self.total_requested_bytes += len(self._held)
        return known + self._held[: stop - first]


register_cache(ReadAhead, clobber=True)
