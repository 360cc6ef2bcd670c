"""The sync store: a missing capability is told before anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.sync.reference import DictBackend, as_backend

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    Store,
)

GATED: list[tuple[str, Callable[[Store], Any], Capability]] = [
    ("read", lambda s: s.read(".."), Capability.READ),
    ("read_seekable", lambda s: s.read_seekable(".."), Capability.READ),
    ("read_bytes", lambda s: s.read_bytes(".."), Capability.READ),
    ("read_text", lambda s: s.read_text(".."), Capability.READ),
    ("write", lambda s: s.write("..", b""), Capability.WRITE),
    ("write_text", lambda s: s.write_text("..", ""), Capability.WRITE),
    ("write_atomic", lambda s: s.write_atomic("..", b""), Capability.ATOMIC_WRITE),
    ("open_atomic", lambda s: s.open_atomic("..").__enter__(), Capability.ATOMIC_WRITE),
    ("delete", lambda s: s.delete(".."), Capability.DELETE),
    ("delete_folder", lambda s: s.delete_folder(".."), Capability.DELETE),
    ("list_files", lambda s: list(s.list_files("..")), Capability.LIST),
    ("list_folders", lambda s: list(s.list_folders("..")), Capability.LIST),
    ("iter_children", lambda s: list(s.iter_children("..")), Capability.LIST),
    ("glob", lambda s: list(s.glob("..")), Capability.GLOB),
    ("move", lambda s: s.move("..", ".."), Capability.MOVE),
    ("copy", lambda s: s.copy("..", ".."), Capability.COPY),
    ("get_file_info", lambda s: s.get_file_info(".."), Capability.METADATA),
    ("head", lambda s: s.head(".."), Capability.METADATA),
    ("get_folder_info", lambda s: s.get_folder_info(".."), Capability.METADATA),
    ("depth", lambda s: s.get_folder_info("..", max_depth=1), Capability.LIST),
    ("metadata", lambda s: s.write("..", b"", metadata={"a": "b"}), Capability.USER_METADATA),
]


@pytest.mark.parametrize(("name", "call", "needed"), GATED, ids=[g[0] for g in GATED])
def test_gate_comes_before_path(
    backend: DictBackend, name: str, call: Callable[[Store], Any], needed: Capability
) -> None:
    """Without the capability an operation is refused first; with it the bad path is next."""
    backend.capabilities = CapabilitySet(set(Capability) - {needed})
    with pytest.raises(CapabilityNotSupported) as refused:
        call(Store(as_backend(backend)))
    assert refused.value.capability == needed.value

    backend.capabilities = CapabilitySet(Capability)
    with pytest.raises(InvalidPath):
        call(Store(as_backend(backend)))
    assert backend.calls == []


def test_atomic_write_needs_write_too(backend: DictBackend) -> None:
    """ATOMIC_WRITE without WRITE opens neither write_atomic nor open_atomic (CAP-007)."""
    backend.capabilities = CapabilitySet(set(Capability) - {Capability.WRITE})
    store = Store(as_backend(backend))
    for call in (lambda: store.write_atomic("n", b""), lambda: store.open_atomic("n").__enter__()):
        with pytest.raises(CapabilityNotSupported) as refused:
            call()
        assert refused.value.capability == "write"
