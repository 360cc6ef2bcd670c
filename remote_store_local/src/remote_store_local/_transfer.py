"""Moving and copying files."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import Final

from remote_store import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    WriteResult,
)
from remote_store.authoring import known_path, other_version
from remote_store_local._errors import is_refusal, mapped
from remote_store_local._files import RETRIES, LocalFiles
from remote_store_local._fs.changing import Changing
from remote_store_local._fs.destination import (
    open_destination,
    raise_taken,
    refuse_existing,
    remove_created,
    was_renamed,
)
from remote_store_local._fs.folder import close_quietly
from remote_store_local._fs.fsync import fsync_names
from remote_store_local._fs.renameat2 import rename_exclusive
from remote_store_local._fs.resolve import Resolved
from remote_store_local._fs.temp_file import TempFile
from remote_store_local._fs.version import ended_early, first_read, is_same_version
from remote_store_local._fs.xattrs import etag_of, modified_at, read_attributes, read_metadata
from remote_store_local._read import shrunk
from remote_store_local._write import Write, create

__all__ = ["copy", "copy_into", "move"]

#: Bytes of a file that are read at a time.
_STEP: Final = 1 << 20


@mapped
def move(
    files: LocalFiles, key: str, dst: str, overwrite: bool, if_match: str | None = None
) -> None:
    """Rename a file; a link is followed, and left behind dangling."""
    files.file_key(key)  # refused in this order, before anything is looked at
    dst_key = files.target_key(dst)
    for left in range(RETRIES - 1, -1, -1):
        with files.resolve_file(key, change=True) as source:
            created: list[str] = []
            try:
                if if_match is not None:
                    files.check_etag(key, source, if_match)
                with _target(files, dst_key, created) as target:
                    if _same_place(source, target):
                        return
                    refuse_existing(files.root, dst, target, overwrite=overwrite)
                    if files.fsync == "always":
                        folders = (target.folder, source.folder)
                        with fsync_names(files.root, dst, folders, created):
                            _rename_version(files, key, dst, source, target, overwrite, if_match)
                    else:
                        _rename_version(files, key, dst, source, target, overwrite, if_match)
                return
            except FileNotFoundError as error:
                remove_created(files.root, created)
                if isinstance(error, NotFound) or not left:
                    raise
            except BaseException:
                remove_created(files.root, created)
                raise


@mapped
def _target(files: LocalFiles, dst: str, created: list[str]) -> Resolved:
    return open_destination(files.root, dst, created)


def _rename_version(
    files: LocalFiles,
    key: str,
    dst: str,
    source: Resolved,
    target: Resolved,
    overwrite: bool,
    if_match: str | None,
) -> None:
    alone = if_match is not None
    with Changing(source.folder, target.folder, alone=alone, key=key, backend=files.name):
        if if_match is not None:
            files.check_etag(key, source, if_match)
        _rename(files, dst, source, target, overwrite)


def _rename(
    files: LocalFiles, dst: str, source: Resolved, target: Resolved, overwrite: bool
) -> None:
    if overwrite and _is_second_link(source, target):
        # The system takes two links to one file for one name, and would keep both.
        source.folder.unlink(source.name)
        return
    linked = False
    try:
        if overwrite:
            os.replace(
                source.folder.at(source.name),
                target.folder.at(target.name),
                src_dir_fd=source.folder.fd,
                dst_dir_fd=target.folder.fd,
            )
        else:
            linked = rename_exclusive(
                source.folder,
                source.name,
                target.folder,
                target.name,
                atomic=files.moves_atomically,
            )
    except OSError as error:
        _refuse_moved(files, dst, source, target, error)
        if isinstance(error, (FileExistsError, IsADirectoryError)):
            raise_taken(files.root, dst, target.folder, target.name, error)
        raise
    if linked:
        _unlink_source(files, dst, source, target)


def _refuse_moved(
    files: LocalFiles, dst: str, source: Resolved, target: Resolved, error: OSError
) -> None:
    """
    Say that the file has its new name although the system refused it, if that is so.

    It may have been this move, whose answer was lost, or another one at the
    same time: of two, one at most may call itself the winner. Either way the
    old name must not stay beside the new one.

    Raises:
        AlreadyExists, NotFound, RemoteStoreError: With ``outcome_unknown``.
    """
    if source.found is None or not was_renamed(
        files.root, dst, target.folder, target.name, source.found, error
    ):
        return
    with contextlib.suppress(OSError):
        if os.path.samestat(source.folder.stat(source.name), source.found):
            source.folder.unlink(source.name)
    msg = f"The file is at the dst_key, moved by this call or by another one: {dst!r}"
    kinds = {errno.EEXIST: AlreadyExists, errno.ENOENT: NotFound}
    kind = kinds.get(error.errno or 0, RemoteStoreError)
    raise kind(msg, path=dst, backend=files.name, outcome_unknown=True) from error


def _unlink_source(files: LocalFiles, key: str, source: Resolved, target: Resolved) -> None:
    """
    Remove the old name of a file that was given its new one by a link.

    Where it is gone already, another move was faster, and the new name must
    not stay beside that of the other. It stays if it is the file's last one,
    so that nothing is lost after a delete or the lost answer of a network
    file system. Where the system refuses, the new name must not stay
    either, unless the old one is gone all the same. A file that another program has
    put in its place since stays, but for one that comes between the last two
    system calls.
    """
    assert source.found is not None
    try:
        if not os.path.samestat(source.folder.stat(source.name), source.found):
            return
        source.folder.unlink(source.name)
    except OSError as error:
        found = target.folder.stat(target.name)
        if isinstance(error, FileNotFoundError):
            if found.st_nlink == 1:
                return
        elif not is_refusal(error) and not was_renamed(
            files.root, key, source.folder, source.name, source.found, error
        ):
            return
        if os.path.samestat(found, source.found):
            target.folder.unlink(target.name)
        raise


@mapped
def copy(
    files: LocalFiles,
    key: str,
    dst: str,
    overwrite: bool,
    if_match: str | None,
    target: LocalFiles | None,
    stopped: Callable[[], bool],
) -> WriteResult | None:
    """
    Copy a file with its metadata, modification time and permissions.

    Args:
        files: Where from.
        key: The file.
        dst: Its copy.
        overwrite: Whether that may replace a file.
        if_match: Version that is copied.
        target: Where to, if not to *files*.
        stopped: Whether to give up.

    Returns:
        What was written; None if the two are one file.
    """
    target = target or files
    files.file_key(key)
    dst_key = target.target_key(dst)
    write = Write(overwrite=overwrite, atomic=False, metadata=None)
    fd, found = files.open_file(key)
    try:
        if if_match is not None and etag_of(read_attributes(fd)[0], found) != if_match:
            raise other_version(key, files.name)
        if overwrite and _is_same_file(files, files.key(key), target, dst_key):
            return None

        def fill(temp_file: TempFile) -> WriteResult:
            os.lseek(fd, 0, os.SEEK_SET)  # this may be another attempt
            return copy_into(files, key, fd, found, temp_file, target, stopped)

        try:
            return create(target, dst_key, write, fill, size=found.st_size, like=found)
        except AlreadyExists:
            if not _is_same_file(files, files.key(key), target, dst_key):
                raise
            return None
    finally:
        close_quietly(fd)


def copy_into(
    files: LocalFiles,
    key: str,
    fd: int,
    found: os.stat_result,
    temp_file: TempFile,
    target: LocalFiles,
    stopped: Callable[[], bool],
) -> WriteResult:
    """
    Fill a temporary file with one version of an open one, and publish it.

    Args:
        files: Where from.
        key: Key of the open file.
        fd: Its descriptor, at the beginning.
        found: What it was when it was opened.
        temp_file: Where to.
        target: The files of which that will be one.
        stopped: Whether to give up.

    Raises:
        PreconditionFailed: The file changed meanwhile.
        Stopped: *stopped* said so.
        OSError, RemoteStoreError: As `TempFile.commit`.
    """
    metadata = read_metadata(fd) if files.keeps_metadata else b""
    _copy_content(files, key, fd, found, temp_file, stopped)
    if ended_early(fd, found, temp_file.written):
        raise shrunk(files, key, temp_file.written, found.st_size)
    if not is_same_version(found, os.fstat(fd)):
        raise _changed(files, key)
    times = (found.st_atime_ns, found.st_mtime_ns)
    made, generation = temp_file.commit(metadata, mark=target.keeps_metadata, times=times)
    return WriteResult(
        known_path(temp_file.key),
        found.st_size,
        "native",
        None,
        etag_of(generation, made),
        None,
        modified_at(made),
    )


def _is_same_file(files: LocalFiles, key: str, others: LocalFiles, dst: str) -> bool:
    try:
        with files.root.resolve(key) as source, others.root.resolve(dst) as target:
            return _same_place(source, target)
    except (FileNotFoundError, NotADirectoryError):
        return False


@mapped
def _read(files: LocalFiles, key: str, fd: int, size: int) -> bytes:
    # On its own, so that its errors name the source and not the dst_key.
    return os.read(fd, size)


def _copy_content(
    files: LocalFiles,
    key: str,
    fd: int,
    found: os.stat_result,
    temp_file: TempFile,
    stopped: Callable[[], bool],
) -> None:
    size = found.st_size
    if size > _STEP:
        while temp_file.copy_some(fd, stopped):
            _refuse_growing(files, key, fd, found, temp_file)
        if temp_file.written:
            return
    # One byte more than expected shows the end of a small file without another call.
    data = _read(files, key, fd, first_read(size, _STEP))
    temp_file.write(data, stopped)
    if len(data) != size or size >= _STEP:
        while data := _read(files, key, fd, _STEP):
            temp_file.write(data, stopped)
            _refuse_growing(files, key, fd, found, temp_file)


def _refuse_growing(
    files: LocalFiles, key: str, fd: int, found: os.stat_result, temp_file: TempFile
) -> None:
    """A file may grow for ever, and what is copied of one that does is in vain."""
    if temp_file.written > found.st_size and not is_same_version(found, os.fstat(fd)):
        raise _changed(files, key)


def _same_place(source: Resolved, target: Resolved) -> bool:
    return source.name == target.name and _same_folder(source, target)


def _same_folder(source: Resolved, target: Resolved) -> bool:
    if source.folder.fd is None or target.folder.fd is None:
        return source.folder.prefix == target.folder.prefix
    return os.path.sameopenfile(source.folder.fd, target.folder.fd)


def _is_second_link(source: Resolved, target: Resolved) -> bool:
    one, other = source.found, target.found
    if one is None or other is None or one.st_nlink < 2 or not os.path.samestat(one, other):
        return False
    # Where case is ignored, the same name in other letters is not a second link.
    return source.name.casefold() != target.name.casefold() or not _same_folder(source, target)


def _changed(files: LocalFiles, key: str) -> PreconditionFailed:
    msg = "File changed while it was being copied, nothing was"
    return PreconditionFailed(msg, path=key, backend=files.name)
