"""
Count what a program does with its stores, through a hook and without touching it.

    python examples/traffic.py
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from remote_store import NotFound, OperationEvent, hookimpl, register_plugin
from remote_store.aio import open_store


class Traffic:
    """Adds up the operations of all stores."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    @hookimpl
    def remote_store_operation(self, event: OperationEvent) -> None:
        self.calls[f"{event.name} {event.outcome}"] += 1
        self.bytes[event.name] += event.bytes or 0


async def program() -> None:
    async with open_store("memory://") as store:
        for number in range(3):
            await store.write(f"{number}.bin", bytes(1000))
        async for chunk in store.read("1.bin"):
            print("read", len(chunk))
        with contextlib.suppress(NotFound):
            await store.delete("missing.bin")


if __name__ == "__main__":
    traffic = Traffic()
    register_plugin(traffic, "traffic")
    asyncio.run(program())
    for name, count in sorted(traffic.calls.items()):
        print(f"{name}: {count}")
    print(sum(traffic.bytes.values()), "bytes")
