"""The command `signed-url`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from remote_store import Capability, CapabilityNotSupported
from remote_store_cli._commands import command
from remote_store_cli._opening import Opener
from remote_store_cli._options import JsonOutput
from remote_store_cli._outcome import InvalidCommand, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._parameters import argument, flag, option
from remote_store_cli._selection import age
from remote_store_cli._settings import Stores
from remote_store_cli._units import iso_time

__all__ = ["signed_url"]


@command
def signed_url(
    locations: Annotated[tuple[str, ...], argument("LOCATION", nargs=-1, help="Files.")],
    *,
    expires: Annotated[
        str,
        option("--expires", metavar="AGE", help="How long it works: 15m, 1h, 7d."),
    ] = "1h",
    put: Annotated[
        bool, flag("--put", help="To write the file, and replace it, instead of reading it.")
    ] = False,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """
    Print a URL by which anybody who has it may read a file, or write it, by plain HTTP.

    Whether the file is there is not looked at. Such a URL is a secret as long
    as it works.
    """
    method: Literal["GET", "PUT"] = "PUT" if put else "GET"

    async def work() -> None:
        span = age("--expires", expires)
        found = []
        async with Opener(locations, stores) as opener:
            for location in opener.locations:
                opened = await opener.open(location)
                if not opened.key:
                    msg = f"{opened.text()} is a folder, and a URL is signed for one file"
                    raise InvalidCommand(msg)
                if not opened.store.supports(Capability.SIGNED_URL):
                    msg = (
                        f"{opened.text()} is in a store without signed URLs; "
                        "cp can take it to one that has them"
                    )
                    raise CapabilityNotSupported(msg, capability=Capability.SIGNED_URL.value)
                until = datetime.now(UTC) + span
                url = await opened.store.signed_url(opened.key, expires=span, method=method)
                found.append((opened.text(), url, until))
        if as_json:
            emit_json(
                [
                    {"location": text, "url": url, "method": method, "expires": iso_time(until)}
                    for text, url, until in found
                ]
            )
        else:
            for _, url, _ in found:
                emit(url)

    run(work)
