"""The options of the command line, and what stands in them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from remote_store_conformance.results.waivers import UsageError

__all__ = ["REPORTS", "SIZES", "endpoint_of", "options_of", "parser"]

#: What a run can write, by option.
REPORTS: Final = {
    "json": "the report",
    "markdown": "the report as Markdown",
    "html": "the matrix",
    "badge": "a badge for shields.io",
}

#: Fields of a target that are numbers: how they are read, in what unit, and what they are.
SIZES: Final[dict[str, tuple[type, str, str]]] = {
    "consistency": (float, "SECONDS", "until a write must be visible"),
    "max_object": (int, "BYTES", "of the largest file that a check may write"),
    "part_size": (int, "BYTES", "of the largest file that is written in one piece"),
    "max_list": (int, "NUMBER", "of files that a check may put in one folder"),
    "read_ahead": (int, "BYTES", "that a lazy read may take beyond what was asked for"),
}


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser; ``command`` is the name of what is to be done."""
    made = argparse.ArgumentParser("remote-store-conform", description=description)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = made.add_subparsers(required=True, dest="command", metavar="COMMAND")

    run = commands.add_parser("run", help="check a backend")
    run.add_argument(
        "names", nargs="+", metavar="NAME", help="a target, or a plugin for all of its targets"
    )
    run.add_argument("--url", help="check the storage at this URL instead of shipped targets")
    run.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the backend; NAME:=VALUE for a number, a list or anything else in JSON",
    )
    run.add_argument("--flat", action="store_true", help="with --url: folders are only prefixes")
    run.add_argument(
        "--exclusive-names",
        action="store_true",
        help="with --flat: a write is refused where a file and a folder would share a name",
    )
    run.add_argument(
        "--volatile", action="store_true", help="with --url: files die with the backend object"
    )
    run.add_argument(
        "--one-loop",
        action="store_true",
        help="with --url: one backend object serves one event loop only",
    )
    run.add_argument(
        "--environment",
        choices=["in-process", "local", "emulator", "live"],
        default="live",
        help="with --url: what kind of storage it is (default: live)",
    )
    run.add_argument(
        "--endpoint",
        metavar="HOST:PORT",
        help="with --url: where the service is, as in the URL or an option; the kit stands a proxy "
        "in front of it (plain HTTP)",
    )
    run.add_argument("--root", metavar="FOLDER", help="with --url: where the kit works")
    run.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help="with --url: an option whose value no report may show",
    )
    for name, (of, metavar, what) in SIZES.items():
        run.add_argument(
            f"--{name.replace('_', '-')}", type=of, metavar=metavar, help=f"with --url: {what}"
        )
    _plugin_option(run)
    _shared_options(run)
    run.add_argument("--strict", action="store_true", help="what is unverified gives exit code 4")
    for name, what in REPORTS.items():
        run.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what}")
    run.add_argument("-v", "--verbose", action="store_true", help="show every clause")

    # For `run`: see `engine.child`. It reads what to do from standard input.
    commands.add_parser("child")

    listing = commands.add_parser("list", help="list clauses, targets, or capabilities")
    listing.add_argument("--targets", action="store_true", help="list targets")
    _plugin_option(listing)
    listing.add_argument(
        "--capabilities", action="store_true", help="list what is checked of each capability"
    )
    listing.add_argument("-k", "--clause", action="append", default=[], metavar="PATTERN")

    explain = commands.add_parser("explain", help="explain a clause")
    explain.add_argument("clause", metavar="ID")

    matrix = commands.add_parser("matrix", help="draw reports side by side")
    matrix.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    matrix.add_argument("--html", type=Path, metavar="FILE")
    matrix.add_argument("--markdown", type=Path, metavar="FILE")
    matrix.add_argument("--title", default="Storage conformance")

    diff = commands.add_parser("diff", help="show what became worse between two reports")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)

    shield = commands.add_parser("badge", help="print the badge of a report")
    shield.add_argument("report", type=Path)

    own = commands.add_parser("self-test", help="prove that the kit's checks can fail")
    own.add_argument("-k", "--clause", action="append", default=[], metavar="PATTERN")
    own.add_argument(
        "-j", "--jobs", type=int, default=2, metavar="N", help="processes (default: 2)"
    )
    return made


def _plugin_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-p",
        "--plugin",
        action="append",
        default=[],
        metavar="FILE",
        help="also take targets from this Python file, or module, which no distribution ships",
    )


def _shared_options(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "-k", "--clause", action="append", default=[], metavar="PATTERN", help="id, or WRITE-*"
    )
    run.add_argument("--waivers", type=Path, metavar="FILE", help="TOML file with waivers")
    run.add_argument("--seed", type=int, default=0, help="seed of every random choice")
    run.add_argument(
        "--budget",
        type=float,
        metavar="SECONDS",
        help="start no clause after it; those that are left out make the run INCONCLUSIVE",
    )
    run.add_argument(
        "--patience",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="wait at least so long for what should happen (default: 2)",
    )


def options_of(pairs: Sequence[str]) -> dict[str, Any]:
    """
    Return what was given as NAME=VALUE, or as NAME:=VALUE in JSON.

    Raises:
        UsageError: Something else was given.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name.removesuffix(":") or not equals:
            # The value may be a secret.
            msg = f"--option takes NAME=VALUE, or NAME:=VALUE in JSON; got one for {name!r}"
            raise UsageError(msg)
        if not name.endswith(":"):
            options[name] = value
            continue
        try:
            options[name.removesuffix(":")] = json.loads(value)
        except ValueError as error:
            msg = f"--option {name}= takes JSON: {error}"
            raise UsageError(msg) from None
    return options


def endpoint_of(text: str) -> tuple[str, int]:
    """
    Return what was given as HOST:PORT.

    Raises:
        UsageError: Something else was given.
    """
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdigit():
        msg = f"--endpoint takes HOST:PORT, got {text!r}"
        raise UsageError(msg)
    return host, int(port)
