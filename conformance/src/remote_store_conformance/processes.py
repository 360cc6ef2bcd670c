"""
Races between processes: each opens the same storage by URL, waits for the word,
and makes one call.

Run as a program this module is the racer: a line of JSON on its standard
input, ``ready``, a line that says go, and a line with its outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from remote_store.aio import open_store
from remote_store_conformance.expect import Hang, Unverified
from remote_store_conformance.trial import Trial

__all__ = ["ProcessOutcome", "race_processes"]


@frozen
class ProcessOutcome:
    """What a racing process got: ``"ok"`` or the name of the error's class."""

    outcome: str
    text: str = ""

    @property
    def won(self) -> bool:
        """True if nothing was raised."""
        return self.outcome == "ok"


async def race_processes(
    trial: Trial, calls: Sequence[tuple[str, dict[str, Any]]]
) -> list[ProcessOutcome]:
    """
    Let processes make one call each, all at the same moment.

    Args:
        trial: The run; its target must have a `url`.
        calls: Name of a method of the store, and its arguments by name; paths
            as in the trial's store, content as str.

    Raises:
        Unverified: No other process can open the target.
        Hang: A process does not end in time; it is killed.
    """
    if trial.target.url is None:
        msg = "no other process can open this target"
        raise Unverified(msg)
    url, options = trial.target.url(trial.scratch)
    # Below the URL's own root, which the prefix already holds.
    prefix = (
        trial.prefix.removeprefix(f"{trial.target.root}/") if trial.target.root else trial.prefix
    )
    racers = []
    try:
        for method, arguments in calls:
            order = {"url": url, "options": dict(options), "prefix": prefix}
            racers.append(await _start(order | {"method": method, "arguments": arguments}))
        limit = 20.0 + 5 * trial.patience
        return await asyncio.wait_for(_race(racers), limit)
    except TimeoutError:
        msg = f"{len(racers)} racing processes do not end within {limit:.0f} s"
        raise Hang(msg) from None
    finally:
        for racer in racers:
            with contextlib.suppress(ProcessLookupError):
                racer.kill()
            await racer.wait()


async def _start(order: dict[str, Any]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    racer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=pipe, stdout=pipe
    )
    assert racer.stdin is not None
    racer.stdin.write(json.dumps(order).encode() + b"\n")
    return racer


async def _race(racers: Sequence[asyncio.subprocess.Process]) -> list[ProcessOutcome]:
    for racer in racers:
        await _line(racer)
    for racer in racers:
        if racer.stdin is not None:
            racer.stdin.write(b"go\n")
    outcomes = []
    for racer in racers:
        answer = json.loads(await _line(racer))
        outcomes.append(ProcessOutcome(answer["outcome"], answer["text"]))
        if racer.stdin is not None:
            racer.stdin.close()
    return outcomes


async def _line(racer: asyncio.subprocess.Process) -> bytes:
    line = await racer.stdout.readline() if racer.stdout is not None else b""
    if not line:
        msg = f"a racing process ended without a word, with exit status {await racer.wait()}"
        raise Unverified(msg)
    return line


def _main() -> None:
    order = json.loads(sys.stdin.readline())
    answer = asyncio.run(_call(order))
    sys.stdout.write(json.dumps(answer) + "\n")


async def _call(order: dict[str, Any]) -> dict[str, str]:
    arguments = dict(order["arguments"])
    if "content" in arguments:
        arguments["content"] = arguments["content"].encode()
    async with open_store(order["url"], **order["options"]) as store:
        child = store.child(order["prefix"])
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        # Nothing else runs in this loop.
        sys.stdin.readline()
        try:
            await getattr(child, order["method"])(**arguments)
        except Exception as error:  # noqa: BLE001 - it is the outcome
            return {"outcome": type(error).__name__, "text": str(error)}
    return {"outcome": "ok", "text": ""}


if __name__ == "__main__":
    _main()
