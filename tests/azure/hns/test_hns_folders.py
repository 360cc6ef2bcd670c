"""Folders that a write made go with it when it fails; those of others stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from tests.azure.hns.lake import Lake

from remote_store import (
    BackendUnavailable,
    PreconditionFailed,
    RemoteStoreError,
    RetryPolicy,
    StoreClosed,
)
from remote_store_azure import AsyncAzureBackend
from remote_store_objects._session import loops as _loops

pytestmark = pytest.mark.asyncio


async def failing(act: Callable[[], object] = lambda: None) -> AsyncIterator[bytes]:
    """Yield more than a block, do something, and fail."""
    yield b"x" * (9 << 20)
    act()
    msg = "the source failed"
    raise ValueError(msg)


async def fail(backend: AsyncAzureBackend, key: str, act: Callable[[], object]) -> None:
    """Write a stream that fails on its way."""
    with pytest.raises(ValueError, match="the source failed"):
        await backend.write(key, failing(act))


async def test_a_failed_write_leaves_no_folders(lake: Lake, backend: AsyncAzureBackend) -> None:
    """A file of that name can be written afterwards."""
    seen: set[str] = set()
    await fail(backend, "a/b/f", lambda: seen.update(lake.folders()))
    assert seen == {"a", "a/b"}
    assert (lake.files(), lake.folders()) == ({}, set())
    await backend.write("a", b"a file")


async def test_folders_of_others_stay(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Empty ones that were there before, and those that somebody uses or makes anew meanwhile."""
    lake.mkdir("old/older")
    await fail(backend, "old/older/new/newer/f", lambda: None)
    assert lake.folders() == {"old", "old/older"}
    await fail(backend, "used/new/f", lambda: lake.put("used/g"))
    assert lake.folders() == {"old", "old/older", "used"}
    await fail(backend, "marked/f", lambda: lake.mkdir("marked"))
    assert lake.folders() == {"old", "old/older", "used", "marked"}


async def test_a_failed_write_does_not_disturb_another(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Whoever makes the folders, the other one's file is there in the end."""

    async def fails(key: str) -> None:
        with pytest.raises(ValueError, match="the source failed"):
            await backend.write(key, failing())

    for number in range(8):
        folder = f"{number}/new"
        writers = [fails(f"{folder}/f"), backend.write_atomic(f"{folder}/g", b"g")]
        if number % 2:
            writers.reverse()
        await asyncio.gather(*writers, backend.write(f"{folder}/h", b"h"))
    assert lake.files() == {f"{n}/new/{name}": name.encode() for n in range(8) for name in "gh"}


async def test_a_failed_write_asks_for_what_it_made_only(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """One question where nothing was made, two requests more for each folder that was."""
    lake.mkdir("there")
    await fail(backend, "there/f", lake.emulator.requests.clear)
    assert lake.seen()[-2:] == ["DELETE dfs /there/TMP  200", "HEAD blob /there  200"]
    await fail(backend, "there/new/f", lake.emulator.requests.clear)
    assert lake.seen()[-4:] == [
        "DELETE dfs /there/new/TMP  200",
        "HEAD blob /there/new  200",
        "DELETE dfs /there/new recursive=false 200",
        "HEAD blob /there  200",
    ]


async def test_folders_that_cannot_be_removed_do_no_harm(
    lake: Lake, backend: AsyncAzureBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """The writer's own exception passes, without a warning."""

    async def before(request: Any) -> None:
        if request.method == "DELETE" and "recursive" in request.url:
            msg = "no way"
            raise ConnectionError(msg)

    await backend.exists("a")
    lake.transport.before = before
    with pytest.raises(ValueError, match="the source failed"):
        await backend.write("a/f", failing())
    assert (lake.files(), lake.folders()) == ({}, {"a"})
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_refused_move_leaves_no_folders(lake: Lake, backend: AsyncAzureBackend) -> None:
    """What it made for its destination goes, if the source is another one by then."""
    lake.put("f", b"f")

    async def after(request: Any, answer: Any) -> Any:
        if "resource=directory" in request.url:
            lake.put("f", b"other")
        return answer

    await backend.exists("a")
    lake.transport.after = after
    with pytest.raises(PreconditionFailed) as caught:
        await backend.move("f", "a/b/g")
    assert isinstance(caught.value, RemoteStoreError)
    assert not caught.value.outcome_unknown
    assert (lake.files(), lake.folders()) == ({"f": b"other"}, set())


@pytest.mark.parametrize("end", ["broken", "cancelled", "closed"])
@pytest.mark.parametrize("at", ["resource=directory", "mode=legacy"])
async def test_a_move_that_breaks_off_leaves_no_folders(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, at: str, end: str
) -> None:
    """Whether no answer comes, the mover gives up or the backend closes, at the folder or later."""
    monkeypatch.setattr(_loops, "_GRACE", 0.0)
    backend = lake.backend(retry=RetryPolicy.disabled())
    lake.put("f", b"f")
    stuck = asyncio.Event()
    made = False

    async def before(request: Any) -> None:
        if made and at in request.url:
            await stop()

    async def after(request: Any, answer: Any) -> Any:
        nonlocal made
        if "resource=directory" in request.url:
            made = True
            if at in request.url:
                await stop()
        return answer

    async def stop() -> None:
        lake.transport.before = None
        stuck.set()
        if end == "broken":
            msg = "broken"
            raise ServiceResponseError(msg)
        await asyncio.sleep(0.1 if at == "resource=directory" else 30)

    await backend.exists("a")
    lake.transport.before, lake.transport.after = before, after
    moving = asyncio.create_task(backend.move("f", "a/b/g"))
    await stuck.wait()
    if end == "cancelled":
        moving.cancel()
    if end == "closed":
        await backend.aclose()
    expected = {"broken": BackendUnavailable, "closed": StoreClosed}
    with pytest.raises(expected.get(end, asyncio.CancelledError)):
        await moving
    await backend.aclose()
    assert lake.files() == {"f": b"f"}
    if (at, end) != ("resource=directory", "broken"):  # whose folder it is by then, nobody knows
        assert lake.folders() == set()
