"""READ: reading."""

from __future__ import annotations

import bisect
from collections.abc import AsyncIterator
from typing import Any, Final

from remote_store import Capability, InvalidPath, NotFound, RemoteStoreError
from remote_store.aio import AsyncBackend
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.contents import contents
from remote_store_conformance.tools.sources import pattern

C = Capability

_MIB: Final = 1 << 20


async def _read(t: Trial, path: str) -> bytes:
    return b"".join(await collect(t.store.read(path)))


@clause(
    "READ-001",
    "A read yields exactly the bytes of the file, whatever its size.",
    intent="Off-by-one errors live at the borders of blocks.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def bytes_equal(t: Trial) -> None:
    path = t.name()
    for size in (1, 65_535, 65_536, 65_537, _MIB, 5 * _MIB + 3):
        if size > t.target.max_object:
            break
        content = pattern(size, seed=size)
        await t.seed_file(path, content)
        read = await _read(t, path)
        expect(
            read == content,
            f"a file of {size} bytes was read differently",
            observed=read,
            expected=content,
            differs_at=_difference(read, content),
        )
    for given in contents(t):
        await t.seed_file(path, given.data)
        forms = (("read", await _read(t, path)), ("read_bytes", await t.store.read_bytes(path)))
        for form, found in forms:
            expect(
                found == given.data,
                f"a {form} of {given}, gave something else",
                observed=found,
                expected=given.data,
            )


def _difference(one: bytes, other: bytes) -> int:
    """Return the index of the first byte that differs."""
    end = min(len(one), len(other))
    if one[:end] == other[:end]:
        return end
    return bisect.bisect_left(range(1, end + 1), True, key=lambda n: one[:n] != other[:n])


@clause(
    "READ-002",
    "Reading an empty file succeeds and yields no bytes.",
    intent="A service answers a range request on an empty object with an error.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def empty_file(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"")
    for method, read in (
        ("read", await _read(t, path)),
        ("read_bytes", await t.store.read_bytes(path)),
    ):
        expect(read == b"", f"{method} of an empty file gives bytes", observed=read, expected=b"")


@clause(
    "READ-003",
    "Reading a missing file raises NotFound with its path, and a stream at the first pull.",
    intent="Making an iterator does no I/O, and absence is no empty file.",
    requires=[C.READ],
)
async def missing(t: Trial) -> None:
    path = t.name("missing")
    with raises(NotFound, "when read_bytes meets no file", contains=path):
        await t.store.read_bytes(path)
    try:
        stream = t.backend.read(t.key(path))
    except NotFound as error:
        expect(False, "NotFound was raised at the call, not at the first pull", observed=error)
    expect(
        hasattr(stream, "__anext__"),
        "the backend's read does not return an async iterator",
        observed=type(stream).__name__,
        expected="an async generator",
    )
    with raises(NotFound, "when a stream of a missing file is pulled", contains=path):
        await collect(stream)


@clause(
    "READ-004",
    "Reading a folder raises InvalidPath.",
    intent="A wrong kind of path is a program's mistake, not an absent file.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def folder(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/file")
    await _refuses(t, InvalidPath, folder, "when a folder is read")


@clause(
    "READ-005",
    "Reading a path that runs through a file raises NotFound.",
    intent="What lies below a file does not exist; the system's ENOTDIR means just that.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def through_a_file(t: Trial) -> None:
    path = await t.seed_file(t.name("file"))
    await _refuses(t, NotFound, f"{path}/below", "when a path through a file is read")


async def _refuses(t: Trial, error: type[RemoteStoreError], path: str, when: str) -> None:
    with raises(error, f"{when} as a stream", contains=path):
        await collect(t.store.read(path))
    with raises(error, f"{when} with read_bytes", contains=path):
        await t.store.read_bytes(path)


@clause(
    "READ-006",
    "Every chunk of a read is of type bytes.",
    intent="A view into a buffer that is used again changes after it was handed out.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def chunks_are_bytes(t: Trial) -> None:
    path = await t.seed_file(t.name(), pattern(200_000))
    chunks: list[Any] = [*(await collect(t.store.read(path))), await t.store.read_bytes(path)]
    types = {type(chunk).__name__ for chunk in chunks}
    expect(types == {"bytes"}, "a chunk is not of type bytes", observed=types, expected="bytes")


class _Keeper:
    """Delegates to a backend and keeps the streams that it hands out."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend
        self.streams: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def read(self, path: str) -> AsyncIterator[bytes]:
        stream = self._backend.read(path)
        self.streams.append(stream)
        return stream


@clause(
    "READ-007",
    "When aclose of a stream returns, the backend's own stream is closed and holds nothing.",
    intent="A connection must not stay in use until the garbage collector finds its stream.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def aclose_releases(t: Trial) -> None:
    path = await t.seed_file(t.name(), pattern(4 * _MIB))
    keeper = _Keeper(t.backend)
    stream = t.store_over(keeper).read(path)
    await anext(stream)
    inner = keeper.streams[0]
    expect(
        hasattr(inner, "aclose"),
        "the stream of the backend's read cannot be closed: it has no aclose",
        observed=type(inner).__name__,
        expected="an async generator",
    )
    await t.within(stream.aclose(), "aclose of a stream")
    more = await anext(inner, None)
    expect(
        more is None,
        "the backend's stream goes on after aclose",
        observed=more,
        expected="StopAsyncIteration",
    )
    running = getattr(inner, "ag_frame", None)
    expect(running is None, "the backend's stream is still open after aclose", observed=running)
    if t.declares(C.WRITE):
        again = t.store.write(path, b"new", overwrite=True)
        await t.within(again, "a write to a file whose stream was closed early")
    if t.declares(C.DELETE):
        await t.within(t.store.delete(path), "a delete of a file whose stream was closed early")


@clause(
    "READ-008",
    "Streams are independent: any number may be read at the same time, also of one file.",
    intent="A shared position mixes the content of two readers.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def independent_streams(t: Trial) -> None:
    contents = [pattern(2 * _MIB, seed=1), pattern(_MIB, seed=2)]
    paths = [await t.seed_file(t.name(), content) for content in contents]
    streams = [t.store.read(path) for path in (*paths, *paths)]
    read: list[list[bytes]] = [[] for _ in streams]
    running = set(range(len(streams)))
    while running:
        for n in sorted(running):
            chunk = await anext(streams[n], None)
            if chunk is None:
                running.discard(n)
            else:
                read[n].append(chunk)
    for n, chunks in enumerate(read):
        got = b"".join(chunks)
        expect(
            got == contents[n % 2],
            f"stream {n + 1} of {len(streams)} that were read in turns is not its file",
            observed=got,
            expected=contents[n % 2],
        )


@clause(
    "READ-009",
    "A stream of a file that is replaced or deleted meanwhile yields one version or raises, "
    "never a mixture and never a part.",
    intent="Nobody notices a splice of two versions until the data is used.",
    requires=[C.READ, C.WRITE],
)
async def replaced_meanwhile(t: Trial) -> None:
    for size in (1_000, (3 if t.is_a(Trait.LOCAL) else 8) * _MIB):
        if size <= t.target.max_object:
            await _replaced(t, size)


async def _replaced(t: Trial, size: int) -> None:
    old = pattern(size, seed=1)
    changes: dict[str, bytes | None] = {
        "replaced by one of the same size": pattern(size, seed=2),
        "replaced by a shorter one": pattern(size // 2, seed=3),
        "replaced by a longer one": pattern(size + 1000, seed=4),
    }
    if t.declares(C.DELETE):
        changes["deleted"] = None
    path = t.name()
    for what, new in changes.items():
        await t.store.write(path, old, overwrite=True)
        stream = t.store.read(path)
        read = await anext(stream)
        if new is None:
            await t.store.delete(path)
        else:
            await t.store.write(path, new, overwrite=True)
        try:
            read += b"".join(await collect(stream))
        except RemoteStoreError as error:
            t.note(**{what: f"{type(error).__name__}: {error}"})
            continue
        expect(
            read in (old, new),
            f"a file was {what} while it was read: the stream gave neither version",
            observed=read,
            expected="the old version, the new one, or an error",
            differs_from_old_at=_difference(read, old),
        )


@clause(
    "READ-010",
    "read_bytes, read_text and the joined chunks of read agree.",
    intent="The short form must not have limits that the long one has not.",
    requires=[C.READ],
    needs=[Need.SEED],
)
async def forms_agree(t: Trial) -> None:
    text = "häppchen 日本 " * 250_000
    path = await t.seed_file(t.name(), text.encode())
    streamed = await _read(t, path)
    whole = await t.store.read_bytes(path)
    expect(
        whole == streamed,
        "read_bytes and read give different bytes",
        observed=whole,
        expected=streamed,
        differs_at=_difference(whole, streamed),
    )
    again = await t.store.read_text(path)
    expect(again == text, "read_text gives another text", observed=again, expected=text)
