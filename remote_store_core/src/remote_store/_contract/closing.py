"""Closing what an iteration leaves behind, at the end of a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from remote_store._threads.chunk_reader import close_quietly

__all__ = ["closing"]


@contextlib.contextmanager
def closing(iterator: Any) -> Iterator[None]:
    """
    Close a backend's *iterator* at the end of the block, if it can be closed.

    What goes wrong in that is logged, not raised: what was handed out is
    complete, or an error on its way says that it is not.
    """
    try:
        yield
    finally:
        if hasattr(iterator, "close"):
            close_quietly(iterator)
