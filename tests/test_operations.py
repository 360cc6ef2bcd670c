"""The table of operations has all of them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from tests.operations import (
    OPERATIONS,
    OPERATIONS_OF_STORES,
    OPERATIONS_OF_SYNC,
    Kind,
    Operation,
    Paths,
    crossed,
    finish,
    settle,
    slots,
)

from remote_store import Backend, Store
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

#: Members that are no operations: they are about the object, or compute a name.
OTHERS = {"close", "aclose", "unwrap", "resolve", "native_path", "to_key", "public_options"}
#: What takes another backend: see tests/local/test_copy_from.py.
OTHERS |= {"copy_from"}
#: What answers for each path instead of raising: see tests/contract/test_delete_many.py and
#: test_copy_many_from.py.
OTHERS |= {"delete_many", "copy_many_from"}
#: What no backend without a service has: see tests/contract/test_signed_urls.py.
OTHERS |= {"signed_url"}
#: What a store has beside these.
OF_STORES = {"ping", "supports", "child"}


def methods(kind: type) -> set[str]:
    """Return the public methods of a class."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name for name, _ in found if not name.startswith("_")} - OTHERS


def named(*tables: dict[str, Operation]) -> set[str]:
    """Return the methods that tables name."""
    return {operation.method for table in tables for operation in table.values()}


def test_every_method_of_the_protocols_is_there() -> None:
    """A method that a protocol gains is in the table, or it is said why not."""
    assert named(OPERATIONS) == methods(AsyncBackend)
    assert named(OPERATIONS, OPERATIONS_OF_SYNC) == methods(Backend)
    of_stores = named(OPERATIONS, OPERATIONS_OF_STORES) - {"check_health"}
    assert of_stores == methods(AsyncStore) - OF_STORES
    assert of_stores | named(OPERATIONS_OF_SYNC) == methods(Store) - OF_STORES


def test_every_keyword_is_met() -> None:
    """Of each keyword that changes what an operation does there is a call."""
    for table in (OPERATIONS, OPERATIONS_OF_SYNC):
        for method in named(table):
            keywords = {
                p.name
                for p in inspect.signature(getattr(Backend, method)).parameters.values()
                if p.kind is p.KEYWORD_ONLY
            }
            tried = {o for op in table.values() if op.method == method for o in op.options}
            # Metadata and versions have tests of their own, and the file of open_atomic, too.
            spared = {"metadata", "if_match"} if table is OPERATIONS else {"overwrite"}
            assert keywords - tried <= spared


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.asyncio
async def test_the_calls_work(name: str) -> None:
    """Each one reaches its end, or is not there, async and sync."""
    operation = OPERATIONS[name]
    target = Paths(free="d/f") if "overwrite" in operation.options else Paths()
    if operation.kind is Kind.TRANSFER:
        target = target.but("file", "d/g")
    if operation.method == "delete_folder":
        target = target.but("folder", "empty")
    for backend in (AsyncMemoryBackend(), MemoryBackend()):
        for key in ("d/f", "d/g", "empty/gone"):
            await settle(backend.write(key, b"old"))
        await settle(backend.delete("empty/gone"))
        if operation.method == "glob":
            continue  # memory has none
        before = repr(backend)
        answer = await settle(operation(backend, target))
        if not operation.changes:
            assert repr(backend) == before
        if operation.kind is Kind.READ:
            assert answer in (b"old", [b"old"])
        if operation.kind is Kind.LISTING:
            assert isinstance(answer, list)


def test_the_calls_of_sync_work() -> None:
    """What is entered is left, what is read is closed."""
    backend = MemoryBackend()
    backend.write("d/f", b"old")
    assert finish(OPERATIONS_OF_SYNC["read_seekable"](backend)) == b"old"
    finish(OPERATIONS_OF_SYNC["open_atomic"](backend))
    assert backend.read_bytes("d/new") == b""


def test_slots() -> None:
    """A call with two paths stands for each of them."""
    found = slots(OPERATIONS)
    assert {("move", "file"), ("move", "free"), ("delete", "file")} <= set(found)
    assert {use for _, use in slots(OPERATIONS, "free")} == {"free"}


def test_a_cross() -> None:
    """One value of each axis is met at least once, and all in all."""
    cases: list[Any] = crossed("abc", [1, 2], [True, False])
    short = [case.values for case in cases if not case.marks]
    assert len(cases) == 12
    assert len(short) == 1 + 2 + 1 + 1
    for axis, values in enumerate(["abc", [1, 2], [True, False]]):
        assert {case[axis] for case in short} == set(values)
