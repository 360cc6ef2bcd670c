"""Log records of a store: each call at DEBUG, each completed change at INFO."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from tests.contract.probes import as_backend, drain
from tests.contract.reference import NAME, DictBackend
from tests.contract.test_hooks import EVENTS

from remote_store import NotFound
from remote_store.aio import AsyncStore

LOGGER = "remote_store._store.async_store"
CHANGES = {"write", "write_text", "write_atomic", "delete", "delete_folder", "move", "copy", "ping"}


def test_silent_by_default() -> None:
    """Importing the package attaches a NullHandler to its root logger and nothing else."""
    code = (
        "import logging, remote_store.aio\n"
        "handlers = logging.getLogger('remote_store').handlers\n"
        "print([type(h).__name__ for h in handlers], logging.getLogger().handlers)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout.strip() == "['NullHandler'] []"


def shown(record: logging.LogRecord) -> tuple[str, Any, Any, Any]:
    fields = vars(record)
    return record.levelname, fields["op"], fields["path"], fields["backend"]


async def filled(reference: DictBackend) -> AsyncStore:
    store = AsyncStore(as_backend(reference), "root")
    await store.write("d/f", b"12345")
    return store


@pytest.mark.asyncio
@pytest.mark.parametrize("name", EVENTS)
async def test_records_of_each_operation(
    name: str, reference: DictBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """Every call makes a DEBUG record, every completed change an INFO record after it."""
    store = await filled(reference)
    call, path, _ = EVENTS[name]
    with caplog.at_level(logging.DEBUG, "remote_store"):
        await drain(call(store))
    records = [r for r in caplog.records if r.name == LOGGER]
    levels = ["DEBUG", "INFO"] if name in CHANGES else ["DEBUG"]
    assert [shown(r) for r in records] == [(level, name, path, NAME) for level in levels]


@pytest.mark.asyncio
async def test_info_level_has_changes_only(
    reference: DictBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """At INFO only completed changes are seen."""
    store = await filled(reference)
    with caplog.at_level(logging.INFO, "remote_store"):
        for call, _, _ in EVENTS.values():
            try:
                await drain(call(store))
            except (NotFound, FileExistsError):
                continue
    assert {r.levelname for r in caplog.records} == {"INFO"}
    assert {vars(r)["op"] for r in caplog.records} <= CHANGES


@pytest.mark.asyncio
async def test_failed_change_is_not_reported_as_done(
    reference: DictBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A change that failed has its DEBUG record and no INFO record."""
    store = await filled(reference)
    with caplog.at_level(logging.DEBUG, "remote_store"), pytest.raises(NotFound):
        await store.delete("gone")
    assert [shown(r) for r in caplog.records] == [("DEBUG", "delete", "gone", NAME)]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["move", "copy"])
async def test_same_path_is_logged_as_a_call_only(
    name: str, reference: DictBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A move or copy onto itself changes nothing: its DEBUG record, and no INFO record."""
    store = await filled(reference)
    with caplog.at_level(logging.DEBUG, "remote_store"):
        await getattr(store, name)("d/f", "d//f")
    assert [shown(r) for r in caplog.records] == [("DEBUG", name, "d/f", NAME)]


@pytest.mark.asyncio
async def test_nothing_is_logged_below_the_level(
    reference: DictBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """At the default level a store is silent."""
    store = await filled(reference)
    with caplog.at_level(logging.WARNING, "remote_store"):
        for name in ("write", "read", "delete"):
            await drain(EVENTS[name][0](store))
    assert caplog.records == []
