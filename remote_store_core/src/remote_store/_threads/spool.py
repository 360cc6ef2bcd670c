"""Files kept in memory up to a size, and on disk beyond it."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from remote_store._threads.chunk_reader import close_quietly, read_some
from remote_store._types.errors import RemoteStoreError

if TYPE_CHECKING:
    from tempfile import SpooledTemporaryFile

__all__ = ["spooled_read", "spooled_write"]

#: Bytes kept in memory.
_SPOOL: Final = 8 << 20
#: Bytes copied at once.
_COPY: Final = 256 << 10


@functools.cache
def _spool_class() -> type[SpooledTemporaryFile[bytes]]:
    import tempfile  # takes long to import, and few programs get here

    class Spool(tempfile.SpooledTemporaryFile[bytes]):
        """Raises our error on a full disk: an OSError would look like the store's answer."""

        def rollover(self) -> None:
            with _no_room():
                super().rollover()

        def write(self, s: Any) -> int:
            with _no_room():
                return super().write(s)

    return Spool


@contextlib.contextmanager
def _no_room() -> Iterator[None]:
    try:
        yield
    except RemoteStoreError:
        raise
    except OSError as error:
        msg = (
            f"what is kept on disk meanwhile cannot be written to the folder for temporary files "
            f"({error.strerror}); make room there, or have TMPDIR name another one"
        )
        raise RemoteStoreError(msg) from error


@functools.cache
def _draft_class() -> type[Any]:
    class Draft(_spool_class()):  # type: ignore[misc]
        """Keeps its content when it is closed: a TextIOWrapper around it does that unasked."""

        _file: Any
        content: Any = None

        def close(self) -> None:
            if self.content is None:
                self.content, self._file = self._file, io.BytesIO()
                self._file.close()

        def __exit__(self, *_: object) -> None:
            self.close()

    return Draft


def spooled_read(stream: BinaryIO) -> BinaryIO:
    """Return *stream* if it can seek; else a copy of it that can, and close *stream*."""
    with contextlib.ExitStack() as ends:
        ends.callback(close_quietly, stream)
        if stream.seekable():
            ends.pop_all()
            return stream
        with contextlib.ExitStack() as failed:
            spool = failed.enter_context(_spool_class()(_SPOOL))
            while chunk := read_some(stream, _COPY):
                spool.write(chunk)
            spool.seek(0)
            failed.pop_all()
    return cast("BinaryIO", spool)


@contextlib.contextmanager
def spooled_write(publish: Callable[[BinaryIO], object]) -> Iterator[BinaryIO]:
    """
    Gather what the body writes, and hand it to *publish* after a body that did not fail.

    The body may close the file, or leave that to us.
    """
    draft = _draft_class()(_SPOOL)
    try:
        yield draft
        draft.close()
        draft.content.seek(0)
        publish(draft.content)
    finally:
        draft.close()
        draft.content.close()
