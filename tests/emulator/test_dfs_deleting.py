"""Delete on the Data Lake endpoint, and conditions, which all operations share."""

from __future__ import annotations

import email.utils

import pytest
from tests.emulator.conftest import Raw

pytestmark = pytest.mark.asyncio


async def test_a_file(raw: Raw) -> None:
    """It is gone, its parents stay; once more is 404."""
    await raw.create("d/f")
    reply = await raw("DELETE", "dfs", "/d/f")
    assert (reply.status, reply.headers["x-ms-delete-type-permanent"]) == (200, "true")
    assert reply.headers["Content-Length"] == "0"
    again = await raw("DELETE", "dfs", "/d/f")
    assert (again.status, again.code) == (404, "PathNotFound")
    assert (await raw.head("d")).status == 200


async def test_a_directory(raw: Raw) -> None:
    """With children only recursively, then with all that is below."""
    await raw.create("d/e/f")
    refused = await raw("DELETE", "dfs", "/d?recursive=false")
    assert (refused.status, refused.code) == (409, "DirectoryNotEmpty")
    assert (await raw.head("d/e/f")).status == 200
    assert (await raw("DELETE", "dfs", "/d?recursive=true")).status == 200
    for path in ("d", "d/e", "d/e/f"):
        assert (await raw.head(path)).status == 404
    listed = await raw("GET", "dfs", "?resource=filesystem&recursive=true")
    assert listed.body == b'{"paths":[]}\n'
    await raw.create("d", "directory")
    assert (await raw("DELETE", "dfs", "/d?recursive=false")).status == 200


def date(text: str, shift: int) -> str:
    """Return a date some seconds later."""
    moment = email.utils.parsedate_to_datetime(text).timestamp()
    return email.utils.formatdate(moment + shift, usegmt=True)


@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize(
    ("header", "shift", "holds"),
    [
        ("If-Match", "same", True),
        ("If-Match", "other", False),
        ("If-Match", "*", True),
        ("If-None-Match", "same", False),
        ("If-None-Match", "other", True),
        ("If-Modified-Since", -1, True),
        ("If-Modified-Since", 0, False),
        ("If-Unmodified-Since", -1, False),
        ("If-Unmodified-Since", 0, True),
    ],
)
async def test_conditions(raw: Raw, kind: str, header: str, shift: str | int, holds: bool) -> None:
    """On delete, create, rename and HEAD; times compare whole seconds."""
    created = await raw.create("x", kind)
    stamps = created.headers
    tags = {"same": stamps["ETag"], "other": '"0x8D000000000000F"', "*": "*"}
    value = date(stamps["Last-Modified"], shift) if isinstance(shift, int) else tags[shift]
    head = await raw.head("x", **{header: value})
    failed = 304 if header in ("If-None-Match", "If-Modified-Since") else 412
    assert head.status == (200 if holds else failed)
    deletion = "/x?recursive=true" if kind == "directory" else "/x"
    if holds:
        assert (await raw("DELETE", "dfs", deletion, {header: value})).status == 200
        return
    await raw.create("source", kind)
    for reply in (
        await raw("DELETE", "dfs", deletion, {header: value}),
        await raw("PUT", "dfs", f"/x?resource={kind}", {header: value}),
        await raw.rename("source", "x", **{header: value}),
    ):
        assert (reply.status, reply.code) == (412, "ConditionNotMet")
    source = {f"x-ms-source-{header}": value}
    refused = await raw.rename("x", "y", **source)
    assert (refused.status, refused.code) == (412, "SourceConditionNotMet")
    assert (await raw.head("x")).headers["ETag"] == stamps["ETag"]


async def test_a_condition_on_a_flush(raw: Raw) -> None:
    """One that fails commits nothing; If-None-Match: * on an existing file is 409."""
    await raw.create("f")
    await raw("PATCH", "dfs", "/f?action=append&position=0", body=b"abc")
    wrong = await raw("PATCH", "dfs", "/f?action=flush&position=3", {"If-Match": '"0x1"'})
    assert (wrong.status, wrong.code) == (412, "ConditionNotMet")
    taken = await raw("PATCH", "dfs", "/f?action=flush&position=3", {"If-None-Match": "*"})
    assert (taken.status, taken.code) == (409, "PathAlreadyExists")
    assert await raw.get("f") == b""


async def test_two_conditions_of_a_kind(raw: Raw) -> None:
    """They are refused."""
    await raw.create("f")
    reply = await raw("DELETE", "dfs", "/f", {"If-Match": "*", "If-None-Match": '"0x1"'})
    assert (reply.status, reply.code) == (400, "MultipleConditionHeadersNotSupported")
    assert (await raw.head("f")).status == 200


async def test_a_date_that_is_none(raw: Raw) -> None:
    """It is refused instead of taken for a condition that holds."""
    await raw.create("f")
    reply = await raw("DELETE", "dfs", "/f", {"If-Unmodified-Since": "tomorrow"})
    assert (reply.status, reply.code) == (400, "InvalidHeaderValue")
