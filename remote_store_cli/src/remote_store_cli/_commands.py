"""How typer's commands speak here: plain help, and wrong usage as an error of one line."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from remote_store import redact_url
from remote_store_cli._codes import INTERRUPTED
from remote_store_cli._console import complain, speak_json
from remote_store_cli._help import help_page
from remote_store_cli._output import one_line

__all__ = ["Command", "Group", "Root"]


class Command(TyperCommand):
    """A command."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(help_page(self, ctx))


class Group(TyperGroup):
    """A group of commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(help_page(self, ctx))


class Root(Group):
    """The group of all commands."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """
        Run a command; wrong usage is an error of one line, as any other.

        Raises:
            SystemExit: At the end, with the exit code.
        """
        given = list(sys.argv[1:] if args is None else args)
        speak_json("--json" in itertools.takewhile(lambda word: word != "--", given))
        try:
            code = super().main(args, *rest, **{**options, "standalone_mode": False})
        except typer.Abort:
            sys.exit(INTERRUPTED)
        except Exception as error:
            # Which class it is depends on the version of typer.
            if not hasattr(error, "format_message"):
                raise
            _complain_of_usage(error, given)
            sys.exit(error.exit_code)  # type: ignore[attr-defined]
        finally:
            speak_json(False)
        sys.exit(code if isinstance(code, int) else 0)


def _complain_of_usage(error: Any, given: Sequence[str]) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(f"{error.format_message()}\n")
        return
    message = one_line(error.format_message()).removesuffix(".").replace("Value error, ", "")
    for word in given:  # what is too much, or is not understood, may hold a credential
        if "://" in word:
            message = message.replace(word, redact_url(word))
        elif "=" in word:
            message = message.replace(word, f"{word.partition('=')[0]}=***")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "remote-store"
    message = f"{message[:1].lower()}{message[1:]}; {command} --help tells what it takes"
    complain(message, type="InvalidCommand")
