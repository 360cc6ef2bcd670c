"""Time zones: a local time that is taken for UTC shows only where the two differ."""

from __future__ import annotations

import contextlib
import os
import time as clock
from collections.abc import Iterator

__all__ = ["far_from_utc"]


@contextlib.contextmanager
def far_from_utc() -> Iterator[None]:
    """Put the process into a zone 14 hours from UTC, where the system has zones."""
    old = os.environ.get("TZ")
    os.environ["TZ"] = "KIT-14"
    _take_zone()
    try:
        yield
    finally:
        if old is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = old
        _take_zone()


def _take_zone() -> None:
    # Windows has none of it; the zone is then whatever it is.
    getattr(clock, "tzset", lambda: None)()
