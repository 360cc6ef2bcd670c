"""The sync store: the façade that programs use."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from remote_store._contract import members
from remote_store._contract.backend import Backend
from remote_store._contract.content import SyncContentSource, WritableContent, as_content
from remote_store._plugins.hooks import hub
from remote_store._store import rules
from remote_store._store.iterate import files_below, folders_below, relay
from remote_store._store.observe import Observation
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.models import (
    FileInfo,
    FolderEntry,
    FolderInfo,
    ResolutionPlan,
    WriteResult,
)
from remote_store._types.path import RemotePath, join_root, normalise, strip_root

__all__ = ["Store"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Store:
    """
    A folder of a backend, with every operation that a program needs on files.

    The same as `remote_store.aio.AsyncStore`, whose methods say in full what
    each of these does and raises; its calls block. Three things differ:

    - listings and `glob` are generators, so that their errors, those of the
      arguments included, appear at the first ``next``; close one that you
      leave early with `contextlib.closing`;
    - `read` returns a binary stream, which has to be closed, and there are
      `read_seekable` and `open_atomic`;
    - `close` and ``with`` take the place of ``aclose``.

    A store does not change after its construction; threads may share one.

    Args:
        backend: A `Backend`, by inheritance or by its members.
        root_path: Folder of the backend that is the root of this store;
            ``""`` for the backend's own root. It need not exist.
        owns_backend: Close the backend when this store is closed.

    Raises:
        TypeError: *backend* lacks members of the protocol (the message names
            them), or is an async backend.
        InvalidPath: *root_path* is malformed.
    """

    __slots__ = ("_backend", "_capabilities", "_name", "_owns", "_root")

    _backend: Backend
    _capabilities: CapabilitySet
    _name: str
    _owns: bool
    _root: str

    def __init__(
        self, backend: Backend, root_path: str | RemotePath = "", *, owns_backend: bool = True
    ) -> None:
        members.refuse_incomplete(backend)
        if members.is_async_backend(backend):
            msg = (
                f"{type(backend).__name__} is an async backend; use AsyncStore, "
                "or Store(AsyncBackendSyncAdapter(backend))"
            )
            raise TypeError(msg)
        self._backend = backend
        self._root = rules.root_key(root_path)
        self._owns = owns_backend
        # Constant for an instance's life by contract, and read in every call.
        self._capabilities = CapabilitySet(backend.capabilities)
        self._name = backend.name

    # Reading ---------------------------------------------------------------

    def read(self, path: str | RemotePath) -> BinaryIO:
        """
        Open a file for reading.

        The backend is asked at once; one behind `AsyncBackendSyncAdapter` at
        the first read of the stream.

        Args:
            path: Path of a file.

        Returns:
            A binary stream, for one thread at a time; close it. With
            LAZY_READ a partly read one does not load the whole file, with
            SEEKABLE_READ it can seek.

        Raises:
            CapabilityNotSupported: No READ.
            InvalidPath: *path* is empty, malformed or names a folder.
            NotFound: The file does not exist.
        """
        return self._open("read", path, self._backend.read)

    def read_seekable(self, path: str | RemotePath) -> BinaryIO:
        """
        Open a file for reading with ``seek``; otherwise as `read`.

        A backend whose streams cannot seek is read to the end first: up to
        8 MiB into memory, more into a temporary file.
        """
        return self._open("read_seekable", path, self._member("read_seekable"))

    def _open(self, name: str, path: str | RemotePath, read: Callable[[str], BinaryIO]) -> BinaryIO:
        self._capabilities.require(Capability.READ, backend=self._name)
        key = rules.file_key(self._root, path)
        if self._observed():
            return self._observe(name, path).open(functools.partial(read, key))
        return read(key)

    def read_bytes(self, path: str | RemotePath) -> bytes:
        """Return the whole content of a file, as `AsyncStore.read_bytes`."""
        self._capabilities.require(Capability.READ, backend=self._name)
        key = rules.file_key(self._root, path)
        return self._call("read_bytes", path, self._backend.read_bytes, key)

    def read_text(
        self, path: str | RemotePath, *, encoding: str = "utf-8", errors: str = "strict"
    ) -> str:
        """Return the whole content of a file as text, as `AsyncStore.read_text`."""
        return self.read_bytes(path).decode(encoding, errors)

    # Writing ---------------------------------------------------------------

    def write(
        self,
        path: str | RemotePath,
        content: SyncContentSource,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """
        Write a file, as `AsyncStore.write`.

        Args:
            path: Path of a file.
            content: Bytes, a bytes-like object, an iterable of bytes, or a
                binary file. A generator is closed in every case, a file never.
            overwrite: Replace an existing file; False refuses it, exclusively.
            metadata: User metadata.

        Raises:
            TypeError: *content* is none of these, or yields something else.
            ValueError, CapabilityNotSupported, InvalidPath, AlreadyExists: As
                `AsyncStore.write`.
        """
        return self._write("write", path, content, overwrite, metadata)

    def write_text(
        self,
        path: str | RemotePath,
        text: str,
        *,
        encoding: str = "utf-8",
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """Write text to a file, as `AsyncStore.write_text`."""
        content = rules.encoded(text, encoding)
        return self._write("write_text", path, content, overwrite, metadata)

    def write_atomic(
        self,
        path: str | RemotePath,
        content: SyncContentSource,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """Write a file of which readers never see a part, as `AsyncStore.write_atomic`."""
        return self._write("write_atomic", path, content, overwrite, metadata)

    def _write(
        self,
        name: str,
        path: str | RemotePath,
        content: SyncContentSource,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        body = as_content(content)
        if body is content:
            return self._put(name, path, body, overwrite, metadata)
        with contextlib.nullcontext() if isinstance(body, bytes) else body:
            return self._put(name, path, body, overwrite, metadata)

    def _put(
        self,
        name: str,
        path: str | RemotePath,
        content: WritableContent,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        atomic = name == "write_atomic"
        metadata = rules.gate_write(self._capabilities, metadata, atomic=atomic, backend=self._name)
        key = rules.file_key(self._root, path)
        write = self._backend.write_atomic if atomic else self._backend.write
        result = self._call(name, path, write, key, content, overwrite=overwrite, metadata=metadata)
        return rules.rebased_result(self._root, result)

    @contextlib.contextmanager
    def open_atomic(self, path: str | RemotePath, *, overwrite: bool = False) -> Iterator[BinaryIO]:
        """
        Open a file for writing that is published at the end of the ``with`` block.

        The block may close the file. After an exception in it *path* is as it
        was before.

        Args:
            path: Path of a file.
            overwrite: Replace an existing file; False refuses it.

        Raises:
            CapabilityNotSupported: No ATOMIC_WRITE or no WRITE.
            InvalidPath: *path* is empty, malformed, a folder, or below a file.
            AlreadyExists: The file exists and *overwrite* is False; at the
                start or at the end of the block.
        """
        rules.gate_write(self._capabilities, None, atomic=True, backend=self._name)
        key = rules.file_key(self._root, path)
        observed = self._observe("open_atomic", path).timed() if self._observed() else None
        opened = self._member("open_atomic")(key, overwrite=overwrite)
        with observed or contextlib.nullcontext(), opened as file:
            yield file

    # Deleting --------------------------------------------------------------

    def delete(self, path: str | RemotePath, *, missing_ok: bool = False) -> None:
        """Delete a file, as `AsyncStore.delete`."""
        self._capabilities.require(Capability.DELETE, backend=self._name)
        key = rules.file_key(self._root, path)
        self._call("delete", path, self._backend.delete, key, missing_ok=missing_ok)

    def delete_folder(
        self, path: str | RemotePath, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """Delete a folder, as `AsyncStore.delete_folder`."""
        rules.refuse_root_delete(path)
        self._capabilities.require(Capability.DELETE, backend=self._name)
        key = rules.file_key(self._root, path)
        delete = self._backend.delete_folder
        self._call("delete_folder", path, delete, key, recursive=recursive, missing_ok=missing_ok)

    # Listing ---------------------------------------------------------------

    def list_files(
        self,
        path: str | RemotePath,
        *,
        recursive: bool = False,
        pattern: str | None = None,
        max_depth: int | None = None,
    ) -> Generator[FileInfo, None, None]:
        """Yield the files of a folder, as `AsyncStore.list_files`; all errors at first ``next``."""
        rules.check_max_depth(max_depth)
        self._capabilities.require(Capability.LIST, backend=self._name)
        key = rules.folder_key(self._root, path)
        files = files_below(
            self._backend,
            self._root,
            key,
            recursive=recursive,
            pattern=pattern,
            max_depth=max_depth,
        )
        yield from self._iterate("list_files", path, files)

    def list_folders(
        self, path: str | RemotePath, *, pattern: str | None = None, max_depth: int | None = None
    ) -> Generator[FolderEntry, None, None]:
        """Yield subfolders, as `AsyncStore.list_folders`; all errors at first ``next``."""
        rules.check_max_depth(max_depth)
        self._capabilities.require(Capability.LIST, backend=self._name)
        key = rules.folder_key(self._root, path)
        folders = folders_below(self._backend, self._root, key, pattern, max_depth or 0)
        yield from self._iterate("list_folders", path, folders)

    def iter_children(
        self, path: str | RemotePath
    ) -> Generator[FileInfo | FolderEntry, None, None]:
        """Yield files and subfolders, as `AsyncStore.iter_children`; errors at first ``next``."""
        self._capabilities.require(Capability.LIST, backend=self._name)
        key = rules.folder_key(self._root, path)
        children = functools.partial(self._member("iter_children"), key)
        entries = relay(children, functools.partial(rules.rebased_entry, self._root))
        yield from self._iterate("iter_children", path, entries)

    def glob(self, pattern: str) -> Generator[FileInfo, None, None]:
        """
        Yield the files that match, as `AsyncStore.glob`; all errors at first ``next``.

        `remote_store._store.glob_files.glob_files` works on every store that lists.
        """
        self._capabilities.require(Capability.GLOB, backend=self._name)
        full = rules.backend_glob(self._root, pattern)
        matches = functools.partial(self._member("glob"), full)
        files = relay(matches, functools.partial(rules.rebased_file, self._root))
        yield from self._iterate("glob", pattern, files)

    # File operations -------------------------------------------------------

    def move(
        self, src: str | RemotePath, dst: str | RemotePath, *, overwrite: bool = False
    ) -> None:
        """Rename a file, as `AsyncStore.move`."""
        self._capabilities.require(Capability.MOVE, backend=self._name)
        self._transfer("move", src, dst, overwrite)

    def copy(
        self, src: str | RemotePath, dst: str | RemotePath, *, overwrite: bool = False
    ) -> None:
        """Copy a file with its user metadata, as `AsyncStore.copy`."""
        self._capabilities.require(Capability.COPY, backend=self._name)
        self._transfer("copy", src, dst, overwrite)

    def _transfer(
        self, name: str, src: str | RemotePath, dst: str | RemotePath, overwrite: bool
    ) -> None:
        source = rules.file_key(self._root, src)
        target = rules.file_key(self._root, dst)
        if source == target:
            stay = functools.partial(self._stay, src, source)
            if self._observed():
                self._observe(name, src, changes=False).call(stay)
            else:
                stay()
            return
        transfer = self._backend.move if name == "move" else self._backend.copy
        self._call(name, src, transfer, source, target, overwrite=overwrite)

    def _stay(self, path: str | RemotePath, key: str) -> None:
        is_file = self._backend.is_file(key)
        is_folder = not is_file and self._backend.is_folder(key)
        rules.refuse_same_path(path, is_file=is_file, is_folder=is_folder, backend=self._name)

    # Metadata --------------------------------------------------------------

    def exists(self, path: str | RemotePath) -> bool:
        """Return True if a file or folder is at *path*, as `AsyncStore.exists`."""
        key = rules.folder_key(self._root, path)
        return self._call("exists", path, self._backend.exists, key)

    def is_file(self, path: str | RemotePath) -> bool:
        """Return True if a file is at *path*, as `AsyncStore.is_file`."""
        key = rules.folder_key(self._root, path)
        return self._call("is_file", path, self._backend.is_file, key)

    def is_folder(self, path: str | RemotePath) -> bool:
        """Return True if a folder is at *path*, as `AsyncStore.is_folder`."""
        key = rules.folder_key(self._root, path)
        return self._call("is_folder", path, self._backend.is_folder, key)

    def get_file_info(self, path: str | RemotePath) -> FileInfo:
        """Return what is known of a file, as `AsyncStore.get_file_info`."""
        return rules.rebased_file(self._root, self._file_info("get_file_info", path))

    def head(self, path: str | RemotePath) -> WriteResult:
        """Return what is known of a file as a write result, as `AsyncStore.head`."""
        return rules.rebased_result(self._root, rules.head_of(self._file_info("head", path)))

    def _file_info(self, name: str, path: str | RemotePath) -> FileInfo:
        self._capabilities.require(Capability.METADATA, backend=self._name)
        key = rules.file_key(self._root, path)
        return self._call(name, path, self._backend.get_file_info, key)

    def get_folder_info(
        self, path: str | RemotePath, *, max_depth: int | None = None
    ) -> FolderInfo:
        """Return the sum of the files below a folder, as `AsyncStore.get_folder_info`."""
        key = rules.folder_info_key(self._capabilities, self._root, path, max_depth, self._name)
        if max_depth is not None:
            return self._call("get_folder_info", path, self._tally, path, key, max_depth)
        info = self._call("get_folder_info", path, self._backend.get_folder_info, key)
        return rules.rebased_folder_info(self._root, info)

    def _tally(self, path: str | RemotePath, key: str, max_depth: int) -> FolderInfo:
        if not self._backend.is_folder(key):
            if not key:
                self._member("check_health")()  # which names the storage that is absent
            is_file = self._backend.is_file(key)
            rules.refuse_missing_folder(path, is_file=is_file, backend=self._name)
        tally = rules.FolderTally()
        files = files_below(self._backend, self._root, key, max_depth=max_depth)
        with contextlib.closing(files):
            for info in files:
                tally.add(info)
        return tally.info(RemotePath.from_backend_path(strip_root(self._root, key)))

    # Introspection ---------------------------------------------------------

    def supports(self, capability: Capability) -> bool:
        """Return True if the backend declares *capability*."""
        return self._capabilities.supports(capability)

    def resolve(self, key: str | RemotePath) -> ResolutionPlan:
        """Return how *key* maps to storage, without I/O, as `AsyncStore.resolve`."""
        plan: ResolutionPlan = self._member("resolve")(rules.folder_key(self._root, key))
        return rules.rebased_plan(key, plan)

    def native_path(self, key: str | RemotePath) -> str:
        """Return *key* in the backend's own notation, as `AsyncStore.native_path`."""
        native: str = self._member("native_path")(rules.folder_key(self._root, key))
        return native

    def to_key(self, path: str) -> str:
        """Return the store path of a native path, as `AsyncStore.to_key`."""
        return strip_root(self._root, self._member("to_key")(path), path)

    def unwrap(self, type_hint: type[T]) -> T:
        """Return the backend's native handle of that type, as `AsyncStore.unwrap`."""
        handle: T = self._member("unwrap")(type_hint)
        return handle

    # Lifecycle -------------------------------------------------------------

    def child(self, subpath: str | RemotePath) -> Store:
        """Return a store for a folder of this one, over the same backend, as `AsyncStore.child`."""
        root = join_root(self._root, normalise(subpath))
        return Store(self._backend, root, owns_backend=False)

    def ping(self) -> None:
        """Verify that the storage can be reached, as `AsyncStore.ping`."""
        self._call("ping", "", self._member("check_health"))

    def close(self) -> None:
        """Release the backend, unless this is a child store. Idempotent."""
        if self._owns:
            self._member("close")()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Store):
            return NotImplemented
        return self._backend is other._backend and self._root == other._root

    def __hash__(self) -> int:
        return hash((id(self._backend), self._root))

    def __repr__(self) -> str:
        return f"Store(backend={self._name!r}, root_path={self._root!r})"

    # Shared by the methods above -------------------------------------------

    def _member(self, name: str) -> Callable[..., Any]:
        return members.member(self._backend, name, Backend)

    def _observed(self) -> bool:
        return hub.listening or _log.isEnabledFor(logging.INFO)

    def _observe(self, name: str, path: str | RemotePath, *, changes: bool = True) -> Observation:
        return Observation(_log, name, path, self._name, changes)

    def _call(
        self,
        name: str,
        path: str | RemotePath,
        function: Callable[..., T],
        /,
        *args: Any,
        **options: Any,
    ) -> T:
        if self._observed():
            return self._observe(name, path).call(functools.partial(function, *args, **options))
        return function(*args, **options)

    def _iterate(
        self, name: str, path: str | RemotePath, items: Generator[T, None, None]
    ) -> Generator[T, None, None]:
        return self._observe(name, path).iterate(items) if self._observed() else items
