"""
The protocol that a sync backend implements.

Written by scripts/unasync.py from `AsyncBackend`, but for what is marked.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar, runtime_checkable

from remote_store._contract import members
from remote_store._contract.closing import closing
from remote_store._contract.content import WritableContent
from remote_store._contract.range_file import open_ranges, reads_ranges
from remote_store._contract.ranges import part_of_stream, refuse_other_version
from remote_store._contract.standard_errors import (
    cannot_copy_from,
    cannot_copy_many_from,
    cannot_delete_many,
    no_real_folders,
)
from remote_store._threads.spool import spooled_read, spooled_write
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.errors import RemoteStoreError, unsupported
from remote_store._types.models import (
    FileInfo,
    FolderEntry,
    WriteResult,
)

if TYPE_CHECKING:
    from remote_store._types.folder_info import FolderInfo
    from remote_store._types.resolution import ResolutionPlan

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

    Subclass it (an incomplete class then cannot be instantiated) or just
    provide the same members: `Store` looks them up by name. The members from
    `iter_children` on have defaults, which serve a class that lacks them as
    well.

    Keys are ``/``-separated and relative to the backend; ``""`` and ``"."``
    are its root. A store hands over keys in normal form. A backend called
    directly refuses a leading ``/``, a ``..`` segment, a backslash and NUL with
    `InvalidPath` before any I/O (PATH-002); `remote_store.authoring` does it.

    Capabilities are gated by the store, not here. Native exceptions never
    leak (ERR-001): each is raised as a `RemoteStoreError` whose
    ``__cause__`` is the native one, with the key and the backend's name.
    Exceptions of the caller's content pass unchanged (WRITE-007). What cannot
    be known (no permission, network down) raises; it never turns into False,
    empty or missing.

    The storage itself may be absent: a container, a bucket, a root folder.
    Then `exists`, `is_file` and `is_folder` answer False, of the root as well,
    and listings are empty; everything else raises `NotFound`, whose message
    names the storage and how to make it. A terminally closed backend raises
    `StoreClosed` before it looks at a path; a call that its close overtakes
    ends with its result or with that error (LIFE-011).

    A change whose answer was lost may have been made: its error has
    ``outcome_unknown`` True, and a repeated exclusive write must not take its
    own file for somebody else's (FAULT-006). After an interrupt the old object
    or the new one is there, and no temporary file or lock is left.

    What declares CONDITIONAL_WRITE takes ``if_match`` besides, what declares
    CONTENT_HEADERS takes ``headers``, and what declares RESUMABLE_WRITE takes
    ``resume``, as `AsyncBackend` says (COND-001, HEADERS-001, RESUME-001).

    The methods block. They may be called from several threads at once.
    Listings are generators: nothing happens before the first ``next``, and
    closing one releases what it holds.

    A class may have a classmethod ``from_url(url, **options) ->
    (backend, root_path)``.
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
        """
        Return True if a file or folder is at *path*.

        A backend must answer False for a missing path and for one that runs
        through a file (INFO-008), True for its root even when empty
        (INFO-007), but False when the storage itself is absent, and must raise
        when it does not know. Never raises NotFound.

        Args:
            path: Key, or ``""`` for the root.
        """

    @abstractmethod
    def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*; otherwise as `exists` (the root is not a file)."""

    @abstractmethod
    def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*; otherwise as `exists` (the root is one)."""

    # By hand: a stream, not chunks.
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
        """
        Return the whole content of a file, equal to the joined chunks of `read` (READ-010).

        Args:
            path: Key of a file.

        Raises:
            NotFound: Nothing is there, or the path runs through a file.
            InvalidPath: *path* is a folder.
        """

    # By hand: content is read, not iterated over.
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
        at the path, the types on it and an existing key before it reads from
        it, must not close it, must not publish anything when reading fails,
        and must decide exclusively at the commit: of any number of concurrent
        writers with ``overwrite=False`` one succeeds (WRITE-004).

        Args:
            path: Key of a file.
            content: The bytes.
            overwrite: Replace an existing file; False refuses it.
            metadata: User metadata, stored as a copy and replacing any
                earlier. A backend without USER_METADATA refuses a non-empty
                mapping itself.

        Returns:
            Path and size, and with WRITE_RESULT_NATIVE what the backend's own
            answer said about the new version.

        Raises:
            InvalidPath: *path* is the root in any spelling or a folder
                (whatever *overwrite* says, WRITE-005), lies under a regular
                file (WRITE-006; flat stores only on request), or its name is
                reserved for temporary files (``.~tmp.*``).
            AlreadyExists: A file is there and *overwrite* is False (WRITE-003).
            CapabilityNotSupported: Metadata without USER_METADATA.
            ValueError: Metadata that could not be returned unchanged.
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
        """
        As `write`; readers see the old content or the new, never a part (ATOM-001).

        A backend must leave neither a changed target nor a temporary file
        when the source fails (ATOM-002) or the call is cancelled or interrupted
        (ATOM-003), and must hide its temporary files from listings (ATOM-004).
        """

    # By hand: an async backend has `write_atomic` alone.
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
        """
        Delete a file (DEL-001). Its folder stays, even when it is now empty.

        Args:
            path: Key of a file.
            missing_ok: Do nothing when the file is missing.

        Raises:
            NotFound: Nothing is there, or the path runs through a file, and
                *missing_ok* is False (DEL-002).
            InvalidPath: *path* is the root or a folder, whatever
                *missing_ok* says (DEL-003).
        """

    @abstractmethod
    def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """
        Delete a folder, and with *recursive* exactly what is below it (DEL-005).

        Args:
            path: Key of a folder.
            recursive: Delete its content too.
            missing_ok: Do nothing when the folder is missing.

        Raises:
            InvalidPath: *path* is the root (DEL-006) or a file, whatever
                *missing_ok* says.
            NotFound: Nothing is there and *missing_ok* is False.
            DirectoryNotEmpty: It has children and *recursive* is False
                (DEL-004). A child that appears meanwhile is never removed.
        """

    @abstractmethod
    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Iterator[FileInfo]:
        """
        Yield the files of a folder, in any order; write it as a generator.

        A missing path, a file and a path through a file yield nothing
        (LIST-004). Keys that are not valid paths are skipped with one logged
        warning, whose record has ``names_left_out=True`` (`logging`'s *extra*);
        `remote_store.authoring.LeftOut` says so, and counts them for a program
        that asked by `remote_store.count_left_out`.
        With *recursive*, a folder that refuses to be listed does not hide the
        others: its error comes at the end, and those of further folders are
        its ``others``. Links to folders are not entered; one warning has their
        number as ``links_left_out``. A backend must keep memory bounded
        (LAZY-003) and hold no lock while the consumer works (LIST-010).

        Args:
            path: Key of a folder, ``""`` for the root.
            recursive: Also the files of all folders below.
            max_depth: With *recursive*: how many folders deep, 0 for the
                files of *path* itself. A backend may ignore it; the store
                filters what it yields.
        """

    @abstractmethod
    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        """
        Yield the immediate subfolders; write it as a generator.

        A link to a folder is one of them, with ``is_link`` set: the store goes
        down into the others only.

        Args:
            path: Key of a folder, ``""`` for the root; what is not a
                folder yields nothing.
        """

    @abstractmethod
    def get_file_info(self, path: str) -> FileInfo:
        """
        Return what is known about a file, user metadata included (INFO-001).

        Args:
            path: Key of a file.

        Raises:
            NotFound: Nothing is there, or the path runs through a file (INFO-003).
            InvalidPath: *path* is a folder or the root (INFO-004).
        """

    @abstractmethod
    def get_folder_info(self, path: str) -> FolderInfo:
        """
        Return count, bytes and latest time of all files below a folder (INFO-006).

        Args:
            path: Key of a folder, ``""`` for the root. An empty folder gives
                0, 0 and None.

        Raises:
            NotFound: Nothing is there; of the root: the storage is absent.
            InvalidPath: *path* is a file.
        """

    @abstractmethod
    def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """
        Rename a file; content and user metadata go with it (MOVE-001).

        A backend must refuse malformed keys and the root first (PATH-011),
        must look at the source before it looks at what is at *dst* (MOVE-002),
        must not remove the source before the destination is complete
        (MOVE-007), and must decide ``overwrite=False`` exclusively, as `write`
        does.

        Args:
            src: Key of a file.
            dst: Key of the new file; equal to *src* is a no-op on a file.
            overwrite: Replace a file at *dst*; False refuses it.

        Raises:
            NotFound: *src* is missing (MOVE-002).
            InvalidPath: *src* is a folder, *dst* is the root, a folder or
                reserved, or lies under a regular file (MOVE-006).
            AlreadyExists: A file is at *dst* and *overwrite* is False (MOVE-003).
        """

    @abstractmethod
    def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """
        Copy a file with its user metadata; otherwise as `move` (COPY-001 to COPY-007).

        A backend must return only when the copy is complete, and nothing that
        is done to one of the two files afterwards may change the other.
        """

    def iter_children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        """
        Yield the files and the subfolders of a folder (LIST-009).

        The default chains `list_files` and `list_folders`; a backend that
        gets both in one request overrides it, and so does one whose
        `list_folders` warns of names that are not paths, too: one call gives
        one warning (LIST-012).

        Args:
            path: Key of a folder, ``""`` for the root.
        """
        files = self.list_files(path)
        with closing(files):
            for file in files:
                yield file
        folders = self.list_folders(path)
        with closing(folders):
            for folder in folders:
                yield folder

    def glob(self, pattern: str) -> Iterator[FileInfo]:
        """
        Yield the files whose key matches; declared by GLOB (GLOB-001).

        A backend that overrides this uses `remote_store.GlobPattern`, so that
        the language is the same everywhere.

        Args:
            pattern: See `GlobPattern`.

        Raises:
            CapabilityNotSupported: Always, from this default.
        """
        msg = f"backend {self.name!r} does not support glob"
        raise unsupported(msg, path=pattern, backend=self.name, capability=Capability.GLOB.value)
        yield  # makes this a generator, as every override is

    # By hand: a stream, not chunks.
    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> BinaryIO:
        """
        Open a part of a file for reading; declared as cheap by RANGE_READ.

        All else is as in `read`. The default goes to *start* by seeking in the
        stream of `read`, or by reading up to it; with *if_match* it asks for
        the ETag at once and at the end. A backend with RANGE_READ transfers
        what is read and little more (RANGE-006), and lets the service decide
        about *if_match*, or the handle that it has opened. Contract 1.1.

        Args:
            path: Key of a file.
            start: Position of the first byte, 0 or more. At or behind the end
                of the file there is nothing to read (RANGE-002).
            length: Bytes to read at most, 1 or more; None for all that follow.
            if_match: ETag of the version to read, as `get_file_info` gives it.

        Returns:
            A binary stream over the part.

        Raises:
            NotFound: Nothing is there, or the path runs through a file,
                whatever *if_match* says.
            InvalidPath: *path* is a folder.
            PreconditionFailed: The file has another ETag than *if_match*, or
                none; also from the stream, when it changed meanwhile.
        """

        def compare() -> None:
            if if_match is not None:
                refuse_other_version(self.get_file_info(path), if_match, path, self.name)

        compare()
        return part_of_stream(self.read(path), start, length, compare)

    # By hand: an async backend has only chunks.
    def read_seekable(self, path: str) -> BinaryIO:
        """
        Open a file for reading with ``seek``.

        The default reads in ranges what declares RANGE_READ and METADATA, but
        not SEEKABLE_READ. Else it returns the stream of `read` if that can seek,
        or a copy of the file: up to 8 MiB in memory, more on disk.

        Raises:
            NotFound, InvalidPath: As `read`.
        """
        if reads_ranges(self):
            return open_ranges(self, members.member(self, "read_range", Backend), path)
        return spooled_read(self.read(path))

    def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        """
        Return a URL by which anybody may read or write one file; declared by SIGNED_URL (URL-001).

        It works by plain HTTP, for that method alone, until it expires. It is
        a secret: no error, log record or representation may show it. A backend
        that holds the keys makes it without a request, and whether the file is
        there is not looked at. Since contract 1.1.

        Args:
            path: Key of a file; with ``"PUT"`` one that may be written.
            expires: From now on; above 0, and at least a second.
            method: ``"GET"`` or ``"PUT"``.

        Raises:
            InvalidPath: *path* is the root, or could not be written.
            ValueError: *expires* is longer than the service allows.
            CapabilityNotSupported: Always, from this default; and where the
                credentials cannot sign.
        """
        msg = f"backend {self.name!r} does not sign URLs"
        needed = Capability.SIGNED_URL.value
        raise unsupported(msg, path=path, backend=self.name, capability=needed)

    def create_folder(self, path: str) -> None:
        """
        Make a folder, and those above it that are missing; declared by CREATE_FOLDER (FOLDER-001).

        One that is there already stays as it is (FOLDER-002), so that of any
        number of concurrent callers all succeed (FOLDER-005). A backend
        declares it only where folders are real: where an empty one is there,
        and stays until `delete_folder`. A marker, an object that stands for a
        folder, is none. A call that fails or is cancelled leaves no part of
        the folders, or, where the service makes them in one request, all.
        Since contract 1.1.

        Args:
            path: Key of a folder; the root is there already.

        Raises:
            InvalidPath: A file is at *path* or above it (FOLDER-003), or a name is
                reserved for temporary files.
            NotFound: The storage itself is absent, also where *path* is the
                root; the message names it.
            CapabilityNotSupported: Always, from this default.
        """
        raise no_real_folders(path, self.name)

    def copy_from(
        self,
        source: Backend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        """
        Copy a file of another backend, where the storage does that by itself (ACROSS-001).

        All else is as in `copy`: the content does not come through this
        process, user metadata and, where the storage keeps it, the time go
        along, and what arrives is one version. The default refuses. A
        backend recognises others by their class, never by what they say of
        themselves: one that is wrapped gives another content than its storage
        has. What it can reach depends on the two backends alone, and is told
        before anything is asked of a service. Contract 1.1.

        Args:
            source: Where from; any backend.
            src: Key of a file of *source*.
            dst: Key of the new file.
            overwrite: Replace a file at *dst*; False refuses it, exclusively.
            if_match: ETag of the version of *src* to copy; never without
                CONDITIONAL_WRITE.

        Returns:
            What `write` returns, ``last_modified`` as the storage tells it of
            the copy; None if it tells nothing with it.

        Raises:
            CapabilityNotSupported: Always, from this default; and where the
                storage cannot copy from *source*: it has to be read and
                written instead, and nothing was done.
            NotFound, InvalidPath, AlreadyExists, PreconditionFailed: As `copy`.
        """
        raise cannot_copy_from(dst, self.name)

    def copy_many_from(
        self, source: Backend, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[WriteResult | RemoteStoreError | None]:
        """
        Copy files of another backend, where one call for each would cost more than the copies.

        Each is copied as `copy_from` does it without *overwrite*, and none
        keeps another one from being copied (ACROSS-010); they are copied in
        any order. What was copied when the call is cancelled stays: each file
        is there as a whole or not at all (ACROSS-014). The default refuses. A
        class that has a `copy_from` of its own and only inherits this member
        is not asked. Contract 1.1.

        Args:
            source: Where from; any backend.
            pairs: For each file its key in *source* and that of the new file,
                which no other pair has.

        Returns:
            For each pair, in their order, what `copy_from` would have returned
            or raised.

        Raises:
            CapabilityNotSupported: Always, from this default; and where the
                storage cannot copy from *source*, or gains nothing by doing it
                for many: nothing was done (ACROSS-013).
        """
        raise cannot_copy_many_from(self.name)

    def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        """
        Delete files, where the storage does that for several of them at a time.

        Each path has the result that `delete` has, and none keeps another one
        from being deleted (DEL-010). What one request for many does not tell,
        a backend finds out by others. The default refuses. A class that has a
        `delete` of its own and only inherits this member is not asked.
        Contract 1.1.

        Args:
            paths: Keys of files, each once.
            missing_ok: A missing file is no error.
            if_match: ETags by key, of the versions that may be deleted; only
                given to a backend that declares CONDITIONAL_WRITE.

        Returns:
            The error of each file that was not deleted, by its key.

        Raises:
            CapabilityNotSupported: Always, from this default; and where they
                have to be deleted one by one: nothing was done.
        """
        raise cannot_delete_many(self.name)

    def close(self) -> None:
        """Release what the backend holds; idempotent (LIFE-002). The default does nothing."""
        return  # a body, without which type checkers take the method for abstract

    def check_health(self) -> None:
        """
        Make the cheapest read-only call that proves the storage reachable.

        The default does nothing.

        Raises:
            PermissionDenied: Credentials are refused.
            NotFound: The container or root is missing.
            BackendUnavailable: The service does not answer.
        """
        return

    def resolve(self, path: str) -> ResolutionPlan:
        """
        Return how a key maps to storage, without I/O and without secrets.

        The ``details`` of the plan are for a person who looks for the object
        by other means: what native path and backend do not say already, such
        as the account or the root folder, in values that JSON knows. Their
        names are the backend's own; the default has none.
        """
        # Imported here: few programs ask where things are.
        from remote_store._types.resolution import ResolutionPlan

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
