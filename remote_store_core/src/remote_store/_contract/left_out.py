"""What a listing leaves out: said once for each kind, and counted for who asks."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Generator
from contextvars import ContextVar
from typing import Final

from attrs import define

__all__ = ["LeftOut", "LeftOutCount", "count_left_out"]


@define
class LeftOutCount:
    """
    What listings left out.

    Args:
        links: How many links, to folders or out of the root, were not followed.
        names: Whether there were names that no path can have.
    """

    links: int = 0
    names: bool = False


#: Who counts. A context goes with a call into the threads and loops that serve
#: it, so that each listing is counted for the one who asked for it.
_counts: Final[ContextVar[tuple[LeftOutCount, ...]]] = ContextVar("left_out", default=())
_lock: Final = threading.Lock()


@contextlib.contextmanager
def count_left_out() -> Generator[LeftOutCount, None, None]:
    """
    Count what listings that are made within the ``with`` leave out, whatever becomes of warnings.

    ::

        with count_left_out() as left_out:
            files = list(store.list_files("", recursive=True))
        if left_out.links or left_out.names: ...

    It counts for the task or thread that entered it, and for tasks that are made in it; a
    thread of your own takes part where it runs in a copy of the context.

    Returns:
        A `LeftOutCount` that grows; a listing's links are added at its end.
    """
    count = LeftOutCount()
    token = _counts.set((*_counts.get(), count))
    try:
        yield count
    finally:
        _counts.reset(token)


class LeftOut:
    """
    What one listing leaves out: one warning of each kind, which programs can tell apart.

    A record about names has the attribute ``names_left_out=True``, one about
    links ``links_left_out`` with their number. A program that asked by
    `count_left_out` is told without a log.

    Args:
        log: The backend's logger.
        where: What is listed, for the message: a key, or the name of a container.
    """

    __slots__ = ("_links", "_log", "_warned", "_where")

    def __init__(self, log: logging.Logger, where: str) -> None:
        self._log = log
        self._where = where
        self._warned = False
        self._links = 0

    def name(self, name: str) -> None:
        """Warn of a name that is not a path; only of the first one."""
        if not self._warned:
            self._warned = True
            for count in _counts.get():
                count.names = True
            self._log.warning(
                "Listing of %r leaves out names that no path can have, the first is %r",
                self._where,
                name,
                extra={"names_left_out": True},
            )

    def link(self, count: int = 1) -> None:
        """Count links that the listing does not enter, to folders or out of the root."""
        self._links += count

    def finish(self) -> None:
        """Say how many links there were, at the end of the listing."""
        if self._links:
            with _lock:  # of two listings at once
                for count in _counts.get():
                    count.links += self._links
            self._log.warning(
                "Listing of %r leaves out %d links, to folders or out of the root",
                self._where,
                self._links,
                extra={"links_left_out": self._links},
            )
