"""What a location may become when a key is pressed; no file of this machine, which shells know."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from remote_store import FolderEntry, list_backends
from remote_store_cli._opening import Opener
from remote_store_cli._settings import Stores

__all__ = ["locations"]

#: Seconds that a store has to answer a key press.
_PATIENCE: Final = 3.0
#: Names that are offered at most.
_MOST: Final = 500


def locations(word: str, config: str | None, options: list[str]) -> Iterable[str]:
    """
    Return what a location may become; nothing for a path of this machine.

    Args:
        word: Its beginning.
        config: Value of ``--config`` in the line.
        options: Values of ``--option`` in the line.

    Raises:
        Exception: Whatever opening and listing a store, or reading the file, raises.
    """
    config = config or os.environ.get("REMOTE_STORE_CONFIG")
    if word.startswith("@") and "/" not in word:
        return [f"@{name}/" for name in _stores(config)]
    if "://" not in word and not word.startswith("@"):
        return [] if not word or "/" in word else [f"{one.name}://" for one in list_backends()]
    folder, slash, _ = word.rpartition("/")
    if folder.endswith(":/"):  # the host is being written
        return []
    return asyncio.run(_children(folder + slash, Path(config) if config else None, options))


def _stores(config: str | None) -> list[str]:
    if not config:
        return []
    return list(tomllib.loads(Path(config).read_text("utf-8-sig")).get("stores", {}))


async def _children(folder: str, config: Path | None, options: list[str]) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(_PATIENCE):
        async with Opener([folder], Stores(config, options)) as opener:
            opened = await opener.open(opener.locations[0])
            async with contextlib.aclosing(opened.store.iter_children(opened.key)) as children:
                async for child in children:
                    name = folder + opened.location.below(child.name).rpartition("/")[2]
                    found.append(f"{name}/" if isinstance(child, FolderEntry) else name)
                    if len(found) >= _MOST:
                        break
    return found
