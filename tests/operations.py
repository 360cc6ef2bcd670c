"""
Every operation, once: how it is called on a backend or a store, async or sync.

Tests of "every operation" walk this table, so that one which a protocol gains
is tested everywhere. Nothing beside it lists operations for their own sake;
tables with what each one must do belong to their tests.
"""

from __future__ import annotations

import contextlib
import enum
import inspect
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest
from attrs import evolve, field, frozen

from remote_store import Capability

__all__ = [
    "FLAT_OPERATIONS",
    "NOT_IN_PROCESS",
    "OPERATIONS",
    "OPERATIONS_OF_STORES",
    "OPERATIONS_OF_SYNC",
    "SINCE_1_1",
    "Kind",
    "Operation",
    "Paths",
    "crossed",
    "finish",
    "settle",
    "slots",
]


class Kind(enum.Enum):
    """What an operation is about."""

    #: Asks, and no answer is an error.
    QUESTION = enum.auto()
    #: Tells about what must be there.
    INFO = enum.auto()
    READ = enum.auto()
    LISTING = enum.auto()
    WRITE = enum.auto()
    TRANSFER = enum.auto()
    #: Makes a folder.
    FOLDER = enum.auto()
    DELETE = enum.auto()


@frozen
class Paths:
    """
    What a call is about.

    Args:
        file: Where a file is, or should be.
        folder: Where a folder is, or should be.
        free: Where something is put.
    """

    file: str = "d/f"
    folder: str = "d"
    free: str = "d/new"

    @classmethod
    def all(cls, path: str) -> Paths:
        """Return the same path for everything."""
        return cls(path, path, path)

    @property
    def pattern(self) -> str:
        """What a glob of the folder looks for."""
        return f"{self.folder}/*" if self.folder else "*"

    def but(self, slot: str, path: str) -> Paths:
        """Return these with another one in one place."""
        changes: Any = {slot: path}
        return evolve(self, **changes)


@frozen
class Operation:
    """
    One call.

    Args:
        method: Name of the member.
        kind: What it is about.
        uses: Which of the paths it takes, in order.
        needs: Capabilities, in the order in which a store asks for them.
        content: What it takes beside paths.
        options: Its keywords.
    """

    method: str
    kind: Kind
    uses: tuple[str, ...]
    needs: tuple[Capability, ...] = ()
    content: tuple[Any, ...] = ()
    options: dict[str, Any] = field(factory=dict)

    def __call__(self, target: Any, paths: Paths | None = None) -> Any:
        """Make the call; the answer may have to be awaited or pulled, see `settle`."""
        found = [getattr(paths or Paths(), slot) for slot in self.uses]
        return getattr(target, self.method)(*found, *self.content, **self.options)

    @property
    def name(self) -> str:
        """Method and keywords."""
        return ", ".join([self.method, *self.options])

    @property
    def changes(self) -> bool:
        """True unless it only looks."""
        return self.kind in (Kind.WRITE, Kind.TRANSFER, Kind.FOLDER, Kind.DELETE)

    @property
    def lazy(self) -> bool:
        """True if the async form returns an iterator."""
        return self.kind is Kind.LISTING or self.method == "read"


def _operations() -> Iterator[Operation]:
    file, folder, free, both = ("file",), ("folder",), ("free",), ("file", "free")
    yield Operation("exists", Kind.QUESTION, file)
    yield Operation("is_file", Kind.QUESTION, file)
    yield Operation("is_folder", Kind.QUESTION, folder)
    yield Operation("get_file_info", Kind.INFO, file, (C.METADATA,))
    yield Operation("get_folder_info", Kind.INFO, folder, (C.METADATA,))
    yield Operation("check_health", Kind.INFO, ())
    yield Operation("read", Kind.READ, file, (C.READ,))
    yield Operation("read_bytes", Kind.READ, file, (C.READ,))
    yield Operation("read_range", Kind.READ, file, (C.READ,), (0,), {"length": 3})
    for options in ({}, {"recursive": True}, {"recursive": True, "max_depth": 3}):
        yield Operation("list_files", Kind.LISTING, folder, (C.LIST,), options=options)
    yield Operation("list_folders", Kind.LISTING, folder, (C.LIST,))
    yield Operation("iter_children", Kind.LISTING, folder, (C.LIST,))
    yield Operation("glob", Kind.LISTING, ("pattern",), (C.GLOB,))
    for options in ({}, {"overwrite": True}):
        yield Operation("write", Kind.WRITE, free, (C.WRITE,), (b"x",), options)
        yield Operation("write_atomic", Kind.WRITE, free, ATOMIC, (b"x",), options)
        yield Operation("move", Kind.TRANSFER, both, (C.MOVE,), options=options)
        yield Operation("copy", Kind.TRANSFER, both, (C.COPY,), options=options)
    yield Operation("create_folder", Kind.FOLDER, folder, (C.CREATE_FOLDER, C.WRITE))
    for options in ({}, {"missing_ok": True}):
        yield Operation("delete", Kind.DELETE, file, (C.DELETE,), options=options)
        yield Operation("delete_folder", Kind.DELETE, folder, (C.DELETE,), options=options)
    recursive = {"recursive": True}
    yield Operation("delete_folder", Kind.DELETE, folder, (C.DELETE,), options=recursive)


C: Final = Capability
ATOMIC: Final = (C.ATOMIC_WRITE, C.WRITE)

#: What version 1.1 of the contract brought.
SINCE_1_1: Final = frozenset(
    {
        C.RANGE_READ,
        C.CONDITIONAL_WRITE,
        C.CONTENT_HEADERS,
        C.SIGNED_URL,
        C.CREATE_FOLDER,
        C.RESUMABLE_WRITE,
    }
)
#: What of it the backends without a service, memory and local, do not have.
NOT_IN_PROCESS: Final = SINCE_1_1 - {C.CONDITIONAL_WRITE, C.RANGE_READ, C.CREATE_FOLDER}

#: Those of both protocols, by name.
OPERATIONS: Final = {operation.name: operation for operation in _operations()}
#: Those of them that a storage has whose folders are only prefixes.
FLAT_OPERATIONS: Final = {
    name: op for name, op in OPERATIONS.items() if C.CREATE_FOLDER not in op.needs
}

#: Those that only the sync protocol has, and a sync store.
OPERATIONS_OF_SYNC: Final = {
    "read_seekable": Operation("read_seekable", Kind.READ, ("file",), (C.READ,)),
    "open_atomic": Operation("open_atomic", Kind.WRITE, ("free",), ATOMIC),
}

#: Those of a store, async or sync, that a backend does not have.
OPERATIONS_OF_STORES: Final = {
    "read_text": Operation("read_text", Kind.READ, ("file",), (C.READ,)),
    "write_text": Operation("write_text", Kind.WRITE, ("free",), (C.WRITE,), ("x",)),
    "head": Operation("head", Kind.INFO, ("file",), (C.METADATA,)),
    "read, if_match": Operation(
        "read", Kind.READ, ("file",), (C.READ, C.METADATA), options={"if_match": "etag"}
    ),
    "read_range, if_match": Operation(
        "read_range", Kind.READ, ("file",), (C.READ, C.METADATA), (0,), {"if_match": "etag"}
    ),
    "read_ranges": Operation(
        "read_ranges", Kind.READ, ("file",), (C.READ, C.METADATA), ([(0, 2)],)
    ),
    "open": Operation("open", Kind.READ, ("file",), (C.READ, C.METADATA)),
    "get_folder_info, max_depth": Operation(
        "get_folder_info", Kind.INFO, ("folder",), (C.LIST,), options={"max_depth": 0}
    ),
}


def slots(operations: dict[str, Operation], *uses: str) -> list[tuple[str, str]]:
    """Return each operation by its name with each path that it takes, or those of *uses*."""
    wanted = uses or ("file", "folder", "free")
    return [(name, use) for name, op in operations.items() for use in op.uses if use in wanted]


async def settle(answer: Any) -> Any:
    """Return what an answer comes to: awaited, pulled to its end, entered and left."""
    if inspect.isawaitable(answer):
        return await answer
    if hasattr(answer, "__aenter__"):
        async with answer as file:
            return await file.read()
    if hasattr(answer, "__aiter__"):
        return [item async for item in answer]
    return finish(answer)


def finish(answer: Any) -> Any:
    """Return what a sync answer comes to."""
    if hasattr(answer, "read"):
        with answer:
            return answer.read()
    if hasattr(answer, "__enter__"):
        with answer:
            return None
    if hasattr(answer, "__next__"):
        with contextlib.ExitStack() as stack:
            if hasattr(answer, "close"):
                stack.callback(answer.close)
            return list(answer)
    return answer


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(_shown, value))
    return value.__name__ if isinstance(value, type) else str(value)


def crossed(*axes: Iterable[Any]) -> list[Any]:
    """
    Return the product as parameters, of which `make test` runs a cross.

    Each value of an axis is met once, with the first value of all others; the
    rest is long. For axes whose values are treated by code of their own.
    """
    lists = [list(axis) for axis in axes]
    return [
        pytest.param(
            *values,
            marks=[pytest.mark.long]
            if sum(value is not axis[0] for value, axis in zip(values, lists, strict=True)) > 1
            else [],
            id="-".join(map(_shown, values)),
        )
        for values in itertools.product(*lists)
    ]
