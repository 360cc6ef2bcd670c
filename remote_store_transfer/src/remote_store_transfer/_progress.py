"""How far an execution is: made for those who watch it."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Progress"]


@frozen
class Progress:
    """
    How far an execution is.

    Args:
        path: The file that moved last.
        file_done: Its bytes that were read.
        file_size: Its bytes in all.
        files_done: Actions that ended, well or not; files that are equal from the beginning.
        files: Actions in all.
        bytes_done: Bytes that were read of all files; what an attempt read
            that was repeated is taken back.
        bytes: Bytes to move in all.
        failed: Actions that failed.
        seconds: Since the start.
    """

    path: str
    file_done: int
    file_size: int
    files_done: int
    files: int
    bytes_done: int
    bytes: int
    failed: int
    seconds: float
