"""Of any number of clients that claim one path one gets it, and nobody sees half a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.emulator.account import Filesystem
from tests.emulator.probes_race import (
    exclusive_creates_race,
    exclusive_puts_race,
    exclusive_renames_race,
    poll_during_overwrites,
    renames_of_one_source_race,
)

from hns_emulator import HnsEmulator

RACERS = 16
ROUNDS = 5


@pytest.fixture
def emulator() -> Iterator[HnsEmulator]:
    """An emulator that checks its tree after each request."""
    with HnsEmulator(debug=True) as running:
        yield running


@pytest.mark.parametrize(
    "contest",
    [
        exclusive_creates_race,
        exclusive_puts_race,
        exclusive_renames_race,
        renames_of_one_source_race,
    ],
)
def test_one_winner(contest: Callable[[Filesystem, int], None], emulator: HnsEmulator) -> None:
    """Sixteen clients at once: one success, the others get the error for those who come late."""
    for _ in range(ROUNDS):
        with Filesystem(emulator) as fs:
            contest(fs, RACERS)


def test_overwrite_by_rename_is_old_or_new(emulator: HnsEmulator) -> None:
    """A reader that polls while a file is replaced sees whole versions with their own ETags."""
    with Filesystem(emulator) as fs:
        assert poll_during_overwrites(fs, rounds=40) >= 10
