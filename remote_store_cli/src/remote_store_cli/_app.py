"""The command line: all commands, the version, and warnings in one line."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Annotated

import typer

from remote_store_cli._checking import check
from remote_store_cli._commands import Command, Root
from remote_store_cli._completion import complete, completion
from remote_store_cli._configuring import config
from remote_store_cli._console import warn
from remote_store_cli._content import cat
from remote_store_cli._copying import cp, sync
from remote_store_cli._finding import du, find
from remote_store_cli._help import flag
from remote_store_cli._listing import info, ls, tree
from remote_store_cli._making import mkdir
from remote_store_cli._moving import mv
from remote_store_cli._outcome import handling_sigterm
from remote_store_cli._output import emit, one_line
from remote_store_cli._plugins import backends, capabilities, doctor
from remote_store_cli._removing import rm
from remote_store_cli._signing import signed_url
from remote_store_cli._sweeping import sweep

__all__ = ["app", "main"]

_EPILOG = (
    "A LOCATION is a URL whose scheme is a plugin's name (local:///srv/data/x.csv), "
    "@NAME/path of a store in --config, or a path (./x.csv). "
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 plugin problem, 130 and 143 interrupted, "
    "141 nobody reads on."
)

app = typer.Typer(
    name="remote-store",
    cls=Root,
    help="List, inspect, copy and remove files in any store that a plugin serves.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    # Its tracebacks would show local variables, and so credentials.
    pretty_exceptions_enable=False,
)
for panel, commands in {
    "Look": (cat, check, du, find, info, ls, signed_url, tree),
    "Change": (cp, mkdir, mv, rm, sweep, sync),
    "Set up": (backends, capabilities, completion, doctor),
}.items():
    for command in commands:
        name = command.__name__.replace("_", "-")
        app.command(name, cls=Command, rich_help_panel=panel)(command)
app.add_typer(config, name="config", rich_help_panel="Set up")
app.command("__complete", hidden=True)(complete)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        emit(f"remote-store {version('remote-store-cli')}, core {version('remote-store-core')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        flag("--version", callback=_show_version, is_eager=True, help="Show the versions."),
    ] = False,
) -> None:
    """List, inspect, copy and remove files in any store that a plugin serves."""


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
