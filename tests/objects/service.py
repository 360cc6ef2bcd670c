"""An object service in memory, whose verbs can be made to fail in their own ways."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from copy import copy as clone
from datetime import UTC, datetime
from typing import Any, TypeAlias

from attrs import define, field, frozen

from remote_store import (
    BackendUnavailable,
    ContentDigest,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    RetryPolicy,
)
from remote_store_objects import (
    Attributes,
    Body,
    Description,
    ObjectBackend,
    ObjectInfo,
    ObjectService,
    Page,
    Part,
    StorageNotFound,
    Unfinished,
    Upload,
    UploadPage,
    Written,
)

#: Gets what the verb would do, and does it, or not, or raises.
Fault: TypeAlias = Callable[[Callable[[], Any]], Any]

QUICK = RetryPolicy(backoff_base=0.001, jitter=0)


def lose(act: Callable[[], Any]) -> Any:
    """Do it, or be refused, and lose the answer."""
    with contextlib.suppress(RemoteStoreError):
        act()
    raise BackendUnavailable("no answer", outcome_unknown=True)


def busy(act: Callable[[], Any]) -> Any:
    """Do nothing, and ask for patience."""
    raise BackendUnavailable("busy", status=503)


def raising(error: BaseException) -> Fault:
    """Do nothing, and raise."""

    def fault(act: Callable[[], Any]) -> Any:
        raise error

    return fault


def after(step: Callable[[], object]) -> Fault:
    """Let something happen right before."""

    def fault(act: Callable[[], Any]) -> Any:
        step()
        return act()

    return fault


def describe(**fields: Any) -> Description:
    """Return a description whose parts may be tiny."""
    given = {"name": "async-memory-objects", "location": "mem://b", "min_part": 1, "batch": 100}
    return Description(**{**given, **fields})


@define
class Bucket:
    """
    What services of one bucket share.

    Attributes:
        objects: Information and content, by key.
        calls: Every verb that was called, in order, with its main argument.
        faults: What the next calls of a verb meet; None for nothing.
    """

    description: Description = field(factory=describe)
    there: bool = True
    objects: dict[str, tuple[ObjectInfo, bytes]] = field(factory=dict)
    uploads: dict[str, tuple[Upload, Attributes, dict[int, bytes]]] = field(factory=dict)
    calls: list[tuple[str, Any]] = field(factory=list)
    faults: dict[str, deque[Fault | None]] = field(factory=lambda: defaultdict(deque))
    services: list[MemoryService] = field(factory=list)
    tells_committed: bool = True
    #: A commit has to name all parts that were sent.
    counts: bool = True
    #: Digests of parts are those of something else.
    encrypts: bool = False
    #: Copies go from one bucket to another of the same account.
    account: str = ""
    #: Which upload made which version.
    made_by: dict[str, str] = field(factory=dict)
    #: Services of several loops may be in several threads.
    lock: Any = field(factory=threading.RLock)
    _numbers: Any = field(factory=lambda: itertools.count(1))

    def connect(self) -> MemoryService:
        service = MemoryService(self)
        self.services.append(service)
        return service

    def backend(self, **options: Any) -> ObjectBackend:
        return ObjectBackend(self.connect, self.description, **{"retry": QUICK, **options})

    def name(self, kind: str) -> str:
        """Return a new name for a version or an upload."""
        return f"{kind}{next(self._numbers):06}"

    def put(self, key: str, content: bytes = b"", **fields: Any) -> ObjectInfo:
        """Make an object past the service."""
        fields.setdefault("modified", datetime.now(UTC))
        fields.setdefault("metadata", {})
        info = ObjectInfo(key, len(content), self.name("v"), **fields)
        self.objects[key] = info, content
        return info

    def verbs(self) -> list[str]:
        """Return the verbs that were called, and forget them."""
        called = [verb for verb, _ in self.calls]
        self.calls.clear()
        return called

    def contents(self) -> dict[str, bytes]:
        return {key: content for key, (_, content) in sorted(self.objects.items())}


@frozen
class _Stream:
    bucket: Bucket
    info: ObjectInfo
    start: int
    stop: int
    places: deque[int]
    content: bytes
    size: int

    async def receive(self) -> bytes:
        def act() -> bytes:
            if not self.places:
                return b""
            place = self.places.popleft()
            return self.content[place : min(place + self.size, self.stop)]

        faults = self.bucket.faults["receive"]
        fault = faults.popleft() if faults else None
        piece: bytes = act() if fault is None else fault(act)
        return piece

    async def aclose(self) -> None:
        self.places.clear()


def _told(info: ObjectInfo) -> ObjectInfo:
    """Return what an answer says: its own metadata, not the stored ones."""
    return info._replace(metadata=dict(info.metadata or {}))


class MemoryService(ObjectService):
    """One loop's service over a `Bucket`."""

    #: Bytes that `get` hands out at a time.
    piece = 4

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.origin = bucket
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1

    def _do(self, verb: str, argument: Any, act: Callable[[], Any]) -> Any:
        assert not self.closed
        self.bucket.calls.append((verb, argument))
        faults = self.bucket.faults[verb]
        fault = faults.popleft() if faults else None

        def checked() -> Any:
            if not self.bucket.there:
                raise StorageNotFound("no bucket b; make it with mkbucket b")
            with self.bucket.lock:
                return act()

        return checked() if fault is None else fault(checked)

    def with_sources_of(self, other: ObjectService) -> MemoryService | None:
        if not isinstance(other, MemoryService) or self.bucket.account != other.bucket.account:
            return None
        made = clone(self)
        made.origin = other.bucket
        return made

    def _find(self, key: str, bucket: Bucket | None = None) -> tuple[ObjectInfo, bytes]:
        objects = (bucket or self.bucket).objects
        if key not in objects:
            raise NotFound("no such object", status=404)
        return objects[key]

    def _source(self, key: str, etag: str | None) -> tuple[ObjectInfo, bytes]:
        if not self.origin.there:
            raise StorageNotFound("no bucket b; make it with mkbucket b")
        return self._match(key, etag, self.origin)

    def _match(
        self, key: str, etag: str | None, bucket: Bucket | None = None
    ) -> tuple[ObjectInfo, bytes]:
        info, content = self._find(key, bucket)
        if etag is not None and info.etag != etag:
            raise PreconditionFailed("other version", status=412)
        return info, content

    def _make(
        self,
        key: str,
        content: bytes,
        kept: Attributes,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        there = self.bucket.objects.get(key)
        if if_absent and there is not None:
            raise PreconditionFailed("object exists", status=412)
        if if_match is not None and (there is None or there[0].etag != if_match):
            raise PreconditionFailed("other version", status=412)
        info = self.bucket.put(
            key,
            content,
            content_type=kept.content_type,
            metadata=dict(kept.metadata),
            headers=kept.headers,
        )
        return Written(info.etag, info.modified)

    async def head(self, key: str) -> ObjectInfo:
        info: ObjectInfo = self._do("head", key, lambda: _told(self._find(key)[0]))
        return info

    async def get(
        self, key: str, *, start: int = 0, stop: int | None = None, if_match: str | None = None
    ) -> _Stream:
        def act() -> _Stream:
            info, content = self._match(key, if_match)
            ranged = start or stop is not None
            if ranged and start >= len(content):
                raise RemoteStoreError("no such range", status=416)
            end = len(content) if stop is None else min(stop, len(content))
            places = deque(range(start, end, self.piece))
            return _Stream(self.bucket, _told(info), start, end, places, content, self.piece)

        stream: _Stream = self._do("get", (key, start, stop, if_match), act)
        return stream

    async def list_page(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        assert not delimiter or self.bucket.description.delimiter

        def act() -> Page:
            objects: list[ObjectInfo] = []
            prefixes: list[str] = []
            last = token
            for key in sorted(self.bucket.objects, key=str.encode):
                cut = key.find(delimiter, len(prefix)) if delimiter else -1
                name = key if cut < 0 else key[: cut + 1]
                if not key.startswith(prefix) or name <= last:
                    continue
                if len(objects) + len(prefixes) == limit:
                    return Page(objects, prefixes, last)
                last = name
                if cut < 0:
                    objects.append(_told(self.bucket.objects[key][0]))
                else:
                    prefixes.append(name)
            return Page(objects, prefixes)

        page: Page = self._do("list_page", (prefix, delimiter, token), act)
        return page

    async def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        content = b"".join([bytes(piece) async for piece in body])
        assert content == bytes(body)
        assert len(content) == len(body)
        written: Written = self._do(
            "put", key, lambda: self._make(key, content, attributes, if_absent, if_match)
        )
        return written

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        def act() -> None:
            if not self.bucket.description.delete_tells and key not in self.bucket.objects:
                return
            self._match(key, if_match)
            del self.bucket.objects[key]

        self._do("delete", key, act)

    async def delete_many(
        self, keys: Sequence[str], *, etags: Mapping[str, str] | None = None
    ) -> Mapping[str, RemoteStoreError]:
        def act() -> Mapping[str, RemoteStoreError]:
            refused: dict[str, RemoteStoreError] = {}
            for key in keys:
                try:
                    self._match(key, (etags or {}).get(key))
                except NotFound as error:
                    if self.bucket.description.batch_tells:
                        refused[key] = error
                except PreconditionFailed as error:
                    refused[key] = error
                else:
                    del self.bucket.objects[key]
            return refused

        refused: Mapping[str, RemoteStoreError] = self._do("delete_many", list(keys), act)
        return refused

    async def copy(
        self, source: str, target: str, *, if_match: str | None = None, if_absent: bool
    ) -> Written:
        def act() -> Written:
            info, content = self._source(source, if_match)
            most = self.bucket.description.max_copy
            if most is not None and len(content) > most:
                raise RemoteStoreError("too large", status=400)
            return self._make(target, content, info.attributes, if_absent)

        written: Written = self._do("copy", (source, target), act)
        return written

    async def begin_upload(self, key: str, *, attributes: Attributes) -> Upload:
        def act() -> Upload:
            upload = Upload(key, self.bucket.name("u"), datetime.now(UTC))
            self.bucket.uploads[upload.id] = upload, attributes, {}
            return upload

        upload: Upload = self._do("begin_upload", key, act)
        return upload

    def _begun(self, upload: Upload) -> tuple[Upload, Attributes, dict[int, bytes]]:
        if upload.id not in self.bucket.uploads:
            raise NotFound("no such upload", status=404)
        return self.bucket.uploads[upload.id]

    async def send_part(self, upload: Upload, number: int, body: Body) -> Part:
        content = bytes(body)

        def act() -> Part:
            self._begun(upload)[2][number] = content
            return self._part(number, content)

        part: Part = self._do("send_part", len(content), act)
        return part

    def _part(self, number: int, content: bytes) -> Part:
        key = b"of the service" if self.bucket.encrypts else b""
        digest = hashlib.sha256(key + content).hexdigest()
        return Part(number, len(content), digest, digest=ContentDigest("sha256", digest))

    async def unfinished(self, key: str, *, attributes: Attributes, layout: str) -> Unfinished:
        mark = repr((attributes, layout)).encode()

        def act() -> Unfinished:
            for upload, _, sent in reversed(self.bucket.uploads.values()):
                parts = [self._part(number, content) for number, content in sent.items()]
                if upload.key == key and self._part(1, mark) in parts:
                    return Unfinished(mark, upload, [part for part in parts if part.number > 1])
            return Unfinished(mark)

        found: Unfinished = self._do("unfinished", key, act)
        return found

    async def commit(
        self,
        upload: Upload,
        parts: Sequence[Part],
        *,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        def act() -> Written:
            _, attributes, sent = self._begun(upload)
            numbers = [part.number for part in parts]
            assert numbers == [*range(1, len(parts) + 1)]
            if numbers != sorted(sent) and self.bucket.counts:
                raise NotFound("not all parts", status=400)
            if any(
                part.digest not in (None, self._part(part.number, sent[part.number]).digest)
                for part in parts
            ):
                raise NotFound("no such part", status=400)
            content = b"".join(sent[part.number] for part in parts)
            written = self._make(upload.key, content, attributes, if_absent, if_match)
            self.bucket.made_by[written.etag or ""] = upload.id
            del self.bucket.uploads[upload.id]
            return written

        written: Written = self._do("commit", len(parts), act)
        return written

    async def committed(self, upload: Upload, parts: Sequence[Part]) -> Written | None:
        if not self.bucket.tells_committed:
            return None

        def act() -> Written | None:
            info, _ = self._find(upload.key)
            ours = self.bucket.made_by.get(info.etag or "") == upload.id
            return Written(info.etag, info.modified) if ours else None

        written: Written | None = self._do("committed", upload.key, act)
        return written

    async def abort(self, upload: Upload) -> None:
        def act() -> None:
            self._begun(upload)
            del self.bucket.uploads[upload.id]

        self._do("abort", upload.key, act)

    async def copy_part(
        self,
        upload: Upload,
        number: int,
        source: str,
        *,
        start: int,
        stop: int,
        if_match: str | None = None,
    ) -> Part:
        def act() -> Part:
            content = self._source(source, if_match)[1][start:stop]
            self._begun(upload)[2][number] = content
            return Part(number, len(content))

        part: Part = self._do("copy_part", (start, stop), act)
        return part

    async def list_uploads(self, prefix: str, *, token: str = "") -> UploadPage:
        def act() -> UploadPage:
            found = [u for u, _, _ in self.bucket.uploads.values() if u.key.startswith(prefix)]
            rest = [u for u in found if u.id > token]
            return UploadPage(rest[:1], rest[0].id if len(rest) > 1 else "")

        page: UploadPage = self._do("list_uploads", (prefix, token), act)
        return page
