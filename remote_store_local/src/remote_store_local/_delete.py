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
from remote_store_local._errors import is_refusal, mapped, translate
from remote_store_local._files import LocalFiles
from remote_store_local._fs.changing import Changing
from remote_store_local._fs.resolve import Resolved
from remote_store_local._fs.rmtree import remove_tree
from remote_store_local._fs.sweep import sweep_folder, sweep_tree

__all__ = ["delete", "delete_folder", "sweep"]


@mapped
def delete(files: LocalFiles, key: str, missing_ok: bool, if_match: str | None = None) -> None:
    """Remove a file; of a link the link, never what it leads to."""
    try:
        with files.resolve_file(key, change=True) as resolved:
            if not resolved.followed:
                _delete(files, key, resolved, resolved, if_match)
                return
            with files.root.resolve(files.key(key), follow=False, change=True) as link:
                _delete(files, key, resolved, link, if_match)
    except (FileNotFoundError, NotADirectoryError) as error:
        if missing_ok:
            return
        if isinstance(error, NotFound):
            raise
        raise files.missing(key) from error


def _delete(
    files: LocalFiles, key: str, file: Resolved, name: Resolved, if_match: str | None
) -> None:
    """Remove the name of a file, as long as it is the version that is wanted."""
    alone = if_match is not None
    with Changing(file.folder, name.folder, alone=alone, key=key, backend=files.name):
        if if_match is not None:
            files.check_etag(key, file, if_match)
        _remove(files, key, name.folder.unlink, name.name)


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
        with files.root.resolve(key) as resolved:
            _delete_folder(files, key, resolved, recursive, stopped)
    except (FileNotFoundError, NotADirectoryError) as error:
        if missing_ok:
            return
        if isinstance(error, NotFound):
            raise
        raise files.missing(key) from error


def _delete_folder(
    files: LocalFiles, key: str, resolved: Resolved, recursive: bool, stopped: Callable[[], bool]
) -> None:
    kind = files.kind_of(key, resolved)
    if kind is None:
        raise files.missing(key) from resolved.absence
    if kind == "file":
        raise is_a_file(key, files.name)
    if resolved.followed:
        if not recursive:
            _refuse_children(files, key)
        with files.root.resolve(key, follow=False) as link:
            _remove(files, key, link.folder.unlink, link.name)
    elif recursive:
        remove_tree(files.root, key, resolved.folder, resolved.name, stopped)
    else:
        try:
            _remove(files, key, resolved.folder.rmdir, resolved.name)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _retry_rmdir(files, key, resolved, error)


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
    with files.root.open_folder(key, listing=True) as folder:
        if os.listdir(folder.handle):
            raise folder_not_empty(key, files.name)


def _is_temporary(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(RESERVED_PREFIX) and entry.is_file(follow_symlinks=False)


def _retry_rmdir(files: LocalFiles, key: str, resolved: Resolved, error: OSError) -> None:
    """Remove litter of dead writers, and say so if it is a living one's file that is left."""
    with resolved.folder.enter(resolved.name, listing=True) as folder:
        with os.scandir(folder.handle) as entries:
            others = [entry for entry in entries if not _is_temporary(entry)]
        if others:
            raise folder_not_empty(key, files.name) from error
        sweep_folder(folder)
    try:
        _remove(files, key, resolved.folder.rmdir, resolved.name)
    except OSError as again:
        if again.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        msg = (
            "Folder is not empty, it holds temporary files of writes that are running or "
            "were killed in the last 24 hours; wait, or delete recursively"
        )
        raise DirectoryNotEmpty(msg, path=key, backend=files.name) from again


@mapped
def sweep(
    files: LocalFiles,
    key: str,
    dry_run: bool,
    found: Callable[[str], object] | None,
    stopped: Callable[[], bool],
) -> int:
    """Remove stale temporary files below *key*."""
    return sweep_tree(files.root, files.key(key), stopped, dry_run=dry_run, found=found)
