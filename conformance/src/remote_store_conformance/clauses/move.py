"""MOVE: renaming a file, beside what `transfer` has."""

from __future__ import annotations

from remote_store import Capability
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial

C = Capability

_SEE = (Need.SEED, Need.PEEK)


@clause(
    "MOVE-004",
    "After a move nothing is under the old name.",
    intent="A source that stays is processed twice.",
    requires=[C.MOVE],
    needs=_SEE,
)
async def source_gone(t: Trial) -> None:
    src, dst = await t.seed_file(f"{t.name('from')}/file"), t.name("to")
    await t.store.move(src, dst)
    await _expect_gone(t, src)
    # Over an existing file services take another way.
    src = await t.seed_file(src)
    await t.store.move(src, dst, overwrite=True)
    await _expect_gone(t, src)


async def _expect_gone(t: Trial, src: str) -> None:
    left = {
        "exists": await t.store.exists(src),
        "is_file": await t.store.is_file(src),
        "content": await t.peek(src),
        "listed": src in await t.names(),
    }
    expect(
        not any(value not in (False, None) for value in left.values()),
        "the source is still there after a move",
        observed=left,
        expected="nothing under the old name",
    )
