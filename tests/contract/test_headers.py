"""Content headers: what a store refuses, what reaches a backend, and that memory keeps them."""

from __future__ import annotations

import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.contract.probes import Recorder, Source, as_backend
from tests.contract.reference import DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    ContentHeaders,
    RemotePath,
    Store,
)
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

Call = Callable[[Any, Any], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "write": lambda s, headers: s.write("d/f", b"new", headers=headers),
    "write_text": lambda s, headers: s.write_text("d/f", "new", headers=headers),
    "write_atomic": lambda s, headers: s.write_atomic("d/f", b"new", headers=headers),
    "stream": lambda s, headers: s.write("d/f", [b"n", b"ew"], headers=headers),
}
GIVEN = ContentHeaders(content_type="text/csv", content_disposition='attachment; filename="a b"')


class Keeping(Recorder):
    """Says that it keeps headers, and takes note of what it is told."""

    CONTRACT = "1.1"


def recorder(*missing: Capability) -> Keeping:
    return Keeping(DictBackend(), CapabilitySet(set(Capability) - set(missing)))


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("headers", "error"),
    [
        (ContentHeaders(content_type="text/plain\r\nx: y"), ValueError),
        (ContentHeaders(cache_control="a\0b"), ValueError),
        (ContentHeaders(content_disposition='filename="\N{SNOWMAN}"'), ValueError),
        (ContentHeaders(content_encoding=""), ValueError),
        (ContentHeaders(content_encoding=" gzip"), ValueError),
        (ContentHeaders(content_type=b"text/plain"), TypeError),  # type: ignore[arg-type]
        ({"content_type": "text/plain"}, TypeError),
        ("text/plain", TypeError),
    ],
)
async def test_what_would_not_come_back_is_refused(
    name: str, headers: Any, error: type[Exception]
) -> None:
    """Before the backend is asked, by the sync store too; no header smuggles another one in."""
    backend = recorder()
    with pytest.raises(error):
        await CALLS[name](AsyncStore(as_backend(backend)), headers)
    with pytest.raises(error):
        CALLS[name](Store(MemoryBackend()), headers)
    assert backend.calls == []


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
async def test_gate(name: str) -> None:
    """What is not declared is refused by name, and nothing given is nothing to refuse."""
    for backend in (recorder(Capability.CONTENT_HEADERS), Recorder(DictBackend())):
        store = AsyncStore(as_backend(backend))
        with pytest.raises(CapabilityNotSupported) as caught:
            await CALLS[name](store, GIVEN)
        assert (caught.value.capability, backend.calls) == ("content_headers", [])
        await CALLS[name](store, ContentHeaders())
        assert [("headers" in kwargs) for _, _, kwargs in backend.calls] == [False]


@pytest.mark.asyncio
async def test_the_content_of_a_refused_write_is_not_read() -> None:
    """It is closed, and nothing of it was pulled."""
    source = Source([b"x"])
    store = AsyncStore(as_backend(recorder(Capability.CONTENT_HEADERS)))
    with pytest.raises(CapabilityNotSupported):
        await store.write("f", source.open(), headers=GIVEN)
    assert source.pulled == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "make",
    [
        AsyncMemoryBackend,
        lambda: SyncBackendAdapter(MemoryBackend()),
        lambda: SyncBackendAdapter(AsyncBackendSyncAdapter(AsyncMemoryBackend())),
    ],
    ids=["async", "sync", "there and back"],
)
async def test_memory_keeps_them(name: str, make: Callable[[], AsyncBackend]) -> None:
    """With metadata beside them, through both bridges, below a root, in copies and moves."""
    async with AsyncStore(make(), "root") as store:
        await CALLS[name](store, GIVEN)
        info = await store.get_file_info("d/f")
        assert (info.headers, info.content_type, info.metadata) == (GIVEN, "text/csv", None)
        kept = {"a": "b"}
        etag = (await store.write("f", b"", metadata=kept, headers=GIVEN)).etag
        await store.write("f", b"x", metadata=kept, headers=GIVEN, if_match=etag)
        await store.copy("f", "new folder/g")
        await store.copy("f", "g")
        await store.move("g", "h")
        for path in ("f", "new folder/g", "h"):
            info = await store.get_file_info(path)
            assert (info.headers, info.metadata, info.size) == (GIVEN, kept, 1)
        await store.write("f", b"", overwrite=True)
        info = await store.get_file_info("f")
        assert (info.headers, info.content_type, info.metadata) == (None, None, None)


def test_guessed() -> None:
    """By the name's end, the same on every machine; of a compressed file the outer type."""
    guessed = {
        "a.csv": "text/csv",
        "d.txt/b.JSON": "application/json",
        "a.csv.gz": "application/gzip",
        "a.tar.xz": "application/x-xz",
        "a b?#.png": "image/png",
        "data:text/html,x": None,
        "noend": None,
        ".csv": None,
        "a.unheard": None,
    }
    for name, kind in guessed.items():
        assert ContentHeaders.guessed(name) == ContentHeaders(content_type=kind), name
    assert ContentHeaders.guessed(RemotePath("d/a.csv")).content_type == "text/csv"


def test_a_value() -> None:
    """They compare, and pickle, and do not change."""
    assert pickle.loads(pickle.dumps(GIVEN)) == GIVEN != ContentHeaders()
    with pytest.raises(AttributeError):
        GIVEN.content_type = "x"  # type: ignore[misc]
