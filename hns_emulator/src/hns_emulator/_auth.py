"""SharedKey, verified as the service does it: the signature covers what came over the wire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from hns_emulator._errors import ServiceError, UnverifiedError
from hns_emulator._state.clock import unix_seconds

__all__ = ["service_order", "sign", "strings_to_sign", "verify"]

_STANDARD = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
_SKEW = 15 * 60  # seconds
# The service's collation of what a header name may hold; "-" and "'" count only among equals.
_COLLATION = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz"


def service_order(name: str) -> tuple[list[int], list[int]]:
    """Return what lower-case header names are sorted by: not ASCII, hyphens come last."""
    first = [_COLLATION.find(character) for character in name if character not in "-'"]
    return first, ["'-".find(character) + 1 for character in name]


def strings_to_sign(
    method: str, account: str, target: str, headers: Mapping[str, str]
) -> Iterable[str]:
    """
    Yield the texts whose signature is valid: headers in the service's order, then in ASCII order.

    *target* is path and query, still percent-encoded as on the wire; names of
    headers are in lower case.
    """
    standard = [headers.get(name, "") for name in _STANDARD]
    if headers.get("content-length") == "0":
        standard[2] = ""
    if "x-ms-date" in headers:
        standard[5] = ""
    path, _, query = target.partition("?")
    values: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        values.setdefault(unquote(name).lower(), []).append(unquote(value))
    resource = [f"/{account}{path}"]
    resource += [f"{name}:{','.join(sorted(values[name]))}" for name in sorted(values)]
    names = [name for name in headers if name.startswith("x-ms-")]
    for ordered in (sorted(names, key=service_order), sorted(names)):
        lines = [f"{name}:{headers[name]}" for name in ordered]
        yield "\n".join([method, *standard, *lines, *resource])


def sign(key: str, text: str) -> str:
    """Return the signature of *text* with a base64 key, in base64."""
    digest = hmac.new(base64.b64decode(key), text.encode(errors="replace"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def verify(
    method: str,
    account: str,
    key: str,
    target: str,
    headers: Mapping[str, str],
) -> None:
    """
    Hold a request to its signature.

    *target* is path and query, still percent-encoded as on the wire; names of
    headers are in lower case.

    Raises:
        ServiceError: NoAuthenticationInformation without Authorization,
            AuthenticationFailed for another signature or a date that is off.
        UnverifiedError: For SAS and for other schemes than SharedKey.
    """
    given = headers.get("authorization")
    query = target.partition("?")[2]
    if any(pair.startswith("sig=") for pair in query.split("&")):
        raise UnverifiedError(operation="SAS")
    if not given:
        raise ServiceError(code="NoAuthenticationInformation")
    scheme, _, rest = given.partition(" ")
    if scheme != "SharedKey":
        raise UnverifiedError(operation=f"authorization by {scheme}")
    date = unix_seconds(headers.get("x-ms-date") or headers.get("date", ""))
    if date is None or abs(time.time() - date) > _SKEW:
        raise ServiceError(code="AuthenticationFailed")
    name, _, signature = rest.partition(":")
    texts = strings_to_sign(method, account, target, headers)
    sent = signature.encode(errors="replace")
    valid = any(hmac.compare_digest(sent, sign(key, text).encode()) for text in texts)
    if not (valid and name == account):
        raise ServiceError(code="AuthenticationFailed")
