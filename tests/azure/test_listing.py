"""Listing blobs: what the SDK lists, page by page, one request each."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from azure.storage.blob import BlobPrefix, BlobServiceClient, ContainerClient, ContentSettings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.azure.azurite import Azurite
from tests.azure.scripted import above
from tests.azure.wiring import Wired, say, wired

from remote_store import (
    BackendUnavailable,
    ContentDigest,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store_azure._blob import service as _service
from remote_store_azure._blob.list_xml import parse_page
from remote_store_azure._http.session import Session
from remote_store_objects import ObjectInfo, Page
from remote_store_objects._reading.pages import pages as all_pages


def by_sdk(client: ContainerClient, prefix: str = "") -> tuple[list[ObjectInfo], list[str]]:
    """Return what the SDK lists, in our terms."""
    walked = client.walk_blobs(prefix or None, include=["metadata"], delimiter="/")
    prefixes = [item.name for item in walked if isinstance(item, BlobPrefix)]
    blobs = []
    for item in client.list_blobs(prefix or None, include=["metadata"]):
        md5 = item.content_settings.content_md5
        blobs.append(
            ObjectInfo(
                item.name,
                item.size,
                item.etag,
                item.last_modified,
                ContentDigest("md5", bytes(md5).hex()) if md5 else None,
                item.content_settings.content_type,
                dict(item.metadata),
            )
        )
    return blobs, prefixes


async def page(
    wire: Session, path: str, *, prefix: str, marker: str = "", limit: int = 5000
) -> Page:
    """Return a page."""
    session = above(wire)
    return await session.ask(path, session.service.list_page, prefix, token=marker, limit=limit)


def pages(wire: Session, path: str, *, prefix: str, delimiter: str = "") -> Any:
    """Yield all pages."""
    return all_pages(above(wire), path, prefix=prefix, delimiter=delimiter)


async def everything(found: Wired, prefix: str = "", delimiter: str = "") -> list[Page]:
    source = pages(found.wire, "", prefix=prefix, delimiter=delimiter)
    return [one async for one in source]


#: Names that make Azurite fail or that it stores under another name are left out.
names = st.text(
    st.sampled_from("%+?#&=~'\"<>;@ /20Ffé")
    | st.characters(
        codec="utf-8", min_codepoint=0x20, exclude_characters="\\\x7f￾￿", exclude_categories=["Cc"]
    ),
    min_size=1,
    max_size=30,
).filter(
    lambda name: (
        not any(part in ("", ".", "..") for part in name.split("/"))
        and not name.endswith((".", "/"))
    )
)
values = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
    st.from_regex(r"[!-~]([ -~]{0,8}[!-~])?", fullmatch=True),
    max_size=2,
).filter(lambda d: len({key.lower() for key in d}) == len(d))


@pytest.mark.long
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    blobs=st.dictionaries(names, st.tuples(st.binary(max_size=9), values), min_size=1, max_size=6)
)
@example(blobs={"a%20b&?c#+": (b"x", {}), "a%20b&?c#+/<d>": (b"", {"Name": "y"}), "a b": (b"", {})})
def test_what_is_listed_is_what_the_sdk_lists(
    azurite: Azurite,
    service: BlobServiceClient,
    container: str,
    blobs: dict[str, tuple[bytes, dict[str, str]]],
) -> None:
    """LIST: names with every legal character, sizes, times, ETag, MD5, type and metadata."""
    client = service.get_container_client(container)
    for name in client.list_blob_names():
        client.delete_blob(name)
    for name, (content, metadata) in blobs.items():
        client.upload_blob(
            name,
            content,
            metadata=metadata,
            content_settings=ContentSettings(content_type="text/plain; charset=utf-8"),
        )

    async def listed() -> tuple[list[Page], list[Page], Page]:
        async with wired(azurite, container) as found:
            below = await page(found.wire, "", prefix=next(iter(blobs)))
            return await everything(found), await everything(found, delimiter="/"), below

    flat, folders, below = asyncio.run(listed())
    expected, prefixes = by_sdk(client)
    assert [blob for one in flat for blob in one.objects] == expected
    assert {blob.key for blob in expected} == set(blobs)
    assert [prefix for one in folders for prefix in one.prefixes] == prefixes
    assert below.objects == by_sdk(client, next(iter(blobs)))[0]


@pytest.fixture(scope="module")
def many(service: BlobServiceClient) -> Iterator[str]:
    """A container of 40 blobs in four folders, one of them a directory marker."""
    name = f"forty-{uuid.uuid4().hex}"
    client = service.create_container(name)
    for n in range(40):
        metadata = {"hdi_isfolder": "true"} if n == 5 else None
        client.upload_blob(f"d{n % 4}/{n:02}", b"x", metadata=metadata)
    yield name
    client.delete_container()


@pytest.mark.asyncio
async def test_one_request_a_page(azurite: Azurite, many: str) -> None:
    """The budget: all of it is one request; a limit makes pages that follow each other."""
    async with wired(azurite, many) as found:
        (whole,) = await everything(found)
        assert found.sent() == [("GET", "list", 200)]
        got: list[str] = []
        marker = ""
        for _ in range(4):
            one = await page(found.wire, "", prefix="", marker=marker, limit=13)
            got += [blob.key for blob in one.objects]
            marker = one.token
        assert marker == ""
        assert got == [blob.key for blob in whole.objects]
        assert len(got) == 40
        first = found.transport.taken()[0].query
        assert "maxresults=13" in first
        assert "include=metadata" in first


@pytest.mark.asyncio
async def test_folders_and_directories(azurite: Azurite, many: str) -> None:
    """A delimiter folds what is below it; a directory marker is one only with its metadata."""
    async with wired(azurite, many) as found:
        (one,) = await everything(found, delimiter="/")
        assert (one.objects, one.prefixes) == ([], ["d0/", "d1/", "d2/", "d3/"])
        (one,) = await everything(found, prefix="d1/", delimiter="/")
        assert [b.key for b in one.objects if b.is_folder] == ["d1/05"]
        bare = await page(found.wire, "", prefix="d1/", limit=2)
        assert not any(blob.is_folder or blob.metadata for blob in bare.objects)
        assert "include" not in found.transport.taken()[-1].query


@pytest.mark.asyncio
async def test_pages_follow_markers(azurite: Azurite, many: str) -> None:
    """Every page is asked for with the marker of the one before, also after an empty one."""
    async with wired(azurite, many) as found:
        served: list[str] = []
        end = "</Blobs><NextMarker>{}</NextMarker></EnumerationResults>"
        start = "<EnumerationResults><Blobs>"
        blob = "<Blob><Name>n</Name><Properties/></Blob>"
        documents = [
            start + blob + end.format("m 1&amp;"),
            start + end.format("m2"),
            start + end.format(""),
        ]
        spoil(found, documents, served)
        assert [len(one.objects) for one in await everything(found)] == [1, 0, 0]
    assert [query.partition("marker=")[2].partition("&")[0] for query in served] == [
        *("", "m%201%26", "m2")
    ]


def spoil(found: Wired, documents: list[str], served: list[str]) -> None:
    """Answer with *documents* instead of what the server says."""

    async def after(request: Any, answer: Any) -> Any:
        served.append(request.url.partition("?")[2])
        document = documents.pop(0).encode()
        await answer.read()

        async def raw() -> AsyncIterator[bytes]:
            yield document

        answer.iter_raw = raw
        return answer

    found.transport.after = after


@pytest.mark.asyncio
async def test_a_listing_that_does_not_end_raises(azurite: Azurite, many: str) -> None:
    """The same marker again is an error, not an endless loop."""
    same = "<EnumerationResults><Blobs/><NextMarker>m</NextMarker></EnumerationResults>"
    async with wired(azurite, many) as found:
        spoil(found, [same, same, same], [])
        with pytest.raises(RemoteStoreError, match="does not end"):
            await everything(found)


@pytest.mark.asyncio
@pytest.mark.parametrize("body", ["<EnumerationResults><Blobs>", "<EnumerationResultsX/>"])
async def test_a_listing_that_cannot_be_read_raises(azurite: Azurite, many: str, body: str) -> None:
    """A body that is cut short or no listing is never an empty folder."""
    async with wired(azurite, many) as found:
        spoil(found, [body], [])
        with pytest.raises(RemoteStoreError, match="cannot be read") as caught:
            await everything(found)
        assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.asyncio
async def test_an_absent_container_has_nothing(azurite: Azurite) -> None:
    """LIST: `pages` is empty, `page` raises NotFound with the service's code."""
    async with wired(azurite, "no-such-container") as found:
        assert await everything(found) == []
        with pytest.raises(NotFound) as caught:
            await page(found.wire, "k", prefix="")
        assert (caught.value.code, caught.value.path) == ("ContainerNotFound", "k")


@pytest.mark.asyncio
async def test_a_container_that_vanishes_raises(azurite: Azurite, many: str) -> None:
    """404 after the first page is an error: what was listed is not all."""
    async with wired(azurite, many) as found:
        more = "<EnumerationResults><Blobs/><NextMarker>m</NextMarker></EnumerationResults>"
        spoil(found, [more], [])
        async with aclosing(pages(found.wire, "", prefix="")) as source:
            await anext(source)
            say(found, lambda method, kind: True, 404, "ContainerNotFound")
            with pytest.raises(NotFound):
                await anext(source)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "expected"), [(403, PermissionDenied), (503, BackendUnavailable)]
)
async def test_what_cannot_be_told_raises(
    azurite: Azurite, many: str, status: int, expected: type[RemoteStoreError]
) -> None:
    """An answer that is no listing is an error, never an empty one."""
    async with wired(azurite, many) as found:
        say(found, lambda method, kind: True, status, "Whatever", 9)
        with pytest.raises(expected):
            await everything(found)


@pytest.mark.asyncio
async def test_the_loop_is_served_while_a_page_is_read(
    azurite: Azurite, many: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a page of 5000 blobs is read, others get their turn many times."""
    entry = "<Blob><Name>{:06}</Name><Properties><Etag>0x1</Etag></Properties></Blob>"
    document = "<EnumerationResults><Blobs>" + "".join(map(entry.format, range(5000)))
    turns = 0
    before = -1

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def parse(body: bytes) -> Any:
        nonlocal before
        before = turns
        return parse_page(body)

    monkeypatch.setattr(_service, "parse_page", parse)
    async with wired(azurite, many) as found:
        spoil(found, [document + "</Blobs></EnumerationResults>"], [])
        counting = asyncio.create_task(count())
        assert len((await page(found.wire, "", prefix="")).objects) == 5000
        during = turns - before
        counting.cancel()
    assert during > 40
