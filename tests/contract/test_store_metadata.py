"""User metadata through a store: rules, limit, what is kept and what is never shared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from tests.contract.probes import (
    Recorder,
    Source,
    as_backend,
    without,
)
from tests.contract.reference import DictBackend

from remote_store import (
    Capability,
)
from remote_store.aio import AsyncStore

pytestmark = pytest.mark.asyncio

WRITES = ["write", "write_atomic"]
BODY = b"one two \0\xff three"


class Odd(str):
    """A str is a str, subclass or not."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({1: "v"}, "str"),
        ({"k": 1}, "str"),
        ({"k": None}, "str"),
        ({"k": b"v"}, "str"),
        ({"": "v"}, "empty"),
        ({"_k": "v"}, "underscore"),
        ({"é": "v"}, "ASCII"),
        ({"k": "v" * 2048}, "2048"),
        ({"k": "\ud800"}, "k"),
        ([("k", "v")], "mapping"),
        ("kv", "mapping"),
        # Of several violations in one item the first rule is the one reported.
        ({1: 2}, "keys"),
        ({"_é": 1}, "value"),
        ({"_é": "v"}, "underscore"),
        ({"é": "v" * 3000}, "ASCII"),
        # Items are looked at in order, the total at the end.
        ({"_a": "v", "": "v"}, "underscore"),
        ({"a": "v" * 3000, "_b": ""}, "underscore"),
    ],
)
@pytest.mark.parametrize("name", WRITES)
async def test_metadata_is_refused(
    name: str, metadata: Any, text: str, reference: DictBackend
) -> None:
    """Each rule is a ValueError that says which one, before the backend is called."""
    backend = Recorder(reference)
    with pytest.raises(ValueError, match=text):
        await getattr(AsyncStore(as_backend(backend)), name)("f", b"", metadata=metadata)
    assert backend.calls == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"k": "v" * 2047},
        {"a": "v" * 1023, "b": "w" * 1023},
        {"k": "é" * 1023},
        {"k": "v" * 2045, "l": ""},
    ],
    ids=["one", "two", "two-byte", "empty-value"],
)
async def test_metadata_limit_counts_bytes(
    metadata: dict[str, str], reference: DictBackend
) -> None:
    """Up to 2048 bytes of UTF-8 are accepted, one more is not."""
    store = AsyncStore(as_backend(reference))
    total = sum(len(k.encode()) + len(v.encode()) for k, v in metadata.items())
    metadata["k" if "k" in metadata else "a"] += "x" * (2048 - total)
    await store.write("f", b"", metadata=metadata)
    assert (await store.get_file_info("f")).metadata == metadata
    with pytest.raises(ValueError, match="2049"):
        await store.write("g", b"", metadata={**metadata, "z": ""})
    assert not await store.exists("g")


@pytest.mark.parametrize("name", [*WRITES, "write_text"])
async def test_metadata_round_trip(store: AsyncStore, name: str) -> None:
    """What the rules accept comes back unchanged, in the result, the info and the head."""
    metadata = {"key": "value", "Mixed Case": "", "k.-2": "größe ☃ \n\t'\"", Odd("o"): Odd("v")}
    body: Any = "x" if name == "write_text" else b"x"
    result = await getattr(store, name)("f", body, metadata=metadata)
    assert result.metadata == metadata
    assert (await store.get_file_info("f")).metadata == metadata
    assert (await store.head("f")).metadata == metadata


async def test_largest_metadata_is_kept(store: AsyncStore) -> None:
    """The largest metadata that the store lets through survives in every backend."""
    for path, value in {"ascii": "v" * 2047, "wide": "é" * 1023, "control": "\x01" * 2047}.items():
        await store.write(path, b"", metadata={"k": value})
        assert (await store.get_file_info(path)).metadata == {"k": value}


@pytest.mark.parametrize("empty", [None, {}])
async def test_no_metadata_needs_no_capability(
    empty: Mapping[str, str] | None, reference: DictBackend
) -> None:
    """Falsy metadata passes every gate, and the backend gets it as it is."""
    backend = without(reference, Capability.USER_METADATA)
    store = AsyncStore(as_backend(backend))
    for name in WRITES:
        result = await getattr(store, name)("f", b"", overwrite=True, metadata=empty)
        assert backend.calls[-1][2] == {"overwrite": True, "metadata": empty}
        assert result.metadata == empty


async def test_empty_metadata_is_none_in_the_info(store: AsyncStore) -> None:
    """A file without metadata has None, never an empty mapping; results echo what was given."""
    assert (await store.write("a", b"")).metadata is None
    assert (await store.write("b", b"", metadata={})).metadata == {}
    for path in ("a", "b"):
        assert (await store.get_file_info(path)).metadata is None
        assert (await store.head(path)).metadata is None


async def test_overwriting_replaces_metadata(store: AsyncStore) -> None:
    """The new version has the new metadata or none; nothing of the old is kept."""
    await store.write("f", b"", metadata={"a": "1", "b": "2"})
    await store.write("f", b"", metadata={"c": "3"}, overwrite=True)
    assert (await store.get_file_info("f")).metadata == {"c": "3"}
    await store.write_atomic("f", b"", overwrite=True)
    assert (await store.get_file_info("f")).metadata is None


async def test_metadata_is_never_shared(store: AsyncStore) -> None:
    """Neither the caller's dict, nor a result, nor an info, nor a copy gives access to it."""
    given = {"k": "v"}
    result = await store.write("f", b"", metadata=given)
    await store.copy("f", "g")
    given["k"] = "changed"
    assert result.metadata == {"k": "v"}
    for path in ("f", "g"):
        for answer in (result, await store.get_file_info(path), await store.head(path)):
            if isinstance(answer.metadata, dict):
                answer.metadata["k"] = f"changed in {path}"
    for path in ("f", "g"):
        assert (await store.get_file_info(path)).metadata == {"k": "v"}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("overwrite", [False, True])
async def test_result_agrees_with_the_info(store: AsyncStore, name: str, overwrite: bool) -> None:
    """A native result tells what a following get_file_info and head tell."""
    if overwrite:
        await store.write("f", b"before", metadata={"a": "b"})
    for content in (BODY, Source([BODY]).open()):
        result = await getattr(store, name)("f", content, overwrite=overwrite, metadata={"k": "v"})
        info = await store.get_file_info("f")
        head = await store.head("f")
        assert result.source == "native"
        assert (result.path, result.size) == (info.path, info.size)
        assert result.last_modified == info.modified_at == head.last_modified
        assert result.etag == info.etag == head.etag
        assert result.digest == info.digest == head.digest
        assert result.metadata == info.metadata == head.metadata == {"k": "v"}
        assert (head.path, head.size, head.source) == (info.path, info.size, "sidecar")
        assert head.version_id is None
        if info.etag is not None:
            assert '"' not in info.etag
        overwrite = True


@pytest.mark.parametrize("name", WRITES)
async def test_metadata_cannot_change_while_content_is_read(store: AsyncStore, name: str) -> None:
    """What was checked is what is stored (META-003)."""
    given = {"k": "v"}

    async def chunks() -> AsyncIterator[bytes]:
        yield BODY
        given["_private"] = "y" * 5000
        given["k"] = "changed"

    await getattr(store, name)("f", chunks(), metadata=given)
    assert (await store.get_file_info("f")).metadata == {"k": "v"}
