"""How click's commands speak here: plain help, and wrong usage as an error of one line."""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Generator, Sequence
from typing import Any

import click

from remote_store_cli._codes import FAILED, INTERRUPTED, UNREAD
from remote_store_cli._console import complain, speak_json
from remote_store_cli._help import help_page
from remote_store_cli._output import drop, one_line
from remote_store_cli._parameters import taking

__all__ = ["Command", "Group", "Later", "Root", "command"]


class Command(click.Command):
    """A command."""

    def invoke(self, ctx: click.Context) -> Any:
        """
        Do what was asked for; what most runs of it need is loaded.

        Raises:
            SystemExit: What this one needs cannot be imported, which was said.
        """
        if not gc.isenabled():  # as the program begins
            gc.freeze()
            gc.enable()
        try:
            return super().invoke(ctx)
        except ImportError as error:
            raise _cannot_start(error) from error

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help."""
        formatter.write(help_page(self, ctx))


class Group(click.Group):
    """A group of commands."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help."""
        formatter.write(help_page(self, ctx))


def command(call: Callable[..., None]) -> Command:
    """Make a command of a function: its docstring is the help, its annotations are the options."""
    params, callback = taking(call)
    name = call.__name__.replace("_", "-")
    return Command(name, params=params, callback=callback, help=inspect.getdoc(call))


def _cannot_start(error: Exception) -> SystemExit:
    from remote_store_cli._integrity import cannot_start  # for this case only

    return SystemExit(cannot_start(sys.argv[1:], error))


class Later(click.Command):
    """
    What is known of a command before it is loaded.

    Args:
        name: Its name.
        place: Where it is, ``"module:name"`` in this package.
        summary: The first paragraph of its help.
        panel: Panel of the help; one without a panel is hidden.
    """

    def __init__(self, name: str, place: str, summary: str = "", panel: str | None = None) -> None:
        super().__init__(name, help=summary, hidden=panel is None)
        self.place = place
        self.panel = panel

    def load(self) -> click.Command:
        """
        Import the command.

        Raises:
            SystemExit: What it needs cannot be imported, which was said.
        """
        module, _, name = self.place.partition(":")
        try:
            found = getattr(importlib.import_module(f"remote_store_cli.{module}"), name)
        except Exception as error:
            raise _cannot_start(error) from error
        assert isinstance(found, click.Command)
        return found


class Root(Group):
    """The group of all commands, each of which is loaded when it is asked for."""

    def load(self) -> None:
        """
        Import all commands.

        Raises:
            SystemExit: What one of them needs cannot be imported, which was said.
        """
        for found in self.commands.values():
            if isinstance(found, Later):
                found.load()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None."""
        found = super().get_command(ctx, cmd_name)
        return found.load() if isinstance(found, Later) else found

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Understand the arguments; some of them print something, and end the program."""
        with _printing():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Do what was asked for."""
        with _printing():
            return super().invoke(ctx)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """
        Run a command; wrong usage is an error of one line, as any other.

        Raises:
            SystemExit: At the end, with the exit code.
        """
        given = list(sys.argv[1:] if args is None else args)
        speak_json("--json" in itertools.takewhile(lambda word: word != "--", given))
        try:
            # Without a variable that asks for click's own completion: see `completion`.
            super().main(args, *rest, **{**options, "standalone_mode": False, "complete_var": ""})
        except click.Abort:
            sys.exit(INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            with _printing():
                sys.stdout.write(f"{error.format_message()}\n")
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _complain_of_usage(error, given)
            sys.exit(error.exit_code)
        finally:
            speak_json(False)
        sys.exit(0)


@contextlib.contextmanager
def _printing() -> Generator[None, None, None]:
    """
    Print all that is to be printed; where that fails, end as a command does.

    Raises:
        SystemExit: It failed. Click, which has another exit code for that, sees none of it.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        drop(sys.stdout)
        raise SystemExit(UNREAD) from None
    except OSError as error:
        complain(f"this cannot be printed: {error.strerror}", type=type(error).__name__)
        drop(sys.stdout)
        raise SystemExit(FAILED) from error


def _complain_of_usage(error: click.ClickException, given: Sequence[str]) -> None:
    message = error.format_message()
    for word in given:  # what is too much, or is not understood, may hold a credential
        # It is shown as it is, in quotes, or without the option that it is the value of.
        url = "".join(word.partition("://")[1:])
        message = message.replace(repr(url)[1:-1], url) if url else message
        for text in (word, repr(word)[1:-1]):
            for equals in re.finditer(r"=(?=.)", text, re.DOTALL):
                message = message.replace(text[equals.start() :], "=***")
    if "://" in message:
        try:
            from remote_store import redact_url  # nothing else here needs the core
        except Exception as broken:
            raise _cannot_start(broken) from broken
        message = redact_url(message)
    message = one_line(message).removesuffix(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "remote-store"
    message = f"{message[:1].lower()}{message[1:]}; {path} --help tells what it takes"
    complain(message, type="InvalidCommand")
