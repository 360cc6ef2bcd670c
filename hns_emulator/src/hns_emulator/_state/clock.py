"""Time as the service counts it: ticks of 100 ns since year 1, never the same twice."""

from __future__ import annotations

import email.utils
import time
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "etag", "filetime", "http_date", "precise", "seconds", "unix_seconds"]

_UNIX_EPOCH = 621_355_968_000_000_000
_FILETIME_EPOCH = 504_911_232_000_000_000
_PER_SECOND = 10_000_000


class Clock:
    """Hands out strictly increasing ticks."""

    def __init__(self) -> None:
        self._last = 0

    def tick(self) -> int:
        """Return the next tick: now, or one more than the last."""
        now = _UNIX_EPOCH + time.time_ns() // 100
        self._last = max(self._last + 1, now)
        return self._last


def etag(ticks: int) -> str:
    """Return the ETag of a modification at *ticks*, without quotes."""
    return f"0x{ticks:X}"


def seconds(ticks: int) -> int:
    """Return whole seconds since 1970, the precision of a Last-Modified."""
    return (ticks - _UNIX_EPOCH) // _PER_SECOND


def http_date(ticks: int) -> str:
    """Return *ticks* as an RFC 1123 date; fractions of a second are cut off."""
    return email.utils.formatdate(seconds(ticks), usegmt=True)


def unix_seconds(date: str) -> int | None:
    """Return an RFC 1123 date as seconds since 1970, None if it is not a date."""
    try:
        return int(email.utils.parsedate_to_datetime(date).timestamp())
    except ValueError:
        return None


def filetime(ticks: int) -> str:
    """Return *ticks* in 100 ns since 1601, as listings have creation times."""
    return str(ticks - _FILETIME_EPOCH)


def precise(ticks: int) -> str:
    """Return *ticks* as ISO 8601 with seven decimals, as error bodies have them."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds(ticks))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ticks % _PER_SECOND:07d}Z"
