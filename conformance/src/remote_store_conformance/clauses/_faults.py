"""The proxy that FAULT and LIFE clauses break the traffic with."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from remote_store_conformance.contract import Trait
from remote_store_conformance.expect import Inapplicable, Unverified
from remote_store_conformance.trial import Trial
from remote_store_conformance.wire import Fault, Wire

__all__ = ["broken", "cut", "needs_wire"]

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

    Args:
        t: The run.
        fault: The fault.
        always: It must have happened when the block ends.

    Raises:
        Unverified: It did not.
    """
    wire = needs_wire(t)
    await cut(wire)
    wire.break_with(fault)
    try:
        yield wire
    finally:
        hits = wire.hits
        await cut(wire)
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
