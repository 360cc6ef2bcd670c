"""What the two kinds of accounts do each in its own way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Protocol

from remote_store import FileInfo, FolderEntry, FolderInfo, GlobPattern, WriteResult
from remote_store.aio import AsyncWritableContent

if TYPE_CHECKING:
    from remote_store_azure._blob.read import BlobReader
    from remote_store_azure._http.session import Session

__all__ = ["Strategy"]


class Strategy(Protocol):
    """
    The operations of a backend on one kind of account, in the session of one loop.

    Keys are in normal form and not the root, but for the folder of a listing
    or a folder info. Targets are not reserved. What a method raises is in the
    docstring of the backend's method of that name.
    """

    async def exists(self, session: Session, key: str) -> bool:
        """Return True if a file or folder is there."""
        ...

    async def is_file(self, session: Session, key: str) -> bool:
        """Return True if a file is there."""
        ...

    async def is_folder(self, session: Session, key: str) -> bool:
        """Return True if a folder is there."""
        ...

    def read(self, session: Session, key: str) -> BlobReader:
        """Return the content of a file, which is asked for at the first pull."""
        ...

    async def write(
        self,
        session: Session,
        key: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool,
        atomic: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        """Write a file. The metadata are such that the service keeps them."""
        ...

    async def delete(self, session: Session, key: str, *, missing_ok: bool) -> None:
        """Delete a file."""
        ...

    async def delete_folder(
        self, session: Session, key: str, *, recursive: bool, missing_ok: bool
    ) -> None:
        """Delete a folder."""
        ...

    def list_files(
        self, session: Session, key: str, *, recursive: bool, max_depth: int | None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder."""
        ...

    def list_folders(self, session: Session, key: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder."""
        ...

    def iter_children(
        self, session: Session, key: str
    ) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder."""
        ...

    def glob(self, session: Session, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
        """Yield the files whose key matches."""
        ...

    async def get_file_info(self, session: Session, key: str) -> FileInfo:
        """Return what is known about a file."""
        ...

    async def get_folder_info(self, session: Session, key: str) -> FolderInfo:
        """Add up what is below a folder."""
        ...

    async def move(self, session: Session, src: str, dst: str, *, overwrite: bool) -> None:
        """Rename a file; onto itself it is looked for and left alone."""
        ...

    async def copy(self, session: Session, src: str, dst: str, *, overwrite: bool) -> None:
        """Copy a file; onto itself it is looked for and left alone."""
        ...
