"""The commands `ls`, `tree` and `info`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from remote_store import FileInfo, FolderEntry, FolderInfo, NotFound, PluginError
from remote_store_cli._commands import command
from remote_store_cli._console import warn
from remote_store_cli._failing import Failures
from remote_store_cli._opening import OpenedPath, Opener, kind_of
from remote_store_cli._options import JsonOutput, Links, LinksOption, Long
from remote_store_cli._outcome import EXPECTED, run
from remote_store_cli._output import emit, emit_json, emit_table
from remote_store_cli._parameters import Whole, argument, flag, option
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import Selection, Which
from remote_store_cli._settings import Stores
from remote_store_cli._units import count, human_size, iso_time, time_text
from remote_store_cli._walking import files_below

if TYPE_CHECKING:  # most listings need nothing of the engine
    from remote_store_transfer import Filters

__all__ = ["file_facts", "info", "long_line", "ls", "tree"]

Entry: TypeAlias = FileInfo | FolderEntry
Where = Annotated[str, argument("LOCATION", help="File or folder.")]


@command
def ls(
    locations: Annotated[
        tuple[str, ...], argument("LOCATION", nargs=-1, help="Folders to list, or files.")
    ],
    *,
    long: Long = False,
    recursive: Annotated[
        bool, flag("--recursive", "-r", "-R", help="All files below, with their paths.")
    ] = False,
    which: Which,
    links: LinksOption = Links.report,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """
    List folders, sorted by path; folders in them end in '/'.

    With a filter only files that match are listed.
    """

    async def work() -> int | None:
        selection = which.selection()
        listed: list[tuple[OpenedPath, list[Entry]]] = []
        failed: list[tuple[OpenedPath | str, Exception]] = []
        meter = Meter()
        meter.known = lambda: sum(len(entries) for _, entries in listed)
        async with Opener(locations, stores) as opener, showing(meter, quiet=False):
            for location in opener.locations:
                entries: list[Entry] = []
                where: OpenedPath | str = location.text
                try:
                    where = opened = await opener.open(location)
                    listed.append((opened, entries))
                    await _list(opened, entries, links if recursive else None)
                except PluginError:
                    raise
                except EXPECTED as error:
                    if not entries:  # nothing of it is to be shown
                        listed = [one for one in listed if one[1] is not entries]
                        if len(locations) == 1:
                            raise
                    failed.append((where, error))
        named = len(locations) > 1
        _show(listed, selection, named=named, long=long, as_json=as_json)
        failures = Failures()
        for where, failure in failed:
            failures.fail(where, "list", failure)
        return failures.code

    run(work)


def _show(
    listed: list[tuple[OpenedPath, list[Entry]]],
    selection: Selection,
    *,
    named: bool,
    long: bool,
    as_json: bool,
) -> None:
    """Print what was listed: files that were named first, then folders with what is in them."""
    filters = None if selection.is_everything else selection.filters
    facts: list[dict[str, Any]] = []
    listed.sort(key=lambda one: not _is_file(*one))
    before = False
    for opened, entries in listed:
        if named and not (as_json or _is_file(opened, entries)):
            if before:
                emit("")
            emit(f"{opened.text()}:")
        before = True
        for entry in sorted(entries, key=lambda entry: entry.path.as_posix()):
            path = _relative(entry, opened)
            if not (filters is None or _counts(entry, path, filters)):
                continue
            if as_json:
                facts.append(_entry_facts(entry, opened))
            else:
                alone = opened.text() if named else entry.name
                name = f"{path}/" if isinstance(entry, FolderEntry) else path or alone
                emit(long_line(entry, name) if long else name)
    if as_json:
        emit_json(facts)


def _counts(entry: Entry, path: str, filters: Filters) -> bool:
    return isinstance(entry, FileInfo) and filters.accepts(path or entry.name, entry)


def _is_file(opened: OpenedPath, entries: list[Entry]) -> bool:
    return len(entries) == 1 and entries[0].path.as_posix() == opened.key


async def _list(opened: OpenedPath, entries: list[Entry], links: Links | None) -> None:
    """
    List a folder, or a file alone, as entries that are added to *entries*.

    Args:
        opened: The folder.
        entries: Gets what there is.
        links: What becomes of links to folders below; None for no more than its children.

    Raises:
        NotFound: Nothing is there.
        RemoteStoreError: A part of it cannot be listed; all the rest was.
    """
    store = opened.store
    listing: AsyncGenerator[Entry, None] = (
        store.iter_children(opened.key) if links is None else files_below(opened, links)
    )
    async with contextlib.aclosing(listing):
        async for entry in listing:
            entries.append(entry)  # noqa: PERF401 - extend() takes no async comprehension
    # Asked only where the listing does not show it: a listing of what does not
    # exist, or is a file, is empty.
    if not entries and await kind_of(opened) == "file":
        entries.append(await store.get_file_info(opened.key))


def _relative(entry: Entry, opened: OpenedPath) -> str:
    """Return the path below a location, ``""`` for the location itself."""
    path = entry.path.as_posix()
    return path[len(opened.key) + 1 :] if opened.key else path


def long_line(entry: Entry, name: str) -> str:
    """Return a line with size and time of an entry, under whatever name."""
    size, time = "-", "-"
    if isinstance(entry, FileInfo):
        size, time = human_size(entry.size), time_text(entry.modified_at)
    return f"{size:>10}  {time:>20}  {name}"


def _entry_facts(entry: Entry, opened: OpenedPath) -> dict[str, Any]:
    path = _relative(entry, opened)
    facts = {"location": opened.text(path), "path": path or entry.name}
    if isinstance(entry, FolderEntry):
        return {**facts, "type": "folder"}
    return {**facts, "type": "file", **file_facts(entry)}


def file_facts(file: FileInfo) -> dict[str, Any]:
    """Return what is known of a file, as JSON has it."""
    digest = file.digest
    return {
        "size": file.size,
        "modified_at": iso_time(file.modified_at),
        "etag": file.etag,
        "content_type": file.content_type,
        "digest": f"{digest.algorithm}:{digest.value}" if digest else None,
        "metadata": None if file.metadata is None else dict(file.metadata),
    }


@command
def tree(
    location: Where,
    *,
    depth: Annotated[
        int | None,
        option(
            "--depth",
            "-d",
            type=Whole(1),
            metavar="N",
            help="Levels to show; all if left out.",
        ),
    ] = None,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """Draw a folder and what is below it, sorted by name."""

    async def work() -> int | None:
        async with Opener([location], stores) as opener:
            opened = await opener.open(opener.locations[0])
            is_folder = await kind_of(opened) == "folder"
            facts: list[dict[str, Any]] | None = [] if as_json else None
            if facts is None:
                emit(opened.location.text)
            code = await _draw(opened, depth, facts) if is_folder else None
            if facts is not None:
                emit_json(facts)
        return code

    run(work)


async def _draw(
    opened: OpenedPath, depth: int | None, facts: list[dict[str, Any]] | None
) -> int | None:
    """
    Draw what is below a folder, or add it to *facts*; return the exit code.

    A stack of its own, since folders may nest deeper than calls can.
    """
    branch, corner, bar, gap = _guides()
    files = folders = links = 0
    failed: list[Exception] = []

    async def below(folder: OpenedPath) -> list[Entry]:
        entries: list[Entry] = []
        try:
            await _list(folder, entries, None)
        except NotFound:
            return []  # removed since it was listed
        except EXPECTED as error:
            failed.append(error)
        return sorted(entries, key=lambda entry: entry.path.as_posix(), reverse=True)

    levels = [await below(opened)]
    prefixes = [""]
    while levels:
        if not levels[-1]:
            levels.pop()
            prefixes.pop()
            continue
        entry = levels[-1].pop()
        last = not levels[-1]
        is_folder = isinstance(entry, FolderEntry)
        slash = "/" if is_folder else ""
        if facts is None:
            emit(f"{prefixes[-1]}{corner if last else branch}{entry.name}{slash}")
        else:
            facts.append(_entry_facts(entry, opened))
        folders += is_folder
        files += not is_folder
        if isinstance(entry, FolderEntry) and (depth is None or len(levels) < depth):
            if entry.is_link:
                links += 1  # it may lead back up
                continue
            levels.append(
                await below(OpenedPath(opened.store, entry.path.as_posix(), opened.location))
            )
            prefixes.append(prefixes[-1] + (gap if last else bar))
    if facts is None:
        emit("")
        emit(f"{count(folders, 'folder')}, {count(files, 'file')}")
    if links:
        warn(f"links to folders are not entered: {links} in {opened.location.text}")
    failures = Failures()
    for error in failed:
        failures.fail(opened, "list", error)
    return failures.code


def _guides() -> tuple[str, str, str, str]:
    try:
        "├└│─".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "|-- ", "`-- ", "|   ", "    "
    return "├── ", "└── ", "│   ", "    "


@command
def info(
    location: Where,
    *,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """Show what is known of a file, or count what is below a folder."""

    async def work() -> None:
        async with Opener([location], stores) as opener:
            opened = await opener.open(opener.locations[0])
            if await kind_of(opened) == "file":
                found: FileInfo | FolderInfo = await opened.store.get_file_info(opened.key)
            else:
                found = await opened.store.get_folder_info(opened.key)
            facts = {
                "location": opened.location.text,
                "native_path": opened.store.resolve(opened.key).native_path,
                **_facts(found),
            }
            if as_json:
                emit_json(facts)
            else:
                rows = [(name.replace("_", " "), _value(name, v)) for name, v in facts.items()]
                emit_table(*_headless([row for row in rows if row[1]]))

    run(work)


def _headless(rows: list[tuple[str, str]]) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    return rows[0], rows[1:]


def _facts(found: FileInfo | FolderInfo) -> dict[str, Any]:
    if isinstance(found, FileInfo):
        return {"type": "file", **file_facts(found)}
    return {
        "type": "folder",
        "files": found.file_count,
        "size": found.total_size,
        "modified_at": iso_time(found.modified_at),
    }


def _value(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "size":
        return f"{human_size(value)} ({value} bytes)"
    if name == "metadata":
        return ", ".join(f"{k}={v}" for k, v in sorted(value.items()))
    return str(value)
