"""Create, append and flush on the Data Lake endpoint."""

from __future__ import annotations

import base64
import hashlib

import pytest
from tests.emulator.conftest import Raw

pytestmark = pytest.mark.asyncio


async def test_create_makes_parents_with_stamps_of_their_own(raw: Raw) -> None:
    """Each missing parent gets an ETag of its own, earlier than what is below it."""
    created = await raw.create("a/b/c")
    tags = [(await raw.head(path)).headers["ETag"] for path in ("a", "a/b", "a/b/c")]
    assert tags == sorted(tags)
    assert len(set(tags)) == 3
    assert tags[2] == created.headers["ETag"]
    assert (created.status, created.headers["x-ms-request-server-encrypted"]) == (201, "true")


async def test_a_parent_keeps_its_stamps_when_a_child_comes(raw: Raw) -> None:
    """A directory's ETag is that of its creation."""
    await raw.create("a", "directory")
    before = (await raw.head("a")).headers["ETag"]
    await raw.create("a/child")
    assert (await raw.head("a")).headers["ETag"] == before


@pytest.mark.parametrize("kind", ["file", "directory"])
async def test_exclusive_creation(raw: Raw, kind: str) -> None:
    """If-None-Match: * on what exists is 409 PathAlreadyExists, whatever the kinds."""
    assert (await raw.create("x", kind, If_None_Match="*")).status == 201
    for again in ("file", "directory"):
        reply = await raw.create("x", again, If_None_Match="*")
        assert (reply.status, reply.code) == (409, "PathAlreadyExists")


async def test_creating_a_file_again_empties_it(raw: Raw) -> None:
    """Content, metadata and what was appended are gone, the ETag and creation time new."""
    await raw.create("f", x_ms_properties="k=dg==")
    await raw("PATCH", "dfs", "/f?action=append&flush=true&position=0", body=b"old")
    await raw("PATCH", "dfs", "/f?action=append&position=3", body=b"more")
    before = await raw.head("f")
    await raw.create("f")
    after = await raw.head("f")
    assert after.headers["ETag"] > before.headers["ETag"]
    assert (after.headers["Content-Length"], after.headers.get("x-ms-meta-k")) == ("0", None)
    flushed = await raw("PATCH", "dfs", "/f?action=flush&position=0")
    assert flushed.status == 200


async def test_creating_a_directory_again_keeps_its_children(raw: Raw) -> None:
    """It gets a new ETag, that is all."""
    await raw.create("d/f")
    before = (await raw.head("d")).headers["ETag"]
    again = await raw.create("d", "directory")
    assert (again.status, again.headers["ETag"] > before) == (201, True)
    assert (await raw.head("d/f")).status == 200


async def test_kinds_do_not_replace_each_other(raw: Raw) -> None:
    """A file where a directory is, the reverse, and what is below a file are PathConflict."""
    await raw.create("d", "directory")
    await raw.create("f")
    for path, kind in (("d", "file"), ("f", "directory"), ("f/x", "file"), ("f/x/y", "directory")):
        reply = await raw.create(path, kind)
        assert (reply.status, reply.code) == (409, "PathConflict")


async def test_metadata_and_content_type_of_a_creation(raw: Raw) -> None:
    """x-ms-properties are metadata, in base64."""
    value = base64.b64encode(b"a=b, c").decode()
    await raw.create("f", x_ms_properties=f"one={value},Two=", x_ms_content_type="text/plain")
    headers = (await raw.head("f")).headers
    assert (headers["x-ms-meta-one"], headers["x-ms-meta-two"]) == ("a=b, c", "")
    assert headers["Content-Type"] == "text/plain"


async def test_an_append_changes_nothing_that_can_be_seen(raw: Raw) -> None:
    """No ETag is answered, and content and ETag stay until the flush."""
    created = await raw.create("f")
    appended = await raw("PATCH", "dfs", "/f?action=append&position=0", body=b"abc")
    assert (appended.status, appended.headers["x-ms-request-server-encrypted"]) == (202, "true")
    assert "ETag" not in appended.headers
    head = await raw.head("f")
    assert (head.headers["ETag"], head.headers["Content-Length"]) == (created.headers["ETag"], "0")
    flushed = await raw(
        "PATCH", "dfs", "/f?action=flush&position=3", {"If-Match": created.headers["ETag"]}
    )
    assert (flushed.status, flushed.headers["x-ms-request-server-encrypted"]) == (200, "false")
    assert flushed.headers["ETag"] > created.headers["ETag"]
    assert await raw.get("f") == b"abc"


async def test_appends_in_any_order_and_twice(raw: Raw) -> None:
    """Positions order them; the same position replaces."""
    await raw.create("f")
    for position, data in ((4, b"ef"), (0, b"xxxx"), (0, b"abcd")):
        reply = await raw("PATCH", "dfs", f"/f?action=append&position={position}", body=data)
        assert reply.status == 202
    assert (await raw("PATCH", "dfs", "/f?action=flush&position=6")).status == 200
    assert await raw.get("f") == b"abcdef"


@pytest.mark.parametrize(
    ("pieces", "position"),
    [
        ([(0, b"abc")], 2),
        ([(0, b"abc")], 4),
        ([(1, b"abc")], 4),
        ([(0, b"abc"), (2, b"de")], 5),
        ([(0, b"abc"), (4, b"de")], 6),
        ([], 1),
    ],
)
async def test_a_flush_needs_what_joins(
    raw: Raw, pieces: list[tuple[int, bytes]], position: int
) -> None:
    """A gap, an overlap or another length is InvalidFlushPosition, and nothing changes."""
    created = await raw.create("f")
    for start, data in pieces:
        await raw("PATCH", "dfs", f"/f?action=append&position={start}", body=data)
    reply = await raw("PATCH", "dfs", f"/f?action=flush&position={position}")
    assert (reply.status, reply.code) == (400, "InvalidFlushPosition")
    head = await raw.head("f")
    assert (head.headers["ETag"], head.headers["Content-Length"]) == (created.headers["ETag"], "0")


async def test_append_and_flush_in_one_step(raw: Raw) -> None:
    """It is 202 and answers the new ETag; if it does not join, nothing of it stays."""
    await raw.create("f")
    wrong = await raw("PATCH", "dfs", "/f?action=append&flush=true&position=2", body=b"c")
    assert (wrong.status, wrong.code) == (400, "InvalidFlushPosition")
    right = await raw("PATCH", "dfs", "/f?action=append&flush=true&position=0", body=b"ab")
    assert (right.status, right.headers["x-ms-request-server-encrypted"]) == (202, "true")
    head = await raw.head("f")
    assert (head.headers["ETag"], head.headers["Content-Length"]) == (right.headers["ETag"], "2")


async def test_a_second_flush_goes_on_at_the_end(raw: Raw) -> None:
    """Appending to what is committed joins it."""
    await raw.write("f", b"abc")
    await raw("PATCH", "dfs", "/f?action=append&position=3", body=b"def")
    assert (await raw("PATCH", "dfs", "/f?action=flush&position=6&close=true")).status == 200
    assert await raw.get("f") == b"abcdef"


@pytest.mark.parametrize("action", ["append", "flush"])
async def test_what_is_missing(raw: Raw, action: str) -> None:
    """Appending and flushing do not create."""
    body = b"x" if action == "append" else b""
    reply = await raw("PATCH", "dfs", f"/no?action={action}&position=0", body=body)
    assert (reply.status, reply.code) == (404, "PathNotFound")


async def test_content_md5_of_an_append(raw: Raw) -> None:
    """It is compared; a wrong one keeps nothing."""
    await raw.create("f")
    target = "/f?action=append&flush=true&position=0"
    right = base64.b64encode(hashlib.md5(b"abc").digest()).decode()
    wrong = await raw("PATCH", "dfs", target, {"Content-MD5": right}, b"abd")
    assert (wrong.status, wrong.code) == (400, "Md5Mismatch")
    assert (await raw("PATCH", "dfs", target, {"Content-MD5": right}, b"abc")).status == 202
    assert "Content-MD5" not in (await raw.head("f")).headers


async def test_what_the_blob_endpoint_wrote_is_not_appended_to(raw: Raw) -> None:
    """InvalidFlushOperation, until the file is created anew."""
    await raw.put("f", b"abc")
    for action, body in (("append", b"x"), ("flush", b"")):
        reply = await raw("PATCH", "dfs", f"/f?action={action}&position=3", body=body)
        assert (reply.status, reply.code) == (409, "InvalidFlushOperation")
    await raw.write("f", b"new")
    assert await raw.get("f") == b"new"


async def test_a_missing_filesystem(raw: Raw) -> None:
    """Nothing works there."""
    raw.fs = "nowhere"
    for method, target, body in (
        ("PUT", "/f?resource=file", b""),
        ("PATCH", "/f?action=append&position=0", b"x"),
        ("DELETE", "/f", b""),
        ("GET", "?resource=filesystem&recursive=true", b""),
    ):
        reply = await raw(method, "dfs", target, body=body)
        assert (reply.status, reply.code) == (404, "FilesystemNotFound")


async def test_names(raw: Raw) -> None:
    """Empty segments and the dots at a segment's end are dropped."""
    await raw.create("a//b./c...")
    assert (await raw.head("a/b/c")).status == 200


@pytest.mark.parametrize("name", ["a/./b", "a/../b", "..", "a%01b", "a" * 1025, "/".join("a" * 62)])
async def test_names_that_are_none(raw: Raw, name: str) -> None:
    """Dot segments, control characters, more than 1024 characters or 61 segments are 400."""
    reply = await raw("PUT", "dfs", f"/{name}?resource=file")
    assert (reply.status, reply.code in ("InvalidUri", "InvalidResourceName")) == (400, True)


async def test_names_that_just_are(raw: Raw) -> None:
    """1024 characters and 61 segments are fine."""
    assert (await raw.create("a" * 1024)).status == 201
    assert (await raw.create("/".join("b" * 61))).status == 201
