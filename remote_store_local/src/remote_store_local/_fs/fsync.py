"""
Bringing names to the disk, so that a power loss does not take them.

What can be refused is refused while nothing has changed yet; what fails
once the change is made says that it was made.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Sequence

from remote_store import RemoteStoreError
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.resolve import Root

__all__ = ["fsync_names", "not_durable"]


def not_durable(root: Root, key: str, error: OSError) -> RemoteStoreError:
    """Return the error for what the system failed at when a file had its name already."""
    msg = (
        f"The file is in place, but whether it survives a power loss is not certain: "
        f"{error.strerror or type(error).__name__}: {key!r}"
    )
    return RemoteStoreError(msg, path=key, backend=root.backend, outcome_unknown=True)


class _FolderToSync:
    """The names in a folder, ready to be synced."""

    def __init__(self, folder: OpenFolder) -> None:
        self._folder: OpenFolder | None = None
        with contextlib.suppress(PermissionError):
            self._folder = folder.reopened()

    def sync(self) -> None:
        if self._folder is not None:
            self._folder.sync()
        else:
            # A folder that may be written but not read: no system lets us sync
            # it alone, so everything is. Linux waits for the end of that.
            os.sync()

    def close(self) -> None:
        if self._folder is not None:
            self._folder.close()


@contextlib.contextmanager
def fsync_names(
    root: Root, key: str, folders: Sequence[OpenFolder], created: Sequence[str]
) -> Generator[None, None, None]:
    """
    Bring to the disk what the block changes in some folders.

    Args:
        root: Where.
        key: Key of the file that the block gives a name, for the error.
        folders: The folders in which names change.
        created: Keys of folders that were just created, which are to survive as well.

    Raises:
        OSError: A folder cannot be opened or synced; the block has not begun.
        RemoteStoreError: The system could not sync what the block did, which
            is there all the same: ``outcome_unknown`` is True.
    """
    with contextlib.ExitStack() as stack:
        for below in created:
            with (
                root.open_folder(below.rpartition("/")[0]) as above,
                contextlib.closing(_FolderToSync(above)) as names,
            ):
                names.sync()
        opened = [
            stack.enter_context(contextlib.closing(_FolderToSync(folder))) for folder in folders
        ]
        yield
        try:
            for names in opened:
                names.sync()
        except OSError as error:
            raise not_durable(root, key, error) from error
