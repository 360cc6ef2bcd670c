"""How a command ends: the exit codes, and which error gives which."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

import typer

from remote_store import PluginError, RemoteStoreError
from remote_store_cli._codes import FAILED, INTERRUPTED, PLUGIN, TERMINATED, USAGE
from remote_store_cli._console import complain, heeding_logs

__all__ = [
    "EXPECTED",
    "UsageError",
    "about",
    "complain_of",
    "describe",
    "failures",
    "guarded",
    "heed_termination",
    "run",
    "unread",
]

#: What can go wrong with a file without being a defect of the program.
EXPECTED: Final = (RemoteStoreError, OSError, ValueError)


class UsageError(Exception):
    """Raised when the command cannot be carried out as it was given."""


def describe(error: BaseException) -> str:
    """Return the message of an error, with the path it concerns."""
    if isinstance(error, RemoteStoreError):
        message = str(error.args[0]) if error.args and error.args[0] else type(error).__name__
        return about(error.path, message) if error.path else message
    return str(error) or type(error).__name__


def failures(error: Exception) -> list[Exception]:
    """Return an error, and what else failed in an operation that went on after it."""
    return [error, *(f for other in getattr(error, "others", ()) for f in failures(other))]


def complain_of(error: Exception) -> None:
    """Print an error, and each of its `failures`, as one line on standard error."""
    for failure in failures(error):
        complain(describe(failure))


def about(path: str, message: str) -> str:
    """Return *message* with the path before it, unless it names the path already."""
    if re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w/-])", message):
        return message
    return f"{path}: {message}"


def run(work: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
    """
    Run the async part of a command and end the process as it demands.

    Args:
        work: Returns the exit code; None for 0.

    Raises:
        typer.Exit: With the exit code, unless it is 0.
    """
    with guarded():
        if code := asyncio.run(work()):
            raise typer.Exit(code)


@contextlib.contextmanager
def guarded() -> Generator[None, None, None]:
    """
    Turn the errors of a user's doing into one line and an exit code.

    Raises:
        typer.Exit: An expected error was reported. Others pass: they are defects.
    """
    try:
        with unread(), heeding_logs():
            yield
            sys.stdout.flush()
    except UsageError as error:
        _end(error, USAGE)
    except PluginError as error:
        _end(error, PLUGIN)
    except EXPECTED as error:
        _end(error, FAILED)
    except KeyboardInterrupt:
        complain("terminated" if _termination.came else "interrupted")
        raise typer.Exit(TERMINATED if _termination.came else INTERRUPTED) from None
    finally:
        # What cannot be written by now was complained of, or is not wanted;
        # the interpreter would complain again, and change the exit code.
        try:
            sys.stdout.flush()
        except OSError:
            _drop_stdout()


class _Termination:
    """Whether the process was asked to end by a signal."""

    came = False

    def heed(self, signum: int, frame: object) -> None:
        """End as with Ctrl-C, which leaves no temporary file and no half of anything."""
        self.came = True
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:  # a job in the background may have it switched off
            raise KeyboardInterrupt


_termination: Final = _Termination()


def heed_termination() -> None:
    """Let SIGTERM end a command in good order, unless the caller has other plans with it."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _termination.heed)


def _end(error: Exception, code: int) -> None:
    complain_of(error)
    raise typer.Exit(code) from error


@contextlib.contextmanager
def unread() -> Generator[None, None, None]:
    """Stop printing when the reader of a pipe has closed it: it has seen enough, no error."""
    try:
        yield
    except BrokenPipeError:
        _drop_stdout()


def _drop_stdout() -> None:
    """Send what is still buffered, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
