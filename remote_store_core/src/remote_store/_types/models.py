"""What operations return. All models are frozen, copy, deep-copy and pickle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, runtime_checkable

from attrs import Attribute, Factory, field, frozen

from remote_store._types.path import RemotePath
from remote_store._types.secrets import redact_url

__all__ = [
    "UNKNOWN_TIME",
    "ContentDigest",
    "ContentHeaders",
    "FileInfo",
    "FolderEntry",
    "FolderInfo",
    "PathEntry",
    "ResolutionPlan",
    "WriteResult",
]

#: The `FileInfo.modified_at` of a file whose time the backend does not know.
UNKNOWN_TIME: Final = datetime.min.replace(tzinfo=UTC)


@runtime_checkable
class PathEntry(Protocol):
    """Anything with a name and a path: `FileInfo`, `FolderEntry`, `FolderInfo`."""

    @property
    def name(self) -> str:
        """The last segment of the path."""
        ...

    @property
    def path(self) -> RemotePath:
        """The path, relative to the store."""
        ...


_HEX = re.compile(r"[0-9a-f]+")


# The guard of a frozen class makes it store each field through object.__setattr__,
# which costs more than all the rest of a fast operation. So the two models that
# every hot operation returns store their fields as objects of a subclass without
# the guard (`_OpenFileInfo`, `_OpenWriteResult`), and then become what they are.
_set = object.__setattr__


def _clean(text: str) -> str:
    return text.strip().lower()


def _has_name(instance: object, attribute: Attribute[str], value: str) -> None:
    if not value:
        msg = "the algorithm of a digest must not be empty"
        raise ValueError(msg)


def _is_hexadecimal(instance: object, attribute: Attribute[str], value: str) -> None:
    if not _HEX.fullmatch(value):
        msg = f"the value of a digest must be hexadecimal, got {value!r}"
        raise ValueError(msg)


@frozen
class ContentDigest:
    """
    A digest of a file's content.

    Args:
        algorithm: Name such as ``"sha256"``; stripped and lower-cased.
        value: Hexadecimal digest; stripped and lower-cased.

    Raises:
        ValueError: *algorithm* is empty, or *value* is empty or not hexadecimal.
    """

    algorithm: str = field(converter=_clean, validator=_has_name)
    value: str = field(converter=_clean, validator=_is_hexadecimal)


#: Media types of compressed files, by the encoding that their suffix stands for.
_COMPRESSED: Final = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
}


@frozen(kw_only=True)
class ContentHeaders:
    """
    What a service keeps with content, and hands out with it as headers of HTTP.

    None of them changes content: what is written with ``content_encoding="gzip"``
    has to be gzipped already, and is read as it was written.

    Args:
        content_type: Media type, such as ``"text/csv; charset=utf-8"``. None
            leaves it to the service, which has a default.
        cache_control: How long others may keep it, ``"max-age=3600"``.
        content_encoding: How it is compressed, ``"gzip"``.
        content_disposition: What a browser does with it,
            ``'attachment; filename="report.csv"'``.
    """

    content_type: str | None = None
    cache_control: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None

    @classmethod
    def guessed(cls, name: str | RemotePath) -> ContentHeaders:
        """
        Return the media type that the suffix of a name stands for, as Python's own table has it.

        That of a compressed file is its own (``application/gzip`` for
        ``a.csv.gz``), and no `content_encoding`: who fetches it wants that file.

        Args:
            name: A name or a path. An unknown suffix gives no media type.
        """
        import mimetypes  # few programs guess

        # Not the functions of the module, which know what is installed on this machine.
        kind, encoding = mimetypes.MimeTypes().guess_type(f"file:///{name}")
        return cls(content_type=kind if encoding is None else _COMPRESSED.get(encoding))


@frozen(init=False)
class FileInfo:
    """
    A file as a store or backend saw it. Equality and hash look at `path` only.

    Args:
        path: Path relative to the store (or backend) that returned it.
        name: Last segment of *path*.
        size: Bytes.
        modified_at: Aware UTC time; `UNKNOWN_TIME` where it is not known.
        digest: None when the backend has none or, in listings, did not fetch it.
        etag: Version token without quotes, fit for an If-Match; None without one.
        content_type: Media type where the service keeps one.
        metadata: User metadata; None when there is none or, in listings, it
            was not fetched.
        extra: Anything else that the backend knows.
        headers: Content headers, *content_type* among them; None when there
            are none or, in listings, they were not fetched.
    """

    path: RemotePath
    name: str = field(eq=False)
    size: int = field(eq=False)
    modified_at: datetime = field(eq=False)
    digest: ContentDigest | None = field(default=None, eq=False)
    etag: str | None = field(default=None, eq=False)
    content_type: str | None = field(default=None, eq=False)
    metadata: Mapping[str, str] | None = field(default=None, eq=False)
    extra: dict[str, object] = field(default=Factory(dict), eq=False)
    headers: ContentHeaders | None = field(default=None, eq=False)

    def __init__(
        self,
        path: RemotePath,
        name: str,
        size: int,
        modified_at: datetime,
        digest: ContentDigest | None = None,
        etag: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        extra: dict[str, object] | None = None,
        headers: ContentHeaders | None = None,
    ) -> None:
        this: Any = self
        if extra is None:
            extra = {}
        if type(self) is not FileInfo:
            this.__attrs_init__(
                path, name, size, modified_at, digest, etag, content_type, metadata, extra, headers
            )
            return
        _set(this, "__class__", _OpenFileInfo)
        this.path = path
        this.name = name
        this.size = size
        this.modified_at = modified_at
        this.digest = digest
        this.etag = etag
        this.content_type = content_type
        this.metadata = metadata
        this.extra = extra
        this.headers = headers
        this.__class__ = FileInfo


class _OpenFileInfo(FileInfo):
    __slots__ = ()
    __setattr__ = _set
    # Both or none: the interpreter keeps them in one slot of the type.
    __delattr__ = object.__delattr__


@frozen
class FolderEntry:
    """
    A folder in a listing. Equality and hash look at `path` only.

    Args:
        path: Path of the folder.
        name: Last segment of the path.
        is_link: Whether it is a link to a folder elsewhere. What goes down
            into subfolders does not enter it: it may lead back up, and its
            files have paths of their own already.
    """

    path: RemotePath
    name: str = field(eq=False)
    is_link: bool = field(default=False, eq=False)


@frozen
class FolderInfo:
    """
    What lies below a folder. Equality and hash look at `path` only.

    Args:
        path: Path of the folder; `RemotePath.ROOT` for the root of a store.
        file_count: Files below it, at every depth that was asked for.
        total_size: Their bytes.
        modified_at: Latest known time of any counted file, or None.
        extra: Anything else that the backend knows.
    """

    path: RemotePath
    file_count: int = field(eq=False)
    total_size: int = field(eq=False)
    modified_at: datetime | None = field(default=None, eq=False)
    extra: dict[str, object] = field(default=Factory(dict), eq=False)

    @property
    def name(self) -> str:
        """Last segment of the path."""
        return self.path.name


@frozen(init=False)
class WriteResult:
    """
    What a write, or `head`, found out. Compared field by field.

    Args:
        path: Path of the file.
        size: Bytes written.
        source: ``"native"``: the backend filled the rich fields from its own
            answer; ``"basic"``: only path and size can be trusted;
            ``"sidecar"``: made by ``head``.
        digest: Digest that the backend reported.
        etag: Version token without quotes, fit for an If-Match.
        version_id: Version of a versioned store.
        last_modified: Aware UTC time of the new version.
        metadata: The user metadata that was stored.
    """

    path: RemotePath
    size: int
    source: Literal["native", "basic", "sidecar"] = "basic"
    digest: ContentDigest | None = None
    etag: str | None = None
    version_id: str | None = None
    last_modified: datetime | None = None
    metadata: Mapping[str, str] | None = None

    def __init__(
        self,
        path: RemotePath,
        size: int,
        source: Literal["native", "basic", "sidecar"] = "basic",
        digest: ContentDigest | None = None,
        etag: str | None = None,
        version_id: str | None = None,
        last_modified: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        this: Any = self
        if type(self) is not WriteResult:
            this.__attrs_init__(
                path, size, source, digest, etag, version_id, last_modified, metadata
            )
            return
        _set(this, "__class__", _OpenWriteResult)
        this.path = path
        this.size = size
        this.source = source
        this.digest = digest
        this.etag = etag
        this.version_id = version_id
        this.last_modified = last_modified
        this.metadata = metadata
        this.__class__ = WriteResult


class _OpenWriteResult(WriteResult):
    __slots__ = ()
    __setattr__ = _set
    __delattr__ = object.__delattr__


def _read_only(details: Mapping[str, object]) -> Mapping[str, object]:
    return MappingProxyType({k: _shown(v) if isinstance(v, str) else v for k, v in details.items()})


def _shown(text: str) -> str:
    # Whatever a backend hands over: a plan is made to be printed.
    return redact_url(text) if "://" in text else text


@frozen
class ResolutionPlan:
    """
    How a key maps to storage; made without I/O.

    Args:
        kind: Kind of the mapping, normally the backend's name.
        backend: Name of the backend.
        key: The key as the caller gave it.
        native_path: The same in the backend's own notation; of a URL without
            its credentials.
        details: More, in JSON-friendly values; read-only. Never a secret: of
            URLs without their credentials.
    """

    kind: str
    backend: str
    key: str
    native_path: str = field(converter=_shown)
    details: Mapping[str, object] = field(converter=_read_only)

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be pickled; the dict behind it can.
        fields = (self.kind, self.backend, self.key, self.native_path, dict(self.details))
        return ResolutionPlan, fields
