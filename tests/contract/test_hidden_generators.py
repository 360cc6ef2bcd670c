"""What a loop hears of generators that belong to an iterator of ours."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from remote_store._contract.async_closing import Closing

pytestmark = pytest.mark.asyncio


async def numbers(closed: list[str], name: str = "inner") -> AsyncGenerator[int, None]:
    try:
        yield 1
        yield 2
    finally:
        closed.append(name)


def known() -> list[str]:
    """Return the names of the generators that this loop would close at its end."""
    loop: Any = asyncio.get_running_loop()
    return sorted(generator.__name__ for generator in loop._asyncgens)


async def test_iterated_generator_is_hidden() -> None:
    """The loop hears nothing of it, and everything of others, from within and afterwards."""
    hooks = sys.get_asyncgen_hooks()
    closed: list[str] = []
    inner, other = numbers(closed), numbers(closed, "other")
    before = known()
    async with Closing(inner):
        async for _ in inner:
            assert sys.get_asyncgen_hooks() == hooks
            assert known() == before
            await anext(other)
            assert known() == sorted([*before, "numbers"])
            break
    assert closed == ["inner"]
    assert sys.get_asyncgen_hooks() == hooks
    await other.aclose()


async def test_generator_that_had_begun() -> None:
    """The next one that begins is told of all the same, and the hooks are the loop's again."""
    hooks = sys.get_asyncgen_hooks()
    closed: list[str] = []
    begun, other = numbers(closed), numbers(closed, "other")
    await anext(begun)
    before = known()
    async with Closing(begun):
        async for _ in begun:
            break
        await anext(other)
        assert known() == sorted([*before, "numbers"])
        assert sys.get_asyncgen_hooks() == hooks
    await other.aclose()
    assert closed == ["inner", "other"]


async def test_dropped_generator_is_closed_by_the_loop() -> None:
    """One of which nothing is left but a reference that goes is closed by the loop's finaliser."""
    closed: list[str] = []

    async def outer() -> AsyncGenerator[int, None]:
        inner = numbers(closed)
        async with Closing(inner):
            async for number in inner:
                yield number

    items = outer()
    await anext(items)
    del items
    for _ in range(5):
        await asyncio.sleep(0)
    assert closed == ["inner"]
