"""
How a file comes into being: whole, or not at all.

A `TempFile` is a temporary file in the target's own folder. It is created
exclusively, locked while its writer lives (so that a sweep leaves it
alone), and given the target's name in one step when it is complete. What
happens before that step leaves the target untouched; so what a file system
may refuse late (a network file system says only at a close that a disk is
full) is asked for before it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from remote_store import PreconditionFailed
from remote_store.authoring import RESERVED_PREFIX, other_version
from remote_store_local._fs.changing import Changing
from remote_store_local._fs.destination import (
    TRIES,
    open_destination,
    raise_taken,
    refuse_existing,
    remove_created,
    was_renamed,
)
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.fsync import fsync_names, not_durable
from remote_store_local._fs.renameat2 import RENAMES_OPEN_FILES, rename_exclusive
from remote_store_local._fs.resolve import Resolved, Root
from remote_store_local._fs.xattrs import etag_at, write_attributes

try:
    import fcntl
except ImportError:  # Windows keeps an open file from being removed by itself
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "Stopped",
    "TempFile",
    "abandon",
    "fcntl",
    "never_stop",
]

_log = logging.getLogger("remote_store_local")

#: Bytes for each write call; between two of them a cancelled operation ends.
STEP: Final = 8 << 20
#: What a system says that does not copy between two files: other file systems, an old
#: one, a container that forbids it.
_NO_COPY: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)


#: How often this process is a fork of the one that loaded this.
_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class Stopped(Exception):
    """Raised in the worker thread when the operation's caller was cancelled."""


def never_stop() -> bool:
    """Say that the caller was not cancelled."""
    return False


def lock(fd: int) -> None:
    """Take the lock that living writers hold on their files, where there are locks; never wait."""
    if fcntl is not None:
        try:  # noqa: SIM105 - for each write: no context manager
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass


def _for_any_group(like: os.stat_result) -> int:
    """Return a file's permissions, for its group only those that all others have as well."""
    mode = like.st_mode & 0o777
    return mode & (0o707 | (mode & 0o007) << 3)


def _take_rights(fd: int, like: os.stat_result) -> None:
    """
    Give a file the group, permissions and owner of another, as far as the system lets us.

    Where the group cannot be had, ours gets nothing that it did not have before.
    """
    own = os.fstat(fd)
    mode = like.st_mode & 0o777
    if own.st_gid != like.st_gid:
        try:
            os.fchown(fd, -1, like.st_gid)
        except OSError:
            mode = _for_any_group(like)
    if own.st_mode & 0o777 != mode:
        os.fchmod(fd, mode)
    if own.st_uid != like.st_uid:
        with contextlib.suppress(OSError):
            os.fchown(fd, like.st_uid, -1)


class TempFile:
    """
    A file that is being written.

    Args:
        root: Where.
        key: The key that it will have.
        overwrite: Whether it may replace a file.
        sync: Whether it must survive a power loss once it is published.
        atomic: Whether the file system renames without replacing.
        like: A file whose owner, group and permissions it gets if it replaces
            none; None for those of any new file.
        look: Look what is at the key. Without, anything there is in the way
            when the file is published, also a link that could be followed.
        if_match: Version token of the file that it may replace; only with *overwrite*.
        folder: Folder of *key* where it is open already; it stays the caller's, and open
            as long as this is used.
        created: Keys of folders that were created for this; gets those of further ones. They
            are brought to the disk with the file, or removed if it is not published.

    Raises:
        InvalidPath, AlreadyExists, NotFound, OSError: See `open_destination`, `refuse_existing`.
    """

    #: Descriptor, -1 for none.
    fd = -1
    #: Whether the key has the new content, whatever fails afterwards.
    published = False
    #: Name of the temporary file as long as there may be one.
    _litter = ""
    _target: Resolved | None = None

    def __init__(
        self,
        root: Root,
        key: str,
        *,
        overwrite: bool,
        sync: bool,
        atomic: bool,
        like: os.stat_result | None = None,
        look: bool = True,
        if_match: str | None = None,
        folder: OpenFolder | None = None,
        created: list[str] | None = None,
    ) -> None:
        self.key = key
        self.written = 0
        #: Held by a block of a stream that is being written in some thread.
        self.busy = threading.Lock()
        self._root = root
        self._overwrite = overwrite
        self._sync = sync
        self._atomic = atomic
        self._like = like
        self._if_match = if_match
        self._created: list[str] = [] if created is None else created
        self._generation = os.urandom(16).hex()
        self._temporary = RESERVED_PREFIX + self._generation
        self._forks = _forks
        try:
            self._create(look, folder)
        except BaseException:
            with contextlib.suppress(OSError):  # most likely there is no file to remove
                self._discard()
            raise

    def __del__(self) -> None:
        # An interrupt (Ctrl-C) may come between any two steps, also before the
        # writer could take the temporary file or while it discards it.
        if self._target is not None:
            abandon(self)

    def _create(self, look: bool, folder: OpenFolder | None) -> None:
        for _ in range(TRIES):
            if folder is None:
                target = open_destination(self._root, self.key, self._created, look=look)
            else:
                target = Resolved(folder.lent(), self.key.rpartition("/")[2], None, False)
                folder = None  # it may be deleted by now: each further attempt looks for it
            self._target = target
            if target.found is not None:
                refuse_existing(self._root, self.key, target, overwrite=self._overwrite)
                # A private file stays private, whatever the umask.
                self._like = target.found
            self._litter = self._temporary
            fds: list[int] = []
            try:
                target.folder.open_into(
                    fds,
                    self._temporary,
                    os.O_RDWR | os.O_CREAT | os.O_EXCL,
                    # Attributes can be set only while the owner may write.
                    0o666 if self._like is None else _for_any_group(self._like) | 0o600,
                )
            except FileExistsError:
                # Nobody else has such a name: it was created, and the answer was lost.
                self._discard()
                continue
            except FileNotFoundError:
                self._target, self._litter = None, ""
                target.folder.close()  # deleted since it was opened
                continue
            finally:
                self.fd = fds[0] if fds else -1
            lock(self.fd)
            return
        msg = "Its folder is deleted again and again"
        raise PreconditionFailed(msg, path=self.key, backend=self._root.backend)

    def write(self, data: bytes | memoryview, stopped: Callable[[], bool] = never_stop) -> None:
        """
        Append *data*.

        Raises:
            Stopped: *stopped* said so.
            OSError: The system could not.
        """
        start = 0
        while start < len(data):
            if stopped():
                raise Stopped
            # Most files are written by the first call, for which nothing needs to be cut.
            part = memoryview(data)[start : start + STEP] if start or len(data) > STEP else data
            start += os.write(self.fd, part)
        self.written += start

    def copy_some(self, fd: int, stopped: Callable[[], bool] = never_stop) -> bool:
        """
        Have the system append the next bytes of another file, which may share its blocks.

        Args:
            fd: The other file; it is read from its position.
            stopped: Whether to give up.

        Returns:
            False if there were none, or the system does not do that for these
            two files: `written` tells.

        Raises:
            Stopped: *stopped* said so.
            OSError: The system could not.
        """
        if stopped():
            raise Stopped
        try:
            count = os.copy_file_range(fd, self.fd, STEP)
        except AttributeError:  # not Linux
            return False
        except OSError as error:
            if self.written or error.errno not in _NO_COPY:
                raise
            return False
        self.written += count
        return count > 0

    def commit(
        self, metadata: bytes = b"", *, mark: bool = True, times: tuple[int, int] | None = None
    ) -> tuple[os.stat_result, str | None]:
        """
        Publish the file under its key.

        Args:
            metadata: Encoded user metadata.
            mark: Whether the file system keeps attributes.
            times: Access and modification time to set, in nanoseconds.

        Returns:
            What the published file looks like, and its generation if it keeps one.

        Raises:
            AlreadyExists, InvalidPath: Another writer took the name meanwhile.
            PreconditionFailed: The folder was deleted meanwhile, or another
                version is there than that of *if_match*.
            CapabilityNotSupported: The file system keeps no metadata.
            OSError: The system could not; the key is as it was.
            RemoteStoreError: Published, but what followed failed, with
                ``outcome_unknown``.
        """
        generation = None
        if mark:
            backend = self._root.backend
            generation = write_attributes(self.fd, self._generation, metadata, self.key, backend)
        if self._like is not None and hasattr(os, "fchmod"):
            _take_rights(self.fd, self._like)
        if times is not None and os.utime in os.supports_fd:
            os.utime(self.fd, ns=times)
        if self._sync:
            os.fsync(self.fd)
        target = self._target
        assert target is not None
        if RENAMES_OPEN_FILES:
            # A close asks for what was not written yet, and this one keeps the lock.
            # In one step of C, between whose calls no signal handler can raise.
            next(map(os.close, map(os.dup, (self.fd,))))
        else:
            self._close_file()
        self._publish(target)
        try:
            # Only now: each of the steps above changes the times.
            found = os.fstat(self.fd) if self.fd >= 0 else target.folder.stat(target.name)
            self._close_file()
        except OSError as error:
            raise not_durable(self._root, self.key, error) from error
        target.folder.close()
        self._target = None
        return found, generation

    def _publish(self, target: Resolved) -> None:
        folder, name = target.folder, target.name
        try:
            if self._sync:
                with fsync_names(self._root, self.key, (folder,), self._created):
                    self._rename(folder, name)
            else:
                self._rename(folder, name)
        except FileNotFoundError as error:
            msg = "Its folder was deleted while it was being written"
            raise PreconditionFailed(msg, path=self.key, backend=self._root.backend) from error
        except (FileExistsError, IsADirectoryError) as error:
            raise_taken(self._root, self.key, folder, name, error)

    def _rename(self, folder: OpenFolder, name: str) -> None:
        linked = False
        try:
            if self._overwrite:
                self._replace(folder, name)
            else:
                linked = rename_exclusive(
                    folder, self._temporary, folder, name, atomic=self._atomic
                )
        except OSError as error:
            # Nobody else has this file: if it is there, the answer was wrong.
            if self.fd < 0 or not was_renamed(self._root, self.key, folder, name, self.fd, error):
                raise
            linked = True  # or renamed; at any rate the old name must go
        self.published = True
        if linked:
            try:
                folder.unlink(self._temporary)
            except FileNotFoundError:
                pass
            except OSError as error:  # the file is there all the same
                _warn_of_litter(self.key, error)
        self._litter = ""

    def _replace(self, folder: OpenFolder, name: str) -> None:
        backend, alone = self._root.backend, self._if_match is not None
        with Changing(folder, alone=alone, key=self.key, backend=backend):
            if alone:
                try:
                    now = etag_at(folder, name)
                except FileNotFoundError as error:
                    raise other_version(self.key, backend) from error
                if now != self._if_match:
                    raise other_version(self.key, backend)
            os.replace(
                folder.at(self._temporary),
                folder.at(name),
                src_dir_fd=folder.fd,
                dst_dir_fd=folder.fd,
            )

    def discard(self) -> None:
        """
        Remove what is there if it was not published; idempotent.

        Raises:
            OSError: The temporary file could not be removed.
        """
        with self.busy:
            self._discard()

    def _discard(self) -> None:
        """Each step may be interrupted, or find itself done: then the next call goes on."""
        if self._forks != _forks:
            return  # a fork has a copy of the temporary file, but the files are its parent's
        target, refusal = self._target, None
        with contextlib.suppress(OSError):  # of what is thrown away
            self._close_file()  # first: Windows removes no file that is open
        if target is not None:
            try:
                if self._litter:
                    target.folder.unlink(self._litter)
            except FileNotFoundError:
                pass  # deleted together with its folder, or not yet made
            except OSError as error:
                refusal = error
            self._litter = ""
            target.folder.close()
        if not self.published:
            remove_created(self._root, self._created)
        self._target = None
        if refusal is not None:
            raise refusal

    def _close_file(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def abandon(temp_file: TempFile) -> None:
    """Discard a file whose writer has an error of its own to raise: one more is only logged."""
    try:
        temp_file.discard()
    except OSError as error:
        _warn_of_litter(temp_file.key, error)


def _warn_of_litter(key: str, error: OSError) -> None:
    _log.warning("Could not remove a temporary file of %r: %s", key, error)
