"""Answers byte for byte, and the strictness of the closed tables."""

from __future__ import annotations

import email.utils
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import yarl
from tests.emulator.conftest import VERSION, Raw, Reply

from hns_emulator import HnsEmulator
from hns_emulator._endpoints.tables import OPERATIONS

pytestmark = pytest.mark.asyncio


async def provoke(raw: Raw, code: str) -> tuple[int, bytes, str]:
    """Return status, body and reason of an answer with this code."""
    await raw.create("d/f")
    requests: dict[str, Callable[[], Awaitable[Reply]]] = {
        "PathAlreadyExists": lambda: raw.create("d", "directory", If_None_Match="*"),
        "PathNotFound": lambda: raw("DELETE", "dfs", "/no"),
        "FilesystemNotFound": lambda: raw("DELETE", "dfs", "//nowhere/x"),
        "DirectoryNotEmpty": lambda: raw("DELETE", "dfs", "/d?recursive=false"),
        "ConditionNotMet": lambda: raw("DELETE", "dfs", "/d/f", {"If-Match": '"0x1"'}),
        "SourcePathNotFound": lambda: raw.rename("no", "x"),
        "ContainerAlreadyExists": lambda: raw("PUT", "blob", "?restype=container"),
        "BlobNotFound": lambda: raw("GET", "blob", "/no"),
        "InvalidRange": lambda: raw("GET", "blob", "/d", {"x-ms-range": "bytes=0-9"}),
    }
    answer = await requests[code]()
    assert answer.code == code
    assert answer.headers["Content-Length"] == str(len(answer.body))
    return answer.status, answer.body, answer.reason


@pytest.mark.parametrize(
    ("code", "status", "length", "text"),
    [
        ("PathAlreadyExists", 409, 168, "The specified path already exists."),
        ("PathNotFound", 404, 163, "The specified path does not exist."),
        ("FilesystemNotFound", 404, 175, "The specified filesystem does not exist."),
        (
            "DirectoryNotEmpty",
            409,
            215,
            "The recursive query parameter value must be true to delete a non-empty directory.",
        ),
        (
            "ConditionNotMet",
            412,
            200,
            "The condition specified using HTTP conditional header(s) is not met.",
        ),
        (
            "SourcePathNotFound",
            404,
            189,
            "The source path for a rename operation does not exist.",
        ),
    ],
)
async def test_json_errors(raw: Raw, code: str, status: int, length: int, text: str) -> None:
    """Length, text and reason phrase are as recorded, and nothing but id and time varies."""
    answered, body, reason = await provoke(raw, code)
    assert (answered, len(body), reason) == (status, length, text)
    pattern = (
        r'\{"error":\{"code":"'
        + code
        + '","message":"'
        + re.escape(text)
        + r'\\nRequestId:[0-9a-f-]{36}\\nTime:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z"\}\}'
    )
    assert re.fullmatch(pattern, body.decode())


@pytest.mark.parametrize(
    ("code", "status", "length"),
    [("ContainerAlreadyExists", 409, 230), ("BlobNotFound", 404, 215), ("InvalidRange", 416, 249)],
)
async def test_xml_errors(raw: Raw, code: str, status: int, length: int) -> None:
    """They start with a byte order mark and have the recorded length."""
    answered, body, reason = await provoke(raw, code)
    assert (answered, len(body)) == (status, length)
    pattern = (
        r'\ufeff<\?xml version="1\.0" encoding="utf-8"\?><Error><Code>'
        + f"{code}</Code><Message>{re.escape(reason)}"
        + r"\nRequestId:[0-9a-f-]{36}\nTime:[-0-9T:]{19}\.\d{7}Z</Message></Error>"
    )
    assert re.fullmatch(pattern, body.decode())


async def test_the_headers_of_an_error(raw: Raw) -> None:
    """The id is the same in header and body; the client's id comes back."""
    reply = await raw("DELETE", "dfs", "/no", {"x-ms-client-request-id": "mine"})
    message = json.loads(reply.body)["error"]["message"]
    assert f"\nRequestId:{reply.headers['x-ms-request-id']}\n" in message
    assert reply.headers["x-ms-client-request-id"] == "mine"
    assert reply.headers["x-ms-version"] == VERSION
    assert reply.headers["Content-Type"] == "application/json;charset=utf-8"
    assert reply.headers["Server"] == "Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0"
    blob = await raw("GET", "blob", "/no")
    assert blob.headers["Content-Type"] == "application/xml"
    assert blob.headers["Server"] == "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"


async def test_the_bytes_of_a_head_on_nothing(raw: Raw) -> None:
    """On the socket: reason phrase, chunked, no length, and nothing behind the headers."""
    target = f"/{raw.fs}/no"
    headers = {"x-ms-version": VERSION}
    headers["x-ms-date"] = email.utils.formatdate(time.time(), usegmt=True)
    headers["Authorization"] = raw.signature("HEAD", target, headers, 0)
    headers["Host"] = f"{raw.emulator.account}.blob.core.localhost:{raw.emulator.port}"
    headers["Connection"] = "close"
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", raw.emulator.port), timeout=10) as connection:
        connection.sendall(f"HEAD {target} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404 The specified blob does not exist.\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in answer
    assert b"\r\nx-ms-error-code: BlobNotFound\r\n" in answer
    assert b"Content-Length" not in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_an_answer_without_body_has_no_type(raw: Raw) -> None:
    """Content-Length is 0, and there is no Content-Type."""
    reply = await raw.create("f")
    assert reply.headers["Content-Length"] == "0"
    assert "Content-Type" not in reply.headers


@pytest.mark.parametrize(
    ("method", "kind", "target", "headers", "code"),
    [
        ("PUT", "dfs", "/f?resource=file&umask=1", {}, "UnsupportedQueryParameter"),
        ("PUT", "dfs", "/f?resource=link", {}, "UnsupportedOperation"),
        ("PUT", "dfs", "/f?resource=file&resource=file", {}, "UnsupportedQueryParameter"),
        ("PUT", "dfs", "/f", {}, "UnsupportedOperation"),
        ("PATCH", "blob", "/f", {}, "UnsupportedOperation"),
        ("PUT", "dfs", "/f?resource=file", {"x-ms-meta-a": "1"}, "UnsupportedHeader"),
        ("PUT", "dfs", "/f?resource=file", {"If-Range": "1"}, "UnsupportedHeader"),
        ("PUT", "dfs", "/f?resource=file", {"x-ms-properties": "a"}, "InvalidHeaderValue"),
        ("PUT", "dfs", "/f?mode=other", {"x-ms-rename-source": "/a/b"},
         "UnsupportedQueryParameter"),
        ("PATCH", "dfs", "/f?action=flush", {}, "MissingRequiredQueryParameter"),
        ("PATCH", "dfs", "/f?action=append", {}, "MissingRequiredQueryParameter"),
        ("PATCH", "dfs", "/f?action=flush&position=-1", {}, "InvalidQueryParameterValue"),
        ("PATCH", "dfs", "/f?action=flush&position=0&close=maybe", {}, "UnsupportedQueryParameter"),
        ("DELETE", "dfs", "/f?recursive=yes", {}, "UnsupportedQueryParameter"),
        ("DELETE", "dfs", "/f?paginated=true", {}, "UnsupportedQueryParameter"),
        ("GET", "dfs", "?resource=filesystem", {}, "MissingRequiredQueryParameter"),
        ("GET", "dfs", "?resource=filesystem&recursive=true&maxResults=0", {},
         "InvalidQueryParameterValue"),
        ("GET", "dfs", "?resource=filesystem&recursive=true&maxResults=5001", {},
         "InvalidQueryParameterValue"),
        ("GET", "blob", "?restype=container&comp=list&delimiter=.", {},
         "UnsupportedQueryParameter"),
        ("GET", "blob", "?restype=container&comp=list&include=tags", {},
         "UnsupportedQueryParameter"),
        ("POST", "blob", "?restype=container&comp=batch", {}, "InvalidHeaderValue"),
        ("PUT", "blob", "?restype=container&comp=acl", {}, "UnsupportedQueryParameter"),
        ("GET", "blob", "//", {}, "UnsupportedOperation"),
        ("GET", "blob", "/f?versionid=1", {}, "UnsupportedQueryParameter"),
        ("GET", "blob", "/f", {"x-ms-range": "bytes=-5"}, "InvalidHeaderValue"),
        ("GET", "blob", "/f", {"x-ms-range": "bytes=5-3"}, "InvalidHeaderValue"),
        ("PUT", "blob", "/f", {"x-ms-blob-type": "AppendBlob"}, "UnsupportedHeader"),
        ("PUT", "blob", "/f", {"x-ms-blob-type": "BlockBlob", "x-ms-content-crc64": "AA=="},
         "UnsupportedHeader"),
        ("DELETE", "blob", "/f", {"x-ms-delete-snapshots": "only"}, "UnsupportedHeader"),
        ("HEAD", "blob", "/f", {"x-ms-version": "2026"}, "InvalidHeaderValue"),
        ("HEAD", "blob", "/f", {"x-ms-version": "2026-13-01"}, "InvalidHeaderValue"),
        ("HEAD", "blob", "/f", {"x-ms-version": "2020-06-12"}, "InvalidHeaderValue"),
        # the endpoint of the other kind
        ("PUT", "blob", "/f?resource=file", {}, "UnsupportedOperation"),
        ("PATCH", "blob", "/f?action=flush&position=0", {}, "UnsupportedOperation"),
        ("PUT", "blob", "/f?mode=legacy", {"x-ms-rename-source": "/a/b"},
         "UnsupportedOperation"),
        ("DELETE", "blob", "/f?recursive=true", {}, "UnsupportedQueryParameter"),
        ("GET", "blob", "?resource=filesystem&recursive=true", {}, "UnsupportedOperation"),
        ("PUT", "dfs", "?restype=container", {}, "UnsupportedOperation"),
        ("PUT", "dfs", "/f?comp=metadata", {}, "UnsupportedOperation"),
        ("PUT", "dfs", "/f", {"x-ms-blob-type": "BlockBlob"}, "UnsupportedOperation"),
        ("GET", "dfs", "?restype=container&comp=list", {}, "UnsupportedOperation"),
    ],
)  # fmt: skip
async def test_what_is_not_in_the_tables(
    raw: Raw, method: str, kind: str, target: str, headers: dict[str, str], code: str
) -> None:
    """It is refused, with 501 where it is not malformed, counted, named, and changes nothing."""
    await raw.write("f", b"abc")
    before = await raw.head("f")
    raw.emulator.refused.clear()
    reply = await raw(method, kind, target, headers)
    assert (reply.status, reply.code) == (501 if code.startswith("Unsupported") else 400, code)
    (counted,) = raw.emulator.refused.elements()
    assert counted.startswith(f"{code}: ")
    assert counted.partition(": ")[2] in reply.reason
    assert (await raw.head("f")).headers["ETag"] == before.headers["ETag"]


async def test_bodies_where_none_belongs(raw: Raw) -> None:
    """Content-Length must be 0 on create, flush and rename."""
    source = {"x-ms-rename-source": f"/{raw.fs}/x"}
    for method, target, headers in (
        ("PUT", "/f?resource=file", {}),
        ("PATCH", "/f?action=flush&position=0", {}),
        ("PUT", "/f?mode=legacy", source),
    ):
        reply = await raw(method, "dfs", target, headers, b"x")
        assert (reply.status, reply.code) == (400, "ContentLengthMustBeZero")


async def test_a_body_in_an_encoding(raw: Raw) -> None:
    """Nobody decodes it, so that what cannot be decoded is told by its name as all else is."""
    headers = {"x-ms-blob-type": "BlockBlob", "Content-Encoding": "gzip"}
    reply = await raw("PUT", "blob", "/f", headers, b"no gzip")
    assert (reply.status, reply.code) == (501, "UnsupportedHeader")
    assert "content-encoding" in reply.reason


async def test_a_body_of_unknown_length(raw: Raw) -> None:
    """A chunked request is refused: the service wants a Content-Length."""
    await raw.create("f")
    target = f"/{raw.fs}/f?action=append&position=0"
    headers = {
        "x-ms-version": VERSION,
        "x-ms-date": email.utils.formatdate(time.time(), usegmt=True),
        "Content-Type": "application/json",
    }
    headers["Authorization"] = raw.signature("PATCH", target, headers, 0)

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"

    url = yarl.URL(raw.emulator.dfs_url + target, encoded=True)
    async with raw.session.patch(url, headers=headers, data=body()) as response:
        code = response.headers["x-ms-error-code"]
        assert (response.status, code) == (411, "MissingContentLengthHeader")


async def test_other_hosts_and_accounts(raw: Raw) -> None:
    """Neither is served."""
    async with raw.session.get(f"http://localhost:{raw.emulator.port}/other/fs") as response:
        assert (response.status, response.headers["x-ms-error-code"]) == (400, "UnsupportedHost")
    host = f"http://other.dfs.core.localhost:{raw.emulator.port}/fs"
    async with raw.session.get(host) as response:
        assert (response.status, response.headers["x-ms-error-code"]) == (400, "UnsupportedHost")


async def test_old_versions_are_for_replays() -> None:
    """The switch lets them in."""
    with HnsEmulator(old_versions=True) as emulator:
        emulator.create_filesystem("old")
        async with emulator.transport() as session:
            raw = Raw(emulator, session, "old")
            reply = await raw.create("f", x_ms_version="2019-02-02")
            assert (reply.status, reply.headers["x-ms-version"]) == (201, "2019-02-02")


async def test_every_operation_has_a_handler_or_is_unverified() -> None:
    """The tables and the handlers name the same operations."""
    from hns_emulator._service import _HANDLERS

    named = {operation.name for operation in OPERATIONS if not operation.unverified}
    assert named == {*_HANDLERS, "batch"}  # which asks the service for each of its requests
