"""What other programs ask for, beyond what our own store does."""

from __future__ import annotations

import email.utils
import time
from typing import Any
from urllib.parse import quote

import pytest
from azure.storage.blob import ContentSettings
from azure.storage.filedatalake import ContentSettings as PathSettings
from tests.emulator.conftest import Raw, Sdk

from hns_emulator._auth import sign, strings_to_sign

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(("age", "status"), [(0, 404), (1000, 403)])
async def test_a_date_may_be_signed_instead(raw: Raw, age: int, status: int) -> None:
    """A request without x-ms-date is dated by Date; an old one is refused."""
    emulator = raw.emulator
    target = f"/{raw.fs}/f"
    headers = {
        "Date": email.utils.formatdate(time.time() - age, usegmt=True),
        "x-ms-version": "2023-11-03",
    }
    lower = {name.lower(): value for name, value in headers.items()}
    (text, *_) = strings_to_sign("HEAD", emulator.account, target, lower)
    headers["Authorization"] = f"SharedKey {emulator.account}:{sign(emulator.key, text)}"
    async with raw.session.head(f"{emulator.blob_url}{target}", headers=headers) as response:
        assert response.status == status


async def test_a_rename_without_mode(raw: Raw) -> None:
    """It is as in posix mode, which is the documented default."""
    await raw.write("f", b"1")
    source = {"x-ms-rename-source": f"/{raw.fs}/f"}
    assert (await raw("PUT", "dfs", "/g", source)).status == 201
    assert await raw.get("g") == b"1"


async def test_any_request_may_have_a_time_limit(raw: Raw) -> None:
    """The query `timeout` in seconds is taken; nothing here takes that long."""
    assert (await raw("PUT", "dfs", "/f?resource=file&timeout=30")).status == 201
    assert (await raw("HEAD", "blob", "/f?timeout=x")).status == 501


async def test_containers(sdk: Sdk, filesystem: str) -> None:
    """They are listed by prefix and page, with their metadata, which can be replaced."""
    container = sdk.blob.get_container_client(f"{filesystem}-b")
    await container.create_container(metadata={"k": "v"})
    await sdk.blob.create_container(f"{filesystem}-a")
    found = sdk.blob.list_containers(
        name_starts_with=f"{filesystem}-", include_metadata=True, results_per_page=1
    )
    listed = [(one.name, one.metadata) async for one in found]
    assert listed == [(f"{filesystem}-a", {}), (f"{filesystem}-b", {"k": "v"})]
    before = await container.get_container_properties()
    await container.set_container_metadata({"l": "w"})
    after = await container.get_container_properties()
    assert (before.metadata, after.metadata) == ({"k": "v"}, {"l": "w"})
    assert before.etag != after.etag


async def test_filesystems_by_their_own_endpoint(raw: Raw) -> None:
    """They are created once, deleted once, and the codes are those of that endpoint."""
    target = f"//{raw.fs}-new?resource=filesystem"
    assert (await raw("PUT", "dfs", target)).status == 201
    assert (await raw("PUT", "dfs", target)).code == "FilesystemAlreadyExists"
    assert (await raw("DELETE", "dfs", target)).status == 202
    assert (await raw("DELETE", "dfs", target)).code == "FilesystemNotFound"


async def test_a_batch_of_deletions(sdk: Sdk, filesystem: str) -> None:
    """Each is answered by itself, in order; a directory that is not empty stays."""
    container = sdk.blob.get_container_client(filesystem)
    for name in ("a", "d/b", "ü x"):
        await container.upload_blob(name, b"1")
    names = ("a", "missing", "d", "ü x")
    found = await container.delete_blobs(*names, raise_on_any_failure=False)
    codes = [(answer.status_code, answer.headers.get("x-ms-error-code")) async for answer in found]
    assert codes == [(202, None), (404, "BlobNotFound"), (409, "DirectoryIsNotEmpty"), (202, None)]
    assert [blob.name async for blob in container.list_blobs()] == ["d", "d/b"]


def _batch(*requests: str) -> tuple[dict[str, str], bytes]:
    parts = [
        f"--b\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n{request}\r\n"
        for number, request in enumerate(requests)
    ]
    body = "".join([*parts, "--b--\r\n"]).encode()
    return {"Content-Type": "multipart/mixed; boundary=b"}, body


async def test_each_request_of_a_batch_is_signed(raw: Raw) -> None:
    """Without a signature of its own nothing is deleted."""
    await raw.put("f", b"1")
    date = email.utils.formatdate(time.time(), usegmt=True)
    headers, body = _batch(f"DELETE /{raw.fs}/f HTTP/1.1\r\nx-ms-date: {date}\r\n")
    reply = await raw("POST", "blob", "//?comp=batch", headers, body)
    assert reply.status == 202
    assert b"HTTP/1.1 401 " in reply.body
    assert await raw.get("f") == b"1"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"x", 400, "InvalidHeaderValue"),
        (*_batch(), 400, "InvalidInput"),
        (*_batch("PUT /x?comp=tier HTTP/1.1"), 501, "UnsupportedOperation"),
        (*_batch(*["DELETE /x HTTP/1.1"] * 257), 400, "ExceedsMaxBatchRequestCount"),
    ],
)
async def test_what_is_no_batch(
    raw: Raw, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    """It is refused as a whole."""
    reply = await raw("POST", "blob", "?restype=container&comp=batch", headers, body)
    assert (reply.status, reply.code) == (status, code)


SETTINGS: dict[str, Any] = {
    "cache_control": "no-store",
    "content_disposition": "attachment",
    "content_encoding": "gzip",
    "content_language": "de",
    "content_type": "text/plain",
}


async def test_headers_that_are_stored(sdk: Sdk, filesystem: str) -> None:
    """They are answered and listed, survive a copy and a rename, and can be replaced."""
    container = sdk.blob.get_container_client(filesystem)
    blob = container.get_blob_client("f")
    await blob.upload_blob(b"1", content_settings=ContentSettings(**SETTINGS))

    async def stored(name: str) -> dict[str, str | None]:
        settings = (await container.get_blob_client(name).get_blob_properties()).content_settings
        return {key: settings[key] for key in SETTINGS}

    assert await stored("f") == SETTINGS
    (listed,) = [one.content_settings async for one in container.list_blobs()]
    assert {key: listed[key] for key in SETTINGS} == SETTINGS
    await container.get_blob_client("copy").start_copy_from_url(blob.url)
    await sdk.fs.get_file_client("copy").rename_file(f"{filesystem}/moved")
    assert await stored("moved") == SETTINGS
    await blob.set_http_headers(ContentSettings(content_type="text/html"))
    assert await stored("f") == {**dict.fromkeys(SETTINGS), "content_type": "text/html"}
    lake = sdk.fs.get_file_client("g")
    await lake.create_file(content_settings=PathSettings(**SETTINGS))
    assert await stored("g") == SETTINGS
    await lake.append_data(b"x", 0)
    await lake.flush_data(1, content_settings=PathSettings(cache_control="public"))
    assert (await stored("g"))["cache_control"] == "public"


@pytest.mark.parametrize("query", ["", "?action=getStatus"])
async def test_properties_by_the_data_lake_endpoint(raw: Raw, query: str) -> None:
    """HEAD tells kind, length and metadata."""
    await raw.create("d/ü", x_ms_properties="k=dg==")
    found = await raw("HEAD", "dfs", f"/{quote('d/ü')}{query}")
    assert found.status == 200
    told = {name: found.headers[f"x-ms-{name}"] for name in ("resource-type", "properties")}
    assert told == {"resource-type": "file", "properties": "k=dg=="}
    folder = await raw("HEAD", "dfs", f"/d{query}")
    assert folder.headers["x-ms-resource-type"] == "directory"
    missing = await raw("HEAD", "dfs", f"/missing{query}")
    assert (missing.status, missing.code) == (404, "PathNotFound")


async def test_reading_by_the_data_lake_endpoint(raw: Raw) -> None:
    """The whole, a range, nothing behind the end, and only if a condition holds."""
    etag = (await raw.write("f", b"0123456789")).headers["ETag"]
    whole = await raw("GET", "dfs", "/f")
    assert (whole.status, whole.body) == (200, b"0123456789")
    part = await raw("GET", "dfs", "/f", {"Range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    assert (await raw("GET", "dfs", "/f", {"Range": "bytes=10-"})).code == "InvalidRange"
    assert (await raw("GET", "dfs", "/f", {"If-None-Match": etag})).status == 304
    assert (await raw("GET", "dfs", "/missing")).code == "PathNotFound"


async def test_an_address_of_the_data_lake_endpoint_alone(raw: Raw) -> None:
    """In path style it tells a bare deletion from one of the Blob endpoint."""
    await raw.write("f", b"1")
    emulator = raw.emulator
    target = f"/dfs/{emulator.account}/{raw.fs}/f"
    headers = {
        "x-ms-date": email.utils.formatdate(time.time(), usegmt=True),
        "x-ms-version": "2023-11-03",
    }
    (text, *_) = strings_to_sign("DELETE", emulator.account, target, headers)
    headers["Authorization"] = f"SharedKey {emulator.account}:{sign(emulator.key, text)}"
    url = f"{emulator.path_style_dfs_url}/{raw.fs}/f"
    async with raw.session.delete(url, headers=headers) as response:
        assert response.status == 200
    assert emulator.requests[-1].kind == "dfs"
