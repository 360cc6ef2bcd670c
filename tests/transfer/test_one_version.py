"""A file arrives as one version or not at all, and nobody's work is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.transfer.conftest import Make, contents, fill, watched, without

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    ContentHeaders,
    NotFound,
    PreconditionFailed,
)
from remote_store.aio import AsyncStore
from remote_store_transfer._copy import Copier
from remote_store_transfer.aio import (
    Progress,
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


async def test_one_failure_stops_nothing_and_is_reported(memory: Make) -> None:
    """A store that does not answer for one file; deletions are withheld."""
    source, target = memory(), memory()
    await fill(source, {f"f{i}": b"1" for i in range(20)})
    await fill(target, {"old": b"1"})
    calls: Counter[str] = Counter()

    async def read_bytes(path: str) -> bytes:
        calls[path] += 1
        if path == "f7":
            msg = "no answer"
            raise BackendUnavailable(msg, path=path)
        return b"1"

    watched(source).members["read_bytes"] = read_bytes

    report = await sync_tree(source, target, delete=True, retries=2)

    assert [(f.path, f.kind, f.reason) for f in report.failures] == [("f7", "copy", "no answer")]
    assert (report.copied, report.deletes_withheld, calls["f7"]) == (19, 1, 3)
    assert "old" in await contents(target)


async def test_a_write_whose_outcome_is_unknown_is_not_repeated(memory: Make) -> None:
    """It would meet its own file, and call it somebody else's."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1"})

    async def write(path: str, *args: Any, **options: Any) -> Any:
        await watched(target).backend.write(path, *args, **options)
        msg = "connection lost"
        raise BackendUnavailable(msg, path=path, outcome_unknown=True)

    watched(target).members["write"] = write

    report = await sync_tree(source, target)

    assert [(f.kind, f.reason) for f in report.failures] == [("copy", "connection lost")]
    del watched(target).members["write"]
    assert (await sync_tree(source, target)).skipped == 1


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


@pytest.mark.slow
async def test_a_cancellation_at_every_await_leaves_old_or_new(memory: Make) -> None:
    """However far it was; and the next run completes it."""
    steps = 0
    for cancel_at in range(1, 400):
        source, target = memory(), memory()
        new = {f"f{i}": b"new" for i in range(6)} | {"large": b"new" * (1 << 19)}
        await fill(source, new)
        await fill(target, {"f0": b"old!", "large": b"old"})
        task = asyncio.create_task(sync_tree(source, target, concurrency=2))
        for _ in range(cancel_at):
            await asyncio.sleep(0)
            if task.done():
                break
        steps = cancel_at
        finished = task.done()
        task.cancel()
        await asyncio.wait({task})
        found = await contents(target)
        assert all(body in (new[path], b"old!", b"old") for path, body in found.items())
        assert {"f0", "large"} <= set(found)
        if finished:
            break
        assert (await sync_tree(source, target)).ok
        assert await contents(target) == new
    assert 10 < steps < 399


@pytest.mark.long
async def test_a_cancellation_leaves_no_temporary_file(local: Make, tmp_path: Path) -> None:
    """On a disk, at moments spread over a run; and the next run completes it."""
    source = local("a")
    new = {f"f{i}": b"new" * 1000 for i in range(20)} | {"large": b"new" * (2 << 20)}
    await fill(source, new)
    interrupted = 0
    for i in range(15):
        target = local(f"b{i}")
        task = asyncio.create_task(sync_tree(source, target, concurrency=4))
        await asyncio.sleep(0.002 + i * 0.004)
        interrupted += task.cancel()
        await asyncio.wait({task})
        found = {p.name: p.read_bytes() for p in (tmp_path / f"b{i}").rglob("*") if p.is_file()}
        assert found.items() <= new.items()
        assert (await sync_tree(source, target)).ok
        assert await contents(target) == new
    assert interrupted >= 3


async def test_files_and_bytes_in_flight_are_bounded(memory: Make) -> None:
    """By both numbers; a file that is larger than the limit goes alone."""
    source, target = memory(), memory()
    await fill(source, {f"f{i}": b"x" * 100 for i in range(30)} | {"big": b"x" * 1000})
    flying = most = heavy = 0

    async def read_bytes(path: str) -> bytes:
        nonlocal flying, most, heavy
        flying += 1
        most, heavy = max(most, flying), max(heavy, flying if path == "big" else 0)
        await asyncio.sleep(0.001)
        flying -= 1
        body: bytes = await watched(source).backend.read_bytes(path)
        return body

    watched(source).members["read_bytes"] = read_bytes
    await sync_tree(source, target, concurrency=10, max_bytes_in_flight=450)
    assert (most, heavy) == (4, 1)

    most = 0
    await sync_tree(source, memory(), concurrency=3)
    assert most == 3


async def test_progress_ends_with_all_of_it(memory: Make) -> None:
    """Throttled, with totals, for each file and overall."""
    source, target = memory(), memory()
    await fill(source, {f"f{i}": b"x" * 100 for i in range(300)})
    told: list[Progress] = []

    report = await sync_tree(source, target, progress=told.append)

    assert len(told) <= 2 + report.seconds / 0.1
    last = told[-1]
    assert (last.files_done, last.files, last.bytes_done, last.bytes) == (300, 300, 30000, 30000)
    assert last.failed == 0


async def test_progress_tells_of_all_that_moved_though_nothing_moves_any_more(
    memory: Make,
) -> None:
    """The last bytes before a service falls silent come too soon after another call."""
    source = memory()
    await source.write("f", b"x" * (3 << 20))
    all_told = asyncio.Event()

    async def read(path: str) -> Any:
        for _ in range(3):
            yield b"x" * (1 << 20)
        await asyncio.wait_for(all_told.wait(), 5)

    def told(now: Progress) -> None:
        if now.bytes_done == 3 << 20:
            all_told.set()

    watched(source).members["read"] = read

    assert (await sync_tree(source, memory(), progress=told)).ok


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("error", [KeyError, BrokenPipeError, NotFound, ValueError])
async def test_what_a_progress_callback_raises_ends_the_execution(
    memory: Make, at_once: bool, error: type[Exception]
) -> None:
    """As itself, not in a group, and not as the failure of the file that moved."""
    source = memory()
    await source.write("f", b"x" * (2 << 20))

    async def read(path: str) -> Any:
        yield b"x" * (1 << 20)
        yield b"x" * (1 << 20)
        await asyncio.sleep(5)

    failed = False

    def fail(now: Progress) -> None:
        nonlocal failed
        if not failed and (at_once or now.bytes_done == 2 << 20):
            failed = True
            raise error("a callback")

    watched(source).members["read"] = read
    start = time.monotonic()
    with pytest.raises(error, match="a callback"):
        await sync_tree(source, memory(), progress=fail)
    assert time.monotonic() - start < 4


async def test_one_store_copies_by_itself(memory: Make) -> None:
    """No content is read; the second run skips; user metadata come along."""
    store = memory()
    await store.write("a/f", b"1", metadata={"owner": "ann"})

    report = await sync_tree(store, store, source_path="a", target_path="b")

    assert (report.copied, watched(store).calls["copy"]) == (1, 1)
    assert not {"read", "read_bytes"} & set(watched(store).calls)
    assert (await store.get_file_info("b/f")).metadata == {"owner": "ann"}
    assert (await sync_tree(store, store, source_path="a", target_path="b")).skipped == 1


@pytest.mark.parametrize("size", [1, LARGE])
@pytest.mark.parametrize("single", [True, False])
async def test_content_headers_go_along(memory: Make, size: int, single: bool) -> None:
    """Where both sides have them, with user metadata or without; not if metadata are to stay."""
    headers = ContentHeaders(content_type="text/csv", cache_control="no-cache")
    for metadata in ({}, {"owner": "ann"}):
        source, target, plain = memory(), memory(), without(memory(), Capability.CONTENT_HEADERS)
        bare = memory()
        await source.write("a", b"1" * size, headers=headers, metadata=metadata)

        for store, wanted in ((target, True), (plain, True), (bare, False)):
            if single:
                await copy_between(source, "a", store, "a", metadata=wanted)
            else:
                assert (await sync_tree(source, store, metadata=wanted)).copied == 1

        assert (await target.get_file_info("a")).headers == headers
        assert ((await target.get_file_info("a")).metadata or {}).items() >= metadata.items()
        assert (await plain.get_file_info("a")).headers is None
        assert (await bare.get_file_info("a")).headers is None


async def test_one_store_leaves_metadata_behind_if_told_so(memory: Make) -> None:
    """It would take them along if it copied by itself."""
    store = memory()
    await store.write("a/f", b"1", metadata={"owner": "ann"})

    await sync_tree(store, store, source_path="a", target_path="b", metadata=False)

    assert "owner" not in ((await store.get_file_info("b/f")).metadata or {})


@pytest.mark.parametrize("size", [10, LARGE])
async def test_copy_between(memory: Make, local: Make, size: int) -> None:
    """One file, exclusively or not, between any two stores."""
    source, target = memory(), local("b")
    await source.write("a", b"1" * size, metadata={"owner": "ann"})

    arrival = await copy_between(source, "a", target, "x/y")

    assert arrival.size == size
    assert await target.read_bytes("x/y") == b"1" * size
    info = await target.get_file_info("x/y")
    assert info.metadata == {"owner": "ann"}
    assert info.modified_at == (await source.get_file_info("a")).modified_at
    with pytest.raises(AlreadyExists):
        await copy_between(source, "a", target, "x/y")
    await fill(source, {"a": b"2"})
    await copy_between(source, "a", target, "x/y", overwrite=True)
    assert await target.read_bytes("x/y") == b"2"
    with pytest.raises(ValueError, match="one folder"):
        await copy_between(source, "a", source, "a", overwrite=True)


async def test_copy_between_names_a_source_that_changed(memory: Make) -> None:
    """The path in the error is the caller's, and nothing was written."""
    source, target = memory(), memory()
    await fill(source, {"d/a": b"1"})

    async def read_bytes(path: str) -> bytes:
        return b"12"

    watched(source).members["read_bytes"] = read_bytes
    with pytest.raises(PreconditionFailed, match="'d/a' changed") as caught:
        await copy_between(source, "d/a", target, "x", retries=0)
    assert caught.value.path == "d/a"
    assert await contents(target) == {}


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
