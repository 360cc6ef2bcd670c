"""Every block of docs/ecosystem.md does what the page says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.docs.conftest import ROOT, Session, blocks_of

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore", "error::ResourceWarning"),
]


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its top to its end, with the programs that it shows; shown output is the real one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    session = Session()
    monkeypatch.setitem(sys.modules, "page", session._module)
    blocks = blocks_of(ROOT / "docs" / "ecosystem.md")

    assert session.run(blocks) == sum(block.language == "python" for block in blocks) >= 9
