"""The object itself: what it declares, how it is opened, shown and closed, and not copied."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable

import pytest

from remote_store import Capability, CapabilityNotSupported, CapabilitySet
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_memory import AsyncMemoryBackend, MemoryBackend


def test_declaration(backend: AsyncMemoryBackend) -> None:
    """It can do all but GLOB, says so without I/O, and the class says the same."""
    expected = CapabilitySet(
        set(Capability) - {Capability.GLOB, Capability.SIGNED_URL, Capability.RESUMABLE_WRITE}
    )

    assert expected == backend.capabilities == AsyncMemoryBackend.CAPABILITIES
    assert backend.name == "async-memory"
    assert AsyncMemoryBackend.CONTRACT == "1.1"
    assert AsyncMemoryBackend.close_is_terminal is False
    assert AsyncBackend in AsyncMemoryBackend.__mro__


@pytest.mark.asyncio
async def test_repr(backend: AsyncMemoryBackend) -> None:
    """The representation counts files and folders."""
    assert repr(backend) == "AsyncMemoryBackend(files=0, folders=0)"
    await backend.write("a/b/f", b"")
    await backend.write("g", b"")
    assert repr(backend) == "AsyncMemoryBackend(files=2, folders=2)"


@pytest.mark.asyncio
async def test_undeclared(backend: AsyncMemoryBackend) -> None:
    """Glob and native handles are refused."""
    with pytest.raises(CapabilityNotSupported):
        await anext(backend.glob("*"))
    with pytest.raises(CapabilityNotSupported, match="does not expose native handle"):
        backend.unwrap(dict)


@pytest.mark.asyncio
async def test_close(backend: AsyncMemoryBackend) -> None:
    """Closing changes nothing, however often."""
    async with AsyncStore(backend) as store:
        await store.write("f", b"1")
        await store.ping()
    async with backend:
        pass
    await backend.aclose()

    assert await backend.read_bytes("f") == b"1"


def test_native_path(backend: AsyncMemoryBackend) -> None:
    """Native paths are the keys (PATH-009)."""
    assert backend.to_key(backend.native_path("a/b")) == "a/b"
    assert (backend.resolve("a/b").kind, backend.resolve("a/b").key) == ("async-memory", "a/b")


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("memory://", ""),
        ("memory:", ""),
        ("memory:///", ""),
        ("memory:///folder", "folder"),
        ("memory:///a/b/", "a/b"),
        ("memory:///with%20blank/%C3%A9", "with blank/é"),
    ],
)
def test_from_url(url: str, root: str) -> None:
    """A URL gives a new, empty backend and the root path of a store."""
    backend, path = AsyncMemoryBackend.from_url(url)

    assert root == path
    assert AsyncMemoryBackend is type(backend)
    assert AsyncStore(backend, path) == AsyncStore(backend, root)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("memory://folder", "no host: write .* memory:///folder"),
        ("memory://folder/sub", "no host"),
        ("memory://user@host:1", "no host"),
        ("memory:folder", "write memory:// or memory:///folder"),
        ("memory:///folder?x=1", "write memory:// or memory:///folder"),
        ("memory:///folder#part", "write memory:// or memory:///folder"),
        ("memory:///%FF", "utf-8"),
    ],
)
def test_bad_url(url: str, hint: str) -> None:
    """A URL with anything else is refused with what to write instead."""
    with pytest.raises(ValueError, match=hint):
        AsyncMemoryBackend.from_url(url)


@pytest.mark.parametrize("cls", [AsyncMemoryBackend, MemoryBackend])
@pytest.mark.parametrize(
    "url",
    [
        "memory://user:s3cret@host/x",
        "memory://s3cret@host",
        "memory://s3cret/x",
        "memory://user:s3cret@\u2100/x",  # which a URL parser quotes
        "memory://[user:s3cret@x",
        "memory:///x?account_key=s3cret",
        "memory:///x#s3cret",
        "memory:s3cret",
    ],
)
def test_no_part_of_a_bad_url_is_shown(
    cls: type[AsyncMemoryBackend] | type[MemoryBackend], url: str
) -> None:
    """A password in a URL that is refused is neither in the error nor in its traceback's causes."""
    with pytest.raises(ValueError, match="write memory://") as caught:
        cls.from_url(url)

    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_unknown_option() -> None:
    """An option is refused, not dropped."""
    with pytest.raises(TypeError, match="retry"):
        AsyncMemoryBackend.from_url("memory://", retry=3)


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_no_copies(attempt: Callable[[object], object], backend: AsyncMemoryBackend) -> None:
    """Pickling and copying are refused with the reason: there is one memory."""
    with pytest.raises(TypeError, match="in the memory of this process"):
        attempt(backend)
