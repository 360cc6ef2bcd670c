"""AMOVE: moves that are one step for every reader."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Final

from remote_store import Capability, NotFound
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level, Need
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.races import crew
from remote_store_conformance.tools.sources import pattern

C = Capability

_MOVES: Final = [C.MOVE, C.ATOMIC_MOVE]

Look = Callable[[AsyncStore], Awaitable[None]]


def _until(done: threading.Event, look: Look) -> Look:
    """Return a racer that looks again and again until the event, and once after it."""

    async def watch(store: AsyncStore) -> None:
        last = False
        while not last:
            last = done.is_set()
            await look(store)
            # Where racers are tasks of one loop, the move wants its turn.
            await asyncio.sleep(0)

    return watch


def _mover(done: threading.Event, src: str, dst: str, *, overwrite: bool = False) -> Look:
    async def move(store: AsyncStore) -> None:
        try:
            await store.move(src, dst, overwrite=overwrite)
        finally:
            done.set()

    return move


def _looks(src: str, dst: str, seen: set[str]) -> tuple[Look, Look]:
    # A move goes one way, so two looks one after the other are enough: what
    # left the old name must be under the new one, and what is under the new
    # one must have left the old.
    async def neither(store: AsyncStore) -> None:
        if not await store.is_file(src) and not await store.is_file(dst):
            seen.add("neither")

    async def both(store: AsyncStore) -> None:
        if await store.is_file(dst) and await store.is_file(src):
            seen.add("both")

    return neither, both


@clause(
    "AMOVE-001",
    "At every moment of a move the file is under exactly one of the two names.",
    intent="A program that lists a queue folder must neither miss a job nor take it twice.",
    level=Level.STOCHASTIC,
    requires=_MOVES,
    needs=[Need.SEED],
)
async def exactly_one_name(t: Trial) -> None:
    async with crew(t, 3) as racers:
        for _ in rounds(t, 60):
            src, dst = await t.seed_file(t.name("from"), b"content"), t.name("to")
            done = threading.Event()
            seen: set[str] = set()
            neither, both = _looks(src, dst, seen)
            outcomes = await racers.race(
                [_mover(done, src, dst), _until(done, neither), _until(done, both)]
            )
            for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
            expect(
                not seen,
                f"during a move the file was under {' and '.join(sorted(seen))} of its names",
                expected="exactly one name at every moment",
            )


@clause(
    "AMOVE-002",
    "Of several moves of one file to different names exactly one succeeds, the others get "
    "NotFound, and the file is under the winner's name only.",
    intent="Renaming a job is how workers claim it.",
    level=Level.STOCHASTIC,
    requires=_MOVES,
    needs=[Need.SEED, Need.PEEK],
)
async def one_claim(t: Trial) -> None:
    size = 4
    async with crew(t, size, apart=True) as racers:
        for _ in rounds(t, 60):
            src = await t.seed_file(t.name("job"), b"content")
            names = [t.name("worker") for _ in range(size)]
            claims = [_mover(threading.Event(), src, name) for name in names]
            outcomes = await racers.race(claims)
            said = [str(o) for o in outcomes]
            winners = [name for name, o in zip(names, outcomes, strict=True) if o.won]
            expect(
                len(winners) == 1,
                f"{len(winners)} of {size} moves of one file succeeded",
                observed=said,
                expected="exactly one",
            )
            expect(
                all(o.won or isinstance(o.error, NotFound) for o in outcomes),
                "a move that came too late for its source raised the wrong exception",
                observed=said,
                expected="NotFound",
            )
            there = [name for name in (src, *names) if await t.peek(name) is not None]
            expect(
                there == winners,
                "after several moves of one file it is not under the winner's name only",
                observed=there,
                expected=winners,
            )


@clause(
    "AMOVE-003",
    "While a move replaces a file, a reader of its destination gets the old content or the new.",
    intent="Publishing by a rename over the old version leaves no moment without a version.",
    level=Level.STOCHASTIC,
    requires=[*_MOVES, C.READ],
    needs=[Need.SEED],
)
async def replaced_at_once(t: Trial) -> None:
    versions = [pattern(200_000, seed=n) for n in range(2)]
    async with crew(t, 2) as racers:
        dst = await t.seed_file(t.name("to"), versions[0])
        for n in rounds(t, 60):
            src = await t.seed_file(t.name("from"), versions[(n + 1) % 2])
            done = threading.Event()
            seen: list[bytes] = []

            async def read(store: AsyncStore, seen: list[bytes] = seen) -> None:
                seen.append(await store.read_bytes(dst))

            mover, reader = await racers.race(
                [_mover(done, src, dst, overwrite=True), _until(done, read)]
            )
            if mover.error is not None:
                raise mover.error
            expect(
                not isinstance(reader.error, NotFound),
                "while a move replaced a file, there was none under its name",
                observed=reader.error,
                expected="the old content or the new",
            )
            if reader.error is not None:
                raise reader.error
            for content in seen:
                expect(
                    content in versions,
                    "while a move replaced a file, it held neither the old content nor the new",
                    observed=content,
                    expected="the old content or the new",
                )
