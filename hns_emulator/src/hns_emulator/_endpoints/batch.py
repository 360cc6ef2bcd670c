"""Blob batches: several requests in the body of one, each signed and answered by itself."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from hns_emulator._endpoints.messages import Answer
from hns_emulator._errors import Refused, ServiceError

__all__ = ["BatchPart", "answered", "parts"]

#: Requests of one batch at most.
_LIMIT = 256
_BOUNDARY = re.compile(r'multipart/mixed;\s*boundary="?([^";]+)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BatchPart:
    """
    One request of a batch.

    Attributes:
        content_id: The id that its answer repeats; None if it has none.
        target: Path and query as sent.
        fields: Its headers as sent.
    """

    content_id: str | None
    method: str
    target: str
    fields: tuple[tuple[str, str], ...]


def parts(content_type: str, body: bytes) -> list[BatchPart]:
    """
    Return the requests of a batch.

    Raises:
        Refused: The body is not a batch, or the batch is not of deletions only.
        ServiceError: ExceedsMaxBatchRequestCount.
    """
    boundary = _BOUNDARY.match(content_type)
    if boundary is None:
        raise Refused(code="InvalidHeaderValue", detail=f"content-type: {content_type}")
    found = list(_parsed(boundary[1].encode(), body))
    if len(found) > _LIMIT:
        raise ServiceError(code="ExceedsMaxBatchRequestCount")
    for part in found:
        if part.method != "DELETE":
            raise Refused(code="UnsupportedOperation", detail=f"{part.method} in a batch")
    if not found:
        raise Refused(code="InvalidInput", detail="a batch without requests")
    return found


def _parsed(boundary: bytes, body: bytes) -> Iterator[BatchPart]:
    for piece in body.split(b"--" + boundary)[1:]:
        if piece.startswith(b"--"):
            return
        outer, _, inner = piece.decode("latin-1").strip("\r\n").partition("\r\n\r\n")
        line, *lines = inner.split("\r\n\r\n")[0].split("\r\n")
        method, _, rest = line.partition(" ")
        target = rest.rpartition(" ")[0]
        content_id = {name.lower(): value for name, value in _fields(outer.split("\r\n"))}
        yield BatchPart(content_id.get("content-id"), method, target, tuple(_fields(lines)))


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        yield name.strip(), value.strip()


def answered(answers: list[tuple[BatchPart, Answer]]) -> Answer:
    """Return the answer to a batch from those to its requests."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    lines: list[bytes] = []
    for part, answer in answers:
        lines += [f"--{boundary}".encode(), b"Content-Type: application/http"]
        if part.content_id is not None:
            lines.append(f"Content-ID: {part.content_id}".encode())
        lines += [b"", f"HTTP/1.1 {answer.status} {answer.reason}".encode()]
        lines += [f"{name}: {value}".encode() for name, value in answer.headers.items()]
        lines += [b"", answer.body or b""]
    lines += [f"--{boundary}--".encode(), b""]
    headers = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
    return Answer(202, headers, b"\r\n".join(lines), chunked=True)
