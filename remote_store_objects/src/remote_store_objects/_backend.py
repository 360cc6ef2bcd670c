"""The backend: checks that need no service, and the way to each operation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeVar

from attrs import evolve

from remote_store import (
    Capability,
    CapabilitySet,
    ContentHeaders,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemoteStoreError,
    ResolutionPlan,
    RetryPolicy,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncWritableContent
from remote_store.authoring import (
    cannot_copy_from,
    cannot_delete_many,
    cannot_delete_root,
    is_a_folder,
)
from remote_store_objects._flat import Flat
from remote_store_objects._gates import (
    gate_attributes,
    gate_content,
    gate_match,
    gate_url,
    undeclared,
)
from remote_store_objects._keys import Keys
from remote_store_objects._protocol.description import Description
from remote_store_objects._protocol.service import ObjectService
from remote_store_objects._protocol.values import Upload
from remote_store_objects._reading.listing import Entries
from remote_store_objects._reading.probe import look_at_storage, storage_exists
from remote_store_objects._session.in_flight import Calls
from remote_store_objects._session.loops import Loops
from remote_store_objects._session.session import Session, Sizes
from remote_store_objects._transfer import across
from remote_store_objects._writing.sweep import sweep, uploads

__all__ = ["ObjectBackend"]

T = TypeVar("T")

_PUT: Final = 8 << 20
_PART: Final = 4 << 20
#: Sizes of parts that an upload has at most when its number of parts is used up.
_DOUBLINGS: Final = 10
_DAY: Final = timedelta(hours=24)
#: What takes or gives content.
_CONTENT: Final = ("read", "read_bytes", "read_range", "write", "write_atomic", "copy")


class ObjectBackend(AsyncBackend):
    """
    A complete backend over an object store.

    Folders are what keys imply: one is there as long as something is in it,
    and a file and a folder of one name may coexist. An empty object whose key
    ends in ``/``, which other tools make, stands for a folder and is no file.

    Every write, move and copy without ``overwrite`` is decided by the service:
    of any number of concurrent writers one succeeds. A read that is cut off
    goes on with the same version or raises. What the service cannot do is in
    its description, which says what becomes of it.

    One instance serves any number of tasks, threads and event loops; each loop
    has a service of its own, which ends with it. Closing is terminal. It
    pickles as its configuration, as long as *connect* does.

    A plugin derives a class from it whose constructor takes what its users
    know, and gives it a classmethod ``from_url``.

    Methods raise what the protocol says, and what their docstrings add to it.

    Args:
        connect: Makes the service, without I/O; called once in each event loop.
        description: What the service can do.
        retry: How often and how long to try again; None for the default
            `RetryPolicy`. For a service that repeats attempts by itself it
            counts only for the rest of a read that broke off.
        max_concurrency: Requests of one upload or download at a time.
        single_put: Bytes up to which content is written in one request.
        part_size: Bytes of the parts of larger content; they grow as the stream
            goes on, unless the service needs equal ones. Both are held to what
            the service allows.
        growth: Parts after which their size doubles; None for a tenth of what
            one upload may have.
        range_size: Bytes of each range where a read has several requests at a
            time; None for *part_size*.
        first_range: Bytes of the first of them; None for *range_size*.
        reject_write_under_file_ancestor: Look for a file at each folder above
            the target of a write, move or copy, and for a folder at the
            target, and refuse it with InvalidPath; each look is a request.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: A number is below 1.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability)
        - {
            Capability.SEEKABLE_READ,
            Capability.ATOMIC_MOVE,
            Capability.CREATE_FOLDER,
        }
    )
    CONTRACT: ClassVar[str] = "1.1"
    close_is_terminal: ClassVar[bool] = True

    def __init__(
        self,
        connect: Callable[[], ObjectService],
        description: Description,
        *,
        retry: RetryPolicy | None = None,
        max_concurrency: int = 1,
        single_put: int = _PUT,
        part_size: int = _PART,
        growth: int | None = None,
        range_size: int | None = None,
        first_range: int | None = None,
        reject_write_under_file_ancestor: bool = False,
    ) -> None:
        if retry is not None and not isinstance(retry, RetryPolicy):
            msg = f"retry must be a RetryPolicy or None, got {type(retry).__name__}"
            raise TypeError(msg)
        sizes = Sizes(
            single_put=single_put,
            part_size=part_size,
            growth=max(1, description.max_parts // _DOUBLINGS) if growth is None else growth,
            max_concurrency=max_concurrency,
            range_size=range_size,
            first_range=first_range,
        )
        #: Makes the service; for what needs its verbs past all that is here.
        self.connect = connect
        self._description = description
        self._retry = retry
        self._sizes = sizes.within(description)
        #: What operations do; None as long as a class derived from this one has to find it out.
        self.operations: Flat | None = Flat(reject_write_under_file_ancestor)
        self._start()

    def _start(self) -> None:
        description, retry = self._description, self._retry or RetryPolicy()
        self._keys = Keys(description)
        most = set(ObjectBackend.CAPABILITIES)
        self._capabilities = CapabilitySet(most - undeclared(description))
        self._loops = Loops(self.made_service, description, retry, self._sizes)

    # For derived classes -----------------------------------------------------

    def made_service(self, calls: Calls) -> ObjectService:
        """
        Make the service of the running loop, without I/O.

        A class overrides it whose service has to know what is under way.

        Args:
            calls: The calls of this loop.
        """
        return self.connect()

    async def found_operations(self, session: Session, key: str | None) -> Flat:
        """
        Find out what operations do, while `operations` is None.

        A class overrides it whose storages are of several kinds, and sets
        `operations` once it knows.

        Args:
            session: To ask.
            key: Of the operation that needs it, for errors.
        """
        return Flat()

    def __getstate__(self) -> dict[str, Any]:
        left = {"_keys", "_capabilities", "_loops"}
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    # Names -------------------------------------------------------------------

    @property
    def name(self) -> str:
        """That of the description."""
        return self._description.name

    @property
    def capabilities(self) -> CapabilitySet:
        """What the description allows."""
        return self._capabilities

    @property
    def description(self) -> Description:
        """What the service can do."""
        return self._description

    def native_path(self, path: str) -> str:
        """Return where a key is: the description's location, and the key."""
        location = self._description.location
        return location if path in ("", ".") else f"{location}/{path}"

    def to_key(self, native_path: str) -> str:
        """Return the key of what `native_path` returned."""
        location = self._description.location
        return "" if native_path == location else native_path.removeprefix(f"{location}/")

    def resolve(self, path: str) -> ResolutionPlan:
        """Return where a key is stored, without I/O and without secrets."""
        details = dict(self._description.details)
        return ResolutionPlan(self.name, self.name, path, self.native_path(path), details)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self._description.location}>"

    # Questions -----------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        """Return True if a file or folder is at *path*; of the root, if the bucket is there."""
        with self._loops.running() as session:
            key = self._keys.folder(path)
            if not key:
                return await storage_exists(session)
            operations = self.operations or await self.found_operations(session, key)
            return await operations.exists(session, key)

    async def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*."""
        with self._loops.running() as session:
            key = self._keys.folder(path)
            if not key:
                return False
            operations = self.operations or await self.found_operations(session, key)
            return await operations.is_file(session, key)

    async def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*; of the root, if the bucket is there."""
        with self._loops.running() as session:
            key = self._keys.folder(path)
            if not key:
                return await storage_exists(session)
            operations = self.operations or await self.found_operations(session, key)
            return await operations.is_folder(session, key)

    async def get_file_info(self, path: str) -> FileInfo:
        """Return what the service tells of a file."""
        with self._loops.running() as session:
            key = self._keys.folder(path)
            if not key:
                raise is_a_folder(path, self.name)
            operations = self.operations or await self.found_operations(session, key)
            return await operations.get_file_info(session, key)

    async def get_folder_info(self, path: str) -> FolderInfo:
        """Add up the files below a folder; one request for each page of them."""
        with self._loops.running() as session:
            key = self._keys.folder(path)
            operations = self.operations or await self.found_operations(session, key)
            return await operations.get_folder_info(session, key)

    async def check_health(self) -> None:
        """Ask for the bucket by a listing, since credentials may allow no more."""
        with self._loops.running() as session:
            await look_at_storage(session)

    # Reading -------------------------------------------------------------------

    def read(self, path: str) -> AsyncGenerator[bytes, None]:
        """
        Yield the content of one version of a file as it arrives.

        A connection that breaks is taken up again at the byte where it broke.

        Raises:
            PreconditionFailed: The file was replaced or deleted meanwhile.
        """
        return self._content(path, 0, None, None)

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """
        Yield a part of one version of a file as it arrives; one request, as `read`.

        At or behind the end of the file a second request tells that there is one.
        """
        return self._content(path, start, length, if_match)

    async def _content(
        self, path: str, start: int, length: int | None, if_match: str | None
    ) -> AsyncGenerator[bytes, None]:
        with self._loops.running() as session:
            key = self._keys.file(path)
            operations = self.operations or await self.found_operations(session, key)
            reading = await operations.open(
                session, key, start=start, length=length, if_match=if_match
            )
            try:
                while piece := await reading.receive():
                    yield piece
            finally:
                await reading.aclose()

    async def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file; raises as `read`."""
        with self._loops.running() as session:
            key = self._keys.file(path)
            operations = self.operations or await self.found_operations(session, key)
            return await (await operations.open(session, key)).content()

    # Writing -------------------------------------------------------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
        resume: bool = False,
    ) -> WriteResult:
        """
        Write a file: readers see the old content or the new.

        Content of up to *single_put* bytes is one request, more is sent in
        parts. An upload that fails is aborted; see `sweep` for what remains of
        a process that was killed.

        With *resume* one that fails with BackendUnavailable stays, and the next
        write of the same key, metadata and headers with *resume* goes on with
        it: parts that are there and equal the content are not sent. That takes
        two requests more for content in parts, none for any other. An upload
        that was found stays whatever ends the write before its commit. Of two
        writes that go on with one upload at the same time one succeeds; both
        may say so if they wrote the same and an answer to a commit was lost.

        Raises:
            AlreadyExists: As in the protocol; with ``outcome_unknown`` where an
                attempt got no answer, and the file may be this write's own.
            CapabilityNotSupported: *overwrite* is False, and the service has
                no conditional writes.
            PreconditionFailed: Another version is there than *if_match*, or
                none; with ``outcome_unknown`` where an attempt got no answer
                and it may be this write's own. Or somebody else aborted the
                upload, or went on with it.
            TypeError: *content* is neither bytes nor an async iterator of them.
        """
        return await self._write(
            path, content, overwrite, metadata, if_match, headers, atomic=False, resume=resume
        )

    async def write_atomic(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        """As `write`, which is atomic: one request makes an object visible."""
        return await self._write(path, content, overwrite, metadata, if_match, headers, atomic=True)

    async def _write(
        self,
        path: str,
        content: AsyncWritableContent,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
        if_match: str | None,
        headers: ContentHeaders | None,
        *,
        atomic: bool,
        resume: bool = False,
    ) -> WriteResult:
        with self._loops.running() as session:
            given = gate_content(content)
            key = self._keys.target(path)
            attributes = gate_attributes(session, metadata, headers, key)
            more = gate_match(self.capabilities, if_match, key, self.name)
            if resume:
                self.capabilities.require(Capability.RESUMABLE_WRITE, backend=self.name)
                more["resume"] = True
            operations = self.operations or await self.found_operations(session, key)
            result = await operations.write(
                session,
                key,
                given,
                overwrite=overwrite,
                atomic=atomic,
                attributes=attributes,
                **more,
            )
            if metadata is None or metadata or Capability.USER_METADATA not in self.capabilities:
                return result
            # An empty mapping is echoed as one, though the service has nothing to keep.
            return evolve(result, metadata={})

    async def create_folder(self, path: str) -> None:
        """Make a folder, where the storage has real ones."""
        with self._loops.running() as session:
            key = self._keys.folder(path) and self._keys.target(path)
            operations = self.operations or await self.found_operations(session, key)
            await operations.create_folder(session, key)

    # Deleting ------------------------------------------------------------------

    async def delete(
        self, path: str, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        """
        Delete a file.

        A delete whose first attempt got no answer, and which then finds nothing, has done it.
        """
        with self._loops.running() as session:
            key = self._keys.file(path)
            match = gate_match(self.capabilities, if_match, key, self.name)
            operations = self.operations or await self.found_operations(session, key)
            await operations.delete(session, key, missing_ok=missing_ok, **match)

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Mapping[str, RemoteStoreError]:
        """
        Delete files in batches, where the service has them.

        What a batch does not tell of a file, further requests do.

        Raises:
            StoreClosed: The backend is closed.
            PermissionDenied, BackendUnavailable: It cannot be found out what
                the storage is.
            CapabilityNotSupported: The service decides no *if_match*; or as in
                the protocol, also where a batch would tell less than single
                requests, and to find it out would take about as many.
        """
        with self._loops.running() as session:
            if self._description.batch < 2:
                raise cannot_delete_many(self.name)
            named, errors = self._keys.files(paths)
            wanted = {key: (if_match or {}).get(path) for key, path in named.items()}
            for key, etag in wanted.items():
                gate_match(self.capabilities, etag, key, self.name)
            operations = self.operations or await self.found_operations(session, None)
            found = await operations.delete_many(session, wanted, missing_ok=missing_ok)
            return errors | {named[key]: error for key, error in found.items()}

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """
        Delete a folder, in batches where the service has them.

        Raises:
            RemoteStoreError: An object below could not be deleted; every other
                one is. The error's ``others`` tell of further ones.
        """
        with self._loops.running() as session:
            key = self._keys.folder(path)
            if not key:
                raise cannot_delete_root(path, self.name)
            operations = self.operations or await self.found_operations(session, key)
            await operations.delete_folder(session, key, recursive=recursive, missing_ok=missing_ok)

    async def sweep(
        self,
        path: str = "",
        *,
        older_than: timedelta = _DAY,
        dry_run: bool = False,
        found: Callable[[str], object] | None = None,
    ) -> int:
        """
        Abort uploads in parts that a killed process has left, which cost money and show nowhere.

        Args:
            path: Folder of the files that they were to make.
            older_than: Only those that were begun so long ago. An upload may
                still be under way, in whatever process, and one that is swept
                is not gone on with by a write with *resume*.
            dry_run: Abort nothing.
            found: Told the key of the file that each one was to make.

        Returns:
            How many were aborted, or with *dry_run* would be.

        Raises:
            CapabilityNotSupported: The service does not list them.
        """
        with self._loops.running() as session:
            return await sweep(
                session, self._keys.folder(path), older_than, dry_run=dry_run, found=found
            )

    async def unfinished_uploads(self, path: str = "") -> AsyncGenerator[Upload, None]:
        """
        Yield the uploads in parts that are not committed, running ones included.

        Args:
            path: Folder of the files that they are to make.

        Raises:
            CapabilityNotSupported: The service does not list them.
        """
        with self._loops.running() as session:
            async with aclosing(uploads(session, self._keys.folder(path))) as found:
                async for upload in found:
                    yield upload

    # Moving and copying --------------------------------------------------------

    async def move(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """
        Copy a file, and remove the version that was copied.

        Raises:
            CapabilityNotSupported: *overwrite* is False, and the service has
                no conditional writes.
            PreconditionFailed: The source is another version than *if_match*; or
                somebody else changed or removed it meanwhile, the message says what there is now.
        """
        with self._loops.running() as session:
            target, source = self._keys.target(dst), self._keys.file(src)
            match = gate_match(self.capabilities, if_match, source, self.name)
            operations = self.operations or await self.found_operations(session, source)
            await operations.move(session, source, target, overwrite=overwrite, **match)

    async def copy(
        self, src: str, dst: str, *, overwrite: bool = False, if_match: str | None = None
    ) -> None:
        """Let the service copy a file, and return when that is complete; raises as `move`."""
        with self._loops.running() as session:
            target, source = self._keys.target(dst), self._keys.file(src)
            match = gate_match(self.capabilities, if_match, source, self.name)
            operations = self.operations or await self.found_operations(session, source)
            await operations.copy(session, source, target, overwrite=overwrite, **match)

    async def copy_from(
        self,
        source: AsyncBackend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        """
        Let the service copy a file of another bucket, and return when that is complete.

        It costs what `copy` does. The other bucket is one of the same
        endpoint, whose backend has the same credentials.

        Returns:
            None: the service does not tell how large the copy is.

        Raises:
            CapabilityNotSupported: Also if *source* is a backend of another
                class, endpoint, region or credential, which takes no request to
                find out; or if one of the two classes has a method of its
                own that reads, writes or copies.
            NotFound: As `copy`; also for an absent bucket on either side.
        """
        with self._loops.running() as session:
            if not isinstance(source, ObjectBackend):
                raise cannot_copy_from(dst, self.name, "it is a backend of another kind")
            if not (_hands_on(self) and _hands_on(source)):
                raise cannot_copy_from(dst, self.name, "a class of its own stands before it")
            with source._loops.running() as origin:  # noqa: SLF001 - of this class
                target, key = self._keys.target(dst), source._keys.file(src)  # noqa: SLF001
                match = gate_match(self.capabilities, if_match, key, self.name)
                asking = across(session, origin, target, exclusive=not overwrite)
                operations = self.operations or await self.found_operations(session, target)
                await operations.copy(
                    asking, key, target, overwrite=overwrite, origin=origin, **match
                )
        return None

    # Listing -------------------------------------------------------------------

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder; folders below *max_depth* are not asked for."""
        return self._listed(
            path,
            lambda operations, session, key: operations.list_files(
                session, key, recursive=recursive, max_depth=max_depth
            ),
        )

    def list_folders(self, path: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder."""
        return self._listed(
            path, lambda operations, session, key: operations.list_folders(session, key)
        )

    def iter_children(self, path: str) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder in one pass."""
        return self._listed(
            path, lambda operations, session, key: operations.iter_children(session, key)
        )

    async def _listed(
        self, path: str, listing: Callable[[Flat, Session, str], Entries[T]]
    ) -> AsyncGenerator[T, None]:
        with self._loops.running() as session:
            key = self._keys.folder(path)
            operations = self.operations or await self.found_operations(session, key)
            async with aclosing(listing(operations, session, key)) as pages:
                async for page in pages:
                    for entry in page:
                        yield entry

    async def glob(self, pattern: str) -> AsyncGenerator[FileInfo, None]:
        """Yield the files whose key matches; raises as `GlobPattern.parse`."""
        with self._loops.running() as session:
            parsed = self._keys.pattern(pattern)
            operations = self.operations or await self.found_operations(session, pattern)
            async with aclosing(operations.glob(session, parsed)) as pages:
                async for page in pages:
                    for info in page:
                        yield info

    # Addresses -----------------------------------------------------------------

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        """Return a URL by which anybody may read or write one file."""
        with self._loops.running() as session:
            key = self._keys.target(path) if method == "PUT" else self._keys.file(path)
            gate_url(session, expires, path)
            sign = session.service.sign
            return await session.ask(key, sign, key, method=method, expires=expires)

    # Lifecycle -----------------------------------------------------------------

    async def aclose(self) -> None:
        """
        Close the connections of every loop; operations raise StoreClosed from now on.

        Waits up to 5 seconds for what is running, and up to 2 more for the
        abort of uploads that do not end. Idempotent.
        """
        await self._loops.aclose()


def _hands_on(backend: ObjectBackend) -> bool:
    """Return whether a backend's content is that of its service: nothing of its own changes it."""
    cls, own = type(backend), vars(backend)
    return issubclass(cls, ObjectBackend) and all(  # a proxy says another class than it has
        name not in own and getattr(cls, name) is getattr(ObjectBackend, name) for name in _CONTENT
    )
