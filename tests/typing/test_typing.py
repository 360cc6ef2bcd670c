"""
The public API as type checkers see it.

Each file in ``cases`` is checked by mypy (strict) and pyright. Lines marked
``# expect-error`` must be refused by both, all others accepted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests" / "typing" / "cases").glob("*.py"))

Findings = dict[Path, dict[int, str]]


def check(*command: str | Path) -> str:
    """Run a checker over the cases; it must find errors, but not fail in another way."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", *command, *CASES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def mypy() -> Findings:
    """Lines that mypy refuses."""
    found: Findings = {path: {} for path in CASES}
    for line in check("mypy", "--strict", "--no-pretty", "--no-error-summary").splitlines():
        if match := re.fullmatch(r"([^:]+):(\d+): error: (.*)", line):
            found[ROOT / match[1]][int(match[2])] = match[3]
    return found


@pytest.fixture(scope="module")
def pyright() -> Findings:
    """Lines that pyright refuses."""
    found: Findings = {path: {} for path in CASES}
    report = json.loads(check("pyright", "--pythonpath", sys.executable, "--outputjson"))
    for entry in report["generalDiagnostics"]:
        if entry["severity"] == "error":
            line = entry["range"]["start"]["line"] + 1
            found[Path(entry["file"])][line] = entry["message"]
    return found


def expected(case: Path) -> set[int]:
    """Return the numbers of the lines that say so."""
    lines = case.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if "# expect-error" in line}


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_checker_refuses_the_marked_lines_and_no_others(
    checker: str, case: Path, request: pytest.FixtureRequest
) -> None:
    """Wrong use is found before the program runs, right use is never complained about."""
    found: Findings = request.getfixturevalue(checker)
    refused = found[case]

    assert {line: text for line, text in refused.items() if line not in expected(case)} == {}
    assert expected(case) == set(refused)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_every_case_expects_errors(case: Path) -> None:
    """A case in which nothing is refused would pass with a checker that sees Any everywhere."""
    assert expected(case)
