"""What the handlers of both endpoints read from a request or write to an answer."""

from __future__ import annotations

import base64
import binascii

from hns_emulator._account import Account
from hns_emulator._blobs import md5_of
from hns_emulator._clock import etag, http_date
from hns_emulator._conditions import Conditions, parse_conditions
from hns_emulator._errors import Refused, ServiceError
from hns_emulator._nodes import Node
from hns_emulator._wire import Call

__all__ = ["boolean", "conditions", "require_md5", "source_conditions", "stamps"]


def stamps(node: Node) -> dict[str, str]:
    """Return the headers that tell a node's version."""
    return {"ETag": f'"{etag(node.changed)}"', "Last-Modified": http_date(node.changed)}


def conditions(account: Account, call: Call) -> Conditions:
    """Return the condition on what the request addresses."""
    return parse_conditions(call.headers, account.defects)


def source_conditions(account: Account, call: Call) -> Conditions:
    """Return the condition on the source of a rename or copy."""
    return parse_conditions(call.headers, account.defects, source=True)


def boolean(call: Call, name: str) -> bool:
    """Tell whether a query is "true"; the tables have ruled out what is neither."""
    return call.query.get(name) == "true"


def require_md5(call: Call) -> str:
    """
    Return the MD5 of the body in base64, equal to the request's Content-MD5 if it has one.

    Raises:
        ServiceError: Md5Mismatch.
        Refused: If Content-MD5 is none.
    """
    actual = md5_of(call.body)
    asked = call.headers.get("content-md5")
    if asked is None or asked == actual:
        return actual
    try:
        length = len(base64.b64decode(asked, validate=True))
    except binascii.Error:
        length = 0
    if length != 16:
        raise Refused(code="InvalidHeaderValue", detail=f"content-md5: {asked}")
    raise ServiceError(code="Md5Mismatch")
