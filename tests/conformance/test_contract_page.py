"""The page of the contract says what the registry says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from remote_store import Capability
from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """What scripts/contract.py defines."""
    return runpy.run_path(str(ROOT / "scripts" / "contract.py"))


@pytest.fixture(scope="module")
def entries() -> dict[str, str]:
    """Each id on the page, and the sentence after it without Markdown's escapes."""
    page = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    found = re.findall(r"^\*\*([A-Z]+-\d{3})\*\* (.*)<br>$", page, re.MULTILINE)
    return {name: re.sub(r"\\(.)", r"\1", text) for name, text in found}


def test_the_page_has_every_clause_and_its_sentence(entries: dict[str, str]) -> None:
    """Ids and sentences are those of the registry, in its order."""
    clauses = all_clauses()

    assert list(entries) == [c.id for c in clauses]
    assert [c.id for c in clauses if not entries[c.id].startswith(c.text)] == []


def test_the_page_is_what_the_script_writes(script: dict[str, Any]) -> None:
    """A page that is out of date is renewed with ``make conform``."""
    page = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")

    assert page == script["page"](), "stale: run scripts/contract.py"


def test_the_table_of_capabilities_is_that_of_the_registry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The page holds what the command prints: every capability, with the clauses that need it."""
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    held = re.search(
        r"<!-- from the registry: begin -->\n(.*?)<!-- from the registry: end -->", page, re.DOTALL
    )
    assert main(["list", "--capabilities"]) == 0
    printed = capsys.readouterr().out

    assert held is not None
    assert held[1] == printed, "stale: paste what `remote-store-conform list --capabilities` prints"
    assert re.findall(r"^\| `(\w+)`", printed, re.MULTILINE) == [c.name for c in Capability]
