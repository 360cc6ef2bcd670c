"""What the async and the sync backend are beside their operations: one root and its options."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, cast, get_args

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    RemoteStoreError,
)
from remote_store.authoring import folder_key
from remote_store_local._errors import translate
from remote_store_local._files import Fsync, LocalFiles
from remote_store_local._keys import refuse_device_names
from remote_store_local._url import folder_of_url

if TYPE_CHECKING:
    from remote_store import ResolutionPlan

__all__ = ["Rooted"]

T = TypeVar("T")

#: What reads and writes: an object may have been given another one, as by a program that counts.
_CONTENT: Final = frozenset(
    {"read", "read_bytes", "read_range", "read_seekable", "write", "write_atomic", "open_atomic"}
)


class Rooted:
    """
    A root folder, found or made, with its files.

    Args:
        root: The folder.
        fsync: What survives a power loss.
        create_root: Create the folder if it is missing.
        options: Further keywords of the class, for pickling.

    Raises:
        NotFound, InvalidPath, PermissionDenied, ValueError: See the backends.
    """

    CAPABILITIES: ClassVar[CapabilitySet]
    CONTRACT: ClassVar[str] = "1.1"
    close_is_terminal: ClassVar[bool] = False
    _NAME: ClassVar[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        fsync: Fsync,
        create_root: bool,
        **options: Any,
    ) -> None:
        path = os.fspath(root)
        if not isinstance(path, str):
            msg = f"the root must be a str or a path of one, got {type(path).__name__}"
            raise TypeError(msg)
        if "\0" in path:
            msg = f"the root must not contain a NUL character: {path!r}"
            raise ValueError(msg)
        if not path:
            msg = "the root must not be empty; write '.' for the working directory"
            raise ValueError(msg)
        if fsync not in get_args(Fsync):
            msg = f"fsync must be one of {', '.join(get_args(Fsync))}, got {fsync!r}"
            raise ValueError(msg)
        self._root = self._absolute(path)
        self._options = {"fsync": fsync, "create_root": create_root, **options}
        self._open_root(create_root)
        self._files = LocalFiles(self._root, self._NAME, fsync)
        missing = set()
        if not self._files.keeps_metadata:
            missing.add(Capability.USER_METADATA)
        if not self._files.moves_atomically:
            missing.add(Capability.ATOMIC_MOVE)
        if not self._files.compares:
            missing.add(Capability.CONDITIONAL_WRITE)
        self._capabilities = CapabilitySet(set(self.CAPABILITIES) - missing)

    def _absolute(self, path: str) -> str:
        try:
            return os.path.abspath(os.path.expanduser(path))
        except FileNotFoundError as error:
            msg = f"the working directory, which the root is relative to, is missing: {path!r}"
            raise NotFound(msg, path="", backend=self._NAME) from error

    def _open_root(self, create: bool) -> None:
        try:
            if create:
                os.makedirs(self._root, exist_ok=True)
            with os.scandir(self._root):
                pass
        except FileNotFoundError as error:
            msg = f"Root folder not found: {self._root!r}"
            raise NotFound(msg, path="", backend=self._NAME) from error
        except (FileExistsError, NotADirectoryError) as error:
            msg = f"Root is not a folder: {self._root!r}"
            raise InvalidPath(msg, path="", backend=self._NAME) from error
        except OSError as error:
            raise translate(error, self._root, self._NAME) from error

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        """
        Return the backend of a URL and the path in it, which is always the root.

        Args:
            url: ``file:///srv/data`` or ``local:///srv/data``, or relative to
                the working directory ``local:data``, or to a home folder
                ``local:~/data``; percent-encoded.
            options: Keywords of the class.

        Raises:
            ValueError: *url* names a host, or no folder; otherwise as the class.
        """
        return cls(folder_of_url(url), **options), ""

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(type(self), self._root, **self._options), ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._root!r}, fsync={self._options['fsync']!r})"

    @property
    def name(self) -> str:
        """``"async-local"`` or ``"local"``."""
        return self._NAME

    @property
    def capabilities(self) -> CapabilitySet:
        """
        Those of the class, as far as the root's file system provides for them.

        ATOMIC_MOVE needs a temporary file to be tried on: a root that could not
        take one (read-only, or full at that moment) does not declare it.
        """
        return self._capabilities

    def native_path(self, path: str) -> str:
        """
        Return the absolute path of a key; nothing need be there.

        Raises:
            InvalidPath: *path* is malformed.
        """
        key = refuse_device_names(folder_key(path, self._NAME), self._NAME)
        return os.path.join(self._root, *key.split("/")) if key else self._root

    def to_key(self, native_path: str) -> str:
        """
        Return the key of an absolute path, ``""`` for the root's.

        Raises:
            InvalidPath: *native_path* is not below the root, or no key can name it.
        """
        base = os.path.join(self._root, "")
        if native_path in (self._root, base):
            return ""
        if not native_path.startswith(base):
            msg = f"path is not under the root {self._root!r}: {native_path!r}"
            raise InvalidPath(msg, path=native_path, backend=self._NAME)
        key = native_path[len(base) :].replace(os.sep, "/")
        return refuse_device_names(folder_key(key, self._NAME), self._NAME)

    def files_of(
        self, other: object, cls: type[Rooted], refusal: Callable[[str], RemoteStoreError]
    ) -> LocalFiles:
        """
        Return the files of another backend whose copies here can be like them.

        Args:
            other: The backend.
            cls: The class of both. One that is made from it may give another
                content than its files have, and so may an object with methods of its own.
            refusal: Returns the error for want of such files, told why.

        Raises:
            CapabilityNotSupported: There are none.
        """
        if not (isinstance(other, cls) and _is_plain(self, cls) and _is_plain(other, cls)):
            why = "it is no folder of this machine whose files are read and written as they are"
            raise refusal(why)
        theirs = other._files  # noqa: SLF001 - of the same class
        if theirs.keeps_metadata and not self._files.keeps_metadata:
            why = "this file system could not keep the user metadata"
            raise refusal(why)
        return theirs

    def resolve(self, path: str) -> ResolutionPlan:
        """Return the absolute path of a key as a plan; details hold the ``root``."""
        from remote_store import ResolutionPlan  # few programs ask

        native = self.native_path(path)
        return ResolutionPlan(self._NAME, self._NAME, path, native, {"root": self._root})

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the root as a `pathlib.Path`.

        Raises:
            CapabilityNotSupported: Another type was asked for.
        """
        from pathlib import Path  # whoever asks for it has loaded it

        if type_hint is Path:
            return cast("T", Path(self._root))
        msg = (
            f"backend {self._NAME!r} does not expose native handle {type_hint!r}, only pathlib.Path"
        )
        raise CapabilityNotSupported(msg, backend=self._NAME, capability="unwrap")


def _is_plain(backend: object, cls: type) -> bool:
    return type(backend) is cls and _CONTENT.isdisjoint(vars(backend))
