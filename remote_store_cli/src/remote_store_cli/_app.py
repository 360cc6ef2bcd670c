"""The command line: all commands, the version, and warnings in one line."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Final

import click

from remote_store_cli._commands import Later, Root
from remote_store_cli._console import warn
from remote_store_cli._output import emit, one_line
from remote_store_cli._parameters import Option
from remote_store_cli._signals import handling_sigterm

__all__ = ["app", "main"]

#: Where the commands are, and what the help of all says of each: that must not load them.
_COMMANDS: Final = {
    "Look": {
        "_content:cat": "Write the bytes of files to standard output, one after the other.",
        "_checking:check": "Compare DST with SRC and change nothing; exit code 1 if they "
        "differ, or that is not known.",
        "_finding:du": "Add up the bytes of files, for each folder with what is below it.",
        "_finding:find": "Print the files below folders that the filters let pass, as they "
        "are found.",
        "_listing:info": "Show what is known of a file, or count what is below a folder.",
        "_listing:ls": "List folders, sorted by path; folders in them end in '/'.",
        "_signing:signed_url": "Print a URL by which anybody who has it may read a file, or "
        "write it, by plain HTTP.",
        "_listing:tree": "Draw a folder and what is below it, sorted by name.",
    },
    "Change": {
        "_copying:cp": "Copy files, or what is below folders, between any two stores.",
        "_making:mkdir": "Make folders, and those above them; one that is there already is no "
        "error.",
        "_moving:mv": "Move files, or what is below folders: by the store's own move, or by "
        "copy, check and delete.",
        "_removing:rm": "Remove files, or with -r folders; the root of a store is emptied, "
        "and only with --yes.",
        "_sweeping:sweep": "Remove what killed programs left below folders: temporary files, "
        "unfinished uploads.",
        "_copying:sync": "Make folder DST like folder SRC: copy what is new, replace what differs.",
    },
    "Set up": {
        "_plugins:backends": "List the installed backend plugins.",
        "_plugins:capabilities": "Show what a backend declares, and what it does not.",
        "_completion:completion": "Print what teaches a shell to complete commands, options "
        "and remote paths.",
        "_plugins:doctor": "Check the installation: what is broken, clashes or is missing, "
        "and how to repair it.",
        "_configuring:config": "Make a file of stores that @NAME refers to.",
    },
}


def _show_version(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version  # for this case only

        emit(f"remote-store {version('remote-store-cli')}, core {version('remote-store-core')}")
        context.exit()


app = Root(
    "remote-store",
    commands=[
        Later(place.rpartition(":")[2].replace("_", "-"), place, summary, panel)
        for panel, places in _COMMANDS.items()
        for place, summary in places.items()
    ]
    + [Later("__complete", "_completion:complete")],
    params=[
        Option(
            "--version",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the versions.",
        ),
    ],
    help="List, inspect, copy and remove files in any store that a plugin serves.",
    epilog=(
        "A LOCATION is a URL whose scheme is a plugin's name (local:///srv/data/x.csv), "
        "@NAME/path of a store in --config, or a path (./x.csv). "
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 plugin problem, "
        "130 and 143 interrupted, 141 nobody reads on."
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line with the arguments of this process."""
    warnings.showwarning = _warn_in_one_line
    # A stream that the caller has closed is None: what would be printed is not wanted.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show is not a reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with handling_sigterm():
        app()


def _warn_in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    warn(one_line(str(message)))
