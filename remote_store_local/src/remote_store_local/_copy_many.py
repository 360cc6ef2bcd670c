"""
Copying many files in one call.

Each is copied as `copy` does it. But folders are found and opened once for all files
that go from one of them to another, and one hop to a thread serves all.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from remote_store import RemoteStoreError, WriteResult
from remote_store.authoring import is_reserved
from remote_store_local._files import LocalFiles
from remote_store_local._fs.destination import open_destination, remove_created
from remote_store_local._fs.folder import OpenFolder, close_quietly
from remote_store_local._fs.temp_file import Stopped, TempFile, abandon
from remote_store_local._transfer import copy, copy_into

__all__ = ["copy_many"]

#: What became of one copy: what `copy` returns, or raises.
_Copied: TypeAlias = WriteResult | RemoteStoreError | None


def copy_many(
    files: LocalFiles,
    pairs: Sequence[tuple[str, str]],
    target: LocalFiles,
    stopped: Callable[[], bool],
) -> list[_Copied]:
    """
    Copy files; none replaces another.

    Args:
        files: Where from.
        pairs: The key of each file, and of its copy.
        target: Where to.
        stopped: Whether to give up.

    Returns:
        For each pair what `copy` would have returned or raised.

    Raises:
        Stopped: *stopped* said so. What was copied before stays.
    """
    results: list[_Copied] = [None] * len(pairs)
    groups: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for place, (src, dst) in enumerate(pairs):
        try:
            key, dst_key = files.file_key(src), target.target_key(dst)
        except RemoteStoreError as error:
            results[place] = error
            continue
        folders = key.rpartition("/")[0], dst_key.rpartition("/")[0]
        groups.setdefault(folders, []).append((place, key, dst_key))
    for group in groups.values():
        with _Folders(files, target, stopped) as folders_of_group:
            for place, key, dst_key in group:
                if stopped():
                    raise Stopped
                copied = folders_of_group.copy(key, dst_key)
                if copied is None:  # it knows more ways, or tells why
                    copied = _copy_alone(files, pairs[place], target, stopped)
                results[place] = copied
    return results


def _copy_alone(
    files: LocalFiles, pair: tuple[str, str], target: LocalFiles, stopped: Callable[[], bool]
) -> _Copied:
    src, dst = pair
    try:
        return copy(files, src, dst, False, None, target, stopped)
    except RemoteStoreError as error:
        return error


class _Folders:
    """
    A folder whose files are copied, and the one of their copies; both are opened when needed.

    Args:
        files: Where from.
        target: Where to.
        stopped: Whether to give up.
    """

    def __init__(self, files: LocalFiles, target: LocalFiles, stopped: Callable[[], bool]) -> None:
        self._files = files
        self._target = target
        self._stopped = stopped
        self._source: OpenFolder | None = None
        self._destination: OpenFolder | None = None
        self._created: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for folder in (self._source, self._destination):
            if folder is not None:
                folder.close()
        remove_created(self._target.root, self._created)

    def copy(self, key: str, dst: str) -> WriteResult | RemoteStoreError | None:
        """
        Copy a file, if nothing unusual is met.

        Args:
            key: Its key, in normal form.
            dst: That of its copy.

        Returns:
            What was written; None if nothing was. An error if that is not known.
        """
        fd = -1
        temp_file = None
        try:
            fd, found = self._open(key)
            temp_file = self._temp_file(dst, found)
            copied = copy_into(self._files, key, fd, found, temp_file, self._target, self._stopped)
            self._created.clear()  # needed by now, and synced where that is wanted
        except BaseException as error:
            if temp_file is not None:
                abandon(temp_file)
            if isinstance(error, RemoteStoreError) and error.outcome_unknown:
                return error
            if isinstance(error, (OSError, RemoteStoreError)):
                return None
            raise
        else:
            return copied
        finally:
            if fd >= 0:
                close_quietly(fd)

    def _open(self, key: str) -> tuple[int, os.stat_result]:
        above, _, name = key.rpartition("/")
        if self._source is None:
            self._source = self._files.root.open_folder(above)
        # Without a descriptor, a link would be followed.
        if self._source.fd is None or is_reserved(key):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), key)
        fd = self._source.open(name)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), key)
        except BaseException:
            close_quietly(fd)
            raise
        return fd, found

    def _temp_file(self, dst: str, like: os.stat_result) -> TempFile:
        target = self._target
        if self._destination is None:
            found = open_destination(target.root, dst, self._created, look=False)
            self._destination = found.folder
        return TempFile(
            target.root,
            dst,
            overwrite=False,
            sync=target.fsync == "always",
            atomic=target.moves_atomically,
            like=like,
            look=False,
            folder=self._destination,
            created=self._created,
        )
