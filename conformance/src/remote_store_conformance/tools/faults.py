"""The proxy that FAULT and LIFE clauses break the traffic with, and the truth after a fault."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Final

from attrs import frozen

from remote_store import Capability, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.expect import Inapplicable, Unverified, expect
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.targets.proxy import Fault, Wire
from remote_store_conformance.tools.operations import CHANGING, Operation, Scene, State
from remote_store_conformance.tools.scenes import look, shown_state
from remote_store_conformance.tools.sources import Source

__all__ = ["Outcome", "broken", "cut", "make", "needs_wire", "tell_the_truth"]

#: Seconds in which a loop notices that the other side has closed a connection.
_NEWS: Final = 0.02


def needs_wire(t: Trial) -> Wire:
    """
    Return the proxy in front of the target's service.

    Raises:
        Inapplicable: There is no service.
        Unverified: The kit does not stand in front of it.
    """
    if t.wire is None:
        msg = (
            "the target offers no wire whose traffic could be broken: it states no endpoint, or "
            "its backend does not connect to the address in Scratch.endpoint"
        )
        raise (Inapplicable if t.is_a(Trait.LOCAL) else Unverified)(msg)
    return t.wire


@contextlib.asynccontextmanager
async def broken(t: Trial, fault: Fault, *, always: bool = True) -> AsyncGenerator[Wire, None]:
    """
    Let a fault happen to the connections of a block, and heal afterwards.

    Connections are closed only where a fault is about new ones or leaves them useless:
    a backend must be given time to notice, and hundreds of faults happen in a run.

    Args:
        t: The run.
        fault: The fault.
        always: It must have happened when the block ends.

    Raises:
        Unverified: It did not.
    """
    wire = needs_wire(t)
    if fault.kind == "refuse" or fault.after:
        # Of an open connection the proxy refuses nothing, and has counted bytes already.
        await cut(wire)
    wire.break_with(fault)
    try:
        yield wire
    finally:
        hits = wire.hits
        if fault.kind == "stall":
            await cut(wire)
        else:
            wire.heal()
    # Connections that are refused are not counted: no traffic gets so far.
    if always and not hits and fault.kind != "refuse":
        msg = f"the fault did not happen on the wire: {fault.kind} after {fault.after} bytes"
        raise Unverified(msg)


async def cut(wire: Wire) -> None:
    """Heal the wire and close its connections, and let the backend's loop learn of it."""
    wire.clear()
    # A connection that waits in a pool would be taken for an open one, and the
    # next call would meet a fault that this kit has not announced.
    await asyncio.sleep(_NEWS)


@frozen
class Outcome:
    """
    What came of one call.

    Args:
        op: The call.
        scene: What it was made on.
        data: The content that it was given.
        value: What it returned.
        error: What it raised.
    """

    op: Operation
    scene: Scene
    data: bytes
    value: Any = None
    error: Exception | None = None

    @property
    def said(self) -> str:
        """What it returned or raised, as text."""
        error = self.error
        return (
            f"it returned {self.value!r}" if error is None else f"{type(error).__name__}: {error}"
        )

    @property
    def after(self) -> State:
        """What must be there when it has worked."""
        return self.op.after(self.scene, self.data)

    @property
    def worked(self) -> bool:
        """True if it did what it does in a scene that is as it was set."""
        refused = self.op.refuses
        return self.error is None if refused is None else isinstance(self.error, refused)

    @property
    def unknown(self) -> bool:
        """True if its error says that it may have taken effect."""
        return isinstance(self.error, RemoteStoreError) and self.error.outcome_unknown


async def make(
    t: Trial,
    op: Operation,
    scene: Scene,
    *,
    store: AsyncStore | None = None,
    source: Source | None = None,
) -> Outcome:
    """
    Make one call, and return what came of it.

    Args:
        t: The run.
        op: The call.
        scene: What it is made on.
        store: Where; in the run's own store by default.
        source: The content that it is given; something small by default.
    """
    source = source or Source()
    try:
        value = await op.perform(store or t.store, scene, source)
    except Exception as error:  # noqa: BLE001 - judged by the caller
        return Outcome(op, scene, source.data, error=error)
    if op.method == "read":
        # How many chunks there are depends on the network.
        value = b"".join(value)
    return Outcome(op, scene, source.data, value)


async def tell_the_truth(t: Trial, outcome: Outcome, what: str) -> None:
    """
    State that a call which changes something left what it says.

    Args:
        t: The run.
        outcome: What came of it.
        what: The call and what happened to it, for messages.

    Raises:
        Violation: It returned and its effect is not there; it raised and left
            neither the old nor the new, or the new without a word.
    """
    op, scene = outcome.op, outcome.scene
    if op.form not in CHANGING or not t.can(Need.PEEK):
        return
    left = await look(t, scene)
    if outcome.worked:
        expect(
            left == outcome.after,
            f"{what} returned, but its effect is not there",
            observed=shown_state(left),
            expected=shown_state(outcome.after),
        )
        await _has_its_metadata(t, outcome, what)
        return
    allowed = op.allowed(t, scene, outcome.data)
    expect(
        left in allowed,
        f"{what} left neither what was there nor what it was to leave",
        observed=shown_state(left),
        expected=" or ".join(shown_state(state) for state in allowed),
        outcome=outcome.said,
    )
    expect(
        left == scene.state or outcome.unknown,
        f"{what} had an effect, and its error does not say so: outcome_unknown is False",
        observed=f"{outcome.said}; {shown_state(left)}",
        expected="outcome_unknown, or what was there before",
    )


async def _has_its_metadata(t: Trial, outcome: Outcome, what: str) -> None:
    op = outcome.op
    if not op.metadata or op.target is None or not t.declares(Capability.METADATA):
        return
    info = await t.store.get_file_info(getattr(outcome.scene, op.target))
    expect(
        info.metadata == op.metadata,
        f"{what} returned, but the user metadata are not those that were given",
        observed=info.metadata,
        expected=dict(op.metadata),
    )
