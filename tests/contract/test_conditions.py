"""`if_match`: what a store refuses, what reaches a backend, and that all of ours decide it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.contract.probes import Recorder, Source, as_backend, names
from tests.contract.reference import NAME, DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    Store,
)
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

pytestmark = pytest.mark.asyncio

Call = Callable[[Any, Any], Awaitable[Any]]

WRITES: dict[str, Call] = {
    "write": lambda s, etag: s.write("d/f", b"new", if_match=etag),
    "write_text": lambda s, etag: s.write_text("d/f", "new", if_match=etag),
    "write_atomic": lambda s, etag: s.write_atomic("d/f", b"new", if_match=etag),
    "stream": lambda s, etag: s.write("d/f", [b"n", b"ew"], if_match=etag),
}
OTHERS: dict[str, Call] = {
    "delete": lambda s, etag: s.delete("d/f", if_match=etag),
    "move": lambda s, etag: s.move("d/f", "d/g", if_match=etag),
    "copy": lambda s, etag: s.copy("d/f", "d/g", if_match=etag),
    "move onto itself": lambda s, etag: s.move("d/f", "d/f", if_match=etag),
    "copy onto itself": lambda s, etag: s.copy("d/f", "d/f", if_match=etag),
}
CALLS = WRITES | OTHERS


class Conditional(Recorder):
    """Says that it decides conditions, and takes note of what it is told."""

    CONTRACT = "1.1"


def recorder(*missing: Capability) -> Conditional:
    return Conditional(DictBackend(), CapabilitySet(set(Capability) - set(missing)))


# The store ---------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("etag", "error"),
    [
        ("", ValueError),
        ("*", ValueError),
        ('"v"', ValueError),
        ("v\r\nx", ValueError),
        ("vé", ValueError),
        (7, TypeError),
    ],
)
async def test_what_is_no_etag_is_refused(name: str, etag: Any, error: type[Exception]) -> None:
    """Before the backend is asked, by the sync store too."""
    backend = recorder()
    with pytest.raises(error, match="if_match"):
        await CALLS[name](AsyncStore(as_backend(backend)), etag)
    with pytest.raises(error, match="if_match"):
        CALLS[name](Store(MemoryBackend()), etag)
    assert backend.calls == []


@pytest.mark.parametrize("name", CALLS)
async def test_gate(name: str) -> None:
    """What is not declared is refused by name, before path, content and backend."""
    for backend in (recorder(Capability.CONDITIONAL_WRITE), Recorder(DictBackend())):
        with pytest.raises(CapabilityNotSupported) as caught:
            await CALLS[name](AsyncStore(as_backend(backend)), "v")
        assert caught.value.capability == "conditional_write"
        assert (caught.value.backend, backend.calls) == (NAME, [])


async def test_the_content_of_a_refused_write_is_not_read() -> None:
    """It is closed, and nothing of it was pulled."""
    source = Source([b"x"])
    store = AsyncStore(as_backend(recorder(Capability.CONDITIONAL_WRITE)))
    with pytest.raises(CapabilityNotSupported):
        await store.write("f", source.open(), if_match="v")
    assert source.pulled == 0


async def test_only_who_is_asked_for_a_version_is_told_of_one() -> None:
    """A backend gets the keyword where the caller gave it, and otherwise never."""
    backend = recorder()
    store = AsyncStore(as_backend(backend))
    await store.write("d/f", b"x")
    await store.copy("d/f", "d/g")
    await store.move("d/g", "d/h")
    await store.delete("d/h")
    assert all("if_match" not in kwargs for _, _, kwargs in backend.calls)
    for name, call in CALLS.items():
        backend.calls.clear()
        with pytest.raises(TypeError):  # this one lied: it knows of no conditions
            await call(store, "v")
        assert [kwargs["if_match"] for _, _, kwargs in backend.calls] == ["v"], name


# The backends ------------------------------------------------------------------


@pytest.fixture(params=["memory", "local", "sync memory", "sync local", "there and back"])
def decides(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncBackend:
    """Each of our backends that needs no service, and both bridges."""
    made: dict[str, Callable[[], AsyncBackend]] = {
        "memory": AsyncMemoryBackend,
        "local": lambda: AsyncLocalBackend(tmp_path),
        "sync memory": lambda: SyncBackendAdapter(MemoryBackend()),
        "sync local": lambda: SyncBackendAdapter(LocalBackend(tmp_path)),
        "there and back": lambda: SyncBackendAdapter(AsyncBackendSyncAdapter(AsyncMemoryBackend())),
    }
    return made[request.param]()


@pytest_asyncio.fixture
async def store(decides: AsyncBackend) -> AsyncIterator[AsyncStore]:
    async with AsyncStore(decides) as store:
        yield store


@pytest.mark.parametrize("name", CALLS)
async def test_the_current_version(name: str, store: AsyncStore) -> None:
    """An ETag of a write, and of get_file_info, is one that can be asked for."""
    told = (await store.write("d/f", b"old")).etag
    assert told == (await store.get_file_info("d/f")).etag == (await store.head("d/f")).etag
    await CALLS[name](store, told)
    if name in WRITES:
        assert await store.read_bytes("d/f") == b"new"
    else:
        wanted = {"delete": [], "move": ["d/g"], "copy": ["d/f", "d/g"]}
        assert await names(store) == wanted.get(name, ["d/f"])


@pytest.mark.parametrize("name", CALLS)
async def test_another_version(name: str, store: AsyncStore) -> None:
    """It is refused, and nothing is changed, though the two have one size and content."""
    told = (await store.write("d/f", b"old")).etag
    now = await store.write("d/f", b"old", overwrite=True)
    for etag in (told, "nonsense", f"{now.etag}0"):
        with pytest.raises(PreconditionFailed) as caught:
            await CALLS[name](store, etag)
        assert (caught.value.path, caught.value.outcome_unknown) == ("d/f", False)
    assert await names(store) == ["d/f"]
    assert (await store.get_file_info("d/f")).etag == now.etag


@pytest.mark.parametrize("name", CALLS)
async def test_nothing_there(name: str, store: AsyncStore) -> None:
    """A write has no version to replace; what needs a file says that there is none."""
    with pytest.raises(PreconditionFailed if name in WRITES else NotFound):
        await CALLS[name](store, "v")
    assert not await store.exists("d")
    await store.delete("d/f", if_match="v", missing_ok=True)


@pytest.mark.parametrize("name", CALLS)
async def test_other_mistakes_are_told_first(name: str, store: AsyncStore) -> None:
    """A folder is no version of a file, and below a file there is none."""
    await store.write("d/f/inner", b"x")
    with pytest.raises(InvalidPath):
        await CALLS[name](store, "v")
    await store.delete_folder("d", recursive=True)
    await store.write("d", b"x")
    with pytest.raises(InvalidPath if name in WRITES else NotFound):
        await CALLS[name](store, "v")


async def test_a_stale_write_reads_no_content(store: AsyncStore) -> None:
    """It is refused as an existing file is: before the source is asked for anything."""
    await store.write("f", b"old")
    source = Source([b"x"])
    with pytest.raises(PreconditionFailed):
        await store.write("f", source.open(), if_match="v")
    assert source.pulled == 0


async def test_the_version_is_looked_at_again_at_the_end(store: AsyncStore) -> None:
    """A stream takes its time; what somebody writes meanwhile is not lost."""
    told = (await store.write("f", b"old")).etag

    async def content() -> AsyncIterator[bytes]:
        yield b"mine"
        await store.write("f", b"theirs", overwrite=True)

    with pytest.raises(PreconditionFailed):
        await store.write("f", content(), if_match=told)
    assert await store.read_bytes("f") == b"theirs"
    assert await names(store) == ["f"]
