"""
Moto's S3 behind a guard that keeps the documented rules which moto does not.

A process of its own: ``python guarded_moto.py`` prints the port it took. What
moto 5.2 leaves out, and the guard adds, each by the service's documentation:

* a signature that is not right, as botocore reckons it from what arrived, is
  SignatureDoesNotMatch, and so is a wrong digest of the body; one in a URL
  holds for its method and time;
* changes happen one after another, in the order in which they have arrived
  (moto's may interleave), and none of a request that broke off;
* names of metadata keep their underscores;
* ``x-amz-copy-source-if-match`` of CopyObject and UploadPartCopy;
* ``If-Match`` and ``If-None-Match`` of CopyObject, ``If-Match`` of
  CompleteMultipartUpload, all of which look at the target;
* a body that does not fit its ``x-amz-checksum-crc32`` is BadDigest;
* ``If-Match: *`` of DeleteObject: 404 where nothing is (moto answers 412 always);
* a part of an unknown upload is NoSuchUpload (moto fails);
* an upload in a listing was begun when it was (moto says 2010), and the list of its parts is a
  ListPartsResult (moto calls it a response);
* a stored checksum comes with its type, and is none where it is of something
  else than the bytes (moto sends that of the parts as that of the whole);
* keys of more than 1,024 bytes are KeyTooLongError;
* user metadata of more than 2 KiB is MetadataTooLarge.

It changes no answer of moto's otherwise, and knows nothing of the client.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import re
import sys
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from aiohttp import web
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

#: WSGI, by which moto is asked, cannot tell it from a dash in the name of a header.
_UNDERSCORE: Final = "--u--"
#: Query of a request that removes a bucket with all that is in it: no verb of S3.
EMPTYING: Final = "guard-remove"
#: Of every access key: nobody's.
SECRET: Final = "throw-away/secret+of+the+local+server"
_CHANGING: Final = ("PUT", "POST", "DELETE")
_FAILED: Final = ("412 PRECONDITION FAILED", "PreconditionFailed", "A condition does not hold.")
_UPLOAD: Final = re.compile(
    rb"(<UploadId>([^<]+)</UploadId>.*?<Initiated>)[^<]+(</Initiated>)", re.DOTALL
)
_LIST: Final = re.compile(rb"(</?)ListPartsResponse")
_MISSIGNED: Final = ("403 FORBIDDEN", "SignatureDoesNotMatch", "The signature is wrong.")
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/s3/aws4_request, "
    r"SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>[0-9a-f]+)"
)
_NO_UPLOAD: Final = ("404 NOT FOUND", "NoSuchUpload", "The specified upload does not exist.")
_NO_KEY: Final = ("404 NOT FOUND", "NoSuchKey", "The specified key does not exist.")


def signed(environ: Environ, content: bytes) -> bool:
    """Return True if the request is signed as the service demands it."""
    found = _AUTHORIZATION.fullmatch(environ["HTTP_AUTHORIZATION"])
    digest = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if found is None or digest not in (hashlib.sha256(content).hexdigest(), "UNSIGNED-PAYLOAD"):
        return False
    sent = environ["guard.headers"]
    names = found["names"].split(";")
    required = {"host", *(name for name in sent if name.startswith("x-amz-"))}
    if not required.issubset(names) or not sent.keys() >= set(names):
        return False
    headers = {name: sent[name] for name in names}
    url = f"http://{headers['host']}{environ['RAW_URI']}"
    request = AWSRequest(environ["REQUEST_METHOD"], url, headers)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = S3SigV4Auth(Credentials(found["key"], SECRET), "s3", found["region"])
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return bool(auth.signature(text, request) == found["signature"])


def presigned(environ: Environ, found: dict[str, str]) -> tuple[str, str, str] | None:
    """Return status, code and message where the signature in a URL does not hold."""
    try:
        key, _, region, *rest = found["X-Amz-Credential"].split("/")
        begun = datetime.strptime(found["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        seconds = int(found["X-Amz-Expires"])
    except (KeyError, ValueError):
        return _MISSIGNED
    if rest != ["s3", "aws4_request"] or not 0 < seconds <= 604_800:
        return _MISSIGNED
    if datetime.now(UTC) > begun + timedelta(seconds=seconds):
        return "403 FORBIDDEN", "AccessDenied", "Request has expired"
    line, _, signature = environ["RAW_URI"].partition("&X-Amz-Signature=")
    headers = {"host": environ["guard.headers"]["host"]}
    request = AWSRequest(environ["REQUEST_METHOD"], f"http://{headers['host']}{line}", headers)
    request.context["timestamp"] = found["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(key, SECRET), "s3", region, expires=seconds)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return None if auth.signature(text, request) == signature else _MISSIGNED


def typed(name: str, value: str, body: bytes) -> list[tuple[str, str]]:
    """Return a header as it is; a checksum with its type, or not at all if it is of parts."""
    if name.lower() != "x-amz-checksum-crc32":
        return [(name, value)]
    whole = base64.b64encode(zlib.crc32(body).to_bytes(4)).decode() == value
    return [(name, value), ("x-amz-checksum-type", "FULL_OBJECT")] if whole else []


class Guard:
    """
    The application that answers.

    Args:
        app: Moto's.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.begun: dict[str, str] = {}

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ["QUERY_STRING"] == EMPTYING:
            buckets = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets
            buckets.pop(environ["PATH_INFO"].strip("/"), None)
            start("204 NO CONTENT", [])
            return []
        length = int(environ.get("CONTENT_LENGTH") or 0)
        content = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(content)
        if "Signature=" in environ.get("HTTP_AUTHORIZATION", "") and not signed(environ, content):
            return self.refuse(_MISSIGNED, environ, start)
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        if "X-Amz-Signature" in query and (refusal := presigned(environ, query)) is not None:
            return self.refuse(refusal, environ, start)
        if environ["REQUEST_METHOD"] not in _CHANGING:
            said: list[Any] = []
            body = b"".join(self.app(environ, lambda *args: said.extend(args)))
            start(said[0], [pair for name, value in said[1] for pair in typed(name, value, body)])
            if b"<ListMultipart" in body[:200]:
                return [_UPLOAD.sub(self.dated, body)]
            return [_LIST.sub(rb"\1ListPartsResult", body) if b"<ListParts" in body[:200] else body]
        refusal = self.malformed(environ, content)
        if refusal is not None:
            return self.refuse(refusal, environ, start)
        refusal = self.refused(environ)
        if refusal is not None:
            return self.refuse(refusal, environ, start)
        body = b"".join(self.app(environ, start))
        if b"<InitiateMultipartUploadResult" in body[:200]:
            upload = body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
            self.begun[upload] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return [body]

    def dated(self, found: re.Match[bytes]) -> bytes:
        """Return an upload of a listing with the time when it was begun."""
        return b"".join((found[1], self.begun[found[2].decode()].encode(), found[3]))

    def malformed(self, environ: Environ, body: bytes) -> tuple[str, str, str] | None:
        """Return status, code and message of what needs no look at the bucket."""
        key = environ["PATH_INFO"].split("/", 2)[2:]
        if key and len(key[0]) > 1024:  # PATH_INFO has one character for each byte
            return "400 BAD REQUEST", "KeyTooLongError", "Your key is too long"
        crc = environ.get("HTTP_X_AMZ_CHECKSUM_CRC32")
        if crc and base64.b64decode(crc) != zlib.crc32(body).to_bytes(4):
            return "400 BAD REQUEST", "BadDigest", "The CRC32 you specified did not match"
        kept = [(k, v) for k, v in environ.items() if k.startswith("HTTP_X_AMZ_META_")]
        if sum(len(k) - 16 + len(v) for k, v in kept) > 2048:
            return "400 BAD REQUEST", "MetadataTooLarge", "Your metadata headers are too large"
        return None

    def refused(self, environ: Environ) -> tuple[str, str, str] | None:
        """Return status, code and message where a condition that moto does not look at fails."""
        source = environ.get("HTTP_X_AMZ_COPY_SOURCE")
        wanted = environ.get("HTTP_X_AMZ_COPY_SOURCE_IF_MATCH")
        if source:
            found = self.etag(environ, "/" + unquote(source.partition("?")[0]).lstrip("/"))
            if found is None:
                return None  # moto says what is missing
            if wanted and found != wanted:
                return _FAILED
        if environ["REQUEST_METHOD"] == "DELETE" and environ.get("HTTP_IF_MATCH") == "*":
            found = self.etag(environ, environ["PATH_INFO"].encode("latin-1").decode())
            environ["HTTP_IF_MATCH"] = found or '"none"'
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        if "uploadId" in query and self.status(environ, environ["QUERY_STRING"]) == "404":
            return _NO_UPLOAD
        commits = environ["REQUEST_METHOD"] == "POST" and "uploadId" in query
        if not commits and (not source or "uploadId" in query):
            return None
        if environ.get("HTTP_IF_NONE_MATCH") == "*" or environ.get("HTTP_IF_MATCH"):
            path = environ["PATH_INFO"].encode("latin-1").decode()
            found, wanted = self.etag(environ, path), environ.get("HTTP_IF_MATCH")
            if wanted and found is None:
                return _NO_KEY
            if (wanted and found != wanted) or (not wanted and found is not None):
                return _FAILED
        return None

    def etag(self, environ: Environ, path: str) -> str | None:
        """Return the ETag of an object, None without one."""
        status, headers = self.looked(environ, "HEAD", quote(path))
        return headers.get("ETag") if status == "200" else None

    def status(self, environ: Environ, query: str) -> str:
        """Return the status of an upload."""
        return self.looked(environ, "GET", quote(environ["PATH_INFO"], encoding="latin-1"), query)[
            0
        ]

    def looked(
        self, environ: Environ, method: str, path: str, query: str = ""
    ) -> tuple[str, dict[str, str]]:
        """Ask moto beside a request; return status and headers."""
        asked = {k: v for k, v in environ.items() if not k.startswith(("HTTP_IF", "HTTP_X_AMZ_"))}
        asked |= {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote(path, "latin-1"),
            "RAW_URI": f"{path}?{query}",
            "REQUEST_URI": f"{path}?{query}",
            "QUERY_STRING": query,
            "CONTENT_LENGTH": "0",
            "wsgi.input": io.BytesIO(),
        }
        said: list[Any] = []
        b"".join(self.app(asked, lambda *args: said.extend(args)))
        return said[0][:3], dict(said[1])

    def refuse(
        self, refusal: tuple[str, str, str], environ: Environ, start: Callable[..., Any]
    ) -> list[bytes]:
        """Answer in the service's form."""
        status, code, message = refusal
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        start(status, headers)
        return [body]


#: Runs moto and the guard, one request after the other in the order in which they arrived.
_ONE: Final = ThreadPoolExecutor(1)


async def answered(request: web.BaseRequest) -> web.StreamResponse:
    """Answer one request, once all of it is there."""
    if "Expect" in request.headers and request.transport is not None:  # as AWS's clients send it
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    content = await request.content.read()  # raises where the client has gone
    run = asyncio.get_running_loop().run_in_executor
    status, headers, body = await run(_ONE, _answer, request, content)
    sys.stderr.write(f'"{request.method} {request.raw_path}" {status}\n')
    sys.stderr.flush()
    kept = [(k, v) for k, v in headers if k.lower() not in ("connection", "content-length")]
    if request.method != "HEAD":
        return web.Response(status=status, headers=kept, body=body)
    response = web.StreamResponse(status=status, headers=kept)
    response.content_length = int(dict(headers).get("content-length", 0))
    return response


_APP: Final = Guard(DomainDispatcherApplication(create_backend_app))


def _answer(request: web.BaseRequest, content: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    path, _, query = request.raw_path.partition("?")
    host, _, port = request.headers.get("Host", "127.0.0.1").partition(":")
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "RAW_URI": request.raw_path,
        "REQUEST_URI": request.raw_path,
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "guard.headers": {name.lower(): value for name, value in request.headers.items()},
    }
    for name, value in request.headers.items():
        key = name.replace("_", _UNDERSCORE).upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    said: list[Any] = []
    body = b"".join(_APP(environ, lambda *args: said.extend(args)))
    headers = [(name.lower().replace(_UNDERSCORE, "_"), value) for name, value in said[1]]
    return int(said[0][:3]), headers, body


async def serve() -> None:
    """Serve on a free port of 127.0.0.1 until stopped."""
    # What is kept compressed has to arrive so.
    runner = web.ServerRunner(web.Server(answered, auto_decompress=False))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
