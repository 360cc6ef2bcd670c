"""
Other processes that open the same storage by its URL: to race, or to be killed.

Run as a program this module is one of them: it gets a line of JSON on its
standard input that says what to do, and answers in lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from remote_store.aio import AsyncStore, open_store
from remote_store_conformance.contract.expect import Hang, Unverified
from remote_store_conformance.tools.sources import pattern

if TYPE_CHECKING:
    # Not in the other processes, which should be there at once.
    from remote_store_conformance.contract.trial import Trial

__all__ = ["Order", "ProcessOutcome", "Victim", "kill_writers", "race_processes"]

#: Name of a method of the store, and its arguments by name: paths as in the
#: trial's store, content as str.
Order: TypeAlias = tuple[str, Mapping[str, Any]]

#: Most seconds that a writer who is not held goes on before it is killed.
_RUN: Final = 0.05

_Process: TypeAlias = asyncio.subprocess.Process


@frozen
class ProcessOutcome:
    """What a racing process got: ``"ok"`` or the name of the error's class."""

    outcome: str
    text: str = ""

    @property
    def won(self) -> bool:
        """True if nothing was raised."""
        return self.outcome == "ok"


@frozen
class Victim:
    """
    A process that writes until it is killed.

    Args:
        method: ``"write"`` or ``"write_atomic"``.
        path: The file that it writes.
        sizes: Bytes of its versions, which are ``pattern(size, seed=number)``.
        held: It writes its last version as a stream that stops half-way, and
            is killed there. Otherwise it overwrites one version with the other
            until it is killed at any moment.
        overwrite: It replaces what is there.
    """

    method: str
    path: str
    sizes: tuple[int, ...]
    held: bool
    overwrite: bool = True


async def race_processes(
    trial: Trial, rounds: Sequence[Sequence[Order]]
) -> list[list[ProcessOutcome]]:
    """
    Let processes make one call each, all at the same moment, round after round.

    Args:
        trial: The run; its target must have a `url`.
        rounds: For each round the call of each process.

    Returns:
        For each round the outcome of each process.

    Raises:
        Unverified: No other process can open the target.
        Hang: A process does not end in time; it is killed.
    """
    orders = [{"calls": calls} for calls in zip(*rounds, strict=True)]
    outcomes: list[list[ProcessOutcome]] = []
    async with _processes(trial, orders) as racers:
        for _ in rounds:
            for racer in racers:
                _say(racer, "go")
            answers = [json.loads(await _line(racer)) for racer in racers]
            outcomes.append([ProcessOutcome(a["outcome"], a["text"]) for a in answers])
    return outcomes


async def kill_writers(trial: Trial, victims: Sequence[Victim]) -> None:
    """
    Let processes write, and kill them in the middle of it (SIGKILL).

    Args:
        trial: The run; its target must have a `url`.
        victims: What they do.

    Raises:
        Unverified: No other process can open the target, or one ends by itself.
        Hang: A process does not begin in time; it is killed.
    """
    orders = [
        {
            "method": victim.method,
            "path": victim.path,
            "sizes": victim.sizes,
            "held": victim.held,
            "overwrite": victim.overwrite,
        }
        for victim in victims
    ]
    async with _processes(trial, orders) as running:
        for victim, process in zip(victims, running, strict=True):
            await _line(process)
            if not victim.held:
                await asyncio.sleep(trial.rng.uniform(0, _RUN))
            process.kill()


@contextlib.asynccontextmanager
async def _processes(
    trial: Trial, orders: Iterable[Mapping[str, Any]]
) -> AsyncGenerator[list[_Process], None]:
    """Start a process for each order, all of them ready; afterwards none is left."""
    if trial.target.url is None:
        msg = "no other process can open this target"
        raise Unverified(msg)
    url, options = trial.target.url(trial.scratch)
    # Below the URL's own root, which the prefix already holds.
    root = trial.target.root
    prefix = trial.prefix.removeprefix(f"{root}/") if root else trial.prefix
    place = {"sys.path": sys.path, "url": url, "options": dict(options), "prefix": prefix}
    started: list[_Process] = []
    limit = 20.0 + 5 * trial.patience
    try:
        async with asyncio.timeout(limit):
            for order in orders:
                process = await _start(place | dict(order))
                started.append(process)
            for process in started:
                await _line(process)
            yield started
    except TimeoutError:
        msg = f"{len(started)} processes do not do their work within {limit:.0f} s"
        raise Hang(msg) from None
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            # Closes its pipes too, which would otherwise outlive the loop.
            await process.communicate()


async def _start(order: Mapping[str, Any]) -> _Process:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", __name__, stdin=pipe, stdout=pipe
    )
    _say(process, json.dumps(order))
    return process


def _say(process: _Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())


async def _line(process: _Process) -> bytes:
    line = await process.stdout.readline() if process.stdout is not None else b""
    if not line:
        msg = f"another process ended without a word, with exit status {await process.wait()}"
        raise Unverified(msg)
    return line


# In the other process -------------------------------------------------------


def _main() -> None:
    order = json.loads(sys.stdin.readline())
    # The plugin may come from a place that only the first process knows of.
    sys.path[:] = order["sys.path"]
    asyncio.run(_obey(order))


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _obey(order: dict[str, Any]) -> None:
    async with open_store(order["url"], **order["options"]) as opened:
        store = opened.child(order["prefix"])
        _tell("ready")
        if "calls" not in order:
            await _write_on(store, order)
        for method, arguments in order.get("calls", ()):
            # Nothing else runs in this loop.
            sys.stdin.readline()
            _tell(json.dumps(await _called(store, method, arguments)))


async def _called(store: AsyncStore, method: str, arguments: dict[str, Any]) -> dict[str, str]:
    if "content" in arguments:
        arguments["content"] = arguments["content"].encode()
    try:
        await getattr(store, method)(**arguments)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return {"outcome": type(error).__name__, "text": str(error)}
    return {"outcome": "ok", "text": ""}


async def _write_on(store: AsyncStore, order: dict[str, Any]) -> None:
    write = getattr(store, order["method"])
    contents = [pattern(size, seed=number) for number, size in enumerate(order["sizes"])]
    if order["held"]:
        await write(order["path"], _held(contents[-1]), overwrite=order["overwrite"])
    told = False
    while True:
        for content in contents:
            await write(order["path"], content, overwrite=True)
        if not told:
            _tell("writing")
            told = True


async def _held(content: bytes) -> AsyncIterator[bytes]:
    """Yield the first half of a content, say so, and wait for the end."""
    yield content[: len(content) // 4]
    yield content[len(content) // 4 : len(content) // 2]
    _tell("held")
    await asyncio.Event().wait()


if __name__ == "__main__":
    _main()
