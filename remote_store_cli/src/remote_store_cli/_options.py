"""The arguments and options that several commands have; each stands here once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import click
from attrs import frozen

from remote_store_cli._outcome import InvalidCommand
from remote_store_cli._parameters import SAID, Whole, argument, flag, option

__all__ = [
    "Checksum",
    "Compare",
    "CompareOption",
    "DryRun",
    "Into",
    "JsonOutput",
    "Links",
    "LinksOption",
    "Long",
    "Moving",
    "Quiet",
    "Recursive",
    "Said",
    "Sources",
    "Target",
    "Verbose",
    "checked",
]


class Compare(StrEnum):
    """How two files of one size are compared."""

    time = "time"
    etag = "etag"
    size = "size"
    content = "content"


class Links(StrEnum):
    """What becomes of links to folders in the source."""

    report = "report"
    follow = "follow"
    skip = "skip"


#: Each of them waits for its turn, and holds memory meanwhile.
_MOST_JOBS: Final = 10_000

Sources = Annotated[tuple[str, ...], argument("SRC", nargs=-1, help="Files or folders to take.")]
Target = Annotated[
    str, argument("DST", help="Where to; ending in '/': a folder to put a file into.")
]
Recursive = Annotated[
    bool, flag("--recursive", "-r", "-R", help="Also folders, with what is below them.")
]
Into = Annotated[bool, flag("--into", help="DST is a folder to put things into, also one folder.")]
Long = Annotated[bool, flag("--long", "-l", help="Also size and time.")]
CompareOption = Annotated[
    Compare,
    option(
        "--compare",
        type=click.Choice(Compare),
        metavar="HOW",
        help="How files of one size are compared where no digest tells: time, etag, size, content.",
    ),
]
Checksum = Annotated[
    bool, flag("--checksum", help="Short for --compare content: read both where needed.")
]
LinksOption = Annotated[
    Links,
    option(
        "--links",
        type=click.Choice(Links),
        metavar="HOW",
        help="Links to folders: report tells of them, follow enters them, skip ignores them.",
    ),
]
DryRun = Annotated[
    bool, flag("--dry-run", "-n", help="Show what would be done, and do nothing.", panel=SAID)
]
Verbose = Annotated[bool, flag("--verbose", "-v", help="Say a line for each file.", panel=SAID)]
Quiet = Annotated[bool, flag("--quiet", "-q", help="No progress and no summary.", panel=SAID)]
JsonOutput = Annotated[
    bool, flag("--json", help="Print JSON, with exact values; errors, too.", panel=SAID)
]


@frozen
class Said:
    """What a command that changes something says."""

    dry_run: DryRun = False
    verbose: Verbose = False
    quiet: Quiet = False
    as_json: JsonOutput = False


@frozen
class Moving:
    """How files get from one place to another."""

    links: LinksOption = Links.report
    no_metadata: Annotated[
        bool, flag("--no-metadata", help="Leave user metadata and content headers behind.")
    ] = False
    jobs: Annotated[
        int, option("--jobs", "-j", type=Whole(1, _MOST_JOBS), metavar="N", help="Files at a time.")
    ] = 8


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
