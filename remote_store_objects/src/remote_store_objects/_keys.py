"""Keys: which the service can keep, and what a listing shows of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

from remote_store import GlobPattern, InvalidPath, RemotePath, RemoteStoreError, authoring
from remote_store.authoring import LeftOut, is_key, is_reserved, known_path
from remote_store_objects._protocol.description import Description

__all__ = ["Keys", "Shown", "prefix_of", "shown_in", "too_long"]

_log = logging.getLogger(__name__)

#: What a listing shows of a name, if anything.
Shown: TypeAlias = Callable[[str], RemotePath | None]


class Keys:
    """
    Checks of what a caller gave, before any request.

    Args:
        description: Of the service.
    """

    __slots__ = ("description",)

    def __init__(self, description: Description) -> None:
        self.description = description

    def folder(self, key: str) -> str:
        """Return the normal form of a key that may be the root; see `authoring.folder_key`."""
        return authoring.folder_key(key, self.description.name)

    def file(self, key: str) -> str:
        """Return the normal form of a key that must not be the root; see `authoring.file_key`."""
        return authoring.file_key(key, self.description.name)

    def files(self, keys: Iterable[str]) -> tuple[dict[str, str], dict[str, RemoteStoreError]]:
        """Return what was given by its normal form, and the errors of what `file` refuses."""
        given: dict[str, str] = {}
        errors: dict[str, RemoteStoreError] = {}
        for key in keys:
            try:
                given[self.file(key)] = key
            except InvalidPath as error:
                errors[key] = error
        return given, errors

    def target(self, key: str) -> str:
        """
        Return the normal form of a key at which a file may be created.

        Raises:
            InvalidPath: The service cannot keep it; else as `authoring.target_key`.
            TypeError: *key* is not a str.
        """
        normal = authoring.target_key(key, self.description.name)
        if too_long(normal, self.description):
            msg = f"path is longer than the {self.description.max_key} bytes that the service keeps"
        elif self.description.forbidden is not None and self.description.forbidden.search(normal):
            msg = "path has a character that the service does not keep or list unchanged"
        else:
            return normal
        raise InvalidPath(msg, path=key, backend=self.description.name)

    def pattern(self, pattern: str) -> GlobPattern:
        """
        Return a pattern that may match a key.

        Raises:
            InvalidPath: It has no UTF-8 form; else as `GlobPattern.parse`.
            ValueError, re.error: See `GlobPattern.parse`.
        """
        parsed = GlobPattern.parse(pattern)
        try:
            pattern.encode()
        except UnicodeEncodeError as error:
            msg = f"glob pattern has no UTF-8 form: {pattern!r}"
            raise InvalidPath(msg, path=pattern, backend=self.description.name) from error
        return parsed


def too_long(key: str, description: Description) -> bool:
    """Return True if no object can have that key, so that nothing has to be asked."""
    longest = description.max_key
    return len(key) * 4 > longest and len(key.encode()) > longest


def prefix_of(key: str) -> str:
    """Return what the keys of all objects below a folder begin with."""
    return f"{key}/" if key else ""


def shown_in(where: str) -> Shown:
    """
    Return a function from keys of objects to what one listing shows of them.

    It gives None for keys that are no path of a store, of which it warns once,
    and for names that are reserved for temporary files.

    Args:
        where: What is listed, for the warning.
    """
    left_out = LeftOut(_log, where)

    def shown(name: str) -> RemotePath | None:
        if not is_key(name):
            left_out.name(name)
            return None
        return None if is_reserved(name) else known_path(name)

    return shown
