"""Files of this machine, on their way to a store and from one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

__all__ = ["arriving", "pieces"]

#: Bytes that are read at once.
_PIECE: Final = 4 * 1024 * 1024


async def pieces(
    path: str | os.PathLike[str], callback: Any
) -> AsyncGenerator[tuple[bytes, bool], None]:
    """
    Yield the content of a file in pieces, each with whether it is the last one.

    Args:
        path: Path of the file.
        callback: fsspec's, for the progress.

    Raises:
        OSError: The file cannot be read, or has changed meanwhile (ESTALE).
    """
    with open(path, "rb", buffering=0) as file:  # noqa: ASYNC230 - no wait but for a disk
        before = os.fstat(file.fileno())
        callback.set_size(before.st_size)
        whole = False
        while not whole:
            piece = await asyncio.to_thread(_read, file)
            whole = len(piece) < _PIECE
            after = os.fstat(file.fileno())
            if whole and (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise OSError(
                    errno.ESTALE, "The file has changed while it was read", os.fspath(path)
                )
            callback.relative_update(len(piece))
            yield piece, whole


def _read(file: Any) -> bytes:
    parts: list[bytes] = []
    missing = _PIECE
    while missing and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


@contextlib.asynccontextmanager
async def arriving(target: Any) -> AsyncGenerator[Callable[[bytes], Awaitable[object]], None]:
    """
    Enter with a function that writes the next piece of a file.

    A file on this machine appears as a whole at the end of the block, or not
    at all.

    Args:
        target: Path of the file, which replaces another one; or a binary file
            that is open.

    Raises:
        OSError: It cannot be written.
    """
    if hasattr(target, "write"):
        yield lambda piece: asyncio.to_thread(target.write, piece)
        return
    path = os.fspath(target)
    draft = os.path.join(os.path.dirname(path), f".~tmp.{uuid.uuid4().hex}")
    try:
        with open(draft, "xb") as file:  # noqa: ASYNC230 - as above
            yield lambda piece: asyncio.to_thread(file.write, piece)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise
