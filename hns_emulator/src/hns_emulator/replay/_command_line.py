"""
Hold the emulator to recordings of a real account.

`python -m hns_emulator.replay FOLDER` sends every request recorded below the
folder to a fresh emulator, signed anew, and compares the answers. Recordings
are vcr cassettes (`*.yaml`; needs the extra `replay`) and lists of single
exchanges (`*.json`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from hns_emulator.replay._run import Outcome, Report, replay

__all__ = ["describe", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Returns:
        0 if all answers were as recorded; 1 if one was not, if there was nothing to compare,
        or, with `--strict`, if something could not be verified.
    """
    parser = argparse.ArgumentParser(prog="python -m hns_emulator.replay", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the recordings are")
    parser.add_argument(
        "--strict", action="store_true", help="fail also for what the emulator refuses on purpose"
    )
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    report = replay(options.folder)
    sys.stdout.write("".join(f"{line}\n" for line in describe(report)))
    return 0 if report.passed(strict=options.strict) else 1


def describe(report: Report) -> Iterator[str]:
    """Write a report down: a line for each recording, details where something is wrong."""
    for name, group in groupby(report.outcomes, key=lambda outcome: outcome.recording):
        outcomes = list(group)
        yield f"{name}: {_counts(outcomes)}"
        for outcome in outcomes:
            if outcome.verdict != "equal":
                yield f"  {outcome.verdict}: {outcome.title}"
                yield from (f"      {line}" for line in outcome.lines)
    yield f"All: {_counts(report.outcomes)}"


def _counts(outcomes: Sequence[Outcome]) -> str:
    verdicts = [outcome.verdict for outcome in outcomes]
    return ", ".join(
        f"{verdicts.count(verdict)} {verdict}" for verdict in ("equal", "differs", "not verified")
    )
