"""Which files a transfer is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from remote_store import FileInfo
from remote_store_transfer._listing.records import Seen, seen_of

if TYPE_CHECKING:
    from remote_store import GlobPattern

__all__ = ["Filters"]


class Filters:
    """
    Patterns for paths, of both sides; limits of time and size, of the source.

    Args:
        include: Patterns of which one has to match; none for all.
        exclude: Patterns of which none may match.
        newer: Aware time after which the source was modified.
        min_size: Bytes that a file has at least.
        max_size: Bytes that a file has at most.

    Raises:
        ValueError: A pattern is malformed, *newer* is naive, or no size fits
            the limits.
        TypeError: A pattern is a str where several are meant.
    """

    def __init__(
        self,
        include: Iterable[str | GlobPattern] = (),
        exclude: Iterable[str | GlobPattern] = (),
        newer: datetime | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
    ) -> None:
        self._include = _parsed("include", include)
        self._exclude = _parsed("exclude", exclude)
        if newer is not None and newer.tzinfo is None:
            msg = "newer must be an aware time, such as datetime.now(UTC) - timedelta(days=1)"
            raise ValueError(msg)
        self._newer = newer
        self._min = 0 if min_size is None else min_size
        self._max = max_size
        if self._min < 0 or (max_size is not None and max_size < self._min):
            msg = f"no size is at least {min_size} and at most {max_size}"
            raise ValueError(msg)

    def accepts(self, path: str, file: FileInfo) -> bool:
        """Return True if everything lets a file pass whose relative path is *path*."""
        return self.names(path) and self.takes(seen_of(path, file))

    def names(self, path: str) -> bool:
        """Return True if the patterns let a path pass."""
        if self._include and not any(pattern.matches(path) for pattern in self._include):
            return False
        return not (self._exclude and any(pattern.matches(path) for pattern in self._exclude))

    def takes(self, seen: Seen) -> bool:
        """Return True if time and size let a file of the source pass."""
        size, time = seen[1], seen[2]
        if self._newer is not None and (time is None or time <= self._newer):
            return False
        return size >= self._min and (self._max is None or size <= self._max)


def _parsed(name: str, patterns: Iterable[str | GlobPattern]) -> tuple[GlobPattern, ...]:
    if isinstance(patterns, str):
        msg = f"{name} takes several patterns: write [{patterns!r}]"
        raise TypeError(msg)
    given = tuple(patterns)
    if not given:
        return ()
    from remote_store import GlobPattern  # most transfers are of all files

    return tuple(p if isinstance(p, GlobPattern) else GlobPattern.parse(p) for p in given)
