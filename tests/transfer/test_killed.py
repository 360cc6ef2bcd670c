"""A run that is killed leaves whole files, and the next one moves what is missing."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.transfer.conftest import contents

from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend
from remote_store_local._fs import sweep
from remote_store_transfer.aio import sync_tree

RUN = """
import sys
from remote_store import Store
from remote_store.backends import LocalBackend
from remote_store_transfer import sync_tree
source, target = (Store(LocalBackend(path, fsync="never")) for path in sys.argv[1:])
print("ready", flush=True)
sync_tree(source, target, delete=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(580)
@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.long)])
def test_killed_at_random_moments(
    tmp_path: Path, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    After each kill what is there is whole; then a run moves the rest, and all is equal.

    What is left besides is removed by a sweep, two days later.
    """
    monkeypatch.setattr(sweep, "now", lambda: time.time() + 2 * 86400)
    rng = random.Random(kills)
    source = tmp_path / "a"
    for i in range(120):
        file = source / f"d{i % 5}" / f"f{i}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(rng.randbytes(rng.choice((10, 5000, 3 << 20 if i % 30 == 0 else 100))))
    moved, swept = list[int](), list[int]()
    for kill in range(kills):
        target = tmp_path / f"b{kill}"
        command = [sys.executable, "-P", "-c", RUN, str(source), str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(rng.random() * 0.15)
            child.kill()
        there = _whole(source, target)

        async def again(target: Path = target) -> int:
            stores = [
                AsyncStore(AsyncLocalBackend(path, fsync="never")) for path in (source, target)
            ]
            report = await sync_tree(*stores, delete=True)
            assert report.ok, report
            assert await contents(stores[0]) == await contents(stores[1])
            assert (await sync_tree(*stores)).skipped == 120
            return report.copied + report.replaced

        count = asyncio.run(again())
        litter = asyncio.run(_sweep(source, target))
        assert count == 120 - there
        moved.append(count)
        swept.append(litter)
    print(f"{kills} kills: {sum(moved)} files of {120 * kills} moved again, {sum(swept)} swept")
    assert any(0 < count < 120 for count in moved) or kills < 20


async def _sweep(source: Path, target: Path) -> int:
    """Return how many temporary files a sweep removes two days later; nothing else is left."""
    swept = await AsyncLocalBackend(target).sweep()
    names = [{path.relative_to(side) for path in side.rglob("*")} for side in (source, target)]
    assert names[0] == names[1]
    return swept


def _whole(source: Path, target: Path) -> int:
    """Return how many files arrived; each of them is whole."""
    found = [f for f in target.rglob("*") if f.is_file() and not f.name.startswith(".~tmp.")]
    for file in found:
        assert file.read_bytes() == (source / file.relative_to(target)).read_bytes()
    return len(found)
