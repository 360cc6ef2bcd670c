"""Files that are copied together: what a backend is asked for, and what each pair gets."""

from __future__ import annotations

from collections.abc import Sequence

from remote_store._store import rebasing, rules
from remote_store._types.errors import InvalidPath, RemoteStoreError
from remote_store._types.models import WriteResult
from remote_store._types.path import RemotePath

__all__ = ["Copies"]


class Copies:
    """
    The pairs of one call, each with its result.

    Args:
        source: Root of the store that files are copied from.
        root: Root of the store that they are copied to.
        pairs: The caller's.

    Attributes:
        results: What became of each pair, in their order; malformed ones have theirs already.
        pairs: What the backend is asked for: both keys, each target once.
        paths: The caller's path of each target.
        again: Places of the pairs whose target is there for the second time.

    Raises:
        TypeError: *pairs* are none, or one of them has something else than two paths.
    """

    __slots__ = ("_places", "_root", "again", "pairs", "paths", "results")

    def __init__(
        self,
        source: str,
        root: str,
        pairs: Sequence[tuple[str | RemotePath, str | RemotePath]],
    ) -> None:
        self._root = root
        self._places: list[int] = []
        self.again: list[int] = []
        self.pairs: list[tuple[str, str]] = []
        self.paths: dict[str, str | RemotePath] = {}
        self.results: list[WriteResult | RemoteStoreError | None] = [None] * len(pairs)
        for place, pair in enumerate(pairs):
            if isinstance(pair, str) or len(pair) != 2:
                msg = f"pairs takes pairs of a source and a target, got {pair!r}"
                raise TypeError(msg)
            src, dst = pair
            try:
                from_key, key = rules.file_key(source, src), rules.file_key(root, dst)
            except InvalidPath as error:
                self.results[place] = error
                continue
            if key in self.paths:
                self.again.append(place)
            else:
                self.paths[key] = dst
                self.pairs.append((from_key, key))
                self._places.append(place)

    def settle(self, found: Sequence[WriteResult | RemoteStoreError | None]) -> None:
        """
        Take note of what a backend tells.

        Raises:
            RemoteStoreError: It tells of more files or of fewer than it was asked for.
        """
        if len(found) != len(self.pairs):
            msg = f"The backend tells of {len(found)} copies and was asked for {len(self.pairs)}"
            raise RemoteStoreError(msg, outcome_unknown=True)
        for place, result in zip(self._places, found, strict=True):
            if result is None or isinstance(result, RemoteStoreError):
                self.results[place] = result
            else:
                self.results[place] = rebasing.rebased_result(self._root, result)
