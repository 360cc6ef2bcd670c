"""Which check of a store comes first, and that none of them reaches the backend."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.contract.probes import Recorder, as_backend, without
from tests.contract.reference import NAME, DictBackend
from tests.operations import (
    OPERATIONS,
    OPERATIONS_OF_STORES,
    Kind,
    Operation,
    Paths,
    settle,
    slots,
)

from remote_store import (
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    RemoteStoreError,
)
from remote_store.aio import AsyncStore

pytestmark = pytest.mark.asyncio


OPS = {
    name: op
    for name, op in (OPERATIONS | OPERATIONS_OF_STORES).items()
    # A store asks for its health by `ping`; what a pattern may be is tested below. The
    # reference is of contract 1.0: see test_create_folder.py.
    if op.method not in ("check_health", "glob", "create_folder")
}
#: Each operation with each of its paths.
SLOTS = slots(OPS)
GATED = [(name, slot, gate) for name, slot in SLOTS for gate in OPS[name].needs]
MALFORMED = ["/", "//", "./", "\\", "..", "../a", "a/../b", "a\0b"]


def refused_at_the_root(name: str, slot: str) -> bool:
    """Return True if the operation is about a file, or deletes."""
    op = OPS[name]
    return op.method == "delete_folder" or (slot != "folder" and op.kind is not Kind.QUESTION)


async def refusal(op: Operation, store: AsyncStore, slot: str, path: str) -> RemoteStoreError:
    """The error of *op*, raised at the call for those that return iterators."""
    paths = Paths().but(slot, path)
    if op.lazy:
        with pytest.raises(RemoteStoreError) as caught:
            op(store, paths)
    else:
        with pytest.raises(RemoteStoreError) as caught:
            await op(store, paths)
    return caught.value


@pytest.mark.parametrize(("name", "slot", "gate"), GATED)
async def test_capability_before_path(
    name: str, slot: str, gate: Capability, reference: DictBackend
) -> None:
    """What is not declared is refused before the path is looked at or the backend called."""
    backend = without(reference, gate)
    for path in ("file", "../malformed", ""):
        if OPS[name].method == "delete_folder" and not path:
            continue  # the one exception is tested below
        error = await refusal(OPS[name], AsyncStore(as_backend(backend)), slot, path)
        assert isinstance(error, CapabilityNotSupported)
        assert (error.capability, error.backend, error.path) == (gate.value, NAME, None)
    assert backend.calls == []


@pytest.mark.parametrize("name", OPS)
async def test_only_its_own_gate_stops_an_operation(name: str, reference: DictBackend) -> None:
    """With every other capability missing the operation reaches the backend."""
    op = OPS[name]
    backend = without(reference, *(set(Capability) - set(op.needs)))
    with contextlib.suppress(NotFound):
        await settle(op(AsyncStore(as_backend(backend))))
    assert backend.calls


@pytest.mark.parametrize(("name", "slot"), SLOTS)
async def test_malformed_path_before_backend(
    name: str, slot: str, root: str, reference: DictBackend
) -> None:
    """A malformed path is refused with the caller's text and no backend call."""
    backend = Recorder(reference)
    for path in MALFORMED:
        error = await refusal(OPS[name], AsyncStore(as_backend(backend), root), slot, path)
        assert isinstance(error, InvalidPath), path
        assert (error.path, error.backend) == (path, None)
    assert backend.calls == []


@pytest.mark.parametrize(("name", "slot"), [case for case in SLOTS if refused_at_the_root(*case)])
async def test_root_is_no_file(name: str, slot: str, root: str, reference: DictBackend) -> None:
    """Operations on files refuse both spellings of the root before any backend call."""
    backend = Recorder(reference)
    deletes = OPS[name].method == "delete_folder"
    for path in ("", "."):
        error = await refusal(OPS[name], AsyncStore(as_backend(backend), root), slot, path)
        assert isinstance(error, InvalidPath)
        assert ("Cannot delete the store root" if deletes else "must not be empty") in str(error)
        assert (error.path, error.backend) == (path, None)
    assert backend.calls == []


@pytest.mark.parametrize(
    ("name", "slot"), [case for case in SLOTS if not refused_at_the_root(*case)]
)
async def test_root_is_a_folder(name: str, slot: str, root: str, reference: DictBackend) -> None:
    """Queries and listings take both spellings of the root and hand over the store's root."""
    backend = Recorder(reference)
    for path in ("", "."):
        with contextlib.suppress(NotFound):
            await settle(OPS[name](AsyncStore(as_backend(backend), root), Paths().but(slot, path)))
    assert {args[0] for _, args, _ in backend.calls} == {root}


async def test_root_delete_is_refused_before_the_capability(reference: DictBackend) -> None:
    """delete_folder looks at the root first, then at DELETE."""
    store = AsyncStore(as_backend(without(reference, Capability.DELETE)))
    for path in ("", "."):
        with pytest.raises(InvalidPath, match="Cannot delete the store root"):
            await store.delete_folder(path)


@pytest.mark.parametrize("name", ["list_files", "list_folders"])
async def test_negative_depth_first(name: str, reference: DictBackend) -> None:
    """A negative depth of a listing wins over LIST and over the path, at the call."""
    store = AsyncStore(as_backend(without(reference, Capability.LIST)))
    with pytest.raises(ValueError, match="max_depth must be >= 0"):
        getattr(store, name)("../x", max_depth=-1)


async def test_negative_depth_of_folder_info_first(reference: DictBackend) -> None:
    """A negative depth of get_folder_info wins over LIST and METADATA."""
    backend = without(reference, Capability.LIST, Capability.METADATA)
    with pytest.raises(ValueError, match="max_depth must be >= 0"):
        await AsyncStore(as_backend(backend)).get_folder_info("../x", max_depth=-1)
    assert backend.calls == []


async def test_glob_gate_before_pattern(reference: DictBackend) -> None:
    """glob refuses a missing capability at the call, before it reads the pattern."""
    with pytest.raises(CapabilityNotSupported, match="is not supported") as caught:
        AsyncStore(as_backend(reference)).glob("../x")
    assert (caught.value.capability, caught.value.backend) == ("glob", NAME)


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("../x", InvalidPath),
        ("a/../*", InvalidPath),
        ("a\0*", InvalidPath),
        ("", InvalidPath),
        ("a/**x", ValueError),
        ("***", ValueError),
        ("[z-a]", re.error),
    ],
)
async def test_bad_patterns_at_the_call(
    pattern: str, kind: type[Exception], root: str, reference: DictBackend
) -> None:
    """A malformed pattern is refused by glob itself, unmapped, before the backend."""
    backend = without(reference)
    with pytest.raises(kind) as caught:
        AsyncStore(as_backend(backend), root).glob(pattern)
    assert backend.calls == []
    if kind is InvalidPath:
        assert isinstance(caught.value, InvalidPath)
        assert caught.value.path == pattern


BAD_METADATA: dict[str, Any] = {"_private": "x"}


@pytest.mark.parametrize("name", ["write", "write_text", "write_atomic"])
async def test_order_of_write_checks(name: str, reference: DictBackend) -> None:
    """Metadata rules, USER_METADATA, the write's own gates, path: each wins over the next."""
    content = "" if name == "write_text" else b""
    gates = [Capability.USER_METADATA, *OPS[name].needs]
    backend = without(reference, *gates)
    with pytest.raises(ValueError, match="underscore"):
        await getattr(AsyncStore(as_backend(backend)), name)("../x", content, metadata=BAD_METADATA)
    for i, gate in enumerate(gates):
        backend = without(reference, *gates[i:])
        with pytest.raises(CapabilityNotSupported) as caught:
            await getattr(AsyncStore(as_backend(backend)), name)(
                "../x", content, metadata={"k": "v"}
            )
        assert caught.value.capability == gate.value
    backend = without(reference)
    with pytest.raises(InvalidPath):
        await getattr(AsyncStore(as_backend(backend)), name)("../x", content, metadata={"k": "v"})
    assert backend.calls == []


async def test_wrong_content_before_everything(reference: DictBackend) -> None:
    """The type of the content wins over metadata rules, gates and path."""
    store = AsyncStore(as_backend(without(reference, *Capability)))
    content: Any = "text"
    for write in (store.write, store.write_atomic):
        with pytest.raises(TypeError, match="bytes"):
            await write("../x", content, metadata=BAD_METADATA)


async def test_encoding_before_everything(reference: DictBackend) -> None:
    """write_text encodes first: its errors win over metadata, gates and path."""
    store = AsyncStore(as_backend(without(reference, *Capability)))
    with pytest.raises(UnicodeEncodeError):
        await store.write_text("../x", "é", encoding="ascii", metadata=BAD_METADATA)
    with pytest.raises(LookupError):
        await store.write_text("../x", "a", encoding="no-such-codec", metadata=BAD_METADATA)


@pytest.mark.parametrize("name", ["move", "copy"])
async def test_source_path_before_destination(name: str, reference: DictBackend) -> None:
    """Of two malformed paths the source is the one reported."""
    store = AsyncStore(as_backend(reference))
    with pytest.raises(InvalidPath) as caught:
        await getattr(store, name)("../src", "../dst")
    assert caught.value.path == "../src"


@pytest.mark.parametrize("name", [n for n, op in OPS.items() if op.lazy])
async def test_lazy_operations_call_nothing_before_the_first_pull(
    name: str, reference: DictBackend
) -> None:
    """Iterators are async generators, and the backend is not asked until they are pulled."""
    backend = Recorder(reference)
    items = OPS[name](AsyncStore(as_backend(backend)), Paths.all("missing"))
    assert isinstance(items, AsyncIterator)
    assert callable(items.aclose)  # type: ignore[attr-defined]
    assert backend.calls == []
    if OPS[name].method == "read":
        with pytest.raises(NotFound):
            await anext(items)
    else:
        assert [item async for item in items] == []
    assert backend.calls


async def test_ungated_members_need_no_capability(reference: DictBackend) -> None:
    """With no capability at all the queries and the pure functions still work."""
    store = AsyncStore(as_backend(without(reference, *Capability)))
    assert await store.exists("") is True
    assert await store.is_file("a") is False
    assert await store.is_folder("a") is False
    assert store.resolve("a").native_path == "a"
    assert store.native_path("a") == store.to_key("a") == "a"
    assert not any(store.supports(c) for c in Capability)
    await store.ping()
    await store.child("a").aclose()
    await store.aclose()
