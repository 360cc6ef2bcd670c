"""No thread outlives the call that needed it."""

from __future__ import annotations

import threading

import pytest
from tests.transfer.conftest import Make

from remote_store_transfer.aio import copy_between, copy_tree, plan


def _threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("remote-store-transfer")]


def _end_of_threads() -> list[str]:
    """Return the threads that are still there once those that were told to end have had time."""
    for thread in threading.enumerate():
        if thread.name.startswith("remote-store-transfer"):
            thread.join(5)
    return _threads()


@pytest.mark.asyncio
async def test_no_thread_stays(local: Make) -> None:
    """Of a plan, of a tree and of a single file."""
    source, target = local("a"), local("b")
    await source.write("x/one", b"1")

    async with plan(source, target) as actions:
        await actions.prepare()
    assert _end_of_threads() == []

    assert (await copy_tree(source, target)).copied == 1
    assert _end_of_threads() == []

    await copy_between(source, "x/one", target, "y/two")
    assert _end_of_threads() == []
