"""FAULT: what comes of a call when the network or the service fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final

from attrs import field, frozen

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    Capability,
    FileInfo,
    FolderEntry,
    FolderInfo,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.targets.proxy import Fault, Wire, http_answer
from remote_store_conformance.tools.cancelling import Cancelled, cancel_when
from remote_store_conformance.tools.faults import Outcome, broken, make, needs_wire, tell_the_truth
from remote_store_conformance.tools.operations import (
    CHANGING,
    Operation,
    Scene,
    declared,
    settle_call,
)
from remote_store_conformance.tools.scenes import look, set_scene, shown_state
from remote_store_conformance.tools.sources import Source, pattern

__all__ = ["as_good"]

C = Capability

_MIB: Final = 1 << 20

#: More often than any retry tries.
_ALWAYS: Final = 1_000_000

#: Seconds that a cancelled change may try to remove what it made.
_CLEANING: Final = 10.0

#: Requests of one call that are looked at, one after the other.
_REQUESTS: Final = 6


async def _joined(t: Trial, path: str) -> bytes:
    return b"".join(await collect(t.store.read(path)))


async def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return await settle_call(call()), None
    except Exception as error:  # noqa: BLE001 - judged by the caller
        return None, error


def _said(value: Any, error: Exception | None) -> str:
    return f"it returned {value!r}" if error is None else f"{type(error).__name__}: {error}"


@clause(
    "FAULT-001",
    "A read whose connection breaks goes on where it was or raises; it never ends as if the file "
    "were shorter.",
    intent="Short data that look complete are the worst that a storage can return.",
    requires=[C.READ],
    needs=[Need.SEED],
    seconds=60,
)
async def no_short_read(t: Trial) -> None:
    needs_wire(t)
    content = pattern(min(2 * _MIB, t.target.max_object))
    path = await t.seed_file(t.name(), content)
    reads: dict[str, Callable[[], Awaitable[bytes]]] = {
        "read": lambda: _joined(t, path),
        "read_bytes": lambda: t.store.read_bytes(path),
    }
    for fault in (
        Fault("reset", "down", after=len(content) // 3),
        Fault("truncate", "down", after=len(content) // 3),
        Fault("truncate", "down", after=len(content) // 3, times=_ALWAYS),
    ):
        for name, read in reads.items():
            async with broken(t, fault):
                value, error = await _outcome(read)
            what = f"a {name} whose connection broke ({fault.kind}, {fault.times} times)"
            expect(
                error is not None or value == content,
                f"{what} returned short or wrong data",
                observed=value,
                expected=f"all {len(content)} bytes, or an error",
            )
            expect(
                error is None or isinstance(error, RemoteStoreError),
                f"{what} raised the wrong exception",
                observed=_said(value, error),
                expected="BackendUnavailable",
            )


@clause(
    "FAULT-002",
    "A write whose connection breaks leaves the old file or the new one, and the new one if it "
    "returned.",
    intent="Networks break in the middle of uploads, and somebody reads the file.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    seconds=60,
)
async def old_or_new(t: Trial) -> None:
    needs_wire(t)
    size = min(2 * _MIB, t.target.max_object)
    old, new = pattern(size // 2, seed=1), pattern(size, seed=2)
    parts = [new[start : start + size // 8] for start in range(0, size, size // 8)]
    forms: dict[str, Callable[[str], Awaitable[Any]]] = {
        "bytes": lambda path: t.store.write(path, new, overwrite=True),
        "a stream": lambda path: t.store.write(path, Source(parts).open(), overwrite=True),
    }
    for after in (size // 3, size * 2 // 3):
        for form, write in forms.items():
            path = await t.seed_file(t.name(), old)
            async with broken(t, Fault("reset", "up", after=after)):
                value, error = await _outcome(partial(write, path))
            left = await t.peek(path)
            what = f"a write of {form} whose connection broke after {after} bytes"
            expect(
                left == new or (error is not None and left == old),
                f"{what} left neither the old file nor the new one",
                observed=left,
                expected="the old content or the new" if error else "the new content",
                outcome=_said(value, error),
            )
            expect(
                error is None or isinstance(error, RemoteStoreError),
                f"{what} raised the wrong exception",
                observed=_said(value, error),
                expected="BackendUnavailable",
            )


@clause(
    "FAULT-003",
    "While the service cannot be reached every call raises BackendUnavailable; nothing is said to "
    "be absent, empty or done.",
    intent="A program that takes 'down' for 'not there' writes its files anew.",
    seconds=120,
)
async def unreachable(t: Trial) -> None:
    needs_wire(t)
    for op in declared(t):
        scene = await set_scene(t, op)
        async with broken(t, Fault("refuse", times=_ALWAYS)):
            outcome = await make(t, op, scene)
        expect(
            isinstance(outcome.error, BackendUnavailable),
            f"{op} did not raise BackendUnavailable while the service could not be reached",
            observed=outcome.said,
            expected="BackendUnavailable",
        )
        await tell_the_truth(t, outcome, f"{op} while the service could not be reached")


@clause(
    "FAULT-004",
    "An answer 429 or 503 to any request of a call is waited out or raised as BackendUnavailable; "
    "what was returned is true, and the next call works.",
    intent="Services ask for patience every day, and most often in the middle of something.",
    seconds=240,
)
async def busy(t: Trial) -> None:
    needs_wire(t)
    for status, reason in ((503, "Server Busy"), (429, "Too Many Requests")):
        for op in declared(t):
            good, later = await make(t, op, await set_scene(t, op)), await set_scene(t, op)
            async for outcome, number in _each_request(t, op, http_answer(status, reason)):
                what = f"{op} whose request {number} was answered {status}"
                expect(
                    isinstance(outcome.error, BackendUnavailable) or as_good(good, outcome),
                    f"{op} did not take an answer {status} for what it is",
                    observed=f"{outcome.said} (request {number})",
                    expected=f"BackendUnavailable, or after a retry {good.said}",
                )
                await tell_the_truth(t, outcome, what)
                if number > 1:
                    continue
                again = await make(t, op, later)
                expect(
                    as_good(good, again),
                    f"{op} does not work after an answer {status}",
                    observed=again.said,
                    expected=good.said,
                )


async def _each_request(
    t: Trial, op: Operation, answer: bytes, *, times: int = 1
) -> AsyncIterator[tuple[Outcome, int]]:
    """Make a call again and again; each time the proxy answers a later request of it."""
    for number in range(1, _REQUESTS + 1):
        scene = await set_scene(t, op)
        fault = Fault("answer", answer=answer, skip=number - 1, times=times)
        async with broken(t, fault, always=number == 1) as wire:
            outcome = await make(t, op, scene)
            hit = wire.hits
        if not hit:
            return
        yield outcome, number


def as_good(good: Outcome, outcome: Outcome) -> bool:
    """Return True if a call worked, and answered the same where it only looks."""
    if not outcome.worked:
        return False
    return outcome.op.form in CHANGING or _told(outcome.value) == _told(good.value)


def _told(value: Any) -> Any:
    """Return what is alike in answers about two scenes, whose paths and times differ."""
    if isinstance(value, list):
        return [_told(item) for item in value]
    if isinstance(value, FolderInfo):
        return value.file_count, value.total_size
    if isinstance(value, FolderEntry):
        return "folder"
    return value.size if isinstance(value, FileInfo | WriteResult) else value


@clause(
    "FAULT-005",
    "A call whose service has gone silent can be cancelled at once (a change within seconds, for "
    "its temporary file) and leaves the old or the new; the next call works.",
    intent="The caller's timeout must hold where the network's has not begun.",
    seconds=120,
)
async def silence(t: Trial) -> None:
    needs_wire(t)
    calls = [await _prepared(t, op) for op in declared(t)]
    async with broken(t, Fault("stall", "down", times=_ALWAYS)) as wire:
        endings: list[asyncio.Task[Cancelled[Any]]] = []
        try:
            for call in calls:
                # One by one, so that all that have begun are ended below.
                endings.append(await _cancelled_in_silence(t, wire, call))  # noqa: PERF401
            outcomes = [await ending for ending in endings]
        finally:
            for ending in endings:
                ending.cancel()
            await asyncio.wait(endings, timeout=t.settle)
    for call, outcome in zip(calls, outcomes, strict=True):
        await _after_silence(t, call, outcome)


@frozen
class _Silenced:
    """
    A call that is cancelled while the service is silent.

    Args:
        op: The call.
        store: Over a client of its own: what one call still removes keeps no other waiting.
        scene: What it is made on.
        later: What it is made on afterwards.
        source: The content that it is given.
    """

    op: Operation
    store: AsyncStore
    scene: Scene
    later: Scene
    source: Source = field(factory=Source)

    @property
    def what(self) -> str:
        return f"{self.op} that was cancelled while the service was silent"


async def _prepared(t: Trial, op: Operation) -> _Silenced:
    store = t.store_over(await t.another())
    call = _Silenced(op, store, await set_scene(t, op), await set_scene(t, op))
    # What a client asks once, before its first call, is not what is to meet the silence.
    await store.exists(call.scene.file)
    return call


async def _cancelled_in_silence(
    t: Trial, wire: Wire, call: _Silenced
) -> asyncio.Task[Cancelled[Any]]:
    """Make a call and cancel it, and return the task that waits for its end."""
    before = wire.hits

    async def silent() -> None:
        # A busy machine may need longer to ask than a quiet one to be answered.
        while wire.hits == before:  # noqa: ASYNC110 - the proxy lives in another loop
            await asyncio.sleep(0.002)
        await asyncio.sleep(t.settle)

    moment = asyncio.ensure_future(silent())
    made = call.op.perform(call.store, call.scene, call.source)
    limit = t.patience + (_CLEANING if call.op.form in CHANGING else 0)
    ending = asyncio.ensure_future(t.within(cancel_when(made, lambda: moment), call.what, limit))
    # The next call need not wait until this one has removed its temporary file.
    await asyncio.wait({moment, ending}, return_when=asyncio.FIRST_COMPLETED)
    return ending


async def _after_silence(t: Trial, call: _Silenced, outcome: Cancelled[Any]) -> None:
    """State that a call was cancelled as it should be, and that its client goes on working."""
    op = call.op
    expect(
        outcome.came_out,
        f"{call.what} did not raise CancelledError",
        observed=repr(outcome.error or outcome.value),
        expected="CancelledError",
    )
    if op.form in CHANGING and t.can(Need.PEEK):
        left = await look(t, call.scene)
        expect(
            left in op.allowed(t, call.scene, call.source.data),
            f"{call.what} left neither what was there nor what it was to leave",
            observed=shown_state(left),
        )
    again = await make(t, op, call.later, store=call.store)
    expect(
        again.worked,
        f"{op} does not work after one that was cancelled while the service was silent",
        observed=again.said,
        expected="it works",
    )


@clause(
    "FAULT-006",
    "A change one of whose answers was lost reports what is true: it returns when it is done, and "
    "says that its outcome is unknown where it is; it does not take its own work for another's.",
    intent="After a plain AlreadyExists or NotFound a program gives its own data up for lost.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    seconds=240,
)
async def lost_answer(t: Trial) -> None:
    needs_wire(t)
    for op in declared(t, *CHANGING):
        for number in range(1, _REQUESTS + 1):
            scene = await set_scene(t, op)
            fault = Fault("drop-answer", skip=number - 1)
            async with broken(t, fault, always=False) as wire:
                outcome = await make(t, op, scene)
                hit = wire.hits
            if not hit:
                break
            error = outcome.error
            what = f"{op} whose answer {number} was lost"
            expect(
                error is None or isinstance(error, RemoteStoreError),
                f"{what} raised the wrong exception",
                observed=outcome.said,
                expected="BackendUnavailable",
            )
            if isinstance(error, (AlreadyExists, NotFound)) and not outcome.unknown:
                expect(
                    False,
                    f"{what} took its own work for somebody else's",
                    observed=outcome.said,
                    expected="success, BackendUnavailable, or outcome_unknown",
                )
            await tell_the_truth(t, outcome, what)


@clause(
    "FAULT-007",
    "An answer 403 is PermissionDenied from every call; nothing is said to be absent, empty or "
    "done.",
    intent="A revoked key must not look like an empty storage.",
    seconds=120,
)
async def forbidden(t: Trial) -> None:
    needs_wire(t)
    for op in declared(t):
        answer = http_answer(403, "Forbidden", b"", *t.target.error_headers)
        async for outcome, number in _each_request(t, op, answer, times=_ALWAYS):
            expect(
                isinstance(outcome.error, PermissionDenied),
                f"{op} did not raise PermissionDenied when the service answered 403",
                observed=f"{outcome.said} (request {number})",
                expected="PermissionDenied",
            )
            await tell_the_truth(t, outcome, f"{op} whose request {number} was answered 403")


@clause(
    "FAULT-008",
    "An answer that makes no sense is an error of the store's own kind, or is asked for again.",
    intent="Between a client and its service stand proxies that answer with pages of their own.",
    seconds=120,
)
async def nonsense(t: Trial) -> None:
    needs_wire(t)
    page = http_answer(200, "OK", b"<html>Please log in</html>", "Content-Type: text/html")
    for what, answer in (("no HTTP", b"\0\1\2 garbage\r\n\r\n"), ("a web page", page)):
        for op in declared(t):
            good = await make(t, op, await set_scene(t, op))
            async for outcome, number in _each_request(t, op, answer):
                expect(
                    isinstance(outcome.error, RemoteStoreError) or as_good(good, outcome),
                    f"{op} did not take an answer that is {what} for an error",
                    observed=f"{outcome.said} (request {number})",
                    expected="RemoteStoreError",
                )
                await tell_the_truth(t, outcome, f"{op} whose answer {number} was {what}")


@clause(
    "FAULT-009",
    "An error of the network keeps the native exception as its cause.",
    intent="Only the native exception says whether a connection was refused or reset.",
    seconds=120,
)
async def cause_kept(t: Trial) -> None:
    needs_wire(t)
    for op in declared(t):
        scene = await set_scene(t, op)
        async with broken(t, Fault("refuse", times=_ALWAYS)):
            outcome = await make(t, op, scene)
        expect(
            outcome.error is not None and outcome.error.__cause__ is not None,
            f"the error of {op} while the service could not be reached has no cause",
            observed=outcome.said,
            expected="the native exception as __cause__",
        )
