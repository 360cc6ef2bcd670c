"""
Transfers: time beside rclone, memory, and what they ask of services.

Four parts, each of which can be run alone::

    python -P benchmarks/transfer.py [local] [plan] [memory] [requests] [--files 10000] [--rounds 5]

``local``: many small files from folder to folder by ``remote-store cp -r``, a first and
a second run, in turns with ``rclone copy`` where there is one (Debian has it). Seconds of
the clock, and of the processor, which other programs on the machine hurt less; each
figure is the median of its rounds.

``plan``: seconds of the processor, in this process, for what comes before the first byte,
and for a whole second run, between folders and between stores in memory; the least of
``--rounds``.

``memory``: by how much the peak of a process grows that plans and skips n files on both
sides, for n up to ``--largest``.

``requests``: requests and bytes, headers included, that come through a proxy when 1,000
files of 1 KB are copied to Azurite, to the HNS emulator and to S3 (moto), all started here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter as Counts
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.columns import Counter  # noqa: E402
from tests.azure import azurite  # noqa: E402
from tests.s3 import moto  # noqa: E402

from remote_store.aio import AsyncStore  # noqa: E402
from remote_store_local import AsyncLocalBackend  # noqa: E402
from remote_store_memory import AsyncMemoryBackend  # noqa: E402
from remote_store_transfer.aio import copy_tree, plan  # noqa: E402

PARTS: Final = ("local", "plan", "memory", "requests")
OURS: Final = (sys.executable, "-P", "-m", "remote_store_cli", "cp", "-r")
#: An installed program has its bytecode, whatever this shell wants.
ENVIRONMENT: Final = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
#: Lines of HTTP requests, and what is a listing among them.
REQUEST: Final = re.compile(rb"(GET|PUT|HEAD|POST|DELETE|PATCH) (\S+) HTTP/1\.1\r\n")
LISTING: Final = re.compile(rb"[?&](comp=list|list-type=2|resource=filesystem)\b")

PEAK: Final = """
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


def fill(folder: Path, files: int, size: int) -> None:
    """Make files of random content, a hundred to a folder."""
    for i in range(files):
        file = folder / f"d{i // 100}" / f"f{i}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return seconds of the clock, and of the processor."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} failed: {process.returncode}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def local(files: int, rounds: int) -> None:
    """Print what a first and a second run take, and the ratio to rclone."""
    tools = {"ours": [*OURS, "-q"]}
    if found := shutil.which("rclone"):
        tools["rclone"] = [found, "copy", "--config", os.devnull]
    else:
        print("rclone is not installed: our figures stand alone")
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="transfer-") as name:
        source = Path(name) / "source"
        fill(source, files, 1000)
        print(f"{files:,} files of 1,000 bytes in {tempfile.gettempdir()}")
        for number in range(rounds + 1):  # the first one warms the caches
            for tool, command in tools.items():
                target = Path(name) / f"{tool}-{number}"
                for run in ("first", "second"):
                    figure = timed([*command, str(source), str(target)])
                    if number:
                        figures.setdefault((run, tool), []).append(figure)
                assert sum(1 for file in target.rglob("f*") if file.is_file()) == files
                shutil.rmtree(target)
    for run in ("first", "second"):
        middle = {
            tool: [statistics.median(column) for column in zip(*figures[run, tool], strict=True)]
            for tool in tools
        }
        for i, what in enumerate(("clock", "processor")):
            shown = "  ".join(f"{tool} {figure[i]:6.2f} s" for tool, figure in middle.items())
            ratio = middle["ours"][i] / middle["rclone"][i] if "rclone" in middle else None
            print(f"{run:6} {what:9} {shown}" + (f"  ratio {ratio:.2f}" if ratio else ""))


def plans(files: int, rounds: int) -> None:
    """Print what a listing, the plan of a first run, and a second run take."""
    with tempfile.TemporaryDirectory(prefix="transfer-") as name:
        fill(Path(name) / "source", files, 1000)
        print(f"{files:,} files, seconds of the processor, and microseconds for each file")
        for kind in ("folders", "memory"):
            for what, least in asyncio.run(_plans(Path(name), kind, rounds)).items():
                print(f"{kind:8} {what:18} {least:6.3f} s  {least / files * 1e6:5.1f}")


async def _plans(folder: Path, kind: str, rounds: int) -> dict[str, float]:
    def store(name: str) -> AsyncStore:
        folders = kind == "folders"
        return AsyncStore(AsyncLocalBackend(folder / name) if folders else AsyncMemoryBackend())

    source, target, nothing = (store(name) for name in ("source", "target", "nothing"))
    if kind == "memory":
        await copy_tree(AsyncStore(AsyncLocalBackend(folder / "source")), source)
    await copy_tree(source, target)

    async def listing() -> None:
        async for _ in source.list_files("", recursive=True):
            pass

    async def first() -> None:
        async with plan(source, nothing) as actions:
            await actions.prepare()

    async def second() -> None:
        assert (await copy_tree(source, target)).ok

    least = {}
    cases = {"listing, one side": listing, "plan of a first": first, "second run": second}
    for what, act in cases.items():
        taken = []
        for _ in range(rounds):
            began = time.process_time()
            await act()
            taken.append(time.process_time() - began)
        least[what] = min(taken)
    return least


def memory(largest: int) -> None:
    """Print the growth of the peak for more and more files."""
    count = 1000
    while count <= largest:
        command = [sys.executable, "-P", "-c", PEAK, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
        print(f"{count:10,} files on each side: {int(done.stdout) / 1024:6.1f} MiB")
        count *= 10


class Asked(Counter):
    """A proxy that counts requests, and bytes in both directions."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.sent = 0
        self.requests: Counts[str] = Counts()

    async def _pipe(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        if count:
            return await super()._pipe(source, target, count=True)
        rest = b""
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(1 << 16):
                self.sent += len(piece)
                rest += piece
                end = 0
                for found in REQUEST.finditer(rest):
                    end = found.end()
                    name = "LIST" if LISTING.search(found[2]) else found[1].decode()
                    self.requests[name] += 1
                rest = rest[end:][-4096:]
                target.write(piece)
                await target.drain()
        target.close()
        return None

    def take(self) -> str:
        """Return what was counted, and begin anew."""
        names = "  ".join(f"{name} {count}" for name, count in sorted(self.requests.items()))
        line = f"{self.sent / 1e6:6.2f} MB up  {self.bytes / 1e6:6.2f} MB down  {names}"
        self.sent = self.bytes = 0
        self.requests.clear()
        return line


@contextlib.contextmanager
def services() -> Iterator[dict[str, tuple[Asked, str, list[str]]]]:
    """Start all; yield for each its proxy, the URL of a new container, and options."""
    from azure.storage.blob import BlobServiceClient

    from hns_emulator import HnsEmulator

    with contextlib.ExitStack() as stack:
        blobs = stack.enter_context(azurite.running())
        with BlobServiceClient.from_connection_string(
            blobs.connection_string, api_version=azurite.API_VERSION
        ) as client:
            client.create_container("bench")
        flat = Asked(blobs.port)
        version = json.dumps({"api_version": azurite.API_VERSION})
        through = blobs.connection_string_through(stack.enter_context(flat.running()))
        emulator = HnsEmulator()
        emulator.create_filesystem("bench")
        stack.enter_context(emulator)
        tree = Asked(emulator.port)
        port = stack.enter_context(tree.running())
        hns = emulator.path_style_connection_string.replace(f":{emulator.port}", f":{port}")
        bucket = stack.enter_context(moto.running())
        bucket.make_bucket("bench")
        objects = Asked(urlsplit(bucket.url).port or 80)
        url = f"http://127.0.0.1:{stack.enter_context(objects.running())}"
        keys = bucket.options | {"endpoint_url": url}
        yield {
            "Azurite": (
                flat,
                "azure://bench",
                [f"connection_string={through}", f"client_options:={version}"],
            ),
            "HNS emulator": (tree, "azure://bench", [f"connection_string={hns}"]),
            "S3 (moto)": (objects, "s3://bench", [f"{key}={text}" for key, text in keys.items()]),
        }


def requests() -> None:
    """Print what a first and a second run to each service ask and move, and one back."""
    with tempfile.TemporaryDirectory(prefix="transfer-") as name, services() as found:
        source = Path(name) / "source"
        fill(source, 1000, 1000)
        for service, (proxy, url, options) in found.items():
            given: list[Any] = [word for option in options for word in ("-o", option)]
            for run, froms, to in (
                ("first", str(source), f"{url}/x"),
                ("second", str(source), f"{url}/x"),
                ("back", f"{url}/x", f"{name}/{service}"),
                ("back 2nd", f"{url}/x", f"{name}/{service}"),
            ):
                subprocess.run([*OURS, "-q", froms, to, *given], check=True, env=ENVIRONMENT)
                print(f"{service:12} {run:8} {proxy.take()}")


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all without any")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--largest", type=int, default=1_000_000)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    parts = given.parts or PARTS
    if "local" in parts:
        local(given.files, given.rounds)
    if "plan" in parts:
        plans(given.files, given.rounds)
    if "memory" in parts:
        memory(given.largest)
    if "requests" in parts:
        requests()


if __name__ == "__main__":
    main()
