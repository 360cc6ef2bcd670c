"""Requests to one bucket in one event loop, each sent once and signed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiohttp
from attrs import define, field
from yarl import URL

from remote_store import (
    Capability,
    CapabilityNotSupported,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store_objects import Body
from remote_store_objects.aiohttp import sent_once, unanswered
from remote_store_objects.http import foreign_answer, time_of
from remote_store_s3._credentials import Credentials, Keys
from remote_store_s3._errors import EXPIRED, SKEWED, code_of, error_for, region_of
from remote_store_s3._place import Place, Spot
from remote_store_s3._signing import UNSIGNED, Signer

T = TypeVar("T")

__all__ = ["LARGE", "Ask", "Wire"]

#: Bytes above which digests are made in a thread: a few milliseconds of the loop.
LARGE: Final = 1 << 20
#: Bytes of a body that is an error, or tells nothing but that something was done.
_SHORT: Final = 64 << 10
#: Bytes of a body of any kind: a page of a listing has a thousand names of 1 KiB, quoted.
_MOST: Final = 16 << 20
_PIECE: Final = 256 << 10
#: Refusals that another region, clock or credential may answer.
_CORRECTABLE: Final = frozenset({301, 307, 400, 401, 403})
#: By how much the service lets a clock be wrong.
_SKEW: Final = timedelta(minutes=15)


@define
class Ask:
    """
    A request.

    Args:
        method: HTTP method.
        key: Of the object, None for the bucket.
        query: Its parameters.
        headers: Names in lower case; those that are None are not sent.
        body: What is sent.
        proof: A header that each answer has that is no error.
    """

    method: str
    key: str | None
    query: Mapping[str, str] = field(factory=dict)
    headers: Mapping[str, str | None] = field(factory=dict)
    body: Body | None = None
    proof: str = ""

    @property
    def changes(self) -> bool:
        """It is to change something."""
        return self.method not in ("GET", "HEAD")


class _Sent(dict[str, str]):
    """Headers that tracebacks, which print locals, do not show: a token is among them."""

    def __repr__(self) -> str:
        return "<headers>"


class Wire:
    """
    The connections of one event loop.

    Args:
        place: The bucket.
        credentials: Who signs; None for nobody.
        verify: As the option of that name.
        connect_timeout: Seconds to connect.
        read_timeout: Seconds without a byte of an answer.
    """

    def __init__(
        self,
        place: Place,
        credentials: Credentials | None,
        *,
        verify: bool | str,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._place = place
        self._credentials = credentials
        self._proxy = _proxy(place.spot)
        bundle = verify if verify is not True else os.environ.get("AWS_CA_BUNDLE") or True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_trust(bundle)),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
            headers={"User-Agent": "remote-store-s3"},
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=connect_timeout, sock_read=read_timeout
            ),
            middlewares=(sent_once,),
        )
        self._signer: Signer | None = None
        self._skew = timedelta()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()

    def may_read(self, other: Wire) -> bool:
        """
        Return whether a copy that is signed here may be one of an object there.

        The service takes no unsigned copies ("CopyObject" in the API reference).
        """
        ours, theirs = self._credentials, other._credentials
        if ours is None or theirs is None:
            return False
        return self._place.is_beside(other._place) and ours.are(theirs)

    async def open(self, ask: Ask) -> aiohttp.ClientResponse:
        """
        Return an answer that is no error; its body is still to come.

        A refusal that tells of another region, a wrong clock or old credentials
        is answered by a second request, since nothing was done.

        Raises:
            RemoteStoreError: It is an error, is none of the service's, or there
                is no answer.
        """
        digest = await self._digest(ask.body)
        response, spot, signer = await self._send(ask, digest)
        if response.status >= 300:
            body = await self._rest(response)
            code = self._hidden(response) if ask.method == "HEAD" else code_of(body)
            if not self._corrected(response, body, code, spot):
                raise error_for(response.status, response.headers, body, changes=ask.changes)
            refused = signer.keys if signer is not None and code in EXPIRED else None
            response, _, _ = await self._send(ask, digest, refused)
            if response.status >= 300:
                body = await self._rest(response)
                raise error_for(response.status, response.headers, body, changes=ask.changes)
        self._place.guessed = False
        lack = f"it has no header {ask.proof}" if ask.proof not in response.headers else ""
        if ask.method == "DELETE":
            lack = "it is not 204" if response.status != 204 else ""
        if lack and (ask.proof or ask.method == "DELETE"):
            response.close()
            raise foreign_answer(response.status, lack, changes=ask.changes)
        return response

    async def read(self, ask: Ask, parse: Callable[[bytes], T]) -> tuple[T, Mapping[str, str]]:
        """
        Return what the body of an answer says, and its headers.

        Args:
            ask: The request.
            parse: Makes something of the body, or raises ValueError.

        Raises:
            RemoteStoreError: As `open`, or the body is an error after all.
        """
        response = await self.open(ask)
        try:
            body = await _bounded(response, _MOST)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error, changes=ask.changes) from error
        finally:
            response.release()
        if code_of(body):
            raise error_for(response.status, response.headers, body, changes=ask.changes)
        try:
            return parse(body), response.headers
        except (ValueError, KeyError) as error:
            raise foreign_answer(response.status, str(error), changes=ask.changes) from error

    async def presign(self, key: str, method: str, expires: timedelta) -> str:
        """
        Return a URL of an object that works without credentials.

        No request, unless nothing has told the region yet, which is signed.

        Raises:
            RemoteStoreError: As `open`, for that request; or nobody signs.
        """
        spot, signer = await self._settled(None)
        if self._place.guessed:
            with contextlib.suppress(PermissionDenied):  # which is from the right one
                (await self.open(Ask("HEAD", None))).release()
            self._place.guessed = False
            spot, signer = await self._settled(None)
        if signer is None:
            msg = "anonymous access cannot sign URLs"
            raise CapabilityNotSupported(msg, capability=Capability.SIGNED_URL.value)
        now, path = datetime.now(UTC) + self._skew, spot.path(key)
        query = signer.presign(method, spot.host, path, int(expires.total_seconds()), now)
        return f"{spot.scheme}://{spot.host}{path}?{query}"

    # --- one attempt -------------------------------------------------------

    async def _send(
        self, ask: Ask, digest: str, refused: Keys | None = None
    ) -> tuple[aiohttp.ClientResponse, Spot, Signer | None]:
        """Return the answer, and where it was asked for and by whom."""
        spot, signer = await self._settled(refused)
        path = spot.path(ask.key)
        query = "&".join(
            [f"{name}={quote(ask.query[name], safe='')}" for name in sorted(ask.query)]
        )
        headers = _Sent({n: v for n, v in ask.headers.items() if v is not None}, host=spot.host)
        if signer is not None:
            signer.sign(ask.method, path, query, headers, digest, datetime.now(UTC) + self._skew)
        data: bytes | Body | None = ask.body
        if ask.body is not None:
            headers["content-length"] = str(len(ask.body))
            if len(ask.body) <= _PIECE:
                data = bytes(ask.body)
        url = f"{spot.scheme}://{spot.host}{path}"
        try:
            response = await self._session.request(
                ask.method,
                URL(f"{url}?{query}" if query else url, encoded=True),
                headers=headers,
                data=data,
                allow_redirects=False,
                **self._proxy,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error, changes=ask.changes) from error
        return response, spot, signer

    async def _settled(self, refused: Keys | None) -> tuple[Spot, Signer | None]:
        """Return where the bucket is and who signs, once both are known."""
        place, credentials = self._place, self._credentials
        keys = await credentials.current(refused=refused) if credentials is not None else None
        if place.spot.region is None:
            profile = credentials.region if credentials is not None else None
            place.settle(profile or "us-east-1")
            place.guessed = profile is None
        spot, signer = place.spot, self._signer
        if keys is None:
            return spot, None
        if signer is None or (signer.keys, signer.region) != (keys, spot.region):
            signer = self._signer = Signer(keys, spot.region or "")
        return spot, signer

    async def _digest(self, body: Body | None) -> str:
        """Return what is signed of a body: over TLS nothing, the connection protects it."""
        if self._place.spot.scheme == "https" or self._credentials is None:
            return UNSIGNED
        if body is None:
            return _EMPTY
        if len(body) > LARGE:
            return await asyncio.to_thread(_sha256, body)
        return _sha256(body)

    def _hidden(self, response: aiohttp.ClientResponse) -> str:
        """Return the code that the refusal of a HEAD, which has no document, may stand for."""
        now = time_of(response.headers.get("Date"))
        if response.status == 403 and now is not None:
            return SKEWED if abs(now - datetime.now(UTC) - self._skew) > _SKEW else ""
        return "ExpiredToken" if response.status == 400 else ""

    def _corrected(
        self, response: aiohttp.ClientResponse, body: bytes, code: str, spot: Spot
    ) -> bool:
        """
        Return True if another attempt may be answered otherwise than this refusal.

        Args:
            response: It.
            body: Its body.
            code: The service's code for it.
            spot: What was asked: another request may have found the region meanwhile.
        """
        if response.status not in _CORRECTABLE:
            return False
        region = region_of(response.headers, body)
        if region is not None and region != spot.region and code != "AccessDenied":
            self._place.settle(region)
            return True
        if code == SKEWED and (now := time_of(response.headers.get("Date"))) is not None:
            self._skew = now - datetime.now(UTC)
            return True
        return code in EXPIRED and self._credentials is not None and self._credentials.renewable

    @staticmethod
    async def _rest(response: aiohttp.ClientResponse) -> bytes:
        """Return the body of an error; the status says enough where it breaks off."""
        try:
            return await _bounded(response, _SHORT)
        except (aiohttp.ClientError, TimeoutError, OSError, RemoteStoreError):
            return b""
        finally:
            response.release()


def _proxy(spot: Spot) -> dict[str, Any]:
    """Return what a request is told of the proxy, whose password must not stand in its URL."""
    found = urllib.request.getproxies().get(spot.scheme)
    if not found or urllib.request.proxy_bypass(spot.host):
        return {}
    url = URL(found if "://" in found else f"http://{found}")
    if url.user is None:
        return {"proxy": url}
    word = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    # aiohttp makes Proxy-Authorization of it, in whichever request the proxy reads.
    return {"proxy": url.with_user(None), "proxy_headers": _Sent(Authorization=f"Basic {word}")}


def _trust(verify: bool | str) -> bool | ssl.SSLContext:
    """
    Return what checks certificates.

    Raises:
        RemoteStoreError: They cannot be read: not as the OSError that it is,
            which would look like that of a missing file of the store.
    """
    if isinstance(verify, bool):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        msg = f"No certificates in the file that verify or AWS_CA_BUNDLE names: {verify}"
        raise RemoteStoreError(msg) from error


_EMPTY: Final = hashlib.sha256().hexdigest()


def _sha256(body: Body) -> str:
    digest = hashlib.sha256()
    for piece in body.buffers:
        digest.update(piece)
    return digest.hexdigest()


async def _bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces = bytearray()
    while piece := await response.content.readany():
        pieces += piece
        if len(pieces) > most:
            response.close()
            msg = f"The service's answer is longer than {most} bytes"
            raise RemoteStoreError(msg)
    return bytes(pieces)
