"""When a file may be read whose versions only its size and its time tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from remote_store_transfer._values import Version

__all__ = ["rests"]

#: Seconds that a file has to have rested before it is read, where only its
#: time tells versions. Two changes within one tick of a clock have one time,
#: and the time is set before the content: a writer on a busy machine may be
#: held up in the middle of one write.
_REST: Final = 0.2
#: Seconds by which the clock of a file system may be ahead of ours.
_SKEW: Final = 2.0


def rests(seen: Version) -> float:
    """Return the seconds for which a file should still be left alone."""
    if seen.etag is not None or seen.modified_at is None:
        return 0
    age = (datetime.now(UTC) - seen.modified_at).total_seconds()
    return min(_REST, _REST - age) if -_SKEW <= age < _REST else 0
