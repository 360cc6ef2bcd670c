"""FAULT: what comes of a call when the network or the service fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    Capability,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store_conformance.cancelling import cancel_when
from remote_store_conformance.clauses._faults import broken, needs_wire
from remote_store_conformance.contract import Need, clause
from remote_store_conformance.expect import expect
from remote_store_conformance.refusal import settle_call
from remote_store_conformance.sources import Source, pattern
from remote_store_conformance.trial import Trial, collect
from remote_store_conformance.wire import Fault, Wire, http_answer

C = Capability

_MIB: Final = 1 << 20

#: More often than any retry tries.
_ALWAYS: Final = 1_000_000

Call = Callable[[], Awaitable[Any] | AsyncIterator[Any]]


async def _joined(t: Trial, path: str) -> bytes:
    return b"".join(await collect(t.store.read(path)))


def _queries(t: Trial, path: str) -> dict[str, Call]:
    """Return the declared calls that ask about a file, and change nothing."""
    s = t.store
    calls: dict[str, tuple[set[C], Call]] = {
        "exists": (set(), lambda: s.exists(path)),
        "is_file": (set(), lambda: s.is_file(path)),
        "is_folder": (set(), lambda: s.is_folder(path)),
        "read": ({C.READ}, lambda: s.read(path)),
        "read_bytes": ({C.READ}, lambda: s.read_bytes(path)),
        "get_file_info": ({C.METADATA}, lambda: s.get_file_info(path)),
        "list_files": ({C.LIST}, lambda: s.list_files("")),
    }
    return {name: call for name, (needed, call) in calls.items() if t.declares(*needed)}


async def _outcome(call: Call) -> tuple[Any, Exception | None]:
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
    "be absent or empty.",
    intent="A program that takes 'down' for 'not there' writes its files anew.",
    seconds=120,
)
async def unreachable(t: Trial) -> None:
    needs_wire(t)
    path = await _seeded(t)
    calls = _queries(t, path)
    if t.declares(C.WRITE):
        calls["write"] = lambda: t.store.write(t.name(), b"x")
    for name, call in calls.items():
        async with broken(t, Fault("refuse", times=_ALWAYS)):
            value, error = await _outcome(call)
        expect(
            isinstance(error, BackendUnavailable),
            f"{name} did not raise BackendUnavailable while the service could not be reached",
            observed=_said(value, error),
            expected="BackendUnavailable",
        )


async def _seeded(t: Trial) -> str:
    return await t.seed_file(t.name()) if t.can(Need.SEED) else t.name()


@clause(
    "FAULT-004",
    "An answer 429 or 503 is waited out or raised as BackendUnavailable, and the next call works.",
    intent="Services ask for patience every day.",
    seconds=120,
)
async def busy(t: Trial) -> None:
    needs_wire(t)
    path = await _seeded(t)
    calls = _queries(t, path)
    if t.declares(C.WRITE):
        calls["write"] = lambda: t.store.write(t.name(), b"x")
    for status, reason in ((503, "Server Busy"), (429, "Too Many Requests")):
        for name, call in calls.items():
            good, _ = await _outcome(call)
            async with broken(t, Fault("answer", answer=http_answer(status, reason))):
                value, error = await _outcome(call)
            expect(
                isinstance(error, BackendUnavailable)
                or (error is None and (name == "write" or value == good)),
                f"{name} did not take an answer {status} for what it is",
                observed=_said(value, error),
                expected=f"BackendUnavailable, or after a retry {good!r}",
            )
            again, error = await _outcome(call)
            expect(
                error is None and (name == "write" or again == good),
                f"{name} does not work after an answer {status}",
                observed=_said(again, error),
                expected=repr(good),
            )


@clause(
    "FAULT-005",
    "A call whose service has gone silent can be cancelled at once, and the next call works.",
    intent="The caller's timeout must hold where the network's has not begun.",
    seconds=60,
)
async def silence(t: Trial) -> None:
    needs_wire(t)
    path = await _seeded(t)
    for name, call in _queries(t, path).items():
        async with broken(t, Fault("stall", "down", times=_ALWAYS)) as wire:

            async def silent(wire: Wire = wire) -> None:
                # A busy machine may need longer to ask than a quiet one to be answered.
                while not wire.hits:  # noqa: ASYNC110 - the proxy lives in another loop
                    await asyncio.sleep(0.002)
                await asyncio.sleep(t.settle)

            outcome = await t.within(
                cancel_when(_await(call), silent),
                f"{name} that was cancelled while the service was silent",
            )
        expect(
            outcome.came_out,
            f"{name} that was cancelled while the service was silent did not raise CancelledError",
            observed=repr(outcome.error or outcome.value),
            expected="CancelledError",
        )
        value, error = await _outcome(call)
        expect(
            error is None,
            f"{name} does not work after one that was cancelled while the service was silent",
            observed=_said(value, error),
            expected="it works",
        )


async def _await(call: Call) -> Any:
    return await settle_call(call())


@clause(
    "FAULT-006",
    "A write with overwrite=False whose answer was lost succeeds, or raises an error that says "
    "that the outcome is unknown; it does not take its own file for somebody else's.",
    intent="After a plain AlreadyExists a program gives its own data up for lost.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    seconds=120,
)
async def lost_answer(t: Trial) -> None:
    needs_wire(t)
    # At several bytes: a first answer may only have asked for the content.
    for after in (0, 20, 40, 60, 80, 120):
        path, content = t.name(), b"content %d" % after
        write = partial(t.store.write, path, content)
        async with broken(t, Fault("reset", "down", after=after), always=False):
            _, error = await _outcome(write)
        left = await t.peek(path)
        if error is None:
            expect(
                left == content,
                "a write whose answer was lost returned, but its content is not there",
                observed=left,
                expected=content,
            )
            continue
        expect(
            not isinstance(error, AlreadyExists) or error.outcome_unknown,
            "a write whose answer was lost took its own file for somebody else's",
            observed=_said(None, error),
            expected="success, BackendUnavailable, or AlreadyExists with outcome_unknown",
        )
        expect(
            isinstance(error, RemoteStoreError),
            "a write whose answer was lost raised the wrong exception",
            observed=_said(None, error),
            expected="BackendUnavailable",
        )
        if left is not None and isinstance(error, RemoteStoreError) and not error.outcome_unknown:
            said = "a write whose answer was lost had an effect, and its error does not say so"
            t.advise(f"{said}: outcome_unknown is False")


@clause(
    "FAULT-007",
    "An answer 403 is PermissionDenied from every call; nothing is said to be absent or empty.",
    intent="A revoked key must not look like an empty storage.",
    seconds=60,
)
async def forbidden(t: Trial) -> None:
    needs_wire(t)
    path = await _seeded(t)
    answer = http_answer(403, "Forbidden", b"", *t.target.error_headers)
    for name, call in _queries(t, path).items():
        async with broken(t, Fault("answer", times=_ALWAYS, answer=answer)):
            value, error = await _outcome(call)
        expect(
            isinstance(error, PermissionDenied),
            f"{name} did not raise PermissionDenied when the service answered 403",
            observed=_said(value, error),
            expected="PermissionDenied",
        )


@clause(
    "FAULT-008",
    "An answer that makes no sense is an error of the store's own kind, or is asked for again.",
    intent="Between a client and its service stand proxies that answer with pages of their own.",
    seconds=60,
)
async def nonsense(t: Trial) -> None:
    needs_wire(t)
    path = await _seeded(t)
    page = http_answer(200, "OK", b"<html>Please log in</html>", "Content-Type: text/html")
    for what, answer in (("no HTTP", b"\0\1\2 garbage\r\n\r\n"), ("a web page", page)):
        for name, call in _queries(t, path).items():
            if what == "a web page" and name not in ("get_file_info", "list_files"):
                # To the others a page says just that a file is there.
                continue
            good, _ = await _outcome(call)
            async with broken(t, Fault("answer", answer=answer)):
                value, error = await _outcome(call)
            expect(
                isinstance(error, RemoteStoreError) or (error is None and value == good),
                f"{name} did not take an answer that is {what} for an error",
                observed=_said(value, error),
                expected="RemoteStoreError",
            )


@clause(
    "FAULT-009",
    "An error of the network keeps the native exception as its cause.",
    intent="Refused, reset and not resolved are told apart by the native exception only.",
    seconds=120,
)
async def cause_kept(t: Trial) -> None:
    needs_wire(t)
    path = await _seeded(t)
    for name, call in _queries(t, path).items():
        async with broken(t, Fault("refuse", times=_ALWAYS)):
            value, error = await _outcome(call)
        expect(
            error is not None and error.__cause__ is not None,
            f"the error of {name} while the service could not be reached has no cause",
            observed=_said(value, error),
            expected="the native exception as __cause__",
        )
