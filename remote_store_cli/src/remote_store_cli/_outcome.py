"""How a command ends: the exit codes, and which error gives which."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, cast

from remote_store import PluginError, RemoteStoreError, redact_url
from remote_store_cli._codes import FAILED, INTERRUPTED, PLUGIN, TERMINATED, UNREAD, USAGE
from remote_store_cli._console import complain, names_left_out, redacted, showing_logs, tell_refused
from remote_store_cli._output import drop, one_line, printable
from remote_store_cli._signals import termination

__all__ = [
    "EXPECTED",
    "NO_ROOM",
    "InvalidCommand",
    "about",
    "advised",
    "complain_of",
    "describe",
    "facts_of",
    "failures",
    "guarded",
    "reason_of",
    "run",
    "unread",
]

#: What can go wrong with a file without being a defect of the program.
EXPECTED: Final = (RemoteStoreError, OSError, ValueError)


#: What to do about errors that do not say it.
_NEXT: Final = {
    "AlreadyExists": "--overwrite replaces it",
    "BackendUnavailable": "look at the address and the network, and try again",
    "CapabilityNotSupported": "'remote-store capabilities' shows what a store can do",
    "DirectoryNotEmpty": "'remote-store rm -r' removes it with what is in it",
    "InvalidPath": "look at what there is, or take another name",
    "NotFound": "'remote-store ls' of the folder above it shows what there is",
    "PermissionDenied": "look at the credentials, and at what they are allowed",
    "PreconditionFailed": "look at it, and try again",
    "ResourceLocked": "try again when who uses it is done",
}
#: How systems and backends begin to say that a disk is full.
NO_ROOM: Final = "No space left"


class InvalidCommand(Exception):
    """Raised when the command cannot be carried out as it was given."""


def describe(error: BaseException) -> str:
    """Return the message of an error, with the path it concerns and without secrets."""
    path = getattr(error, "path", None)
    return about(path, reason_of(error)) if path else reason_of(error)


def reason_of(error: BaseException) -> str:
    """Return the message of an error alone, in one line and without secrets."""
    if isinstance(error, InvalidCommand):
        message = str(error)  # ours: a line break is one of a name
        # What it repeats may be a URL that stands where none is understood.
        return redacted(redact_url(message) if "://" in message else message)
    if isinstance(error, RemoteStoreError):
        message = str(error.args[0]) if error.args and error.args[0] else ""
        if error.path:  # a line break in a name is none of the message
            message = message.replace(error.path, printable(error.path))
    else:
        message = str(error)
    return redacted(one_line(message)) or type(error).__name__


def failures(error: Exception) -> list[Exception]:
    """Return an error, and what else failed in an operation that went on after it."""
    return [error, *(f for other in getattr(error, "others", ()) for f in failures(other))]


def complain_of(error: Exception) -> None:
    """Print an error, and each of its `failures`, as one line on standard error."""
    for failure in failures(error):
        facts = facts_of(failure)
        complain(advised(describe(failure), **facts), **facts)


def advised(message: str, *, type: str, status: int | None = None, **_: Any) -> str:  # noqa: A002
    """
    Return the message of an error with what to do next, unless it says so itself.

    Args:
        message: The message.
        type: Class of the error.
        status: What a service answered.
    """
    if ";" in message:
        return message
    if NO_ROOM in message:
        return f"{message}; make room, and give the same command again"
    if type == "PermissionDenied" and status is None:
        return f"{message}; look at who may do that there"
    return f"{message}; {_NEXT[type]}" if type in _NEXT else message


def facts_of(error: Exception) -> dict[str, Any]:
    """Return what a program is told of an error besides its message."""
    names = ("path", "status", "code", "request_id")
    return {"type": type(error).__name__, **{name: getattr(error, name, None) for name in names}}


def about(path: str, message: str) -> str:
    """Return *message* with the path before it, unless it names the path already."""
    path = printable(path)
    if re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w-]|/[^\s;:'])", message):
        return message
    return f"{path}: {message}"


def run(work: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
    """
    Run the async part of a command and end the process as it demands.

    A command one of whose listings left out names has failed in part, whatever
    it did with the others.

    Args:
        work: Returns the exit code; None for 0.

    Raises:
        SystemExit: With the exit code, unless it is 0.
    """
    with guarded():
        code = asyncio.run(_attended(work))
        if code or names_left_out():
            raise SystemExit(code or FAILED)


async def _attended(work: Callable[[], Coroutine[Any, Any, int | None]]) -> int | None:
    loop, task = asyncio.get_running_loop(), cast("asyncio.Task[Any]", asyncio.current_task())
    with termination.cancelling(lambda: loop.call_soon_threadsafe(task.cancel)):
        return await work()


@contextlib.contextmanager
def guarded() -> Generator[None, None, None]:
    """
    Turn the errors of a user's doing into one line and an exit code.

    Raises:
        SystemExit: An expected error was reported. Others pass: they are defects.
    """
    try:
        with showing_logs():
            yield
            sys.stdout.flush()
    except BrokenPipeError:  # its reader has seen enough: end as SIGPIPE ends others
        drop(sys.stdout)
        raise SystemExit(UNREAD) from None
    except InvalidCommand as error:
        _end(error, USAGE)
    except PluginError as error:
        _end(error, PLUGIN)
    except EXPECTED as error:
        _end(error, FAILED)
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        if not (termination.came or isinstance(error, KeyboardInterrupt)):
            raise
        complain("terminated" if termination.came else "interrupted", type="Interrupted")
        raise SystemExit(TERMINATED if termination.came else INTERRUPTED) from None
    finally:
        tell_refused()
        # What cannot be written by now was complained of, or is not wanted;
        # the interpreter would complain again, and change the exit code.
        try:
            sys.stdout.flush()
        except OSError:
            drop(sys.stdout)


def _end(error: Exception, code: int) -> None:
    complain_of(error)
    raise SystemExit(code) from error


@contextlib.contextmanager
def unread() -> Generator[None, None, None]:
    """Stop printing when the reader of a pipe has closed it: it has seen enough, no error."""
    try:
        yield
    except BrokenPipeError:
        drop(sys.stdout)
