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
from tests.emulator.probes import PROBES

from hns_emulator import DEFECTS, HnsEmulator
from hns_emulator.replay import replay

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def emulator() -> Iterator[HnsEmulator]:
    """An emulator without defects."""
    with HnsEmulator(debug=True) as running:
        yield running


def first_failure(defects: frozenset[str]) -> str | None:
    """Name the first probe that fails on an emulator with defects."""
    with HnsEmulator(defects=defects) as emulator:
        for probe in PROBES:
            with Filesystem(emulator, defects) as fs:
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
    found = first_failure(frozenset({defect}))
    folder = os.environ.get("REMOTE_STORE_HNS_RECORDINGS")
    if found is None and folder is not None:
        differing = replay(Path(folder), defects=frozenset({defect})).of("differs")
        found = differing[0].title if differing else None
    assert found is not None, f"nobody noticed that {defect}"
