"""What passes between a service and the backend over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from attrs import field, frozen

from remote_store import ContentDigest, ContentHeaders, NotFound, PreconditionFailed

__all__ = [
    "Attributes",
    "ObjectInfo",
    "Page",
    "Part",
    "StorageNotFound",
    "TargetReplaced",
    "Upload",
    "UploadPage",
    "Written",
]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
#: The content headers beside the media type.
_HEADERS: Final = ("cache-control", "content-encoding", "content-disposition")


class StorageNotFound(NotFound):
    """
    Raised when the bucket itself is absent, by each verb that can tell.

    The message names it and says how to make it. A verb that cannot tell, such
    as a HEAD without a body, raises a plain NotFound.
    """


class TargetReplaced(PreconditionFailed):
    """
    Raised by a `copy` that takes its time: somebody else replaced or removed its target meanwhile.

    It reaches the caller as it is, where another PreconditionFailed of a copy is
    about one of its conditions.
    """


@frozen
class Attributes:
    """
    What an object keeps beside its bytes; `put` and `begin_upload` set it as a whole.

    Args:
        content_type: Media type; None for the service's default.
        metadata: User metadata.
        headers: What else a copy has to keep, as the service names it:
            ``Content-Encoding``, ``Cache-Control`` and the like. The backend
            hands on what `head` told, and of a write those that its caller
            gives: ``cache-control``, ``content-encoding`` and
            ``content-disposition``.
    """

    content_type: str | None = None
    metadata: Mapping[str, str] = field(default=_NONE)
    headers: Mapping[str, str] = field(default=_NONE)

    @classmethod
    def of(cls, metadata: Mapping[str, str], headers: ContentHeaders | None) -> Attributes:
        """Return what a write is to keep."""
        if headers is None:
            return cls(metadata=metadata)
        given = {name: getattr(headers, name.replace("-", "_")) for name in _HEADERS}
        kept = {name: value for name, value in given.items() if value is not None}
        return cls(headers.content_type, metadata, kept)


class ObjectInfo(NamedTuple):
    """
    An object as `head`, `get` or `list_page` saw it. Never changed once it is made.

    Attributes:
        key: Its name in the bucket.
        size: Bytes of the whole object.
        etag: Its version, an opaque token without quotes, fit for a condition;
            None without one.
        modified: Aware UTC time; None where the service does not tell.
        digest: Digest of its content, if the service is sure of it.
        content_type: Media type.
        metadata: User metadata; None where they were not fetched.
        headers: See `Attributes`; only of `head` and `get`.
        is_folder: It stands for a folder by a mark of the service's own and is
            no file. (The backend knows by itself what a trailing ``/`` means.)
    """

    key: str
    size: int
    etag: str | None = None
    modified: datetime | None = None
    digest: ContentDigest | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    headers: Mapping[str, str] = _NONE
    is_folder: bool = False

    @property
    def content_headers(self) -> ContentHeaders | None:
        """What of it is handed out with the content, None for nothing."""
        if self.content_type is None and not self.headers:
            return None
        told = {name.lower(): value for name, value in self.headers.items()}
        cache, encoding, disposition = (told.get(name) for name in _HEADERS)
        return ContentHeaders(
            content_type=self.content_type,
            cache_control=cache,
            content_encoding=encoding,
            content_disposition=disposition,
        )

    @property
    def attributes(self) -> Attributes:
        """What a copy of it has to keep."""
        return Attributes(self.content_type, self.metadata or _NONE, self.headers)


class Page(NamedTuple):
    """
    One page of a listing.

    Attributes:
        objects: The objects whose keys begin with the prefix; with a delimiter
            only those that have none after it.
        prefixes: With a delimiter: what the other keys have up to and with the
            first delimiter after the prefix, each once. Without one: the same,
            where the service cannot list all that is below at once.
        token: What `list_page` takes for the next page, ``""`` on the last one. A
            page may be empty and still have a next one.
    """

    objects: Sequence[ObjectInfo]
    prefixes: Sequence[str] = ()
    token: str = ""

    @property
    def first(self) -> str:
        """What no other page of the listing begins with; ``""`` for one without an entry."""
        if self.objects:
            return self.objects[0].key
        # Both ends: a page might begin with the prefix that the one before ended with.
        return f"{self.prefixes[0]} to {self.prefixes[-1]}" if self.prefixes else ""


@frozen
class Written:
    """
    What the service told of a version that it has made.

    Args:
        etag: As in `ObjectInfo`.
        modified: Aware UTC time.
        version_id: Version of a versioned bucket.
        digest: Digest of the whole content.
    """

    etag: str | None = None
    modified: datetime | None = None
    version_id: str | None = None
    digest: ContentDigest | None = None


@frozen
class Upload:
    """
    An upload in parts that was begun and is not committed.

    Args:
        key: Of the object that it is to make.
        id: The service's name for it; shown in messages, so no secret.
        started: When it was begun; aware UTC time. `list_uploads` tells.
        detail: Whatever the service wants to see again in the verbs that take
            the upload. The backend does not look at it.
    """

    key: str
    id: str
    started: datetime | None = None
    detail: Any = field(default=None, repr=False)


@frozen
class Part:
    """
    A part of an upload that the service has.

    Args:
        number: From 1 on, in the order of the content.
        size: Bytes.
        token: What the commit says of it, such as its ETag.
        detail: Whatever else the commit needs, a checksum for example.
        digest: What the service tells of its content, which is compared with the
            content: it may be wrong where the service encrypts.
    """

    number: int
    size: int
    token: str = ""
    detail: Any = field(default=None, repr=False)
    digest: ContentDigest | None = None


@frozen
class Unfinished:
    """
    What earlier writes of an object left, as `ObjectService.unfinished` found it.

    Args:
        mark: Bytes that are part 1 of an upload until its content is there; by
            them it is told what the upload makes besides. ``b""`` if none are
            needed, or if a new upload could not be told by them.
        upload: The upload to go on with; None if a new one has to begin.
        parts: Those that it has, but for one with the mark, each with its digest.
    """

    mark: bytes = field(default=b"", repr=False)
    upload: Upload | None = None
    parts: Sequence[Part] = ()


class UploadPage(NamedTuple):
    """
    One page of unfinished uploads.

    Attributes:
        uploads: They, each with the time when it was begun.
        token: See `Page`.
    """

    uploads: Sequence[Upload]
    token: str = ""
