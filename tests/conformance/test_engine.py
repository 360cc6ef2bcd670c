"""What the engine makes of a check: statuses, deadlines, leaks, refusals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import warnings
from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar

import pytest
from attrs import evolve
from tests.conformance.conftest import clause_of, run_one

from remote_store import Capability, CapabilitySet, NotFound, WriteResult
from remote_store.aio import AsyncBackend
from remote_store_conformance.contract.expect import Inapplicable, Unverified, expect
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.engine.leaks import Watch
from remote_store_conformance.engine.session import Session
from remote_store_conformance.results.result import Status
from remote_store_conformance.results.run import Run, Verdict
from remote_store_conformance.targets.target import NotOpen, Scratch
from remote_store_conformance_selftest.reference import ALL, Content, ReferenceBackend
from remote_store_conformance_selftest.stand_in import StandIn

C = Capability


async def nothing(t: Trial) -> None:
    """A check that finds nothing wrong."""


async def wrong(t: Trial) -> None:
    """A check that finds something wrong."""
    expect(False, "it is wrong", observed=1, expected=2, more="facts")


def test_a_check_that_ends_passes() -> None:
    """A check that raises nothing is a pass."""
    result = run_one(clause_of(nothing))

    assert result.status is Status.PASS
    assert result.seconds > 0


def test_a_violation_fails_with_its_facts() -> None:
    """Message, observation, expectation and evidence get into the result."""
    result = run_one(clause_of(wrong))

    assert result.status is Status.FAIL
    assert result.blocks
    assert (result.message, result.observed, result.expected) == ("it is wrong", "1", "2")
    assert result.evidence == {"more": "facts"}


def test_a_should_clause_warns() -> None:
    """A SHOULD clause that fails does not make a backend not conformant."""
    result = run_one(clause_of(wrong, level=Level.SHOULD))

    assert result.status is Status.FAIL
    assert not result.blocks
    assert Run("t", (result,)).verdict is Verdict.PARTIAL


def test_an_error_of_the_backend_fails_and_one_of_the_kit_does_not() -> None:
    """Who raised an unexpected exception decides whose fault it is."""

    async def backends(t: Trial) -> None:
        await t.store.read_bytes("missing")

    async def lookup(t: Trial) -> None:
        t.can("no such need")  # type: ignore[arg-type]

    assert run_one(clause_of(backends)).status is Status.FAIL
    assert NotFound.__name__ in run_one(clause_of(backends)).message
    result = run_one(clause_of(lookup))
    assert result.status is Status.ERROR
    assert Run("t", (result,)).verdict is Verdict.INCONCLUSIVE


def test_a_check_that_never_ends_hangs() -> None:
    """A check past its deadline fails, and the message says where it waits."""

    async def stuck(t: Trial) -> None:
        await asyncio.Event().wait()

    result = run_one(clause_of(stuck, seconds=0.2))

    assert result.status is Status.FAIL
    assert "hangs" in result.message
    assert "stuck" in result.message
    assert result.seconds < 3


def test_a_loop_that_is_blocked_does_not_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that blocks the loop is left behind in its thread."""
    monkeypatch.setattr("remote_store_conformance.engine.attempt._MARGIN", 0.2)
    released = threading.Event()

    async def blocking(t: Trial) -> None:
        released.wait(30)

    result = run_one(clause_of(blocking, seconds=0.1))
    released.set()

    assert result.status is Status.FAIL
    assert "blocked" in result.message


class LeavesTask(ReferenceBackend):
    async def exists(self, path: str) -> bool:
        if path:
            self.task = asyncio.ensure_future(asyncio.sleep(60))
        return await super().exists(path)


class LeavesThread(ReferenceBackend):
    async def exists(self, path: str) -> bool:
        if path:
            threading.Thread(target=time.sleep, args=(5,), name="left", daemon=True).start()
        return await super().exists(path)


class LeavesFile(ReferenceBackend):
    opened: ClassVar[list[int]] = []

    async def exists(self, path: str) -> bool:
        if path:
            self.opened.append(os.open(os.devnull, os.O_RDONLY))
        return await super().exists(path)


class ForgetsAwait(ReferenceBackend):
    async def exists(self, path: str) -> bool:
        if path:
            super().exists(path)  # type: ignore[unused-coroutine]
        return True


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (LeavesTask, "a task is left behind"),
        (LeavesThread, "a thread is left behind: left"),
        (LeavesFile, "a file descriptor is left behind"),
        (ForgetsAwait, "never awaited"),
    ],
)
def test_what_a_backend_leaves_behind_fails_any_clause(
    backend: type[ReferenceBackend], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks, threads, descriptors and forgotten coroutines are found."""
    monkeypatch.setattr("remote_store_conformance.engine.attempt.Watch", lambda: Watch(0.1))

    async def ask(t: Trial) -> None:
        await t.store.exists("a")

    result = run_one(clause_of(ask), StandIn(backend=backend))
    for number in LeavesFile.opened:
        os.close(number)
    LeavesFile.opened.clear()

    assert result.status is Status.FAIL
    assert said in result.message


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("unclosed connection <x>", Status.FAIL),
        # aiohttp's advice, which it calls a ResourceWarning.
        ("Sending a large body directly with raw bytes might lock the event loop.", Status.PASS),
    ],
)
def test_only_a_warning_of_something_left_open_is_a_leak(said: str, status: Status) -> None:
    """A library may also warn of the way in which a resource is used."""

    async def warned(t: Trial) -> None:
        warnings.warn(said, ResourceWarning, stacklevel=1)

    assert run_one(clause_of(warned)).status is status


def test_the_reference_leaves_nothing() -> None:
    """The watch finds nothing where nothing is left."""

    async def ask(t: Trial) -> None:
        await t.store.write("a", b"x")
        expect(await t.peek("a") == b"x", "it is not there")

    assert run_one(clause_of(ask)).status is Status.PASS


def test_a_missing_gate_is_refused_and_a_missing_promise_unclaimed() -> None:
    """What is not declared is no skip: its refusal is proven, or it was no gate."""
    less = StandIn(capabilities=CapabilitySet(ALL - {C.GLOB, C.LAZY_READ}))

    refused = run_one(clause_of(wrong, requires=[C.GLOB]), less)
    assert refused.status is Status.REFUSED
    assert "GLOB" in refused.message
    assert run_one(clause_of(wrong, requires=[C.LAZY_READ]), less).status is Status.UNCLAIMED


class ActsThenRefuses(ReferenceBackend):
    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self.commit(path, b"", True, None)
        return await super().write(path, content)


def test_a_refusal_that_acts_fails_every_clause_that_needs_it() -> None:
    """A refusal is checked, not believed."""
    liar = StandIn(backend=ActsThenRefuses, capabilities=CapabilitySet(ALL - {C.WRITE}))

    result = run_one(clause_of(nothing, requires=[C.WRITE]), liar)

    assert result.status is Status.FAIL
    assert "acted first" in result.message


def test_what_cannot_be_measured_is_never_green() -> None:
    """Without a probe, a clause that needs one is unverified, and the verdict inconclusive."""
    blind = StandIn(probe=False)

    result = run_one(clause_of(nothing, needs=[Need.PROBE]), blind)

    assert result.status is Status.UNVERIFIED
    assert "probe" in result.message
    assert Run("t", (result,)).verdict is Verdict.INCONCLUSIVE
    assert run_one(clause_of(nothing, needs=[Need.PROBE])).status is Status.PASS


def test_a_check_may_say_that_it_cannot_tell() -> None:
    """Unverified and Inapplicable are statuses of their own."""

    async def unsure(t: Trial) -> None:
        msg = "no way to tell"
        raise Unverified(msg)

    async def elsewhere(t: Trial) -> None:
        msg = "not here"
        raise Inapplicable(msg)

    assert run_one(clause_of(unsure)).status is Status.UNVERIFIED
    assert run_one(clause_of(elsewhere)).status is Status.INAPPLICABLE


def test_a_clause_speaks_about_its_kind_of_target() -> None:
    """A clause about flat stores does not apply to a hierarchical one."""
    about_flat = clause_of(nothing, only=[Trait.FLAT])

    assert run_one(about_flat).status is Status.INAPPLICABLE
    assert run_one(about_flat, StandIn(flat=True)).status is Status.PASS


def test_there_are_three_kinds_of_folders() -> None:
    """Real ones, prefixes that share names with files, and prefixes that do not."""
    kinds = {
        "real": StandIn(),
        "shared": StandIn(flat=True),
        "exclusive": StandIn(flat=True, shared_names=False),
    }
    traits = (Trait.HIERARCHICAL, Trait.FLAT, Trait.EXCLUSIVE)
    applies = {
        name: [run_one(clause_of(nothing, only=[trait]), kind).status for trait in traits]
        for name, kind in kinds.items()
    }
    yes, no = Status.PASS, Status.INAPPLICABLE

    assert applies == {"real": [yes, no, yes], "shared": [no, yes, no], "exclusive": [no, no, yes]}


def test_real_folders_share_no_names() -> None:
    """A target that says both is a mistake, which is told when it is made."""
    with pytest.raises(ValueError, match="cannot share a name"):
        evolve(StandIn().make(), shared_names=True)


def test_a_newer_rule_does_not_gate() -> None:
    """What the backend's contract did not ask for yet is upcoming when it fails."""
    result = run_one(clause_of(wrong, since="1.1"))

    assert result.status is Status.UPCOMING
    assert not result.blocks
    assert Run("t", (result,)).verdict is Verdict.PARTIAL
    assert run_one(clause_of(nothing, since="1.1")).status is Status.PASS


def test_a_used_up_budget_is_unverified() -> None:
    """A clause that was not run says so."""
    with StandIn().offered() as target, Session(target, budget=0.0) as session:
        session.run(clause_of(nothing))
        result = session.run(clause_of(nothing))

    assert result.status is Status.UNVERIFIED
    assert "budget" in result.message


def test_a_target_that_does_not_open_is_no_failure_of_a_clause() -> None:
    """The session says that the target does not open."""

    @contextlib.asynccontextmanager
    async def closed(scratch: Scratch) -> AsyncGenerator[AsyncBackend, None]:
        raise ConnectionRefusedError("nobody there")
        yield

    target = evolve(StandIn().make(), open=closed)
    with Session(target) as session, pytest.raises(NotOpen, match="nobody there"):
        session.run(clause_of(nothing))


def test_each_run_has_a_place_of_its_own_and_leaves_it_empty() -> None:
    """Two runs do not see each other's files, and none stays."""
    prefixes: list[str] = []

    async def writes(t: Trial) -> None:
        expect(await t.names() == [], "there are files already")
        await t.store.write("a/b", b"x")
        prefixes.append(t.prefix)

    trees: list[Any] = []

    class Seen(ReferenceBackend):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            trees.append(self.tree)

    with StandIn(backend=Seen).offered() as target, Session(target) as session:
        assert session.run(clause_of(writes)).status is Status.PASS
        assert session.run(clause_of(writes)).status is Status.PASS

    assert len(set(prefixes)) == 2
    assert trees[0].files == {}
    assert trees[0].folders == set()


def test_no_result_is_no_verdict() -> None:
    """A run of nothing is inconclusive."""
    assert Run("t", ()).verdict is Verdict.INCONCLUSIVE
