"""The arguments and options that several commands for moving data have."""

from __future__ import annotations

from typing import Annotated

import typer

from remote_store_cli._help import SAID, flag
from remote_store_cli._outcome import InvalidCommand
from remote_store_cli._planning import Compare, Links

__all__ = [
    "CompareOption",
    "DryRun",
    "Into",
    "Jobs",
    "LinksOption",
    "NoMetadata",
    "Quiet",
    "Recursive",
    "Sources",
    "Target",
    "Verbose",
    "checked",
]

Sources = Annotated[list[str], typer.Argument(metavar="SRC", help="Files or folders to take.")]
Target = Annotated[
    str, typer.Argument(metavar="DST", help="Where to; ending in '/': a folder to put a file into.")
]
Recursive = Annotated[
    bool, flag("--recursive", "-r", "-R", help="Also folders, with what is below them.")
]
Into = Annotated[bool, flag("--into", help="DST is a folder to put things into, also one folder.")]
CompareOption = Annotated[
    Compare,
    typer.Option(
        "--compare",
        metavar="HOW",
        help="How files of one size are compared where no digest tells: time, etag, size, content.",
    ),
]
LinksOption = Annotated[
    Links,
    typer.Option(
        "--links",
        metavar="HOW",
        help="Links to folders: report tells of them, follow enters them, skip ignores them.",
    ),
]
NoMetadata = Annotated[
    bool, flag("--no-metadata", help="Leave user metadata and content headers behind.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Files at a time.")]
DryRun = Annotated[
    bool, flag("--dry-run", "-n", help="Show what would be done, and do nothing.", panel=SAID)
]
Verbose = Annotated[bool, flag("--verbose", "-v", help="Say a line for each file.", panel=SAID)]
Quiet = Annotated[bool, flag("--quiet", "-q", help="No progress and no summary.", panel=SAID)]


def checked(compare: Compare, *, content: bool) -> Compare:
    """
    Return how to compare, where ``--checksum`` was given or not.

    Raises:
        InvalidCommand: The two say different things.
    """
    if not content:
        return compare
    if compare not in (Compare.time, Compare.content):
        msg = f"--checksum is --compare content, and not {compare.value}: give one of them"
        raise InvalidCommand(msg)
    return Compare.content
