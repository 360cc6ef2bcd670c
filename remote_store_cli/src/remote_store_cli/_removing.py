"""The command `rm`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from remote_store import FileInfo, NotFound
from remote_store_cli._commands import command
from remote_store_cli._console import remark
from remote_store_cli._failing import Failures
from remote_store_cli._location import link_at
from remote_store_cli._opening import OpenedPath, Opener, look_at
from remote_store_cli._options import Said
from remote_store_cli._outcome import EXPECTED, InvalidCommand, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._parallel import each, in_parallel
from remote_store_cli._parameters import argument, flag
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import Selection, Which
from remote_store_cli._settings import Stores
from remote_store_cli._units import count, human_size

__all__ = ["rm"]

#: Deletions at a time.
_JOBS = 16
#: Files of a folder that are handed over at a time.
_BATCH = 1000


@command
def rm(
    locations: Annotated[tuple[str, ...], argument("LOCATION", nargs=-1, help="Files or folders.")],
    *,
    recursive: Annotated[
        bool, flag("--recursive", "-r", "-R", help="Also folders with everything in them.")
    ] = False,
    missing_ok: Annotated[
        bool, flag("--missing-ok", help="It is no error when nothing is there.")
    ] = False,
    yes: Annotated[bool, flag("--yes", help="Allow -r to empty the root of a store.")] = False,
    which: Which,
    said: Said,
    stores: Stores,
) -> None:
    """
    Remove files, or with -r folders; the root of a store is emptied, and only with --yes.

    With a filter only files that match are removed, named or met in a folder;
    folders and links stay.
    """

    async def work() -> int | None:
        removal = _Removal(which.selection(), said)
        async with Opener(locations, stores, follow=False) as opener:
            # Nothing is removed before everything is understood.
            found: list[Callable[[], Awaitable[None]]] = []
            links = {loc: link for loc in opener.locations if (link := link_at(loc))}
            # No store can name a link: to a store it is what it leads to.
            if removal.is_of_everything:
                found += [partial(removal.link, loc.text, link) for loc, link in links.items()]
            others = [location for location in opener.locations if location not in links]
            for look in await look_at(opener, others):
                if look.opened is not None and (look.kind == "folder" or not look.opened.key):
                    _refuse(look.opened, recursive=recursive, yes=yes)
                if look.error is not None:
                    if not (missing_ok and isinstance(look.error, NotFound)):
                        removal.fail(look.location.text, look.error)
                    continue
                assert look.opened is not None
                remove = removal.folder if look.kind == "folder" else removal.named
                found.append(partial(remove, look.opened))
            # What is shown as it is found leaves no room for a bar.
            async with showing(removal.meter, quiet=said.quiet or said.dry_run):
                await in_parallel(each(found), _JOBS, lambda remove: remove())
        return removal.conclude()

    run(work)


def _refuse(opened: OpenedPath, *, recursive: bool, yes: bool) -> None:
    if not opened.key and not (recursive and yes):
        msg = f"{opened.text()} is the root of a store; -r --yes removes everything in it"
        raise InvalidCommand(msg)
    if not recursive:
        msg = f"{opened.text()} is a folder; -r removes it with everything in it"
        raise InvalidCommand(msg)


class _Removal:
    """The removals of one command."""

    def __init__(self, selection: Selection, said: Said) -> None:
        self._selection = selection
        self._said = said
        self._failures = Failures()
        self._removed = 0
        self._shown: list[dict[str, Any]] = []
        self.meter = Meter("removing")
        self.meter.known = lambda: self._removed

    @property
    def is_of_everything(self) -> bool:
        """Whether no filter leaves anything out."""
        return self._selection.is_everything

    def fail(self, where: OpenedPath | str, error: Exception) -> None:
        """Note and print an error, and all that failed with it."""
        self._failures.fail(where, "delete", error)

    async def link(self, text: str, link: Path) -> None:
        """Remove a link of this machine itself."""
        try:
            if not self._said.dry_run:
                link.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing else runs
        except OSError as error:
            self.fail(text, error)
        else:
            self._note(text, None)

    async def named(self, opened: OpenedPath) -> None:
        """Remove a file that the user named, if it matches."""
        if self.is_of_everything:
            await self.file(opened)
            return
        try:
            file = await opened.store.get_file_info(opened.key)
        except EXPECTED as error:
            self.fail(opened, error)
        else:
            if self._selection.filters.accepts(file.name, file):
                await self.file(opened, file.size)

    async def file(self, opened: OpenedPath, size: int | None = None) -> None:
        """Remove a file."""
        try:
            if not self._said.dry_run:
                await opened.store.delete(opened.key, missing_ok=True)
        except EXPECTED as error:
            self.fail(opened, error)
        else:
            self._note(opened.text(), size)

    async def folder(self, opened: OpenedPath) -> None:
        """Remove a folder; of one with a filter, or to be shown, the files that count."""
        if self._said.dry_run or not self.is_of_everything:
            await self._listed(opened)
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
            self.fail(folder, error)

    async def _listed(self, folder: OpenedPath) -> None:
        batch: list[tuple[OpenedPath, int]] = []
        async with contextlib.aclosing(self._files(folder)) as found:
            async for one in found:
                batch.append(one)
                if len(batch) == _BATCH:
                    await self._together(folder, batch)
                    batch = []
        await self._together(folder, batch)

    async def _together(self, folder: OpenedPath, files: list[tuple[OpenedPath, int]]) -> None:
        errors: list[Exception | None] = [None] * len(files)
        if not self._said.dry_run:
            from remote_store_transfer.aio import delete_many  # only folders with a filter need it

            paths = [opened.key for opened, _ in files]
            deletions = await delete_many(folder.store, paths, missing_ok=True, concurrency=_JOBS)
            errors = [deletion.error for deletion in deletions]
        for (opened, size), error in zip(files, errors, strict=True):
            if error is None:
                self._note(opened.text(), size)
            else:
                self.fail(opened, error)

    async def _whole(self, opened: OpenedPath) -> None:
        try:
            await opened.store.delete_folder(opened.key, recursive=True, missing_ok=True)
        except EXPECTED as error:
            self.fail(opened, error)
        else:
            self._note(f"{opened.text().rstrip('/')}/", None)

    async def _children(self, root: OpenedPath) -> None:
        """Remove every child of a root; one that fails does not keep the others."""
        try:
            async with contextlib.aclosing(root.store.iter_children("")) as found:
                children = [child async for child in found]
        except EXPECTED as error:
            self.fail(root, error)
            return
        for child in sorted(children, key=lambda c: c.path.as_posix()):
            opened = root.at(child.path.as_posix())
            if isinstance(child, FileInfo):
                await self.file(opened, child.size)
            else:
                await self._whole(opened)

    def _note(self, text: str, size: int | None) -> None:
        self._removed += 1
        if self._said.dry_run and not self._said.as_json:
            emit(f"delete  {'-' if size is None else human_size(size):>10}  {text}")
        elif self._said.dry_run:
            self._shown.append({"action": "delete", "target": text, "size": size})
        elif self._said.verbose:
            remark(f"removed  {text}")

    def conclude(self) -> int | None:
        """Say what was done; return the exit code."""
        if self._said.as_json:
            done = {"removed": self._removed, "failures": self._failures.failures}
            emit_json(self._shown if self._said.dry_run else done)
        elif self._said.dry_run and not self._said.quiet:
            remark(f"dry run: {count(self._removed, 'removal')}; nothing was done")
        return self._failures.code
