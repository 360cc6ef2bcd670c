"""Numbers, sizes and times, as a reader gets them and a program."""

from __future__ import annotations

from datetime import UTC, datetime

from remote_store import UNKNOWN_TIME

__all__ = ["count", "human_size", "iso_time", "time_text"]


def count(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def human_size(size: int) -> str:
    """Return a number of bytes in binary units, such as ``1.5 KiB``."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1023.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} PiB"


def iso_time(time: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC; None where it is unknown."""
    if time is None or time == UNKNOWN_TIME:
        return None
    return time.astimezone(UTC).isoformat()


def time_text(time: datetime | None) -> str:
    """Return a time for a reader, to the second in UTC; ``-`` where it is unknown."""
    if time is None or time == UNKNOWN_TIME:
        return "-"
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
