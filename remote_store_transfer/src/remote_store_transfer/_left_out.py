"""
What listings leave out, heard from the warnings that say so.

A backend warns once in a listing of names that no path can have, and of links
that it does not enter; its records carry ``names_left_out`` and
``links_left_out``. There is no other way to learn of them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Generator
from contextvars import ContextVar
from typing import Final

from attrs import define

__all__ = ["LeftOut", "hearing"]


@define
class LeftOut:
    """
    What the listings of one side left out.

    Args:
        links: How many links were not followed.
        names: Whether there were names that no path can have.
    """

    links: int = 0
    names: bool = False


#: A context goes with a call into the threads that serve it, so that each
#: listing is heard by the one who asked for it.
_listener: Final[ContextVar[LeftOut | None]] = ContextVar("remote_store_transfer", default=None)
_lock: Final = threading.Lock()
_listening = 0


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        listener = _listener.get()
        links = getattr(record, "links_left_out", 0)
        names = getattr(record, "names_left_out", False)
        if listener is not None and (links or names):
            listener.links += links
            listener.names |= names
            return
        # A program without handlers sees warnings by the last resort, which
        # this handler shall not take from it.
        last = logging.lastResort
        if last is not None and logging.getLogger().handlers == [self]:
            last.handle(record)


_ear: Final = _Ear()


@contextlib.contextmanager
def hearing() -> Generator[LeftOut, None, None]:
    """Listen to what is logged in this context."""
    global _listening
    left_out = LeftOut()
    token = _listener.set(left_out)
    with _lock:
        _listening += 1
        if _listening == 1:
            logging.getLogger().addHandler(_ear)
    try:
        yield left_out
    finally:
        with _lock:
            _listening -= 1
            if not _listening:
                logging.getLogger().removeHandler(_ear)
        _listener.reset(token)
