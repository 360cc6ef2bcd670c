"""The command `cat`."""

from __future__ import annotations

from typing import Annotated

import typer

from remote_store_cli._opening import Opener
from remote_store_cli._outcome import run
from remote_store_cli._settings import BackendOption, ConfigFile
from remote_store_cli._streams import to_stdout

__all__ = ["cat"]


def cat(
    locations: Annotated[list[str], typer.Argument(metavar="LOCATION", help="Files.")],
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """Write the bytes of files to standard output, one after the other."""

    async def work() -> None:
        async with Opener(locations, config, option) as opener:
            for location in opener.locations:
                await to_stdout(await opener.open(location))

    run(work)
