"""Files that are deleted together: what a backend is asked for, and what each path gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remote_store._store import gates, rules
from remote_store._types.capabilities import CapabilitySet
from remote_store._types.errors import InvalidPath, RemoteStoreError
from remote_store._types.path import RemotePath, text_of

__all__ = ["Deletions"]


class Deletions:
    """
    The paths of one call, each with its result.

    Args:
        root: Of the store.
        paths: The caller's.
        if_match: ETags by the text of the path, or None.
        capabilities: What the backend declares.
        backend: Its name.

    Attributes:
        results: What became of each path, in their order; malformed ones have theirs already.
        paths: What the backend is asked for: the caller's path of each key, once.
        again: Places of the paths that are there for the second time.
        options: Further keywords for the backend.

    Raises:
        TypeError: *paths* is one path, or one of them is none; or an ETag is no str.
        ValueError: An ETag is of a path that is not there, or cannot be one.
        CapabilityNotSupported: *if_match* without CONDITIONAL_WRITE.
    """

    __slots__ = ("_places", "again", "options", "paths", "results")

    def __init__(
        self,
        root: str,
        paths: Sequence[str | RemotePath],
        if_match: Mapping[str, str] | None,
        capabilities: CapabilitySet,
        backend: str,
    ) -> None:
        if isinstance(paths, (str, RemotePath)):
            msg = f"paths takes several paths: write [{str(paths)!r}]"
            raise TypeError(msg)
        etags = dict(if_match or {})
        for etag in etags.values():
            gates.gate_match(capabilities, etag, backend)
        if etags and not etags.keys() <= set(map(text_of, paths)):
            msg = "if_match has paths that are not in paths"
            raise ValueError(msg)
        self.results: list[RemoteStoreError | None] = [None] * len(paths)
        self.again: list[int] = []
        self._places: dict[str, int] = {}
        matches: dict[str, str] = {}
        for place, path in enumerate(paths):
            try:
                key = rules.file_key(root, path)
            except InvalidPath as error:
                self.results[place] = error
                continue
            if self._places.setdefault(key, place) != place:
                self.again.append(place)
            elif (match := etags.get(text_of(path))) is not None:
                matches[key] = match
        self.paths = {key: paths[place] for key, place in self._places.items()}
        self.options: dict[str, Any] = {"if_match": matches} if matches else {}

    def settle(self, found: Mapping[str, RemoteStoreError]) -> None:
        """
        Take note of what a backend tells.

        Raises:
            RemoteStoreError: It tells of what it was not asked for.
        """
        for key, error in found.items():
            if key not in self._places:
                msg = f"The backend tells of {key!r}, which it was not asked to delete"
                raise RemoteStoreError(msg, outcome_unknown=True) from error
            self.results[self._places[key]] = error
