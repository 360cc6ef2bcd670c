"""Of any number of concurrent creators of one key exactly one succeeds (WRITE-004)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, stream

from remote_store import AlreadyExists, WriteResult
from remote_store_azure import AsyncAzureBackend

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

KINDS = ["bytes", "stream", "blocks", "atomic", "copy", "move"]
WRITERS = 16
#: The rounds that the contract prescribes, and few of them for those who wait.
ROUNDS = pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])

Attempt = Callable[[str, int], Awaitable[object]]


def attempts(backend: AsyncAzureBackend, kind: str) -> Attempt:
    """Return what writer *n* does to create a key with its own content."""

    async def attempt(key: str, n: int) -> object:
        data = b"%02d" % n
        if kind == "bytes":
            return await backend.write(key, data)
        if kind in ("stream", "blocks"):
            return await backend.write(key, stream(data[:1], data[1:]))
        if kind == "atomic":
            return await backend.write_atomic(key, data)
        transfer = backend.copy if kind == "copy" else backend.move
        await transfer(f"source{n:02}", key)
        return None

    return attempt


def options(kind: str) -> dict[str, Any]:
    """Return the options with which a stream of two bytes takes two blocks."""
    return {"max_single_put_size": 1, "max_block_size": 1} if kind == "blocks" else {}


def prepare(box: Flat, kind: str, number: int = 0) -> None:
    if kind == "move" or (kind == "copy" and not number):
        for n in range(WRITERS):
            box.put(f"source{n:02}", b"%02d" % n)


def judge(box: Flat, kind: str, key: str, answers: list[str]) -> None:
    """Require one winner, whose content is there, and the right error for the others."""
    winners = [n for n, answer in enumerate(answers) if answer == "won"]
    assert len(winners) == 1, f"{len(winners)} of {len(answers)} succeeded: {set(answers)}"
    assert set(answers) == {"won", "AlreadyExists"}
    assert box.get(key) == b"%02d" % winners[0]
    if kind == "move":  # who lost still has what it wanted to move
        left = {name for name in box.names() if name.startswith("source")}
        assert left == {f"source{n:02}" for n in range(WRITERS) if n != winners[0]}


async def race(attempt: Attempt, key: str, writers: range) -> list[str]:
    """Let writers create a key at once; return the outcome of each."""
    calls = [attempt(key, n) for n in writers]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    return [type(a).__name__ if isinstance(a, BaseException) else "won" for a in answers]


@pytest_asyncio.fixture
async def box(
    azurite: Azurite, service: BlobServiceClient, container: str, kind: str
) -> AsyncIterator[Flat]:
    """A backend on an empty container."""
    async with flat(azurite, service, container, client_options=options(kind)) as found:
        yield found


@pytest.mark.long
@ROUNDS
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_tasks(box: Flat, kind: str, rounds: int) -> None:
    """16 tasks in one loop."""
    attempt = attempts(box.backend, kind)
    for number in range(rounds):
        prepare(box, kind, number)
        key = f"d{number}/file"
        judge(box, kind, key, await race(attempt, key, range(WRITERS)))


class Careless(AsyncAzureBackend):
    """Looks before it writes, and lets the look decide."""

    async def write(self, path: str, content: Any, **options: Any) -> WriteResult:
        """Write what was not there a moment ago."""
        if await self.is_file(path):
            raise AlreadyExists(path)
        return await super().write(path, content, overwrite=True)

    async def copy(self, src: str, dst: str, **options: Any) -> None:
        """Copy to what was not there a moment ago."""
        if await self.is_file(dst):
            raise AlreadyExists(dst)
        await super().copy(src, dst, overwrite=True)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["bytes", "stream", "blocks", "copy"])
async def test_a_look_before_does_not_pass(box: Flat, kind: str) -> None:
    """The race shows a backend whose check and write are two steps."""
    prepare(box, kind)
    careless = box.backend
    careless.__class__ = Careless
    answers = await race(attempts(careless, kind), "file", range(WRITERS))
    # Streams of blocks throw each other's blocks away, which is no AlreadyExists either.
    with pytest.raises(AssertionError, match=r"succeeded|PreconditionFailed"):
        judge(box, kind, "file", answers)


CHILD = """
import asyncio, json, sys
from remote_store_azure import AsyncAzureBackend
from tests.azure.test_exclusive import attempts, options, race

async def main():
    setup = json.loads(sys.stdin.readline())
    backend = AsyncAzureBackend(
        setup["container"],
        connection_string=setup["connection_string"],
        client_options={"api_version": setup["version"]} | options(setup["kind"]),
        hns=False,
    )
    attempt = attempts(backend, setup["kind"])
    await backend.exists("warm")
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(await race(attempt, line.strip(), range(*setup["writers"]))), flush=True)
    await backend.aclose()

asyncio.run(main())
"""


def ask(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def hear(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "rounds"),
    [("blocks", 2), *(pytest.param(kind, 20, marks=pytest.mark.long) for kind in KINDS)],
)
async def test_processes(azurite: Azurite, box: Flat, kind: str, rounds: int) -> None:
    """Eight tasks in each of two processes."""
    setup = {
        "container": box.container.container_name,
        "connection_string": azurite.connection_string,
        "version": "2026-06-06",
        "kind": kind,
    }
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    try:
        for n, child in enumerate(children):
            ask(child, json.dumps(setup | {"writers": [8 * n, 8 * n + 8]}))
        assert [hear(child) for child in children] == ["ready\n"] * 2
        won_by: set[int] = set()
        for number in range(rounds):
            prepare(box, kind, number)
            key = f"d{number}/file"
            for child in children:
                ask(child, key)
            answers = [answer for child in children for answer in json.loads(hear(child))]
            judge(box, kind, key, answers)
            won_by.add(answers.index("won") // 8)
        for child in children:
            assert child.communicate()[0] == ""
            assert child.returncode == 0
    finally:
        for child in children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None
                pipe.close()
