"""Which files a command is about: patterns, time and size, as a user writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from attrs import frozen

from remote_store import GlobPattern, InvalidPath
from remote_store_cli._outcome import InvalidCommand
from remote_store_cli._parameters import FILES, option

if TYPE_CHECKING:
    from remote_store_transfer import Filters

__all__ = ["Selection", "Which", "age"]

_AGE: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?", re.IGNORECASE)
_UNITS: Final = {unit: 1024**power for power, unit in enumerate(["", "K", "M", "G", "T", "P"])}


@frozen
class Which:
    """Which files a command is about."""

    include: Annotated[
        Sequence[str],
        option(
            "--include",
            multiple=True,
            metavar="PATTERN",
            panel=FILES,
            help="Only files that match: '*.csv' at any depth, 'a/*.csv' from the top, 'a/' all "
            "below a. Repeatable: one has to match.",
        ),
    ] = ()
    exclude: Annotated[
        Sequence[str],
        option(
            "--exclude",
            multiple=True,
            metavar="PATTERN",
            panel=FILES,
            help="No files that match; as --include. Repeatable.",
        ),
    ] = ()
    newer: Annotated[
        str | None,
        option(
            "--newer",
            metavar="WHEN",
            panel=FILES,
            help="Only files modified after: 2026-01-31, 2026-01-31T08:00Z, or an age such as 7d, "
            "12h, 30m.",
        ),
    ] = None
    min_size: Annotated[
        str | None,
        option(
            "--min-size",
            metavar="SIZE",
            panel=FILES,
            help="Only files of at least SIZE, such as 10K.",
        ),
    ] = None
    max_size: Annotated[
        str | None,
        option(
            "--max-size",
            metavar="SIZE",
            panel=FILES,
            help="Only files of at most SIZE, such as 1.5G.",
        ),
    ] = None

    def selection(self) -> Selection:
        """
        Read the options.

        Raises:
            InvalidCommand: One of them is malformed.
        """
        options: dict[str, Any] = {
            "include": _patterns("--include", self.include),
            "exclude": _patterns("--exclude", self.exclude),
            "newer": _time(self.newer),
            "min_size": _bytes("--min-size", self.min_size),
            "max_size": _bytes("--max-size", self.max_size),
        }
        selection = Selection(options)
        try:
            if not selection.is_everything:
                _ = selection.filters
        except ValueError as error:
            raise InvalidCommand(str(error)) from error
        return selection


@frozen
class Selection:
    """
    The files that the options of a command let pass.

    Args:
        options: Arguments of the same names of `remote_store_transfer.plan`.
    """

    options: dict[str, Any]

    @property
    def is_everything(self) -> bool:
        """Whether no option leaves anything out."""
        # A size of 0 is a limit as any other.
        return all(value is None or value == () for value in self.options.values())

    @property
    def filters(self) -> Filters:
        """
        What judges listed files.

        Raises:
            ValueError: The options contradict each other.
        """
        from remote_store_transfer import Filters  # most commands have no filter

        return Filters(**self.options)


def _patterns(name: str, texts: Iterable[str]) -> tuple[GlobPattern, ...]:
    """Return patterns; those without a slash match a name at any depth."""
    patterns = []
    for text in texts:
        below = text.endswith("/")
        whole = text.strip("/") + ("/**" if below else "")
        anchored = text.startswith("/") or "/" in text.rstrip("/")
        try:
            patterns.append(GlobPattern.parse(whole if anchored else f"**/{whole}"))
        except (InvalidPath, ValueError) as error:
            msg = f"{name} {text!r} is no pattern: {error.args[0]}"
            raise InvalidCommand(msg) from error
    return tuple(patterns)


def age(name: str, text: str) -> timedelta:
    """
    Read an age such as ``36h``.

    Raises:
        InvalidCommand: It is none; *name* is the option that it is of.
    """
    match = _AGE.fullmatch(text)
    try:
        if match:
            return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        pass
    msg = f"{name} {text!r} is no age: write 90s, 30m, 12h, 7d or 2w"
    raise InvalidCommand(msg)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        if _AGE.fullmatch(text):
            return datetime.now(UTC) - age("--newer", text)
        # A time without a zone is one of this machine's clock.
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        msg = f"--newer {text!r} is no time: write 2026-01-31, 2026-01-31T08:00Z or an age as 7d"
        raise InvalidCommand(msg) from error


def _bytes(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        msg = f"{name} {text!r} is no size: write a number of bytes, or 10K, 1.5M, 2GiB"
        raise InvalidCommand(msg)
    return int(float(match[1]) * _UNITS[match[2].upper()])
