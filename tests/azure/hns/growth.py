"""
How much memory a stream through a hierarchical account needs; run in a process of its own.

Prints the growth of the peak in MiB, after a small stream has warmed all up.
The account is served by another process, whose memory holds the file.
"""

from __future__ import annotations

import asyncio
import base64
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from remote_store_azure import AsyncAzureBackend

MIB = 1 << 20
_KEY = base64.b64encode(bytes(64)).decode()
_SERVER = """
import sys
from hns_emulator import HnsEmulator
emulator = HnsEmulator(key=sys.argv[1])
emulator.create_filesystem("lake")
with emulator:
    print(emulator.path_style_connection_string, flush=True)
    sys.stdin.read()
"""


def _peak() -> float:
    """Return the most memory that this process has held, in MiB."""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def _stream(size: int) -> AsyncIterator[bytes]:
    for number in range(size // MIB):
        yield bytes([number % 256]) * MIB


async def _transfer(backend: AsyncAzureBackend, key: str, size: int, mode: str) -> None:
    if mode == "buffered":
        content = b"".join([chunk async for chunk in _stream(size)])
        await backend.write(key, content)
    else:
        await backend.write(key, _stream(size), overwrite=mode == "overwrite")
    got = 0
    async for chunk in backend.read(key):
        got += len(chunk)
    assert got == size


async def _measure(text: str, mode: str, concurrency: int) -> float:
    backend = AsyncAzureBackend(
        "lake", connection_string=text, hns=True, max_concurrency=concurrency
    )
    await _transfer(backend, "warm", 8 * MIB, mode)
    before = _peak()
    await _transfer(backend, "file", 256 * MIB, mode)
    grown = _peak() - before
    await backend.aclose()
    return grown


def main(mode: str, concurrency: str) -> None:
    """Serve, measure and print."""
    command = [sys.executable, "-P", "-c", _SERVER, _KEY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        text = server.stdout.readline().strip()
        try:
            grown = asyncio.run(_measure(text, mode, int(concurrency)))
        finally:
            server.stdin.close()
    sys.stdout.write(f"{grown:.1f}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
