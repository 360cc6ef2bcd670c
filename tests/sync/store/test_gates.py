"""The sync store: a missing capability is told before anything else."""

from __future__ import annotations

import pytest
from tests.operations import (
    OPERATIONS,
    OPERATIONS_OF_STORES,
    OPERATIONS_OF_SYNC,
    Kind,
    Operation,
    Paths,
    finish,
)
from tests.sync.reference import DictBackend, as_backend

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    Store,
)

#: Each operation with each capability that it needs.
GATED = [
    (operation, gate)
    for table in (OPERATIONS, OPERATIONS_OF_SYNC, OPERATIONS_OF_STORES)
    for operation in table.values()
    for gate in operation.needs
    # The reference is of contract 1.0: see tests/contract/test_create_folder.py.
    if operation.method != "create_folder"
] + [
    (Operation("write", Kind.WRITE, ("free",), (), (b"",), {"metadata": {"a": "b"}}), gate)
    for gate in (Capability.USER_METADATA, Capability.WRITE)
]


@pytest.mark.parametrize(("call", "needed"), GATED, ids=[f"{c.name}: {n}" for c, n in GATED])
def test_gate_comes_before_path(backend: DictBackend, call: Operation, needed: Capability) -> None:
    """Without the capability an operation is refused first; with it the bad path is next."""
    bad = Paths.all("..")
    backend.capabilities = CapabilitySet(set(Capability) - {needed})
    with pytest.raises(CapabilityNotSupported) as refused:
        finish(call(Store(as_backend(backend)), bad))
    assert refused.value.capability == needed.value

    backend.capabilities = CapabilitySet(Capability)
    with pytest.raises(InvalidPath):
        finish(call(Store(as_backend(backend)), bad))
    assert backend.calls == []


def test_atomic_write_needs_write_too(backend: DictBackend) -> None:
    """ATOMIC_WRITE without WRITE opens neither write_atomic nor open_atomic (CAP-007)."""
    backend.capabilities = CapabilitySet(set(Capability) - {Capability.WRITE})
    store = Store(as_backend(backend))
    for call in (lambda: store.write_atomic("n", b""), lambda: store.open_atomic("n").__enter__()):
        with pytest.raises(CapabilityNotSupported) as refused:
            call()
        assert refused.value.capability == "write"
