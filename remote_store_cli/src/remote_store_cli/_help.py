"""The help of commands: plain, in panels, never wider than the screen."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import Final

import click

__all__ = ["default_of", "help_page", "names_of", "usage_of"]

#: Columns of the help at most, where its texts begin at most, and their columns at least.
_WIDEST: Final = 100
_START: Final = 26
_LEAST: Final = 20


def help_page(command: click.Command, context: click.Context) -> str:
    """Return the help of a command: plain, with nothing but names and headings in bold."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    below = [one for one in getattr(command, "commands", {}).values() if not one.hidden]
    words = ["[OPTIONS]", *map(usage_of, arguments), *(["COMMAND ..."] if below else [])]
    lines = textwrap.wrap(
        " ".join([_bold("Usage:"), context.command_path, *words]),
        width,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    for paragraph in (command.help or "").split("\n\n"):
        lines += ["", *textwrap.wrap(paragraph, width, break_on_hyphens=False)]
    sections: dict[str, list[tuple[str, str]]] = {}
    for one in below:
        text = (one.help or "").partition("\n\n")[0]
        panel = getattr(one, "panel", None) or "Commands"
        sections.setdefault(panel, []).append((str(one.name), text))
    for parameter in arguments:
        row = (str(parameter.metavar), parameter.help or "")
        sections.setdefault("Arguments", []).append(row)
    sections["Options"] = []
    for option in command.get_params(context):
        if isinstance(option, click.Option) and not option.hidden:
            panel = getattr(option, "panel", None) or "Options"
            names = names_of(option)
            aligned = f"    {names}" if names.startswith("--") else names
            sections.setdefault(panel, []).append((aligned, f"{option.help}{_more(option)}"))
    longest = max((len(name) for rows in sections.values() for name, _ in rows), default=0)
    start = min(longest + 4, _START, max(width - _LEAST, 4))
    for heading, rows in sections.items():
        lines += ["", _bold(f"{heading}:")]
        for name, text in rows:
            lines += _row(name, text, start, width)
    if command.epilog:
        lines += ["", *textwrap.wrap(command.epilog, width, break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def usage_of(argument: click.Argument) -> str:
    """Return an argument as a line of usage has it."""
    text = f"{argument.metavar}..." if argument.nargs == -1 else str(argument.metavar)
    return text if argument.required else f"[{text}]"


def names_of(option: click.Option) -> str:
    """Return the names of an option, short ones first, with the value that it takes."""
    names = sorted([*option.opts, *option.secondary_opts], key=lambda n: (len(n) > 2, n.swapcase()))
    return ", ".join(names) + (f" {option.metavar}" if option.metavar else "")


def default_of(option: click.Option) -> str | None:
    """Return the default of an option, where it has one that says something."""
    default = option.default
    if option.is_flag or default is None or default == ():
        return None
    return str(getattr(default, "value", default))


def _more(option: click.Option) -> str:
    default = default_of(option)
    more = "" if default is None else f" Default: {default}."
    return f"{more} [{option.envvar}]" if option.envvar else more


def _row(name: str, text: str, start: int, width: int) -> list[str]:
    lines = textwrap.wrap(text, max(width - start, _LEAST), break_on_hyphens=False) or [""]
    indented = [" " * start + line for line in lines]
    if len(name) + 4 > start:
        return [f"  {_bold(name)}", *indented]
    return [f"  {_bold(name)}{indented[0][len(name) + 2 :]}", *indented[1:]]


def _bold(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"\x1b[1m{text}\x1b[0m"
