"""
Carries plans out on a real cluster of processes, and says what came of it.

Usage: on_a_cluster.py SCENARIO FOLDER FILES
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster

from hns_emulator import HnsEmulator
from remote_store import Store
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_transfer import Progress, TransferReport, WorkerStore, aio, execute, plan


def fill(folder: Path, count: int) -> None:
    """Make files, each with a content of its own."""
    for i in range(count):
        file = folder / f"d{i % 50}" / f"f{i}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d." % i * (i % 40 + 1))


def cluster(**options: Any) -> LocalCluster:
    """Two workers, each a process."""
    return LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, **options
    )


class Killer:
    """Kills a worker once a third is done, and remembers how it went on."""

    def __init__(self, workers: LocalCluster) -> None:
        self.workers = workers
        self.killed = 0
        self.seen: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.seen.append(progress)
        if not self.killed and progress.files_done > progress.files / 3:
            pids = [worker.pid for worker in self.workers.workers.values()]
            self.killed = random.choice(pids)
            os.kill(self.killed, signal.SIGKILL)

    def summary(self, report: TransferReport) -> dict[str, Any]:
        """Return what the test asks for."""
        last = self.seen[-1]
        return {
            "copied": report.copied,
            "failures": [str(f) for f in report.failures[:3]],
            "killed": bool(self.killed),
            "steps": len(self.seen),
            "done": (last.files_done, last.bytes_done) == (last.files, last.bytes),
            "grows": all(
                a.files_done <= b.files_done for a, b in zip(self.seen, self.seen[1:], strict=False)
            ),
            "seconds": round(report.seconds, 1),
        }


def local(folder: Path, count: int) -> dict[str, Any]:
    """From folder to folder, by the sync API; one worker is killed in the middle."""
    fill(folder / "a", count)
    source = Store(LocalBackend(folder / "a"))
    target = Store(LocalBackend(folder / "b", fsync="never"))
    with cluster() as workers, Client(workers) as client, plan(source, target) as actions:
        killer = Killer(workers)
        found = killer.summary(execute(actions, on=client, progress=killer))
    for file in (folder / "a").rglob("f*"):
        assert file.read_bytes() == (folder / "b" / file.relative_to(folder / "a")).read_bytes()
    # A killed worker may leave a temporary file, which `sweep` removes.
    found["stray"] = sum(1 for f in (folder / "b").rglob("[!.]*") if f.is_file()) - count
    return found


async def azure(folder: Path, count: int) -> dict[str, Any]:
    """To an account whose secret only the workers have, by the async API; one worker is killed."""
    fill(folder / "a", count)
    emulator = HnsEmulator(debug=True)
    emulator.create_filesystem("data")
    with emulator:
        secret = emulator.path_style_connection_string
        os.environ["TARGET_CONNECTION"] = secret
        async with cluster(asynchronous=True) as workers:
            del os.environ["TARGET_CONNECTION"]
            source = AsyncStore(AsyncLocalBackend(folder / "a"))
            target = AsyncStore(AsyncAzureBackend("data", connection_string=secret))
            opened = WorkerStore("azure://data", {"connection_string": "${TARGET_CONNECTION}"})
            async with Client(workers, asynchronous=True) as client, target:
                killer = Killer(workers)
                async with aio.plan(source, target) as actions:
                    report = await aio.execute(
                        actions, on=client, worker_target=opened, progress=killer
                    )
                found = killer.summary(report)
                verified = await aio.verify_tree(source, target)
                found["equal"] = verified.equal if verified.ok else str(verified)
    return found


async def other_source(folder: Path, count: int) -> dict[str, Any]:
    """Workers whose source has the same names and sizes, and another content."""
    fill(folder / "a", count)
    fill(folder / "other", count)
    for file in (folder / "other").rglob("f*"):
        file.write_bytes(file.read_bytes().replace(b".", b"!"))
    source = AsyncStore(AsyncLocalBackend(folder / "a"))
    target = AsyncStore(AsyncLocalBackend(folder / "b", fsync="never"))
    opened = WorkerStore((folder / "other").as_uri().replace("file:", "local:"))
    async with (
        cluster(asynchronous=True) as workers,
        Client(workers, asynchronous=True) as client,
        aio.plan(source, target) as actions,
    ):
        report = await aio.execute(actions, on=client, worker_source=opened)
    return {
        "copied": report.copied,
        "failed": sum("not the planned one" in f.reason for f in report.failures),
        "arrived": sum(1 for file in (folder / "b").rglob("*") if file.is_file()),
    }


async def given_up(folder: Path, count: int) -> dict[str, Any]:
    """Cancelled in the middle: afterwards nothing changes any more."""
    fill(folder / "a", count)
    source = AsyncStore(AsyncLocalBackend(folder / "a"))
    target = AsyncStore(AsyncLocalBackend(folder / "b", fsync="never"))

    def there() -> int:
        return sum(1 for file in (folder / "b").rglob("*") if file.is_file())

    async with cluster(asynchronous=True) as workers, Client(workers, asynchronous=True) as client:
        async with aio.plan(source, target) as actions:
            begun = asyncio.Event()
            working = asyncio.create_task(
                aio.execute(actions, on=client, progress=lambda _: begun.set())
            )
            await begun.wait()
            working.cancel()
            await asyncio.wait([working])
            at_the_end = there()
            await asyncio.sleep(2)
            later = there()
        async with aio.plan(source, target) as actions:
            report = await aio.execute(actions, on=client)
    return {
        "cancelled": working.cancelled(),
        "still": later == at_the_end,
        "part": 0 < later < count,
        "rest": report.copied + report.skipped,
        "failures": [str(f) for f in report.failures[:3]],
    }


if __name__ == "__main__":
    folder, count = Path(sys.argv[2]), int(sys.argv[3])
    if sys.argv[1] == "local":
        result = local(folder, count)
    else:
        scenarios = {"azure": azure, "other_source": other_source, "given_up": given_up}
        result = asyncio.run(scenarios[sys.argv[1]](folder, count))
    print(json.dumps(result))
