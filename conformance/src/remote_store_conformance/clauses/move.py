"""MOVE: renaming a file."""

from __future__ import annotations

from remote_store import Capability
from remote_store_conformance.clauses import _transfers as transfers
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level, Need
from remote_store_conformance.contract.trial import Trial

C = Capability

_SEE = (Need.SEED, Need.PEEK)


@clause(
    "MOVE-001",
    "A moved file is under its new name with the same bytes and the same user metadata; the "
    "folders above it are made.",
    intent="A rename is no change of the data.",
    requires=[C.MOVE],
    needs=_SEE,
)
async def arrives(t: Trial) -> None:
    await transfers.arrives(t, "move")


@clause(
    "MOVE-002",
    "A move of a missing file raises NotFound with the source's path and leaves the destination "
    "alone, whatever is there and whatever overwrite says.",
    intent="A retried rename must not destroy what the first one has brought.",
    requires=[C.MOVE],
    needs=_SEE,
)
async def missing_source(t: Trial) -> None:
    await transfers.missing_source(t, "move")


@clause(
    "MOVE-003",
    "A move to an existing file raises AlreadyExists and changes nothing; with overwrite=True it "
    "replaces the file as a whole.",
    intent="Overwriting is a decision of the caller's.",
    requires=[C.MOVE],
    needs=_SEE,
)
async def existing_target(t: Trial) -> None:
    await transfers.existing_target(t, "move")


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


@clause(
    "MOVE-005",
    "A move of a file onto itself changes nothing, by a store and by the backend alone; onto "
    "itself a folder is InvalidPath and a missing file NotFound.",
    intent="Replace, then remove the source, would remove the file.",
    requires=[C.MOVE],
    needs=_SEE,
)
async def onto_itself(t: Trial) -> None:
    await transfers.onto_itself(t, "move")


@clause(
    "MOVE-006",
    "A move raises InvalidPath and changes nothing where the source is a folder, or the "
    "destination is the root, a reserved name, a folder or a path under a file.",
    intent="Only files are moved, and never over something that is no file.",
    requires=[C.MOVE],
    needs=_SEE,
)
async def wrong_kinds(t: Trial) -> None:
    await transfers.wrong_kinds(t, "move")


@clause(
    "MOVE-007",
    "At every moment of a move its content is whole under one of the two names, and when the move "
    "returns, under the new one.",
    intent="A copy that is still pending when the source is removed is lost data.",
    requires=[C.MOVE],
    needs=_SEE,
)
async def complete_on_return(t: Trial) -> None:
    await transfers.complete_on_return(t, "move")


@clause(
    "MOVE-008",
    "Of several moves to one name with overwrite=False exactly one succeeds; the others get "
    "AlreadyExists and keep their source.",
    intent="A look before the rename decides nothing, for others look at the same moment.",
    level=Level.STOCHASTIC,
    requires=[C.MOVE],
    needs=_SEE,
)
async def one_winner(t: Trial) -> None:
    await transfers.one_winner(t, "move")
