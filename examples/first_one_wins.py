"""
Let many workers agree on one, by an exclusive write and nothing else.

    python examples/first_one_wins.py local:election
"""

from __future__ import annotations

import asyncio
import sys

from remote_store import AlreadyExists
from remote_store.aio import AsyncStore, open_store


async def claim(store: AsyncStore, worker: str) -> bool:
    """Return True for exactly one of all workers, in whatever process they are."""
    try:
        await store.write_text("leader.txt", worker)
    except AlreadyExists:
        return False
    return True


async def main(url: str) -> None:
    async with open_store(url) as store:
        workers = [f"worker {number}" for number in range(20)]
        claims = await asyncio.gather(*(claim(store, worker) for worker in workers))
        (leader,) = (worker for worker, won in zip(workers, claims, strict=True) if won)
        assert await store.read_text("leader.txt") == leader
        print("1 leader,", claims.count(False), "followers")
        await store.delete("leader.txt")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
