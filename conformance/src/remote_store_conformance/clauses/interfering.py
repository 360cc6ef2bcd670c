"""FAULT: what somebody else does between a request that is lost and the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Final, Literal

from remote_store import Capability, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Unverified, expect
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.targets.proxy import Fault
from remote_store_conformance.tools.faults import Outcome, broken, make, needs_wire
from remote_store_conformance.tools.operations import Form, Operation, Scene, declared
from remote_store_conformance.tools.scenes import look, set_scene, shown_state
from remote_store_conformance.tools.sources import pattern

C = Capability

_MIB: Final = 1 << 20

#: Requests of one call that are lost, one after the other.
_REQUESTS: Final = 6

#: Ends of a connection.
_BREAKS: Final[tuple[Literal["reset", "truncate"], ...]] = ("reset", "truncate")

_FOREIGN: Final = b"somebody else's"


class _Meanwhile:
    """
    Something that is done, in the loop of the check, when a fault happens.

    Args:
        call: Does it.
    """

    def __init__(self, call: Callable[[], Awaitable[object]]) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        #: It was done without an error.
        self.done = False

    def begin(self) -> Future[None]:
        """Begin it, from another thread."""
        return asyncio.run_coroutine_threadsafe(self._do(), self._loop)

    async def _do(self) -> None:
        try:
            await self._call()
        except RemoteStoreError:
            # The call that is checked was faster, so nothing interferes with it.
            return
        self.done = True


def _was_there(t: Trial, times: int) -> None:
    """State that something has been shown: that the other client was the faster one."""
    t.note(interfered=times)
    if not times:
        msg = "no other client could do anything between a request that was lost and the next one"
        raise Unverified(msg)


@clause(
    "FAULT-013",
    "A change whose request was lost, and whose path another client has taken meanwhile, does not "
    "report the other's work as its own, and does not overwrite it.",
    intent="Of two programs that both believe to have made the file, one has lost its data.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    only=[Trait.PERSISTENT],
    seconds=240,
)
async def foreign_file(t: Trial) -> None:
    needs_wire(t)
    other = t.store_over(await t.another())
    await other.exists("")

    def taken(scene: Scene) -> Callable[[], Awaitable[object]]:
        return lambda: other.write(scene.free, _FOREIGN)

    times = 0
    for op in declared(t, Form.WRITE, Form.TRANSFER):
        if op.target != "free":
            continue
        for number in range(1, _REQUESTS + 1):
            outcome, meanwhile, hit = await _lost(t, op, number, taken)
            if not hit:
                break
            if not meanwhile.done:
                continue
            times += 1
            what = f"{op} whose request {number} was lost while another client made the file"
            _is_an_error(outcome, what)
            left = await look(t, outcome.scene)
            expected = {**outcome.scene.state, outcome.scene.free: _FOREIGN}
            expect(
                left == expected,
                f"{what} changed the other's file, or its own source",
                observed=shown_state(left),
                expected=shown_state(expected),
                outcome=outcome.said,
            )
    _was_there(t, times)


@clause(
    "FAULT-014",
    "A move or copy whose request was lost, and whose source another client has deleted meanwhile, "
    "returns only if the file is at its target.",
    intent="A source that is gone is no proof that one's own move has worked.",
    requires=[C.WRITE, C.DELETE],
    needs=[Need.PEEK],
    only=[Trait.PERSISTENT],
    seconds=120,
)
async def source_gone(t: Trial) -> None:
    needs_wire(t)
    other = t.store_over(await t.another())
    await other.exists("")

    def deleted(scene: Scene) -> Callable[[], Awaitable[object]]:
        return lambda: other.delete(scene.file)

    times = 0
    for op in declared(t, Form.TRANSFER):
        for number in range(1, _REQUESTS + 1):
            outcome, meanwhile, hit = await _lost(t, op, number, deleted)
            if not hit:
                break
            if not meanwhile.done:
                continue
            times += 1
            what = f"{op} whose request {number} was lost while another client deleted its source"
            # A copy that had read it already is as good as before.
            gone = {outcome.scene.file: None}
            left = await look(t, outcome.scene)
            done = {**outcome.after, **gone}
            if outcome.worked:
                expect(
                    left == done,
                    f"{what} returned, but its effect is not there",
                    observed=shown_state(left),
                    expected=shown_state(done),
                )
                continue
            _is_an_error(outcome, what)
            allowed = [{**outcome.scene.state, **gone}, *([done] if outcome.unknown else [])]
            expect(
                left in allowed,
                f"{what} left something else than its error says",
                observed=f"{outcome.said}; {shown_state(left)}",
                expected=" or ".join(map(shown_state, allowed)),
            )
    if declared(t, Form.TRANSFER):
        _was_there(t, times)


async def _lost(
    t: Trial,
    op: Operation,
    number: int,
    change: Callable[[Scene], Callable[[], Awaitable[object]]],
) -> tuple[Outcome, _Meanwhile, bool]:
    """Make a call one of whose requests is lost; also whether that happened."""
    scene = await set_scene(t, op)
    meanwhile = _Meanwhile(change(scene))
    # No answer, and nothing of the request has passed.
    fault = Fault("answer", skip=number - 1, meanwhile=meanwhile.begin)
    async with broken(t, fault, always=False) as wire:
        outcome = await make(t, op, scene)
        hit = bool(wire.hits)
    return outcome, meanwhile, hit


def _is_an_error(outcome: Outcome, what: str) -> None:
    expect(
        isinstance(outcome.error, RemoteStoreError),
        f"{what} did not raise an error of the store's own kind",
        observed=outcome.said,
        expected="RemoteStoreError",
    )


@clause(
    "FAULT-015",
    "A read whose connection breaks while another client replaces the file gives one version, "
    "whole, or raises.",
    intent="The beginning of one version and the end of another are a file that never was.",
    requires=[C.READ, C.WRITE],
    only=[Trait.PERSISTENT],
    seconds=60,
)
async def one_version(t: Trial) -> None:
    needs_wire(t)
    other = t.store_over(await t.another())
    size = min(2 * _MIB, t.target.max_object)
    # Of equal size, so that no length gives them away.
    old, new = pattern(size, seed=1), pattern(size, seed=2)
    for name, read in _reads().items():
        for kind in _BREAKS:
            path = await t.seed_file(t.name(), old)
            meanwhile = _Meanwhile(_replacement(other, path, new))
            fault = Fault(kind, "down", after=size // 3, meanwhile=meanwhile.begin)
            value: bytes | None = None
            error: Exception | None = None
            async with broken(t, fault):
                try:
                    value = await read(t.store, path)
                except Exception as raised:  # noqa: BLE001 - judged below
                    error = raised
            what = f"a {name} whose connection broke ({kind}) while the file was replaced"
            expect(
                value in (old, new) or isinstance(error, RemoteStoreError),
                f"{what} gave neither the old version nor the new one",
                observed=repr(error) if error else f"{len(value or b'')} bytes",
                expected=f"all {size} bytes of one version, or an error",
            )


def _reads() -> dict[str, Callable[[AsyncStore, str], Awaitable[bytes]]]:
    async def joined(store: AsyncStore, path: str) -> bytes:
        return b"".join(await collect(store.read(path)))

    return {"read": joined, "read_bytes": lambda store, path: store.read_bytes(path)}


def _replacement(store: AsyncStore, path: str, content: bytes) -> Callable[[], Awaitable[object]]:
    return lambda: store.write(path, content, overwrite=True)
