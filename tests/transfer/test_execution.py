"""How an execution goes: failures, cancellation, bounds and progress."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.transfer.conftest import Make, contents, fill, watched

from remote_store import (
    BackendUnavailable,
    NotFound,
)
from remote_store_transfer.aio import (
    Progress,
    sync_tree,
)

pytestmark = pytest.mark.asyncio


async def test_one_failure_stops_nothing_and_is_reported(memory: Make) -> None:
    """A store that does not answer for one file; deletions are withheld."""
    source, target = memory(), memory()
    await fill(source, {f"f{i}": b"1" for i in range(20)})
    await fill(target, {"old": b"1"})
    calls: Counter[str] = Counter()

    async def read_bytes(path: str) -> bytes:
        calls[path] += 1
        if path == "f7":
            msg = "no answer"
            raise BackendUnavailable(msg, path=path)
        return b"1"

    watched(source).members["read_bytes"] = read_bytes

    report = await sync_tree(source, target, delete=True, retries=2)

    assert [(f.path, f.kind, f.reason) for f in report.failures] == [("f7", "copy", "no answer")]
    assert (report.copied, report.deletes_withheld, calls["f7"]) == (19, 1, 3)
    assert "old" in await contents(target)


async def test_a_write_whose_outcome_is_unknown_is_not_repeated(memory: Make) -> None:
    """It would meet its own file, and call it somebody else's."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1"})

    async def write(path: str, *args: Any, **options: Any) -> Any:
        await watched(target).backend.write(path, *args, **options)
        msg = "connection lost"
        raise BackendUnavailable(msg, path=path, outcome_unknown=True)

    watched(target).members["write"] = write

    report = await sync_tree(source, target)

    assert [(f.kind, f.reason) for f in report.failures] == [("copy", "connection lost")]
    del watched(target).members["write"]
    assert (await sync_tree(source, target)).skipped == 1


@pytest.mark.slow
async def test_a_cancellation_at_every_await_leaves_old_or_new(memory: Make) -> None:
    """However far it was; and the next run completes it."""
    steps = 0
    for cancel_at in range(1, 400):
        source, target = memory(), memory()
        new = {f"f{i}": b"new" for i in range(6)} | {"large": b"new" * (1 << 19)}
        await fill(source, new)
        await fill(target, {"f0": b"old!", "large": b"old"})
        task = asyncio.create_task(sync_tree(source, target, concurrency=2))
        for _ in range(cancel_at):
            await asyncio.sleep(0)
            if task.done():
                break
        steps = cancel_at
        finished = task.done()
        task.cancel()
        await asyncio.wait({task})
        found = await contents(target)
        assert all(body in (new[path], b"old!", b"old") for path, body in found.items())
        assert {"f0", "large"} <= set(found)
        if finished:
            break
        assert (await sync_tree(source, target)).ok
        assert await contents(target) == new
    assert 5 < steps < 399


@pytest.mark.long
async def test_a_cancellation_leaves_no_temporary_file(local: Make, tmp_path: Path) -> None:
    """On a disk, at moments spread over a run; and the next run completes it."""
    source = local("a")
    new = {f"f{i}": b"new" * 1000 for i in range(20)} | {"large": b"new" * (2 << 20)}
    await fill(source, new)
    interrupted = 0
    for i in range(15):
        target = local(f"b{i}")
        task = asyncio.create_task(sync_tree(source, target, concurrency=4))
        await asyncio.sleep(0.002 + i * 0.004)
        interrupted += task.cancel()
        await asyncio.wait({task})
        found = {p.name: p.read_bytes() for p in (tmp_path / f"b{i}").rglob("*") if p.is_file()}
        assert found.items() <= new.items()
        assert (await sync_tree(source, target)).ok
        assert await contents(target) == new
    assert interrupted >= 3


async def test_files_and_bytes_in_flight_are_bounded(memory: Make) -> None:
    """By both numbers; a file that is larger than the limit goes alone."""
    source, target = memory(), memory()
    await fill(source, {f"f{i}": b"x" * 100 for i in range(30)} | {"big": b"x" * 1000})
    flying = most = heavy = 0

    async def read_bytes(path: str) -> bytes:
        nonlocal flying, most, heavy
        flying += 1
        most, heavy = max(most, flying), max(heavy, flying if path == "big" else 0)
        await asyncio.sleep(0.001)
        flying -= 1
        body: bytes = await watched(source).backend.read_bytes(path)
        return body

    watched(source).members["read_bytes"] = read_bytes
    await sync_tree(source, target, concurrency=10, max_bytes_in_flight=450)
    assert (most, heavy) == (4, 1)

    most = 0
    await sync_tree(source, memory(), concurrency=3)
    assert most == 3


async def test_progress_ends_with_all_of_it(memory: Make) -> None:
    """Throttled, with totals, for each file and overall."""
    source, target = memory(), memory()
    await fill(source, {f"f{i}": b"x" * 100 for i in range(300)})
    told: list[Progress] = []

    report = await sync_tree(source, target, progress=told.append)

    assert len(told) <= 2 + report.seconds / 0.1
    last = told[-1]
    assert (last.files_done, last.files, last.bytes_done, last.bytes) == (300, 300, 30000, 30000)
    assert last.failed == 0


async def test_progress_tells_of_all_that_moved_though_nothing_moves_any_more(
    memory: Make,
) -> None:
    """The last bytes before a service falls silent come too soon after another call."""
    source = memory()
    await source.write("f", b"x" * (3 << 20))
    all_told = asyncio.Event()

    async def read(path: str) -> Any:
        for _ in range(3):
            yield b"x" * (1 << 20)
        await asyncio.wait_for(all_told.wait(), 5)

    def told(now: Progress) -> None:
        if now.bytes_done == 3 << 20:
            all_told.set()

    watched(source).members["read"] = read

    assert (await sync_tree(source, memory(), progress=told)).ok


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("error", [KeyError, BrokenPipeError, NotFound, ValueError])
async def test_what_a_progress_callback_raises_ends_the_execution(
    memory: Make, at_once: bool, error: type[Exception]
) -> None:
    """As itself, not in a group, and not as the failure of the file that moved."""
    source = memory()
    await source.write("f", b"x" * (2 << 20))

    async def read(path: str) -> Any:
        yield b"x" * (1 << 20)
        yield b"x" * (1 << 20)
        await asyncio.sleep(5)

    failed = False

    def fail(now: Progress) -> None:
        nonlocal failed
        if not failed and (at_once or now.bytes_done == 2 << 20):
            failed = True
            raise error("a callback")

    watched(source).members["read"] = read
    start = time.monotonic()
    with pytest.raises(error, match="a callback"):
        await sync_tree(source, memory(), progress=fail)
    assert time.monotonic() - start < 4
