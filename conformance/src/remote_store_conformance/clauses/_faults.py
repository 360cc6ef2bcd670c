"""The proxy that FAULT and LIFE clauses break the traffic with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from remote_store_conformance.contract import Trait
from remote_store_conformance.expect import Inapplicable, Unverified
from remote_store_conformance.trial import Trial
from remote_store_conformance.wire import Fault, Wire

__all__ = ["broken", "needs_wire"]


def needs_wire(t: Trial) -> Wire:
    """
    Return the proxy in front of the target's service.

    Raises:
        Inapplicable: There is no service.
        Unverified: The kit does not stand in front of it.
    """
    if t.wire is None:
        msg = "the target offers no wire (no endpoint) whose traffic could be broken"
        raise (Inapplicable if t.is_a(Trait.LOCAL) else Unverified)(msg)
    return t.wire


@contextlib.contextmanager
def broken(t: Trial, fault: Fault, *, always: bool = True) -> Iterator[Wire]:
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
    wire.clear()
    wire.break_with(fault)
    try:
        yield wire
    finally:
        hits = wire.hits
        wire.clear()
    # Connections that are refused are not counted: no traffic gets so far.
    if always and not hits and fault.kind != "refuse":
        msg = f"the fault did not happen on the wire: {fault.kind} after {fault.after} bytes"
        raise Unverified(msg)
