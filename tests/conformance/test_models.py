"""What the MODEL clauses accept, and that their programs do not depend on time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import ClassVar

import pytest
from tests.conformance.conftest import run_one

from remote_store import AlreadyExists, NotFound, PreconditionFailed, WriteResult
from remote_store_conformance.clauses import find
from remote_store_conformance.programs.interleavings import (
    Interleaved,
    copying,
    deleting,
    ends,
    moving,
    writing,
)
from remote_store_conformance.programs.model import Model
from remote_store_conformance.results.result import Status
from remote_store_conformance_selftest.reference import Content, ReferenceBackend
from remote_store_conformance_selftest.stand_in import StandIn


class LandsNowAndThen(ReferenceBackend):
    """A cancelled write is withdrawn or waited for, and never the same way twice."""

    turns: ClassVar[itertools.count[int]] = itertools.count()

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        work = asyncio.ensure_future(super().store(path, content, overwrite, metadata))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if next(self.turns) % 3:
                work.cancel()
            await asyncio.wait({work})
            if not work.cancelled():
                work.exception()
            raise


@pytest.mark.long
def test_a_program_does_not_depend_on_how_a_cancelled_write_ends() -> None:
    """Hypothesis repeats a program draw by draw, although the store answers in another way."""
    result = run_one(find("MODEL-002"), StandIn(backend=LandsNowAndThen), seed=2, effort=2.0)

    assert result.status is Status.PASS, result.message


def test_the_seed_chooses_the_programs() -> None:
    """With the same seed the same number of programs, whatever was loaded before."""
    numbers = [
        run_one(find("MODEL-001"), seed=seed, effort=0.2).evidence["programs"]
        for seed in (1, 1, 2, 3, 4)
    ]

    assert numbers[0] == numbers[1]


def start(*paths: str) -> Model:
    model = Model(real_folders=True, shared_names=False)
    for path in paths:
        model.write(path, f"old {path}".encode(), overwrite=False)
    return model


def outcomes(
    model: Model, *calls: Interleaved
) -> set[tuple[object, object, tuple[tuple[str, bytes], ...]]]:
    """Every pair of answers, and the files that are then there."""
    return {
        (one, other, tuple(sorted(end.model.files.items())))
        for end in ends(model, calls)
        for one in end.answers[0]
        for other in end.answers[1]
    }


def test_one_of_two_exclusive_writes_wins_and_nothing_else() -> None:
    """Two orders, and no third way."""
    calls = [writing("a", b, overwrite=False, chunked=False) for b in (b"1", b"two")]

    assert outcomes(start(), *calls) == {
        (1, AlreadyExists, (("a", b"1"),)),
        (AlreadyExists, 3, (("a", b"two"),)),
    }


def test_copies_in_opposite_directions_may_swap_and_atomic_moves_may_not() -> None:
    """A copy takes at one moment and puts at another; an atomic move has one moment."""
    swapped = (("a", b"old ab"), ("ab", b"old a"))
    copies = [copying(*ends, overwrite=True) for ends in (("a", "ab"), ("ab", "a"))]
    moves = [moving(*ends, overwrite=True, atomic=True) for ends in (("a", "ab"), ("ab", "a"))]
    model = start("a", "ab")

    assert (None, None, swapped) in outcomes(model, *copies)
    assert swapped not in {files for _, _, files in outcomes(model, *moves)}


@pytest.mark.parametrize("atomic", [True, False])
def test_a_move_never_takes_away_what_came_meanwhile(atomic: bool) -> None:
    """A source that was written anew is moved too, or stays, or the move says so."""
    found = outcomes(
        start("a"),
        moving("a", "ab", overwrite=False, atomic=atomic),
        writing("a", b"new", overwrite=True, chunked=False),
    )

    assert all(b"new" in dict(files).values() for _, _, files in found)
    assert (None, 3, (("ab", b"old a"),)) not in found
    assert ((PreconditionFailed, 3, (("a", b"new"), ("ab", b"old a"))) in found) is not atomic


def test_a_refusal_tells_a_reason_that_was_true() -> None:
    """Of two moves of one file the loser finds neither source nor free target: either is true."""
    twice = [moving("a", "ab", overwrite=False, atomic=True)] * 2
    over = [moving("a", "ab", overwrite=True, atomic=True)] * 2
    write = writing("a", b"x", overwrite=False, chunked=False)
    delete = deleting("a", missing_ok=False)

    assert {answer for one, _, _ in outcomes(start("a"), *twice) for answer in [one]} == {
        None,
        NotFound,
        AlreadyExists,
    }
    assert AlreadyExists not in {one for one, _, _ in outcomes(start("a"), *over)}
    assert {one for one, _, _ in outcomes(start("a"), write, delete)} == {1, AlreadyExists}
