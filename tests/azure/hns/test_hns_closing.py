"""A close that meets a temporary file which is being made, or removed by its writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.azure.hns.lake import MIB, Lake

from remote_store import StoreClosed
from remote_store_objects._session import loops as _loops

pytestmark = pytest.mark.asyncio


async def test_a_creation_that_arrives_late_is_removed_too(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The service carries out what was on its way when the close came; only then is it removed."""
    monkeypatch.setattr(_loops, "_GRACE", 0.1)
    backend = lake.backend()
    await backend.exists("a")
    send = lake.transport.send
    sent = asyncio.Event()
    strays: set[asyncio.Task[Any]] = set()

    async def slow(request: Any, **options: Any) -> Any:
        async def later() -> Any:
            await asyncio.sleep(0.4)
            return await send(request, **options)

        if "resource=file" not in request.url:
            return await send(request, **options)
        sent.set()
        task = asyncio.create_task(later())
        strays.add(task)
        return await asyncio.shield(task)

    lake.transport.send = slow  # type: ignore[method-assign]
    writing = asyncio.create_task(backend.write_atomic("f", b"new"))
    await sent.wait()
    await backend.aclose()
    with pytest.raises(StoreClosed) as caught:
        await writing
    assert not caught.value.outcome_unknown
    await asyncio.gather(*strays)
    assert lake.files() == {}
    assert caplog.text == ""


@pytest.mark.long
@pytest.mark.parametrize("late", [False, True])
async def test_a_removal_that_its_writer_has_begun(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, late: bool
) -> None:
    """The close lets it go on; for two seconds, after which what stays is told."""
    monkeypatch.setattr(_loops, "_GRACE", 0.3)
    monkeypatch.setattr(_loops, "_TIDYING", 0.2 if late else 2.0)
    backend = lake.backend()
    waiting = asyncio.Event()
    fail = asyncio.Event()
    boom = LookupError("mine")

    async def source() -> AsyncIterator[bytes]:
        yield b"x" * 5 * MIB
        waiting.set()
        await fail.wait()
        raise boom

    writing = asyncio.create_task(backend.write("a/f", source()))
    await waiting.wait()
    lake.emulator.fault("stall", method="DELETE", seconds=5 if late else 0.6, times=3)
    fail.set()
    await asyncio.sleep(0.05)
    begin = asyncio.get_running_loop().time()
    await backend.aclose()
    assert asyncio.get_running_loop().time() - begin < 3
    with pytest.raises(LookupError) as caught:
        await writing
    assert caught.value is boom
    left = set(lake.files())
    if late:
        assert len(left) == 1
        assert left.pop() in caplog.text
    else:
        assert left == set()
        assert caplog.text == ""
