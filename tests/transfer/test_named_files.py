"""Plans over files that are named instead of listed, and what is told of each action."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.transfer.conftest import Make, contents, fill, watched

from remote_store import Capability, CapabilityNotSupported, CapabilitySet
from remote_store_transfer.aio import Action, Failure, Filters, execute, plan, verify_tree

pytestmark = pytest.mark.asyncio


async def test_named_files_are_asked_for_and_nothing_is_listed(memory: Make) -> None:
    """One question on each side, one read and one write; the others stay unseen."""
    source, target = memory(), memory()
    await fill(source, {"in/a": b"1", "in/b": b"22", "in/c": b"3"})
    await fill(target, {"out/b": b"2"})

    work = plan(source, target, source_path="in", target_path="out", paths=["b", "a", "b"])
    report = await execute(work)

    assert (report.copied, report.replaced, report.ok) == (1, 1, True)
    assert await contents(target) == {"out/a": b"1", "out/b": b"22"}
    assert not watched(source).calls["list_files"] + watched(target).calls["iter_children"]


async def test_one_file_gets_another_name(memory: Make) -> None:
    """The folder itself may be the file; a second run finds it equal."""
    source, target = memory(), memory()
    await fill(source, {"in/a": b"1"})

    for copied in (1, 0):
        work = plan(source, target, source_path="in/a", target_path="b", paths=[""])
        assert (await execute(work)).copied == copied

    assert await contents(target) == {"b": b"1"}


async def test_a_named_file_that_is_missing_or_a_folder_is_a_failure(memory: Make) -> None:
    """On either side; the others are copied."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1", "d/x": b"1", "f": b"1"})
    await fill(target, {"f/below": b"1"})

    report = await execute(plan(source, target, paths=["gone", "d", "f", "a"]))

    assert report.copied == 1
    assert sorted((f.path, f.kind, f.error) for f in report.failures) == [
        ("d", "compare", "InvalidPath"),
        ("f", "compare", "InvalidPath"),
        ("gone", "compare", "NotFound"),
    ]


async def test_what_named_files_cannot_be(memory: Make) -> None:
    """A file is not its own target, though its folder may be; deletions need all files."""
    store = memory()
    await fill(store, {"a/x": b"1"})

    with pytest.raises(ValueError, match="one folder"):
        plan(store, store, source_path="a", target_path="a", paths=["x"])
    with pytest.raises(ValueError, match="delete"):
        plan(store, memory(), paths=["a"], delete=True)
    work = plan(store, store, source_path="a", target_path="a/below", paths=["x"])
    assert (await execute(work)).copied == 1


async def test_each_action_is_told_when_it_is_over(memory: Make) -> None:
    """With its failure where it has one; not a file that is equal, which has no end of its own."""
    source, target = memory(), memory()
    await fill(source, {"new": b"1", "same": b"1", "other": b"12"})
    await execute(plan(source, target, paths=["same"]))
    await fill(target, {"other": b"1"})
    told: list[tuple[str, str, str]] = []

    def ended(action: Action, failure: Failure | None) -> None:
        told.append((action.kind, action.path, failure.reason if failure else ""))

    report = await execute(plan(source, target, overwrite=False), ended=ended)

    assert sorted(told) == [
        ("conflict", "other", "exists and differs: size"),
        ("copy", "new", ""),
    ]
    assert report.skipped == 1


async def test_filters_judge_listed_files(memory: Make) -> None:
    """Patterns, time and size together."""
    store = memory()
    await fill(store, {"a.txt": b"12", "b.bin": b"12", "c.txt": b""})
    files = {f.name: f async for f in store.list_files("")}

    filters = Filters(include=["*.txt"], min_size=1)
    assert [name for name, f in sorted(files.items()) if filters.accepts(name, f)] == ["a.txt"]
    later = Filters(newer=datetime.now(UTC) + timedelta(hours=1))
    assert not any(later.accepts(name, f) for name, f in files.items())


async def test_a_target_that_is_compared_need_not_be_writable(memory: Make) -> None:
    """A plan for execution refuses it at once; a comparison reads it."""
    reading = {Capability.READ, Capability.LIST, Capability.METADATA}
    source, target = memory(), memory(capabilities=CapabilitySet(reading))
    await fill(source, {"a": b"1"})

    assert (await verify_tree(source, target)).missing == ("a",)
    for paths in (None, ["a"]):
        (action,) = [a async for a in plan(source, target, paths=paths, compare_only=True)]
        assert action.kind == "copy"
        with pytest.raises(CapabilityNotSupported, match="write"):
            plan(source, target, paths=paths)
