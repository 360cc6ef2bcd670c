"""
What goes to standard output: lines, tables, JSON; no control character from the data.

Nothing here needs the core: the diagnosis of a core that cannot be imported
prints by it, too.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

__all__ = ["drop", "emit", "emit_json", "emit_table", "printable"]


def printable(text: str) -> str:
    """Return *text* with control characters escaped: names must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def drop(stream: TextIO) -> None:
    """Send what *stream* still buffers, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def emit(line: str) -> None:
    """
    Write one line to standard output.

    Control characters in it are escaped, wherever they come from: names of
    files and of plugins, versions, and what services say are foreign text.
    """
    sys.stdout.write(printable(line) + "\n")


def emit_json(data: Any) -> None:
    """Write *data* to standard output as indented JSON, which escapes control characters itself."""
    sys.stdout.write(json.dumps(data, indent=2, sort_keys=False) + "\n")


def emit_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write aligned columns; never wrapped or cut, so that a pipe gets whole values."""
    table = [tuple(map(printable, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        emit("  ".join(cells).rstrip())
