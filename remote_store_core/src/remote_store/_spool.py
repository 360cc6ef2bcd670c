"""Files kept in memory up to a size, and on disk beyond it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, cast

__all__ = ["spooled_read", "spooled_write"]

#: Bytes kept in memory.
_SPOOL: Final = 8 << 20
#: Bytes copied at once.
_COPY: Final = 256 << 10


def _spool() -> BinaryIO:
    import tempfile  # takes long to import, and few programs get here

    return cast("BinaryIO", tempfile.SpooledTemporaryFile(_SPOOL))


def spooled_read(stream: BinaryIO) -> BinaryIO:
    """Return *stream* if it can seek; else a copy of it that can, and close *stream*."""
    if stream.seekable():
        return stream
    spool = _spool()
    try:
        with stream:
            while chunk := stream.read(_COPY):
                spool.write(chunk)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


@contextlib.contextmanager
def spooled_write(publish: Callable[[BinaryIO], object]) -> Iterator[BinaryIO]:
    """Gather what the body writes, and hand it to *publish* after a body that did not fail."""
    with _spool() as spool:
        yield spool
        spool.seek(0)
        publish(spool)
