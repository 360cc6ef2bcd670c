"""The command `cat`."""

from __future__ import annotations

from typing import Annotated

from remote_store_cli._commands import command
from remote_store_cli._opening import Opener
from remote_store_cli._outcome import run
from remote_store_cli._parameters import argument
from remote_store_cli._settings import Stores
from remote_store_cli._streams import to_stdout

__all__ = ["cat"]


@command
def cat(
    locations: Annotated[tuple[str, ...], argument("LOCATION", nargs=-1, help="Files.")],
    *,
    stores: Stores,
) -> None:
    """Write the bytes of files to standard output, one after the other."""

    async def work() -> None:
        async with Opener(locations, stores) as opener:
            for location in opener.locations:
                await to_stdout(await opener.open(location))

    run(work)
