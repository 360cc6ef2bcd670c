"""
Write docs/cli-reference.md from the command line itself.

Usage: scripts/cli_reference.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from remote_store_cli._app import app
from remote_store_cli._help import default_of, names_of, usage_of
from remote_store_cli._parameters import Argument

PAGE = Path(__file__).parents[1] / "docs" / "cli-reference.md"
HEAD = """\
# Commands and options

What `remote-store COMMAND --help` says, for all commands; `scripts/cli_reference.py` writes it from
the program. [The command line](cli.md) explains them with examples.
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *_sections(app, "")])


def _sections(group: click.Group, above: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _sections(command, f"{above}{name} ")
        elif not group.commands[name].hidden:
            yield _section(f"{above}{name}", command)


def _section(name: str, command: click.Command) -> str:
    arguments = [p for p in command.params if isinstance(p, Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    usage = " ".join(["remote-store", name, "[OPTIONS]", *map(usage_of, arguments)])
    paragraphs = [" ".join(text.split()) for text in (command.help or "").split("\n\n")]
    lines = [f"## {name}", "", "```text", usage, "```", ""]
    for paragraph in paragraphs:
        lines += [_escaped(paragraph), ""]
    if arguments or options:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_escaped(str(a.metavar))}` | {_escaped(a.help or '')} |" for a in arguments]
        lines += [f"| `{names_of(o)}` | {_escaped(o.help or '')}{_default(o)} |" for o in options]
        lines.append("")
    return "\n".join(lines)


def _default(option: click.Option) -> str:
    default = default_of(option)
    return "" if default is None else f" Default: `{default}`."


def _escaped(text: str) -> str:
    for character in "*<>|[]":
        text = text.replace(character, f"\\{character}")
    return text


def main() -> None:
    """Write the page, or say whether it is up to date."""
    text = reference()
    if "--check" in sys.argv[1:]:
        if text != PAGE.read_text(encoding="utf-8"):
            sys.exit(f"{PAGE.name} is not what the program says: run scripts/cli_reference.py")
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
