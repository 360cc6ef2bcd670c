"""
A flat Azure account: what the client costs, side by side with the plain SDK.

Processor time of this process, so that the server (Azurite, started here) does
not count; the contestants take turns, and each figure is its best. Run::

    python -P benchmarks/azure.py [--blobs 5000] [--rival-python PATH]

where PATH is an interpreter with ``obstore`` installed: it times listing and
the first byte of a large read, as seconds of the clock, on the same server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

CALLS = 200
ROUNDS = 5
SMALL = b"x" * 1000
LARGE = 256 << 20

OBSTORE = """
import asyncio, json, sys, time
import obstore
from obstore.store import AzureStore

url, key, blobs, large = sys.argv[1:]
store = AzureStore(container_name="bench", account_name="devstoreaccount1", account_key=key,
                   endpoint=url, client_options={"allow_http": True})

async def main():
    best = {}
    for _ in range(3):
        begin = time.perf_counter()
        count = 0
        async for batch in obstore.list(store, "list/"):
            count += len(batch)
        assert count == int(blobs), count
        best["list"] = min(best.get("list", 9e9), time.perf_counter() - begin)
        begin = time.perf_counter()
        stream = (await obstore.get_async(store, "large")).stream()
        async for _ in stream:
            break
        best["first byte"] = min(best.get("first byte", 9e9), time.perf_counter() - begin)
    print(json.dumps(best))

asyncio.run(main())
"""


async def processor(function: Callable[[int], Awaitable[object]], calls: int) -> float:
    """Return the microseconds of processor time of each call."""
    begin = time.process_time()
    for n in range(calls):
        await function(n)
    return (time.process_time() - begin) / calls * 1e6


async def alternate(
    title: str,
    calls: int,
    contestants: dict[str, Callable[[int], Awaitable[object]]],
) -> None:
    """Print the best of each contestant, and the ratio of the first two."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(ROUNDS):
        for name, function in contestants.items():
            best[name] = min(best[name], await processor(function, calls))
    ours, sdk = best["ours"], best["SDK"]
    shown = "  ".join(f"{name} {value:8.1f} us" for name, value in best.items())
    print(f"{title:24} {shown}   ours/SDK {ours / sdk:.2f}")


async def small_calls(backend: Any, client: Any) -> None:
    """Small content, one blob at a time."""

    async def sdk_get(n: int) -> object:
        return await (await client.download_blob(f"s/{n}")).readall()

    await alternate(
        "put 1 KB",
        CALLS,
        {
            "ours": lambda n: backend.write(f"s/{n}", SMALL, overwrite=True),
            "SDK": lambda n: client.upload_blob(f"s/{n}", SMALL, overwrite=True),
        },
    )
    await alternate(
        "get 1 KB", CALLS, {"ours": lambda n: backend.read_bytes(f"s/{n}"), "SDK": sdk_get}
    )
    await alternate(
        "head",
        CALLS,
        {
            "ours": lambda n: backend.get_file_info(f"s/{n}"),
            "SDK": lambda n: client.get_blob_client(f"s/{n}").get_blob_properties(),
        },
    )


async def listings(backend: Any, client: Any, blobs: int) -> float:
    """List many blobs; return the seconds of the clock that ours took."""

    async def fill(n: int) -> None:
        await backend.write(f"list/{n // 100}/a file {n}.txt", b"", metadata={"author": "me"})

    for start in range(0, blobs, 50):
        await asyncio.gather(*map(fill, range(start, min(start + 50, blobs))))
    best: dict[str, float] = {}
    clock = float("inf")
    for _ in range(3):
        begin, clock_begin = time.process_time(), time.perf_counter()
        assert len([info async for info in backend.list_files("list", recursive=True)]) == blobs
        best["ours"] = min(best.get("ours", 9e9), time.process_time() - begin)
        clock = min(clock, time.perf_counter() - clock_begin)
        begin = time.process_time()
        found = client.list_blobs(name_starts_with="list/", include=["metadata"])
        assert len([blob async for blob in found]) == blobs
        best["SDK"] = min(best.get("SDK", 9e9), time.process_time() - begin)
    shown = "  ".join(f"{name} {value / blobs * 1e6:8.1f} us" for name, value in best.items())
    print(f"{'each listed blob':24} {shown}   ours/SDK {best['ours'] / best['SDK']:.2f}")
    return clock


async def first_byte(backend: Any, client: Any) -> float:
    """Read the beginning of a large blob; return the seconds of the clock that ours took."""

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(LARGE >> 20):
            yield bytes(1 << 20)

    await backend.write("large", blocks(), overwrite=True)
    best: dict[str, float] = {}
    for _ in range(3):
        begin = time.perf_counter()
        async with aclosing(backend.read("large")) as chunks:
            await anext(chunks)
            best["ours"] = min(best.get("ours", 9e9), time.perf_counter() - begin)
        begin = time.perf_counter()
        found = (await client.download_blob("large")).chunks()
        await anext(found)
        best["SDK"] = min(best.get("SDK", 9e9), time.perf_counter() - begin)
    shown = "  ".join(f"{name} {value * 1e3:8.1f} ms" for name, value in best.items())
    print(f"{'first byte of 256 MiB':24} {shown}   ours/SDK {best['ours'] / best['SDK']:.2f}")
    return best["ours"]


def against_obstore(python: str, server: Any, blobs: int, ours: dict[str, float]) -> None:
    """Print what obstore takes for the same, by the clock."""
    command = [python, "-c", OBSTORE, server.blob_url, server.key, str(blobs), str(LARGE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"obstore failed ({done.returncode}): {done.stderr[-500:]}")
        return
    for name, rival in json.loads(done.stdout).items():
        print(
            f"{name:24} ours {ours[name] * 1e3:8.1f} ms  obstore {rival * 1e3:8.1f} ms"
            f"   ours/obstore {ours[name] / rival:.2f}"
        )


async def measure(server: Any, blobs: int) -> dict[str, float]:
    """Measure ours and the SDK; return the seconds of the clock of what obstore is held to."""
    from azure.storage.blob.aio import ContainerClient
    from tests.azure.azurite import API_VERSION

    from remote_store_azure import AsyncAzureBackend

    where = server.connection_string
    client = ContainerClient.from_connection_string(where, "bench", api_version=API_VERSION)
    backend = AsyncAzureBackend(
        "bench", connection_string=where, hns=False, client_options={"api_version": API_VERSION}
    )
    async with client:
        await client.create_container()
        await small_calls(backend, client)
        clock = {"list": await listings(backend, client, blobs)}
        clock["first byte"] = await first_byte(backend, client)
    await backend.aclose()
    return clock


def main() -> None:
    """Start the server and run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("--blobs", type=int, default=5000)
    parser.add_argument("--rival-python", help="an interpreter with obstore")
    options = parser.parse_args()

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.azure import azurite

    with azurite.running() as server:
        ours = asyncio.run(measure(server, options.blobs))
        if options.rival_python:
            against_obstore(options.rival_python, server, options.blobs, ours)


if __name__ == "__main__":
    main()
