"""Streams of any length need a bounded amount of memory, measured in processes of their own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.s3.moto import Moto

from remote_store_s3 import AsyncS3Backend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MIB = 1 << 20
LIMIT = 24


def peak() -> int:
    """Return the most memory that this process ever had, in MiB."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


async def stream(mib: int) -> AsyncIterator[bytes]:
    for n in range(mib * 4):
        yield n.to_bytes(4, "big") * (MIB // 16)


async def transfer(backend: AsyncS3Backend, what: str, mib: int) -> None:
    if what.startswith("up"):
        await backend.write(
            f"{what}{mib}", stream(mib), overwrite=what == "up", resume=what == "up resumed"
        )
        return
    total = 0
    async for chunk in backend.read(f"down{mib}"):
        total += len(chunk)
    assert total == mib * MIB


async def child(bucket: str, options: dict[str, Any], what: str, mib: int) -> None:
    backend = AsyncS3Backend(bucket, **options)
    await transfer(backend, what, 8)
    before = peak()
    await transfer(backend, what, mib)
    after = peak()
    await backend.aclose()
    sys.stdout.write(f"{after - before}\n")


def main() -> None:
    bucket, options, what, mib = sys.argv[1:]
    asyncio.run(child(bucket, json.loads(options), what, int(mib)))


async def _seed(backend: AsyncS3Backend, mib: int) -> None:
    for size in (8, mib):
        await backend.write(f"down{size}", stream(size), overwrite=True)
    await backend.aclose()


@pytest.mark.long
@pytest.mark.parametrize("mib", [64, 256])
@pytest.mark.parametrize("what", ["up", "up exclusive", "up resumed", "down"])
def test_a_stream_grows_no_process(moto: Moto, bucket: str, what: str, mib: int) -> None:
    """At most 24 MiB more; a version that gathers an exclusive stream fails."""
    if what == "down":
        asyncio.run(_seed(AsyncS3Backend(bucket, **moto.options), mib))
    done = subprocess.run(
        [
            *(sys.executable, "-c", f"import {__name__} as m; m.main()"),
            *(bucket, json.dumps(moto.options), what, str(mib)),
        ],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print("growth:", done.stdout.strip(), "MiB")
    assert int(done.stdout) <= LIMIT
