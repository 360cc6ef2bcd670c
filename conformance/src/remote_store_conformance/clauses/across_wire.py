"""ACROSS: what such copies send, and what they say when an answer is lost."""

from __future__ import annotations

import contextlib
from typing import Final

from remote_store import AlreadyExists, Capability, NotFound, RemoteStoreError
from remote_store_conformance.clauses.across import source
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Unverified, expect
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.targets.proxy import Fault
from remote_store_conformance.tools.faults import broken, needs_wire
from remote_store_conformance.tools.sources import pattern

C = Capability

_SEE: Final = (Need.SEED, Need.PEEK)

_MIB: Final = 1 << 20

#: Answers of one call that are lost, one after the other.
_REQUESTS: Final = 6


@clause(
    "ACROSS-008",
    "A copy from another store one of whose answers was lost reports what is true, as FAULT-006 "
    "asks of every change.",
    intent="After a plain AlreadyExists a program gives its own copy up for somebody else's.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
    seconds=60,
)
async def lost_answer(t: Trial) -> None:
    needs_wire(t)
    other = await source(t)
    new, old = b"new content", b"old"
    for overwrite in (False, True):
        for number in range(1, _REQUESTS + 1):
            src, dst = await other.seed_file(other.name("from"), new), t.name("to")
            if overwrite:
                await t.seed_file(dst, old)
            error: Exception | None = None
            async with broken(t, Fault("drop-answer", skip=number - 1), always=False) as wire:
                try:
                    await t.store.copy_from(other.store, src, dst, overwrite=overwrite)
                except Exception as raised:  # noqa: BLE001 - judged below
                    error = raised
                hit = bool(wire.hits)
            if not hit:
                break
            left = [await t.peek(dst), await other.peek(src)]
            what = f"a copy from another store (overwrite={overwrite}) whose answer {number} was"
            _is_true(f"{what} lost", error, left, [old if overwrite else None, new], new)


def _is_true(
    what: str,
    error: Exception | None,
    left: list[bytes | None],
    before: list[bytes | None],
    new: bytes,
) -> None:
    said = "it returned" if error is None else f"{type(error).__name__}: {error}"
    if error is None:
        expect(
            left == [new, new],
            f"{what} returned, but its effect is not there",
            observed=left,
            expected=[new, new],
        )
        return
    expect(
        isinstance(error, RemoteStoreError),
        f"{what} raised the wrong exception",
        observed=said,
        expected="BackendUnavailable",
    )
    unknown = isinstance(error, RemoteStoreError) and error.outcome_unknown
    expect(
        unknown or not isinstance(error, (AlreadyExists, NotFound)),
        f"{what} took its own work for somebody else's",
        observed=said,
        expected="success, BackendUnavailable, or outcome_unknown",
    )
    expect(
        left == before or (unknown and left == [new, new]),
        f"{what} left something else than its error says",
        observed=f"{said}; {left}",
        expected="what was there before; or the copy, and outcome_unknown",
    )


@clause(
    "ACROSS-009",
    "The content of a copy from another store does not pass through the client.",
    intent="Whoever reads and writes can do so without a call of its own.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
    seconds=60,
)
async def not_through_here(t: Trial) -> None:
    if t.meter is None:
        msg = "the target offers no meter"
        raise (Inapplicable if t.is_a(Trait.LOCAL) else Unverified)(msg)
    other = await source(t)
    size = min(4 * _MIB, t.target.max_object)
    src = await other.seed_file(other.name("from"), pattern(size))
    with contextlib.suppress(NotFound):  # connections may be made once
        await t.store.copy_from(other.store, other.name("missing"), t.name("to"))
    before = t.meter.read()
    await t.store.copy_from(other.store, src, t.name("to"))
    moved = t.meter.read() - before
    t.note(file=size, sent=moved.sent, received=moved.received, requests=moved.requests)
    expect(
        moved.sent + moved.received <= size // 8,
        "the content of a copy from another store passed through the client",
        observed=f"{moved.sent} bytes sent, {moved.received} received, for a file of {size}",
        expected=f"at most {size // 8} bytes",
    )
