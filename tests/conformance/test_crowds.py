"""How many entries a check puts into a folder so that it takes more than one page."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from attrs import evolve
from tests.conformance.conftest import clause_of, run_one

from remote_store import Capability, FileInfo
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.results.result import Status
from remote_store_conformance.targets.target import Target
from remote_store_conformance.tools.crowds import crowds, entries_needed
from remote_store_conformance_selftest import reference_client, service
from remote_store_conformance_selftest.reference_client import WireBackend, WireStandIn
from remote_store_conformance_selftest.slowed import SlowedStandIn
from remote_store_conformance_selftest.stand_in import StandIn


class Large(WireStandIn):
    """A service whose target does not say how long its pages are."""

    @contextlib.contextmanager
    def offered(self) -> Iterator[Target]:
        with WireStandIn.offered(self) as target:
            yield evolve(target, max_list=5_100)


class AsksForEach(WireBackend):
    """A client that makes a request for each entry that it lists."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        files = super().list_files(path, recursive=recursive, max_depth=max_depth)
        async for file in files:
            await self.call("exists", path=file.path.as_posix())
            yield file


def needed(stand_in: StandIn) -> tuple[int, list[str]]:
    """Return the number of entries, and the orders of files and folders."""
    found: list[int] = []
    shapes: list[str] = []

    async def check(t: Trial) -> None:
        found.append(await entries_needed(t))
        shapes.extend(crowd.shape for crowd in await crowds(t))

    result = run_one(clause_of(check, requires=[Capability.LIST], seconds=60), stand_in)
    assert result.status is Status.PASS, result
    return found[0], shapes


def test_what_a_target_says_is_enough() -> None:
    """A target whose pages are short says so by what may be in one folder."""
    assert needed(StandIn(target={"environment": "live", "max_list": 60}))[0] == 60


def test_where_calls_are_slow_there_is_one_order_of_the_usual_number() -> None:
    """Thousands of calls of 50 ms, one after the other, take minutes."""
    target = {"environment": "live", "max_list": 5_100}

    assert needed(SlowedStandIn(target=target)) == (1_100, ["folders, then files"])
    assert needed(StandIn(target=target))[0] == 5_100


@pytest.mark.long
@pytest.mark.parametrize(
    ("page", "backend", "number"),
    [
        pytest.param(500, WireBackend, 1_100, id="short pages"),
        pytest.param(5_000, WireBackend, 5_100, id="long pages"),
        pytest.param(5_000, AsksForEach, 5_100, id="a request for each entry"),
    ],
)
def test_requests_show_whether_the_usual_number_is_enough(
    monkeypatch: pytest.MonkeyPatch, page: int, backend: type[WireBackend], number: int
) -> None:
    """One request more than for a few entries is a second page; one for each entry is none."""
    for module in (service, reference_client):
        monkeypatch.setattr(module, "PAGE", page)

    assert needed(Large(backend=backend))[0] == number
