"""An action that may have been carried out before is known to be done, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.transfer.conftest import Make, contents, fill, watched, without

from remote_store import Capability
from remote_store.aio import AsyncStore
from remote_store_transfer._copying.copy import Copier
from remote_store_transfer._copying.perform import Performer
from remote_store_transfer._copying.tally import Outcome
from remote_store_transfer.aio import Action, plan

pytestmark = pytest.mark.asyncio


async def actions_of(source: AsyncStore, target: AsyncStore) -> list[Action]:
    async with plan(source, target, delete=True) as actions:
        return [action async for action in actions]


async def carry_out(
    source: AsyncStore,
    target: AsyncStore,
    actions: list[Action],
    *,
    again: bool = True,
    metadata: bool = True,
    retries: int = 0,
) -> list[Outcome]:
    """Carry out all actions, as one worker does."""
    made = plan(source, target)
    copier = Copier(made.source, made.target, one_store=False, metadata=metadata, exact=True)
    performer = Performer(copier, 1 << 20, retries, again=again)
    return [await performer.perform(action, lambda _: None) for action in actions]


@pytest.mark.parametrize("keeps", ["record", "time", "nothing"])
async def test_what_was_done_is_done(keeps: str, memory: Make, local: Make) -> None:
    """New, replaced and deleted: a second time nothing is written, and nothing fails."""
    source = memory()
    target = local("b") if keeps == "time" else memory()
    if keeps == "nothing":
        target = without(target, Capability.USER_METADATA)
    await fill(target, {"old": b"1", "extra": b"2"})
    await fill(source, {"new": b"3", "old": b"44"})
    actions = await actions_of(source, target)
    assert {a.kind for a in actions} == {"copy", "replace", "delete"}
    first = await carry_out(source, target, actions)
    watched(target).calls.clear()
    watched(source).calls.clear()

    assert (
        await carry_out(source, target, actions)
        == first
        == [Outcome(None, a.size) for a in actions]
    )

    assert watched(target).calls["write"] <= 2  # exclusive or conditional, and refused
    reads = watched(target).calls["read"] + watched(target).calls["read_bytes"]
    assert reads == (2 if keeps == "nothing" else 0)
    assert await contents(target) == {"new": b"3", "old": b"44"}
    failed = await carry_out(source, target, actions, again=False)
    assert [o.failure and o.failure.kind for o in failed] == ["conflict", "conflict", None]


async def test_a_copy_whose_time_was_not_restored_is_completed(local: Make, tmp_path: Path) -> None:
    """Its maker was killed between the commit and that."""
    source, target = local("a"), local("b")
    await fill(source, {"x": b"12"})
    os.utime(tmp_path / "a/x", (1e9, 1e9))
    actions = await actions_of(source, target)
    await fill(target, {"x": b"12"})

    assert await carry_out(source, target, actions) == [Outcome(None, 2)]

    assert (tmp_path / "b/x").stat().st_mtime == 1e9


@pytest.mark.parametrize("theirs", [b"34", b"345"])
async def test_what_somebody_else_wrote_is_a_conflict(memory: Make, theirs: bytes) -> None:
    """Of the same size or another one."""
    source, target = memory(), memory()
    await fill(source, {"x": b"12"})
    actions = await actions_of(source, target)
    await fill(target, {"x": theirs})

    (outcome,) = await carry_out(source, target, actions)

    assert outcome.failure is not None
    assert outcome.failure.kind == "conflict"
    assert await contents(target) == {"x": theirs}


@pytest.mark.parametrize("keeps", ["record", "nothing"])
async def test_what_was_planned_is_done_though_its_source_changed(memory: Make, keeps: str) -> None:
    """By its record; where only the content could tell, it is not the source's any more."""
    source, target = memory(), memory()
    if keeps == "nothing":
        target = without(target, Capability.USER_METADATA)
    await fill(source, {"x": b"12"})
    actions = await actions_of(source, target)
    await carry_out(source, target, actions)
    await fill(source, {"x": b"34"})

    (outcome,) = await carry_out(source, target, actions)

    assert (outcome.failure is None) == (keeps == "record")
    assert await contents(target) == {"x": b"12"}


@pytest.mark.parametrize("metadata", [True, False])
async def test_another_source_than_the_planned_one_is_a_failure(
    memory: Make, local: Make, metadata: bool
) -> None:
    """Of a version token or of a time; at once, and nothing arrives."""
    for source in (memory(), local("a")):
        target = memory()
        await fill(source, {"x": b"12", "y": b"12"})
        actions = await actions_of(source, target)
        await fill(source, {"x": b"34"})
        await source.delete("y")

        outcomes = await carry_out(source, target, actions, metadata=metadata, retries=2)

        for outcome in outcomes:
            assert outcome.failure is not None
            assert "not the planned one" in outcome.failure.reason
        assert max(outcome.retried for outcome in outcomes) == 1
        assert await contents(target) == {}
