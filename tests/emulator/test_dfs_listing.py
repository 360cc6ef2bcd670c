"""List Paths: order, shape and pages."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest
from tests.emulator.conftest import Raw

from hns_emulator import HnsEmulator
from hns_emulator._state.clock import Clock, etag, filetime, precise

pytestmark = pytest.mark.asyncio

NAMES = ["a", "b/2", "b/1/x", "b.c", "b", "c/d/e"]
ORDERED = ["a", "b", "b/1", "b/1/x", "b/2", "b.c", "c", "c/d", "c/d/e"]


async def listing(raw: Raw, more: str = "", recursive: str = "true") -> list[str]:
    """Return the names of all pages."""
    names: list[str] = []
    continuation = ""
    while True:
        target = f"?resource=filesystem&recursive={recursive}{more}"
        if continuation:
            target += f"&continuation={quote(continuation, safe='')}"
        reply = await raw("GET", "dfs", target)
        assert reply.status == 200
        names += [path["name"] for path in json.loads(reply.body)["paths"]]
        continuation = reply.headers.get("x-ms-continuation", "")
        if not continuation:
            return names


async def fill(raw: Raw) -> None:
    """Create what the tests list."""
    for name in NAMES:
        await raw.create(name, "directory" if name == "b" else "file")


async def test_an_empty_root(raw: Raw) -> None:
    """The body is exactly this, chunked, with a newline."""
    for target in ("?resource=filesystem&recursive=true", "/?resource=filesystem&recursive=true"):
        reply = await raw("GET", "dfs", target)
        assert reply.body == b'{"paths":[]}\n'
        assert reply.headers["Content-Type"] == "application/json;charset=utf-8"
        assert reply.headers["Transfer-Encoding"] == "chunked"


async def test_order_and_depth(raw: Raw) -> None:
    """Depth first, sorted within a directory; names are whole paths."""
    await fill(raw)
    assert await listing(raw) == ORDERED
    assert await listing(raw, "&directory=%2F") == ORDERED
    assert await listing(raw, "&directory=b") == ["b/1", "b/1/x", "b/2"]
    assert await listing(raw, recursive="false") == ["a", "b", "b.c", "c"]
    assert await listing(raw, "&directory=c", recursive="false") == ["c/d"]


@pytest.mark.parametrize("size", range(1, 11))
async def test_pages_of_every_size(raw: Raw, size: int) -> None:
    """Pages make the whole, whatever their size; the last one has no continuation."""
    await fill(raw)
    assert await listing(raw, f"&maxResults={size}") == ORDERED
    assert await listing(raw, f"&directory=b&maxResults={size}") == ["b/1", "b/1/x", "b/2"]


async def test_the_page_cap(raw: Raw) -> None:
    """The knob forces small pages on clients that ask for none."""
    with HnsEmulator(page_cap=2) as emulator:
        emulator.create_filesystem("capped")
        capped = Raw(emulator, raw.session, "capped")
        await fill(capped)
        assert await listing(capped) == ORDERED
        pages = [seen for seen in emulator.requests if seen.method == "GET"]
        assert len(pages) == 5


async def test_a_page_is_cut_from_the_state_at_that_moment(raw: Raw) -> None:
    """What the continuation names may be gone; what comes later is listed."""
    await fill(raw)
    target = "?resource=filesystem&recursive=true&maxResults=4"
    first = await raw("GET", "dfs", target)
    await raw("DELETE", "dfs", "/b?recursive=true")
    await raw.create("b.d")
    await raw.create("a.late")
    continuation = quote(first.headers["x-ms-continuation"], safe="")
    rest = await raw(
        "GET", "dfs", f"?resource=filesystem&recursive=true&continuation={continuation}"
    )
    names = [path["name"] for path in json.loads(rest.body)["paths"]]
    assert names == ["b.c", "b.d", "c", "c/d", "c/d/e"]


async def test_a_continuation_belongs_to_its_listing(raw: Raw) -> None:
    """Another directory, depth or filesystem, and what is no continuation, are 400."""
    await fill(raw)
    first = await raw("GET", "dfs", "?resource=filesystem&recursive=true&maxResults=4")
    token = quote(first.headers["x-ms-continuation"], safe="")
    scope, _ = json.loads(base64.b64decode(first.headers["x-ms-continuation"]))
    forged = quote(base64.b64encode(json.dumps([scope, [1]]).encode()), safe="")
    for target in (
        f"?resource=filesystem&recursive=false&continuation={token}",
        f"?resource=filesystem&recursive=true&directory=b&continuation={token}",
        "?resource=filesystem&recursive=true&continuation=abc",
        "?resource=filesystem&recursive=true&continuation=MTIz",
        "?resource=filesystem&recursive=true&continuation=%C3%A9",
        f"?resource=filesystem&recursive=true&continuation={forged}",
    ):
        reply = await raw("GET", "dfs", target)
        assert (reply.status, reply.code) == (400, "InvalidQueryParameterValue")


async def test_entries(raw: Raw) -> None:
    """Keys are sorted, values are texts, ETags unquoted; only directories say isDirectory."""
    await raw.write("d/f é", b"abc")
    reply = await raw("GET", "dfs", "?resource=filesystem&recursive=true")
    directory, file = json.loads(reply.body)["paths"]
    heads = [(await raw.head(name)).headers for name in ("d", "d/f é")]
    assert list(directory) == sorted(directory)
    assert list(file) == sorted(file)
    assert set(directory) - set(file) == {"isDirectory"}
    assert directory["isDirectory"] == "true"
    assert directory["contentLength"] == "0"
    assert (file["contentLength"], file["name"]) == ("3", "d/f é")
    assert [f'"{entry["etag"]}"' for entry in (directory, file)] == [h["ETag"] for h in heads]
    assert [e["lastModified"] for e in (directory, file)] == [h["Last-Modified"] for h in heads]
    assert (file["owner"], file["permissions"]) == ("$superuser", "rw-r-----")
    assert (directory["expiryTime"], directory["permissions"]) == ("0", "rwxr-x---")
    # A fresh path's creation time, counted from 1601, is its ETag, counted from year 1.
    assert int(directory["creationTime"]) + 504911232000000000 == int(directory["etag"], 16)
    assert reply.body.startswith(b'{"paths":[{"contentLength":"0","creationTime":"')
    assert reply.body.endswith(b'"}]}\n')


async def test_a_missing_directory(raw: Raw) -> None:
    """It is PathNotFound, not empty."""
    reply = await raw("GET", "dfs", "?resource=filesystem&recursive=true&directory=no")
    assert (reply.status, reply.code) == (404, "PathNotFound")


async def test_ticks_as_recorded() -> None:
    """An ETag, its date and its file time belong together as the service has them."""
    ticks = 0x8DECE250DB3BECC
    assert etag(ticks) == "0x8DECE250DB3BECC"
    assert precise(ticks).startswith("2026-06-19T17:06:07.218")
    assert filetime(0x8D9EC91287C7FD3) == "132889698443296723"


async def test_ticks_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they are taken faster than the clock goes, or when it goes back."""
    times = iter([2_000_000_000_000_000_000] * 3 + [1_999_999_999_999_000_000] * 3)
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    clock = Clock()
    ticks = [clock.tick() for _ in range(6)]
    assert ticks == list(range(ticks[0], ticks[0] + 6))
