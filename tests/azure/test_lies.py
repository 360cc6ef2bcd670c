"""Answers of the service's own form that are not true: refused, bounded, and never endless."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final
from xml.sax.saxutils import escape

import pytest
from tests.azure.flat import QUICK, gathered
from tests.azure.scripted import Act, reply, scripted
from tests.azure.test_foreign_answers import opened

from remote_store import BackendUnavailable, RemoteStoreError, RetryPolicy
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._datalake.list_paths import entries_of
from remote_store_azure._rest import operations as _operations
from remote_store_objects._session import progress as _progress

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncAzureBackend], Awaitable[Any]]

XML: Final = "application/xml"


def blobs(*names: str, prefixes: tuple[str, ...] = (), marker: str = "", size: str = "1") -> bytes:
    """Return a page of List Blobs."""
    entries = "".join(
        f"<Blob><Name>{escape(name)}</Name><Properties><Content-Length>{size}</Content-Length>"
        "</Properties></Blob>"
        for name in names
    )
    entries += "".join(f"<BlobPrefix><Name>{p}</Name></BlobPrefix>" for p in prefixes)
    body = (
        f"<EnumerationResults><Blobs>{entries}</Blobs><NextMarker>{marker}</NextMarker>"
        "</EnumerationResults>"
    )
    return reply(200, body.encode(), Content_Type=XML)


def paths(*names: str, folders: tuple[str, ...] = (), more: str = "", size: object = "1") -> bytes:
    """Return a page of List Paths."""
    found: list[dict[str, object]] = [{"name": name, "contentLength": size} for name in names]
    found += [{"name": name, "isDirectory": "true"} for name in folders]
    body = json.dumps({"paths": found}).encode()
    return reply(200, body, Content_Type="application/json", x_ms_continuation=more)


FOLDER: Final = reply(200, b"", **{"x-ms-meta-hdi_isfolder": "true", "Content-Length": "0"})

LISTINGS: Final[dict[str, Call]] = {
    "list_files": lambda b: gathered(b.list_files("d")),
    "recursive": lambda b: gathered(b.list_files("d", recursive=True)),
    "by depth": lambda b: gathered(b.list_files("d", recursive=True, max_depth=3)),
    "list_folders": lambda b: gathered(b.list_folders("d")),
    "iter_children": lambda b: gathered(b.iter_children("d")),
    "glob": lambda b: gathered(b.glob("d/*/x")),
    "glob **": lambda b: gathered(b.glob("d/**")),
    "get_folder_info": lambda b: b.get_folder_info("d"),
}
AT_ONCE: Final = ("recursive", "glob **", "get_folder_info")


@pytest.mark.parametrize("name", ["e/x", "d", "dx", "other", "D/x"])
@pytest.mark.parametrize("call", [*LISTINGS, "is_folder", "delete_folder"])
async def test_a_listing_of_something_else_is_refused_as_a_whole(call: str, name: str) -> None:
    """A blob outside of the asked prefix: nothing is shown of the page, and nothing deleted."""
    more: dict[str, Call] = {
        "is_folder": lambda b: b.is_folder("d"),
        "delete_folder": lambda b: b.delete_folder("d", recursive=True),
    }
    async with scripted(blobs("d/a", name)) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match=r"does not belong|cannot be read") as caught:
            await (LISTINGS | more)[call](backend)
    assert {seen.method for seen in server.seen} == {"GET"}
    assert not isinstance(caught.value, BackendUnavailable)


@pytest.mark.parametrize("prefix", ["d/", "d", "d/e", "e/", "d/e/f/", "x"])
@pytest.mark.parametrize("call", [n for n in LISTINGS if n not in AT_ONCE])
async def test_a_folder_that_was_not_asked_for(call: str, prefix: str) -> None:
    """A prefix equal to the one asked, elsewhere, or deeper: no walk follows it."""
    page = blobs(prefixes=(prefix,))
    async with scripted(page) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match=r"does not belong|cannot be read"):
            await LISTINGS[call](backend)
    assert len(server.seen) == 1


@pytest.mark.parametrize("call", [n for n in LISTINGS if n not in AT_ONCE])
async def test_a_blob_below_a_folder_that_hides_it(call: str) -> None:
    """With a delimiter the service shows the folder, not what is in it."""
    async with scripted(blobs("d/e/f")) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match=r"does not belong|cannot be read"):
            await LISTINGS[call](backend)


@pytest.mark.parametrize("name", ["e/x", "d", "dx", "d/"])
@pytest.mark.parametrize("call", [n for n in LISTINGS if n != "glob"])
async def test_a_listing_of_something_else_on_a_hierarchical_account(call: str, name: str) -> None:
    """Also there the whole page is refused."""
    async with scripted(FOLDER, paths("d/a", name)) as server, opened(server, hns=True) as backend:
        with pytest.raises(RemoteStoreError, match=r"does not belong|cannot be read"):
            await LISTINGS[call](backend)


@pytest.mark.parametrize("folder", ["d", "d/e/f"])
async def test_a_folder_that_is_itself(folder: str) -> None:
    """A folder that holds itself is no endless walk."""
    answers = (FOLDER, paths(folders=(folder,)))
    async with scripted(*answers) as server, opened(server, hns=True) as backend:
        with pytest.raises(RemoteStoreError, match=r"does not belong|cannot be read"):
            await LISTINGS["by depth"](backend)


def _alternating(page: Callable[[str], bytes]) -> list[Act]:
    return [page(marker) for marker in ("m", "n", "m", "n", "m")]


@pytest.mark.parametrize("call", [*LISTINGS, "is_folder", "delete_folder"])
async def test_markers_that_alternate_are_an_end(call: str) -> None:
    """The same marker again is an error, however many others came between."""
    more: dict[str, Call] = {
        "is_folder": lambda b: b.is_folder("d"),
        "delete_folder": lambda b: b.delete_folder("d", recursive=True),
    }
    acts = _alternating(lambda marker: blobs(marker=marker))
    async with scripted(*acts) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match="does not end"):
            await (LISTINGS | more)[call](backend)
    assert len(server.seen) == 3


@pytest.mark.parametrize("call", [n for n in LISTINGS if n != "glob"])
async def test_continuations_that_alternate_are_an_end(call: str) -> None:
    """Also on a hierarchical account."""
    acts = _alternating(lambda more: paths(more=more))
    async with scripted(FOLDER, *acts) as server, opened(server, hns=True) as backend:
        with pytest.raises(RemoteStoreError, match="does not end"):
            await LISTINGS[call](backend)


@pytest.mark.parametrize("call", AT_ONCE)
async def test_the_same_page_under_new_markers_is_an_end(call: str) -> None:
    """What starts with a blob that another page started with is that page again."""
    acts = [blobs("d/a", marker=str(n)) for n in range(9)]
    async with scripted(*acts) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match="does not end"):
            await LISTINGS[call](backend)
    assert len(server.seen) == 2


@pytest.mark.parametrize("call", ["list_folders", "iter_children"])
async def test_the_same_folders_under_new_markers_are_an_end(call: str) -> None:
    """A page of nothing but folders that came before is that page again."""
    acts = [blobs(prefixes=("d/a/", "d/b/"), marker=str(n)) for n in range(9)]
    async with scripted(*acts) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match="does not end"):
            await LISTINGS[call](backend)
    assert len(server.seen) == 2


@pytest.mark.parametrize("call", ["list_folders", "iter_children"])
async def test_pages_of_folders_are_progress(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing of nothing but folders goes on, however long its pages and their consumer take."""
    monkeypatch.setattr(_progress, "_PATIENCE", 0.0)
    acts = [*(blobs(prefixes=(f"d/{n}/",), marker=str(n)) for n in range(3)), blobs()]
    async with scripted(*acts) as server, opened(server, hns=False) as backend:
        assert len(await LISTINGS[call](backend)) == 3


@pytest.mark.parametrize("hns", [False, True])
async def test_a_folder_that_ends_is_progress(hns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a consumer is not that of an empty page which comes after it."""
    monkeypatch.setattr(_progress, "_PATIENCE", 0.1)
    flat = (blobs("d/f", prefixes=("d/a/",)), blobs(marker="m"), blobs("d/a/f"))
    tree = (FOLDER, paths("d/f", folders=("d/a",)), paths(more="m"), paths("d/a/f"))
    async with scripted(*(tree if hns else flat)) as server, opened(server, hns=hns) as backend:
        found = []
        async for info in backend.list_files("d", recursive=True, max_depth=1):
            found.append(info.path.as_posix())
            await asyncio.sleep(0.15)
    assert found == ["d/f", "d/a/f"]


async def test_a_deletion_that_never_ends() -> None:
    """A continuation that comes again ends it, and what was deleted is not known."""
    again = reply(200, x_ms_continuation="c")
    async with scripted(FOLDER, again) as server, opened(server, hns=True) as backend:
        with pytest.raises(RemoteStoreError, match="does not end") as caught:
            await backend.delete_folder("d", recursive=True)
    assert caught.value.outcome_unknown


async def test_empty_pages_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """New markers without an entry end after the policy's time, or after an hour without one."""
    assert _progress._PATIENCE == 3600
    for retry in (RetryPolicy(timeout=0.2), QUICK):
        monkeypatch.setattr(_progress, "_PATIENCE", 0.2)
        count = iter(range(100_000))

        async def more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(blobs(marker=f"m{next(count)}"))  # noqa: B023 - used within the turn
            await writer.drain()

        async with scripted(more) as server, opened(server, hns=False, retry=retry) as backend:
            with pytest.raises(BackendUnavailable, match=r"no progress for 0\.2 seconds"):
                await backend.is_folder("d")


@pytest.mark.parametrize("hns", [False, True])
async def test_a_copy_that_is_pending_for_ever(hns: bool) -> None:
    """Without progress it ends with the policy's time; the service may complete it nevertheless."""
    there = [reply(200, Content_Length="1")] * hns
    pending = reply(202, x_ms_copy_status="pending")
    look = reply(200, x_ms_copy_status="pending", x_ms_copy_progress="1/9", Content_Length="0")
    async with (
        scripted(*there, pending, look) as server,
        opened(server, hns=hns, retry=RetryPolicy(timeout=0.3)) as backend,
    ):
        with pytest.raises(BackendUnavailable, match="no progress") as caught:
            await backend.copy("a", "b", overwrite=True)
    assert caught.value.outcome_unknown


async def test_a_copy_that_goes_on_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as bytes are copied it may take longer than the policy's time."""
    monkeypatch.setattr("remote_store_azure._blob.copy._LONGEST_WAIT", 0.05)
    acts = [
        reply(200, x_ms_copy_status="pending", x_ms_copy_progress=f"{n}/9", Content_Length="0")
        for n in range(9)
    ]
    async with (
        scripted(reply(202, x_ms_copy_status="pending"), *acts, reply(200)) as server,
        opened(server, hns=False, retry=RetryPolicy(timeout=0.3)) as backend,
    ):
        await backend.copy("a", "b", overwrite=True)
    assert len(server.seen) == 11


async def test_a_copy_of_unknown_state_is_not_removed() -> None:
    """Only what the service says to have given up is removed."""
    odd = reply(202, x_ms_copy_status="sleeping")
    async with scripted(odd) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match="does not tell") as caught:
            await backend.copy("a", "b", overwrite=True)
    assert [seen.method for seen in server.seen] == ["PUT"]
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("size", ["-1", "1.5", "x", "9" * 30, "1_0", "\u0663", "Infinity"])
async def test_impossible_sizes(size: str) -> None:
    """A listing with a size that none can have is no listing."""
    for hns, page in ((False, blobs("d/a", size=size)), (True, paths("d/a", size=size))):
        acts = [FOLDER] * hns + [page]
        async with scripted(*acts) as server, opened(server, hns=hns) as backend:
            with pytest.raises(RemoteStoreError, match="cannot be read"):
                await LISTINGS["recursive"](backend)


@pytest.mark.parametrize(
    "body",
    [
        b'{"paths":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"paths":[{"name":"d/a","contentLength":Infinity}]}',
        b'{"paths":[{"name":"d/a","contentLength":NaN}]}',
        b'{"paths":[{"name":"d/a","contentLength":-1}]}',
        b'{"paths":[{"name":"d/a","contentLength":true}]}',
        b'{"paths":[{"name":"d/a","contentLength":' + b"9" * 10_000 + b"}]}",
        b'{"paths":[{"name":"d/a","etag":5}]}',
        b'{"paths":[{"name":"d/a","lastModified":5}]}',
        b'{"paths":{"a":1}}',
        b'{"paths":5}',
        b'{"paths":[5]}',
        b'"paths"',
        b"\xff\xfe",
    ],
)
async def test_json_that_is_no_listing(body: bytes) -> None:
    """Whatever a body holds, it is a ValueError of ours and never another exception."""
    with pytest.raises(ValueError, match=r"."):
        entries_of(body)


@pytest.mark.parametrize(
    "head", ['<?xml version="1.0" encoding="nonsense"?>', '<?xml version="1.0" encoding="utf-7"?>']
)
async def test_xml_in_an_encoding_that_nobody_knows(head: str) -> None:
    """It is a listing that cannot be read, and no LookupError."""
    page = reply(200, f"{head}<EnumerationResults/>".encode(), Content_Type=XML)
    async with scripted(page) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match="cannot be read"):
            await LISTINGS["recursive"](backend)


@pytest.mark.parametrize("call", ["list_files", "list_folders", "by depth"])
async def test_a_name_that_is_no_text(call: str) -> None:
    """JSON can say half a character, which has no form in a URL."""
    acts = (FOLDER, paths("d/f", folders=("d/\ud800",)))
    async with scripted(*acts) as server, opened(server, hns=True) as backend:
        with pytest.raises(RemoteStoreError, match="cannot be read"):
            await LISTINGS[call](backend)


async def test_a_checksum_that_is_none() -> None:
    """A file has no digest then."""
    answer = reply(200, Content_Length="1", Content_MD5="\u00e9")
    async with scripted(answer) as server, opened(server, hns=False) as backend:
        assert (await backend.get_file_info("k")).digest is None


async def test_xml_that_is_nested_beyond_measure() -> None:
    """It is read, and is no listing."""
    deep = b"<EnumerationResults><Blobs>" + b"<a>" * 100_000 + b"</a>" * 100_000
    page = reply(200, deep + b"</Blobs></EnumerationResults>", Content_Type=XML)
    async with scripted(page) as server, opened(server, hns=False) as backend:
        assert await LISTINGS["recursive"](backend) == []


async def test_errors_are_read_to_a_bound() -> None:
    """Of an endless body of an error no more is read than 64 KiB, and the error is raised."""
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(reply(403, b"<Error><Code>No</Code>", Content_Length=str(1 << 40)))
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with scripted(endless) as server, opened(server, hns=False) as backend:
        for call in (backend.read_bytes("a"), backend.write("a", b"x"), backend.delete("a")):
            with pytest.raises(RemoteStoreError) as caught:
                await call
            assert caught.value.status == 403
    assert _operations.SHORT == 1 << 16
    assert sent < 64 << 20  # what the sockets buffer


async def test_pages_are_read_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of more than its documented size is refused instead of filling the memory."""
    assert _operations.LIST_BLOBS.most == _operations.LIST_PATHS.most == 64 << 20

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"<EnumerationResults>", Content_Length=str(1 << 40)))
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async with scripted(endless) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError, match="longer than 67108864 bytes"):
            await backend.is_folder("a")
