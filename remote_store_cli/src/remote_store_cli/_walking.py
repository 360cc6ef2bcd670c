"""All files below a location, with those behind links to folders where that is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from remote_store import FileInfo, NotFound, RemoteStoreError
from remote_store_cli._console import ignore_links, warn
from remote_store_cli._opening import OpenedPath
from remote_store_cli._options import Links

__all__ = ["files_below"]


async def files_below(opened: OpenedPath, links: Links) -> AsyncGenerator[FileInfo, None]:
    """
    Yield the files below a folder, as a recursive listing does.

    Args:
        opened: The folder.
        links: Whether links to folders of this machine are entered, ignored, or told of.

    Raises:
        RemoteStoreError: A folder cannot be listed; all others were.
    """
    if links is Links.skip:
        ignore_links()
    if links is Links.follow and _is_here(opened):
        listing = _following(opened)
    else:
        listing = opened.store.list_files(opened.key, recursive=True)
    async with contextlib.aclosing(listing):
        async for file in listing:
            yield file


def _is_here(opened: OpenedPath) -> bool:
    try:
        opened.store.unwrap(Path)
    except RemoteStoreError:
        return False
    return True


async def _following(opened: OpenedPath) -> AsyncGenerator[FileInfo, None]:
    """Yield all files of a folder of this machine; a link that leads back up is left out."""
    store = opened.store
    errors: list[RemoteStoreError] = []
    top = await asyncio.to_thread(os.path.realpath, store.native_path(opened.key))
    # Each folder that waits, with the real paths of those that it lies in.
    waiting: list[tuple[str, tuple[str, ...]]] = [(opened.key, (top,))]
    while waiting:
        folder, above = waiting.pop()
        children = store.iter_children(folder)
        try:
            async with contextlib.aclosing(children):
                async for child in children:
                    if isinstance(child, FileInfo):
                        yield child
                        continue
                    path = child.path.as_posix()
                    real = await asyncio.to_thread(os.path.realpath, store.native_path(path))
                    if any(f"{one}/".startswith(f"{real}/") for one in above):
                        warn(f"{opened.text_of(path)} leads back up; it is not entered")
                    else:
                        waiting.append((path, (*above, real)))
        except NotFound:
            continue  # removed since it was listed
        except RemoteStoreError as error:
            errors.append(error)
    if errors:
        errors[0].others = (*errors[0].others, *errors[1:])
        raise errors[0]
