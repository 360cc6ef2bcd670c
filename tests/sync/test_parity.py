"""The sync and the async API are the same but for what waiting makes different."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from remote_store import CONTRACT, AsyncBackendSyncAdapter, Backend, Capability, Registry, Store
from remote_store.aio import AsyncBackend, AsyncRegistry, AsyncStore, SyncBackendAdapter

PAIRS = [
    (Store, AsyncStore, {"read_seekable", "open_atomic"}),
    (Backend, AsyncBackend, {"read_seekable", "open_atomic"}),
    (Registry, AsyncRegistry, set()),
    (AsyncBackendSyncAdapter, SyncBackendAdapter, {"read_seekable", "open_atomic"}),
]


def methods(cls: type[Any]) -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        if inspect.isfunction(member) and (not name.startswith("_") or name == "__init__"):
            found[{"aclose": "close"}.get(name, name)] = member
    return found


def shape(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


@pytest.mark.parametrize(("sync", "asynchronous", "extra"), PAIRS)
def test_same_methods_with_the_same_parameters(
    sync: type[Any], asynchronous: type[Any], extra: set[str]
) -> None:
    """Names, kinds and defaults of all parameters agree (CAP-014)."""
    ours, theirs = methods(sync), methods(asynchronous)
    # Object.__init__ and the adapters' extra arguments are their own business.
    own = {"__init__", "close"} if "Adapter" in sync.__name__ else set()

    assert set(ours) - extra == set(theirs)
    assert len(theirs) > 5 or sync is Registry
    different = {n for n in set(theirs) - own if shape(ours[n]) != shape(theirs[n])}
    assert not different


def test_same_mandatory_members() -> None:
    """What a sync backend must define is what an async one must, and open_atomic."""
    sync = Backend.__abstractmethods__
    asynchronous = AsyncBackend.__abstractmethods__

    assert sync == asynchronous | {"open_atomic"}


@pytest.mark.parametrize(
    "cls", [Store, Backend, Registry, AsyncBackendSyncAdapter, SyncBackendAdapter]
)
def test_every_public_method_has_a_docstring(cls: type[Any]) -> None:
    """No public method goes unexplained."""
    assert [name for name, f in methods(cls).items() if not f.__doc__ and name[0] != "_"] == []


@pytest.mark.parametrize("protocol", [Backend, AsyncBackend])
def test_optional_attributes_have_defaults(protocol: Any) -> None:
    """A class that inherits from a protocol has what a reader of backends looks for."""
    assert set(protocol.CAPABILITIES) == set(Capability)
    assert (protocol.CONTRACT, CONTRACT) == ("1.0", "1.1")  # what says nothing is old
    assert protocol.SECRET_OPTIONS == protocol.public_options == frozenset()
    assert protocol.close_is_terminal is False
