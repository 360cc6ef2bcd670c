"""Stores that tell what cannot be, and exceptions that no store raises."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from attrs import evolve
from tests.transfer.conftest import Make, contents, fill, watched

from remote_store_transfer.aio import copy_tree

pytestmark = pytest.mark.asyncio


async def test_a_target_that_swallows_bytes_is_not_believed(memory: Make) -> None:
    """Another size than was sent is a failure of that file."""
    source, target = memory(), memory()
    await fill(source, {"a": b"123", "b": b"123"})
    write = watched(target).backend.write

    async def swallow(path: str, *args: Any, **options: Any) -> Any:
        result = await write(path, *args, **options)
        return evolve(result, size=2) if path == "a" else result

    watched(target).members["write"] = swallow

    report = await copy_tree(source, target)

    (failure,) = report.failures
    assert (failure.path, report.copied) == ("a", 1)
    assert "2 bytes after the copy, but 3 were sent" in failure.reason


async def test_a_defect_is_not_taken_for_a_failed_file(memory: Make) -> None:
    """It ends the transfer as it is, and nothing half is left."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1" * (2 << 20)})

    async def read(path: str) -> AsyncGenerator[bytes, None]:
        yield b"1"
        raise LookupError(path)

    watched(source).members["read"] = read

    with pytest.raises(LookupError, match="a"):
        await copy_tree(source, target)
    assert await contents(target) == {}
