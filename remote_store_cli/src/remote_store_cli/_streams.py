"""Standard input as the content of a file, and files as standard output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import stat
import sys
from collections.abc import AsyncGenerator, Callable

from remote_store_cli._opening import OpenedPath
from remote_store_cli._outcome import InvalidCommand

__all__ = ["from_stdin", "to_stdout"]

_STEP = 1 << 20


async def from_stdin(moved: Callable[[int], object]) -> AsyncGenerator[bytes, None]:
    """
    Yield what comes in, until its end.

    Args:
        moved: Told how many bytes more have come.
    """
    async with contextlib.aclosing(_chunks()) as chunks:
        async for chunk in chunks:
            yield chunk
            moved(len(chunk))


async def _chunks() -> AsyncGenerator[bytes, None]:
    """
    Read standard input.

    A pipe and a terminal are waited for by the loop: a thread that is blocked in
    a read could not be interrupted.
    """
    if sys.stdin is None:
        msg = "standard input is closed: there is nothing to be copied"
        raise InvalidCommand(msg)
    fd = sys.stdin.fileno()
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode) or not hasattr(os, "set_blocking"):
        while chunk := await asyncio.to_thread(os.read, fd, _STEP):
            yield chunk
        return
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(fd, ready.set)
    except (PermissionError, NotImplementedError, OSError):
        # Such as /dev/null, which never blocks.
        while chunk := os.read(fd, _STEP):
            yield chunk
        return
    try:
        while True:
            await ready.wait()
            ready.clear()
            # What made it ready may have been read before.
            if not select.select([fd], [], [], 0)[0]:
                continue
            chunk = os.read(fd, _STEP)
            if not chunk:
                return
            yield chunk
    finally:
        loop.remove_reader(fd)


async def to_stdout(opened: OpenedPath) -> None:
    """
    Write the bytes of a file to standard output.

    Raises:
        InvalidCommand: It is a root.
        RemoteStoreError: It cannot be read.
        OSError: Standard output cannot be written to.
    """
    if not opened.key:
        msg = f"{opened.location.text} is a folder, and has no bytes of its own"
        raise InvalidCommand(msg)
    async with contextlib.aclosing(opened.store.read(opened.key)) as chunks:
        async for chunk in chunks:
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
