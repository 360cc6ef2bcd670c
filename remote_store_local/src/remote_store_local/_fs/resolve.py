"""
Finding what a key names without leaving the root, also where links on the way lead out.

A key is resolved in two steps: its folder is opened, and everything that
follows is done relative to that open folder and to one name in it, which is
never followed when it is a link. How a folder is opened is the `Method`:

- ``walk``: one step at a time, each relative to the folder above and refusing
  links; wherever calls take ``dir_fd``. No race can lead out: a folder that
  is swapped for a link is refused like any other link.
- ``path``: its real path is compared with the root's (Windows). A program that
  swaps a folder for a link at the very moment could win a race.

A link is resolved by its real path, which has to lie below the root, and the
result is opened in the same way again.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import Final, Literal, Self

from remote_store import InvalidPath, NotFound
from remote_store_local._fs.folder import ENTER, LIST, NOFOLLOW, OpenFolder, close_quietly, enter

__all__ = ["Method", "Resolved", "Root", "best_method"]

Method = Literal["walk", "path"]

_MAX_LINKS: Final = 40
#: "No file can have that name": so nothing is there.
_IMPOSSIBLE: Final = {errno.ENAMETOOLONG, errno.EILSEQ}
_DIR_FD: Final = {os.open, os.stat, os.mkdir, os.rmdir, os.unlink, os.rename, os.link}


def best_method() -> Method:
    """Return the safest way of opening folders that this system offers."""
    if os.supports_dir_fd >= _DIR_FD and NOFOLLOW and os.scandir in os.supports_fd:
        return "walk"
    return "path"


def _real_path(path: str) -> str:
    """Return a path without links, also while one of them is swapped for something else."""
    for _ in range(_MAX_LINKS):
        try:
            return os.path.realpath(path)
        except OSError as error:
            # It was a link when it was looked at, and is not a link any more.
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                raise
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


class Resolved:
    """
    A name in an open folder: what a key leads to, links followed.

    Args:
        folder: The folder; closed together with this.
        name: The name in it.
        found: What is there, or None for nothing.
        followed: Whether the key's own last segment is a link.
        absence: The system's word that nothing is there.
    """

    __slots__ = ("absence", "folder", "followed", "found", "name")

    def __init__(
        self,
        folder: OpenFolder,
        name: str,
        found: os.stat_result | None,
        followed: bool,
        absence: OSError | None = None,
    ) -> None:
        self.folder = folder
        self.name = name
        self.found = found
        self.followed = followed
        self.absence = absence

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.folder.close()


class Root:
    """
    The folder that no key leads out of.

    No descriptor is held between calls, so that forks, pickles and a root
    that is replaced need no care.

    Args:
        path: Its absolute path.
        backend: Name for errors.
        method: How folders are opened.
    """

    __slots__ = ("_below_root", "backend", "method", "path")

    def __init__(self, path: str, backend: str, method: Method) -> None:
        self.path = path
        self.backend = backend
        self.method: Method = method
        self._below_root = os.path.join(path, "")

    def lost_root(self, key: str) -> NotFound | None:
        """
        Return the error for *key* if the root is not a folder, or gone; else None.

        Only asked where something is missing anyway.
        """
        try:
            if stat.S_ISDIR(os.stat(self.path).st_mode):
                return None
            what = "is not a folder"
        except (FileNotFoundError, NotADirectoryError):
            what = "does not exist"
        except OSError:
            return None
        msg = (
            f"The root {self.path!r} {what}; make that folder, or build the backend anew "
            f"with create_root=True: {key!r}"
        )
        return NotFound(msg, path=key, backend=self.backend)

    def open_folder(self, key: str, *, listing: bool = False) -> OpenFolder:
        """
        Open the folder of a key, ``""`` for the root; links inside the root are followed.

        Args:
            key: Key in normal form.
            listing: Open it for listing, which needs one permission more.

        Raises:
            OSError: ENOENT (also where no file can have such a name), ENOTDIR ...
            InvalidPath: A link on the way leads out of the root.
        """
        target = key
        for _ in range(_MAX_LINKS):
            try:
                if self.method == "path":
                    return self._checked_path(target)
                return self._walk(target, listing)
            except OSError as error:
                if error.errno in _IMPOSSIBLE:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key) from error
                if error.errno != errno.EXDEV:
                    raise
            target = self.canonical(key)
        raise self._unresolved(key)

    def _unresolved(self, key: str) -> OSError:
        """Return the reason why the links in a key lead nowhere: its length, or else a circle."""
        try:
            os.lstat(os.path.join(self.path, *key.split("/")))
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return error
        return OSError(errno.ELOOP, os.strerror(errno.ELOOP), key)

    def _walk(self, key: str, listing: bool) -> OpenFolder:
        # On the path of every operation: bare descriptors, no object for each step.
        flags = (LIST if listing else ENTER) | NOFOLLOW
        if not key:
            return OpenFolder(os.open(self.path, flags & ~NOFOLLOW))
        # The first step needs no open root: links above it and at it are followed anyway.
        first, *between = key.split("/")
        if not between:
            return OpenFolder(enter(None, self._below_root + first, flags))
        last = between.pop()
        fd = enter(None, self._below_root + first, ENTER | NOFOLLOW)
        try:
            for name in between:
                below = enter(fd, name, ENTER | NOFOLLOW)
                close_quietly(fd)
                fd = below
            return OpenFolder(enter(fd, last, flags))
        finally:
            close_quietly(fd)

    def _checked_path(self, key: str) -> OpenFolder:
        path = self.path
        if target := self.canonical(key):
            path = os.path.join(path, *target.split("/"))
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return OpenFolder(None, os.path.join(path, ""))

    def canonical(self, key: str) -> str:
        """
        Return the key without links that leads to the same place.

        Raises:
            InvalidPath: That place is outside the root.
        """
        base = _real_path(self.path)
        path = _real_path(os.path.join(base, *key.split("/")))
        if path == base:
            return ""
        base = os.path.join(base, "")
        if not path.startswith(base):
            msg = "Path follows a link that leaves the root"
            raise InvalidPath(msg, path=key, backend=self.backend)
        return path[len(base) :].replace(os.sep, "/")

    def resolve_folder(self, key: str) -> Resolved:
        """
        Open the folder of a key without looking what the key itself leads to.

        Raises:
            OSError, InvalidPath: As `open_folder`.
        """
        above, _, name = key.rpartition("/")
        return Resolved(self.open_folder(above), name, None, False)

    def _open_to_change(self, key: str) -> OpenFolder:
        try:
            return self.open_folder(key, listing=True)
        except PermissionError:
            return self.open_folder(key)

    def resolve(self, key: str, *, follow: bool = True, change: bool = False) -> Resolved:
        """
        Find what a key leads to.

        Args:
            key: Key in normal form, ``""`` for the root.
            follow: Follow a link in the last segment; False finds the link.
            change: Open its folder so that `Changing` can lock it, as far as we
                may list it.

        Raises:
            OSError: The folder of *key* is missing (ENOENT) or a file
                (ENOTDIR), or cannot be looked into.
            InvalidPath: A link on the way leads out of the root.
        """
        target = key
        for hops in range(_MAX_LINKS):
            above, _, name = target.rpartition("/")
            folder = self._open_to_change(above) if change else self.open_folder(above)
            try:
                found = folder.stat(name or ".")
            except OSError as error:
                if error.errno == errno.ENOENT or error.errno in _IMPOSSIBLE:
                    return Resolved(folder, name, None, hops > 0, error)
                folder.close()
                raise
            except BaseException:
                folder.close()
                raise
            if not (follow and stat.S_ISLNK(found.st_mode)):
                return Resolved(folder, name or ".", found, hops > 0)
            folder.close()
            target = self.canonical(target)
        raise self._unresolved(key)
