"""The verbs of a bucket, as requests of the S3 protocol."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy as clone
from datetime import timedelta
from typing import Final, TypeVar

import aiohttp

from remote_store import (
    BackendUnavailable,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_objects import (
    Attributes,
    Body,
    Condition,
    ObjectInfo,
    ObjectService,
    Page,
    Part,
    Unfinished,
    Upload,
    UploadPage,
    Written,
)
from remote_store_objects.aiohttp import unanswered
from remote_store_objects.http import (
    etag_of,
    extent_of,
    metadata_of,
    quoted,
    range_header,
    time_of,
)
from remote_store_s3._errors import error_for
from remote_store_s3._place import Place, quoted_key
from remote_store_s3._unfinished import MD5, mark_of, md5_of, newest
from remote_store_s3._wire import LARGE, Ask, Wire
from remote_store_s3._xml import (
    commit_document,
    delete_document,
    document,
    fits_xml,
    page_of,
    uploads_of,
    uploads_query,
)

__all__ = ["S3Service"]

E = TypeVar("E", bound=RemoteStoreError)

_META: Final = "x-amz-meta-"
_CRC: Final = "x-amz-checksum-crc32"
#: What an object keeps besides its media type and metadata, and a copy by parts has to.
_KEPT: Final = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)


class S3Stream:
    """
    An answer to a GET whose body is still to come.

    Args:
        response: It.
        info: What it tells of the object.
        start: Position of its first byte.
        stop: Position after its last byte.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, info: ObjectInfo, start: int, stop: int
    ) -> None:
        self._response = response
        self.info = info
        self.start = start
        self.stop = stop
        # One that was made of those of the parts does not tell of the bytes.
        whole = response.headers.get("x-amz-checksum-type") == "FULL_OBJECT"
        self._wanted = response.headers.get(_CRC) if whole and stop - start == info.size else None
        self._crc = 0
        self._left = stop - start

    async def receive(self) -> bytes:
        """
        Return the next bytes; see the protocol.

        Raises:
            RemoteStoreError: These are the last ones, and all of them together
                are not what was stored.
        """
        try:
            piece = await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error, changes=False) from error
        if self._wanted is not None:
            self._crc = zlib.crc32(piece, self._crc)
            self._left -= len(piece)
            if not self._left and _base64(self._crc) != self._wanted:
                msg = "The content that arrived does not have the checksum that it was stored with"
                raise RemoteStoreError(msg)
        return piece

    async def aclose(self) -> None:
        """Release the connection, which is closed if there was more to come."""
        self._response.release()


class S3Service(ObjectService):
    """
    One bucket in one event loop.

    Args:
        wire: Its connections.
        place: Where it is.
        conditions: Those that the service decides.
        checksum: Send a CRC-32 with all content, and look at that of what is read.
        write_headers: Sent with all that makes an object.
    """

    def __init__(
        self,
        wire: Wire,
        place: Place,
        *,
        conditions: frozenset[Condition],
        checksum: bool,
        write_headers: Mapping[str, str],
    ) -> None:
        self._wire = wire
        #: Of the sources of copies.
        self._source_bucket = place.bucket
        self._checks_deletion = Condition.DELETE_IF_MATCH in conditions
        self._checksum = checksum
        self._further: dict[str, str | None] = {n.lower(): v for n, v in write_headers.items()}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    # --- looking -----------------------------------------------------------

    async def head(self, key: str) -> ObjectInfo:
        """HeadObject. Services whose 404 has no mark of S3 are asked again, by a GET."""
        try:
            response = await self._wire.open(Ask("HEAD", key, proof="ETag"))
        except BackendUnavailable as error:
            if error.status == 404:
                await (await self.get(key, stop=1)).aclose()
            raise
        response.release()
        return _info(key, response.headers, int(response.headers.get("Content-Length", 0)))

    async def get(
        self, key: str, *, start: int = 0, stop: int | None = None, if_match: str | None = None
    ) -> S3Stream:
        """GetObject."""
        wanted = range_header(start, stop)
        checks = self._checksum and wanted is None
        headers = {
            "range": wanted,
            "x-amz-checksum-mode": "ENABLED" if checks else None,
            "if-match": quoted(if_match),
        }
        ask = Ask("GET", key, {}, headers, proof="ETag")
        response = await self._wire.open(ask)
        try:
            first, end, size = extent_of(response.status, response.headers)
            return S3Stream(response, _info(key, response.headers, size), first, end)
        except BaseException:
            response.close()
            raise

    async def list_page(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        """ListObjectsV2."""
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(limit)}
        wanted = {"prefix": prefix, "delimiter": delimiter, "continuation-token": token}
        query |= {name: value for name, value in wanted.items() if value}
        page: Page
        page, _ = await self._wire.read(Ask("GET", None, query), page_of)
        return page

    # --- changing ----------------------------------------------------------

    async def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        """PutObject."""
        headers = self._headers(attributes) | _target(if_absent, if_match)
        headers[_CRC] = await _crc_of(body) if self._checksum else None
        try:
            response = await self._wire.open(Ask("PUT", key, {}, headers, body, "ETag"))
        except NotFound as error:
            if if_match is None or error.code != "NoSuchKey":
                raise
            msg = "There is no version to be replaced"
            raise _read_as(PreconditionFailed, msg, error) from error
        response.release()
        return _written(response.headers, response.headers.get("ETag"))

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        """DeleteObject, which tells of an absent object only where a condition is there."""
        any_version = "*" if self._checks_deletion else None
        ask = Ask("DELETE", key, {}, {"if-match": quoted(if_match) or any_version})
        try:
            (await self._wire.open(ask)).release()
        except PreconditionFailed as error:
            if if_match is None:  # some services answer so where S3 has 404
                raise _read_as(NotFound, "Not found", error) from error
            raise

    async def delete_many(
        self, keys: Sequence[str], *, etags: Mapping[str, str] | None = None
    ) -> Mapping[str, RemoteStoreError]:
        """DeleteObjects, without conditions; and DeleteObject for what no document can name."""
        named = [key for key in keys if fits_xml(key)]
        failed: dict[str, RemoteStoreError] = {}
        if named:
            content = delete_document(named)
            md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
            headers = {"content-md5": md5, "content-type": "application/xml"}
            ask = Ask("POST", None, {"delete": ""}, headers, Body([content]))
            found, _ = await self._wire.read(ask, _refusals_of)
            failed |= found
        # After the document: where that is refused, nothing was deleted.
        for key in keys:
            if not fits_xml(key):
                try:
                    await self.delete(key)
                except NotFound:
                    continue
                except RemoteStoreError as error:
                    failed[key] = error
        return failed

    async def copy(
        self, source: str, target: str, *, if_match: str | None = None, if_absent: bool
    ) -> Written:
        """CopyObject."""
        headers = self._further | self._source(source, if_match) | _target(if_absent)
        ask = Ask("PUT", target, {}, headers)
        values, found = await self._wire.read(ask, _values_of("CopyObjectResult"))
        return _written(found, values.get("ETag"))

    def with_sources_of(self, other: ObjectService) -> S3Service | None:
        """Copy from a bucket of the same endpoint and region whose requests the same keys sign."""
        if not isinstance(other, S3Service) or not self._wire.may_read(other._wire):  # noqa: SLF001
            return None
        made = clone(self)
        made._source_bucket = other._source_bucket  # noqa: SLF001 - of this class
        return made

    # --- uploads in parts --------------------------------------------------

    async def begin_upload(self, key: str, *, attributes: Attributes) -> Upload:
        """CreateMultipartUpload."""
        ask = Ask("POST", key, {"uploads": ""}, self._beginning(attributes))
        values, _ = await self._wire.read(ask, _values_of("InitiateMultipartUploadResult"))
        return Upload(key, values["UploadId"])

    async def send_part(self, upload: Upload, number: int, body: Body) -> Part:
        """UploadPart."""
        crc = await _crc_of(body) if self._checksum else None
        ask = Ask("PUT", upload.key, _part(upload, number), {_CRC: crc}, body, "ETag")
        response = await self._wire.open(ask)
        response.release()
        etag = etag_of(response.headers["ETag"]) or ""
        return Part(number, len(body), etag, crc, md5_of(etag))

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
        """UploadPartCopy."""
        headers = self._source(source, if_match)
        headers["x-amz-copy-source-range"] = f"bytes={start}-{stop - 1}"
        ask = Ask("PUT", upload.key, _part(upload, number), headers)
        values, _ = await self._wire.read(ask, _values_of("CopyPartResult"))
        token = etag_of(values["ETag"]) or ""
        return Part(number, stop - start, token, values.get("ChecksumCRC32"))

    async def commit(
        self,
        upload: Upload,
        parts: Sequence[Part],
        *,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        """CompleteMultipartUpload."""
        headers = {"content-type": "application/xml", **_target(if_absent, if_match)}
        body = Body([commit_document(parts)])
        ask = Ask("POST", upload.key, {"uploadId": upload.id}, headers, body)
        try:
            values, found = await self._wire.read(ask, _values_of("CompleteMultipartUploadResult"))
        except NotFound as error:
            if if_match is None or error.code != "NoSuchKey":
                raise
            msg = "There is no version to be replaced"
            raise _read_as(PreconditionFailed, msg, error) from error
        except RemoteStoreError as error:
            if error.code == "InvalidPart":
                msg = "A part is not there any more as it was sent"
                raise _read_as(NotFound, msg, error) from error
            if error.code == "ConditionalRequestConflict":
                # Not to be repeated: the service wants all parts sent anew.
                msg = "Another change of the object was in the way of the commit"
                raise PreconditionFailed(msg, status=409, code=error.code) from error
            raise
        return _written(found, values.get("ETag"))

    async def abort(self, upload: Upload) -> None:
        """AbortMultipartUpload."""
        ask = Ask("DELETE", upload.key, {"uploadId": upload.id})
        (await self._wire.open(ask)).release()

    async def committed(self, upload: Upload, parts: Sequence[Part]) -> Written | None:
        """ListParts, which no longer knows an upload that is committed; then HeadObject."""
        try:
            ask = Ask("GET", upload.key, {"uploadId": upload.id, "max-parts": "1"})
            await self._wire.read(ask, len)
        except NotFound:
            pass
        else:
            return None
        checks = {"x-amz-checksum-mode": "ENABLED" if self._checksum else None}
        response = await self._wire.open(Ask("HEAD", upload.key, {}, checks, proof="ETag"))
        response.release()
        found = response.headers
        if etag_of(found["ETag"]) != _etag_of(parts) and found.get(_CRC, "") != _crc_of_all(parts):
            return None  # another version, perhaps after ours; or one that is encrypted
        return _written(found, found["ETag"])

    async def list_uploads(self, prefix: str, *, token: str = "") -> UploadPage:
        """ListMultipartUploads."""
        query = {"uploads": "", "encoding-type": "url", **uploads_query(token)}
        if prefix:
            query["prefix"] = prefix
        page: UploadPage
        page, _ = await self._wire.read(Ask("GET", None, query), uploads_of)
        return page

    async def unfinished(self, key: str, *, attributes: Attributes, layout: str) -> Unfinished:
        """ListMultipartUploads, and ListParts of the newest ones of the key."""
        if not fits_xml(key):
            return Unfinished()  # no answer could name it
        page = await self.list_uploads(key)
        of_key = [upload for upload in page.uploads if upload.key == key]
        return await newest(self._wire, of_key, mark_of(self._beginning(attributes), layout))

    # --- addresses ---------------------------------------------------------

    async def sign(self, key: str, *, method: str, expires: timedelta) -> str:
        """Return a URL with a signature in its query."""
        return await self._wire.presign(key, method, expires)

    # --- headers -----------------------------------------------------------

    def _headers(self, attributes: Attributes) -> dict[str, str | None]:
        headers: dict[str, str | None] = {n.lower(): v for n, v in attributes.headers.items()}
        headers |= self._further
        headers |= {f"{_META}{name}": value for name, value in attributes.metadata.items()}
        headers["content-type"] = attributes.content_type
        return headers

    def _beginning(self, attributes: Attributes) -> dict[str, str | None]:
        return {
            **self._headers(attributes),
            "x-amz-checksum-algorithm": "CRC32" if self._checksum else None,
        }

    def _source(self, key: str, if_match: str | None) -> dict[str, str | None]:
        return {
            "x-amz-copy-source": f"/{self._source_bucket}/{quoted_key(key)}",
            "x-amz-copy-source-if-match": quoted(if_match),
        }


def _target(if_absent: bool, if_match: str | None = None) -> dict[str, str | None]:
    return {"if-none-match": "*" if if_absent else None, "if-match": quoted(if_match)}


def _part(upload: Upload, number: int) -> dict[str, str]:
    return {"partNumber": str(number), "uploadId": upload.id}


def _base64(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4)).decode()


async def _crc_of(body: Body) -> str:
    if len(body) > LARGE:
        return _base64(await asyncio.to_thread(_crc32, body.buffers))
    return _base64(_crc32(body.buffers))


def _etag_of(parts: Sequence[Part]) -> str:
    """Return the ETag that an upload of *parts* makes where those of parts are their MD5."""
    if not all(MD5.fullmatch(part.token) for part in parts):
        return ""
    tokens = b"".join([bytes.fromhex(part.token) for part in parts])
    return f"{hashlib.md5(tokens, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _crc_of_all(parts: Sequence[Part]) -> str | None:
    """Return the checksum of the checksums of *parts*; None where one has none."""
    if not all(part.detail for part in parts):
        return None
    crcs = b"".join([base64.b64decode(part.detail) for part in parts])
    return f"{_base64(zlib.crc32(crcs))}-{len(parts)}"


def _crc32(buffers: Iterable[bytes | memoryview]) -> int:
    crc = 0
    for buffer in buffers:
        crc = zlib.crc32(buffer, crc)
    return crc


def _info(key: str, headers: Mapping[str, str], size: int) -> ObjectInfo:
    return ObjectInfo(
        key,
        size,
        etag_of(headers.get("ETag")),
        time_of(headers.get("Last-Modified")),
        None,
        headers.get("Content-Type"),
        metadata_of(headers, _META),
        {name: headers[name] for name in _KEPT if name in headers},
    )


def _written(headers: Mapping[str, str], etag: str | None) -> Written:
    version = headers.get("x-amz-version-id")
    return Written(etag_of(etag), None, None if version == "null" else version)


def _values_of(root: str) -> Callable[[bytes], dict[str, str]]:
    """Return what reads the texts right below the root of a document."""

    def parse(body: bytes) -> dict[str, str]:
        found, space = document(body, root)
        return {item.tag.removeprefix(space): item.text or "" for item in found}

    return parse


def _refusals_of(body: bytes) -> dict[str, RemoteStoreError]:
    root, space = document(body, "DeleteResult")
    failed = {}
    for entry in root.iterfind(f"{space}Error"):
        code = entry.findtext(f"{space}Code") or "InternalError"
        if code in ("NoSuchKey", "NoSuchVersion"):
            continue
        text = entry.findtext(f"{space}Message") or ""
        body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
        failed[entry.findtext(f"{space}Key") or ""] = error_for(200, {}, body, changes=True)
    return failed


def _read_as(kind: type[E], words: str, error: RemoteStoreError) -> E:
    """Return what a refusal means where it came to."""
    return kind(words, status=error.status, code=error.code, request_id=error.request_id)
