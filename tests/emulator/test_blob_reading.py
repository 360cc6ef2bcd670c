"""The Blob endpoint's view of files and directories."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import pytest
from tests.emulator.conftest import Raw

pytestmark = pytest.mark.asyncio

COMMON = {
    "Accept-Ranges": "bytes",
    "Content-Type": "application/octet-stream",
    "x-ms-access-tier": "Hot",
    "x-ms-access-tier-inferred": "true",
    "x-ms-blob-type": "BlockBlob",
    "x-ms-group": "$superuser",
    "x-ms-lease-state": "available",
    "x-ms-lease-status": "unlocked",
    "x-ms-owner": "$superuser",
    "x-ms-server-encrypted": "true",
    "x-ms-version": "2026-04-06",
}
FILE = {
    **COMMON,
    "x-ms-acl": "user::rw-,group::r--,other::---",
    "x-ms-permissions": "rw-r-----",
    "x-ms-resource-type": "file",
}
DIRECTORY = {
    **COMMON,
    "Content-Length": "0",
    "x-ms-acl": "user::rwx,group::r-x,other::---",
    "x-ms-meta-hdi_isfolder": "true",
    "x-ms-permissions": "rwxr-x---",
    "x-ms-resource-type": "directory",
}
STAMPS = {"ETag", "Last-Modified", "x-ms-creation-time"}
ALWAYS = {"Date", "Server", "x-ms-request-id"}


def lower(*names: str) -> set[str]:
    """Return header names in lower case: the client changes that of ETag."""
    return {name.lower() for name in names}


async def test_properties_of_a_file(raw: Raw) -> None:
    """Exactly these headers, without Content-MD5 for what was appended."""
    await raw.write("f", b"abc")
    reply = await raw.head("f")
    assert (reply.status, reply.body) == (200, b"")
    expected = {**FILE, "Content-Length": "3"}
    assert {name: reply.headers[name] for name in expected} == expected
    assert lower(*reply.headers) == lower(*expected, *STAMPS, *ALWAYS)


async def test_properties_of_a_directory(raw: Raw) -> None:
    """Exactly these headers, and the same each time."""
    created = await raw.create("d", "directory")
    replies = [await raw.head("d") for _ in range(3)]
    for reply in replies:
        assert {name: reply.headers[name] for name in DIRECTORY} == DIRECTORY
        assert lower(*reply.headers) == lower(*DIRECTORY, *STAMPS, *ALWAYS)
        assert reply.headers["ETag"] == created.headers["ETag"]


@pytest.mark.parametrize(
    ("asked", "told", "content"),
    [
        ("bytes=0-33554431", "bytes 0-9/10", b"0123456789"),
        ("bytes=3-", "bytes 3-9/10", b"3456789"),
        ("bytes=3-3", "bytes 3-3/10", b"3"),
        ("bytes=9-9", "bytes 9-9/10", b"9"),
    ],
)
async def test_ranges(raw: Raw, asked: str, told: str, content: bytes) -> None:
    """They are clamped to the file, answered 206 with all of HEAD's headers."""
    await raw.write("f", b"0123456789")
    reply = await raw("GET", "blob", "/f", {"x-ms-range": asked})
    assert (reply.status, reply.reason, reply.body) == (206, "Partial Content", content)
    assert reply.headers["Content-Range"] == told
    assert reply.headers["Content-Length"] == str(len(content))
    told_too = ("Content-Range", "Content-Length")
    assert lower(*reply.headers) == lower(*FILE, *STAMPS, *ALWAYS, *told_too)
    again = await raw("GET", "blob", "/f", {"Range": asked})
    assert again.body == content


@pytest.mark.parametrize(("path", "size"), [("d", 0), ("empty", 0), ("f", 3)])
async def test_a_range_behind_the_end(raw: Raw, path: str, size: int) -> None:
    """It is 416 and tells the length; without range the answer is whole."""
    await raw.create("d", "directory")
    await raw.create("empty")
    await raw.write("f", b"abc")
    reply = await raw("GET", "blob", f"/{path}", {"x-ms-range": f"bytes={size}-100"})
    assert (reply.status, reply.code) == (416, "InvalidRange")
    assert reply.headers["Content-Range"] == f"bytes */{size}"
    whole = await raw("GET", "blob", f"/{path}")
    assert (whole.status, len(whole.body)) == (200, size)


async def test_a_missing_path(raw: Raw) -> None:
    """GET has a body of 215 bytes, HEAD none and no length, but the code."""
    got = await raw("GET", "blob", "/no")
    assert (got.status, got.code, len(got.body)) == (404, "BlobNotFound", 215)
    head = await raw.head("no")
    assert (head.status, head.code, head.body) == (404, "BlobNotFound", b"")
    assert head.reason == "The specified blob does not exist."
    assert head.headers["Transfer-Encoding"] == "chunked"
    assert set(head.headers) == ALWAYS | {"Transfer-Encoding", "x-ms-error-code", "x-ms-version"}


async def test_a_missing_container(raw: Raw) -> None:
    """It is ContainerNotFound on this endpoint."""
    raw.fs = "nowhere"
    reply = await raw("GET", "blob", "/f")
    assert (reply.status, reply.code) == (404, "ContainerNotFound")
    assert (await raw("HEAD", "blob", "?restype=container")).status == 404


async def test_a_get_with_another_etag(raw: Raw) -> None:
    """If-Match that does not hold is 412; If-None-Match that does not is 304, without a body."""
    written = await raw.write("f", b"abc")
    wrong = await raw("GET", "blob", "/f", {"If-Match": '"0x1"'})
    assert (wrong.status, wrong.code) == (412, "ConditionNotMet")
    same = await raw("GET", "blob", "/f", {"If-None-Match": written.headers["ETag"]})
    assert (same.status, same.body, same.code) == (304, b"", "ConditionNotMet")
    right = await raw("GET", "blob", "/f", {"If-Match": written.headers["ETag"]})
    assert (right.status, right.body) == (200, b"abc")


async def test_md5_of_a_put(raw: Raw) -> None:
    """The whole has Content-MD5, a range tells the whole's under another name."""
    put = await raw.put("f", b"abc")
    md5 = base64.b64encode(hashlib.md5(b"abc").digest()).decode()
    assert put.headers["Content-MD5"] == md5
    assert (await raw.head("f")).headers["Content-MD5"] == md5
    ranged = await raw("GET", "blob", "/f", {"x-ms-range": "bytes=0-1"})
    assert "Content-MD5" not in ranged.headers
    assert ranged.headers["x-ms-blob-content-md5"] == md5


@pytest.mark.parametrize("level", ["//", "", "/any"])
async def test_account_information(raw: Raw, level: str) -> None:
    """Exactly these headers at each level."""
    reply = await raw("GET", "blob", f"{level}?restype=account&comp=properties")
    expected = {
        "Content-Length": "0",
        "x-ms-account-kind": "StorageV2",
        "x-ms-is-hns-enabled": "true",
        "x-ms-sku-name": "Standard_LRS",
        "x-ms-version": "2026-04-06",
    }
    assert (reply.status, reply.body) == (200, b"")
    assert {name: reply.headers[name] for name in expected} == expected
    assert set(reply.headers) == set(expected) | ALWAYS


async def test_the_namespace_flag_of_a_filesystem(raw: Raw) -> None:
    """HEAD of the filesystem on the Data Lake endpoint tells it."""
    reply = await raw("HEAD", "dfs", "?resource=filesystem")
    assert (reply.status, reply.headers["x-ms-namespace-enabled"]) == (200, "true")


async def test_access_control_of_the_root(raw: Raw) -> None:
    """HEAD of the root with getAccessControl is 200, in a missing filesystem 404."""
    reply = await raw("HEAD", "dfs", "/?action=getAccessControl")
    assert (reply.status, reply.headers["x-ms-permissions"]) == (200, "rwxr-x---")
    raw.fs = "nowhere"
    missing = await raw("HEAD", "dfs", "/?action=getAccessControl")
    assert (missing.status, missing.code) == (404, "FilesystemNotFound")


@pytest.mark.parametrize("name", ["a b", "é", "a%b", "a+b", "a&b=c?d", "a:b;c,d'(e)!*@", "日本/語"])
async def test_names_survive(raw: Raw, name: str) -> None:
    """What one endpoint writes under a name, the other reads under it."""
    await raw.write(name, name.encode())
    assert await raw.get(name) == name.encode()
    listed = await raw("GET", "blob", f"?restype=container&comp=list&prefix={quote(name)}")
    assert listed.body.decode().count("<Blob>") == 1
