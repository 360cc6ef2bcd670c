"""
Batches, without any I/O: several requests in the body of one, and several answers in one.

Bodies have the parts of RFC 2046, section 5.1, each of which is an HTTP message. A part of a
request is authorised by itself, as the request around it is. What is read is what the service
documents of Blob Batch; anything else is an error, since nothing of it would be known to be true.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from remote_store_azure._rest.redact import SignedBytes

__all__ = ["BatchAnswer", "answers", "batch_body", "shared_key"]

_HEAD: Final = (
    "--{0}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    "Content-ID: {1}\r\n\r\n"
)
_MULTIPART: Final = re.compile(
    r"multipart/mixed(?:\s*;\s*(?!boundary=)[^;=\s]+=[^;]*)*\s*;\s*boundary="
    r"(\"?)([0-9A-Za-z'()+_,./:=?-]{1,70})\1\s*(?:;.*)?",
    re.IGNORECASE,
)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_BLANK: Final = b"\r\n\r\n"


class BatchAnswer(NamedTuple):
    """
    The answer to one part.

    Args:
        status: HTTP status.
        headers: By their names in lower case.
        body: What follows.
    """

    status: int
    headers: dict[str, str]
    body: bytes


# Requests --------------------------------------------------------------------


def shared_key(account: str, key: str, headers: str) -> Callable[[str, str], str]:
    """
    Return what signs a deletion with an account's key, by the rules of "Authorize with Shared Key".

    Args:
        account: Its name.
        key: In base64.
        headers: The ``x-ms-`` headers of each part: a line ``name:value`` for each, sorted.

    Returns:
        A function from the quoted path of a blob, and the ``If-Match`` of its deletion or ``""``,
        to the value of the header ``Authorization``.

    Raises:
        ValueError: The key is no base64.
    """
    secret = b64decode(key)

    def sign(path: str, match: str) -> str:
        text = f"DELETE\n\n\n\n\n\n\n\n{match}\n\n\n\n{headers}/{account}{path}"
        signature = b64encode(hmac.digest(secret, text.encode(), "sha256")).decode()
        return f"SharedKey {account}:{signature}"

    return sign


def batch_body(
    boundary: str, parts: Iterable[tuple[str, Iterable[tuple[str, str]]]]
) -> SignedBytes:
    """
    Return the body of a batch of deletions; the numbers of its parts begin with 0.

    Args:
        boundary: What stands between the parts and in none of them.
        parts: Of each deletion path and query, and its headers.
    """
    pieces = []
    for number, (target, headers) in enumerate(parts):
        pieces.append(_HEAD.format(boundary, number))
        pieces.append(f"DELETE {target} HTTP/1.1\r\n")
        pieces += [f"{name}: {value}\r\n" for name, value in headers]
        pieces.append("\r\n\r\n")
    pieces.append(f"--{boundary}--\r\n")
    return SignedBytes("".join(pieces).encode())


# Answers ---------------------------------------------------------------------


def answers(content_type: str, body: bytes, count: int) -> list[BatchAnswer]:
    """
    Return the answers to the parts of a batch, in the order of these.

    Args:
        content_type: That of the whole answer.
        body: Its body.
        count: Parts of the request.

    Raises:
        ValueError: It is not the answer to so many parts, each answered once.
    """
    found = _MULTIPART.fullmatch(content_type.strip())
    if found is None:
        msg = "it is not multipart/mixed with a boundary"
        raise ValueError(msg)
    by_number: dict[int, BatchAnswer] = {}
    for part in _parts(body, found[2].encode()):
        number, answer = _answer(part)
        if number in by_number or number >= count:
            msg = f"it answers part {number} of {count} twice, or without having been asked"
            raise ValueError(msg)
        by_number[number] = answer
    if len(by_number) != count:
        msg = f"it answers {len(by_number)} parts of {count}"
        raise ValueError(msg)
    return [by_number[number] for number in range(count)]


def _parts(body: bytes, boundary: bytes) -> list[bytes]:
    # A line break before a delimiter belongs to it, and the first one needs none.
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not pieces or not pieces[-1].startswith(b"--"):
        msg = "it has no end"
        raise ValueError(msg)
    parts = []
    for piece in pieces[:-1]:
        blanks, line_break, part = piece.partition(b"\r\n")
        if blanks.strip(b" \t") or not line_break:
            msg = "it has a boundary that is none"
            raise ValueError(msg)
        parts.append(part)
    return parts


def _answer(part: bytes) -> tuple[int, BatchAnswer]:
    """Return the number of the request that a part answers, and what it answers."""
    fields, _, message = part.partition(_BLANK)
    outer = _headers(fields)
    number = outer.get("content-id", "")
    if outer.get("content-type", "").lower() != "application/http":
        msg = "a part of it is no HTTP message"
        raise ValueError(msg)
    if not (number.isascii() and number.isdecimal()):
        msg = "a part of it does not say what it answers"
        raise ValueError(msg)
    # Where there is no body, the blank line may be missing: its break is that of the boundary.
    head, _, content = message.partition(_BLANK)
    line, _, lines = head.partition(b"\r\n")
    status = _STATUS.fullmatch(line)
    if status is None:
        msg = "a part of it has no HTTP status"
        raise ValueError(msg)
    return int(number), BatchAnswer(int(status[1]), _headers(lines), content)


def _headers(lines: bytes) -> dict[str, str]:
    headers = {}
    for line in lines.decode("latin-1").split("\r\n"):
        if line:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                msg = "a part of it has a line that is no header"
                raise ValueError(msg)
            headers[name.lower()] = value.strip()
    return headers
