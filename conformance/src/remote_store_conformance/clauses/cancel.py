"""CANCEL: a call that is cancelled ends at once, as a whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from remote_store import Capability, RemoteStoreError
from remote_store_conformance.clauses._cancelled import sweep
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Violation, expect
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.cancelling import cancel_after_steps, cancel_when
from remote_store_conformance.tools.operations import LOOKING, Form, declared
from remote_store_conformance.tools.scenes import look, set_scene, shown_state
from remote_store_conformance.tools.sources import Source, pattern

C = Capability


@clause(
    "CANCEL-001",
    "A change that is cancelled before it is done raises CancelledError, and nothing else.",
    intent="Timeouts, task groups and shutdown rest on it; swallowed once, a program never ends.",
    requires=[C.WRITE],
)
async def comes_out(t: Trial) -> None:
    async for run in sweep(t):
        expect(
            run.outcome.finished or run.outcome.came_out,
            f"{run} did not raise CancelledError",
            observed=repr(run.outcome.error or run.outcome.value),
            expected="CancelledError",
        )
    source = Source(stall_after=1)
    writing = t.store.write(t.name(), source.open())
    outcome = await t.within(
        cancel_when(writing, source.stalled.wait), "a write that is cancelled while it waits"
    )
    expect(
        outcome.came_out,
        "a write that was cancelled while it waited for its content did not raise CancelledError",
        observed=repr(outcome.error or outcome.value),
        expected="CancelledError",
    )


@clause(
    "CANCEL-002",
    "After a change was cancelled the old files are there or the new ones, whole.",
    intent="A timeout is no licence to lose data.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def old_or_new(t: Trial) -> None:
    runs = [run async for run in sweep(t)]
    if not t.is_a(Trait.LOCAL):
        # A service may still be at the last one.
        await asyncio.sleep(t.settle)
    for run in runs:
        left = await look(t, run.scene)
        expect(
            left in run.allowed,
            f"{run} left neither the old files nor the new ones",
            observed=shown_state(left),
            expected=" or ".join(shown_state(state) for state in run.allowed),
        )


@clause(
    "CANCEL-003",
    "On a local target nothing changes after CancelledError was delivered.",
    intent="After a cancelled write its caller may write something else, which must stay.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    only=[Trait.LOCAL],
)
async def nothing_changes_later(t: Trial) -> None:
    seen = [(run, await look(t, run.scene)) async for run in sweep(t) if run.outcome.came_out]
    await asyncio.sleep(2 * t.settle)
    for run, before in seen:
        later = await look(t, run.scene)
        expect(
            later == before,
            f"{run} changed something after CancelledError was delivered",
            observed=shown_state(later),
            expected=shown_state(before),
        )
    t.note(cancelled=len(seen))


@clause(
    "CANCEL-004",
    "After any number of cancelled changes the next call on the same file works.",
    intent="A lock or a connection that is not given back shows only in the call after it.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def next_call_works(t: Trial) -> None:
    async for run in sweep(t):
        path = next(iter(run.scene.state))
        if run.op.form is Form.FOLDER:
            path = f"{path}/file"
        for _ in range(1 if t.is_a(Trait.LOCAL) else 2):
            again = t.store.write(path, b"again", overwrite=True)
            await t.within(again, f"a write after {run}")
            observed = await t.peek(path)
            if observed == b"again":
                break
            # The request that was given up may reach a service after the one that follows it.
            await asyncio.sleep(t.settle)
        expect(
            observed == b"again",
            f"a write after {run} had no effect",
            observed=observed,
            expected=b"again",
        )


@clause(
    "CANCEL-005",
    "A cancelled change leaves no temporary file and no task, and closes its content.",
    intent="Litter of years of timeouts fills a disk, and is listed as if it were data.",
    requires=[C.WRITE],
)
async def nothing_left(t: Trial) -> None:
    swept = None
    async for run in sweep(t):
        if swept not in (None, run.op):
            await _expect_no_litter(t, f"{swept} that was cancelled")
        swept = run.op
    await _expect_no_litter(t, f"{swept} that was cancelled")
    for write in _writes(t):
        source = Source((b"x" * 100_000,) * 3, stall_after=2)
        await cancel_when(write(t.name("stalled"), source.open()), source.stalled.wait)
        expect(source.closed, "a write that was cancelled left its content open")
        await _expect_no_litter(t, "a write that was cancelled while it waited for its content")


def _writes(t: Trial) -> list[Callable[..., Any]]:
    return [t.store.write, t.store.write_atomic][: 1 + t.declares(C.ATOMIC_WRITE)]


async def _expect_no_litter(t: Trial, what: str) -> None:
    if not t.is_a(Trait.LOCAL):
        await asyncio.sleep(t.settle)
    known = ("file-", "other-", "folder-", "free-")
    litter = [name for name in await t.names() if not name.startswith(known)]
    expect(
        not litter,
        f"{what} left a temporary file",
        observed=litter,
        expected="nothing",
    )


@clause(
    "CANCEL-006",
    "asyncio.timeout around a write that does not get on raises TimeoutError in time, and "
    "changes nothing.",
    intent="It is how programs limit the time of a call.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def timeout_works(t: Trial) -> None:
    for write in _writes(t):
        path = t.name()
        await t.store.write(path, b"old")
        source = Source(stall_after=1)

        async def limited(
            write: Callable[..., Awaitable[Any]] = write, path: str = path, source: Source = source
        ) -> None:
            async with asyncio.timeout(t.settle):
                await write(path, source.open(), overwrite=True)

        try:
            await t.within(limited(), "a write inside asyncio.timeout")
        except TimeoutError:
            pass
        except RemoteStoreError as error:
            msg = "asyncio.timeout around a write did not raise TimeoutError"
            said = f"{type(error).__name__}: {error}"
            raise Violation(msg, observed=said, expected="TimeoutError") from error
        else:
            msg = "asyncio.timeout around a write that waits for its content had no effect"
            raise Violation(msg, observed="the write returned", expected="TimeoutError")
        observed = await t.peek(path)
        expect(
            observed == b"old",
            "a write that timed out changed the file, although its content never came",
            observed=observed,
            expected=b"old",
        )


@clause(
    "CANCEL-007",
    "An aclose that was cancelled can be called again, and then nothing is left open.",
    intent="Shutdown is when cancellations come in numbers.",
)
async def cancelled_close(t: Trial) -> None:
    for steps in range(6):
        backend = await t.open_backend()
        await backend.exists(t.prefix)
        outcome = await cancel_after_steps(backend.aclose(), steps)
        expect(
            outcome.finished or outcome.came_out,
            f"an aclose that was cancelled after {steps} turns did not raise CancelledError",
            observed=repr(outcome.error),
            expected="CancelledError",
        )
        await t.within(backend.aclose(), "an aclose after one that was cancelled")


@clause(
    "CANCEL-008",
    "A read or listing that is cancelled raises CancelledError and lets go of everything.",
    intent="A download that the user stopped must not block the next one.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def reads_let_go(t: Trial) -> None:
    scene = await set_scene(t, old=pattern(3 << 20))
    for op in declared(t, *LOOKING):
        for steps in (0, 1, 2, 3, 5, 8, 13):
            call = op.perform(t.store, scene, Source())
            outcome = await cancel_after_steps(call, steps)
            expect(
                outcome.finished or outcome.came_out,
                f"{op} that was cancelled after {steps} turns did not raise CancelledError",
                observed=repr(outcome.error or type(outcome.value).__name__),
                expected="CancelledError",
            )
        await t.within(op.perform(t.store, scene, Source()), f"{op} after one that was cancelled")
