"""
The emulator keeps the contract, and each of its deliberate defects is noticed.

A defect that no probe and no recording notices is a hole in the checks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.emulator.account import Filesystem, Probe
from tests.emulator.defect import Defect
from tests.emulator.defects import DEFECTS
from tests.emulator.probes import PROBES

from hns_emulator import HnsEmulator
from hns_emulator.replay import replay

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def emulator() -> Iterator[HnsEmulator]:
    """An emulator without defects."""
    with HnsEmulator(debug=True) as running:
        yield running


def first_failure() -> str | None:
    """Name the first probe that fails."""
    with HnsEmulator() as emulator:
        for probe in PROBES:
            with Filesystem(emulator) as fs:
                try:
                    probe(fs)
                except Exception:  # an answer that a probe cannot even read fails it as well
                    crashed = [seen for seen in emulator.requests if seen.status in {0, 500}]
                    assert not crashed, "a crash is not the defect that was meant"
                    return probe.__name__
    return None


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_contract_holds(probe: Probe, emulator: HnsEmulator) -> None:
    """Without a defect every probe passes."""
    with Filesystem(emulator) as fs:
        probe(fs)


#: Each has a server of its own, so that only every tenth is for those who wait.
SOME = [
    pytest.param(name, marks=[pytest.mark.long] if number % 10 else [])
    for number, name in enumerate(sorted(DEFECTS))
]


@pytest.mark.parametrize("defect", SOME)
def test_defect_is_noticed(defect: str) -> None:
    """With a defect at least one probe fails, or one recorded exchange differs."""
    folder = os.environ.get("REMOTE_STORE_HNS_RECORDINGS")
    with DEFECTS[defect].in_force():
        found = first_failure()
        if found is None and folder is not None:
            differing = replay(Path(folder)).of("differs")
            found = differing[0].title if differing else None
    assert found is not None, f"nobody noticed that {DEFECTS[defect].meaning}"


def test_every_defect_has_its_rule() -> None:
    """Each finds what it replaces, and leaves the emulator as it was."""
    for defect in DEFECTS.values():
        before = defect.function.__code__
        with defect.in_force():
            assert defect.function.__code__ is not before
        assert defect.function.__code__ is before


def test_a_rule_that_is_gone_is_an_error() -> None:
    """A defect that has lost its rule is an error, not a defect that nobody notices."""
    lost = Defect("lost", "Nothing.", first_failure, "no such rule", "")
    with pytest.raises(ValueError, match="lost: 'no such rule' is not once in first_failure"):
        lost.code()
