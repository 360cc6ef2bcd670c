"""What a transfer may cost: counted calls, and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.transfer.conftest import Make, contents, fill, watched

from remote_store.aio.workers import WorkerPool
from remote_store_transfer._planning import plan as plan_module
from remote_store_transfer.aio import sync_tree

FILES = {f"d{i % 7}/f{i}": b"x" * i for i in range(60)}


@pytest.mark.asyncio
async def test_a_first_run_reads_and_writes_each_file_once(local: Make, memory: Make) -> None:
    """No look before, on either side; the listing is all that is asked."""
    for target in (local("b"), memory()):
        source = local("a")
        if not watched(source).calls and not await contents(source):
            await fill(source, FILES)
        watched(source).calls.clear()
        assert (await sync_tree(source, target, metadata=False)).copied == 60
        assert watched(source).calls == {"list_files": 1, "read_bytes": 60}
        assert watched(target).calls == {"list_files": 1, "write": 60}


@pytest.mark.asyncio
async def test_user_metadata_cost_one_look_between_read_and_write(memory: Make) -> None:
    """A listing without metadata does not say that there are none; they go along."""
    source, target = memory(), memory()
    await source.write("a", b"1", metadata={"owner": "ann"})
    watched(source).log.clear()

    await sync_tree(source, target)

    assert [name for name, _ in watched(source).log] == [
        "list_files",
        "read_bytes",
        "get_file_info",
    ]
    metadata = (await target.get_file_info("a")).metadata
    assert metadata is not None
    assert metadata["owner"] == "ann"
    assert set(metadata) == {"owner", "remote_store_source_time", "remote_store_source_etag"}


@pytest.mark.asyncio
async def test_a_second_run_only_lists(local: Make, tmp_path: Path) -> None:
    """Nothing is asked of any single file."""
    source, target = local("a"), local("b")
    await fill(source, FILES)
    await sync_tree(source, target)
    for store in (source, target):
        watched(store).calls.clear()

    assert (await sync_tree(source, target, delete=True)).skipped == 60
    assert watched(source).calls == watched(target).calls == {"list_files": 1}


@pytest.mark.asyncio
async def test_a_second_run_goes_to_a_thread_for_pages_only(
    local: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no action is made of what is skipped, whoever watches."""
    for i in range(600):
        (tmp_path / "a" / f"d{i % 3}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / f"d{i % 3}" / f"f{i}").touch()
    source, target = local("a"), local("b")
    await sync_tree(source, target)
    hops: list[object] = []
    made: list[object] = []
    put = WorkerPool._put

    def counting(pool: WorkerPool, job: Any) -> None:
        hops.append(job)
        put(pool, job)

    monkeypatch.setattr(WorkerPool, "_put", counting)
    monkeypatch.setattr(plan_module, "action_of", made.append)

    report = await sync_tree(
        source, target, delete=True, progress=lambda _: None, ended=lambda *_: None
    )

    assert report.skipped == 600
    assert len(hops) == 6  # of 256 entries
    assert made == []


MANY = """
import asyncio, sys
from datetime import UTC, datetime
from remote_store import FileInfo, RemotePath
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend
from remote_store_transfer.aio import plan, execute

count = int(sys.argv[1])
when = datetime(2026, 1, 1, tzinfo=UTC)

class Many(AsyncMemoryBackend):
    async def list_files(self, path, *, recursive=False, max_depth=None):
        for i in range(count):
            i = i * 7919 % count  # in no order
            name = f"file-{i:08}.parquet"
            path = RemotePath(f"folder-{i % 997}/{name}")
            yield FileInfo(path, name, 1000, when, None, f"etag-{i:020}")

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

async def main():
    before = peak()
    async with plan(AsyncStore(Many()), AsyncStore(Many()), compare="size") as actions:
        report = await execute(actions)
    assert report.skipped == count, report
    print(peak() - before)

asyncio.run(main())
"""


def grown(count: int) -> int:
    """Return by how many KiB the peak of a process grows that plans and skips *count* files."""
    command = [sys.executable, "-P", "-c", MANY, str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=550)
    return int(done.stdout)


@pytest.mark.long
def test_memory_does_not_grow_with_the_files() -> None:
    """A hundred thousand files on both sides."""
    assert grown(100_000) <= 64 << 10


@pytest.mark.long
@pytest.mark.timeout(560)
def test_memory_of_a_million() -> None:
    """A million on both sides, at default settings."""
    assert grown(1_000_000) <= 64 << 10
