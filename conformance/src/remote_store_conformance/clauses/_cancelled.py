"""Every kind of change, cancelled at many moments: what the CANCEL clauses look at."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from attrs import frozen

from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.cancelling import (
    Cancelled,
    cancel_after_seconds,
    cancel_after_steps,
)
from remote_store_conformance.tools.operations import CHANGING, Operation, Scene, State, declared
from remote_store_conformance.tools.scenes import set_scene
from remote_store_conformance.tools.sources import Source, pattern

__all__ = ["Run", "sweep"]

#: What a cancelled write was given, in pieces.
_NEW: Final = (pattern(50_000, seed=2), pattern(50_000, seed=3))

#: Turns of the loop after which a call is cancelled.
_STEPS: Final = (0, 1, 2, 3, 4, 5, 6, 8, 12)

#: The same in parts of the time that the call takes: threads and services do
#: not work in turns of the loop.
_PARTS: Final = (0.2, 0.5, 0.8)


@frozen
class Run:
    """
    A change that was cancelled.

    Args:
        op: The change.
        scene: What it was made on.
        allowed: What may be there afterwards.
        moment: When it was cancelled.
        outcome: How the call ended.
    """

    op: Operation
    scene: Scene
    allowed: tuple[State, ...]
    moment: str
    outcome: Cancelled[Any]

    def __str__(self) -> str:
        return f"{self.op} that was cancelled {self.moment}"


async def sweep(t: Trial) -> AsyncGenerator[Run, None]:
    """Yield every declared change, cancelled at one moment after the other."""
    for op in declared(t, *CHANGING):
        if op.refuses:
            continue
        started = time.perf_counter()
        await op.perform(t.store, await set_scene(t, op), Source(_NEW))
        seconds = time.perf_counter() - started
        for steps in _STEPS:
            scene, source = await set_scene(t, op), Source(_NEW)
            call = op.perform(t.store, scene, source)
            outcome = await cancel_after_steps(call, steps)
            allowed = tuple(op.allowed(t, scene, source.data))
            yield Run(op, scene, allowed, f"after {steps} turns of the loop", outcome)
            if outcome.finished:
                break
        else:
            for part in _PARTS:
                scene, source = await set_scene(t, op), Source(_NEW)
                call = op.perform(t.store, scene, source)
                outcome = await cancel_after_seconds(call, part * seconds)
                allowed = tuple(op.allowed(t, scene, source.data))
                yield Run(op, scene, allowed, f"after {part:.0%} of its time", outcome)
