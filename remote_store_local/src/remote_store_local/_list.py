"""
Listings: one folder open at a time, entries as the system hands them out.

Links to files and folders inside the root are listed as what they lead to;
those that leave the root, dangling ones and special files are not listed.
What goes down into subfolders does not enter a linked one: a link may lead
back up, and its files have names of their own already. It goes on past a
folder that refuses, and says so at its end.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import stat
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from remote_store import (
    UNKNOWN_TIME,
    FileInfo,
    FolderEntry,
    InvalidPath,
    RemotePath,
    RemoteStoreError,
)
from remote_store.authoring import (
    RESERVED_PREFIX,
    LeftOut,
    is_a_file,
    is_key,
    is_reserved,
    known_file,
    known_path,
)
from remote_store_local._errors import CollectedErrors, mapped
from remote_store_local._files import LocalFiles
from remote_store_local._fs.folder import OpenFolder, is_own_folder
from remote_store_local._fs.resolve import Root
from remote_store_local._fs.shared_close import SharedClose
from remote_store_local._fs.xattrs import modified_at

if TYPE_CHECKING:
    from remote_store import FolderInfo

__all__ = ["FolderWalk", "PageReader", "folder_info", "glob", "list_entries"]

T = TypeVar("T")

_log = logging.getLogger("remote_store_local")

#: Held by the listing that makes a page. Each look at a file lets the interpreter's lock
#: go, and threads that do so at the same time wake each other in vain: two listings
#: took twice the processor time of one after the other.
_turn: Final = threading.Lock()
#: Seconds to wait for it, after which a listing goes on without: a page from memory takes
#: one or two thousandths. A slow disk serves listings at the same time, and a listing that
#: gets no answer, or whose program was forked, holds up no other.
_PATIENCE = 0.003


class FolderWalk:
    """
    One listing.

    Args:
        root: Where.
        key: Key of the folder to list.
        depth: How many folders to go down; None for all.
        enters: Asked with a subfolder's key whether to go into it.
        wants: Asked with a file's key whether to yield it, before anything else is asked of it.
        folders: Whether to yield folders.
    """

    def __init__(
        self,
        root: Root,
        key: str,
        *,
        depth: int | None = 0,
        enters: Callable[[str], bool] | None = None,
        wants: Callable[[str], bool] | None = None,
        folders: bool = False,
    ) -> None:
        self._root = root
        self._key = key
        self._depth = depth
        self._enters = enters or (lambda key: True)
        self._wants = wants
        self._folders = folders
        self._left_out = LeftOut(_log, key)
        self._errors_met = CollectedErrors(root.backend)

    def entries(self) -> Generator[FileInfo | FolderEntry, None, None]:
        """
        Yield what is there; a folder that is missing, or a file, yields nothing.

        Raises:
            PermissionDenied, RemoteStoreError: A folder or link refuses to be
                looked into; the error's ``path`` is its key. A walk that goes
                down yields the rest first; ``others`` are the errors of the
                other folders.
        """
        waiting = [(self._key, 0)]
        while waiting:
            key, depth = waiting.pop()
            goes_down = self._depth is None or depth < self._depth
            above = f"{key}/" if key else ""
            refused = False  # one error for each folder: all entries may have the same
            try:
                folder = self._root.open_folder(key, listing=True)
                with folder, os.scandir(folder.handle) as found:
                    for entry in found:
                        name = entry.name
                        below = above + name
                        if not self._is_visible(name, below):
                            continue
                        if is_own_folder(entry):
                            if goes_down and self._enters(below):
                                waiting.append((below, depth + 1))
                            if self._folders:
                                yield FolderEntry(known_path(below), name)
                            continue
                        try:
                            item = self._look(folder, below, entry, goes_down)
                        except OSError as error:
                            if not refused:
                                self._refuse(error, below)
                            refused = True
                        else:
                            if item is not None:
                                yield item
            except RemoteStoreError as error:  # some are OSErrors too
                if self._depth == 0:
                    raise
                self._refuse(error, key)
            except (FileNotFoundError, NotADirectoryError):
                continue  # or deleted since it was seen
            except OSError as error:
                self._refuse(error, key)
        self._left_out.finish()
        self._errors_met.raise_first()

    def _refuse(self, error: OSError | RemoteStoreError, key: str) -> None:
        ours = self._errors_met.note(error, key)
        if self._depth == 0:
            raise ours

    def _is_visible(self, name: str, key: str) -> bool:
        if name.startswith(RESERVED_PREFIX):
            return False
        # Of one segment that the system told, ASCII or not.
        if ("\\" not in name and name.isascii()) or is_key(name):
            return True
        self._left_out.name(key)
        return False

    def _look(
        self, folder: OpenFolder, key: str, entry: os.DirEntry[str], goes_down: bool
    ) -> FileInfo | FolderEntry | None:
        """Return the item of an entry that is not a folder; None for what is not listed."""
        is_file = entry.is_file(follow_symlinks=False)  # known from the listing
        if is_file and self._wants is not None and not self._wants(key):
            return None
        try:
            found = folder.stat(entry.name)
            if is_file and stat.S_ISREG(found.st_mode):
                return known_file(key, entry.name, found.st_size, modified_at(found))
            is_link = stat.S_ISLNK(found.st_mode)
            if is_link:
                with self._root.resolve(key) as resolved:
                    if resolved.found is None:
                        return None
                    found = resolved.found
        except (FileNotFoundError, NotADirectoryError):
            return None
        except InvalidPath:  # leaves the root
            self._left_out.link(goes_down and self._enters(key))
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise
        if stat.S_ISDIR(found.st_mode):
            self._left_out.link(goes_down and self._enters(key))
            return FolderEntry(known_path(key), entry.name, is_link) if self._folders else None
        if stat.S_ISREG(found.st_mode) and (is_file or self._wants is None or self._wants(key)):
            return known_file(key, entry.name, found.st_size, modified_at(found))
        return None


@mapped
def folder_info(files: LocalFiles, key: str, stopped: Callable[[], bool]) -> FolderInfo:
    """
    Add up the files below a folder.

    Args:
        files: Where.
        key: Key of a folder.
        stopped: Asked now and then whether to give up.

    Returns:
        Count, bytes and latest known time.

    Raises:
        NotFound: Nothing is there.
        InvalidPath: A file is there, or *key* is malformed.
        RemoteStoreError: As `FolderWalk.entries`.
    """
    kind = files.kind(key)
    if kind is None:
        raise files.missing(key)
    if kind == "file":
        raise is_a_file(key, files.name)
    key = files.key(key)
    count = size = 0
    latest = UNKNOWN_TIME
    for info in FolderWalk(files.root, key, depth=None).entries():
        if stopped():
            break
        if isinstance(info, FileInfo):
            count += 1
            size += info.size
            latest = max(latest, info.modified_at)
    from remote_store import FolderInfo  # not for listings

    return FolderInfo(
        RemotePath.from_backend_path(key),
        count,
        size,
        None if latest == UNKNOWN_TIME else latest,
    )


def list_entries(
    files: LocalFiles, key: str, *, depth: int | None, with_files: bool, with_folders: bool
) -> Generator[FileInfo | FolderEntry, None, None]:
    """Yield what is in a folder, and down to *depth* folders below it."""
    key = files.key(key)
    if is_reserved(key):
        return
    wants = None if with_files else lambda _: False
    yield from FolderWalk(files.root, key, depth=depth, wants=wants, folders=with_folders).entries()


def glob(files: LocalFiles, pattern: str) -> Generator[FileInfo, None, None]:
    """
    Yield the files whose key matches.

    Folders that cannot hold one are not opened, and of other files nothing is asked.
    """
    from remote_store import GlobPattern  # not for listings

    glob = GlobPattern.parse(pattern)
    key = files.key(glob.prefix)
    if is_reserved(key):
        return
    walk = FolderWalk(
        files.root, key, depth=glob.depth, enters=glob.may_contain, wants=glob.matches
    )
    for item in walk.entries():
        if isinstance(item, FileInfo):
            yield item


class PageReader(Generic[T]):
    """
    A generator that is advanced in worker threads, some items at a time.

    Args:
        items: The generator; closed on release.
    """

    __slots__ = ("_error", "_items", "_shared", "ended")

    def __init__(self, items: Generator[T, None, None]) -> None:
        self._items = items
        self._shared = SharedClose(items.close)
        self._error: Exception | None = None
        #: Whether nothing comes after the last page.
        self.ended = False

    def next(self, count: int) -> list[T]:
        """
        Return the next *count* items, fewer at the end, none once released.

        What came before an error is a page, and the error comes instead of
        the next one.
        """
        page: list[T] = []
        with self._shared.use() as usable:
            if self._error is not None:
                raise self._error
            if usable:
                alone = _turn.acquire(timeout=_PATIENCE)
                try:
                    page.extend(itertools.islice(self._items, count))
                except Exception as error:
                    if not page:
                        raise
                    self._error = error
                    return page
                finally:
                    if alone:
                        _turn.release()
            self.ended = len(page) < count
            return page

    def release(self) -> None:
        """Close the generator, at the latest when the page that is running ends."""
        self._shared.release()
