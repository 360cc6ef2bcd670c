"""Backends that a program registers by itself."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.scripted import opened, scripted

from remote_store import (
    PluginError,
    StoreProfile,
    load_backend,
    register_backend,
    unregister_backend,
)
from remote_store.aio import open_store

pytestmark = pytest.mark.asyncio


async def test_register_backend_checks_its_arguments() -> None:
    """A name must be a URL scheme and a backend a class."""
    for name in ("", "a b", "1a", "ä", "a:b", "a", "a_b"):
        with pytest.raises(ValueError, match="URL scheme"):
            register_backend(name, object)
    with pytest.raises(TypeError, match="takes a name and a class"):
        register_backend("ab", object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes a name and a class"):
        register_backend(None, object)  # type: ignore[arg-type]


async def test_registered_class_wins_until_it_is_taken_back() -> None:
    """A registered class replaces an entry point's in this process only while it is registered."""
    cls = scripted()
    register_backend("memory", cls)
    assert load_backend("memory") is cls
    unregister_backend("memory")
    unregister_backend("memory")
    assert load_backend("memory") is not cls


async def test_a_registered_name_is_reached_in_any_case(backend: Any) -> None:
    """A URL's scheme has no case, so a registered name has none."""
    cls = scripted()
    register_backend("My-Store", cls)
    try:
        assert isinstance(opened(await open_store("my-store:")), cls)
        assert isinstance(opened(await open_store(StoreProfile("MY-STORE"))), cls)
    finally:
        unregister_backend("my-STORE")
    with pytest.raises(PluginError):
        load_backend("my-store")
