"""The command `mkdir`."""

from __future__ import annotations

import contextlib
from typing import Annotated

from remote_store import Capability, InvalidPath, NotFound
from remote_store.authoring import ancestor_is_file, is_a_file
from remote_store_cli._commands import command
from remote_store_cli._console import remark
from remote_store_cli._failing import Failures
from remote_store_cli._location import Location
from remote_store_cli._opening import Opener
from remote_store_cli._options import Said
from remote_store_cli._outcome import EXPECTED, InvalidCommand, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._parameters import argument
from remote_store_cli._settings import Stores
from remote_store_cli._units import count

__all__ = ["mkdir"]


@command
def mkdir(
    locations: Annotated[tuple[str, ...], argument("LOCATION", nargs=-1, help="Folders to make.")],
    *,
    said: Said,
    stores: Stores,
) -> None:
    """
    Make folders, and those above them; one that is there already is no error.

    Only a store whose folders are real can, such as a disk or a hierarchical
    account. In others a folder comes with the first file in it.
    """

    async def work() -> int | None:
        failures = Failures()
        made: list[str] = []
        async with Opener(locations, stores) as opener:
            for location in opener.locations:  # all are understood before the first is made
                with contextlib.suppress(NotFound):
                    await opener.open(location)
            for location in opener.locations:
                if said.dry_run:
                    try:
                        if not await _is_there(opener, location):
                            made.append(location.text)
                    except InvalidPath as error:
                        failures.fail(location.text, "mkdir", error)
                    continue
                opened = await opener.open(location, create=True)
                try:
                    await opened.store.create_folder(opened.key)
                except EXPECTED as error:
                    failures.fail(opened, "mkdir", error)
                else:
                    made.append(location.text)
        _tell(made, failures, said)
        return failures.code

    run(work)


async def _is_there(opener: Opener, location: Location) -> bool:
    """
    Return True if a folder exists.

    Raises:
        InvalidCommand: No folder can be made in that store.
        InvalidPath: A file is there, or above it.
    """
    try:
        opened = await opener.open(location)
    except NotFound:
        return False
    if not opened.store.supports(Capability.CREATE_FOLDER):
        msg = f"{location.text}: a folder comes there with the first file in it; copy one to it"
        raise InvalidCommand(msg)
    there = opened.key
    while there and not await opened.store.is_folder(there):
        if await opened.store.is_file(there):
            refused = is_a_file if there == opened.key else ancestor_is_file
            raise refused(opened.key, opened.store.resolve("").backend)
        there = there.rpartition("/")[0]
    return there == opened.key and bool(there or await opened.store.is_folder(""))


def _tell(made: list[str], failures: Failures, said: Said) -> None:
    if said.as_json:
        shown = [{"action": "mkdir", "target": text} for text in made]
        emit_json(shown if said.dry_run else {"made": made, "failures": failures.failures})
        return
    for text in made:
        if said.dry_run:
            emit(f"mkdir   {'-':>10}  {text}")
        elif said.verbose:
            remark(f"made  {text}")
    if said.dry_run and not said.quiet:
        remark(f"dry run: {count(len(made), 'folder')}; nothing was done")
