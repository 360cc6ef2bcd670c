"""How a command ends: the exit codes, and which error gives which."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, TypeVar, cast

import typer

from remote_store import PluginError, RemoteStoreError
from remote_store_cli._codes import FAILED, INTERRUPTED, PLUGIN, TERMINATED, USAGE
from remote_store_cli._console import complain, redacted, showing_logs
from remote_store_cli._output import drop

__all__ = [
    "EXPECTED",
    "InvalidCommand",
    "about",
    "complain_of",
    "describe",
    "failures",
    "guarded",
    "handling_sigterm",
    "run",
    "unread",
]

T = TypeVar("T")

#: What can go wrong with a file without being a defect of the program.
EXPECTED: Final = (RemoteStoreError, OSError, ValueError)


class InvalidCommand(Exception):
    """Raised when the command cannot be carried out as it was given."""


def describe(error: BaseException) -> str:
    """Return the message of an error, with the path it concerns and without secrets."""
    message = str(error)
    if isinstance(error, RemoteStoreError):
        message = str(error.args[0]) if error.args and error.args[0] else ""
    message = redacted(message) or type(error).__name__
    path = error.path if isinstance(error, RemoteStoreError) else None
    return about(path, message) if path else message


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
        if code := asyncio.run(_termination.attended(work)):
            raise typer.Exit(code)


@contextlib.contextmanager
def guarded() -> Generator[None, None, None]:
    """
    Turn the errors of a user's doing into one line and an exit code.

    Raises:
        typer.Exit: An expected error was reported. Others pass: they are defects.
    """
    try:
        with unread(), showing_logs():
            yield
            sys.stdout.flush()
    except InvalidCommand as error:
        _end(error, USAGE)
    except PluginError as error:
        _end(error, PLUGIN)
    except EXPECTED as error:
        _end(error, FAILED)
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        if not (_termination.came or isinstance(error, KeyboardInterrupt)):
            raise
        complain("terminated" if _termination.came else "interrupted")
        raise typer.Exit(TERMINATED if _termination.came else INTERRUPTED) from None
    finally:
        # What cannot be written by now was complained of, or is not wanted;
        # the interpreter would complain again, and change the exit code.
        try:
            sys.stdout.flush()
        except OSError:
            drop(sys.stdout)


class _Termination:
    """Whether the process was asked to end by a signal."""

    def __init__(self) -> None:
        self.came = False
        self._cancel: Callable[[], object] | None = None

    def interrupt(self, signum: int, frame: object) -> None:
        """End as with Ctrl-C, which leaves no temporary file and no half of anything."""
        self.came = True
        # The second one does not wait, as with Ctrl-C.
        cancel, self._cancel = self._cancel, None
        if cancel is None:
            raise KeyboardInterrupt
        cancel()

    async def attended(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the work; the signal cancels it, where an exception could hit any step of the loop."""
        loop, task = asyncio.get_running_loop(), cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await work()
        finally:
            self._cancel = None


_termination: Final = _Termination()


@contextlib.contextmanager
def handling_sigterm() -> Generator[None, None, None]:
    """
    Let SIGTERM end a program in good order, unless the caller has other plans with it.

    Raises:
        SystemExit: It came where nothing of a command was done: typer knows
            of Ctrl-C only.
    """
    handled = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    try:
        if handled:
            signal.signal(signal.SIGTERM, _termination.interrupt)
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        if _termination.came and getattr(end, "code", INTERRUPTED) == INTERRUPTED:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        if handled:  # the end of the interpreter has nothing to put in order
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(error: Exception, code: int) -> None:
    complain_of(error)
    raise typer.Exit(code) from error


@contextlib.contextmanager
def unread() -> Generator[None, None, None]:
    """Stop printing when the reader of a pipe has closed it: it has seen enough, no error."""
    try:
        yield
    except BrokenPipeError:
        drop(sys.stdout)
