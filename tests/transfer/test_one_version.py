"""A file arrives as one version or not at all, and nobody's work is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.transfer.conftest import Make, Watched, contents, fill, watched, without

from remote_store import (
    Capability,
    CapabilityNotSupported,
    PermissionDenied,
    PreconditionFailed,
)
from remote_store.aio import AsyncStore
from remote_store_transfer._copying.copy import Copier
from remote_store_transfer.aio import (
    copy_between,
    execute,
    plan,
    sync_tree,
)

pytestmark = pytest.mark.asyncio


LARGE = 3 << 20


async def test_a_source_that_changes_in_a_stream_is_read_again(memory: Make) -> None:
    """The first attempt is thrown away, the second is one version."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1" * LARGE})
    reads = 0

    async def read(path: str) -> AsyncIterator[bytes]:
        nonlocal reads
        reads += 1
        body = await watched(source).backend.read_bytes(path)
        yield body[: LARGE // 2]
        if reads == 1:
            await watched(source).backend.write(path, b"2" * LARGE, overwrite=True)
            body = b"2" * LARGE
        yield body[LARGE // 2 :]

    watched(source).members["read"] = read

    report = await sync_tree(source, target)

    assert (report.copied, report.retried, report.ok) == (1, 1, True)
    assert await contents(target) == {"a": b"2" * LARGE}


@pytest.mark.parametrize("size", [10, LARGE])
async def test_a_source_that_never_rests_is_a_failure(
    local: Make, tmp_path: Path, size: int
) -> None:
    """After the stated number of attempts, with nothing written, and others unharmed."""
    source, target = local("a"), local("b")
    await fill(source, {"a": b"1" * size, "calm": b"1"})
    versions = 0
    backend = watched(source).backend

    def rewrite() -> None:
        nonlocal versions
        versions += 1
        (tmp_path / "a/a").write_bytes(bytes([versions]) * (size + versions))

    async def read_bytes(path: str) -> bytes:
        body: bytes = await backend.read_bytes(path)
        if path == "a":
            rewrite()
        return body

    async def read(path: str) -> AsyncIterator[bytes]:
        async for chunk in backend.read(path):
            yield chunk
        rewrite()

    watched(source).members |= {"read": read, "read_bytes": read_bytes}

    report = await sync_tree(source, target, retries=1)

    assert [(f.path, f.kind, f.error) for f in report.failures] == [
        ("a", "copy", "PreconditionFailed")
    ]
    assert (report.copied, report.retried) == (1, 2)
    assert set(await contents(target)) == {"calm"}


async def test_a_file_that_appears_meanwhile_is_not_overwritten(memory: Make) -> None:
    """A new file is written exclusively."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1"})
    actions = await plan(source, target).prepare()
    await fill(target, {"a": b"theirs"})

    report = await execute(actions)

    assert [(f.path, f.kind) for f in report.failures] == [("a", "conflict")]
    assert await contents(target) == {"a": b"theirs"}


@pytest.mark.parametrize("size", [10, LARGE])
async def test_a_target_that_changes_meanwhile_is_a_conflict(
    memory: Make, local: Make, size: int
) -> None:
    """Neither replaced nor deleted; also of stores that know no conditions, and by times alone."""
    for target in (
        memory(),
        local("b"),
        without(memory(), Capability.CONDITIONAL_WRITE),
        without(local("c"), Capability.CONDITIONAL_WRITE),
    ):
        source = memory()
        await fill(source, {"a": b"1" * size})
        await fill(target, {"a": b"2", "b": b"2"})
        actions = await plan(source, target, delete=True).prepare()
        await fill(target, {"a": b"theirs"})

        report = await execute(actions)

        assert [(f.path, f.kind) for f in report.failures] == [("a", "conflict")]
        assert report.deletes_withheld == 1
        actions = await plan(source, target, delete=True, exclude=["a"]).prepare()
        await fill(target, {"b": b"theirs"})
        assert [(f.path, f.kind) for f in (await execute(actions)).failures] == [("b", "conflict")]
        assert await contents(target) == {"a": b"theirs", "b": b"theirs"}


async def test_a_target_that_is_gone_is_no_conflict(memory: Make, local: Make) -> None:
    """Nobody's work is lost, where the listing told no version that would have to be there."""
    for target in (
        local("b"),
        without(memory(), Capability.CONDITIONAL_WRITE),
        without(local("c"), Capability.CONDITIONAL_WRITE),
    ):
        source = memory()
        await fill(source, {"a": b"1"})
        await fill(target, {"a": b"old", "b": b"old"})
        actions = await plan(source, target, delete=True).prepare()
        await target.delete("a")
        await target.delete("b")

        assert (await execute(actions)).ok
        assert await contents(target) == {"a": b"1"}


async def test_a_version_told_by_its_time_is_not_read_before_it_rested(
    local: Make, tmp_path: Path
) -> None:
    """Its writer may not be done, and a change in one tick of the clock has the same time."""
    source, target = local("a"), local("b")
    await fill(source, {"f": b"1"})
    path, ages = tmp_path / "a/f", list[float]()
    backend = watched(source).backend

    async def read_bytes(key: str) -> bytes:
        ages.append(time.time() - path.stat().st_mtime)
        body: bytes = await backend.read_bytes(key)
        return body

    watched(source).members["read_bytes"] = read_bytes
    actions = await plan(source, target).prepare()
    path.write_bytes(b"1")  # as if it had been listed at once
    info = path.stat()
    (action,) = [action async for action in actions]
    assert action.source is not None
    seen = evolve(action.source, modified_at=datetime.fromtimestamp(info.st_mtime, UTC))
    copier = Copier(actions.source, actions.target, one_store=False, metadata=False)

    with contextlib.suppress(PreconditionFailed):  # rounding of the time
        await copier.copy("f", seen, None, lambda _: None)

    assert 0.19 <= ages[0] < 2


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("kind", ["write", "delete"])
async def test_a_target_that_changes_at_the_last_moment_is_a_conflict(
    memory: Make, local: Make, size: int, kind: str
) -> None:
    """After the last look and before the commit: the store itself compares."""
    for target in (memory(), local("b")):
        source = memory()
        await fill(source, {"a": b"1" * size} if kind == "write" else {"other": b"1"})
        await fill(target, {"a": b"old"})
        backend = watched(target).backend

        async def late(path: str, *args: Any, backend: Any = backend, **options: Any) -> Any:
            if path == "a":
                await backend.write("a", b"theirs", overwrite=True)
            return await getattr(backend, kind)(path, *args, **options)

        watched(target).members[kind] = late

        report = await sync_tree(source, target, delete=True)

        assert [(f.path, f.kind) for f in report.failures] == [("a", "conflict")]
        assert (await contents(target))["a"] == b"theirs"


async def test_a_replaced_file_costs_no_look_where_the_store_compares(memory: Make) -> None:
    """Its version came with the listing."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1"})
    await fill(target, {"a": b"old"})
    watched(target).calls.clear()

    assert (await sync_tree(source, target, metadata=False)).replaced == 1

    assert watched(target).calls == {"list_files": 1, "write": 1}


async def test_a_target_that_tells_nothing_is_not_replaced_by_one_file(memory: Make) -> None:
    """What is there cannot be told, and so neither what would get lost."""
    source, target = memory(), without(memory(), Capability.METADATA)
    await fill(source, {"a": b"1"})
    with pytest.raises(CapabilityNotSupported, match="metadata"):
        await copy_between(source, "a", target, "a", overwrite=True)

    assert (await copy_between(source, "a", target, "a")).size == 1


@pytest.mark.parametrize("conditions", [True, False])
async def test_what_arrived_too_late_does_not_make_a_strangers_file_ours(
    memory: Make, conditions: bool
) -> None:
    """A store copied a later version by itself, and somebody wrote there before the repetition."""
    store = memory()
    if not conditions:
        store = without(store, Capability.CONDITIONAL_WRITE)
    await fill(store, {"a/f": b"1"})
    backend, copies = watched(store).backend, 0

    async def copy(src: str, dst: str, **options: Any) -> None:
        nonlocal copies
        copies += 1
        if copies == 1:
            await backend.write(src, b"2", overwrite=True)
        try:
            await backend.copy(src, dst, **options)
        finally:
            await backend.write("b/f", b"theirs", overwrite=True)

    watched(store).members["copy"] = copy

    report = await sync_tree(store, store, source_path="a", target_path="b")

    assert [(f.path, f.kind) for f in report.failures] == [
        ("f", "conflict" if conditions else "copy")
    ]
    assert await store.read_bytes("b/f") == b"theirs"


@pytest.mark.parametrize("given_up", [True, False])
async def test_what_this_machine_copied_too_late_does_not_stay(local: Make, given_up: bool) -> None:
    """A file that did not rest may have been in the middle of a write: two versions in one."""
    source, target = local("a"), local("b")
    await fill(source, {"f": b"1"})
    ours, theirs = watched(source).backend, watched(target).backend

    async def write(*args: Any, **options: Any) -> Any:
        if given_up:
            raise ArithmeticError
        raise PermissionDenied("no", path="f")

    class Copying(Watched):
        async def copy_from(self, source: object, src: str, dst: str, **options: Any) -> Any:
            await ours.write(src, b"half", overwrite=True)
            return await theirs.copy_from(ours, src, dst, **options)

    transfer = sync_tree(source, AsyncStore(Copying(theirs, write=write)))
    if given_up:
        with pytest.raises(ArithmeticError):
            await transfer
    else:
        assert [f.error for f in (await transfer).failures] == ["PermissionDenied"]

    assert await contents(target) == {}


@pytest.mark.parametrize("stranger", [True, False])
async def test_what_a_storage_copied_too_late_is_replaced_as_it_arrived(
    local: Make, stranger: bool
) -> None:
    """Its version is known, so that what somebody else wrote since stays."""
    source, target = local("a"), local("b")
    await fill(source, {"f": b"1"})
    ours, theirs = watched(source).backend, watched(target).backend
    copies = 0

    async def copy_from(src: str, dst: str, **options: Any) -> Any:
        nonlocal copies
        copies += 1
        await ours.write(src, b"later", overwrite=True)
        result = await theirs.copy_from(ours, src, dst, **options)
        if stranger:
            await theirs.write(dst, b"theirs", overwrite=True)
        return result

    class Copying(Watched):
        def copy_from(self, source: object, *args: Any, **options: Any) -> Any:
            return copy_from(*args, **options)

    report = await sync_tree(source, AsyncStore(Copying(theirs)))

    assert copies == 1
    assert (report.replaced + report.copied, report.retried) == (1 - stranger, 1 + stranger)
    assert [(f.path, f.kind) for f in report.failures] == [("f", "conflict")] * stranger
    assert await contents(target) == {"f": b"theirs" if stranger else b"later"}


async def test_a_file_is_replaced_within_a_store_as_the_version_that_was_seen(
    memory: Make,
) -> None:
    """A copy by the store itself would replace whatever is there by then."""
    store = memory()
    await fill(store, {"a/f": b"1", "b/f": b"old"})
    backend = watched(store).backend

    async def write(path: str, *args: Any, **options: Any) -> Any:
        if path == "b/f":
            await backend.write("b/f", b"theirs", overwrite=True)
        return await backend.write(path, *args, **options)

    watched(store).members["write"] = write

    report = await sync_tree(store, store, source_path="a", target_path="b")

    assert [(f.path, f.kind) for f in report.failures] == [("f", "conflict")]
    assert await store.read_bytes("b/f") == b"theirs"
