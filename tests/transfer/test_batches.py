"""Small files that a storage copies together, and what becomes of those that it does not."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from remote_store import RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend
from remote_store_local._copy_many import copy_many
from remote_store_local._transfer import copy
from remote_store_transfer._copying import batches
from remote_store_transfer._copying.batches import Batches
from remote_store_transfer.aio import Action, Failure, Progress, copy_tree, execute, plan

COPY_MANY = "remote_store_local._backend.copy_many"
LARGE = 1 << 20


def store(path: Path) -> AsyncStore:
    return AsyncStore(AsyncLocalBackend(path))


def files(path: Path, contents: dict[str, bytes]) -> None:
    """Write files that have rested for long."""
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
        os.utime(path / name, (10**9, 10**9))


def below(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the first batches be as large as those of files that take no time."""
    monkeypatch.setattr(batches, "_FEWEST", 8)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the sources of each call for many files."""
    calls: list[list[str]] = []

    def counted(ours: Any, pairs: Sequence[tuple[str, str]], *rest: Any) -> Any:
        calls.append([src for src, _ in pairs])
        return copy_many(ours, pairs, *rest)

    monkeypatch.setattr(COPY_MANY, counted)
    return calls


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once, after the plan and before the first file is copied."""

    def acting(*args: Any) -> Any:
        monkeypatch.setattr(COPY_MANY, copy_many)
        act()
        return copy_many(*args)

    monkeypatch.setattr(COPY_MANY, acting)


@pytest.mark.asyncio
@pytest.mark.usefixtures("eight")
async def test_small_files_of_this_machine_take_few_calls(
    tmp_path: Path, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least eight at a time, each file once; large ones alone, as before."""
    small = {f"d{n % 7}/f{n}": b"%d" % n for n in range(400)}
    files(tmp_path / "a", {**small, "large": os.urandom(LARGE)})
    alone: list[str] = []

    def one(ours: Any, src: str, *rest: Any) -> Any:
        alone.append(src)
        return copy(ours, src, *rest)

    monkeypatch.setattr("remote_store_local._backend.copy", one)
    seen: list[Progress] = []
    ended: list[tuple[str, Failure | None]] = []

    report = await execute(
        plan(store(tmp_path / "a"), store(tmp_path / "b")),
        progress=seen.append,
        ended=lambda action, failure: ended.append((action.path, failure)),
    )

    assert (report.copied, report.ok) == (401, True)
    assert below(tmp_path / "b") == below(tmp_path / "a")
    assert sorted(itertools.chain(*asked)) == sorted(small)
    assert len(asked) <= 400 / 8
    assert alone == ["large"]
    assert sorted(ended) == [(path, None) for path in sorted([*small, "large"])]
    assert (seen[-1].files_done, seen[-1].bytes_done) == (401, report.size)
    assert report.size == sum(map(len, small.values())) + LARGE

    asked.clear()
    again = await copy_tree(store(tmp_path / "a"), store(tmp_path / "b"))
    assert (again.skipped, asked) == (401, [])


@pytest.mark.asyncio
@pytest.mark.usefixtures("eight")
async def test_what_went_wrong_with_one_is_its_own_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if each had been copied alone: gone, written by somebody else, or changed."""
    files(tmp_path / "a", {f"f{n}": b"%d" % n for n in range(8)})

    def act() -> None:
        (tmp_path / "a/f3").unlink()
        (tmp_path / "b/f5").write_bytes(b"theirs")
        files(tmp_path / "a", {"f7": b"another"})

    meanwhile(monkeypatch, act)

    report = await copy_tree(store(tmp_path / "a"), store(tmp_path / "b"))

    failures = {failure.path: (failure.kind, failure.error) for failure in report.failures}
    assert failures == {"f3": ("copy", "NotFound"), "f5": ("conflict", "AlreadyExists")}
    assert (report.copied, report.retried) == (6, 1)
    arrived = {f"f{n}": b"%d" % n for n in range(8) if n != 3}
    assert below(tmp_path / "b") == {**arrived, "f5": b"theirs", "f7": b"another"}


@pytest.mark.asyncio
@pytest.mark.usefixtures("eight")
async def test_what_may_have_arrived_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would meet itself, and be called somebody else's."""
    files(tmp_path / "a", {f"f{n}": b"1" for n in range(4)})

    def late(*args: Any) -> Any:
        found = copy_many(*args)
        found[1] = RemoteStoreError("late", path="f1", outcome_unknown=True)
        return found

    monkeypatch.setattr(COPY_MANY, late)

    report = await copy_tree(store(tmp_path / "a"), store(tmp_path / "b"))

    assert [(f.path, f.error, f.reason) for f in report.failures] == [
        ("f1", "RemoteStoreError", "late")
    ]
    assert report.copied == 3


@pytest.mark.asyncio
@pytest.mark.usefixtures("eight")
async def test_a_call_that_fails_is_the_failure_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with all of them is told of each."""
    files(tmp_path / "a", {f"f{n}": b"1" for n in range(4)})

    def fail(*_: Any) -> Any:
        msg = "no threads today"
        raise RemoteStoreError(msg)

    monkeypatch.setattr(COPY_MANY, fail)

    report = await copy_tree(store(tmp_path / "a"), store(tmp_path / "b"))

    assert (report.copied, [f.reason for f in report.failures]) == (0, ["no threads today"] * 4)


@pytest.mark.asyncio
@pytest.mark.usefixtures("eight")
async def test_who_refuses_is_asked_once(tmp_path: Path) -> None:
    """And each file is copied alone."""
    files(tmp_path / "a", {f"f{n}": b"1" for n in range(40)})
    asked = 0

    class Refusing(AsyncLocalBackend):
        async def copy_many_from(self, *args: Any) -> Any:
            nonlocal asked
            asked += 1
            return await super().copy_many_from(*args)

    report = await copy_tree(
        store(tmp_path / "a"), AsyncStore(Refusing(tmp_path / "b")), concurrency=1
    )

    assert (report.copied, report.ok, asked) == (40, True, 1)


@pytest.mark.asyncio
@pytest.mark.usefixtures("eight")
async def test_a_file_that_did_not_rest_waits_alone(tmp_path: Path, asked: list[list[str]]) -> None:
    """The others need not wait for it."""
    files(tmp_path / "a", {f"f{n}": b"1" for n in range(4)})
    (tmp_path / "a/new").write_bytes(b"1")

    report = await copy_tree(store(tmp_path / "a"), store(tmp_path / "b"))

    assert report.copied == 5
    assert "new" not in itertools.chain(*asked)


async def _actions(*sizes: int) -> AsyncGenerator[Action, None]:
    for number, size in enumerate(sizes):
        yield Action("copy", str(number), size, "")


async def _taken(*sizes: int, fits: Callable[[Action], bool] = lambda _: True) -> list[list[str]]:
    batch = Batches(_actions(*sizes), lambda action: action.size == 0, fits)
    taken = []
    while actions := await batch.next():
        async with batch.turn(len(actions)):
            taken.append([action.path for action in actions])
    return taken


@pytest.mark.asyncio
async def test_what_makes_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that fit, up to so many bytes. What is over is left out, what does not fit is alone."""
    monkeypatch.setattr(batches, "_MOST", 4)
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    assert await _taken(*[1] * 9) == [["0"], ["1", "2"], list("3456"), ["7", "8"]]
    assert await _taken(1, 0, 1, 0, 1) == [["0"], ["2", "4"]]
    half = batches._BYTES // 2
    assert await _taken(1, *[half] * 5) == [["0"], ["1", "2"], ["3", "4"], ["5"]]
    assert await _taken(1, 1, 9, 1, fits=lambda action: action.size != 9) == [
        ["0"],
        ["1"],
        ["2"],
        ["3"],
    ]
    assert await _taken(0, 0) == []


@pytest.mark.asyncio
async def test_batches_grow_while_they_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """And shrink again where they take long; those that run side by side share the time."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    batch = Batches(_actions(*[1] * 5000), lambda _: False, lambda _: True)
    sizes = []
    for seconds in (0.001,) * 9 + (0.005,) + (0.1,) * 9:
        count = len(await batch.next())
        sizes.append(count)
        async with batch.turn(count):
            now += seconds
    assert sizes == [*(2**n for n in range(9)), 256, *(2**n for n in range(8, -1, -1))]
    async with batch.turn(1):
        now += 0.0005
    assert len(await batch.next()) == 2
    async with batch.turn(1):  # a large one beside batches of small ones
        now += 1
    assert len(await batch.next()) == 2
    async with batch.turn(2):
        now += 1
    first, second = batch.turn(1), batch.turn(1)
    async with first, second:
        now += 0.0035
    assert len(await batch.next()) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [0.001, 0.1])
async def test_quick_batches_take_turns(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Where no storage is waited for; one file does not wait, and slow batches go side by side."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    batch = Batches(_actions(), lambda _: False, lambda _: True)
    async with batch.turn(50):
        now += seconds
    async with batch.turn(50), batch.turn(1):
        other = batch.turn(50)
        entering = asyncio.ensure_future(anext(other.gen))
        for _ in range(5):
            await asyncio.sleep(0)
        assert entering.done() is (seconds == 0.1)
    await entering
    with pytest.raises(StopAsyncIteration):
        await anext(other.gen)


@pytest.mark.asyncio
async def test_files_that_take_long_are_copied_side_by_side(tmp_path: Path) -> None:
    """A few of them, too: each waits here until all of them are on their way."""
    files(tmp_path / "a", {f"f{n}": b"1" for n in range(8)})
    together = asyncio.Barrier(8)

    class Waiting(AsyncLocalBackend):
        async def read_bytes(self, path: str) -> bytes:
            async with asyncio.timeout(20):
                await together.wait()
            return await super().read_bytes(path)

    source = AsyncStore(Waiting(tmp_path / "a"))
    report = await copy_tree(source, store(tmp_path / "b"))

    assert (report.copied, report.failures) == (8, ())
