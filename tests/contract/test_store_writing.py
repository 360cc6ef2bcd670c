"""Forms of content that a store takes, and what it makes of them."""

from __future__ import annotations

import array
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.probes import (
    Recorder,
    Source,
    as_backend,
    collect,
    names,
)
from tests.contract.reference import DictBackend

from remote_store import (
    RemotePath,
)
from remote_store.aio import AsyncStore

pytestmark = pytest.mark.asyncio

WRITES = ["write", "write_atomic"]
BODY = b"one two \0\xff three"


class Chunks:
    """An async iterable that is no iterator."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield BODY[:5]
        yield BODY[5:]


class PlainIterator:
    """An async iterator without ``aclose``."""

    def __init__(self) -> None:
        self._left = [BODY]

    def __aiter__(self) -> PlainIterator:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


def generated() -> Iterator[bytes]:
    yield from (BODY[i : i + 2] for i in range(0, len(BODY), 2))


FORMS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: BODY,
    "bytearray": lambda: bytearray(BODY),
    "memoryview": lambda: memoryview(b"x" + BODY)[1:],
    "strided": lambda: memoryview(bytes(b for c in BODY for b in (c, 0)))[::2],
    "array": lambda: array.array("b", [b - 256 if b > 127 else b for b in BODY]),
    "async-generator": lambda: Source([BODY[:4], b"", BODY[4:]]).open(),
    "async-iterable": Chunks,
    "async-iterator": PlainIterator,
    "async-of-buffers": lambda: Source([bytearray(BODY[:3]), memoryview(BODY)[3:]]).open(),  # type: ignore[list-item]
    "list": lambda: [BODY[:4], BODY[4:]],
    "tuple": lambda: (b"", BODY),
    "generator": generated,
    "bytesio": lambda: io.BytesIO(BODY),
    "buffered": lambda: io.BufferedReader(io.BytesIO(BODY)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WRITES)
async def test_every_form_writes_the_same(store: AsyncStore, name: str, form: str) -> None:
    """Whatever the content came as, the file holds its bytes and the result their number."""
    result = await getattr(store, name)("d/f", FORMS[form]())
    assert (result.path, result.size) == (RemotePath("d/f"), len(BODY))
    assert await store.read_bytes("d/f") == BODY
    assert (await store.get_file_info("d/f")).size == len(BODY)


@pytest.mark.parametrize("form", FORMS)
async def test_backend_gets_two_forms_only(form: str, reference: DictBackend) -> None:
    """A backend sees bytes or an async iterator, nothing else."""
    backend = Recorder(reference)
    await AsyncStore(as_backend(backend)).write("f", FORMS[form]())
    content = backend.calls[0][1][1]
    assert type(content) is bytes or (isinstance(content, AsyncIterator))


@pytest.mark.parametrize("name", WRITES)
async def test_empty_contents(store: AsyncStore, name: str) -> None:
    """No bytes and no chunks make an empty file."""
    for i, content in enumerate([b"", Source([]).open(), [], io.BytesIO(), Source([b""]).open()]):
        assert (await getattr(store, name)(f"f{i}", content)).size == 0
        assert await store.read_bytes(f"f{i}") == b""
        assert b"".join(await collect(store.read(f"f{i}"))) == b""


async def test_large_contents(store: AsyncStore) -> None:
    """Contents of several MiB arrive in order, in every form and by every way of reading."""
    blocks = [bytes([i]) * 700_001 for i in range(8)]
    whole = b"".join(blocks)
    forms: list[Any] = [whole, Source(blocks).open(), io.BytesIO(whole), iter(blocks)]
    for i, content in enumerate(forms):
        assert (await store.write(f"f{i}", content)).size == len(whole)
        assert await store.read_bytes(f"f{i}") == whole
        assert b"".join(await collect(store.read(f"f{i}"))) == whole


async def test_real_file_as_source(store: AsyncStore, tmp_path: Path) -> None:
    """A file of the operating system is read from where it stands, and left open."""
    (tmp_path / "source").write_bytes(b"head" + BODY)
    with (tmp_path / "source").open("rb") as file:
        file.read(4)
        await store.write("f", file)
        assert not file.closed
    assert await store.read_bytes("f") == BODY


async def test_mutable_content_is_not_aliased(store: AsyncStore) -> None:
    """A buffer may be changed after the write without changing the file."""
    buffer = bytearray(BODY)
    await store.write("f", buffer)
    await store.write("g", Source([buffer]).open())  # type: ignore[list-item]
    buffer[:] = b"#" * len(buffer)
    assert await store.read_bytes("f") == await store.read_bytes("g") == BODY


async def test_blocking_sources_never_run_on_the_loop(reference: DictBackend) -> None:
    """Files and sync iterables are read in one thread of their own."""
    threads: list[int] = []

    class File(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            threads.append(threading.get_ident())
            return super().read(size)

    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            threads.append(threading.get_ident())
            yield b"x" * (1 << 20)

    store = AsyncStore(as_backend(reference))
    for content in (File(BODY), chunks()):
        threads.clear()
        await store.write("f", content, overwrite=True)
        assert len(threads) > 1
        assert len(set(threads)) == 1
        assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    "make",
    [
        lambda: "text",
        lambda: None,
        lambda: 5,
        lambda: 1.5,
        lambda: io.StringIO("text"),
        lambda: io.StringIO(""),
        lambda: ["text"],
        lambda: [1, 2],
        lambda: {"k": b"v"},
        lambda: Source([b"ok", "text"]).open(),  # type: ignore[list-item]
        lambda: Source([None]).open(),  # type: ignore[list-item]
        lambda: iter([b"ok", None]),
        lambda: object(),
    ],
)
@pytest.mark.parametrize("name", WRITES)
async def test_wrong_content_writes_nothing(
    store: AsyncStore, name: str, make: Callable[[], Any]
) -> None:
    """What is not bytes is a TypeError; the old file stays and no new one appears."""
    await store.write("old", b"old")
    before = await names(store)
    with pytest.raises(TypeError):
        await getattr(store, name)("old", make(), overwrite=True)
    with pytest.raises(TypeError):
        await getattr(store, name)("new", make())
    assert await store.read_bytes("old") == b"old"
    assert await names(store) == before


async def test_write_text_takes_text_only(store: AsyncStore) -> None:
    """Bytes are refused by write_text, text by write."""
    content: Any = b"bytes"
    with pytest.raises(TypeError, match="str"):
        await store.write_text("f", content)
    await store.write_text("f", "é", encoding="latin-1")
    assert await store.read_bytes("f") == b"\xe9"
    assert await store.read_text("f", encoding="latin-1") == "é"
    with pytest.raises(UnicodeDecodeError):
        await store.read_text("f")
    assert await store.read_text("f", errors="replace") == "\ufffd"
    with pytest.raises(LookupError):
        await store.read_text("f", encoding="no-such-codec")
