"""
Signature Version 4, in the form that S3 takes.

Source: "Authenticating Requests: Using the Authorization Header" in the Amazon
S3 API reference. S3 differs from other services in that it quotes a path once
and neither merges slashes nor resolves dots, and in `UNSIGNED`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from remote_store_s3._credentials import Keys

__all__ = ["UNSIGNED", "Signer"]

#: Stands for the digest of a body that is not signed; the connection protects it.
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_METHOD: Final = "AWS4-HMAC-SHA256"


class Signer:
    """
    Signs requests to one region with one credential.

    Args:
        keys: The credential.
        region: Of the bucket.
    """

    __slots__ = ("_day", "_head", "_key", "keys", "region")

    def __init__(self, keys: Keys, region: str) -> None:
        self.keys = keys
        self.region = region
        self._day = ""
        self._key = b""
        self._head = ""

    def sign(
        self,
        method: str,
        path: str,
        query: str,
        headers: dict[str, str],
        digest: str,
        now: datetime | None = None,
    ) -> None:
        """
        Add what authenticates a request to *headers*.

        Args:
            method: ``"GET"`` and so on.
            path: As it is sent: quoted, with its leading slash.
            query: As it is sent: quoted, sorted by name, each name with ``=``.
            headers: Names in lower case, ``host`` among them; all are signed.
            digest: SHA-256 of the body in hex, or `UNSIGNED`.
            now: The time, for tests.
        """
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        if stamp[:8] != self._day:
            self._begin(stamp[:8])
        headers["x-amz-content-sha256"] = digest
        headers["x-amz-date"] = stamp
        if self.keys.token is not None:
            headers["x-amz-security-token"] = self.keys.token
        lines, names = _canonical(headers)
        signature = self._signature(method, path, query, lines, names, digest, stamp)
        headers["authorization"] = f"{self._head}{names}, Signature={signature}"

    def presign(
        self, method: str, host: str, path: str, seconds: int, now: datetime | None = None
    ) -> str:
        """
        Return the query of a URL by which anybody may send a request, whatever its body.

        Args:
            method: ``"GET"`` and so on.
            host: As it stands in the URL.
            path: As it is sent: quoted, with its leading slash.
            seconds: How long it works.
            now: The time, for tests.
        """
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        if stamp[:8] != self._day:
            self._begin(stamp[:8])
        scope = f"{self._day}/{self.region}/s3/aws4_request"
        values = {
            "X-Amz-Algorithm": _METHOD,
            "X-Amz-Credential": f"{self.keys.key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-Security-Token": self.keys.token,
            "X-Amz-SignedHeaders": "host",
        }
        query = "&".join([f"{n}={quote(v, safe='-_.~')}" for n, v in values.items() if v])
        signature = self._signature(method, path, query, f"host:{host}\n", "host", UNSIGNED, stamp)
        return f"{query}&X-Amz-Signature={signature}"

    def _signature(
        self, method: str, path: str, query: str, lines: str, names: str, digest: str, stamp: str
    ) -> str:
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}"
        scope = f"{self._day}/{self.region}/s3/aws4_request"
        text = f"{_METHOD}\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        return hmac.digest(self._key, text.encode(), "sha256").hex()

    def _begin(self, day: str) -> None:
        key = f"AWS4{self.keys.secret}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        scope = f"{day}/{self.region}/s3/aws4_request"
        self._day = day
        self._key = key
        self._head = f"{_METHOD} Credential={self.keys.key_id}/{scope}, SignedHeaders="


def _canonical(headers: Mapping[str, str]) -> tuple[str, str]:
    names = sorted(headers)
    lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
    return lines, ";".join(names)
