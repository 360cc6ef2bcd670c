"""The command `sweep`: what killed processes have left behind, and nothing else."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Annotated, Any

import typer

from remote_store import CapabilityNotSupported
from remote_store_cli._codes import FAILED
from remote_store_cli._console import remark
from remote_store_cli._opening import OpenedPath, Opener
from remote_store_cli._outcome import EXPECTED, InvalidCommand, complain_of, describe, run
from remote_store_cli._output import emit_json
from remote_store_cli._selection import age
from remote_store_cli._settings import BackendOption, ConfigFile, JsonOutput
from remote_store_cli._transfer import count

__all__ = ["sweep"]


def sweep(
    locations: Annotated[list[str], typer.Argument(metavar="LOCATION", help="Folders to sweep.")],
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Only what is older, such as 36h; a day if left out.",
        ),
    ] = None,
    as_json: JsonOutput = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """
    Remove what killed programs left below folders: temporary files, unfinished uploads.

    Nothing that a listing shows is touched. Which stores have such things, and
    what keeps those that are in use from being removed, is on the page of each backend.
    """

    async def work() -> int | None:
        limit = None if older_than is None else age("--older-than", older_than)
        swept: list[dict[str, Any]] = []
        failed = False
        async with Opener(locations, config, option) as opener:
            for location in opener.locations:
                opened = await opener.open(location)
                try:
                    removed = await _swept(opener, opened, limit)
                except InvalidCommand:
                    raise
                except EXPECTED as error:
                    failed = True
                    complain_of(error)
                    swept.append({"location": opened.text(), "error": describe(error)})
                else:
                    swept.append({"location": opened.text(), "removed": removed})
                    if not as_json:
                        remark(f"{opened.text()}: removed {count(removed, 'leftover')}")
        if as_json:
            emit_json(swept)
        return FAILED if failed else None

    run(work)


async def _swept(opener: Opener, opened: OpenedPath, limit: timedelta | None) -> int:
    """
    Let a backend sweep a folder; return how many things it removed.

    Raises:
        InvalidCommand: It has no such call, or takes no age.
    """
    text = opened.text()
    try:
        backend: Any = opened.store.unwrap(opener.plugin_class(opened.location))
    except CapabilityNotSupported:
        backend = None
    call = getattr(backend, "sweep", None)
    if call is None:
        msg = f"{text} is in a store that leaves nothing to be swept"
        raise InvalidCommand(msg)
    options: dict[str, Any] = {}
    if limit is not None:
        if "older_than" not in inspect.signature(call).parameters:
            msg = f"the store of {text} decides by itself what is old; leave out --older-than"
            raise InvalidCommand(msg)
        options["older_than"] = limit
    # The backend's paths begin at its own root.
    path = backend.to_key(opened.store.native_path(opened.key))
    found = call(path, **options)
    removed: int = await found if inspect.isawaitable(found) else found
    return removed
