"""The destination of a write: finding it, making the folders above it, refusing it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final

from remote_store import InvalidPath, PreconditionFailed, RemoteStoreError
from remote_store.authoring import already_exists, ancestor_is_file, is_a_file, is_a_folder
from remote_store_local._errors import is_refusal
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.resolve import Resolved, Root

__all__ = [
    "TRIES",
    "make_folder",
    "open_destination",
    "raise_taken",
    "refuse_existing",
    "remove_created",
    "was_renamed",
]

#: How often a folder may vanish under a writer before it gives up.
TRIES: Final = 100


def refuse_existing(root: Root, key: str, target: Resolved, *, overwrite: bool) -> None:
    """
    Refuse a target that cannot be written.

    Raises:
        InvalidPath: A folder or special file is there.
        AlreadyExists: A file is there and *overwrite* is False.
    """
    if target.found is None:
        return
    mode = target.found.st_mode
    if stat.S_ISDIR(mode):
        raise is_a_folder(key, root.backend)
    if not stat.S_ISREG(mode):
        raise _special_file(root, key)
    if not overwrite:
        raise already_exists(key, root.backend)


def open_destination(root: Root, key: str, created: list[str], *, look: bool = True) -> Resolved:
    """
    Find the destination of a key, creating the folders above it.

    Args:
        root: Where.
        key: Key of a file.
        created: Gets the keys of the folders that were created.
        look: Look what is there; a destination that was not looked at
            counts as free.

    Raises:
        InvalidPath: A segment above *key* is a file.
        NotFound: The root itself is missing, or is not a folder.
        OSError: A folder cannot be created.
    """
    for _ in range(TRIES):
        try:
            try:
                return (
                    _refuse_impossible(root.resolve(key, change=True))
                    if look
                    else root.resolve_folder(key)
                )
            except FileNotFoundError:
                _make_folders(root, key, root.canonical(key).rpartition("/")[0], created)
        except NotADirectoryError as error:
            if lost := root.lost_root(key):
                raise lost from error
            raise ancestor_is_file(key, root.backend) from error
    raise _deleted_again(root, key)


def _deleted_again(root: Root, key: str) -> PreconditionFailed:
    msg = "Its folder is deleted again and again"
    return PreconditionFailed(msg, path=key, backend=root.backend)


def _special_file(root: Root, key: str) -> InvalidPath:
    msg = "Path is a special file, neither file nor folder"
    return InvalidPath(msg, path=key, backend=root.backend)


def _refuse_impossible(target: Resolved) -> Resolved:
    """Refuse, before anything is written, a name that no file can have."""
    if target.absence is not None and target.absence.errno != errno.ENOENT:
        target.folder.close()
        raise target.absence
    return target


def make_folder(root: Root, key: str, created: list[str]) -> None:
    """
    Create a folder and those above it, unless it is there; a link to one is one.

    Args:
        root: Where.
        key: Key of the folder, not the root.
        created: Gets the keys of the folders that were created.

    Raises:
        InvalidPath: A file or a special file is there, or a file above it.
        NotFound: The root itself is missing, or is not a folder.
        OSError: A folder cannot be created.
    """
    for _ in range(TRIES):
        try:
            with _refuse_impossible(root.resolve(key)) as there:
                if there.found is not None:
                    if stat.S_ISREG(there.found.st_mode):
                        raise is_a_file(key, root.backend)
                    if not stat.S_ISDIR(there.found.st_mode):
                        raise _special_file(root, key)
                    return
        except NotADirectoryError as error:
            raise (root.lost_root(key) or ancestor_is_file(key, root.backend)) from error
        except FileNotFoundError:
            pass
        with contextlib.suppress(NotADirectoryError):  # a file came between: look again
            _make_folders(root, key, root.canonical(key), created)
    raise _deleted_again(root, key)


def _make_folders(root: Root, key: str, above: str, created: list[str]) -> None:
    """Create the folder *above* for a key, and what is missing above it."""
    missing: list[str] = []
    while True:
        try:
            folder = root.open_folder(above)
            break
        except FileNotFoundError as error:
            if not above:
                raise (root.lost_root(key) or error) from error
            above, _, name = above.rpartition("/")
            missing.append(name)
    while missing:
        name = missing.pop()
        above = f"{above}/{name}" if above else name
        with folder:
            try:
                folder.mkdir(name)
                created.append(above)
            except FileExistsError:
                pass  # another writer was faster
            except FileNotFoundError:
                return  # deleted meanwhile: start again
        try:
            folder = root.open_folder(above)
        except FileNotFoundError:
            return
    folder.close()


def remove_created(root: Root, created: list[str]) -> None:
    """Remove folders that a failed write created, as far as they are empty."""
    for key in reversed(created):
        above, _, name = key.rpartition("/")
        try:
            with root.open_folder(above) as folder:
                folder.rmdir(name)
        except (OSError, InvalidPath):  # not empty, or somebody else has put a link in its place
            return
    created.clear()


def was_renamed(
    root: Root, key: str, folder: OpenFolder, name: str, own: os.stat_result | int, error: OSError
) -> bool:
    """
    Find out whether a file has its new name although the system refused it.

    A network file system whose answer was lost repeats the call, and so
    meets what the first one did.

    Args:
        root: Where.
        key: The key of the new name, for the error.
        folder: Its folder.
        name: The new name.
        own: The file, or its descriptor.
        error: What the system said.

    Raises:
        RemoteStoreError: It is not known: ``outcome_unknown`` is True.
    """
    try:
        known = os.fstat(own) if isinstance(own, int) else own
        return os.path.samestat(known, folder.stat(name))
    except OSError as second:
        if is_refusal(second):
            return False
        msg = (
            f"Whether the file is in place cannot be told: {error.strerror or type(error).__name__}"
        )
        raise RemoteStoreError(msg, path=key, backend=root.backend, outcome_unknown=True) from error


def raise_taken(root: Root, key: str, folder: OpenFolder, name: str, error: OSError) -> None:
    """
    Say what took the name of a file that was about to get it.

    Raises:
        InvalidPath: A folder did.
        AlreadyExists: A file did.
    """
    try:
        mode = folder.stat(name).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG  # it came and went: the writer lost all the same
    if stat.S_ISDIR(mode) or isinstance(error, IsADirectoryError):
        raise is_a_folder(key, root.backend) from error
    raise already_exists(key, root.backend) from error
