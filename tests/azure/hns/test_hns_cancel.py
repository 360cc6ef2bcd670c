"""Cancelled at any moment, an operation leaves the old file or the new one, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest
from tests.azure.hns.lake import Lake, pieces
from tests.operations import crossed

from remote_store_azure import AsyncAzureBackend
from remote_store_azure._datalake import staged_write as _drafts

pytestmark = pytest.mark.asyncio

Act = Callable[[AsyncAzureBackend], Awaitable[Any]]

OLD = {"a/f": b"old", "a/g": b"g"}
NEW = b"new" * 100
SMALL = {"max_block_size": 100, "max_single_put_size": 100}

#: What is done, and what it leaves when it is done.
ACTS: dict[str, tuple[Act, dict[str, bytes]]] = {
    "stream": (lambda b: b.write("a/f", pieces(NEW), overwrite=True), {**OLD, "a/f": NEW}),
    "bytes": (lambda b: b.write("a/f", b"new", overwrite=True), {**OLD, "a/f": b"new"}),
    "atomic": (lambda b: b.write_atomic("a/f", b"new", overwrite=True), {**OLD, "a/f": b"new"}),
    "empty": (lambda b: b.write_atomic("a/f", b"", overwrite=True), {**OLD, "a/f": b""}),
    "new stream": (lambda b: b.write("n/f", pieces(NEW)), {**OLD, "n/f": NEW}),
    "move": (lambda b: b.move("a/g", "a/f", overwrite=True), {"a/f": b"g"}),
    "move away": (lambda b: b.move("a/g", "n/f"), {"a/f": b"old", "n/f": b"g"}),
    "copy": (lambda b: b.copy("a/g", "a/f", overwrite=True), {**OLD, "a/f": b"g"}),
    "delete": (lambda b: b.delete("a/f"), {"a/g": b"g"}),
}


async def _done(call: Act, backend: AsyncAzureBackend) -> None:
    await call(backend)


class Halt:
    """Holds one request up, before it is sent or after it is answered."""

    def __init__(self, lake: Lake, number: int, moment: Literal["before", "after"]) -> None:
        self.reached = asyncio.Event()
        self._moment = moment
        self._number = number
        self._seen = 0
        lake.transport.before = self._before
        lake.transport.after = self._after

    async def _before(self, request: Any) -> None:
        self._seen += 1
        if self._moment == "before":
            await self._hold()

    async def _after(self, request: Any, answer: Any) -> Any:
        if self._moment == "after":
            await self._hold()
        return answer

    async def _hold(self) -> None:
        if self._seen == self._number and not self.reached.is_set():
            self.reached.set()
            await asyncio.Event().wait()


@pytest.mark.long
@pytest.mark.parametrize(
    ("act_moment", "concurrency"),
    crossed(
        itertools.product(sorted(ACTS, key=lambda act: "stream" not in act), ["before", "after"]),
        [1, 3],
    ),
)
async def test_cancelled_at_any_request(
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    act_moment: tuple[str, Literal["before", "after"]],
    concurrency: int,
) -> None:
    """Old or new, no temporary file, no task."""
    act, moment = act_moment
    monkeypatch.setattr(_drafts, "PATIENCE", 0.2)
    call, new = ACTS[act]
    backend = lake.backend(client_options=SMALL, max_concurrency=concurrency)
    tasks = asyncio.all_tasks()
    number = 0
    while True:
        number += 1
        for key in lake.folders():
            lake.remove(key)
        for key, content in OLD.items():
            lake.put(key, content)
        await backend.exists("a")

        halt = Halt(lake, number, moment)
        task = asyncio.create_task(_done(call, backend))
        waiting = asyncio.create_task(halt.reached.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.wait({waiting})
        if task.done():
            await task
            break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert lake.files() in (OLD, new), number
        kept = {"a", "n"} if "n/f" in lake.files() or act == "move away" else {"a"}
        assert lake.folders() <= kept, number
        assert asyncio.all_tasks() <= tasks
    assert number > 1
    assert lake.files() == new
    await backend.aclose()


async def test_a_create_that_arrives_late_is_removed_too(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """A request that is on its way when its sender is cancelled may still take effect."""
    await backend.exists("a")
    transport = lake.transport
    send = transport.send
    sent = asyncio.Event()
    strays: set[asyncio.Task[Any]] = set()

    async def slow(request: Any, **options: Any) -> Any:
        async def later() -> Any:
            await asyncio.sleep(0.3)
            return await send(request, **options)

        if "resource=file" not in request.url:
            return await send(request, **options)
        sent.set()
        task = asyncio.create_task(later())
        strays.add(task)
        return await asyncio.shield(task)

    transport.send = slow  # type: ignore[method-assign]
    writing = asyncio.create_task(backend.write_atomic("f", b"new"))
    await sent.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await asyncio.gather(*strays, return_exceptions=True)
    assert lake.files() == {}


async def test_a_removal_that_gets_no_answer_does_not_hold_up_for_ever(
    lake: Lake, backend: AsyncAzureBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a while, and says what is left."""
    monkeypatch.setattr(_drafts, "PATIENCE", 0.2)
    lake.emulator.fault("stall", method="PATCH", seconds=5)
    lake.emulator.fault("stall", method="DELETE", seconds=5)

    writing = asyncio.create_task(backend.write_atomic("f", b"new"))
    await asyncio.sleep(0.3)
    writing.cancel()
    begin = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert asyncio.get_running_loop().time() - begin < 2
    assert [key for key in lake.files() if not key.startswith(".~tmp.")] == []


async def test_a_second_cancellation_does_not_stop_the_removal(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Nor a third."""
    lake.emulator.fault("stall", method="PATCH", seconds=5)
    lake.emulator.fault("stall", method="DELETE", seconds=0.3)

    created = asyncio.Event()

    async def before(request: Any) -> None:
        if request.method == "PATCH":
            created.set()

    await backend.exists("a")
    lake.transport.before = before
    writing = asyncio.create_task(backend.write_atomic("f", b"new"))
    await created.wait()
    await asyncio.sleep(0.1)
    for _ in range(3):
        writing.cancel()
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert lake.files() == {}
