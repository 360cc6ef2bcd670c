"""The example's server, in a thread of this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from acme_objects.server import Running

SOURCES = Path(__file__).resolve().parents[2] / "examples" / "acme-objects" / "src"


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server with nothing in it; its sources are found for as long as the test runs."""
    monkeypatch.syspath_prepend(SOURCES)
    from acme_objects.server import Running

    running = Running(tmp_path / "server")
    yield running
    running.stop()
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_objects"]:
        del sys.modules[name]
