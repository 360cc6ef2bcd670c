"""Exclusive creates: of any number of writers of one key exactly one succeeds (WRITE-004)."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from types import FrameType
from typing import Any, TypeVar

import pytest

from remote_store import AlreadyExists, WriteResult
from remote_store.aio import AsyncWritableContent
from remote_store_memory import AsyncMemoryBackend, _atomic, _mutable_tree

pytestmark = pytest.mark.slow

T = TypeVar("T")
TraceFunction = Callable[[FrameType, str, Any], Any]

WRITERS = 16
ROUNDS = 200
KINDS = [
    *("bytes", "atomic_iterator", "move"),
    *(pytest.param(kind, marks=pytest.mark.long) for kind in ("iterator", "atomic", "copy")),
]

#: Who won each round: a list of writers for each of them.
Winners = list[list[int]]


@pytest.fixture
def restless() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class CheckThenAct(AsyncMemoryBackend):
    """The classical mistake, which the checks below must find."""

    async def _refuse_existing(self, path: str, overwrite: bool) -> None:
        if not overwrite and await self.exists(path):
            raise AlreadyExists(path=path)
        # What a request to a service would do here.
        await asyncio.sleep(0)
        time.sleep(0)

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        **later: Any,
    ) -> WriteResult:
        await self._refuse_existing(path, overwrite)
        return await super().write(path, content, overwrite=True, metadata=metadata, **later)

    write_atomic = write

    async def move(self, src: str, dst: str, *, overwrite: bool = False, **later: Any) -> None:
        await self._refuse_existing(dst, overwrite)
        await super().move(src, dst, overwrite=True, **later)

    async def copy(self, src: str, dst: str, *, overwrite: bool = False, **later: Any) -> None:
        await self._refuse_existing(dst, overwrite)
        await super().copy(src, dst, overwrite=True, **later)


def _target(kind: str, turn: int) -> str:
    # A new folder each time, so that the parents are made in the race as well.
    return f"{kind}/{turn}/a/b/target"


def _source(kind: str, turn: int, writer: int) -> str:
    return f"sources/{kind}/{turn}/{writer}"


async def _chunks(writer: int) -> AsyncIterator[bytes]:
    yield b"writer "
    await asyncio.sleep(0)
    yield str(writer).encode()


async def _attempt(backend: AsyncMemoryBackend, kind: str, turn: int, writer: int) -> bool:
    """Try to create the target of a round; tell whether this writer did."""
    target, source = _target(kind, turn), _source(kind, turn, writer)
    content = b"writer %d" % writer
    operation: Awaitable[object]
    match kind:
        case "bytes":
            operation = backend.write(target, content)
        case "iterator":
            operation = backend.write(target, _chunks(writer))
        case "atomic":
            operation = backend.write_atomic(target, content)
        case "atomic_iterator":
            operation = backend.write_atomic(target, _chunks(writer))
        case "move":
            operation = backend.move(source, target)
        case _:
            operation = backend.copy(source, target)
    try:
        await operation
    except AlreadyExists:
        return False
    return True


async def _prepare(backend: AsyncMemoryBackend, kind: str) -> None:
    if kind in ("move", "copy"):
        for turn in range(ROUNDS):
            for writer in range(WRITERS):
                await backend.write(_source(kind, turn, writer), b"writer %d" % writer)


async def _race_of_tasks(backend: AsyncMemoryBackend, kind: str) -> Winners:
    await _prepare(backend, kind)
    winners = []
    for turn in range(ROUNDS):
        attempts = (_attempt(backend, kind, turn, writer) for writer in range(WRITERS))
        won = await asyncio.gather(*attempts)
        winners.append([writer for writer in range(WRITERS) if won[writer]])
    return winners


def _race_of_threads(backend: AsyncMemoryBackend, kind: str) -> Winners:
    asyncio.run(_prepare(backend, kind))
    winners: Winners = [[] for _ in range(ROUNDS)]
    failures: list[BaseException] = []
    barrier = threading.Barrier(WRITERS, timeout=30)

    async def compete(writer: int) -> None:
        for turn in range(ROUNDS):
            barrier.wait()
            if await _attempt(backend, kind, turn, writer):
                winners[turn].append(writer)

    def run(writer: int) -> None:
        try:
            asyncio.run(compete(writer))
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return winners


async def _check(backend: AsyncMemoryBackend, kind: str, winners: Winners) -> None:
    """One winner in each round, whose content is there; a loser's source stays."""
    assert [len(won) for won in winners] == [1] * ROUNDS
    for turn, (winner,) in enumerate(winners):
        assert b"writer %d" % winner == await backend.read_bytes(_target(kind, turn))
        if kind in ("move", "copy"):
            left = [await backend.exists(_source(kind, turn, w)) for w in range(WRITERS)]
            assert [kind == "copy" or w != winner for w in range(WRITERS)] == left


@pytest.mark.parametrize("kind", KINDS)
def test_tasks(kind: str) -> None:
    """Of 16 tasks one creates the file."""
    backend = AsyncMemoryBackend()
    winners = asyncio.run(_race_of_tasks(backend, kind))
    asyncio.run(_check(backend, kind, winners))


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("kind", KINDS)
def test_threads(kind: str) -> None:
    """Of 16 threads with a loop each one creates the file."""
    backend = AsyncMemoryBackend()
    winners = _race_of_threads(backend, kind)
    asyncio.run(_check(backend, kind, winners))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_tasks_find_the_mistake(kind: str) -> None:
    """A backend that checks and then acts does not pass with tasks."""
    backend = CheckThenAct()
    winners = asyncio.run(_race_of_tasks(backend, kind))
    with pytest.raises(AssertionError):
        asyncio.run(_check(backend, kind, winners))


@pytest.mark.long
@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("kind", KINDS)
def test_threads_find_the_mistake(kind: str) -> None:
    """A backend that checks and then acts does not pass with threads."""
    backend = CheckThenAct()
    winners = _race_of_threads(backend, kind)
    with pytest.raises(AssertionError):
        asyncio.run(_check(backend, kind, winners))


def _now(operation: Coroutine[Any, Any, T]) -> T:
    """Run an operation that never waits, without the cost of a loop."""
    try:
        operation.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    pytest.fail("the operation waits")


def _at_each_line(change: Callable[[], object], observe: Callable[[], None]) -> int:
    """Call *observe* before each line that *change* executes in the plugin; return how many."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        nonlocal lines
        if not frame.f_globals["__name__"].startswith("remote_store_memory."):
            return None
        if event == "line":
            lines += 1
            observe()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        change()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.usefixtures("restless")
def test_moved_file_has_one_name() -> None:
    """A file that a thread moves to and fro is always found under one of two names (AMOVE-001)."""
    backend = AsyncMemoryBackend()
    _now(backend.write("to/x", b""))
    _now(backend.write("from/f", b"1"))
    ends = threading.Event()

    def move() -> None:
        while not ends.is_set():
            _now(backend.move("from/f", "to/f"))
            _now(backend.move("to/f", "from/f"))

    def pair() -> list[bool]:
        # In one call into C, so that no move comes between the two looks.
        return list(map(dict.__contains__, holders, ("from/f", "to/f")))

    holders = [backend._tree._by_key[name].files for name in ("from", "to")]
    thread = threading.Thread(target=move)
    thread.start()
    found: Counter[tuple[bool, ...]] = Counter()
    while len(found) < 2 or found.total() < 5000:
        found[tuple(pair())] += 1
    ends.set()
    thread.join()

    assert set(found) == {(True, False), (False, True)}


@pytest.mark.parametrize("step", [0, 1])
def test_move_that_fails_late(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory for a move or its new entry the file is where it was (MOVE-007)."""
    backend = AsyncMemoryBackend()

    def fail(*_: object) -> None:
        raise MemoryError

    _now(backend.write("from/f", b"1"))
    for target in ("to/f", "from/g"):
        with monkeypatch.context() as patch:
            patch.setattr(_mutable_tree, ("setitem", "call")[step], fail)
            patch.setattr(_atomic, "call", fail)
            with pytest.raises(MemoryError):
                _now(backend.move("from/f", target))
        assert _now(backend.read_bytes("from/f")) == b"1"
        assert not _now(backend.exists(target))
    assert not _now(backend.exists("to"))
    _now(backend.move("from/f", "to/f"))


def test_file_appears_with_its_folders() -> None:
    """At no moment are the folders of a new file there without the file."""
    backend = AsyncMemoryBackend()
    root = backend._tree._root
    seen: set[bool] = set()

    def observe() -> None:
        seen.add("a" in root.folders)
        if "a" in root.folders:
            assert "a/b/c/f" in root.folders["a"].folders["b"].folders["c"].files

    assert _at_each_line(lambda: _now(backend.write("a/b/c/f", b"")), observe) > 10
    assert {False, True} == seen


@pytest.mark.parametrize("overwrite", [False, True])
def test_killed_anywhere(overwrite: bool) -> None:
    """At no moment of a change is the content of a file nowhere."""
    backend = AsyncMemoryBackend()
    files = backend._tree._root.files
    content = b"precious"

    def observe() -> None:
        assert any(version[0] == content for version in files.values())

    _now(backend.write("f", content))
    for name in ("g", "h"):
        if overwrite:
            _now(backend.write(name, b"old"))
    assert _at_each_line(lambda: _now(backend.write("f", content, overwrite=True)), observe) > 10
    assert _at_each_line(lambda: _now(backend.copy("f", "g", overwrite=overwrite)), observe) > 10
    _now(backend.delete("g"))
    assert _at_each_line(lambda: _now(backend.move("f", "h", overwrite=overwrite)), observe) > 10
