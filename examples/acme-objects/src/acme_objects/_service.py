"""The Acme object server as an `ObjectService`: ten verbs, each of them one request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import aiohttp
from attrs import frozen

from remote_store import RemoteStoreError
from remote_store_objects import (
    Attributes,
    Body,
    ObjectInfo,
    ObjectService,
    Page,
    Part,
    Upload,
    UploadPage,
    Written,
    http,
)
from remote_store_objects.aiohttp import sent_once, unanswered

__all__ = ["AcmeService"]

_META = "Acme-Meta-"
#: Bytes above which aiohttp does not want a body in one piece.
_ONE_PIECE = 1 << 18
#: Refusals that count only from the server itself: of access, or for a while, anybody may.
_ABOUT_OBJECTS = (404, 412, 416)


@frozen
class _Stream:
    """The body of an answer that is still to come."""

    response: Any
    info: ObjectInfo
    start: int
    stop: int

    async def receive(self) -> bytes:
        try:
            piece: bytes = await self.response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise unanswered(error, changes=False) from error
        return piece

    async def aclose(self) -> None:
        self.response.close()


class AcmeService(ObjectService):
    """
    One Acme server.

    Args:
        host: Host and port.
    """

    def __init__(self, host: str) -> None:
        self._url = f"http://{host}/"
        self._session = aiohttp.ClientSession(
            middlewares=(sent_once,),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60),
            auto_decompress=False,
        )

    async def aclose(self) -> None:
        await self._session.close()

    # One request -------------------------------------------------------------

    async def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str | None] | None = None,
        body: Body | bytes = b"",
        **query: str | int,
    ) -> Any:
        """Send a request, and return the answer once its headers are there."""
        changes = method not in ("GET", "HEAD")
        sent = {name: value for name, value in (headers or {}).items() if value is not None}
        if changes:
            sent["Content-Length"] = str(len(body))
        try:
            response = await self._session.request(
                method,
                self._url + path,
                params=query,
                headers=sent,
                data=body if len(body) > _ONE_PIECE else bytes(body),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise unanswered(error, changes=changes) from error
        status = response.status
        if "Acme-Server" not in response.headers and (status < 400 or status in _ABOUT_OBJECTS):
            response.close()
            raise http.foreign_answer(status, "it has no header of the server's", changes=changes)
        if status < 300:
            return response
        response.close()
        word = response.headers.get("Acme-Error", "")
        raise http.error_of(
            status,
            f"The server answers {status} {word}",
            changes=changes,
            code=word,
            retry_after=http.retry_after_of(response.headers),
        )

    async def _told(self, method: str, path: str, **request: Any) -> Any:
        """Send a request, and return its answer and the JSON in it."""
        response = await self._send(method, path, **request)
        changes = method not in ("GET", "HEAD")
        async with response:
            try:
                text = await response.read()
                return response, json.loads(text) if text else None
            except (aiohttp.ClientError, OSError) as error:
                raise unanswered(error, changes=changes) from error
            except ValueError as error:
                lack = "it is no JSON"
                raise http.foreign_answer(response.status, lack, changes=changes) from error

    # Looking -----------------------------------------------------------------

    async def head(self, key: str) -> ObjectInfo:
        response = await self._send("HEAD", "object", key=key)
        response.close()
        return _info(key, response.headers, int(response.headers["Content-Length"]))

    async def get(
        self, key: str, *, start: int = 0, stop: int | None = None, if_match: str | None = None
    ) -> _Stream:
        headers = {"Range": http.range_header(start, stop), "If-Match": http.quoted(if_match)}
        response = await self._send("GET", "object", key=key, headers=headers)
        try:
            first, end, size = http.extent_of(response.status, response.headers)
        except RemoteStoreError:
            response.close()
            raise
        return _Stream(response, _info(key, response.headers, size), first, end)

    async def list_page(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        query = {"prefix": prefix, "delimiter": delimiter, "after": token, "limit": limit}
        _, found = await self._told("GET", "list", **query)
        objects = [
            ObjectInfo(
                each["key"],
                each["size"],
                http.etag_of(each["etag"]),
                http.time_of(each["modified"]),
            )
            for each in found["objects"]
        ]
        return Page(objects, found["prefixes"], found["after"])

    # Changing ----------------------------------------------------------------

    async def put(self, key: str, body: Body, *, attributes: Attributes, **when: Any) -> Written:
        headers = {**_headers(attributes), **_conditions(**when)}
        response, _ = await self._told("PUT", "object", key=key, headers=headers, body=body)
        return _written(response.headers)

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        await self._told("DELETE", "object", key=key, headers={"If-Match": http.quoted(if_match)})

    async def delete_many(self, keys: Sequence[str], **_: Any) -> Mapping[str, RemoteStoreError]:
        _, told = await self._told("POST", "delete", body=json.dumps(list(keys)).encode())
        return {key: RemoteStoreError(word) for key, word in told["refused"].items()}

    async def copy(
        self, source: str, target: str, *, if_match: str | None = None, if_absent: bool
    ) -> Written:
        headers = {"Acme-Source-If-Match": http.quoted(if_match), **_conditions(if_absent)}
        response, _ = await self._told("PUT", "object", key=target, source=source, headers=headers)
        return _written(response.headers)

    # Uploads in parts --------------------------------------------------------

    async def begin_upload(self, key: str, *, attributes: Attributes) -> Upload:
        _, told = await self._told("POST", "upload", key=key, headers=_headers(attributes))
        return Upload(key, told["id"])

    async def send_part(self, upload: Upload, number: int, body: Body) -> Part:
        await self._told("PUT", "upload", id=upload.id, number=number, body=body)
        return Part(number, len(body))

    async def commit(self, upload: Upload, parts: Sequence[Part], **when: Any) -> Written:
        numbers, headers = [part.number for part in parts], _conditions(**when)
        body = json.dumps(numbers).encode()
        response, _ = await self._told("POST", "upload", id=upload.id, headers=headers, body=body)
        return _written(response.headers)

    async def committed(self, upload: Upload, parts: Sequence[Part]) -> Written | None:
        response = await self._send("HEAD", "object", key=upload.key)
        response.close()
        ours = response.headers.get("Acme-Upload") == upload.id
        return _written(response.headers) if ours else None

    async def abort(self, upload: Upload) -> None:
        await self._told("DELETE", "upload", id=upload.id)

    async def list_uploads(self, prefix: str, *, token: str = "") -> UploadPage:
        _, told = await self._told("GET", "uploads", prefix=prefix)
        uploads = [
            Upload(each["key"], each["id"], datetime.fromisoformat(each["started"]))
            for each in told["uploads"]
        ]
        return UploadPage(uploads)


def _conditions(if_absent: bool, if_match: str | None = None) -> dict[str, str | None]:
    return {"If-None-Match": "*" if if_absent else None, "If-Match": http.quoted(if_match)}


def _headers(attributes: Attributes) -> dict[str, str | None]:
    metadata = attributes.metadata.items()
    return {"Content-Type": attributes.content_type, **{_META + k: v for k, v in metadata}}


def _written(headers: Mapping[str, str]) -> Written:
    return Written(http.etag_of(headers.get("ETag")), http.time_of(headers.get("Last-Modified")))


def _info(key: str, headers: Mapping[str, str], size: int) -> ObjectInfo:
    found, metadata = _written(headers), http.metadata_of(headers, _META)
    content_type = headers.get("Content-Type")
    return ObjectInfo(key, size, found.etag, found.modified, None, content_type, metadata)
