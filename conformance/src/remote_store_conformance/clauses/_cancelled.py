"""Every kind of change, cancelled at many moments: what the CANCEL clauses look at."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any, Final, TypeAlias

from attrs import frozen

from remote_store import Capability
from remote_store_conformance.cancelling import (
    Cancelled,
    cancel_after_seconds,
    cancel_after_steps,
)
from remote_store_conformance.sources import Source, pattern
from remote_store_conformance.trial import Trial

__all__ = ["NEW", "Change", "Run", "State", "look", "sweep"]

C = Capability

OLD: Final = pattern(70_000, seed=1)
NEW: Final = b"".join(pattern(50_000, seed=n) for n in (2, 3))

#: What is at each path; None for nothing.
State: TypeAlias = Mapping[str, bytes | None]

#: Turns of the loop after which a call is cancelled.
_STEPS: Final = (0, 1, 2, 3, 4, 5, 6, 8, 12)

#: The same in parts of the time that the call takes: threads and services do
#: not work in turns of the loop.
_PARTS: Final = (0.2, 0.5, 0.8)


@frozen
class Change:
    """
    One call that changes something.

    Args:
        call: Makes it.
        before: What was there.
        after: What is there when it has succeeded.
        between: What else may be there when it was cancelled.
    """

    call: Callable[[], Coroutine[Any, Any, Any]]
    before: State
    after: State
    between: State | None = None

    @property
    def allowed(self) -> list[State]:
        """Every state that may be left."""
        states = [self.before, self.after, self.between]
        return [state for state in states if state is not None]


@frozen
class Run:
    """
    A change that was cancelled.

    Args:
        name: Kind of the change.
        change: The change.
        moment: When it was cancelled.
        outcome: How the call ended.
    """

    name: str
    change: Change
    moment: str
    outcome: Cancelled[Any]

    def __str__(self) -> str:
        return f"a {self.name} that was cancelled {self.moment}"


def _kinds(t: Trial) -> dict[str, Callable[[str, str], Change]]:
    """Return what makes a change of each declared kind, from two free paths."""
    s = t.store
    kinds: dict[str, Callable[[str, str], Change]] = {
        "write of a stream over a file": lambda a, b: Change(
            lambda: s.write(a, _stream(), overwrite=True), {a: OLD}, {a: NEW}
        ),
        "write of bytes over a file": lambda a, b: Change(
            lambda: s.write(a, NEW, overwrite=True), {a: OLD}, {a: NEW}
        ),
        "write of a new file": lambda a, b: Change(
            lambda: s.write(a, _stream()), {a: None}, {a: NEW}
        ),
    }
    if t.declares(C.ATOMIC_WRITE):
        kinds["write_atomic"] = lambda a, b: Change(
            lambda: s.write_atomic(a, _stream(), overwrite=True), {a: OLD}, {a: NEW}
        )
    if t.declares(C.DELETE):
        kinds["delete"] = lambda a, b: Change(lambda: s.delete(a), {a: OLD}, {a: None})
    if t.declares(C.COPY):
        kinds["copy"] = lambda a, b: Change(
            lambda: s.copy(a, b), {a: OLD, b: None}, {a: OLD, b: OLD}
        )
    if t.declares(C.MOVE):
        # Without ATOMIC_MOVE there may be a moment with both.
        atomic = t.declares(C.ATOMIC_MOVE)
        kinds["move"] = lambda a, b: Change(
            lambda: s.move(a, b),
            {a: OLD, b: None},
            {a: None, b: OLD},
            None if atomic else {a: OLD, b: OLD},
        )
    return kinds


def _stream() -> Any:
    return Source((NEW[:50_000], NEW[50_000:])).open()


async def sweep(t: Trial) -> AsyncGenerator[Run, None]:
    """Yield every declared kind of change, cancelled at one moment after the other."""
    for name, make in _kinds(t).items():
        started = time.perf_counter()
        await (await _prepared(t, make)).call()
        seconds = time.perf_counter() - started
        for steps in _STEPS:
            change = await _prepared(t, make)
            outcome = await cancel_after_steps(change.call(), steps)
            yield Run(name, change, f"after {steps} turns of the loop", outcome)
            if outcome.finished:
                break
        else:
            for part in _PARTS:
                change = await _prepared(t, make)
                outcome = await cancel_after_seconds(change.call(), part * seconds)
                yield Run(name, change, f"after {part:.0%} of its time", outcome)


async def _prepared(t: Trial, make: Callable[[str, str], Change]) -> Change:
    change = make(t.name("one"), t.name("other"))
    for path, content in change.before.items():
        if content is not None:
            await t.seed_file(path, content)
    return change


async def look(t: Trial, state: State) -> State:
    """Return what is now at the paths of *state*."""
    return {path: await t.peek(path) for path in state}
