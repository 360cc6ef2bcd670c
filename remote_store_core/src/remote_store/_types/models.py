"""
What almost every operation returns. All models are frozen, copy, deep-copy and pickle.

Those that few programs see have modules of their own: making a class takes longer
than loading a module.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

from attrs import Factory, field, frozen

from remote_store._types.path import RemotePath, known_path

if TYPE_CHECKING:
    from remote_store._types.content import ContentDigest, ContentHeaders

__all__ = [
    "UNKNOWN_TIME",
    "FileInfo",
    "FolderEntry",
    "PathEntry",
    "WriteResult",
    "known_file",
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


# The guard of a frozen class makes it store each field through object.__setattr__,
# which costs more than all the rest of a fast operation. So the two models that
# every hot operation returns store their fields as objects of a subclass without
# the guard (`_OpenFileInfo`, `_OpenWriteResult`), and then become what they are.
_set = object.__setattr__
_new = object.__new__


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


def known_file(key: str, name: str, size: int, modified_at: datetime) -> FileInfo:
    """
    Return a `FileInfo` of what most listings tell, in half the time of its constructor.

    Args:
        key: Known to be in normal form, as for `known_path`.
        name: Its last segment.
        size: Bytes.
        modified_at: Aware UTC time, or `UNKNOWN_TIME`.
    """
    this: Any = _new(_OpenFileInfo)
    this.path = known_path(key)
    this.name = name
    this.size = size
    this.modified_at = modified_at
    this.digest = this.etag = this.content_type = this.metadata = this.headers = None
    this.extra = {}
    this.__class__ = FileInfo
    info: FileInfo = this
    return info


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
