"""List Blobs in its two shapes."""

from __future__ import annotations

from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from tests.emulator.conftest import Raw

pytestmark = pytest.mark.asyncio


async def listed(raw: Raw, more: str = "") -> list[ElementTree.Element]:
    """Return the entries of all pages."""
    entries: list[ElementTree.Element] = []
    marker = ""
    while True:
        target = f"?restype=container&comp=list{more}"
        target += f"&marker={quote(marker, safe='')}" if marker else ""
        reply = await raw("GET", "blob", target)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "application/xml")
        assert reply.body.startswith(b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>')
        root = ElementTree.fromstring(reply.body.decode("utf-8-sig"))
        entries += root.find("Blobs") or []
        marker = root.findtext("NextMarker") or ""
        if not marker:
            return entries


async def names(raw: Raw, more: str = "") -> list[str]:
    """Return kind and name of each entry of all pages."""
    return [f"{entry.tag} {entry.findtext('Name')}" for entry in await listed(raw, more)]


async def test_flat(raw: Raw) -> None:
    """A directory is a blob named without slash, of type directory and length 0."""
    await raw.put("d/f", b"abc")
    directory, file = await listed(raw)
    heads = [(await raw.head(path)).headers for path in ("d", "d/f")]
    told = [
        [entry.findtext(f"Properties/{name}") for name in ("ResourceType", "Content-Length")]
        for entry in (directory, file)
    ]
    assert told == [["directory", "0"], ["file", "3"]]
    assert [entry.findtext("Name") for entry in (directory, file)] == ["d", "d/f"]
    assert directory.findtext("Properties/Content-Type") == ""
    assert file.findtext("Properties/Content-Type") == "application/octet-stream"
    assert file.findtext("Properties/Content-MD5") == heads[1]["Content-MD5"]
    for entry, head in zip((directory, file), heads, strict=True):
        assert f'"{entry.findtext("Properties/Etag")}"' == head["ETag"]
        assert entry.findtext("Properties/Last-Modified") == head["Last-Modified"]
        assert entry.find("Metadata") is None


async def test_metadata_is_told_if_asked(raw: Raw) -> None:
    """A directory's marker is metadata."""
    await raw.put("d/f", b"abc", x_ms_meta_K="v&w")
    directory, file = await listed(raw, "&include=metadata")
    assert directory.findtext("Metadata/hdi_isfolder") == "true"
    assert file.findtext("Metadata/K") == "v&w"


async def test_by_level(raw: Raw) -> None:
    """With a delimiter directories are prefixes, which have properties here."""
    for path in ("a", "d/f", "d/g/h"):
        await raw.create(path)
    assert await names(raw, "&delimiter=/") == ["Blob a", "BlobPrefix d/"]
    assert await names(raw, "&delimiter=/&prefix=d/") == ["Blob d/f", "BlobPrefix d/g/"]
    entries = await listed(raw, "&delimiter=%2F&prefix=d")
    assert [entry.findtext("Properties/ResourceType") for entry in entries] == ["directory"]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", ["ab", "ab/c", "ab/cd", "ab/cd/e", "abc"]),
        ("ab", ["ab", "ab/c", "ab/cd", "ab/cd/e", "abc"]),
        ("ab/", ["ab/c", "ab/cd", "ab/cd/e"]),
        ("ab/cd", ["ab/cd", "ab/cd/e"]),
        ("abc", ["abc"]),
        ("abc/", []),
        ("x/y", []),
        ("/", []),
    ],
)
async def test_prefixes(raw: Raw, prefix: str, found: list[str]) -> None:
    """They are of names, not of segments; and pages of two make the same."""
    for path in ("ab/c", "ab/cd/e", "abc"):
        await raw.create(path)
    expected = [f"Blob {name}" for name in found]
    assert await names(raw, f"&prefix={quote(prefix)}") == expected
    assert await names(raw, f"&prefix={quote(prefix)}&maxresults=2") == expected


async def test_names_that_xml_cannot_hold(raw: Raw) -> None:
    """Markup is escaped, non-characters are percent-encoded and marked."""
    await raw.create("a<b>&\"'")
    await raw.create("x\ufffe%")
    plain, encoded = await listed(raw)
    assert plain.findtext("Name") == "a<b>&\"'"
    name = encoded.find("Name")
    assert name is not None
    assert (name.text, name.attrib) == (quote("x\ufffe%"), {"Encoded": "true"})


async def test_what_is_uncommitted_is_not_listed(raw: Raw) -> None:
    """Neither staged blocks nor their parents."""
    await raw("PUT", "blob", "/a/f?comp=block&blockid=AAAA", body=b"x")
    assert await names(raw) == []


async def test_a_marker_belongs_to_its_listing(raw: Raw) -> None:
    """Another prefix or delimiter is 400."""
    for path in ("a", "b"):
        await raw.create(path)
    reply = await raw("GET", "blob", "?restype=container&comp=list&maxresults=1")
    marker = reply.body.decode().partition("<NextMarker>")[2].partition("<")[0]
    other = f"?restype=container&comp=list&prefix=b&marker={quote(marker, safe='')}"
    assert (await raw("GET", "blob", other)).code == "InvalidQueryParameterValue"
