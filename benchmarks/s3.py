"""
S3: what the client costs, side by side with aiobotocore.

Processor time of this process, so that the server (moto, started here) does not
count; each figure is the best of its rounds. Run::

    python -P benchmarks/s3.py [--rival-python PATH]

where PATH is an interpreter with ``aiobotocore`` installed: it does the same
work on the same server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

CALLS = 150
ROUNDS = 3
SMALL = b"x" * 1024
ENTRIES = 1000

RIVAL = """
import asyncio, json, sys, time
import aiobotocore.session

url, key, secret, calls, rounds = sys.argv[1:]

async def main():
    session = aiobotocore.session.get_session()
    async with session.create_client("s3", endpoint_url=url, region_name="us-east-1",
                                     aws_access_key_id=key, aws_secret_access_key=secret) as s3:
        async def put(n):
            await s3.put_object(Bucket="bench", Key=f"put/{n}", Body=b"x" * 1024)
        async def get(n):
            answer = await s3.get_object(Bucket="bench", Key="put/1")
            async with answer["Body"] as body:
                await body.read()
        async def head(n):
            await s3.head_object(Bucket="bench", Key="put/1")
        async def page(n):
            found = await s3.list_objects_v2(Bucket="bench", Prefix="list/")
            assert len(found["Contents"]) == 1000
        best = {}
        for name, work, count in (("put", put, int(calls)), ("get", get, int(calls)),
                                  ("head", head, int(calls)), ("list", page, 5)):
            await work(1)
            for _ in range(int(rounds)):
                begin = time.process_time()
                for n in range(count):
                    await work(n)
                spent = (time.process_time() - begin) / count
                best[name] = min(best.get(name, 9e9), spent)
        print(json.dumps(best))

asyncio.run(main())
"""


async def processor(work: Callable[[int], Awaitable[object]], calls: int) -> float:
    """Return the best processor seconds of one call."""
    await work(1)
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for number in range(calls):
            await work(number)
        best = min(best, (time.process_time() - begin) / calls)
    return best


async def ours(options: dict[str, Any]) -> dict[str, float]:
    """Return seconds of a put, get and head of 1 KiB, and of a listing of 1,000 files."""
    from remote_store_s3 import AsyncS3Backend

    async with AsyncS3Backend("bench", **options) as backend:
        for number in range(ENTRIES):
            await backend.write(f"list/{number}", b"")

        async def put(number: int) -> None:
            await backend.write(f"put/{number}", SMALL, overwrite=True)

        async def get(_: int) -> None:
            await backend.read_bytes("put/1")

        async def head(_: int) -> None:
            await backend.get_file_info("put/1")

        async def page(_: int) -> None:
            assert len([info async for info in backend.list_files("list")]) == ENTRIES

        return {
            "put": await processor(put, CALLS),
            "get": await processor(get, CALLS),
            "head": await processor(head, CALLS),
            "list": await processor(page, 5),
        }


def main() -> None:
    """Print microseconds of processor time, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rival-python")
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.s3 import moto

    with moto.running() as server:
        server.make_bucket("bench")
        mine = asyncio.run(ours(server.options))
        rival: dict[str, float] = {}
        if given.rival_python:
            arguments = [server.url, moto.KEY, moto.SECRET, str(CALLS), str(ROUNDS)]
            done = subprocess.run(
                [given.rival_python, "-c", RIVAL, *arguments],
                check=True,
                capture_output=True,
                text=True,
            )
            rival = json.loads(done.stdout)
    for name, seconds in mine.items():
        per = ENTRIES if name == "list" else 1
        line = f"{name:5} {seconds / per * 1e6:8.1f} us"
        if name in rival:
            other = rival[name]
            line += f"   aiobotocore {other / per * 1e6:8.1f} us   ratio {seconds / other:.2f}"
        print(line)


if __name__ == "__main__":
    main()
