"""The help of commands, and how they take several options as one value."""

from __future__ import annotations

import functools
import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import Any, Final, get_type_hints

import attrs
import typer

__all__ = [
    "FILES",
    "SAID",
    "STORES",
    "default_of",
    "flag",
    "grouping",
    "help_page",
    "names_of",
    "usage_of",
]

#: Panels of the help.
FILES: Final = "Which files"
SAID: Final = "What is said"
STORES: Final = "Stores"


def flag(*names: str, help: str, panel: str | None = None, **more: Any) -> Any:  # noqa: A002
    """
    Return a switch, as `typer.Option` does.

    Args:
        names: Its names.
        help: What it does.
        panel: Panel of the help; None for the first one.
        more: As `typer.Option` takes it.
    """
    return typer.Option(*names, metavar="", help=help, rich_help_panel=panel, **more)


def grouping(call: Callable[..., None]) -> Callable[..., None]:
    """
    Let a command take groups of options: each field of an attrs class is an option.

    Returns:
        The command as typer needs it, with a parameter for each option.
    """
    groups: dict[str, type[Any]] = {}
    shown: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(call, eval_str=True).parameters.items():
        if not attrs.has(parameter.annotation):
            shown.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[name] = parameter.annotation
        hints = get_type_hints(parameter.annotation, include_extras=True)
        for field in attrs.fields(parameter.annotation):
            hint, default = hints[field.name], field.default
            shown.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
                )
            )

    @functools.wraps(call)
    def command(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{f.name: values.pop(f.name) for f in attrs.fields(group)})
        call(**values)

    vars(command)["__signature__"] = inspect.Signature(shown)
    command.__annotations__ = {p.name: p.annotation for p in shown}
    return command


#: Columns of the help at most, and where its texts begin at most.
_WIDEST: Final = 100
_START: Final = 26


def help_page(command: Any, context: Any) -> str:
    """Return the help of a command: plain, with nothing but names and headings in bold."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
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
        panel = getattr(one, "rich_help_panel", None) or "Commands"
        sections.setdefault(panel, []).append((str(one.name), text))
    for parameter in arguments:
        row = (parameter.metavar, parameter.help or "")
        sections.setdefault("Arguments", []).append(row)
    sections["Options"] = []
    for parameter in command.get_params(context):
        if parameter.param_type_name == "option" and not parameter.hidden:
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            names = names_of(parameter)
            aligned = f"    {names}" if names.startswith("--") else names
            sections.setdefault(panel, []).append((aligned, f"{parameter.help}{_more(parameter)}"))
    longest = max((len(name) for rows in sections.values() for name, _ in rows), default=0)
    start = min(longest + 4, _START)
    for heading, rows in sections.items():
        lines += ["", _bold(f"{heading}:")]
        for name, text in rows:
            lines += _row(name, text, start, width)
    if command.epilog:
        lines += ["", *textwrap.wrap(command.epilog, width, break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def usage_of(argument: Any) -> str:
    """Return an argument as a line of usage has it."""
    text = f"{argument.metavar}..." if argument.nargs == -1 else str(argument.metavar)
    return text if argument.required else f"[{text}]"


def names_of(option: Any) -> str:
    """Return the names of an option, short ones first, with the value that it takes."""
    names = sorted([*option.opts, *option.secondary_opts], key=lambda n: (len(n) > 2, n.swapcase()))
    return ", ".join(names) + (f" {option.metavar}" if option.metavar else "")


def default_of(option: Any) -> str | None:
    """Return the default of an option, where it has one that says something."""
    default = option.default
    if default is None or isinstance(default, bool) or callable(default) or default == []:
        return None
    return str(getattr(default, "value", default))


def _more(option: Any) -> str:
    default = default_of(option)
    more = "" if default is None else f" Default: {default}."
    return f"{more} [{option.envvar}]" if option.envvar else more


def _row(name: str, text: str, start: int, width: int) -> list[str]:
    lines = textwrap.wrap(text, max(width - start, 20), break_on_hyphens=False) or [""]
    indented = [" " * start + line for line in lines]
    if len(name) + 4 > start:
        return [f"  {_bold(name)}", *indented]
    return [f"  {_bold(name)}{indented[0][len(name) + 2 :]}", *indented[1:]]


def _bold(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"\x1b[1m{text}\x1b[0m"
