"""
What the memory backend costs, as ratios measured side by side in one run.

Four contenders do the same work: the backend itself ("bare"), the same
through `AsyncStore` ("store"), the least that async methods over one dict can
do for the same results ("dict"), and, in a subprocess with another
interpreter, a rival's store over its own memory backend ("rival").

    python benchmarks/memory.py [--rival-python PATH] [--rounds N]

Rounds of the contenders alternate, so that a slow moment of the machine hits
all of them; the best round counts. The rival's interpreter runs this same
file, and has to offer ``AsyncStore`` and ``AsyncMemoryBackend`` in
``remote_store.aio``.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
    "list one folder",
    "list all",
)

Round = dict[str, float]


class Dict:
    """Async methods over a dict, which return what the backend returns and do nothing else."""

    def __init__(self) -> None:
        from remote_store import FileInfo, RemotePath, WriteResult

        self._files: dict[str, tuple[Any, ...]] = {}
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

    async def per_key(call: Callable[[str], Awaitable[object]]) -> float:
        start = clock()
        for key in KEYS:
            await call(key)
        return (clock() - start) / len(KEYS) * 1e6

    async def per_entry(*folders: str, recursive: bool) -> float:
        start = clock()
        count = 0
        for folder in folders:
            count += await _drain(store.list_files(folder, recursive=recursive))
        return (clock() - start) / count * 1e6

    first = [f"folder {i}" for i in range(FOLDERS)]
    return {
        "create": await per_key(lambda key: store.write(key, CONTENT)),
        "write": await per_key(lambda key: store.write(key, CONTENT, overwrite=True)),
        "read_bytes": await per_key(store.read_bytes),
        "exists": await per_key(store.exists),
        "get_file_info": await per_key(store.get_file_info),
        "list one folder": await per_entry(*first[: 1 if make is Dict else None], recursive=False),
        "list all": await per_entry("", recursive=True),
    }


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
    """Measure one round for each line of standard input: the rival's side."""
    aio: Any = importlib.import_module("remote_store.aio")
    for _ in sys.stdin:
        result = asyncio.run(measure(lambda: aio.AsyncStore(aio.AsyncMemoryBackend())))
        print(json.dumps(result), flush=True)


@contextmanager
def rival(python: str) -> Iterator[Callable[[], Round]]:
    """Start another interpreter on this file; give a function that measures a round there."""
    command = [python, "-P", __file__, "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None

        def one_round() -> Round:
            print(file=questions, flush=True)
            result: Round = json.loads(answers.readline())
            return result

        yield one_round
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Ratios of the memory backend")
    parser.add_argument("--rival-python", help="interpreter of an environment with the rival")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    contenders: dict[str, Callable[[], Round]] = {
        name: lambda make=make: asyncio.run(measure(make))  # type: ignore[misc]
        for name, make in ours().items()
    }
    if options.rival_python is None:
        show(run(contenders, options.rounds))
        return
    with rival(options.rival_python) as one_round:
        show(run(contenders | {"rival": one_round}, options.rounds))


if __name__ == "__main__":
    main()
