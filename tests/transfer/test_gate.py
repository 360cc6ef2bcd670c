"""How many bytes pass at a time."""

from __future__ import annotations

import asyncio

import pytest

from remote_store_transfer._copying.gate import ByteGate

pytestmark = pytest.mark.asyncio


async def _waiting(gate: ByteGate, size: int) -> asyncio.Task[None]:
    task = asyncio.create_task(gate.enter(size))
    await asyncio.sleep(0)
    return task


async def test_a_small_one_does_not_overtake_a_large_one() -> None:
    """Order of arrival, so that a large file gets its turn."""
    gate = ByteGate(10)
    await gate.enter(6)
    large, small = await _waiting(gate, 8), await _waiting(gate, 1)
    assert not large.done()
    assert not small.done()

    gate.leave(6)
    await asyncio.gather(large, small)


async def test_who_gives_up_lets_the_others_pass() -> None:
    """A cancelled one that still waits leaves the queue, and takes no room."""
    gate = ByteGate(10)
    await gate.enter(6)
    large, small = await _waiting(gate, 8), await _waiting(gate, 4)

    large.cancel()
    await asyncio.wait({large})
    await asyncio.wait_for(small, 1)
    gate.leave(6)
    gate.leave(4)
    await asyncio.wait_for(gate.enter(10), 1)


async def test_who_gives_up_when_admitted_gives_the_room_back() -> None:
    """Cancelled between its turn and its next step."""
    gate = ByteGate(10)
    await gate.enter(10)
    second = await _waiting(gate, 10)
    gate.leave(10)
    second.cancel()
    await asyncio.wait({second})

    assert second.cancelled()
    await asyncio.wait_for(gate.enter(10), 1)
