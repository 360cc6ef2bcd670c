"""The command `mkdir`."""

from __future__ import annotations

from typing import Annotated

import typer

from remote_store_cli._help import grouping
from remote_store_cli._opening import Opener
from remote_store_cli._outcome import EXPECTED, run
from remote_store_cli._settings import Stores
from remote_store_cli._transfer import Outcome

__all__ = ["mkdir"]


@grouping
def mkdir(
    locations: Annotated[list[str], typer.Argument(metavar="LOCATION", help="Folders to make.")],
    *,
    stores: Stores,
) -> None:
    """
    Make folders, and those above them; one that is there already is no error.

    Only a store whose folders are real can, such as a disk or a hierarchical
    account. In others a folder comes with the first file in it.
    """

    async def work() -> int | None:
        outcome = Outcome()
        async with Opener(locations, stores) as opener:
            for location in opener.locations:
                opened = await opener.open(location, create=True)
                try:
                    await opened.store.create_folder(opened.key)
                except EXPECTED as error:
                    outcome.fail(opened, "mkdir", error)
        return outcome.code

    run(work)
