"""A source that is gone, damaged or newer than what was seen."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve
from tests.transfer.conftest import Make, contents, fill, watched

from remote_store import ContentDigest, FileInfo
from remote_store_transfer.aio import execute, plan, sync_tree

pytestmark = pytest.mark.asyncio

LARGE = 3 << 20


@pytest.mark.parametrize("size", [10, LARGE])
async def test_a_source_that_is_removed_meanwhile_is_a_failure(memory: Make, size: int) -> None:
    """Of that file alone; nothing of it is in the target."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1" * size, "b": b"1"})
    actions = await plan(source, target).prepare()
    await watched(source).backend.delete("a")

    report = await execute(actions)

    assert [(f.path, f.kind, f.error) for f in report.failures] == [("a", "copy", "NotFound")]
    assert await contents(target) == {"b": b"1"}


@pytest.mark.parametrize("size", [10, LARGE])
async def test_content_without_its_digest_does_not_arrive(memory: Make, size: int) -> None:
    """Where the source's service keeps one, what was read must have it."""
    source, target = memory(), memory()
    await fill(source, {"good": b"1" * size, "bad": b"2" * size})
    digest = ContentDigest("sha1", hashlib.sha1(b"1" * size).hexdigest())
    infos = [evolve(await source.get_file_info(path), digest=digest) for path in ("bad", "good")]

    async def list_files(path: str, **options: Any) -> AsyncIterator[FileInfo]:
        for info in infos:
            yield info

    watched(source).members["list_files"] = list_files

    report = await sync_tree(source, target, retries=0)

    assert [(f.path, "damaged" in f.reason) for f in report.failures] == [("bad", True)]
    assert set(await contents(target)) == {"good"}


async def test_a_store_that_meets_a_later_version_copies_again(memory: Make) -> None:
    """It compares the version of the source by itself."""
    store = memory()
    await fill(store, {"a/f": b"1"})
    backend, copies = watched(store).backend, 0

    async def copy(src: str, dst: str, **options: Any) -> None:
        nonlocal copies
        copies += 1
        if copies == 1:
            await backend.write(src, b"2", overwrite=True)
        await backend.copy(src, dst, **options)

    watched(store).members["copy"] = copy

    report = await sync_tree(store, store, source_path="a", target_path="b")

    assert (report.copied, report.retried, report.ok, copies) == (1, 1, True, 2)
    assert await store.read_bytes("b/f") == b"2"
