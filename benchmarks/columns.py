"""
One column of twenty of a Parquet file: the bytes that are fetched for it.

On local files, Azurite and S3 (moto), all started here. On the servers the bytes are those that
come through a proxy, headers and listings included; on local files those that the process reads
(``rchar`` of /proc, Linux only). The measure is what Arrow asks a file object for. Run::

    python -P benchmarks/columns.py --programs-python .ecosystem/bin/python [--rival-python PATH]

where the first interpreter has pyarrow and fsspec beside us (`scripts/ecosystem` makes it), and
PATH one with ``remote-store[azure,s3,arrow]`` 0.33, ``adlfs``, ``obstore`` and ``pyarrow``, and
with an ``azure-storage-blob`` whose protocol Azurite knows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from remote_store import open_store

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.azure import azurite  # noqa: E402
from tests.s3 import moto  # noqa: E402

BUCKET: Final = "columns"

MAKE: Final = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
random = np.random.default_rng(1)
table = pa.table({f"c{n}": random.random(334_000) for n in range(20)})
pq.write_table(table, sys.argv[1], row_group_size=84_000, compression="none", use_dictionary=False)
"""
#: Runs a contestant; `file()` opens what `where` says.
READ: Final = """
import json, sys
import pyarrow as pa, pyarrow.parquet as pq
where = json.loads(sys.argv[1])
{opener}
def read():
    with contextlib.ExitStack() as stack:
        return pq.read_table(file(stack), columns=["c7"], pre_buffer=True).num_rows
import contextlib
def rchar():
    return int(open("/proc/self/io").read().split()[1])
if where.get("warm"):
    read()
before = rchar()
assert read() == 334_000
print(json.dumps({{"rchar": rchar() - before, "asked": globals().get("asked", 0)}}))
"""

ARROW: Final = """
import io
asked = 0
class Counting(io.FileIO):
    def read(self, size=-1):
        global asked
        found = super().read(size)
        asked += len(found)
        return found
def file(stack):
    global asked
    asked = 0
    return stack.enter_context(Counting(where["path"]))
"""
FSSPEC: Final = """
import fsspec
fs = fsspec.filesystem("remote-store", **where["ours"])
def file(stack):
    return stack.enter_context(fs.open("/a.parquet"))
"""
OPEN: Final = """
from remote_store import open_store
options = dict(where["ours"])
store = open_store(options.pop("store"), **options)
def file(stack):
    return stack.enter_context(store.open("a.parquet"))
"""
SEEKABLE: Final = """
from remote_store import Registry, RegistryConfig
store = Registry(RegistryConfig.from_dict({
    "backends": {"b": where["rival"]}, "stores": {"s": {"backend": "b"}}
})).get_store("s")
def file(stack):
    return stack.enter_context(store.read_seekable("a.parquet"))
"""
ADLFS: Final = """
from adlfs import AzureBlobFileSystem
fs = AzureBlobFileSystem(connection_string=where["connection"])
def file(stack):
    return stack.enter_context(fs.open("columns/a.parquet"))
"""
OBSTORE: Final = """
import obstore, obstore.store
store = getattr(obstore.store, where["class"])(**where["obstore"])
class Reader:
    # Arrow looks at `closed`, which its files lack.
    closed = False
    def __init__(self, file):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.readable = self.seekable = lambda: True
        self.close = lambda: None
def file(stack):
    return Reader(obstore.open_reader(store, "a.parquet"))
"""


class Counter:
    """
    A proxy that counts what comes from the server.

    Args:
        port: Where the server listens on this machine.
    """

    def __init__(self, port: int) -> None:
        self.bytes = 0
        self._port = port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pipe(reader, forth), self._pipe(back, writer, count=True))

    async def _pipe(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(1 << 16):
                self.bytes += len(piece) * count
                target.write(piece)
                await target.drain()
        target.close()

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        """Return the port of the proxy."""
        ready: Any = threading.Event()
        place: list[Any] = []

        async def main() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            stop = asyncio.Event()
            place.extend((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()
            server.close()

        thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
        thread.start()
        ready.wait()
        yield place[0]
        place[1].call_soon_threadsafe(place[2].set)
        thread.join()


def run(python: str, opener: str, where: dict[str, Any]) -> dict[str, int]:
    """Return what a contestant tells of itself."""
    done = subprocess.run(
        [python, "-P", "-c", READ.format(opener=opener), json.dumps(where)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        sys.exit(f"{opener}\n{done.stderr}")
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(name: str, found: int, asked: int) -> None:
    print(f"  {name:32} {found / 1e6:8.2f} MB  {found / asked:6.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs-python", default=str(ROOT / ".ecosystem/bin/python"))
    parser.add_argument("--rival-python")
    arguments = parser.parse_args()
    ours = {"fsspec": FSSPEC, "Store.open": OPEN}
    rivals = {"remote-store 0.33 read_seekable": SEEKABLE, "obstore open_reader": OBSTORE}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        subprocess.run([arguments.programs_python, "-c", MAKE, str(path)], check=True)
        asked = run(arguments.programs_python, ARROW, {"path": str(path)})["asked"]
        print(f"file {path.stat().st_size / 1e6:.2f} MB; Arrow asks for {asked / 1e6:.2f} MB")

        def contest(
            title: str, where: dict[str, Any], more: dict[str, str], counter: Counter | None
        ) -> None:
            print(title)
            for python, some in (
                (arguments.programs_python, ours),
                (arguments.rival_python, rivals | more),
            ):
                for name, opener in some.items() if python else ():
                    begin = counter.bytes if counter else 0
                    found = run(python, opener, where | {"warm": counter is None})
                    show(name, counter.bytes - begin if counter else found["rchar"], asked)

        local = {
            "ours": {"store": f"local://{folder}"},
            "rival": {"type": "local", "options": {"root": folder}},
            "class": "LocalStore",
            "obstore": {"prefix": folder},
        }
        contest("local files", local, {}, None)
        content = path.read_bytes()
        with azurite.running() as server:
            counter = Counter(server.port)
            options: dict[str, Any] = {"api_version": azurite.API_VERSION}
            with counter.running() as port:
                connection = server.connection_string_through(port)
                azure = {
                    "ours": {
                        "store": f"azure://{BUCKET}",
                        "connection_string": connection,
                        "client_options": options,
                    },
                    "rival": {
                        "type": "azure",
                        "options": {
                            "container": BUCKET,
                            "connection_string": connection,
                            "hns": False,
                        },
                    },
                    "connection": connection,
                    "class": "AzureStore",
                    "obstore": {
                        "container_name": BUCKET,
                        "account_name": server.account,
                        "account_key": server.key,
                        "endpoint": server.url_through(port),
                        "client_options": {"allow_http": True},
                    },
                }
                from azure.storage.blob import BlobServiceClient

                with BlobServiceClient.from_connection_string(
                    server.connection_string, **options
                ) as service:
                    service.create_container(BUCKET).upload_blob("a.parquet", content)
                contest("Azurite", azure, {"adlfs": ADLFS}, counter)
        with moto.running() as bucket:
            bucket.make_bucket(BUCKET)
            counter = Counter(urlsplit(bucket.url).port or 80)
            with counter.running() as port:
                url = f"http://127.0.0.1:{port}"
                keys = {"access_key_id": moto.KEY, "secret_access_key": moto.SECRET}
                s3 = {
                    "ours": {
                        "store": f"s3://{BUCKET}",
                        "endpoint_url": url,
                        "region": "us-east-1",
                        **keys,
                    },
                    "rival": {
                        "type": "s3",
                        "options": {
                            "bucket": BUCKET,
                            "endpoint_url": url,
                            "key": moto.KEY,
                            "secret": moto.SECRET,
                            "region_name": "us-east-1",
                        },
                    },
                    "class": "S3Store",
                    "obstore": {
                        "bucket": BUCKET,
                        "endpoint": url,
                        "region": "us-east-1",
                        "client_options": {"allow_http": True},
                        **keys,
                    },
                }
                direct = dict(s3["ours"])  # type: ignore[call-overload]
                with open_store(direct.pop("store"), **direct) as store:
                    store.write("a.parquet", content)
                contest("S3 (moto)", s3, {}, counter)


if __name__ == "__main__":
    main()
