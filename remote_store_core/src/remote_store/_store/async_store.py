"""The async store: the façade that programs use."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from remote_store._bridge.as_async import as_async
from remote_store._contract import members, versions
from remote_store._contract.async_backend import AsyncBackend
from remote_store._contract.async_closing import Closing
from remote_store._contract.async_content import (
    AsyncWritableContent,
    ContentSource,
    as_content,
)
from remote_store._contract.ranges import BLOCK
from remote_store._contract.standard_errors import (
    cannot_copy_from,
    cannot_copy_many_from,
    cannot_delete_many,
    error_about,
)
from remote_store._plugins.hub import hub
from remote_store._store import gates, range_rules, rebasing, rules
from remote_store._store.async_file import AsyncFile
from remote_store._store.async_iterate import files_below, folders_below, relay
from remote_store._store.async_observe import AsyncObservation
from remote_store._store.async_ranges import read_part, read_parts
from remote_store._store.observe import together
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.errors import CapabilityNotSupported, RemoteStoreError
from remote_store._types.models import (
    FileInfo,
    FolderEntry,
    WriteResult,
)
from remote_store._types.path import RemotePath, join_root, normalise, strip_root, text_of

if TYPE_CHECKING:
    from remote_store._contract.backend import Backend
    from remote_store._types.content import ContentHeaders
    from remote_store._types.folder_info import FolderInfo
    from remote_store._types.resolution import ResolutionPlan

__all__ = ["AsyncStore", "store_over"]

_log = logging.getLogger(__name__)
_reports = _log.isEnabledFor
_INFO = logging.INFO

# Looking a member up on its class takes longer than the rest of a gate.
_COPY = Capability.COPY
_DELETE = Capability.DELETE
_GLOB = Capability.GLOB
_LIST = Capability.LIST
_METADATA = Capability.METADATA
_MOVE = Capability.MOVE
_RANGE_READ = Capability.RANGE_READ
_READ = Capability.READ

T = TypeVar("T")
U = TypeVar("U")


class AsyncStore:
    r"""
    A folder of a backend, with every operation that a program needs on files.

    Paths are relative to the store: ``/`` between segments, ``""`` for the
    store's root where a folder is meant. They are normalised (``\`` becomes
    ``/``, empty and ``.`` segments and a leading ``/`` are dropped) and
    refused with `InvalidPath` when they hold a ``..`` segment or a NUL.

    Each method refuses what the backend does not declare with
    `CapabilityNotSupported` before anything else happens. Methods that return
    iterators check their arguments at the call, and raise the backend's
    errors at the first pull; close them with `contextlib.aclosing` when you
    may leave early.

    Errors of the store carry the caller's path, errors of the backend its
    key. Besides the errors that a method names, any of them may raise
    `PermissionDenied` and `BackendUnavailable`. Where the storage itself is
    absent (a container, a root folder that nobody made), questions and
    listings answer as for any missing path; everything else raises `NotFound`,
    whose message names the storage and says how to make it.

    A store does not change after its construction; tasks, and for our own
    backends threads and loops, may share one. ``async with`` closes it.

    Args:
        backend: An `AsyncBackend`, by inheritance or by its members. A sync
            `remote_store.Backend` is put behind a `SyncBackendAdapter`.
        root_path: Folder of the backend that is the root of this store;
            ``""`` for the backend's own root. It need not exist.
        owns_backend: Close the backend when this store is closed.

    Raises:
        TypeError: *backend* lacks members of the protocols (the message names
            them).
        InvalidPath: *root_path* is malformed.
    """

    __slots__ = ("_backend", "_capabilities", "_lacks", "_name", "_owns", "_root", "_writes")

    _backend: AsyncBackend
    _capabilities: CapabilitySet
    _lacks: frozenset[Capability]
    _name: str
    _owns: bool
    _root: str
    #: Nothing can be refused in a write without metadata.
    _writes: bool

    def __init__(
        self,
        backend: AsyncBackend | Backend,
        root_path: str | RemotePath = "",
        *,
        owns_backend: bool = True,
    ) -> None:
        self._attach(as_async(backend), rules.root_key(root_path), owns_backend)

    def _attach(self, backend: AsyncBackend, root: str, owns: bool) -> None:
        self._backend = backend
        self._root = root
        self._owns = owns
        # Constant for an instance's life by contract, and read in every call.
        self._capabilities = versions.declared(backend)
        self._lacks = frozenset(Capability).difference(self._capabilities)
        self._writes = self._lacks.isdisjoint((Capability.WRITE, Capability.ATOMIC_WRITE))
        self._name = backend.name

    # Reading ---------------------------------------------------------------

    def read(
        self, path: str | RemotePath, *, if_match: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """
        Return an async iterator over the content of a file.

        Args:
            path: Path of a file.
            if_match: ETag of the version to read, as `get_file_info` gives it.

        Returns:
            Chunks of bytes; their size is the backend's choice. With
            LAZY_READ a partly consumed iterator does not load the whole file.

        Raises:
            ValueError: *if_match* cannot be an ETag; at the call.
            CapabilityNotSupported: No READ, or with *if_match* no METADATA; at the call.
            InvalidPath: *path* is empty or malformed (at the call), or names
                a folder (at the first pull).
            NotFound: The file does not exist; at the first pull.
            PreconditionFailed: It has another ETag than *if_match*, or none;
                without RANGE_READ also when it got one while it was read.
        """
        if if_match is not None:
            gates.check_etag(if_match)
        if _READ in self._lacks:
            self._refuse(_READ)
        if if_match is not None and _METADATA in self._lacks:
            self._refuse(_METADATA)
        key = rules.file_key(self._root, path)
        read: Callable[[], AsyncIterator[bytes]] = functools.partial(self._backend.read, key)
        if if_match is not None:
            read = functools.partial(self._member("read_range"), key, 0, if_match=if_match)
        return self._iterate("read", path, relay(read))

    async def read_bytes(self, path: str | RemotePath) -> bytes:
        """
        Return the whole content of a file.

        Args:
            path: Path of a file.

        Raises:
            CapabilityNotSupported: No READ.
            InvalidPath: *path* is empty, malformed or names a folder.
            NotFound: The file does not exist.
        """
        if _READ in self._lacks:
            self._refuse(_READ)
        key = rules.file_key(self._root, path)
        return await self._call("read_bytes", path, self._backend.read_bytes(key))

    async def read_text(
        self, path: str | RemotePath, *, encoding: str = "utf-8", errors: str = "strict"
    ) -> str:
        """
        Return the whole content of a file as text.

        Args:
            path: Path of a file.
            encoding: Any name that `codecs` knows.
            errors: Error handler: ``"strict"``, ``"ignore"``, ``"replace"``,
                ``"backslashreplace"`` or a registered one.

        Raises:
            CapabilityNotSupported: No READ.
            InvalidPath: *path* is empty, malformed or names a folder.
            NotFound: The file does not exist.
            UnicodeDecodeError: Decoding fails with ``errors="strict"``.
            LookupError: *encoding* or *errors* is unknown.
        """
        return (await self.read_bytes(path)).decode(encoding, errors)

    async def read_range(
        self,
        path: str | RemotePath,
        start: int,
        *,
        length: int | None = None,
        end: int | None = None,
        if_match: str | None = None,
    ) -> bytes:
        """
        Return a part of a file.

        With RANGE_READ a part costs what it returns. Without, the file is read
        from its beginning to the end of the part.

        Args:
            path: Path of a file.
            start: Position of the first byte. A negative one counts from the
                end of the file, from the beginning if the file is shorter;
                the file is then asked for its size first.
            length: Bytes to return at most.
            end: Position behind the last byte, instead of *length*. Without
                either all that follows is returned.
            if_match: ETag of the version to read, as `get_file_info` gives it.

        Returns:
            What is there: fewer bytes where the file ends earlier, none from
            its end on.

        Raises:
            ValueError: *length* and *end* are both given, *length* is negative,
                *end* is below *start* or given with a negative one, or
                *if_match* cannot be an ETag.
            CapabilityNotSupported: No READ, or no METADATA with *if_match* or
                a negative *start*.
            InvalidPath: *path* is empty, malformed or names a folder.
            NotFound: The file does not exist, whatever the range.
            PreconditionFailed: It has another ETag than *if_match*, or none.
        """
        start, length = range_rules.part_of_file(start, length, end)
        if if_match is not None:
            gates.check_etag(if_match)
        if _READ in self._lacks:
            self._refuse(_READ)
        if (start < 0 or if_match is not None) and _METADATA in self._lacks:
            self._refuse(_METADATA)
        key = rules.file_key(self._root, path)
        return await self._call(
            "read_range", path, read_part(self._backend, key, start, length, if_match)
        )

    async def read_ranges(
        self,
        path: str | RemotePath,
        ranges: Sequence[tuple[int, int]],
        *,
        if_match: str | None = None,
        gap: int = BLOCK,
    ) -> list[bytes]:
        """
        Return several parts of one version of a file.

        Ranges that touch or are near are fetched as one, at most eight side by
        side. More than one fetch of a file whose ETag is not given begins with
        a question for it.

        Args:
            path: Path of a file.
            ranges: Pairs of start and end, in any order; they may overlap.
            if_match: ETag of the version to read, as `get_file_info` gives it.
            gap: Bytes between two ranges up to which they are fetched as one.

        Returns:
            The bytes of each range, in the order of *ranges*: fewer where the
            file ends earlier. No ranges give an empty list, and nothing is asked.

        Raises:
            ValueError: A start is negative or an end below it, *gap* is
                negative, or *if_match* cannot be an ETag.
            TypeError: A range is not a pair of whole numbers, or *gap* is none.
            CapabilityNotSupported: No READ, or no METADATA.
            InvalidPath: *path* is empty, malformed or names a folder.
            NotFound: The file does not exist.
            PreconditionFailed: It has another ETag than *if_match*, or was
                replaced between two of the fetches.
        """
        wanted = range_rules.whole_ranges(ranges)
        pieces = range_rules.joined_ranges(wanted, gap)
        if if_match is not None:
            gates.check_etag(if_match)
        if _READ in self._lacks:
            self._refuse(_READ)
        if _METADATA in self._lacks:
            self._refuse(_METADATA)
        key = rules.file_key(self._root, path)
        if not wanted:
            return []
        found = await self._call(
            "read_ranges", path, read_parts(self._backend, key, pieces, if_match)
        )
        return range_rules.cut_ranges(wanted, pieces, found)

    def open(self, path: str | RemotePath, *, block_size: int = BLOCK) -> AsyncFile:
        """
        Return a file object that reads lazily and can seek.

        Opening asks for size and version; content is fetched when it is read.
        What is read here and there is fetched as it is wanted, at least a
        block; what is read on in order in ranges that grow eightfold, until
        one goes to the end of the file. So does the first one where 1 MiB or
        more is read at the beginning. Without RANGE_READ each way back reads
        the file from its beginning.

        Args:
            path: Path of a file.
            block_size: Bytes to fetch at least.

        Returns:
            A file object; use it in ``async with``, which asks.

        Raises:
            ValueError: *block_size* is below 1.
            TypeError: It is not a whole number.
            CapabilityNotSupported: No READ, or no METADATA.
            InvalidPath: *path* is empty or malformed, or, when it is opened,
                names a folder.
            NotFound: When it is opened: the file does not exist.
        """
        range_rules.check_block_size(block_size)
        if _READ in self._lacks:
            self._refuse(_READ)
        if _METADATA in self._lacks:
            self._refuse(_METADATA)
        key = rules.file_key(self._root, path)
        observation = None
        if hub.listening or _reports(_INFO):
            observation = AsyncObservation(_log, "open", path, self._name)
        return AsyncFile(
            self._backend,
            key,
            block_size,
            root=self._root,
            ranged=_RANGE_READ not in self._lacks,
            observation=observation,
        )

    # Writing ---------------------------------------------------------------

    async def write(
        self,
        path: str | RemotePath,
        content: ContentSource,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
        resume: bool = False,
    ) -> WriteResult:
        """
        Write a file, creating its parent folders.

        With ``overwrite=False`` the write is exclusive: of any number of
        concurrent writers one succeeds and the others get `AlreadyExists`.
        With *if_match* it replaces one version: of any number of writers that
        name it one succeeds and the others get `PreconditionFailed`.

        Args:
            path: Path of a file.
            content: Bytes, a bytes-like object, an iterable of bytes or a
                binary file, async or not. What blocks is read in a thread, a
                file in steps of 1 MiB. A generator is closed in every case,
                a file never.
            overwrite: Replace an existing file; False refuses it.
            metadata: User metadata: str keys (ASCII, not empty, no leading
                underscore) and str values, at most 2048 bytes in all.
            if_match: ETag of the version to replace, of a `FileInfo` or a
                `WriteResult`; *overwrite* is not looked at then. None for
                whatever is there.
            headers: Content type and what else is handed out with the content;
                they replace those of an earlier version, as *metadata* does.
            resume: Go on with what an earlier write of this path left in the
                storage when it was killed or the network failed, and leave
                it there for the next one when this write fails so. The
                content is read from its beginning and compared with what is
                there, part by part; a part that is there is not sent. Of no
                use for content that one request holds.

        Returns:
            Path, size in bytes and, with WRITE_RESULT_NATIVE, what the
            backend reported about the new version.

        Raises:
            TypeError: *content* is none of these, or yields something else;
                *if_match* is not a str, or *headers* no `ContentHeaders`.
            ValueError: *metadata* breaks a rule; *if_match* is empty, ``*`` or
                in quotes; one of *headers* is not printable ASCII.
            CapabilityNotSupported: No WRITE, non-empty *metadata* without
                USER_METADATA, *if_match* without CONDITIONAL_WRITE,
                *headers* without CONTENT_HEADERS, or *resume* without
                RESUMABLE_WRITE.
            InvalidPath: *path* is empty, malformed, a folder, or below a file.
            AlreadyExists: The file exists and *overwrite* is False.
            PreconditionFailed: The file is another version than *if_match*, or
                missing; nothing was changed.
        """
        if isinstance(content, bytes):
            call = self._put(
                "write", path, content, overwrite, metadata, if_match, headers, resume=resume
            )
        else:
            call = self._stream(
                "write", path, content, overwrite, metadata, if_match, headers, resume=resume
            )
        result = await call
        return rebasing.rebased_result(self._root, result) if self._root else result

    async def write_text(
        self,
        path: str | RemotePath,
        text: str,
        *,
        encoding: str = "utf-8",
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        """
        Write text to a file; otherwise as `write`.

        Args:
            path: Path of a file.
            text: The text.
            encoding: Any name that `codecs` knows.
            overwrite: Replace an existing file; False refuses it.
            metadata: User metadata, as in `write`.
            if_match: ETag of the version to replace, as in `write`.
            headers: Content headers, as in `write`.

        Raises:
            UnicodeEncodeError: *encoding* cannot express *text*.
            LookupError: *encoding* is unknown.
            TypeError: *text* is not a str.
            ValueError, CapabilityNotSupported, InvalidPath: As `write`.
            AlreadyExists, PreconditionFailed: As `write`.
        """
        content = rules.encoded(text, encoding)
        result = await self._put(
            "write_text", path, content, overwrite, metadata, if_match, headers
        )
        return rebasing.rebased_result(self._root, result) if self._root else result

    async def write_atomic(
        self,
        path: str | RemotePath,
        content: ContentSource,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> WriteResult:
        """
        Write a file so that readers see the old content or the new, never a part.

        If the write fails or is interrupted, *path* is as it was before.

        Args:
            path: Path of a file.
            content: As in `write`.
            overwrite: Replace an existing file; False refuses it.
            metadata: User metadata, as in `write`.
            if_match: ETag of the version to replace, as in `write`.
            headers: Content headers, as in `write`.

        Returns:
            As `write`.

        Raises:
            CapabilityNotSupported: No ATOMIC_WRITE, else as `write`.
            TypeError, ValueError, InvalidPath, AlreadyExists, PreconditionFailed: As `write`.
        """
        if isinstance(content, bytes):
            call = self._put("write_atomic", path, content, overwrite, metadata, if_match, headers)
        else:
            call = self._stream(
                "write_atomic", path, content, overwrite, metadata, if_match, headers
            )
        result = await call
        return rebasing.rebased_result(self._root, result) if self._root else result

    async def _stream(
        self,
        name: str,
        path: str | RemotePath,
        content: ContentSource,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
        if_match: str | None,
        headers: ContentHeaders | None,
        *,
        resume: bool = False,
    ) -> WriteResult:
        body = as_content(content)
        if isinstance(body, bytes):
            return await self._put(
                name, path, body, overwrite, metadata, if_match, headers, resume=resume
            )
        async with contextlib.aclosing(body):
            return await self._put(
                name, path, body, overwrite, metadata, if_match, headers, resume=resume
            )

    def _put(
        self,
        name: str,
        path: str | RemotePath,
        content: AsyncWritableContent,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
        if_match: str | None,
        headers: ContentHeaders | None,
        *,
        resume: bool = False,
    ) -> Awaitable[WriteResult]:
        atomic = name == "write_atomic"
        more = {} if if_match is None else self._match(if_match)
        if headers is not None:
            more |= gates.gate_headers(self._capabilities, headers, self._name)
        if resume:
            more |= gates.gate_resume(self._capabilities, self._name)
        if metadata or not self._writes:
            metadata = gates.gate_write(
                self._capabilities, metadata, atomic=atomic, backend=self._name
            )
        key = rules.file_key(self._root, path)
        write = self._backend.write_atomic if atomic else self._backend.write
        return self._call(
            name, path, write(key, content, overwrite=overwrite, metadata=metadata, **more)
        )

    async def create_folder(self, path: str | RemotePath) -> None:
        """
        Make a folder, and those above it that are missing.

        A folder that is there already stays as it is. Where folders are not
        real, as in most object stores, there is nothing to make: a folder
        exists there through the files in it.

        Args:
            path: Path of a folder; ``""`` for the root of the store, which a
                store with a *root_path* may have to make.

        Raises:
            CapabilityNotSupported: No CREATE_FOLDER, or no WRITE.
            InvalidPath: *path* is malformed, or a file is there or above it.
            NotFound: The storage itself is absent; the message names it.
        """
        gates.gate_folder(self._capabilities, path, self._name)
        key = rules.folder_key(self._root, path)
        create = self._member("create_folder")
        await self._call("create_folder", path, create(key))

    # Deleting --------------------------------------------------------------

    async def delete(
        self, path: str | RemotePath, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        """
        Delete a file.

        Args:
            path: Path of a file.
            missing_ok: Do nothing when the file is missing.
            if_match: ETag of the version to delete, of a `FileInfo` or a
                `WriteResult`; None for whatever is there.

        Raises:
            TypeError, ValueError: *if_match* is no ETag; see `write`.
            CapabilityNotSupported: No DELETE, or *if_match* without
                CONDITIONAL_WRITE.
            InvalidPath: *path* is empty or malformed, or names a folder,
                whatever *missing_ok* says.
            NotFound: The file is missing and *missing_ok* is False.
            PreconditionFailed: The file is another version than *if_match*; it
                stays.
        """
        match = {} if if_match is None else self._match(if_match)
        if _DELETE in self._lacks:
            self._refuse(_DELETE)
        key = rules.file_key(self._root, path)
        delete = self._backend.delete
        await self._call("delete", path, delete(key, missing_ok=missing_ok, **match))

    async def delete_many(
        self,
        paths: Sequence[str | RemotePath],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> list[RemoteStoreError | None]:
        """
        Delete files, where the storage does that for several of them at a time.

        ``remote_store_transfer`` has a function that deletes one by one where
        a storage has no such requests. Each path is observed as `delete` is.

        Args:
            paths: Paths of files.
            missing_ok: A missing file is no error.
            if_match: ETags by path, as *paths* has it, of the versions that may be deleted.

        Returns:
            For each path, in their order, what `delete` would have raised, or
            None if the file was deleted, or was missing and that was allowed.

        Raises:
            TypeError: *paths* is one path, or one of them is no path.
            TypeError, ValueError: An ETag is none, or of no path; see `write`.
            CapabilityNotSupported: Nothing was done. No DELETE, or *if_match*
                without CONDITIONAL_WRITE. Or the files have to be deleted one
                by one (``capability`` is then ``"delete_many"``).
        """
        from remote_store._store.deletions import Deletions  # few programs delete many

        if _DELETE in self._lacks:
            self._refuse(_DELETE)
        asked = Deletions(self._root, paths, if_match, self._capabilities, self._name)
        delete = members.own_member(self._backend, "delete_many")
        if delete is None:
            raise cannot_delete_many(self._name)
        if asked.paths:
            keys = list(asked.paths)
            with together(self._observed("delete", asked.paths)) as ends:
                found: Mapping[str, RemoteStoreError]
                try:
                    found = await delete(keys, missing_ok=missing_ok, **asked.options)
                except CapabilityNotSupported:
                    raise
                except RemoteStoreError as error:
                    found = {key: error_about(error, key) for key in keys}
                asked.settle(found)
                ends.update({key: found.get(key) for key in keys})
        for place in asked.again:
            try:
                match = (if_match or {}).get(text_of(paths[place]))
                await self.delete(paths[place], missing_ok=missing_ok, if_match=match)
            except RemoteStoreError as error:
                asked.results[place] = error
        return asked.results

    async def delete_folder(
        self, path: str | RemotePath, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """
        Delete a folder.

        Args:
            path: Path of a folder; not the root.
            recursive: Delete everything in it as well.
            missing_ok: Do nothing when the folder is missing.

        Raises:
            InvalidPath: *path* is the root or malformed, or names a file.
            CapabilityNotSupported: No DELETE.
            NotFound: The folder is missing and *missing_ok* is False.
            DirectoryNotEmpty: It has content and *recursive* is False.
        """
        rules.refuse_root_delete(path)
        if _DELETE in self._lacks:
            self._refuse(_DELETE)
        key = rules.file_key(self._root, path)
        delete = self._backend.delete_folder
        await self._call(
            "delete_folder", path, delete(key, recursive=recursive, missing_ok=missing_ok)
        )

    # Listing ---------------------------------------------------------------

    def list_files(
        self,
        path: str | RemotePath,
        *,
        recursive: bool = False,
        pattern: str | None = None,
        max_depth: int | None = None,
    ) -> AsyncGenerator[FileInfo, None]:
        """
        Return an async iterator over the files of a folder, in no particular order.

        A missing folder, or a file, yields nothing.

        Args:
            path: Path of a folder, ``""`` for the root.
            recursive: Also the files of all folders below; ignored when
                *max_depth* is set.
            pattern: `fnmatch` pattern for the file's name (not its path); see
                `remote_store.aio.ext.glob.glob_files` for whole paths.
            max_depth: How many folders deep: 0 for the files of *path*, 1
                also for those of its subfolders, and so on.

        Raises:
            ValueError: *max_depth* is negative; at the call.
            CapabilityNotSupported: No LIST; at the call.
            InvalidPath: *path* is malformed; at the call.
        """
        rules.check_max_depth(max_depth)
        if _LIST in self._lacks:
            self._refuse(_LIST)
        key = rules.folder_key(self._root, path)
        files = files_below(
            self._backend,
            self._root,
            key,
            recursive=recursive,
            pattern=pattern,
            max_depth=max_depth,
        )
        return self._iterate("list_files", path, files)

    def list_folders(
        self, path: str | RemotePath, *, pattern: str | None = None, max_depth: int | None = None
    ) -> AsyncGenerator[FolderEntry, None]:
        """
        Return an async iterator over the subfolders of a folder, level by level.

        A missing folder, or a file, yields nothing.

        Args:
            path: Path of a folder, ``""`` for the root.
            pattern: `fnmatch` pattern for the folder's name; it filters what
                is yielded, not what is descended into.
            max_depth: None or 0 for the immediate subfolders, 1 also for
                theirs, and so on.

        Raises:
            ValueError: *max_depth* is negative; at the call.
            CapabilityNotSupported: No LIST; at the call.
            InvalidPath: *path* is malformed; at the call.
        """
        rules.check_max_depth(max_depth)
        if _LIST in self._lacks:
            self._refuse(_LIST)
        key = rules.folder_key(self._root, path)
        folders = folders_below(self._backend, self._root, key, pattern, max_depth or 0)
        return self._iterate("list_folders", path, folders)

    def iter_children(self, path: str | RemotePath) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """
        Return an async iterator over the files and subfolders of a folder.

        A missing folder, or a file, yields nothing.

        Args:
            path: Path of a folder, ``""`` for the root.

        Raises:
            CapabilityNotSupported: No LIST; at the call.
            InvalidPath: *path* is malformed; at the call.
        """
        if _LIST in self._lacks:
            self._refuse(_LIST)
        key = rules.folder_key(self._root, path)
        children = functools.partial(self._member("iter_children"), key)
        entries = relay(children, functools.partial(rebasing.rebased_entry, self._root))
        return self._iterate("iter_children", path, entries)

    def glob(self, pattern: str) -> AsyncGenerator[FileInfo, None]:
        """
        Return an async iterator over the files that match, found by the backend itself.

        `remote_store.aio.ext.glob.glob_files` works on every store that lists.

        Args:
            pattern: See `GlobPattern`; relative to the store.

        Raises:
            CapabilityNotSupported: No GLOB; at the call.
            InvalidPath: *pattern* is empty or has a ``..`` segment or a NUL;
                at the call.
            ValueError: ``**`` stands before something other than ``/``; at the call.
        """
        if _GLOB in self._lacks:
            self._refuse(_GLOB)
        full = rules.backend_glob(self._root, pattern)
        matches = functools.partial(self._member("glob"), full)
        files = relay(matches, functools.partial(rebasing.rebased_file, self._root))
        return self._iterate("glob", pattern, files)

    # File operations -------------------------------------------------------

    async def move(
        self,
        src: str | RemotePath,
        dst: str | RemotePath,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> None:
        """
        Rename a file. With ATOMIC_MOVE it is under exactly one name at every moment.

        A file moved onto itself stays as it is, whatever *overwrite* says.

        Args:
            src: Path of a file.
            dst: Path of the new file; its parent folders are created.
            overwrite: Replace a file at *dst*; False refuses it, exclusively.
            if_match: ETag of the version of *src* to move, of a `FileInfo` or
                a `WriteResult`; None for whatever is there.

        Raises:
            TypeError, ValueError: *if_match* is no ETag; see `write`.
            CapabilityNotSupported: No MOVE, or *if_match* without
                CONDITIONAL_WRITE.
            InvalidPath: A path is empty or malformed, *src* or *dst* is a
                folder, or *dst* is below a file.
            NotFound: *src* does not exist.
            AlreadyExists: *dst* exists and *overwrite* is False.
            PreconditionFailed: *src* is another version than *if_match*;
                nothing was changed.
        """
        match = {} if if_match is None else self._match(if_match)
        if _MOVE in self._lacks:
            self._refuse(_MOVE)
        await self._transfer("move", src, dst, overwrite, match)

    async def copy(
        self,
        src: str | RemotePath,
        dst: str | RemotePath,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> None:
        """
        Copy a file, its user metadata included; otherwise as `move`.

        Args:
            src: Path of a file.
            dst: Path of the new file; its parent folders are created.
            overwrite: Replace a file at *dst*; False refuses it, exclusively.
            if_match: ETag of the version of *src* to copy, as in `move`.

        Raises:
            CapabilityNotSupported: No COPY, or *if_match* without
                CONDITIONAL_WRITE.
            TypeError, ValueError, InvalidPath, NotFound: As `move`.
            AlreadyExists, PreconditionFailed: As `move`.
        """
        match = {} if if_match is None else self._match(if_match)
        if _COPY in self._lacks:
            self._refuse(_COPY)
        await self._transfer("copy", src, dst, overwrite, match)

    async def copy_from(
        self,
        source: AsyncStore,
        src: str | RemotePath,
        dst: str | RemotePath,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        """
        Copy a file of another store, where one storage does that for both by itself.

        The content does not come through this program. Two stores of one
        account of a service are such, and two folders of this machine.

        Args:
            source: Where from; a store of the same side.
            src: Path of a file in *source*.
            dst: Path of the new file in this store; its parent folders are created.
            overwrite: Replace a file at *dst*; False refuses it, exclusively.
            if_match: ETag of the version of *src* to copy, as in `copy`.

        Returns:
            What `write` returns; None if the storage tells nothing of what it
            has made. In either case *dst* has the content, the user metadata
            and the content headers of *src* now.

        Raises:
            CapabilityNotSupported: Nothing was done. No COPY, here or in
                *source*, or *if_match* without CONDITIONAL_WRITE. Or the
                storage cannot copy from *source* by itself (``capability`` is
                then ``"copy_from"``): read the file and write it.
            TypeError, ValueError: *if_match* is no ETag; see `write`.
            InvalidPath: A path is empty, malformed or a folder.
            NotFound: *src* does not exist, or the storage of either side.
            AlreadyExists: A file is at *dst* and *overwrite* is False.
            PreconditionFailed: *src* is another version than *if_match*, or
                changed meanwhile; *dst* is as it was.
        """
        match = {} if if_match is None else self._match(if_match)
        if _COPY in self._lacks:
            self._refuse(_COPY)
        if _COPY in source._lacks:
            source._refuse(_COPY)
        from_key, to_key = rules.file_key(source._root, src), rules.file_key(self._root, dst)
        copy = members.own_member(self._backend, "copy_from")
        if copy is None:
            raise cannot_copy_from(text_of(dst), self._name)
        result: WriteResult | None = await self._call(
            "copy_from", dst, copy(source._backend, from_key, to_key, overwrite=overwrite, **match)
        )
        return None if result is None else rebasing.rebased_result(self._root, result)

    async def copy_many_from(
        self, source: AsyncStore, pairs: Sequence[tuple[str | RemotePath, str | RemotePath]]
    ) -> list[WriteResult | RemoteStoreError | None]:
        """
        Copy files of another store together, where one call for each would cost more.

        Each is copied as by `copy_from` without *overwrite*, in any order, and
        observed as such a copy. One that fails keeps no other from being
        copied. When the call is cancelled, what was copied stays.

        Args:
            source: Where from; a store of the same side.
            pairs: For each file its path in *source* and that of the new file
                in this store.

        Returns:
            For each pair, in their order, what `copy_from` would have returned
            or raised. A target that is there twice is copied to once more,
            after all others: AlreadyExists, if the first copy went well.

        Raises:
            TypeError: A pair is none, or has what is no path.
            CapabilityNotSupported: Nothing was done. No COPY, here or in
                *source*. Or the storage cannot copy from *source* by itself, or
                does that just as well file by file (``capability`` is then
                ``"copy_many_from"``): ask for a `copy_from` of each.
        """
        from remote_store._store.copies import Copies  # few programs copy many

        if _COPY in self._lacks:
            self._refuse(_COPY)
        if _COPY in source._lacks:
            source._refuse(_COPY)
        asked = Copies(source._root, self._root, pairs)
        copy = members.own_member(self._backend, "copy_many_from")
        if copy is None:
            raise cannot_copy_many_from(self._name)
        if asked.pairs:
            with together(self._observed("copy_from", asked.paths)) as ends:
                found: Sequence[WriteResult | RemoteStoreError | None]
                try:
                    found = await copy(source._backend, asked.pairs)
                except CapabilityNotSupported:
                    raise
                except RemoteStoreError as error:
                    found = [error_about(error, key) for key in asked.paths]
                asked.settle(found)
                ends.update(zip(asked.paths, found, strict=True))
        for place in asked.again:
            try:
                asked.results[place] = await self.copy_from(source, *pairs[place])
            except RemoteStoreError as error:
                asked.results[place] = error
        return asked.results

    async def _transfer(
        self,
        name: str,
        src: str | RemotePath,
        dst: str | RemotePath,
        overwrite: bool,
        match: dict[str, Any],
    ) -> None:
        source = rules.file_key(self._root, src)
        target = rules.file_key(self._root, dst)
        if source == target and not match:  # what version it is, a backend tells
            await self._call(name, src, self._stay(src, source), changes=False)
            return
        transfer = self._backend.move if name == "move" else self._backend.copy
        await self._call(name, src, transfer(source, target, overwrite=overwrite, **match))

    async def _stay(self, path: str | RemotePath, key: str) -> None:
        is_file = await self._backend.is_file(key)
        is_folder = not is_file and await self._backend.is_folder(key)
        rules.refuse_same_path(path, is_file=is_file, is_folder=is_folder, backend=self._name)

    # Metadata --------------------------------------------------------------

    async def exists(self, path: str | RemotePath) -> bool:
        """
        Return True if a file or folder is at *path*.

        Args:
            path: Path of either; ``""`` asks for the store's root, which is
                absent where nobody has made the storage or, in a store with a
                *root_path*, its folder.

        Raises:
            InvalidPath: *path* is malformed.
        """
        key = rules.folder_key(self._root, path)
        return await self._call("exists", path, self._backend.exists(key))

    async def is_file(self, path: str | RemotePath) -> bool:
        """
        Return True if a file is at *path*.

        Args:
            path: Path of either; ``""`` asks for the store's root.

        Raises:
            InvalidPath: *path* is malformed.
        """
        key = rules.folder_key(self._root, path)
        return await self._call("is_file", path, self._backend.is_file(key))

    async def is_folder(self, path: str | RemotePath) -> bool:
        """
        Return True if a folder is at *path*.

        Args:
            path: Path of either; ``""`` asks for the store's root, as in `exists`.

        Raises:
            InvalidPath: *path* is malformed.
        """
        key = rules.folder_key(self._root, path)
        return await self._call("is_folder", path, self._backend.is_folder(key))

    async def get_file_info(self, path: str | RemotePath) -> FileInfo:
        """
        Return size, modification time, ETag, metadata and whatever else is known of a file.

        Args:
            path: Path of a file.

        Raises:
            CapabilityNotSupported: No METADATA.
            InvalidPath: *path* is empty, malformed or names a folder.
            NotFound: The file does not exist.
        """
        info = await self._file_info("get_file_info", path)
        return rebasing.rebased_file(self._root, info)

    async def head(self, path: str | RemotePath) -> WriteResult:
        """
        Return what is known of a file in the form of a write result, ``source="sidecar"``.

        Args:
            path: Path of a file.

        Raises:
            CapabilityNotSupported: No METADATA.
            InvalidPath: *path* is empty, malformed or names a folder.
            NotFound: The file does not exist.
        """
        info = await self._file_info("head", path)
        return rebasing.rebased_result(self._root, rules.head_of(info))

    def _file_info(self, name: str, path: str | RemotePath) -> Awaitable[FileInfo]:
        if _METADATA in self._lacks:
            self._refuse(_METADATA)
        key = rules.file_key(self._root, path)
        return self._call(name, path, self._backend.get_file_info(key))

    async def get_folder_info(
        self, path: str | RemotePath, *, max_depth: int | None = None
    ) -> FolderInfo:
        """
        Return count, bytes and latest modification time of the files below a folder.

        Args:
            path: Path of a folder, ``""`` for the root.
            max_depth: How many folders deep to count; None for all.

        Raises:
            ValueError: *max_depth* is negative.
            CapabilityNotSupported: No METADATA, or with *max_depth* no LIST.
            InvalidPath: *path* is malformed or names a file.
            NotFound: The folder does not exist; of the root: the storage, which
                the message names.
        """
        key = rules.folder_info_key(self._capabilities, self._root, path, max_depth, self._name)
        if max_depth is not None:
            return await self._call("get_folder_info", path, self._tally(path, key, max_depth))
        info = await self._call("get_folder_info", path, self._backend.get_folder_info(key))
        return rebasing.rebased_folder_info(self._root, info)

    async def _tally(self, path: str | RemotePath, key: str, max_depth: int) -> FolderInfo:
        if not await self._backend.is_folder(key):
            if not key:
                await self._member("check_health")()  # which names the storage that is absent
            is_file = await self._backend.is_file(key)
            rules.refuse_missing_folder(path, is_file=is_file, backend=self._name)
        tally = rules.FolderTally()
        files = files_below(self._backend, self._root, key, max_depth=max_depth)
        async with Closing(files):
            async for info in files:
                tally.add(info)
        return tally.info(RemotePath.from_backend_path(strip_root(self._root, key)))

    # Addresses -------------------------------------------------------------

    async def signed_url(
        self,
        path: str | RemotePath,
        *,
        expires: timedelta | float,
        method: Literal["GET", "PUT"] = "GET",
    ) -> str:
        """
        Return a URL by which anybody who has it may read or write one file, by plain HTTP.

        Whether the file is there is not looked at. A ``"PUT"`` replaces what
        is there, whoever wrote it. Treat the URL as a secret; no log record
        and no event of a hook has it.

        Args:
            path: Path of a file.
            expires: How long it works, from now on: a timedelta, or seconds.
                At least one second, fractions of which are cut off. The
                service has a longest time; S3 7 days, for example.
            method: What it allows, ``"GET"`` or ``"PUT"``, and nothing else.

        Raises:
            ValueError: *expires* is below a second or longer than the service
                allows, or *method* is another.
            TypeError: *expires* is no timedelta and no number.
            CapabilityNotSupported: No SIGNED_URL: the backend or its
                credentials cannot sign. With ``"GET"`` no READ, with ``"PUT"``
                no WRITE.
            InvalidPath: *path* is empty or malformed; or no file can be written
                there.
        """
        span = gates.gate_url(self._capabilities, expires, method, self._name)
        key = rules.file_key(self._root, path)
        sign = self._member("signed_url")
        url: str = await self._call("signed_url", path, sign(key, expires=span, method=method))
        return url

    # Introspection ---------------------------------------------------------

    def supports(self, capability: Capability) -> bool:
        """Return True if the backend declares *capability*."""
        return self._capabilities.supports(capability)

    def resolve(self, key: str | RemotePath) -> ResolutionPlan:
        """
        Return how *key* maps to storage, without I/O.

        Args:
            key: Path in the store, ``""`` for its root. The plan repeats it
                as it was given.

        Raises:
            InvalidPath: *key* is malformed.
        """
        plan: ResolutionPlan = self._member("resolve")(rules.folder_key(self._root, key))
        return rebasing.rebased_plan(key, plan)

    def native_path(self, key: str | RemotePath) -> str:
        """
        Return *key* in the backend's own notation.

        Args:
            key: Path in the store, ``""`` for its root.

        Raises:
            InvalidPath: *key* is malformed.
        """
        native: str = self._member("native_path")(rules.folder_key(self._root, key))
        return native

    def to_key(self, path: str) -> str:
        """
        Return the store path of a native path; the inverse of `native_path`.

        Args:
            path: Path in the backend's own notation.

        Raises:
            InvalidPath: *path* does not belong to this store.
        """
        return strip_root(self._root, self._member("to_key")(path), path)

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the backend's native handle; code that uses it is bound to that backend.

        Args:
            type_hint: Type of the handle; the backend's own class for the
                backend itself, whose paths begin at its root and not at the store's.

        Raises:
            CapabilityNotSupported: The backend has none of that type.
        """
        if isinstance(self._backend, type_hint) and type(self._backend) is type_hint:
            return self._backend
        handle: T = self._member("unwrap")(type_hint)
        return handle

    # Lifecycle -------------------------------------------------------------

    def child(self, subpath: str | RemotePath) -> AsyncStore:
        """
        Return a store for a folder of this one, over the same backend.

        Closing a child does nothing; the backend belongs to the store that
        was constructed with it.

        Args:
            subpath: Path of the folder, which need not exist.

        Raises:
            InvalidPath: *subpath* is empty or malformed.
        """
        root = join_root(self._root, normalise(subpath))
        return store_over(self._backend, root, owns=False)

    async def ping(self) -> None:
        """
        Verify that the storage can be reached.

        Raises:
            PermissionDenied: Credentials are refused.
            NotFound: The container or root is missing.
            BackendUnavailable: The service does not answer.
        """
        await self._call("ping", "", self._member("check_health")())

    async def aclose(self) -> None:
        """Release the backend, unless this is a child store. Idempotent."""
        if self._owns:
            await self._member("aclose")()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AsyncStore):
            return NotImplemented
        return self._backend is other._backend and self._root == other._root

    def __hash__(self) -> int:
        return hash((id(self._backend), self._root))

    def __copy__(self) -> AsyncStore:
        return self  # which does not change

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        for name, value in state[1].items():
            setattr(self, name, value)
        # Nobody else has the backend that a pickle makes.
        self._owns = True

    def __repr__(self) -> str:
        return f"AsyncStore(backend={self._name!r}, root_path={self._root!r})"

    # Shared by the methods above -------------------------------------------

    def _refuse(self, capability: Capability) -> None:
        self._capabilities.require(capability, backend=self._name)

    def _match(self, if_match: str) -> dict[str, Any]:
        return gates.gate_match(self._capabilities, if_match, self._name)

    def _member(self, name: str) -> Callable[..., Any]:
        return members.member(self._backend, name, AsyncBackend)

    def _call(
        self, name: str, path: str | RemotePath, call: Awaitable[T], *, changes: bool = True
    ) -> Awaitable[T]:
        if hub.listening or _reports(_INFO):
            return AsyncObservation(_log, name, path, self._name, changes).call(call)
        return call

    def _observed(
        self, name: str, paths: Mapping[str, str | RemotePath]
    ) -> dict[str, AsyncObservation]:
        if not (hub.listening or _reports(_INFO)):
            return {}
        return {k: AsyncObservation(_log, name, path, self._name) for k, path in paths.items()}

    def _iterate(
        self, name: str, path: str | RemotePath, items: AsyncGenerator[T, None]
    ) -> AsyncGenerator[T, None]:
        if hub.listening or _reports(_INFO):
            return AsyncObservation(_log, name, path, self._name).iterate(items)
        return items


def store_over(backend: AsyncBackend, root: str, *, owns: bool) -> AsyncStore:
    """Return a store over a backend that was inspected before, for a root in normal form."""
    store = AsyncStore.__new__(AsyncStore)
    store._attach(backend, root, owns)  # noqa: SLF001 - of this module
    return store
