"""Of many writers without overwrite one succeeds, on a hierarchical account."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.azure.hns.lake import Lake, pieces

from remote_store import AlreadyExists, NotFound
from remote_store_azure import AsyncAzureBackend

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.no_cover]

WRITERS = 16
#: The rounds that the contract prescribes, and few of them for those who wait.
ROUNDS = pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
#: So that a long stream is not a slow one.
SMALL = {"max_block_size": 64, "max_single_put_size": 64}

Write = Callable[[AsyncAzureBackend, str, bytes], Awaitable[Any]]


async def _copy(backend: AsyncAzureBackend, key: str, content: bytes) -> None:
    await backend.copy(f"sources/{content.hex()}", key)


async def _move(backend: AsyncAzureBackend, key: str, content: bytes) -> None:
    await backend.move(f"sources/{content.hex()}", key)


WAYS: dict[str, Write] = {
    "bytes": lambda backend, key, content: backend.write(key, content),
    "long bytes": lambda backend, key, content: backend.write(key, content * 40),
    "stream": lambda backend, key, content: backend.write(key, pieces(content)),
    "long stream": lambda backend, key, content: backend.write(key, pieces(*[content] * 40)),
    "atomic": lambda backend, key, content: backend.write_atomic(key, content),
    "empty": lambda backend, key, content: backend.write_atomic(key, b""),
    "copy": _copy,
    "move": _move,
}


async def _race(lake: Lake, way: Write, rounds: int) -> list[Counter[str]]:
    """Return who won and lost in each round."""
    contents = [b"%2d" % number for number in range(WRITERS)]
    backend = lake.backend(client_options=SMALL)
    outcomes = []
    try:
        for number in range(rounds):
            key = f"folder{number}/file"
            if way in (_copy, _move):
                for content in contents:
                    await backend.write(f"sources/{content.hex()}", content, overwrite=True)
            results = await asyncio.gather(
                *(way(backend, key, content) for content in contents), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, AlreadyExists):
                    raise result
            outcomes.append(Counter(type(result).__name__ for result in results))
            won = [
                content
                for content, result in zip(contents, results, strict=True)
                if not isinstance(result, BaseException)
            ]
            left = await backend.read_bytes(key)
            assert left.replace(b" ", b"0")[:2] in [w.replace(b" ", b"0") for w in won] or not left
    finally:
        await backend.aclose()
    return outcomes


@ROUNDS
@pytest.mark.parametrize("way", WAYS)
async def test_one_writer_wins(lake: Lake, way: str, rounds: int) -> None:
    """The others get AlreadyExists, its content is there, and nothing else is left."""
    for outcome in await _race(lake, WAYS[way], rounds):
        assert outcome["AlreadyExists"] == WRITERS - 1
    lake.emulator.requests.clear()
    files = [key for key in lake.files() if not key.startswith("sources/")]
    assert len(files) == rounds


async def test_a_check_before_the_act_would_be_noticed(lake: Lake) -> None:
    """The race lets more than one of such writers win."""

    async def check_then_act(backend: AsyncAzureBackend, key: str, content: bytes) -> None:
        if await backend.exists(key):
            raise AlreadyExists(key)
        await backend.write(key, content, overwrite=True)

    outcomes = await _race(lake, check_then_act, rounds=3)
    assert any(outcome["AlreadyExists"] < WRITERS - 1 for outcome in outcomes)


@ROUNDS
async def test_of_two_movers_of_one_file_one_wins(
    lake: Lake, backend: AsyncAzureBackend, rounds: int
) -> None:
    """The other finds no source any more."""
    for number in range(rounds):
        lake.put("f", b"f")
        results = await asyncio.gather(
            *(backend.move("f", f"{number}/{mover}") for mover in range(8)),
            return_exceptions=True,
        )
        errors = [result for result in results if result is not None]
        assert len(errors) == 7
        assert all(isinstance(error, NotFound) for error in errors)
    assert len(lake.files()) == rounds
