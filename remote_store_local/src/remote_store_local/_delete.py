"""Deleting files and folders."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from remote_store import DirectoryNotEmpty, NotFound
from remote_store.authoring import (
    RESERVED_PREFIX,
    cannot_delete_root,
    folder_not_empty,
    is_a_file,
    is_reserved,
)
from remote_store_local._confine import Place
from remote_store_local._errors import is_refusal, mapped, translate
from remote_store_local._files import LocalFiles
from remote_store_local._remove import remove_tree
from remote_store_local._sweep import sweep_folder

__all__ = ["delete", "delete_folder"]


@mapped
def delete(files: LocalFiles, key: str, missing_ok: bool) -> None:
    """Remove a file; of a link the link, never what it leads to."""
    try:
        with files.locate_file(key) as place:
            if not place.followed:
                _remove(files, key, place.folder.unlink, place.name)
                return
        with files.tree.locate(files.key(key), follow=False) as place:
            _remove(files, key, place.folder.unlink, place.name)
    except (FileNotFoundError, NotADirectoryError) as error:
        if missing_ok:
            return
        if isinstance(error, NotFound):
            raise
        raise files.missing(key) from error


@mapped
def delete_folder(
    files: LocalFiles, key: str, recursive: bool, missing_ok: bool, stopped: Callable[[], bool]
) -> None:
    """Remove a folder; of a link the link, never what it leads to."""
    key = files.key(key)
    if not key:
        raise cannot_delete_root(key, files.name)
    try:
        if is_reserved(key):
            raise files.missing(key)
        with files.tree.locate(key) as place:
            _delete_folder(files, key, place, recursive, stopped)
    except (FileNotFoundError, NotADirectoryError) as error:
        if missing_ok:
            return
        if isinstance(error, NotFound):
            raise
        raise files.missing(key) from error


def _delete_folder(
    files: LocalFiles, key: str, place: Place, recursive: bool, stopped: Callable[[], bool]
) -> None:
    kind = files.kind_of(key, place)
    if kind is None:
        raise files.missing(key) from place.absence
    if kind == "file":
        raise is_a_file(key, files.name)
    if place.followed:
        if not recursive:
            _refuse_children(files, key)
        with files.tree.locate(key, follow=False) as link:
            _remove(files, key, link.folder.unlink, link.name)
    elif recursive:
        remove_tree(files.tree, key, place.folder, place.name, stopped)
    else:
        try:
            _remove(files, key, place.folder.rmdir, place.name)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _retry_rmdir(files, key, place, error)


def _remove(files: LocalFiles, key: str, function: Callable[[str], None], name: str) -> None:
    """
    Call *function*, and say so where its error leaves open whether it did what it should.

    Raises:
        RemoteStoreError: With ``outcome_unknown``; a failing disk or network said it.
        OSError: Nothing was removed.
    """
    try:
        function(name)
    except OSError as error:
        if is_refusal(error):
            raise
        unsure = translate(error, key, files.name)
        unsure.outcome_unknown = True
        raise unsure from error


def _refuse_children(files: LocalFiles, key: str) -> None:
    with files.tree.open_folder(key, listing=True) as folder:
        if os.listdir(folder.handle):
            raise folder_not_empty(key, files.name)


def _is_temporary(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(RESERVED_PREFIX) and entry.is_file(follow_symlinks=False)


def _retry_rmdir(files: LocalFiles, key: str, place: Place, error: OSError) -> None:
    """Remove litter of dead writers, and say so if it is a living one's file that is left."""
    with place.folder.enter(place.name, listing=True) as folder:
        with os.scandir(folder.handle) as entries:
            others = [entry for entry in entries if not _is_temporary(entry)]
        if others:
            raise folder_not_empty(key, files.name) from error
        sweep_folder(folder)
    try:
        _remove(files, key, place.folder.rmdir, place.name)
    except OSError as again:
        if again.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        msg = (
            "Folder is not empty, it holds temporary files of writes that are running or "
            "were killed in the last 24 hours; wait, or delete recursively"
        )
        raise DirectoryNotEmpty(msg, path=key, backend=files.name) from again
