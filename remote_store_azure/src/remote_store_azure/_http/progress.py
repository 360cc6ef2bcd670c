"""Whether a loop of requests makes progress: what the service says must not keep it endless."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from remote_store import BackendUnavailable, RemoteStoreError

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["PATIENCE", "Progress"]

#: Seconds that a loop goes on without progress where the policy has no limit.
PATIENCE: Final = 3600.0


class Progress:
    """
    How far a loop of requests has come.

    Args:
        session: Of the container.
        path: Key that errors name.
        what: What the loop is about, for errors.
    """

    __slots__ = ("_limit", "_moved", "_path", "_seen", "_session", "_what")

    def __init__(self, session: Session, path: str | None, what: str) -> None:
        self._session = session
        self._path = path
        self._what = what
        self._limit = session.policy.timeout or PATIENCE
        self._moved = asyncio.get_running_loop().time()
        self._seen: set[int] = set()

    def step(self, *tokens: str, moved: bool) -> None:
        """
        Take note of an answer after which the loop goes on.

        Args:
            tokens: What shows its place, such as where the next page starts;
                empty ones count for nothing.
            moved: It brought the loop further, by an entry for example.

        Raises:
            RemoteStoreError: A token came before, so that the loop would not end.
            BackendUnavailable: There was no progress for as long as the
                policy's ``timeout``, or an hour.
        """
        for token in filter(None, tokens):
            mark = hash(token)
            if mark in self._seen:
                msg = f"{self._what} does not end: the service says {token!r} again"
                raise RemoteStoreError(msg, path=self._path, backend=self._session.backend)
            self._seen.add(mark)
        now = asyncio.get_running_loop().time()
        if moved:
            self._moved = now
        elif now - self._moved >= self._limit:
            msg = f"{self._what} has made no progress for {self._limit:g} seconds"
            raise BackendUnavailable(msg, path=self._path, backend=self._session.backend)
