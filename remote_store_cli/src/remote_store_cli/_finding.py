"""The commands `find` and `du`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from attrs import define

from remote_store import FileInfo
from remote_store_cli._commands import command
from remote_store_cli._failing import Failures
from remote_store_cli._listing import file_facts, long_line
from remote_store_cli._opening import OpenedPath, Opener, kind_of
from remote_store_cli._options import JsonOutput, Links, LinksOption, Long
from remote_store_cli._outcome import EXPECTED, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._parameters import Whole, argument, flag, option
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import Selection, Which
from remote_store_cli._settings import Stores
from remote_store_cli._units import human_size
from remote_store_cli._walking import files_below

__all__ = ["du", "find"]

Locations = Annotated[
    tuple[str, ...], argument("LOCATION", nargs=-1, help="Folders to look into, or files.")
]


@command
def find(
    locations: Locations,
    *,
    which: Which,
    links: LinksOption = Links.report,
    long: Long = False,
    null: Annotated[
        bool,
        flag("--null", "-0", help="End each name with NUL, unescaped: for xargs -0."),
    ] = False,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """Print the files below folders that the filters let pass, as they are found."""

    async def work() -> int | None:
        search = _Search(which.selection(), links)
        facts: list[dict[str, Any]] = []
        async with Opener(locations, stores) as opener:
            for location in opener.locations:
                folder = await opener.open(location)
                async with contextlib.aclosing(search.below(folder)) as found:
                    async for path, file in found:
                        name = folder.text(path)
                        if as_json:
                            facts.append({"location": name, **file_facts(file)})
                        elif null:
                            sys.stdout.buffer.write(name.encode(errors="surrogateescape") + b"\0")
                        elif long:
                            emit(long_line(file, name))
                        else:
                            emit(name)
        if as_json:
            emit_json(facts)
        return search.code

    run(work)


class _Search:
    """Looks for files, and goes on after what fails."""

    def __init__(self, selection: Selection, links: Links) -> None:
        self._filters = selection.filters
        self._links = links
        self._failures = Failures()
        self._found = 0
        self.meter = Meter()
        self.meter.known = lambda: self._found

    async def below(self, opened: OpenedPath) -> AsyncGenerator[tuple[str, FileInfo], None]:
        """Yield the files of a location that count, with their paths below it."""
        try:
            if await kind_of(opened) == "file":
                file = await opened.store.get_file_info(opened.key)
                if self._filters.accepts(file.name, file):
                    yield "", file
                return
            start = len(opened.key) + 1 if opened.key else 0
            listing = files_below(opened, self._links)
            async with contextlib.aclosing(listing):
                async for file in listing:
                    path = file.path.as_posix()[start:]
                    if self._filters.accepts(path, file):
                        self._found += 1
                        yield path, file
        except EXPECTED as error:
            self._failures.fail(opened, "list", error)

    @property
    def code(self) -> int | None:
        """The exit code."""
        return self._failures.code


@define
class _Usage:
    """What is in a folder, folders below it included."""

    files: int = 0
    size: int = 0


@command
def du(
    locations: Locations,
    *,
    depth: Annotated[
        int | None,
        option(
            "--depth",
            "-d",
            type=Whole(0),
            metavar="N",
            help="Levels of folders to print; all if left out.",
        ),
    ] = None,
    summarize: Annotated[
        bool, flag("--summarize", "-s", help="Only the sum of each location: -d 0.")
    ] = False,
    which: Which,
    links: LinksOption = Links.report,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """
    Add up the bytes of files, for each folder with what is below it.

    Each location is listed once. Sizes are those of contents, not of disk blocks.
    """

    async def work() -> int | None:
        levels = 0 if summarize else depth
        search = _Search(which.selection(), links)
        facts: list[dict[str, Any]] = []
        async with Opener(locations, stores) as opener:
            for location in opener.locations:
                opened = await opener.open(location)
                async with showing(search.meter, quiet=False):
                    usage = await _usage(search, opened, levels)
                for path in sorted(usage, key=_last_first):
                    name, used = opened.text(path), usage[path]
                    if as_json:
                        facts.append({"location": name, "size": used.size, "files": used.files})
                    else:
                        emit(f"{human_size(used.size):>10}  {name}")
        if as_json:
            emit_json(facts)
        return search.code

    run(work)


async def _usage(search: _Search, opened: OpenedPath, levels: int | None) -> dict[str, _Usage]:
    """Return what each folder holds, by its path; the location itself is ``""``."""
    usage = {"": _Usage()}
    async with contextlib.aclosing(search.below(opened)) as found:
        async for path, file in found:
            folders = path.split("/")[:-1]
            if levels is not None:
                folders = folders[:levels]
            for level in range(len(folders) + 1):
                used = usage.setdefault("/".join(folders[:level]), _Usage())
                used.files += 1
                used.size += file.size
    return usage


def _last_first(path: str) -> list[str]:
    """Sort a folder after what is in it, as its sum."""
    return [*path.split("/"), "\U0010ffff"] if path else ["\U0010ffff"]
