"""
Bring one store up to date with another, whatever the two are.

    python examples/mirror.py local:photos "acme:///photos" --option database=files.db

Copies what is missing, of another size or older, sixteen files at a time, and never
holds a whole file in memory. A file that changes meanwhile is reported and left to
the next run: nothing of a mixture of two versions reaches the target.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator

from remote_store import FileInfo, NotFound, PreconditionFailed
from remote_store.aio import AsyncStore, open_store

JOBS = 16


async def is_current(file: FileInfo, target: AsyncStore) -> bool:
    try:
        there = await target.get_file_info(str(file.path))
    except NotFound:
        return False
    return there.size == file.size and there.modified_at >= file.modified_at


async def one_version(store: AsyncStore, path: str) -> AsyncGenerator[bytes, None]:
    """
    Give a file's content; at the end, refuse it if the file has changed meanwhile.

    The writer commits after the end, so what raises here commits nothing.
    """
    before = await store.get_file_info(path)
    async with contextlib.aclosing(store.read(path)) as chunks:
        async for chunk in chunks:
            yield chunk
    after = await store.get_file_info(path)
    if (after.etag, after.size, after.modified_at) != (
        before.etag,
        before.size,
        before.modified_at,
    ):
        msg = f"{path} changed while it was read"
        raise PreconditionFailed(msg, path=path)


async def mirror(source: AsyncStore, target: AsyncStore) -> int:
    """Return how many files were copied."""
    copied = 0
    async with contextlib.aclosing(source.list_files("", recursive=True)) as files:

        async def worker() -> None:
            nonlocal copied
            while True:
                async with turn:
                    file = await anext(files, None)
                if file is None:
                    return
                if await is_current(file, target):
                    continue
                path = str(file.path)
                try:
                    await target.write_atomic(path, one_version(source, path), overwrite=True)
                except PreconditionFailed as error:
                    print(error, file=sys.stderr)
                else:
                    copied += 1

        turn = asyncio.Lock()  # an iterator is asked by one task at a time
        async with asyncio.TaskGroup() as group:
            for _ in range(JOBS):
                group.create_task(worker())
    return copied


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="URL of a store")
    parser.add_argument("target", help="URL of a store")
    parser.add_argument("--option", action="append", default=[], help="key=value for the target")
    given = parser.parse_args()
    options = dict(option.split("=", 1) for option in given.option)
    async with open_store(given.source) as source, open_store(given.target, **options) as target:
        print(f"{await mirror(source, target)} files copied")


if __name__ == "__main__":
    asyncio.run(main())
