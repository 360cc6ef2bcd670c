"""An open folder, and what is done to the names in it without following a link."""

from __future__ import annotations

import errno
import functools
import os
import stat
from types import TracebackType
from typing import Final, Self

__all__ = ["ENTER", "LIST", "NOFOLLOW", "OpenFolder", "close_quietly", "enter", "is_own_folder"]

_DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)
NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
#: Enough to use a folder, without the permission to list it.
ENTER: Final = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
LIST: Final = os.O_RDONLY | _DIRECTORY
#: Opening never waits for the other end of a pipe, and never adopts a terminal.
_SAFE: Final = (
    NOFOLLOW
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def close_quietly(fd: int) -> None:
    """
    Close a descriptor through which nothing was written.

    It is closed even if the system reports an error, and nothing is lost by it.
    """
    try:  # noqa: SIM105 - several for each operation: no context manager
        os.close(fd)
    except OSError:
        pass


class OpenFolder:
    """
    An open folder, and what is done to the names in it; no method follows a link.

    Args:
        fd: Descriptor, or None where calls cannot be relative to one.
        prefix: Path of the folder with a separator; ``""`` beside a descriptor.
    """

    __slots__ = ("fd", "prefix")

    def __init__(self, fd: int | None, prefix: str = "") -> None:
        self.fd = fd
        self.prefix = prefix

    def close(self) -> None:
        """Close the descriptor; idempotent."""
        fd, self.fd = self.fd, None
        if fd is not None:
            close_quietly(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def handle(self) -> int | str:
        """What listing and status calls take: the descriptor, or else the path."""
        return self.prefix if self.fd is None else self.fd

    def at(self, name: str) -> str:
        """Return *name* as system calls want it, together with ``dir_fd=self.fd``."""
        return self.prefix + name

    def stat(self, name: str) -> os.stat_result:
        """Return what *name* is; a link is a link."""
        return os.stat(self.prefix + name, dir_fd=self.fd, follow_symlinks=False)

    def open(self, name: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """Open *name*, refusing links; never blocks on a pipe or device."""
        return os.open(self.prefix + name, flags | _SAFE, mode, dir_fd=self.fd)

    def open_into(self, fds: list[int], name: str, flags: int, mode: int) -> None:
        """
        Append the descriptor of *name* to *fds*, in one step as far as signals go.

        The exception of a handler (Ctrl-C) may come between two steps of
        Python, but not within one of C: the descriptor is never lost.
        """
        call = functools.partial(os.open, mode=mode, dir_fd=self.fd)
        fds.extend(map(call, (self.prefix + name,), (flags | _SAFE,)))

    def unlink(self, name: str) -> None:
        """Remove the file or link *name*."""
        os.unlink(self.prefix + name, dir_fd=self.fd)

    def rmdir(self, name: str) -> None:
        """Remove the empty folder *name*."""
        os.rmdir(self.prefix + name, dir_fd=self.fd)

    def mkdir(self, name: str) -> None:
        """Create the folder *name*."""
        os.mkdir(self.prefix + name, dir_fd=self.fd)

    def enter(self, name: str, *, listing: bool = False) -> OpenFolder:
        """
        Open the subfolder *name*.

        Raises:
            OSError: EXDEV: it is a link; ENOTDIR: it is something else.
        """
        if self.fd is not None:
            return OpenFolder(enter(self.fd, name, (LIST if listing else ENTER) | NOFOLLOW))
        found = self.stat(name)
        if stat.S_ISLNK(found.st_mode) or _is_junction(found):
            raise OSError(errno.EXDEV, "is a link", name)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return OpenFolder(None, self.prefix + name + os.sep)

    def lent(self) -> OpenFolder:
        """Return the same folder for somebody whose `close` does not close this one."""
        return _LentFolder(self.fd, self.prefix)

    def reopened(self) -> OpenFolder:
        """Return the same folder, opened for listing and syncing."""
        if self.fd is None:
            return OpenFolder(None, self.prefix)
        return OpenFolder(os.open(".", LIST, dir_fd=self.fd))

    def sync(self) -> None:
        """
        Bring the names in a folder that was opened for listing to the disk.

        Nothing on Windows, which cannot.
        """
        if self.fd is not None:
            os.fsync(self.fd)


class _LentFolder(OpenFolder):
    """A folder whose descriptor is somebody else's."""

    __slots__ = ()

    def close(self) -> None:
        self.fd = None


def _is_junction(found: os.stat_result) -> bool:
    """Return True for what Windows reports as a folder although it leads elsewhere."""
    attributes: int = getattr(found, "st_file_attributes", 0)
    return bool(attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT)


def is_own_folder(entry: os.DirEntry[str]) -> bool:
    """Return True if a listed entry is a folder, and no link or junction to one."""
    if not entry.is_dir(follow_symlinks=False):
        return False
    return os.name != "nt" or not _is_junction(entry.stat(follow_symlinks=False))


def enter(fd: int | None, name: str, flags: int) -> int:
    """
    Open the subfolder *name* of an open folder; see `OpenFolder.enter`.

    Without a folder *name* is a path, of which only the last segment is held to be no link.
    """
    try:
        return os.open(name, flags, dir_fd=fd)
    except OSError as error:
        # A link is refused with one of these, depending on the system.
        if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EMLINK):
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode) or stat.S_ISDIR(mode):
                raise OSError(errno.EXDEV, "is a link, or was one", name) from error
        raise
