"""Whether a loop of requests gets anywhere: what the service says must not keep it for ever."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from remote_store import BackendUnavailable, RemoteStoreError, RetryPolicy

__all__ = ["Progress"]

#: Seconds that a loop goes on without progress where the policy has no limit.
_PATIENCE: Final = 3600.0


class Patient(Protocol):
    """Whoever sends the requests of a loop."""

    @property
    def name(self) -> str:
        """Of the backend."""
        ...

    @property
    def retry(self) -> RetryPolicy:
        """How patiently failures are met."""
        ...


class Progress:
    """
    How far a loop of requests has come.

    Args:
        session: Whose requests they are.
        path: Key that errors name.
        what: What the loop is about, for errors.
    """

    __slots__ = ("_limit", "_moved", "_path", "_session", "_tokens", "_what")

    def __init__(self, session: Patient, path: str | None, what: str) -> None:
        self._session = session
        self._path = path
        self._what = what
        self._limit = session.retry.timeout or _PATIENCE
        self._moved = asyncio.get_running_loop().time()
        self._tokens: set[int] = set()

    def step(self, *tokens: str, first: str = "", moved: bool) -> None:
        """
        Take note of an answer after which the loop goes on.

        Args:
            tokens: What tells its place, such as where the next page starts;
                empty ones count for nothing.
            first: The first entry that it brought, ``""`` for none: another
                answer that begins with it is a repetition.
            moved: It brought the loop further, by an entry for example.

        Raises:
            RemoteStoreError: A token or a first entry came before, so that the
                loop would not end.
            BackendUnavailable: There was no progress for as long as the
                policy's ``timeout``, or an hour.
        """
        marks = [(hash(token), token) for token in tokens if token]
        if first:
            marks.append((hash((first,)), first))
        for mark, text in marks:
            if mark in self._tokens:
                msg = f"{self._what} does not end: the service says {text!r} again"
                raise RemoteStoreError(msg, path=self._path, backend=self._session.name)
            self._tokens.add(mark)
        now = asyncio.get_running_loop().time()
        if moved:
            self._moved = now
        elif now - self._moved >= self._limit:
            msg = f"{self._what} has made no progress for {self._limit:g} seconds"
            raise BackendUnavailable(msg, path=self._path, backend=self._session.name)
