"""The command `sweep`: what killed processes have left behind, and nothing else."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Annotated, Any

from remote_store import CapabilityNotSupported
from remote_store_cli._commands import command
from remote_store_cli._console import remark
from remote_store_cli._failing import Failures
from remote_store_cli._opening import OpenedPath, Opener
from remote_store_cli._options import Said
from remote_store_cli._outcome import EXPECTED, InvalidCommand, describe, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._parameters import argument, option
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import age
from remote_store_cli._settings import Stores
from remote_store_cli._units import count

__all__ = ["sweep"]


@command
def sweep(
    locations: Annotated[tuple[str, ...], argument("LOCATION", nargs=-1, help="Folders to sweep.")],
    *,
    older_than: Annotated[
        str | None,
        option(
            "--older-than",
            metavar="AGE",
            help="Only what is older, such as 36h; a day if left out.",
        ),
    ] = None,
    said: Said,
    stores: Stores,
) -> None:
    """
    Remove what killed programs left below folders: temporary files, unfinished uploads.

    Nothing that a listing shows is touched. Which stores have such things, and
    what keeps those that are in use from being removed, is on the page of each backend.
    """

    async def work() -> int | None:
        limit = None if older_than is None else age("--older-than", older_than)
        failures = Failures()
        swept: list[dict[str, Any]] = []
        async with Opener(locations, stores) as opener:
            for location in opener.locations:
                opened = await opener.open(location)
                names: list[str] = []
                facts: dict[str, Any] = {"location": opened.text(), "leftovers": names}
                try:
                    async with showing(Meter("sweeping"), quiet=said.quiet):
                        facts["removed"] = await _sweep(opener, opened, limit, names, said)
                except EXPECTED as error:
                    failures.fail(opened, "sweep", error)
                    facts |= {"removed": len(names), "error": describe(error)}
                swept.append(facts)
                if not said.as_json:
                    _tell(facts, said)
        if said.as_json:
            shown = [{"action": "delete", "target": n} for f in swept for n in f["leftovers"]]
            emit_json(shown if said.dry_run else swept)
        elif said.dry_run and not said.quiet:
            total = sum(facts["removed"] for facts in swept)
            remark(f"dry run: {count(total, 'leftover')}; nothing was done")
        return failures.code

    run(work)


def _tell(facts: dict[str, Any], said: Said) -> None:
    for name in facts["leftovers"]:
        if said.dry_run:
            emit(f"delete  {'-':>10}  {name}")
        elif said.verbose:
            remark(f"removed  {name}")
    if not (said.dry_run or said.quiet or "error" in facts):
        remark(f"{facts['location']}: removed {count(facts['removed'], 'leftover')}")


async def _sweep(
    opener: Opener, opened: OpenedPath, limit: timedelta | None, names: list[str], said: Said
) -> int:
    """
    Let a backend sweep a folder; return how many things it removed, or would.

    Args:
        opener: Of the command.
        opened: The folder.
        limit: Only what is older.
        names: Gets where each thing was, as far as the backend tells.
        said: Whether it is only to be looked at.

    Raises:
        InvalidCommand: It has no such call, or does not take what was asked for.
    """
    text = opened.text()
    try:
        backend: Any = opened.store.unwrap(opener.plugin_class(opened.location))
    except CapabilityNotSupported:
        backend = None
    call = getattr(backend, "sweep", None)
    if call is None:
        msg = f"{text} is in a store that leaves nothing to be swept; leave it out"
        raise InvalidCommand(msg)
    takes = inspect.signature(call).parameters
    if limit is not None and "older_than" not in takes:
        msg = f"the store of {text} decides by itself what is old; leave out --older-than"
        raise InvalidCommand(msg)
    if said.dry_run and "dry_run" not in takes:
        msg = f"the store of {text} cannot look without removing; leave out --dry-run"
        raise InvalidCommand(msg)
    # The backend's paths begin at its own root.
    path = backend.to_key(opened.store.native_path(opened.key))
    above = len(path) + 1 if path else 0
    options: dict[str, Any] = {
        "older_than": limit,
        "dry_run": said.dry_run,
        "found": lambda key: names.append(opened.text(key[above:])),
    }
    asked = call(path, **{k: v for k, v in options.items() if k in takes and v is not None})
    removed: int = await asked if inspect.isawaitable(asked) else asked
    return removed
