"""A filesystem of fsspec as a backend to read from."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, Final, NoReturn, TypeVar

from remote_store import (
    Backend,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    NotFound,
    PreconditionFailed,
    RemotePath,
    RemoteStoreError,
    Secret,
)
from remote_store.authoring import (
    LeftOut,
    file_key,
    first_with_others,
    folder_key,
    is_a_file,
    is_a_folder,
    is_key,
    is_reserved,
    not_found,
)
from remote_store_fsspec._native import ContentStream, etag_of, file_info, native_errors

__all__ = ["FsspecBackend"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: Bytes of a range that are fetched at once.
_PIECE: Final = 8 * 1024 * 1024
_KINDS: Final = ("file", "directory")
_CAPABILITIES: Final = CapabilitySet(
    {Capability.READ, Capability.LIST, Capability.METADATA, Capability.RANGE_READ}
)


class FsspecBackend(Backend):
    """
    Any filesystem of fsspec, to be read: ``fsspec:github://owner:repo@main/docs`` for example.

    It declares what every filesystem can do: reading, also in ranges, listing
    and looking at files. What is there is asked each time; the filesystem's
    cache of listings is emptied before. What a filesystem does not tell cannot
    be told: one that takes a refusal for a missing file makes it a missing file
    here, and one without ETags and times shows no change.

    It belongs to whoever made the filesystem; closing it does nothing.

    Args:
        fs: The filesystem.
        root: Folder of the filesystem that is the root, in its own notation.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = _CAPABILITIES
    CONTRACT: ClassVar[str] = "1.1"

    def __init__(self, fs: Any, root: str = "") -> None:
        self._fs = fs
        self._root = str(fs._strip_protocol(root)).rstrip("/")  # noqa: SLF001 - fsspec's own way

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[FsspecBackend, str]:
        """
        Return the backend for a URL of fsspec behind ``fsspec:``, chained ones included.

        Args:
            url: ``fsspec:`` and a URL, for example ``fsspec:zip://::https://host/a.zip``.
            options: Of the filesystem, as fsspec's ``storage_options``.

        Raises:
            ValueError: No filesystem serves the URL, or a package for it is missing.
        """
        from fsspec.core import url_to_fs  # whoever only looks for backends needs no fsspec

        plain = {k: v.reveal() if isinstance(v, Secret) else v for k, v in options.items()}
        try:
            fs, root = url_to_fs(url.partition(":")[2], **plain)
        except ImportError as error:
            raise ValueError(str(error)) from error
        return cls(fs, root), ""

    @property
    def name(self) -> str:
        """``"fsspec"``."""
        return "fsspec"

    @property
    def capabilities(self) -> CapabilitySet:
        """READ, LIST, METADATA and RANGE_READ."""
        return _CAPABILITIES

    # What is there ---------------------------------------------------------

    def native_path(self, path: str) -> str:
        """Return a key in the notation of the filesystem."""
        key = "" if path == "." else path
        return f"{self._root}/{key}" if key else self._root or "/"

    def to_key(self, native_path: str) -> str:
        """Return the key of a native path."""
        return native_path.removeprefix(self._root).strip("/")

    def unwrap(self, type_hint: type[T]) -> T:
        """Return the filesystem, if it is of that type."""
        return self._fs if isinstance(self._fs, type_hint) else super().unwrap(type_hint)

    def _look(self, key: str) -> dict[str, Any] | None:
        """Return what the filesystem says of a path, None if nothing is there."""
        try:
            with native_errors(key, self.name):
                self._fs.invalidate_cache()
                details: dict[str, Any] = self._fs.info(self.native_path(key))
        except NotFound:
            return None
        return details

    def _kind(self, key: str) -> str | None:
        details = self._look(key)
        return None if details is None else str(details["type"])

    def exists(self, path: str) -> bool:
        """Return True if a file or folder is at *path*."""
        return self._kind(folder_key(path, self.name)) in _KINDS

    def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*."""
        key = folder_key(path, self.name)
        return bool(key) and self._kind(key) == "file"

    def is_folder(self, path: str) -> bool:
        """Return True if a folder is at *path*."""
        return self._kind(folder_key(path, self.name)) == "directory"

    def _file(self, path: str) -> dict[str, Any]:
        """Return what is known of a file."""
        key = file_key(path, self.name)
        details = self._look(key)
        if details is None:
            raise not_found(key, self.name)
        if details["type"] != "file":
            raise is_a_folder(key, self.name)
        return details

    def get_file_info(self, path: str) -> FileInfo:
        """Return size, time, and ETag and content type where the filesystem has them."""
        return file_info(file_key(path, self.name), self._file(path), self.name)

    def get_folder_info(self, path: str) -> FolderInfo:
        """Return count, bytes and latest time of all files below a folder."""
        key = folder_key(path, self.name)
        self._folder(key)
        infos = list(self.list_files(key, recursive=True))
        return FolderInfo(
            RemotePath.from_backend_path(key),
            len(infos),
            sum(info.size for info in infos),
            max((info.modified_at for info in infos), default=None),
        )

    def _folder(self, key: str) -> None:
        kind = self._kind(key)
        if kind is None and not key:
            msg = f"the root of the filesystem is absent: {self.native_path('')}"
            raise NotFound(msg, path=key, backend=self.name)
        if kind is None:
            raise not_found(key, self.name)
        if kind != "directory":
            raise is_a_file(key, self.name)

    def check_health(self) -> None:
        """Look at the root."""
        self._folder("")

    # Reading ---------------------------------------------------------------

    def read(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return self._stream(path, 0, None, None)

    def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file."""
        with self.read(path) as file:
            return file.read()

    def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> BinaryIO:
        """Open a part of a file; the filesystem is asked for its ranges, 8 MiB at most each."""
        return self._stream(path, start, length, if_match)

    def _stream(self, path: str, start: int, length: int | None, if_match: str | None) -> BinaryIO:
        key = file_key(path, self.name)
        details = self._file(path)

        self._refuse_other(key, details, if_match)
        size = file_info(key, details, self.name).size
        end = size if length is None else min(size, start + length)

        def again() -> None:
            if if_match is not None:
                self._refuse_other(key, self._file(key), if_match)

        if start == 0 and end == size:
            with native_errors(key, self.name):
                file = self._fs.open(self.native_path(key), "rb")
        else:
            file = _Ranges(self._fs, self.native_path(key), start, end)
        # No filesystem takes the condition with the request, so it is asked again at the end.
        raw = ContentStream(file, max(0, end - start), key, self.name, again)
        return io.BufferedReader(raw, 1 << 20)

    def _refuse_other(self, key: str, details: dict[str, Any], if_match: str | None) -> None:
        if if_match is not None and etag_of(details) != if_match:
            msg = "the file has another version than the one that was asked for"
            raise PreconditionFailed(msg, path=key, backend=self.name)

    # Listing ---------------------------------------------------------------

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> Iterator[FileInfo]:
        """Yield the files of a folder, folder by folder."""
        top = folder_key(path, self.name)
        left_out = LeftOut(_log, top)
        errors: list[RemoteStoreError] = []
        waiting = [(top, 0)]
        while waiting:
            folder, depth = waiting.pop()
            try:
                entries = self._entries(folder, left_out)
            except RemoteStoreError as error:
                if folder == top:
                    raise
                errors.append(error)
                continue
            for key, details in entries:
                if details["type"] == "file":
                    try:
                        info = self._listed(key, details)
                    except RemoteStoreError as error:
                        errors.append(error)
                        continue
                    yield info
                elif recursive and details.get("islink"):
                    left_out.link()
                elif recursive and (max_depth is None or depth < max_depth):
                    waiting.append((key, depth + 1))
        left_out.finish()
        if errors:
            raise first_with_others(errors)

    def list_folders(self, path: str) -> Iterator[FolderEntry]:
        """Yield the immediate subfolders."""
        for entry in self._children(path, warn=False):
            if isinstance(entry, FolderEntry):
                yield entry

    def iter_children(self, path: str) -> Iterator[FileInfo | FolderEntry]:
        """Yield the files and the subfolders of a folder, by one listing."""
        return self._children(path, warn=True)

    def _children(self, path: str, *, warn: bool) -> Iterator[FileInfo | FolderEntry]:
        key = folder_key(path, self.name)
        for found, details in self._entries(key, LeftOut(_log, key) if warn else None):
            if details["type"] == "file":
                yield self._listed(found, details)
            else:
                place = RemotePath(found)
                yield FolderEntry(place, place.name, is_link=bool(details.get("islink")))

    def _listed(self, key: str, details: dict[str, Any]) -> FileInfo:
        """Return what is known of a file in a listing; of one without a size it is asked for."""
        if details.get("size") is None:
            details = self._look(key) or details
        return file_info(key, details, self.name)

    def _entries(
        self, folder: str, left_out: LeftOut | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the keys in a folder with what the filesystem says of them."""
        native = self.native_path(folder)
        try:
            with native_errors(folder, self.name):
                self._fs.invalidate_cache()
                listed: list[dict[str, Any]] = self._fs.ls(native, detail=True)
        except NotFound:
            return iter(())
        found: dict[str, dict[str, Any]] = {}
        for details in listed:
            name = str(details["name"])
            if name.rstrip("/") == native.rstrip("/"):
                continue  # a file, or the marker of the folder
            last = name.removesuffix("/").rpartition("/")[2]
            key = f"{folder}/{last}" if folder else last
            if not is_key(key) or not last:
                if left_out is not None:
                    left_out.name(name)
            elif not is_reserved(key):
                if details.get("islink") and details["type"] not in _KINDS:
                    # Some list a link as itself, and say of its path what it leads to.
                    details = {"type": None, **(self._look(key) or {}), "islink": True}
                if details["type"] in _KINDS:
                    found[key] = details
        return iter(found.items())

    # What it refuses -------------------------------------------------------

    def _refuse(self, capability: Capability) -> NoReturn:
        msg = f"filesystems of fsspec are read here, not changed: no {capability.value}"
        raise CapabilityNotSupported(msg, backend=self.name, capability=capability.value)

    def write(self, path: str, content: Any, **options: Any) -> NoReturn:
        """Refuse."""
        self._refuse(Capability.WRITE)

    def write_atomic(self, path: str, content: Any, **options: Any) -> NoReturn:
        """Refuse."""
        self._refuse(Capability.ATOMIC_WRITE)

    def open_atomic(self, path: str, **options: Any) -> NoReturn:
        """Refuse."""
        self._refuse(Capability.ATOMIC_WRITE)

    def delete(self, path: str, **options: Any) -> NoReturn:
        """Refuse."""
        self._refuse(Capability.DELETE)

    def delete_folder(self, path: str, **options: Any) -> NoReturn:
        """Refuse."""
        self._refuse(Capability.DELETE)

    def move(self, src: str, dst: str, **options: Any) -> NoReturn:
        """Refuse."""
        self._refuse(Capability.MOVE)

    def copy(self, src: str, dst: str, **options: Any) -> NoReturn:
        """Refuse."""
        self._refuse(Capability.COPY)


class _Ranges:
    """
    A part of a file, fetched when it is read.

    Args:
        fs: The filesystem.
        path: Of the file, in its notation.
        start: Position of the first byte.
        end: Position behind the last one.
    """

    def __init__(self, fs: Any, path: str, start: int, end: int) -> None:
        self._fs = fs
        self._path = path
        self._place = start
        self._end = end
        self._piece = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        if not self._piece and self._place < self._end:
            last = min(self._end, self._place + _PIECE)
            # A sync filesystem opens the file for it; what it read ahead would be in vain.
            ahead = {} if self._fs.async_impl else {"cache_type": "none"}
            self._piece = self._fs.cat_file(self._path, start=self._place, end=last, **ahead)
            self._place = last if len(self._piece) >= last - self._place else self._end
        found, self._piece = self._piece[:size], self._piece[size:]
        return found

    def close(self) -> None:
        """Do nothing: no file is open."""
