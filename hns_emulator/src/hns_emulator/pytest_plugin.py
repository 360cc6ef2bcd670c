"""Fixtures for tests against the emulator; nothing but pytest is imported until one is used."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from hns_emulator import HnsEmulator

_numbers = itertools.count(1)


class HnsAccount(NamedTuple):
    """A running emulator and the name of a filesystem that does not exist yet."""

    emulator: HnsEmulator
    filesystem: str


@pytest.fixture(scope="session")
def hns_session_emulator() -> Iterator[HnsEmulator]:
    """One running emulator for the whole session."""
    from hns_emulator import HnsEmulator

    with HnsEmulator() as emulator:
        yield emulator


@pytest.fixture
def hns_account(hns_session_emulator: HnsEmulator) -> Iterator[HnsAccount]:
    """
    The session's emulator, with a filesystem name of the test's own.

    The test fails in its teardown if it relied on what nobody recorded, or sent
    what the closed tables do not know; one that expects it clears the counters.
    """
    emulator = hns_session_emulator
    emulator.clear()
    yield HnsAccount(emulator, f"filesystem-{next(_numbers)}")
    unverified, refused = dict(emulator.unverified), dict(emulator.refused)
    emulator.clear()
    emulator.unverified.clear()
    emulator.refused.clear()
    if unverified or refused:
        pytest.fail(f"unverified: {unverified}, refused: {refused}")
