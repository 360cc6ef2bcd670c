"""The protocol that a sync backend implements."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar, runtime_checkable

from remote_store._contract.content import WritableContent
from remote_store._threads.spool import spooled_read, spooled_write
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.errors import unsupported
from remote_store._types.models import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    ResolutionPlan,
    WriteResult,
)

__all__ = ["Backend"]

T = TypeVar("T")


@runtime_checkable
class Backend(Protocol):
    """
    What a sync store needs from a backend.

    A distribution offers such a class in the entry point group
    ``remote_store.sync_backends``, under the name of its async class in
    ``remote_store.backends`` if it has one: the sync openers prefer it, the
    async ones use it behind an adapter where there is no other.

    The contract is that of `remote_store.aio.AsyncBackend`, method by method:
    keys, errors and their order, exclusive writes, what is left after a
    failure. This class states only what differs. Subclass it (an incomplete
    class then cannot be instantiated) or provide the same members; those
    from `iter_children` on have defaults.

    The methods block. They may be called from several threads at once.
    Listings are generators: nothing happens before the first ``next``, and
    closing one releases what it holds.
    """

    # As in AsyncBackend, which says what each of them means.
    if not TYPE_CHECKING:
        CAPABILITIES = CapabilitySet(Capability)
        CONTRACT = "1.0"
        SECRET_OPTIONS = frozenset()
        public_options = frozenset()
        close_is_terminal = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Identifier of this backend type, for example ``"local"`` (CAP-011)."""

    @property
    @abstractmethod
    def capabilities(self) -> CapabilitySet:
        """What this instance can do: constant for its life, read without I/O (CAP-001)."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Return True if a file or folder is at *path*; never raises NotFound."""

    @abstractmethod
    def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*."""

    @abstractmethod
    def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*."""

    @abstractmethod
    def read(self, path: str) -> BinaryIO:
        """
        Open a file for reading.

        A backend must never hand out short data as if it were the whole file
        (FAULT-001), and must release everything when the stream is closed.

        Args:
            path: Key of a file.

        Returns:
            A binary stream; with SEEKABLE_READ it can seek.

        Raises:
            NotFound: Nothing is there, or the path runs through a file.
            InvalidPath: *path* is a folder.
        """

    @abstractmethod
    def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file."""

    @abstractmethod
    def write(
        self,
        path: str,
        content: WritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """
        Write a file, creating its parent folders.

        The store guarantees *content* to be bytes or an object with
        ``read(size)``, and closes what has to be closed. A backend must look
        at the path and an existing key before it reads from it, must not
        close it, and must not publish anything when reading fails.
        """

    @abstractmethod
    def write_atomic(
        self,
        path: str,
        content: WritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """As `write`; readers see the old content or the new, never a part (ATOM-001)."""

    @abstractmethod
    def open_atomic(
        self, path: str, *, overwrite: bool = False
    ) -> AbstractContextManager[BinaryIO]:
        """
        Return a context manager over a writable file that is published at its end.

        An exception in the body publishes nothing; a body that closes the
        file, as a TextIOWrapper does unasked, has ended it well.

        It is abstract, so that its author decides: a backend that can write
        in place of the final file until it is complete says how. One that
        cannot returns ``super().open_atomic(path, overwrite=overwrite)``: this
        implementation gathers up to 8 MiB in memory and more on disk, and
        ends in `write_atomic`; there errors appear at the end.

        Args:
            path: Key of a file.
            overwrite: Replace an existing file; False refuses it.

        Raises:
            InvalidPath, AlreadyExists: As `write_atomic`, at entry or at the end.
        """
        return spooled_write(lambda file: self.write_atomic(path, file, overwrite=overwrite))

    @abstractmethod
    def delete(self, path: str, *, missing_ok: bool = False) -> None:
        """Delete a file (DEL-001)."""

    @abstractmethod
    def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """Delete a folder, and with *recursive* exactly what is below it (DEL-005)."""

    @abstractmethod
    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Iterator[FileInfo]:
        """Yield the files of a folder, in any order; write it as a generator."""

    @abstractmethod
    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        """Yield the immediate subfolders; write it as a generator."""

    @abstractmethod
    def get_file_info(self, path: str) -> FileInfo:
        """Return what is known about a file, user metadata included (INFO-001)."""

    @abstractmethod
    def get_folder_info(self, path: str) -> FolderInfo:
        """Return count, bytes and latest time of all files below a folder (INFO-006)."""

    @abstractmethod
    def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """Rename a file; content and user metadata go with it (MOVE-001)."""

    @abstractmethod
    def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """Copy a file with its user metadata (COPY-001)."""

    def iter_children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        """Yield the files and the subfolders of a folder; the default chains both listings."""
        yield from self.list_files(path)
        yield from self.list_folders(path)

    def glob(self, pattern: str) -> Iterator[FileInfo]:
        """
        Yield the files whose key matches; declared by GLOB (GLOB-001).

        Raises:
            CapabilityNotSupported: Always, from this default.
        """
        msg = f"backend {self.name!r} does not support glob"
        raise unsupported(msg, path=pattern, backend=self.name, capability=Capability.GLOB.value)
        yield  # makes this a generator, as every override is

    def read_seekable(self, path: str) -> BinaryIO:
        """
        Open a file for reading with ``seek``.

        The default returns the stream of `read` if it can seek, else a copy
        of the file: up to 8 MiB in memory, more on disk.

        Raises:
            NotFound, InvalidPath: As `read`.
        """
        return spooled_read(self.read(path))

    def close(self) -> None:
        """Release what the backend holds; idempotent (LIFE-002). The default does nothing."""
        return  # a body, without which type checkers take the method for abstract

    def check_health(self) -> None:
        """
        Make the cheapest read-only call that proves the storage reachable.

        The default does nothing.

        Raises:
            PermissionDenied, NotFound, BackendUnavailable: It is not.
        """
        return

    def resolve(self, path: str) -> ResolutionPlan:
        """Return how a key maps to storage, as `remote_store.aio.AsyncBackend.resolve`."""
        # A class that matches by its members alone may lack native_path too.
        native_path = getattr(self, "native_path", Backend.native_path.__get__(self))
        return ResolutionPlan(
            kind=self.name,
            backend=self.name,
            key=path,
            native_path=native_path(path),
            details={},
        )

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the native handle of the given type.

        Raises:
            CapabilityNotSupported: There is none; always, from this default.
        """
        msg = f"backend {self.name!r} does not expose native handle {type_hint!r}"
        raise unsupported(msg, backend=self.name, capability="unwrap")

    def native_path(self, path: str) -> str:
        """Return a key in the backend's own notation; the default changes nothing (PATH-009)."""
        return "" if path == "." else path

    def to_key(self, native_path: str) -> str:
        """Return the key of a native path; the inverse of `native_path`."""
        return native_path
