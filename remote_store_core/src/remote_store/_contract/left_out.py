"""What a listing leaves out, said once for each kind."""

from __future__ import annotations

import logging

__all__ = ["LeftOut"]


class LeftOut:
    """
    What one listing leaves out: one warning of each kind, which programs can tell apart.

    A record about names has the attribute ``names_left_out=True``, one about
    links ``links_left_out`` with their number.

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
            self._log.warning(
                "Listing of %r leaves out %d links, to folders or out of the root",
                self._where,
                self._links,
                extra={"links_left_out": self._links},
            )
