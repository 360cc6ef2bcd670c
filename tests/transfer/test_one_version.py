"""A file arrives as one version or not at all, and nobody's work is lost."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.transfer.conftest import Make, contents, fill, watched, without

from remote_store import (
    Capability,
    CapabilityNotSupported,
    PreconditionFailed,
)
from remote_store.aio import AsyncStore
from remote_store_transfer._copy import Copier
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


@pytest.mark.slow
@pytest.mark.parametrize("copies", [20, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("size", [50_000, LARGE])
@pytest.mark.parametrize("way", ["read", "system"])
@pytest.mark.timeout(300)
async def test_a_source_rewritten_at_random_moments_never_arrives_mixed(
    local: Make, tmp_path: Path, copies: int, size: int, way: str
) -> None:
    """
    In place, with one size, by a thread; and once it rests, the next run makes them equal.

    Read and written to replace a file, or copied by the system to a new one.
    """
    source, target = local("a"), local("b")
    if way == "system":
        source, target = (AsyncStore(watched(store).backend) for store in (source, target))
    await fill(source, {"f": b"\0" * size})
    path, done, rng = tmp_path / "a/f", threading.Event(), random.Random(size)

    def rewrite() -> None:
        version = 0
        while not done.wait(rng.random() ** 3 * 0.8):  # mostly often, sometimes not
            version = (version + 1) % 256
            with path.open("r+b") as file:
                for _ in range(4):
                    file.write(bytes([version]) * (size // 4))
                    file.flush()

    writer = threading.Thread(target=rewrite)
    writer.start()
    arrived = 0
    try:
        for _ in range(copies):
            if way == "system":
                await target.delete("f", missing_ok=True)
            report = await sync_tree(source, target, retries=1)
            assert all(f.error == "PreconditionFailed" for f in report.failures), report
            if await target.exists("f"):
                body = await target.read_bytes("f")
                assert (len(set(body)), len(body)) == (1, size // 4 * 4)
                arrived += report.copied + report.replaced
    finally:
        done.set()
        writer.join()
    assert arrived
    assert (await sync_tree(source, target)).ok
    assert await contents(source) == await contents(target)


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
