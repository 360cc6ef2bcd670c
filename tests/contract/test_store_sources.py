"""Sources that fail, are refused or are cancelled: whose exception it is, and what is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from tests.contract.probes import (
    CallerError,
    Recorder,
    Source,
    as_backend,
    names,
    without,
)
from tests.contract.reference import DictBackend

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    RemoteStoreError,
)
from remote_store.aio import AsyncBackend, AsyncStore

pytestmark = pytest.mark.asyncio

WRITES = ["write", "write_atomic"]
BODY = b"one two \0\xff three"


def generated() -> Generator[bytes, None, None]:
    yield from (b"x", b"y")


class FailingFile:
    """A sync file object that fails at its second read."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._reads = 0

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if self._reads > 1:
            raise self._error
        return b"first"


def failing(error: BaseException) -> Iterator[bytes]:
    yield b"x" * (1 << 20)
    raise error


ERRORS: list[Callable[[], Exception]] = [
    lambda: CallerError("mine"),
    lambda: FileNotFoundError(2, "mine"),
    lambda: PermissionError(13, "mine"),
    lambda: NotFound("mine", path="elsewhere", backend="other"),
    lambda: AlreadyExists("mine"),
    lambda: ValueError("mine"),
    lambda: TimeoutError("mine"),
    lambda: KeyError("mine"),
]
FAILING: dict[str, Callable[[Exception], Any]] = {
    "async": lambda error: Source([b"x" * (1 << 20), b"y"], error=error).open(),
    "async-at-once": lambda error: Source([], error=error).open(),
    "generator": failing,
    "file": FailingFile,
}


@pytest.mark.parametrize("form", FAILING)
@pytest.mark.parametrize("name", WRITES)
async def test_the_callers_exception_passes(backend: AsyncBackend, name: str, form: str) -> None:
    """The very object comes out, the old file stays, and no new one or part of it is there."""
    store = AsyncStore(backend, "root")
    await store.write("old", b"old", metadata={"k": "v"})
    for error in (make() for make in ERRORS):
        with pytest.raises(type(error)) as caught:
            await getattr(store, name)("old", FAILING[form](error), overwrite=True)
        assert caught.value is error
        assert error.__cause__ is None
        with pytest.raises(type(error)) as caught:
            await getattr(store, name)("d/new", FAILING[form](error))
        assert caught.value is error
    assert await names(store) == ["old"]
    assert await store.read_bytes("old") == b"old"
    assert (await store.get_file_info("old")).metadata == {"k": "v"}


# Sources are closed in every case ------------------------------------------


async def closes(store: AsyncStore, error: type[BaseException] | None, **options: Any) -> None:
    """Write from an async and from a sync generator; both must be closed afterwards."""
    path = options.pop("path", "f")
    source: Any
    name = options.pop("name", "write")
    for source in (Source([b"x"]).open(), generated()):
        if error is None:
            await getattr(store, name)(path, source, **options)
        else:
            with pytest.raises(error):
                await getattr(store, name)(path, source, **options)
        # A closed generator has no frame, whether it was ever started or not.
        assert getattr(source, "gi_frame", None) is None
        assert getattr(source, "ag_frame", None) is None


@pytest.mark.parametrize("name", WRITES)
async def test_generators_are_closed_when_refused(name: str, reference: DictBackend) -> None:
    """Metadata rules, gates, paths and backends that refuse leave no generator open."""
    plain = AsyncStore(as_backend(reference))
    await plain.write("f", b"")
    await plain.write("d/f", b"")
    await closes(plain, ValueError, name=name, metadata={"_": ""})
    for gate in (Capability.USER_METADATA, Capability.WRITE):
        poor = AsyncStore(as_backend(without(reference, gate)))
        await closes(poor, CapabilityNotSupported, name=name, metadata={"k": "v"})
    await closes(plain, InvalidPath, name=name, path="../x")
    await closes(plain, InvalidPath, name=name, path="")


@pytest.mark.parametrize("name", WRITES)
async def test_generators_are_closed_by_real_outcomes(store: AsyncStore, name: str) -> None:
    """Success, an existing key, a folder and a file in the way leave no generator open."""
    await store.write("f", b"")
    await store.write("d/f", b"")
    await closes(store, AlreadyExists, name=name, path="f")
    await closes(store, None, name=name, path="f", overwrite=True)
    await closes(store, InvalidPath, name=name, path="d", overwrite=True)
    await closes(store, InvalidPath, name=name, path="f/below")


@pytest.mark.parametrize("error", [None, CallerError("x")])
async def test_generators_are_closed_if_the_backend_does_not_pull(
    error: Exception | None, reference: DictBackend
) -> None:
    """A backend that ignores its content, or fails at once, does not leave it open."""

    class Careless(Recorder):
        async def write(self, path: str, content: Any, **options: Any) -> Any:
            if error is not None:
                raise error
            return await self._backend.write(path, b"", **options)  # type: ignore[attr-defined]

    store = AsyncStore(as_backend(Careless(reference)))
    await closes(store, None if error is None else CallerError, overwrite=True)


@pytest.mark.parametrize("name", WRITES)
async def test_refusals_come_before_the_source(store: AsyncStore, name: str) -> None:
    """An existing key, a folder and a file in the way are found before a chunk is asked for."""
    await store.write("f", b"old")
    await store.write("d/f", b"")
    cases: list[tuple[str, bool, type[RemoteStoreError]]] = [
        ("f", False, AlreadyExists),
        ("d", False, InvalidPath),
        ("d", True, InvalidPath),
        ("f/below", True, InvalidPath),
        ("f/below/more", False, InvalidPath),
        (".~tmp.x", True, InvalidPath),
        ("d/.~tmp.x", False, InvalidPath),
    ]
    for path, overwrite, kind in cases:
        source = Source([b"new"])
        with pytest.raises(kind):
            await getattr(store, name)(path, source.open(), overwrite=overwrite)
        assert source.pulled == 0, path
    assert await store.read_bytes("f") == b"old"


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("chunks", [[], [b"part"], [b"x" * (3 << 20)]], ids=["none", "few", "many"])
@pytest.mark.parametrize("name", WRITES)
async def test_cancelled_write(
    store: AsyncStore, name: str, chunks: list[bytes], existing: bool
) -> None:
    """A write cancelled while it waits for its source leaves the old state and nothing else."""
    if existing:
        await store.write("f", b"old", metadata={"k": "v"})
    source = Source(chunks, stall=True)
    task = asyncio.create_task(getattr(store, name)("f", source.open(), overwrite=existing))
    await source.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed
    assert await names(store) == (["f"] if existing else [])
    if existing:
        assert await store.read_bytes("f") == b"old"
        assert (await store.get_file_info("f")).metadata == {"k": "v"}
    await store.write("f", b"next", overwrite=True)
    assert await store.read_bytes("f") == b"next"
