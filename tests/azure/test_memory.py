"""Streams of any length need a bounded amount of memory, measured in processes of their own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.scripted import Clients
from tests.azure.wiring import BlobReader, upload

from remote_store_azure._connect.account import account_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MIB = 1 << 20
LIMIT = 24
#: The length that the contract prescribes, and one that shows a buffer as well.
MIBS = pytest.mark.parametrize("mib", [64, pytest.param(256, marks=pytest.mark.long)])


def peak() -> int:
    """Return the most memory that this process ever had, in MiB."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


async def stream(mib: int) -> AsyncIterator[bytes]:
    for n in range(mib * 4):
        yield n.to_bytes(4, "big") * (MIB // 16)


async def transfer(clients: Clients, what: str, mib: int) -> None:
    with clients.running() as wire:
        if what.startswith("up"):
            exclusive = what == "up exclusive"
            name = f"{what}{mib}"
            await upload(wire, name, stream(mib), exclusive=exclusive, metadata=None)
        elif what == "down whole":
            assert len(await BlobReader(wire, f"down{mib}").read_all()) == mib * MIB
        else:
            total = 0
            async for chunk in BlobReader(wire, f"down{mib}"):
                total += len(chunk)
            assert total == mib * MIB


async def child(secret: str, container: str, what: str, mib: int, concurrency: int) -> None:
    clients = Clients(
        account_of(container=container, connection_string=secret),
        client_options={"api_version": API_VERSION},
        max_concurrency=concurrency,
    )
    await transfer(clients, what, 8)
    before = peak()
    await transfer(clients, what, mib)
    after = peak()
    await clients.aclose()
    sys.stdout.write(f"{after - before}\n")


def growth(azurite: Azurite, container: str, what: str, mib: int, concurrency: int = 1) -> int:
    """Return by how many MiB a fresh process grows with a transfer of *mib* MiB after one of 8."""
    arguments = [azurite.connection_string, container, what, str(mib), str(concurrency)]
    done = subprocess.run(
        [sys.executable, "-c", f"import {__name__} as m; m.main()", *arguments],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def main() -> None:
    secret, container, what, mib, concurrency = sys.argv[1:]
    asyncio.run(child(secret, container, what, int(mib), int(concurrency)))


@pytest.mark.long
@MIBS
@pytest.mark.parametrize("what", ["up", "up exclusive"])
def test_uploads(azurite: Azurite, container: str, what: str, mib: int) -> None:
    """Up, exclusive or not: at most 24 MiB more than 8 MiB need."""
    assert growth(azurite, container, what, mib) <= LIMIT


@pytest.mark.long
@MIBS
def test_downloads(azurite: Azurite, container: str, mib: int) -> None:
    """Down, by one connection and by four: at most 24 MiB; and a buffer is seen."""
    fill(azurite, container, mib)
    assert growth(azurite, container, "down", mib) <= LIMIT
    assert growth(azurite, container, "down", mib, 4) <= LIMIT
    # What buffers does not pass: else the measure were worth nothing.
    assert growth(azurite, container, "down whole", mib) > 0.8 * (mib - 8)


def fill(azurite: Azurite, container: str, mib: int) -> None:
    from azure.storage.blob import ContainerClient

    with ContainerClient.from_connection_string(
        azurite.connection_string, container, api_version=API_VERSION
    ) as client:
        for size in (8, mib):
            client.upload_blob(f"down{size}", b"x" * (size * MIB), length=size * MIB)
