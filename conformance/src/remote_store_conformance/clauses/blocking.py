"""CONC: whether a call lets the event loop go on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable
from typing import Any, Final

from remote_store import RemoteStoreError
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level, Need
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.operations import declared
from remote_store_conformance.tools.scenes import set_scene
from remote_store_conformance.tools.sources import Source

#: A call that is said to block has done so this many times and not once else, for this part
#: of its time and for this many seconds, which is this much more than a call that only waits.
_LOOKS: Final = 3
_TRIES: Final = 10
_SHARE: Final = 0.5
_NOTED: Final = 0.03
_FAR: Final = 2


@clause(
    "CONC-009",
    "While a call runs, the event loop goes on: nobody waits for the whole of somebody else's "
    "call.",
    intent="One blocking call in an async program stops every other one in it.",
    level=Level.SHOULD,
    needs=[Need.SEED],
    seconds=60,
)
async def does_not_block(t: Trial) -> None:
    for op in declared(t):
        blocked: list[tuple[float, float]] = []
        for _ in range(_TRIES):
            scene = await set_scene(t, op)
            call = op.perform(t.store, scene, Source())
            seconds, gap = await _longest_gap(call, *([op.refuses] if op.refuses else []))
            if gap < max(_NOTED, seconds * _SHARE):
                break
            # A machine that is busy stops everything: what it does to a call that only waits
            # cannot be laid at the backend's door.
            _, idle = await _longest_gap(asyncio.sleep(seconds))
            if gap < _NOTED + _FAR * idle:
                continue
            blocked.append((gap, seconds))
            expect(
                len(blocked) < _LOOKS,
                f"{op} blocks the event loop",
                observed="no other task ran for {:.3f} s of its {:.3f} s".format(*min(blocked)),
                expected=f"less than {_SHARE:.0%} of its time, or than {_NOTED} s",
            )


async def _longest_gap(
    call: Awaitable[Any], *refusals: type[RemoteStoreError]
) -> tuple[float, float]:
    """Return the seconds that a call took, and the longest in which no other task ran."""
    turns = [time.perf_counter()]

    async def tick() -> None:
        while True:
            await asyncio.sleep(0)
            turns.append(time.perf_counter())

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    start = time.perf_counter()
    try:
        with contextlib.suppress(*refusals):
            await call
    finally:
        end = time.perf_counter()
        turns.append(end)
        ticking.cancel()
        await asyncio.wait({ticking})
    return end - start, max(b - a for a, b in itertools.pairwise(turns))
