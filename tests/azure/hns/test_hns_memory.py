"""Streams of any length in bounded memory, on a hierarchical account."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_SCRIPT = Path(__file__).with_name("growth.py")
#: Growth of the peak by 256 MiB up and down, in MiB.
_ALLOWED = 24


def _growth(mode: str, concurrency: int) -> float:
    command = [sys.executable, "-P", str(_SCRIPT), mode, str(concurrency)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=55)
    return float(done.stdout)


@pytest.mark.long
@pytest.mark.parametrize(("mode", "concurrency"), [("overwrite", 1), ("exclusive", 4)])
def test_a_long_stream_needs_no_more_memory_than_a_short_one(mode: str, concurrency: int) -> None:
    """256 MiB up and down, of unknown length."""
    assert _growth(mode, concurrency) <= _ALLOWED


@pytest.mark.long
def test_a_version_that_buffers_would_be_noticed() -> None:
    """The same measure of content that is joined first."""
    assert _growth("buffered", 1) > _ALLOWED
