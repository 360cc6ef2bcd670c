"""What the handlers of both endpoints read from a request or write to an answer."""

from __future__ import annotations

import base64
import binascii
import re

from hns_emulator._endpoints.messages import ReceivedRequest
from hns_emulator._errors import Refused, ServiceError
from hns_emulator._state.account import AccountState
from hns_emulator._state.blobs import md5_of
from hns_emulator._state.clock import etag, http_date
from hns_emulator._state.conditions import Conditions, parse_conditions
from hns_emulator._state.tree import HTTP_HEADERS, Node, find

__all__ = [
    "boolean",
    "conditions",
    "http_headers",
    "ranged",
    "readable",
    "require_md5",
    "source_conditions",
    "stamps",
    "visible_metadata",
]

_RANGE = re.compile(r"bytes=(\d+)-(\d*)", re.ASCII)


def stamps(node: Node) -> dict[str, str]:
    """Return the headers that name a node's version."""
    return {"ETag": f'"{etag(node.changed)}"', "Last-Modified": http_date(node.changed)}


def http_headers(request: ReceivedRequest, prefix: str) -> dict[str, str]:
    """Return what a request stores of `HTTP_HEADERS`; its headers begin with *prefix*."""
    return {
        shown: request.headers[f"{prefix}{name}"]
        for name, shown in HTTP_HEADERS.items()
        if request.headers.get(f"{prefix}{name}")
    }


def ranged(request: ReceivedRequest, content: bytes) -> tuple[bytes, str] | None:
    """
    Return the part of *content* that is asked for and its Content-Range, None for the whole.

    Raises:
        ServiceError: InvalidRange behind the end.
        Refused: The range is malformed.
    """
    asked = request.headers.get("x-ms-range") or request.headers.get("range")
    if asked is None:
        return None
    match = _RANGE.fullmatch(asked)
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        raise Refused(code="InvalidHeaderValue", detail=f"range: {asked}")
    start, total = int(match[1]), len(content)
    if start >= total:
        raise ServiceError(code="InvalidRange", headers=(("Content-Range", f"bytes */{total}"),))
    end = min(int(match[2] or total - 1), total - 1)
    return content[start : end + 1], f"bytes {start}-{end}/{total}"


def readable(
    account: AccountState, request: ReceivedRequest, missing_container: str, missing: str
) -> Node:
    """
    Return what a request wants to read, if its conditions hold.

    *missing_container* and *missing* are the codes if there is no such
    filesystem, or nothing at the path.

    Raises:
        ServiceError: With one of the codes, or ConditionNotMet, which is 304 for some.
        Refused: The condition is malformed.
    """
    node = find(account.filesystem(request.filesystem, missing_container), request.path)
    if node is None:
        raise ServiceError(code=missing)
    given = conditions(request)
    if given.name in {"if-none-match", "if-modified-since"} and not given.holds(node):
        raise ServiceError(code="ConditionNotMet", status=304)
    given.require(node, "ConditionNotMet")
    return node


def visible_metadata(node: Node) -> dict[str, str]:
    """Return a node's metadata as it is shown."""
    if node.is_directory:
        return {"hdi_isfolder": "true", **node.metadata}
    return node.metadata


def conditions(request: ReceivedRequest) -> Conditions:
    """Return the condition on what the request addresses."""
    return parse_conditions(request.headers)


def source_conditions(request: ReceivedRequest) -> Conditions:
    """Return the condition on the source of a rename or copy."""
    return parse_conditions(request.headers, source=True)


def boolean(request: ReceivedRequest, name: str) -> bool:
    """Return True if a query is "true"; the tables allow only "true" and "false"."""
    return request.query.get(name) == "true"


def require_md5(request: ReceivedRequest) -> str:
    """
    Return the MD5 of the body in base64, equal to the request's Content-MD5 if it has one.

    Raises:
        ServiceError: Md5Mismatch.
        Refused: Content-MD5 is malformed.
    """
    actual = md5_of(request.body)
    asked = request.headers.get("content-md5")
    if asked is None or asked == actual:
        return actual
    try:
        length = len(base64.b64decode(asked, validate=True))
    except binascii.Error:
        length = 0
    if length != 16:
        raise Refused(code="InvalidHeaderValue", detail=f"content-md5: {asked}")
    raise ServiceError(code="Md5Mismatch")
