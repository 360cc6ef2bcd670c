"""Streaming through the bridges takes a bounded amount of memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def grown(bridge: str, direction: str, kind: str) -> float:
    """Return the growth of the peak, in MiB, for 256 MiB after a warm-up of 8 MiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sync.growth", bridge, direction, kind],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("bridge", ["async", "sync"])
def test_streaming_is_bounded(bridge: str, direction: str) -> None:
    """256 MiB through either bridge, either way, grow the peak by at most 24 MiB (MEM-001)."""
    assert grown(bridge, direction, "stream") <= 24


@pytest.mark.long
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("bridge", ["async", "sync"])
def test_measurement_sees_buffering(bridge: str, direction: str) -> None:
    """The same measurement tells when the content is gathered on its way."""
    assert grown(bridge, direction, "gather") > 200
