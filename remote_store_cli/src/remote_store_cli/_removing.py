"""The command `rm`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from remote_store import FileInfo, NotFound
from remote_store_cli._codes import FAILED
from remote_store_cli._console import human_size, names_left_out, remark
from remote_store_cli._help import flag
from remote_store_cli._location import link_at
from remote_store_cli._opening import OpenedPath, Opener, kind_of
from remote_store_cli._options import DryRun, Verbose
from remote_store_cli._outcome import (
    EXPECTED,
    InvalidCommand,
    complain_of,
    describe,
    failures,
    run,
)
from remote_store_cli._output import emit, emit_json, printable
from remote_store_cli._parallel import in_parallel
from remote_store_cli._selection import Exclude, Include, MaxSize, MinSize, Newer, Selection
from remote_store_cli._settings import BackendOption, ConfigFile, JsonOutput
from remote_store_cli._transfer import count

__all__ = ["rm"]

T = TypeVar("T")

#: Deletions at a time.
_JOBS = 16


def rm(
    locations: Annotated[list[str], typer.Argument(metavar="LOCATION", help="Files or folders.")],
    recursive: Annotated[
        bool, flag("--recursive", "-r", "-R", help="Also folders with everything in them.")
    ] = False,
    missing_ok: Annotated[
        bool, flag("--missing-ok", help="It is no error when nothing is there.")
    ] = False,
    yes: Annotated[bool, flag("--yes", help="Allow -r to empty the root of a store.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    newer: Newer = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    as_json: JsonOutput = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """
    Remove files, or with -r folders; the root of a store is emptied, and only with --yes.

    With a filter only files that match are removed, named or met in a folder;
    folders and links stay.
    """

    async def work() -> int | None:
        selection = Selection.parse(include, exclude, newer, min_size, max_size)
        removal = _Removal(selection, dry_run=dry_run, verbose=verbose, quiet=as_json)
        async with Opener(locations, config, option, follow=False) as opener:
            # Nothing is removed before everything is understood.
            found: list[Callable[[], Awaitable[None]]] = []
            for location in opener.locations:
                if link := link_at(location):
                    # No store can name it: to a store it is what it leads to.
                    if selection.is_everything:
                        found.append(partial(removal.link, location.text, link))
                    continue
                try:
                    opened = await opener.open(location)
                    if not opened.key:
                        _refuse(opened, recursive=recursive, yes=yes)
                    kind = await kind_of(opened)
                except NotFound as error:
                    if missing_ok:
                        continue
                    removal.failed(location.text, error)
                    continue
                if kind == "folder":
                    _refuse(opened, recursive=recursive, yes=yes)
                found.append(partial(removal.folder if kind == "folder" else removal.named, opened))
            await in_parallel(_each(found), _JOBS, lambda remove: remove())
        return removal.conclude(as_json=as_json)

    run(work)


async def _each(items: Iterable[T]) -> AsyncGenerator[T, None]:
    for item in items:
        yield item


def _refuse(opened: OpenedPath, *, recursive: bool, yes: bool) -> None:
    if not opened.key and not (recursive and yes):
        msg = f"{opened.text()} is the root of a store; -r --yes removes everything in it"
        raise InvalidCommand(msg)
    if not recursive:
        msg = f"{opened.text()} is a folder; -r removes it with everything in it"
        raise InvalidCommand(msg)


class _Removal:
    """The removals of one command."""

    def __init__(self, selection: Selection, *, dry_run: bool, verbose: bool, quiet: bool) -> None:
        self._selection = selection
        self._dry_run = dry_run
        self._verbose = verbose
        self._quiet = quiet
        self._removed = self._bytes = 0
        self._failures: list[dict[str, str]] = []

    def failed(self, where: str, error: Exception) -> None:
        """Note and print an error, and all that failed with it."""
        complain_of(error)
        for failure in failures(error):
            path = getattr(failure, "path", None) or where
            self._failures.append({"location": path, "kind": "delete", "reason": describe(failure)})

    async def link(self, text: str, link: Path) -> None:
        """Remove a link of this machine itself."""
        try:
            if not self._dry_run:
                link.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing else runs
        except OSError as error:
            self.failed(text, error)
        else:
            self._note(text, None)

    async def named(self, opened: OpenedPath) -> None:
        """Remove a file that the user named, if it matches."""
        if self._selection.is_everything:
            await self.file(opened)
            return
        try:
            file = await opened.store.get_file_info(opened.key)
        except EXPECTED as error:
            self.failed(opened.text(), error)
        else:
            if self._selection.filters.accepts(file.name, file):
                await self.file(opened, file.size)

    async def file(self, opened: OpenedPath, size: int | None = None) -> None:
        """Remove a file."""
        try:
            if not self._dry_run:
                await opened.store.delete(opened.key, missing_ok=True)
        except EXPECTED as error:
            self.failed(opened.text(), error)
        else:
            self._note(opened.text(), size)

    async def folder(self, opened: OpenedPath) -> None:
        """Remove a folder; of one with a filter, or to be shown, the files that count."""
        if self._dry_run or not self._selection.is_everything:
            await in_parallel(self._files(opened), _JOBS, self._listed)
        elif opened.key:
            await self._whole(opened)
        else:
            await self._children(opened)

    async def _files(self, folder: OpenedPath) -> AsyncGenerator[tuple[OpenedPath, int], None]:
        filters = self._selection.filters
        start = len(folder.key) + 1 if folder.key else 0
        listing = folder.store.list_files(folder.key, recursive=True)
        try:
            async with contextlib.aclosing(listing):
                async for file in listing:
                    path = file.path.as_posix()[start:]
                    if filters.accepts(path, file):
                        yield folder.at(path), file.size
        except EXPECTED as error:  # it comes after all that could be listed
            self.failed(folder.text(), error)

    async def _listed(self, found: tuple[OpenedPath, int]) -> None:
        await self.file(*found)

    async def _whole(self, opened: OpenedPath) -> None:
        try:
            await opened.store.delete_folder(opened.key, recursive=True, missing_ok=True)
        except EXPECTED as error:
            self.failed(opened.text(), error)
        else:
            self._note(f"{opened.text().rstrip('/')}/", None)

    async def _children(self, root: OpenedPath) -> None:
        """Remove every child of a root; one that fails does not keep the others."""
        try:
            async with contextlib.aclosing(root.store.iter_children("")) as found:
                children = [child async for child in found]
        except EXPECTED as error:
            self.failed(root.text(), error)
            return
        for child in sorted(children, key=lambda c: c.path.as_posix()):
            opened = root.at(child.path.as_posix())
            if isinstance(child, FileInfo):
                await self.file(opened, child.size)
            else:
                await self._whole(opened)

    def _note(self, text: str, size: int | None) -> None:
        self._removed += 1
        self._bytes += size or 0
        if self._dry_run and not self._quiet:
            emit(f"delete  {'-' if size is None else human_size(size):>10}  {text}")
        elif self._verbose:
            remark(printable(f"removed  {text}"))

    def conclude(self, *, as_json: bool) -> int | None:
        """Say what was done; return the exit code."""
        if as_json:
            emit_json({"removed": self._removed, "failures": self._failures})
        elif self._dry_run:
            remark(f"dry run: {count(self._removed, 'removal')}; nothing was done")
        return FAILED if self._failures or names_left_out() else None
