"""Where a walk of folders, level by level, goes on to, and what it leaves out."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from remote_store._contract.left_out import LeftOut
from remote_store._contract.standard_errors import first_with_others
from remote_store._types.errors import BackendUnavailable, RemoteStoreError
from remote_store._types.models import FolderEntry

__all__ = ["Descent"]

_log = logging.getLogger(__name__)


class Descent:
    """
    The folders that a walk is to list next.

    It does not enter links: they may lead back up. A folder below the first
    one that cannot be listed does not hide the others; its error comes at the
    end.

    Args:
        key: Key of the folder to begin at.
        max_depth: How many folders to go down; None for all.
    """

    def __init__(self, key: str, max_depth: int | None = None) -> None:
        self._key = key
        self._max_depth = max_depth
        self._depth = 0
        self._below = [key]
        self._listed = key
        self._left_out = LeftOut(_log, key)
        self._errors: list[RemoteStoreError] = []

    def levels(self) -> Generator[list[str], None, None]:
        """
        Yield the keys of the folders of each level.

        Raises:
            RemoteStoreError: The first one that `listing` kept; ``others`` are the rest.
        """
        while self._below:
            level, self._below = self._below, []
            yield level
            self._depth += 1
        self._left_out.finish()
        if self._errors:
            raise first_with_others(self._errors)

    def meet(self, entry: FolderEntry) -> None:
        """
        Note a folder that was found, if the walk goes down to it.

        Raises:
            RemoteStoreError: It is not below the folder that was listed: the
                walk might never end.
        """
        if self._max_depth is not None and self._depth >= self._max_depth:
            return
        key = entry.path.as_posix()
        if self._listed and not key.startswith(f"{self._listed}/"):
            msg = f"the backend lists {key!r} in folder {self._listed!r}, where it is not"
            raise RemoteStoreError(msg, path=self._listed)
        if getattr(entry, "is_link", False):  # others' models may lack it
            self._left_out.link()
        else:
            self._below.append(key)

    @contextmanager
    def listing(self, key: str) -> Generator[None, None, None]:
        """Keep the error of a folder that refuses to be listed, while others may not."""
        self._listed = key
        try:
            yield
        except BackendUnavailable as error:  # so would the next folder
            first_with_others([error, *self._errors])
            raise
        except RemoteStoreError as error:
            if key == self._key:
                raise
            self._errors.append(error)
