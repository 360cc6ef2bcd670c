"""
What the memory backend costs, as ratios measured side by side in one run.

Four contenders do the same work: the backend itself ("bare"), the same
through `AsyncStore` ("store"), the least that async methods over one dict can
do for the same results ("dict"), and, in a subprocess with another
interpreter, a rival's store over its own memory backend ("rival").

    python benchmarks/memory.py [--rival-python PATH] [--rounds N] [--files N]

Rounds of the contenders alternate, so that a slow moment of the machine hits
all of them; the best round counts. Below the times stand the bytes that a file
takes (as tracemalloc counts them, its key included, its one byte of content
not), and how what must not grow with a store does not grow. The rival's interpreter runs this same
file, and has to offer ``AsyncStore`` and ``AsyncMemoryBackend`` in
``remote_store.aio``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

FOLDERS, FILES = 50, 100
KEYS = [f"folder {i % FOLDERS}/file {i}.txt" for i in range(FOLDERS * FILES)]
CONTENT = b"x" * 100
#: Processor time: what other programs do on the machine does not count.
clock = time.process_time
OPERATIONS = (
    "create",
    "write",
    "read_bytes",
    "exists",
    "get_file_info",
    "missing",
    "is_folder",
    "copy",
    "move",
    "delete",
    "list one folder",
    "list all",
    "folder info",
)

Round = dict[str, float]


class Dict:
    """Async methods over a dict, which return what the backend returns and do nothing else."""

    def __init__(self) -> None:
        from remote_store import FileInfo, RemotePath, WriteResult

        self._files: dict[str, tuple[Any, ...]] = {}
        self._folders = {f"folder {i}" for i in range(FOLDERS)}
        self._version = 0
        self._info, self._path, self._result = FileInfo, RemotePath, WriteResult

    async def write(self, key: str, content: bytes, *, overwrite: bool = False) -> Any:
        if not overwrite and key in self._files:
            raise FileExistsError(key)
        self._version += 1
        path, etag, now = self._path(key), str(self._version), datetime.now(UTC)
        self._files[key] = (path, content, now, etag)
        return self._result(path, len(content), "native", etag=etag, last_modified=now)

    async def read_bytes(self, key: str) -> bytes:
        content: bytes = self._files[key][1]
        return content

    async def exists(self, key: str) -> bool:
        return key in self._files

    async def get_file_info(self, key: str) -> Any:
        path, content, now, etag = self._files[key]
        return self._info(path, path.name, len(content), now, etag=etag)

    async def is_folder(self, key: str) -> bool:
        return key in self._folders

    async def copy(self, src: str, dst: str) -> None:
        if dst in self._files:
            raise FileExistsError(dst)
        self._version += 1
        etag, now = str(self._version), datetime.now(UTC)
        self._files[dst] = (self._path(dst), self._files[src][1], now, etag)

    async def move(self, src: str, dst: str) -> None:
        if dst in self._files:
            raise FileExistsError(dst)
        self._files[dst] = (self._path(dst), *self._files.pop(src)[1:])

    async def delete(self, key: str) -> None:
        del self._files[key]

    async def get_folder_info(self, folder: str) -> Any:
        files = self._files.values()
        return len(files), sum(len(file[1]) for file in files), max(file[2] for file in files)

    async def list_files(self, folder: str, *, recursive: bool = False) -> AsyncIterator[Any]:
        # One folder of a flat dict would need a scan; here all are listed,
        # and the cost is taken per entry.
        for path, content, now, etag in list(self._files.values()):
            yield self._info(path, path.name, len(content), now, etag=etag)


async def _drain(entries: AsyncIterator[Any]) -> int:
    count = 0
    async for _ in entries:
        count += 1
    return count


async def measure(make: Callable[[], Any]) -> Round:
    """Return microseconds for each operation (for listings: for each entry) of one round."""
    store = make()

    async def per_key(
        call: Callable[..., Awaitable[object]], *keys: Sequence[object], **options: object
    ) -> float:
        calls = list(zip(*(keys or (KEYS,)), strict=True))
        start = clock()
        for arguments in calls:
            await call(*arguments, **options)
        return (clock() - start) / len(KEYS) * 1e6

    async def per_entry(*folders: str, recursive: bool) -> float:
        start = clock()
        count = 0
        for folder in folders:
            count += await _drain(store.list_files(folder, recursive=recursive))
        return (clock() - start) / count * 1e6

    async def added_up() -> float:
        start = clock()
        await store.get_folder_info("")
        return (clock() - start) / len(KEYS) * 1e6

    first = [f"folder {i}" for i in range(FOLDERS)]
    contents = [CONTENT] * len(KEYS)
    others, copies, moved = ([f"{key}{end}" for key in KEYS] for end in ("-", ".c", ".m"))
    return {
        "create": await per_key(store.write, KEYS, contents),
        "write": await per_key(store.write, KEYS, contents, overwrite=True),
        "read_bytes": await per_key(store.read_bytes),
        "exists": await per_key(store.exists),
        "get_file_info": await per_key(store.get_file_info),
        "missing": await per_key(store.exists, others),
        "is_folder": await per_key(store.is_folder, first * FILES),
        "copy": await per_key(store.copy, KEYS, copies),
        "move": await per_key(store.move, copies, moved),
        "delete": await per_key(store.delete, moved),
        "list one folder": await per_entry(*first[: 1 if make is Dict else None], recursive=False),
        "list all": await per_entry("", recursive=True),
        "folder info": await added_up(),
    }


async def bytes_a_file(make: Callable[[], Any], files: int) -> float:
    """Return what a file costs in memory; a hundred share a folder, keys have 15 characters."""
    content = b"x"
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    store = make()
    for i in range(files):
        await store.write(f"d/{i // 100:04}/{i:08}", content)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return size / files


async def strangers(make: Callable[[], Any], files: int) -> Round:
    """Return microseconds for what must not grow with the *files* of a store."""
    store = make()
    for i in range(files):
        await store.write(f"d/{i}", b"")

    async def first_entry() -> None:
        found = store.list_files("d")
        await anext(found)
        await found.aclose()

    async def delete_recursively() -> None:
        await store.write("gone/a/f", b"")
        await store.delete_folder("gone", recursive=True)

    best: Round = {}
    for _ in range(20):
        for act in (first_entry, delete_recursively):
            start = clock()
            await act()
            took, name = (clock() - start) * 1e6, act.__name__.replace("_", " ")
            best[name] = min(took, best.get(name, took))
    return best


def ours() -> dict[str, Callable[[], Any]]:
    """Return the contenders of this interpreter."""
    from remote_store.aio import AsyncStore
    from remote_store_memory import AsyncMemoryBackend

    return {
        "dict": Dict,
        "bare": AsyncMemoryBackend,
        "store": lambda: AsyncStore(AsyncMemoryBackend()),
    }


def serve() -> None:
    """Measure what each line of standard input asks for: the rival's side."""
    aio: Any = importlib.import_module("remote_store.aio")

    def make() -> Any:
        return aio.AsyncStore(aio.AsyncMemoryBackend())

    for line in sys.stdin:
        files = int(line)
        result: Any = asyncio.run(bytes_a_file(make, files) if files else measure(make))
        print(json.dumps(result), flush=True)


@contextmanager
def rival(python: str) -> Iterator[Callable[[int], Any]]:
    """
    Start another interpreter on this file; give a function that measures there.

    It takes the number of files whose memory is asked for, 0 for a round of times.
    """
    command = [python, "-P", __file__, "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None

        def ask(files: int) -> Any:
            print(files, file=questions, flush=True)
            return json.loads(answers.readline())

        yield ask
        questions.close()


def run(contenders: dict[str, Callable[[], Round]], rounds: int) -> dict[str, Round]:
    """Return the best time of each operation, of rounds that alternate."""
    best: dict[str, Round] = {name: {} for name in contenders}
    for _ in range(rounds):
        for name, one_round in contenders.items():
            for operation, cost in one_round().items():
                best[name][operation] = min(cost, best[name].get(operation, cost))
    return best


def show(best: dict[str, Round]) -> None:
    """Print times and ratios."""
    names = list(best)
    ratios = [("bare", "dict"), ("store", "bare")]
    if "rival" in best:
        ratios += [("rival", "bare"), ("rival", "store")]
    heads = [f"{name} us" for name in names] + [f"{a}/{b}" for a, b in ratios]
    print(f"{'operation':16}" + "".join(f"{head:>13}" for head in heads))
    for operation in OPERATIONS:
        cells = [best[name][operation] for name in names]
        cells += [best[a][operation] / best[b][operation] for a, b in ratios]
        print(f"{operation:16}" + "".join(f"{cell:13.2f}" for cell in cells))


def show_sizes(sizes: dict[str, float], files: int) -> None:
    """Print what a file takes, and what a large store costs against a small one."""
    told = ", ".join(f"{name} {size:.0f}" for name, size in sizes.items())
    print(f"\nbytes a file, of {files:,}: {told}")
    make = ours()["bare"]
    small, large = (asyncio.run(strangers(make, count)) for count in (1_000, files))
    for name, took in large.items():
        ratio = took / small[name]
        print(f"{name}: {took:.0f} us among {files:,} files, {ratio:.2f} of that among 1,000")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Ratios of the memory backend")
    parser.add_argument("--rival-python", help="interpreter of an environment with the rival")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    contenders: dict[str, Callable[[], Round]] = {
        name: lambda make=make: asyncio.run(measure(make))  # type: ignore[misc]
        for name, make in ours().items()
    }
    sizes = {
        name: asyncio.run(bytes_a_file(make, options.files))
        for name, make in ours().items()
        if name != "store"
    }
    if options.rival_python is None:
        show(run(contenders, options.rounds))
    else:
        with rival(options.rival_python) as ask:
            sizes["rival"] = ask(options.files)
            show(run(contenders | {"rival": lambda: ask(0)}, options.rounds))
    show_sizes(sizes, options.files)


if __name__ == "__main__":
    main()
