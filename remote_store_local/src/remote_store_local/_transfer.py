"""Moving and copying files."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import Final

from remote_store import AlreadyExists, NotFound, RemoteStoreError
from remote_store_local._attributes import read_attributes
from remote_store_local._confine import Place
from remote_store_local._durable import names_synced
from remote_store_local._errors import is_refusal, mapped
from remote_store_local._exclusive import rename_exclusive
from remote_store_local._files import RETRIES, LocalFiles
from remote_store_local._folder import let_go
from remote_store_local._publish import Draft
from remote_store_local._target import is_at, open_target, refuse_kind, remove_made, taken_by
from remote_store_local._versions import ended_early, first_read, is_same_version
from remote_store_local._write import Write, create

__all__ = ["copy", "move"]

#: Bytes of a file that are read at a time.
_STEP: Final = 1 << 20


@mapped
def move(files: LocalFiles, key: str, dst: str, overwrite: bool) -> None:
    """Rename a file; a link is followed, and left behind dangling."""
    files.file_key(key)  # refused in this order, before anything is looked at
    target = files.target_key(dst)
    for left in range(RETRIES - 1, -1, -1):
        with files.locate_file(key) as source:
            made: list[str] = []
            try:
                with _target(files, target, made) as place:
                    if _same_place(source, place):
                        return
                    refuse_kind(files.tree, dst, place, overwrite=overwrite)
                    if files.fsync == "always":
                        folders = (place.folder, source.folder)
                        with names_synced(files.tree, dst, folders, made):
                            _rename(files, dst, source, place, overwrite)
                    else:
                        _rename(files, dst, source, place, overwrite)
                return
            except FileNotFoundError as error:
                remove_made(files.tree, made)
                if isinstance(error, NotFound) or not left:
                    raise
            except BaseException:
                remove_made(files.tree, made)
                raise


@mapped
def _target(files: LocalFiles, dst: str, made: list[str]) -> Place:
    return open_target(files.tree, dst, made)


def _rename(files: LocalFiles, dst: str, source: Place, place: Place, overwrite: bool) -> None:
    if overwrite and _is_second_link(source, place):
        # The system takes two links to one file for one name, and would keep both.
        source.folder.unlink(source.name)
        return
    linked = False
    try:
        if overwrite:
            os.replace(
                source.folder.at(source.name),
                place.folder.at(place.name),
                src_dir_fd=source.folder.fd,
                dst_dir_fd=place.folder.fd,
            )
        else:
            linked = rename_exclusive(
                source.folder,
                source.name,
                place.folder,
                place.name,
                atomic=files.moves_atomically,
            )
    except OSError as error:
        _refuse_moved(files, dst, source, place, error)
        if isinstance(error, (FileExistsError, IsADirectoryError)):
            taken_by(files.tree, dst, place.folder, place.name, error)
        raise
    if linked:
        _unlink_source(files, dst, source, place)


def _refuse_moved(files: LocalFiles, dst: str, source: Place, place: Place, error: OSError) -> None:
    """
    Say that the file has its new name although the system refused it, if that is so.

    It may have been this move, whose answer was lost, or another one at the
    same time: of two, one at most may call itself the winner. Either way the
    old name must not stay beside the new one.

    Raises:
        AlreadyExists, NotFound, RemoteStoreError: With ``outcome_unknown``.
    """
    if source.found is None or not is_at(
        files.tree, dst, place.folder, place.name, source.found, error
    ):
        return
    with contextlib.suppress(OSError):
        if os.path.samestat(source.folder.stat(source.name), source.found):
            source.folder.unlink(source.name)
    msg = f"The file is at the target, moved by this call or by another one: {dst!r}"
    kinds = {errno.EEXIST: AlreadyExists, errno.ENOENT: NotFound}
    kind = kinds.get(error.errno or 0, RemoteStoreError)
    raise kind(msg, path=dst, backend=files.name, outcome_unknown=True) from error


def _unlink_source(files: LocalFiles, key: str, source: Place, place: Place) -> None:
    """
    Remove the old name of a file that was given its new one by a link.

    Where it is gone already, another move was faster, and the new name must
    not stay beside that of the other. It stays if it is the file's last one:
    whatever happened (a delete, the lost answer of a network file system),
    nothing is lost. Where the system refuses, the new name must not stay
    either, unless the old one is gone all the same. A file that somebody has
    put in its place since stays, but for one that comes between the last two
    system calls.
    """
    assert source.found is not None
    try:
        if not os.path.samestat(source.folder.stat(source.name), source.found):
            return
        source.folder.unlink(source.name)
    except OSError as error:
        found = place.folder.stat(place.name)
        if isinstance(error, FileNotFoundError):
            if found.st_nlink == 1:
                return
        elif not is_refusal(error) and not is_at(
            files.tree, key, source.folder, source.name, source.found, error
        ):
            return
        if os.path.samestat(found, source.found):
            place.folder.unlink(place.name)
        raise


@mapped
def copy(
    files: LocalFiles, key: str, dst: str, overwrite: bool, stopped: Callable[[], bool]
) -> None:
    """Copy a file with its metadata, modification time and permissions."""
    files.file_key(key)
    target = files.target_key(dst)
    write = Write(overwrite=overwrite, atomic=False, metadata=None)
    fd, found = files.open_file(key)
    try:
        if overwrite and _is_same_file(files, files.key(key), target):
            return
        metadata = read_attributes(fd)[1] if files.keeps_metadata else b""
        times = (found.st_atime_ns, found.st_mtime_ns)

        def fill(draft: Draft) -> None:
            os.lseek(fd, 0, os.SEEK_SET)  # this may be another attempt
            _pump(files, key, fd, found, draft, stopped)
            if ended_early(fd, found, draft.written):
                raise files.shrunk(key, draft.written, found.st_size)
            if not is_same_version(found, os.fstat(fd)):
                raise files.changed(key)
            draft.commit(metadata, mark=files.keeps_metadata, times=times)

        try:
            create(files, target, write, fill, size=found.st_size, like=found)
        except AlreadyExists:
            if not _is_same_file(files, files.key(key), target):
                raise
    finally:
        let_go(fd)


def _is_same_file(files: LocalFiles, key: str, dst: str) -> bool:
    try:
        with files.tree.locate(key) as source, files.tree.locate(dst) as place:
            return _same_place(source, place)
    except (FileNotFoundError, NotADirectoryError):
        return False


@mapped
def _read(files: LocalFiles, key: str, fd: int, size: int) -> bytes:
    # On its own, so that its errors name the source and not the target.
    return os.read(fd, size)


def _pump(
    files: LocalFiles,
    key: str,
    fd: int,
    found: os.stat_result,
    draft: Draft,
    stopped: Callable[[], bool],
) -> None:
    size = found.st_size
    # One byte more than expected tells the end of a small file without another call.
    data = _read(files, key, fd, first_read(size, _STEP))
    draft.write(data, stopped)
    if len(data) != size or size >= _STEP:
        while data := _read(files, key, fd, _STEP):
            draft.write(data, stopped)
            # A file may grow for ever, and what is copied of one that does is in vain.
            if draft.written > size and not is_same_version(found, os.fstat(fd)):
                raise files.changed(key)


def _same_place(source: Place, place: Place) -> bool:
    return source.name == place.name and _same_folder(source, place)


def _same_folder(source: Place, place: Place) -> bool:
    if source.folder.fd is None or place.folder.fd is None:
        return source.folder.prefix == place.folder.prefix
    return os.path.sameopenfile(source.folder.fd, place.folder.fd)


def _is_second_link(source: Place, place: Place) -> bool:
    one, other = source.found, place.found
    if one is None or other is None or one.st_nlink < 2 or not os.path.samestat(one, other):
        return False
    # Where case is ignored, the same name in other letters is no second link.
    return source.name.casefold() != place.name.casefold() or not _same_folder(source, place)
