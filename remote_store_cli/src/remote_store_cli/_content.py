"""The commands `cat` and `rm`."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from remote_store import FileInfo, NotFound
from remote_store_cli._codes import FAILED
from remote_store_cli._console import names_left_out
from remote_store_cli._location import link_at
from remote_store_cli._opening import OpenedPath, Opener, kind_of
from remote_store_cli._outcome import EXPECTED, InvalidCommand, complain_of, run
from remote_store_cli._settings import BackendOption, ConfigFile

__all__ = ["cat", "rm"]


def cat(
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="File.")],
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """Write the bytes of a file to standard output."""

    async def work() -> None:
        async with Opener([location], config, option) as opener:
            opened = await opener.open(opener.locations[0])
            if not opened.key:
                msg = f"{opened.location.text} is a folder"
                raise InvalidCommand(msg)
            async with contextlib.aclosing(opened.store.read(opened.key)) as chunks:
                async for chunk in chunks:
                    sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()

    run(work)


def rm(
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="File or folder.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", "-R", help="Also a folder with everything in it.")
    ] = False,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="It is no error when nothing is there.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Allow -r to empty the root of a store.")
    ] = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """Remove a file, or with -r a folder; the root of a store is emptied, and only with --yes."""

    async def work() -> int | None:
        async with Opener([location], config, option, follow=False) as opener:
            if link := link_at(opener.locations[0]):
                # No store can name it: to a store it is what it leads to.
                link.unlink(missing_ok=missing_ok)
                return None
            try:
                opened = await opener.open(opener.locations[0])
                if not opened.key and recursive and yes:
                    await kind_of(opened)  # a root that is missing is not an empty one
            except NotFound:
                if missing_ok:
                    return None
                raise
            if not opened.key:
                if not (recursive and yes):
                    text = opened.location.text
                    msg = f"{text} is the root of a store; -r --yes removes everything in it"
                    raise InvalidCommand(msg)
                return await _empty(opened)
            await _remove(opened, recursive=recursive, missing_ok=missing_ok)
        return None

    run(work)


async def _remove(opened: OpenedPath, *, recursive: bool, missing_ok: bool) -> None:
    store, key = opened.store, opened.key
    if await store.is_folder(key) and not await store.is_file(key):
        if not recursive:
            msg = f"{opened.location.text} is a folder; -r removes it with everything in it"
            raise InvalidCommand(msg)
        await store.delete_folder(key, recursive=True, missing_ok=missing_ok)
    else:
        await store.delete(key, missing_ok=missing_ok)


async def _empty(opened: OpenedPath) -> int | None:
    """Remove every child of the root; one that fails does not keep the others."""
    failed = False
    async with contextlib.aclosing(opened.store.iter_children("")) as found:
        children = [child async for child in found]
    for child in sorted(children, key=lambda c: c.path.as_posix()):
        path = child.path.as_posix()
        try:
            if isinstance(child, FileInfo):
                await opened.store.delete(path, missing_ok=True)
            else:
                await opened.store.delete_folder(path, recursive=True, missing_ok=True)
        except EXPECTED as error:
            failed = True
            complain_of(error)
    return FAILED if failed or names_left_out() else None
