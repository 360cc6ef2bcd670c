"""The commands `ls`, `tree` and `info`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import typer

from remote_store import FileInfo, FolderEntry, FolderInfo, NotFound
from remote_store_cli._codes import FAILED
from remote_store_cli._console import (
    human_size,
    iso_time,
    time_text,
    warn,
)
from remote_store_cli._help import flag
from remote_store_cli._opening import OpenedPath, Opener, kind_of
from remote_store_cli._outcome import EXPECTED, complain_of, run
from remote_store_cli._output import emit, emit_json, emit_table
from remote_store_cli._settings import BackendOption, ConfigFile, JsonOutput

__all__ = ["file_facts", "info", "ls", "tree"]

Where = Annotated[str, typer.Argument(metavar="LOCATION", help="File or folder.")]


def ls(
    location: Where,
    long: Annotated[bool, flag("--long", "-l", help="Also size and time.")] = False,
    recursive: Annotated[
        bool, flag("--recursive", "-r", "-R", help="All files below, with their paths.")
    ] = False,
    as_json: JsonOutput = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """List a folder, sorted by path; folders end in '/'."""

    async def work() -> None:
        async with Opener([location], config, option) as opener:
            opened = await opener.open(opener.locations[0])
            entries, failure = await _entries(opened, recursive=recursive)
            if as_json:
                emit_json([_entry_facts(entry, opened) for entry in entries])
            elif long:
                for size, time, name in _long_rows(entries, opened):
                    emit(f"{size:>10}  {time:>20}  {name}")
            else:
                for entry in entries:
                    emit(_shown(entry, opened))
            if failure is not None:
                raise failure

    run(work)


async def _entries(
    opened: OpenedPath, *, recursive: bool
) -> tuple[list[FileInfo | FolderEntry], Exception | None]:
    """
    List a folder, or a file alone.

    Returns:
        What there is, sorted; and the error of a listing that went on after
        what failed.

    Raises:
        NotFound: Nothing is there.
        RemoteStoreError: Nothing can be listed.
    """
    entries: list[FileInfo | FolderEntry] = []
    store = opened.store
    failure: Exception | None = None
    listing: AsyncGenerator[FileInfo | FolderEntry, None]
    if recursive:
        listing = store.list_files(opened.key, recursive=True)
    else:
        listing = store.iter_children(opened.key)
    try:
        async with contextlib.aclosing(listing):
            async for entry in listing:
                entries.append(entry)  # noqa: PERF401 - extend() takes no async comprehension
    except EXPECTED as error:
        if not entries:
            raise
        failure = error
    # Asked only where the listing does not show it: a listing of what does not
    # exist, or is a file, is empty.
    if not entries and await kind_of(opened) == "file":
        entries = [await store.get_file_info(opened.key)]
    return sorted(entries, key=lambda entry: entry.path.as_posix()), failure


def _relative(entry: FileInfo | FolderEntry, opened: OpenedPath) -> str:
    path = entry.path.as_posix()
    if not opened.key:
        return path
    return entry.name if path == opened.key else path[len(opened.key) + 1 :]


def _shown(entry: FileInfo | FolderEntry, opened: OpenedPath) -> str:
    slash = "/" if isinstance(entry, FolderEntry) else ""
    return _relative(entry, opened) + slash


def _long_rows(
    entries: list[FileInfo | FolderEntry], opened: OpenedPath
) -> list[tuple[str, str, str]]:
    return [
        (human_size(entry.size), time_text(entry.modified_at), _shown(entry, opened))
        if isinstance(entry, FileInfo)
        else ("-", "-", _shown(entry, opened))
        for entry in entries
    ]


def _entry_facts(entry: FileInfo | FolderEntry, opened: OpenedPath) -> dict[str, Any]:
    path = _relative(entry, opened)
    if isinstance(entry, FolderEntry):
        return {"path": path, "type": "folder"}
    return {"path": path, "type": "file", **file_facts(entry)}


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


def tree(
    location: Where,
    depth: Annotated[
        int | None,
        typer.Option("--depth", "-d", min=1, metavar="N", help="Levels to show; all if left out."),
    ] = None,
    as_json: JsonOutput = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """Draw a folder and what is below it, sorted by name."""

    async def work() -> int | None:
        async with Opener([location], config, option) as opener:
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

    async def below(folder: OpenedPath) -> list[FileInfo | FolderEntry]:
        try:
            entries, failure = await _entries(folder, recursive=False)
        except NotFound:
            return []  # removed since it was listed
        except EXPECTED as error:
            entries, failure = [], error
        if failure is not None:
            failed.append(failure)
        return entries[::-1]

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
        emit(f"{_count(folders, 'folder')}, {_count(files, 'file')}")
    if links:
        warn(f"links to folders are not entered: {links} in {opened.location.text}")
    for error in failed:
        complain_of(error)
    return FAILED if failed else None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _guides() -> tuple[str, str, str, str]:
    try:
        "├└│─".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "|-- ", "`-- ", "|   ", "    "
    return "├── ", "└── ", "│   ", "    "


def info(
    location: Where,
    as_json: JsonOutput = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """Show what is known of a file, or count what is below a folder."""

    async def work() -> None:
        async with Opener([location], config, option) as opener:
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
