"""Races: the same moment in several threads, each with a loop of its own, or in several tasks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

from attrs import frozen

from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_conformance.contract.expect import Hang
from remote_store_conformance.contract.trial import Trial

__all__ = ["Crew", "Outcome", "crew", "tasks"]

T = TypeVar("T")

#: Seconds between switches of threads: a race window of a few bytecodes gets hit.
_SWITCH: Final = 1e-6

#: What each racer does, with a store of its own.
Move: TypeAlias = Callable[[AsyncStore], Awaitable[T]]


@frozen
class Outcome(Generic[T]):
    """What one racer got: a value, or an error."""

    value: T | None = None
    error: BaseException | None = None

    @property
    def won(self) -> bool:
        """True if nothing was raised."""
        return self.error is None

    def __str__(self) -> str:
        return "ok" if self.error is None else type(self.error).__name__


async def _outcome(call: Callable[[], Awaitable[T]]) -> Outcome[T]:
    try:
        return Outcome(await call())
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return Outcome(error=error)


async def tasks(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[Outcome[T]]:
    """Run calls as tasks of this loop, all started before the first runs."""
    return list(await asyncio.gather(*(_outcome(call) for call in calls)))


class Crew:
    """Racers that keep their threads and loops from round to round."""

    def __init__(self, trial: Trial, size: int, *, apart: bool) -> None:
        self._trial = trial
        self._apart = apart
        self._barrier = threading.Barrier(size)
        self._orders: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in range(size)]
        self._answers: queue.SimpleQueue[tuple[int, Outcome[Any]]] = queue.SimpleQueue()
        #: A racer is in a call that does not end, and never comes home.
        self.hangs = False
        self.threads = [
            threading.Thread(target=self._work, args=(n,), name=f"kit-racer-{n}", daemon=True)
            for n in range(size)
        ]

    async def race(self, calls: Sequence[Move[T]]) -> list[Outcome[T]]:
        """
        Run one call in each racer, all released at the same moment.

        Args:
            calls: As many as there are racers; each gets a store over the
                same files, and runs in the racer's own loop.

        Raises:
            Hang: They do not end within the deadline of a race.
        """
        if len(calls) != len(self._orders):
            msg = f"{len(self._orders)} racers need as many calls, got {len(calls)}"
            raise ValueError(msg)
        for order, call in zip(self._orders, calls, strict=True):
            order.put(call)
        found: dict[int, Outcome[T]] = {}
        loop = asyncio.get_running_loop()
        patience = self._trial.patience
        end = loop.time() + (patience if self._trial.hung else max(10.0, 5 * patience))
        while len(found) < len(calls):
            try:
                number, outcome = self._answers.get_nowait()
            except queue.Empty:
                if loop.time() > end:
                    self.hangs = True
                    msg = f"{len(calls) - len(found)} of {len(calls)} racing calls do not end"
                    raise Hang(msg) from None
                await asyncio.sleep(0.0005)
            else:
                found[number] = outcome
        return [found[n] for n in range(len(calls))]

    def _work(self, number: int) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve(number))
        except Exception as error:  # noqa: BLE001 - handed to the task that waits for this racer
            self._barrier.abort()
            self._answers.put((number, Outcome(error=error)))

    async def _serve(self, number: int) -> None:
        async with self._own_backend(number) as backend:
            store = self._trial.store_over(backend)
            # Blocking is fine: nothing else runs in this loop between races.
            while (call := self._orders[number].get()) is not None:
                self._barrier.wait()
                self._answers.put((number, await _outcome(functools.partial(call, store))))

    @contextlib.asynccontextmanager
    async def _own_backend(self, number: int) -> AsyncGenerator[AsyncBackend, None]:
        if self._trial.target.loops and not (self._apart and number % 2):
            yield self._trial.backend
        else:
            async with self._trial.target.open(self._trial.scratch) as backend:
                yield backend

    def stop(self) -> None:
        """Send the racers home."""
        for order in self._orders:
            order.put(None)


class _Tasks(Crew):
    """Racers of a backend that serves one loop and has no second client: tasks."""

    def __init__(self, trial: Trial) -> None:
        self._store = trial.store

    async def race(self, calls: Sequence[Move[T]]) -> list[Outcome[T]]:
        return await tasks([functools.partial(call, self._store) for call in calls])


@contextlib.contextmanager
def _switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextlib.asynccontextmanager
async def crew(trial: Trial, size: int, *, apart: bool = False) -> AsyncGenerator[Crew, None]:
    """
    Open a crew of racers.

    Threads with a loop each, over one backend object; over an object of its
    own for each where the target's backends serve one loop only; tasks where
    there is no second object either.

    Args:
        trial: The run.
        size: Racers.
        apart: Every second racer has an object of its own, where a second one
            sees the same files. What one object decides in its own memory then
            meets what another one does, as a program on another machine would.
    """
    if not trial.target.loops and not trial.target.persistent:
        yield _Tasks(trial)
        return
    racers = Crew(trial, size, apart=apart and trial.target.persistent)
    with _switching():
        for thread in racers.threads:
            thread.start()
        try:
            yield racers
        finally:
            racers.stop()
            end = asyncio.get_running_loop().time() + trial.patience
            for thread in () if racers.hangs else racers.threads:
                while thread.is_alive() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - a thread sets no event
                    await asyncio.sleep(0.0005)
