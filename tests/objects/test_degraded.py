"""The kit over services that lack something: what the description says is all that is lost."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from attrs import frozen
from tests.objects.service import Bucket, MemoryService, describe

from remote_store.aio import AsyncBackend
from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.choosing import choose
from remote_store_conformance.results.result import Status
from remote_store_conformance.targets.target import Scratch, Target
from remote_store_objects import EVERY_CONDITION, Condition

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300)]

#: Those over which operations go other ways; most of the rest is the same for all.
FAMILIES = ["READ", "WRITE", "ATOM", "LIST", "DEL", "MOVE", "COPY", "META", "NATIVE", "MODEL"]
SMALL = {"part_size": 1 << 16, "single_put": 1 << 16}

#: Options of the backend, fields of the description, and the clauses that cannot hold then.
LACKS: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "nothing": ({}, {}, set()),
    "nothing, side by side": ({"max_concurrency": 3, **SMALL}, {}, set()),
    "batches": (SMALL, {"batch": 0}, set()),
    "answers to deletions": ({}, {"delete_tells": False}, {"DEL-007"}),
    "a delimiter": ({}, {"delimiter": False}, set()),
    "copies": (SMALL, {"copies": False}, set()),
    "exclusive copies": (
        SMALL,
        {"copy_parts": True, "conditions": EVERY_CONDITION - {Condition.COPY_IF_ABSENT}},
        set(),
    ),
    "conditional copies": (
        {},
        {"conditions": EVERY_CONDITION - {Condition.COPY_IF_ABSENT, Condition.COPY_IF_MATCH}},
        set(),
    ),
    "conditional deletions": (
        {},
        {"conditions": EVERY_CONDITION - {Condition.DELETE_IF_MATCH, Condition.GET_IF_MATCH}},
        set(),
    ),
    "honest etags": ({}, {"etags": False, "written_tells": False, "metadata": None}, set()),
    "large copies": (SMALL, {"max_copy": 1 << 16, "copy_parts": True}, set()),
}


@frozen
class Looking:
    """The way to the objects that does not lead through the backend."""

    bucket: Bucket

    async def put(self, key: str, content: bytes) -> None:
        self.bucket.put(key, content)

    plant = put

    async def get(self, key: str) -> bytes | None:
        found = self.bucket.objects.get(key)
        return None if found is None else found[1]

    async def names(self, prefix: str) -> list[str]:
        return [key for key in self.bucket.objects if key.startswith(f"{prefix}/")]

    async def remove(self, prefix: str) -> None:
        for key in await self.names(prefix):
            del self.bucket.objects[key]


@pytest.mark.parametrize("lack", LACKS)
def test_a_lack_costs_what_is_said_and_no_clause(
    lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each clause that the capabilities leave holds."""
    monkeypatch.setattr(MemoryService, "piece", 1 << 16)
    options, fields, lost = LACKS[lack]
    bucket = Bucket(description=describe(**{"batch": 1000, **fields}))

    @contextlib.asynccontextmanager
    async def opened(scratch: Scratch) -> AsyncGenerator[AsyncBackend, None]:
        async with bucket.backend(**options) as backend:
            yield backend
        bucket.calls.clear()

    target = Target(
        f"objects:{lack}",
        opened,
        plugin="",
        hierarchical=False,
        probe=lambda backend, scratch: Looking(bucket),
        max_list=2_100,
    )
    with Session(target) as session:
        run = session.run_all(choose([f"{family}-*" for family in FAMILIES]))
    failed = {
        result.clause.id: (result.message, result.observed)
        for result in run.results
        if result.status is Status.FAIL
    }
    assert not set(failed) - lost, failed
