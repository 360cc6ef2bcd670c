"""When a store is asked to copy many files in one call, and through which side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from remote_store import (
    Backend,
    CapabilityNotSupported,
    NotFound,
    RemoteStoreError,
    Store,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store_memory import MemoryBackend
from remote_store_transfer._shortcuts import copies_many_from
from remote_store_transfer._sync.blocking import as_async_stores

Results = Sequence[WriteResult | RemoteStoreError | None]


class _Copying(MemoryBackend):
    """Copies what is there, and tells of what it was asked for."""

    asked: Sequence[tuple[str, str]] = ()

    def copy_many_from(self, source: Backend, pairs: Sequence[tuple[str, str]]) -> Results:
        assert isinstance(source, MemoryBackend)
        self.asked = pairs
        return [NotFound("x") if "none" in src else None for src, _ in pairs]


def _own(store: type[Any], *names: str) -> type[Any]:
    """Return a class of stores with members of its own, each as it was."""
    return type("Own", (store,), {name: getattr(store, name) for name in names})


@pytest.mark.parametrize("kind", [AsyncStore, Store])
@pytest.mark.parametrize(
    ("names", "as_source", "as_target"),
    [
        ((), True, True),
        (("list_files",), True, True),
        (("read",), False, True),
        (("open",), False, True),
        (("write",), True, False),
        (("copy_from",), False, False),
        (("write", "read", "copy_from", "copy_many_from"), True, True),
    ],
)
def test_what_a_program_has_put_around_a_store_is_not_passed_by(
    kind: type[Any], names: tuple[str, ...], as_source: bool, as_target: bool
) -> None:
    """A class with reading, writing or copying of its own is asked for each file."""
    plain, own = kind(MemoryBackend()), _own(kind, *names)(MemoryBackend())
    assert copies_many_from(plain, plain)
    assert copies_many_from(plain, own) is as_source
    assert copies_many_from(own, plain) is as_target


@pytest.mark.asyncio
async def test_sync_stores_are_asked_through_their_async_face() -> None:
    """In one call, below their roots; but not past what a class of a program has of its own."""
    backend = _Copying()
    source = Store(MemoryBackend(), "from")
    for kind, done in ((Store, True), (_own(Store, "write"), False)):
        ours, theirs = as_async_stores(source, kind(backend, "to"))
        async with ours, theirs:
            pairs = [("a", "b"), ("none", "c")]
            if done:
                one, two = await theirs.copy_many_from(ours, pairs)
                assert one is None
                assert isinstance(two, NotFound)
                assert backend.asked == [("from/a", "to/b"), ("from/none", "to/c")]
                continue
            backend.asked = ()
            with pytest.raises(CapabilityNotSupported) as caught:
                await theirs.copy_many_from(ours, pairs)
            assert caught.value.capability == "copy_many_from"
            assert not backend.asked
