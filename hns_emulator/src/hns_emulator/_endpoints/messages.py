"""Requests as handlers see them, and answers as they go on the wire, byte for byte."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal
from xml.sax.saxutils import escape

from hns_emulator._errors import ServiceError
from hns_emulator._state.clock import http_date, precise
from hns_emulator._state.tree import Path

__all__ = ["Answer", "Kind", "ReceivedRequest", "error_answer", "finish"]

Kind = Literal["dfs", "blob"]

_SERVERS: dict[Kind, str] = {
    "dfs": "Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0",
    "blob": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
}
JSON = "application/json;charset=utf-8"
BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class ReceivedRequest:
    """
    One authenticated request.

    Attributes:
        kind: The endpoint it was sent to.
        filesystem: The first segment of its path, empty for the account itself.
        name: The rest of its path, decoded; empty for the filesystem itself.
        path: *name* as segments.
        query: Decoded, names lower-cased.
        headers: Names lower-cased.
        metadata: Of its x-ms-meta-* headers, names as sent.
    """

    method: str
    kind: Kind
    filesystem: str
    name: str
    path: Path
    query: Mapping[str, str]
    headers: Mapping[str, str]
    metadata: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """
    What a handler wants answered; `finish` adds what every answer has.

    Attributes:
        body: None for an answer to HEAD, whose headers state the length.
        chunked: Sent with Transfer-Encoding instead of Content-Length.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = b""
    reason: str | None = None
    chunked: bool = False


def error_answer(error: ServiceError, call_kind: Kind, method: str, ticks: int) -> Answer:
    """Return *error* in the shape that this endpoint has."""
    request_id = new_request_id()
    headers = {
        "x-ms-request-id": request_id,
        **dict(error.headers),
        "x-ms-error-code": error.code,
    }
    if method == "HEAD" or error.status == HTTPStatus.NOT_MODIFIED:
        return Answer(error.status, headers, None, error.text, method == "HEAD")
    message = f"{error.text}\nRequestId:{request_id}\nTime:{precise(ticks)}"
    if call_kind == "dfs":
        document = {"error": {"code": error.code, "message": message}}
        body = json.dumps(document, separators=(",", ":")).encode()
        headers["Content-Type"] = JSON
    else:
        text = (
            '<?xml version="1.0" encoding="utf-8"?>'
            f"<Error><Code>{escape(error.code)}</Code><Message>{escape(message)}</Message></Error>"
        )
        body = BOM + text.encode()
        headers["Content-Type"] = "application/xml"
    return Answer(error.status, headers, body, error.text)


def finish(answer: Answer, kind: Kind, requested: Mapping[str, str], ticks: int) -> None:
    """Add the headers that every answer has."""
    headers = answer.headers
    headers.setdefault("x-ms-request-id", new_request_id())
    headers["Date"] = http_date(ticks)
    headers["Server"] = _SERVERS[kind]
    for name in ("x-ms-version", "x-ms-client-request-id"):
        if requested.get(name):
            headers[name] = requested[name]
    if answer.reason is None:
        answer.reason = HTTPStatus(answer.status).phrase
    if answer.body is not None and not answer.chunked:
        headers["Content-Length"] = str(len(answer.body))


def new_request_id() -> str:
    """Return an id of 36 characters, as the service has them."""
    return str(uuid.uuid4())
