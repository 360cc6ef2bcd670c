"""No red over a sound backend: slow ones, picky ones, and those whose target is at fault."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve
from tests.conformance.conftest import clause_of, run_one

from remote_store import PreconditionFailed, WriteResult
from remote_store_conformance.clauses import find
from remote_store_conformance.cli import main
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.arguments import options_of
from remote_store_conformance.plugins.lookup import target_of_url
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance.results.waivers import UsageError
from remote_store_conformance.tools.operations import OPERATIONS, Form
from remote_store_conformance_selftest.mutants.pages import DeletesOneByOne
from remote_store_conformance_selftest.reference import Content, ReferenceBackend
from remote_store_conformance_selftest.reference_client import WireBackend, WireStandIn
from remote_store_conformance_selftest.slowed import SlowedStandIn
from remote_store_conformance_selftest.stand_in import StandIn, TreeProbe


def results_of(stand_in: StandIn, *ids: str, **fields: Any) -> list[Result]:
    """Return what becomes of clauses on a stand-in, one after the other."""
    with stand_in.offered() as target, Session(target, **fields) as session:
        return [session.run(find(name)) for name in ids]


@pytest.mark.long
def test_deadlines_grow_with_what_calls_cost() -> None:
    """A check whose calls are slow gets as much more time as they are slower."""

    async def many_calls(t: Trial) -> None:
        for _ in range(20):
            await t.store.exists("a")

    check = clause_of(many_calls, seconds=0.5)

    assert run_one(check, SlowedStandIn(seconds=0.05)).status is Status.PASS
    assert run_one(check, SlowedStandIn(seconds=0.0)).status is Status.PASS


class WritesSlowly(ReferenceBackend):
    """Answers questions at once, and takes its time for each write."""

    async def store(self, *args: Any) -> WriteResult:
        await asyncio.sleep(0.04)
        return await super().store(*args)


def test_patience_knows_what_writes_cost() -> None:
    """What files took that were put there before counts, not only what questions take."""

    async def seeds(t: Trial) -> None:
        for _ in range(5):
            await t.seed_file(t.name())

    async def writes(t: Trial) -> None:
        for _ in range(20):
            await t.store.write(t.name(), b"x")

    with StandIn(backend=WritesSlowly).offered() as target, Session(target) as session:
        session.run(clause_of(seeds))
        assert session.run(clause_of(writes, seconds=0.5)).status is Status.PASS
        assert session.about()["patience"] >= 2.0


class OpensARuntime(ReferenceBackend):
    """Its library opens a descriptor for the whole process, at the first call of its kind."""

    descriptors: Final[list[int]] = []

    async def read_bytes(self, path: str) -> bytes:
        if not self.descriptors:
            self.descriptors.append(os.open(os.devnull, os.O_RDONLY))
        return await super().read_bytes(path)


class OpensAgain(OpensARuntime):
    """It opens another one in every object."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.descriptors = []  # type: ignore[misc]
        self.own: list[int] = self.descriptors


@pytest.mark.long
def test_what_a_library_opens_once_is_no_leak() -> None:
    """A descriptor that is opened once in a process is none; one in each object is."""

    async def reads(t: Trial) -> None:
        await t.store.read_bytes(await t.seed_file(t.name()))

    try:
        once = run_one(clause_of(reads), StandIn(backend=OpensARuntime))
        again = run_one(clause_of(reads), StandIn(backend=OpensAgain))
    finally:
        for number in OpensARuntime.descriptors:
            os.close(number)
        OpensARuntime.descriptors.clear()

    assert once.status is Status.PASS
    assert again.status is Status.FAIL
    assert "a file descriptor is left behind" in again.message


class SlowProbe(TreeProbe):
    """It answers, after a while."""

    async def get(self, key: str) -> bytes | None:
        await asyncio.sleep(0.3)
        return await super().get(key)


class BrokenProbe(TreeProbe):
    """It has lost its credentials."""

    async def get(self, key: str) -> bytes | None:
        msg = "no credentials"
        raise OSError(msg)


class StuckProbe(TreeProbe):
    """It waits for ever."""

    async def get(self, key: str) -> bytes | None:
        await asyncio.Event().wait()
        return None


@pytest.mark.long
@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (SlowProbe, "the target's probe took"),
        (BrokenProbe, "the target's probe failed: get raised OSError: no credentials"),
        (StuckProbe, "the target's probe"),
    ],
)
def test_a_probe_at_fault_is_an_error_and_no_violation(probe: type[TreeProbe], words: str) -> None:
    """The kit could not look, so it says nothing about the backend."""

    async def looks(t: Trial) -> None:
        path = await t.seed_file(t.name())

        async def content() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b"x"
                await t.peek(path)

        # Through the backend, which takes what a probe raises for the caller's own.
        await t.store.write(t.name(), content())

    with StandIn().offered() as plain:
        target = evolve(plain, probe=lambda backend, scratch: probe(backend.tree))  # type: ignore[attr-defined]
        with Session(target) as session:
            result = session.run(clause_of(looks, seconds=1.5))

    assert result.status is Status.ERROR
    assert words in result.message


class RefusesEmptyValues(ReferenceBackend):
    """Its service drops metadata without a value, so it refuses them."""

    async def store(self, path: str, content: Content, overwrite: bool, metadata: Any) -> Any:
        if metadata and not all(metadata.values()):
            msg = f"metadata need a value: {path}"
            raise ValueError(msg)
        return await super().store(path, content, overwrite, metadata)


class NoticesReplacement(ReferenceBackend):
    """A read that meets another version than the one it began with says so, at any size."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        file = self.file(path)
        async for chunk in super().read(path):
            yield chunk
            if self.tree.files.get(self.key(path)) not in (file, None):
                msg = f"the file was replaced: {path}"
                raise PreconditionFailed(msg, path=path, backend=self.name)


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "ids"),
    [
        (RefusesEmptyValues, ("META-004", "NATIVE-002")),
        (NoticesReplacement, ("READ-009", "ATOM-001", "WRITE-015")),
    ],
)
def test_clauses_agree_on_what_is_allowed(
    backend: type[ReferenceBackend], ids: tuple[str, ...]
) -> None:
    """What one clause lets a backend do is no failure of another."""
    found = results_of(StandIn(backend=backend), *ids)

    assert [(r.clause.id, r.status, r.message) for r in found] == [
        (name, Status.PASS, "") for name in ids
    ]


class ChecksThenActs(ReferenceBackend):
    """Looks whether there is a file, and then writes, with nothing between the two."""

    def commit(self, path: str, content: bytes, overwrite: bool, metadata: Any) -> WriteResult:
        return super().commit(path, content, True, metadata)

    async def store(self, path: str, content: Content, overwrite: bool, metadata: Any) -> Any:
        whole = await self.gather(content)
        self.check_target(path, overwrite=overwrite)
        return self.commit(path, whole, True, metadata)


@pytest.mark.timeout(240)
@pytest.mark.long
def test_a_check_before_the_write_is_found_whatever_the_seed() -> None:
    """On a fast target a race is run for some time, and not for some rounds."""
    seen = []
    for seed in range(20):
        (found,) = results_of(StandIn(backend=ChecksThenActs), "WRITE-004", seed=seed)
        seen.append(found.status)

    assert set(seen) == {Status.FAIL}


#: Those that the reference has itself; a store makes the others of these.
METHODS = sorted(
    {
        op.method
        for op in OPERATIONS
        if op.form is not Form.PURE and op.method in dir(ReferenceBackend)
    }
)


@pytest.mark.parametrize("method", METHODS)
def test_a_cancellation_that_is_swallowed_fails_for_each_operation(method: str) -> None:
    """Whichever call returns as if nothing had happened, one of the two clauses says so."""
    kinds = {op.method: op.form for op in OPERATIONS}
    looking = kinds[method] in (Form.QUESTION, Form.READ, Form.LISTING)
    backend = type("Swallowing", (SwallowsOne,), {"method": method})
    (found,) = results_of(StandIn(backend=backend), "CANCEL-008" if looking else "CANCEL-001")

    assert found.status is Status.FAIL
    assert "did not raise CancelledError" in found.message


class SwallowsOne:
    """Delegates to the reference; one method swallows its cancellation."""

    method = ""

    def __init__(self, *args: Any) -> None:
        self._backend = ReferenceBackend(*args)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._backend, name)
        if name != self.method:
            return value
        if name in LISTINGS:

            async def items(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
                try:
                    await asyncio.sleep(0.01)
                    async for item in value(*args, **kwargs):
                        yield item
                except asyncio.CancelledError:
                    return

            return items

        async def call(*args: Any, **kwargs: Any) -> Any:
            try:
                await asyncio.sleep(0.01)
                return await value(*args, **kwargs)
            except asyncio.CancelledError:
                return None

        return call


LISTINGS = {op.method for op in OPERATIONS if op.form is Form.LISTING} | {"read"}


@pytest.mark.long
def test_a_recursive_delete_may_break_off_where_it_says_so() -> None:
    """A backend that deletes file by file keeps the rule; one request that does all needs none."""
    one_by_one = WireStandIn(backend=DeletesOneByOne)
    at_once = WireStandIn(backend=WireBackend)

    (some,), (none,) = results_of(one_by_one, "FAULT-012"), results_of(at_once, "FAULT-012")
    removed = some.evidence["removed_before_it_broke_off"]
    assert (some.status, some.message) == (Status.PASS, "")
    assert 2 < len(removed)
    assert 0 < sum(removed) < some.evidence["entries"]
    assert none.status is Status.INAPPLICABLE


def test_a_url_takes_what_a_target_has() -> None:
    """Every field but those that are code can be said beside a URL, and shows in the target."""
    numbers: dict[str, Any] = {
        "part_size": 5,
        "max_object": 6,
        "max_list": 7,
        "read_ahead": 8,
        "consistency": 0.5,
    }
    target = target_of_url("memory", "memory:///a", {}, loops=False, root="elsewhere", **numbers)

    assert {name: getattr(target, name) for name in numbers} == numbers
    assert (target.loops, target.root) == (False, "elsewhere")


def test_the_command_says_what_a_target_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options of the command are the fields, and values of options may be JSON."""
    run = ("run", "local", "--url", f"local://{tmp_path}", "--environment", "local")
    more = ("--one-loop", "--part-size", "5", "--max-list", "9", "--root", "below")
    report = tmp_path / "report.json"

    assert main([*run, *more, "-k", "WRITE-013", "-v", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["about"]["part_size"] == 5
    assert options_of(["a:=[1, null]", "b=:=", "c:=true"]) == {"a": [1, None], "b": ":=", "c": True}
    capsys.readouterr()
    assert main(["run", "memory", "--part-size", "5"]) == 2
    assert "--part-size belongs to --url" in capsys.readouterr().err
    assert main(["run", "memory", "--option", "a:=hunter2"]) == 2
    assert main(["run", "memory", "--option", "hunter2"]) == 2
    assert main([*run, "--secret", "key"]) == 2


def test_options_that_are_said_to_be_secret_are_hidden() -> None:
    """Beside those whose names tell it."""
    with pytest.raises(UsageError, match="'key' is said to be secret"):
        target_of_url("memory", "memory:///a", {}, secrets=["key"])
