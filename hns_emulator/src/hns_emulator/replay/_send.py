"""
Send raw signed requests: no SDK between what is written down and what is sent.

The signature is computed here from the published rules of the Shared Key scheme,
not with the code that verifies it in the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

__all__ = ["VERSION", "RawClient", "ReceivedAnswer", "authorization"]

#: The API version that requests carry unless they name another.
VERSION: Final = "2026-04-06"
_SIGNED: Final = (
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


@dataclass(frozen=True, slots=True)
class ReceivedAnswer:
    """An answer as it came; header names in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The service's error code, if the answer is an error that names one."""
        return self.headers.get("x-ms-error-code")


def authorization(
    account: str, key: str, method: str, target: str, headers: Mapping[str, str]
) -> str:
    """
    Compute the value of the Authorization header.

    Args:
        account: The account's name.
        key: The account's key, base64.
        method: The verb.
        target: Path and query as they are sent, percent-encoded.
        headers: All other headers of the request.
    """
    low = {name.lower(): value.strip() for name, value in headers.items()}
    path, _, query = target.partition("?")
    resource = f"/{account}{path}"
    parameters: dict[str, list[str]] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        parameters.setdefault(unquote(name).lower(), []).append(unquote(value))
    for name in sorted(parameters):
        resource += f"\n{name}:{','.join(sorted(parameters[name]))}"
    standard = [
        "" if (n, low.get(n)) == ("content-length", "0") else low.get(n, "") for n in _SIGNED
    ]
    special = [f"{name}:{low[name]}" for name in sorted(low) if name.startswith("x-ms-")]
    text = "\n".join([method, *standard, *special, resource])
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"


class RawClient:
    """
    One connection to an emulator.

    Args:
        port: Where the emulator listens on 127.0.0.1.
        account: The account's name.
        key: The account's key, base64.
        timeout: Seconds to wait for the connection and for each answer.
    """

    def __init__(self, port: int, account: str, key: str, *, timeout: float = 20) -> None:
        self.port = port
        self.account = account
        self.key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the client can be used again."""
        self._connection.close()

    def send(
        self,
        method: str,
        host: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        sign: bool = True,
    ) -> ReceivedAnswer:
        """
        Send one request and read its answer.

        Args:
            method: The verb.
            host: `blob` or `dfs`.
            target: Path and query, percent-encoded, sent as they are.
            headers: `x-ms-version`, `x-ms-date`, `Content-Length`, `Authorization` and `Host`
                are added where they are missing.
            body: Sent whole.
            sign: False sends no Authorization header, if none is in `headers`.

        Raises:
            OSError: If the connection fails.
            http.client.HTTPException: If the answer is not HTTP.
        """
        out = dict(headers or {})
        present = {name.lower() for name in out}
        if "x-ms-version" not in present:
            out["x-ms-version"] = VERSION
        if not present & {"x-ms-date", "date"}:
            out["x-ms-date"] = formatdate(usegmt=True)
        if "content-length" not in present and (body or method in {"PUT", "PATCH", "POST"}):
            out["Content-Length"] = str(len(body))
        if sign and "authorization" not in present:
            out["Authorization"] = authorization(self.account, self.key, method, target, out)
        if "host" not in present:
            out["Host"] = f"{self.account}.{host}.core.localhost:{self.port}"
        try:
            return self._exchange(method, target, out, body)
        except BaseException:
            self.close()
            raise

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> ReceivedAnswer:
        self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(body or None)
        answer = self._connection.getresponse()
        data = answer.read()
        low: dict[str, str] = {}
        for name, value in answer.getheaders():  # a header sent twice must not look like one
            low[name.lower()] = f"{low[name.lower()]}, {value}" if name.lower() in low else value
        return ReceivedAnswer(answer.status, answer.reason, low, data)
