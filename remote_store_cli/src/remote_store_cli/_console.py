"""What the commands say: warnings and errors of one line, and never a secret."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from remote_store_cli._output import drop, one_line, printable

if TYPE_CHECKING:  # messages are said also where nothing needs the core
    from remote_store import Secret

__all__ = [
    "complain",
    "hide",
    "ignore_links",
    "links_left_out",
    "names_left_out",
    "redacted",
    "remark",
    "showing_logs",
    "speak_json",
    "tell_refused",
    "warn",
    "was_refused",
]

#: How services answer who may not do something.
_REFUSED: Final = (401, 403)
#: The storage of a location.
_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*|@[^/]*")

_hidden: set[str] = set()


def hide(secret: str | Secret) -> None:
    """Show ``***`` instead of *secret* in every error and warning from now on."""
    text = secret if isinstance(secret, str) else secret.reveal()
    # Very short values would blot out ordinary words and protect nothing.
    if len(text) >= 4:
        _hidden.add(text)


def redacted(text: str) -> str:
    """Return *text* with everything that was given to `hide` replaced."""
    for secret in sorted(_hidden, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def speak_json(on: bool) -> None:
    """Say everything on standard error as one JSON object a line from now on, or as text."""
    _voice.as_json = on


def warn(message: str) -> None:
    """Write a warning of one line to standard error."""
    _say("warning", message)


def complain(message: str, **facts: Any) -> None:
    """
    Write an error of one line to standard error.

    Args:
        message: What failed and what to do about it.
        facts: More about it, which only a program is told.
    """
    _say("error", message, **facts)


def remark(message: str, **facts: Any) -> None:
    """Write a line to standard error that is no complaint; *facts* as in `complain`."""
    _say("info", message, **facts)


class _Voice:
    """How messages are said."""

    as_json = False


_voice: Final = _Voice()


def _say(level: str, message: str, **facts: Any) -> None:
    text = redacted(message)
    if _voice.as_json:
        known = {name: value for name, value in facts.items() if value not in (None, "")}
        line = json.dumps({"level": level, "message": text, **known})
    else:
        line = printable(text if level == "info" else f"{level}: {text}")
    try:
        sys.stderr.write(f"{line}\n")
    except OSError:  # where it is not read, the operation goes on
        drop(sys.stderr)  # the interpreter would try again, and change the exit code


class _LogLines(logging.Handler):
    """Shows each warning and error that a plugin logs as one line."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.begin()

    def begin(self) -> None:
        """Forget what the command before has heard of."""
        self.names_left_out = False
        self.links_left_out = 0
        self.ignores_links = False
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if self.ignores_links and hasattr(record, "links_left_out"):
            return
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - the plugin's mistake, no failure of what it does
            message = str(record.msg)
        error = record.exc_info[1] if record.exc_info else None
        line = one_line(f"{message}: {error}" if error else message)
        if line in self._said:
            return  # a second listing of the same folder leaves out the same
        self._said.add(line)
        warn(line)
        self.names_left_out |= bool(getattr(record, "names_left_out", False))
        self.links_left_out += getattr(record, "links_left_out", 0)


_log_lines: Final = _LogLines()


@contextlib.contextmanager
def showing_logs() -> Generator[None, None, None]:
    """Show what plugins log as warnings, and keep what they say was left out."""
    _log_lines.begin()
    _refusals.seen.clear()
    logging.getLogger().addHandler(_log_lines)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(_log_lines)


def names_left_out() -> bool:
    """Return True if a listing of this command skipped names that no path can have."""
    return _log_lines.names_left_out


def ignore_links() -> None:
    """Say nothing of links that the listings of this command leave out."""
    _log_lines.ignores_links = True


def links_left_out() -> int:
    """Return how many links the listings of this command have left out."""
    return _log_lines.links_left_out


class _Refusals:
    """Who may not do the one may not do the others, which is told once for each storage."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()


_refusals: Final = _Refusals()


def was_refused(where: str, status: int | None) -> bool:
    """Note an answer of a service; return True if the same refusal was told before."""
    if status not in _REFUSED:
        return False
    origin = _ORIGIN.match(where)
    seen = _refusals.seen
    seen[origin[0] if origin else "", status] += 1
    # A program is told each one.
    return seen[origin[0] if origin else "", status] > 1 and not _voice.as_json


def tell_refused() -> None:
    """Say how often a service refused what it had refused before."""
    for (_, status), times in _refusals.seen.items():
        if times > 1 and not _voice.as_json:
            more = "1 more was" if times == 2 else f"{times - 1} more were"
            complain(f"{more} refused in the same way ({status}); --json lists them")
    _refusals.seen.clear()
