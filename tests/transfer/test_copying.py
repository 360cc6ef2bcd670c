"""What a copy takes along, and who makes it."""

from __future__ import annotations

import pytest
from tests.transfer.conftest import Make, contents, fill, watched, without

from remote_store import (
    AlreadyExists,
    Capability,
    ContentHeaders,
    PreconditionFailed,
)
from remote_store_transfer.aio import (
    copy_between,
    copy_tree,
    sync_tree,
)

pytestmark = pytest.mark.asyncio


LARGE = 3 << 20


async def test_one_store_copies_by_itself(memory: Make) -> None:
    """No content is read; the second run skips; user metadata come along."""
    store = memory()
    await store.write("a/f", b"1", metadata={"owner": "ann"})

    report = await sync_tree(store, store, source_path="a", target_path="b")

    assert (report.copied, watched(store).calls["copy"]) == (1, 1)
    assert not {"read", "read_bytes"} & set(watched(store).calls)
    assert (await store.get_file_info("b/f")).metadata == {"owner": "ann"}
    assert (await sync_tree(store, store, source_path="a", target_path="b")).skipped == 1


@pytest.mark.parametrize("size", [1, LARGE])
@pytest.mark.parametrize("single", [True, False])
async def test_content_headers_go_along(memory: Make, size: int, single: bool) -> None:
    """Where both sides have them, with user metadata or without; not if metadata are to stay."""
    headers = ContentHeaders(content_type="text/csv", cache_control="no-cache")
    for metadata in ({}, {"owner": "ann"}):
        source, target, plain = memory(), memory(), without(memory(), Capability.CONTENT_HEADERS)
        bare = memory()
        await source.write("a", b"1" * size, headers=headers, metadata=metadata)

        for store, wanted in ((target, True), (plain, True), (bare, False)):
            if single:
                await copy_between(source, "a", store, "a", metadata=wanted)
            else:
                assert (await sync_tree(source, store, metadata=wanted)).copied == 1

        assert (await target.get_file_info("a")).headers == headers
        assert ((await target.get_file_info("a")).metadata or {}).items() >= metadata.items()
        assert (await plain.get_file_info("a")).headers is None
        assert (await bare.get_file_info("a")).headers is None


async def test_one_store_leaves_metadata_behind_if_told_so(memory: Make) -> None:
    """It would take them along if it copied by itself."""
    store = memory()
    await store.write("a/f", b"1", metadata={"owner": "ann"})

    await sync_tree(store, store, source_path="a", target_path="b", metadata=False)

    assert "owner" not in ((await store.get_file_info("b/f")).metadata or {})


@pytest.mark.parametrize("size", [10, LARGE])
async def test_copy_between(memory: Make, local: Make, size: int) -> None:
    """One file, exclusively or not, between any two stores."""
    source, target = memory(), local("b")
    await source.write("a", b"1" * size, metadata={"owner": "ann"})

    arrival = await copy_between(source, "a", target, "x/y")

    assert arrival.size == size
    assert await target.read_bytes("x/y") == b"1" * size
    info = await target.get_file_info("x/y")
    assert info.metadata == {"owner": "ann"}
    assert info.modified_at == (await source.get_file_info("a")).modified_at
    with pytest.raises(AlreadyExists):
        await copy_between(source, "a", target, "x/y")
    await fill(source, {"a": b"2"})
    await copy_between(source, "a", target, "x/y", overwrite=True)
    assert await target.read_bytes("x/y") == b"2"
    with pytest.raises(ValueError, match="one folder"):
        await copy_between(source, "a", source, "a", overwrite=True)


async def test_copy_between_names_a_source_that_changed(memory: Make) -> None:
    """The path in the error is the caller's, and nothing was written."""
    source, target = memory(), memory()
    await fill(source, {"d/a": b"1"})

    async def read_bytes(path: str) -> bytes:
        return b"12"

    watched(source).members["read_bytes"] = read_bytes
    with pytest.raises(PreconditionFailed, match="'d/a' changed") as caught:
        await copy_between(source, "d/a", target, "x", retries=0)
    assert caught.value.path == "d/a"
    assert await contents(target) == {}


async def test_options_of_plans_and_of_executions(memory: Make) -> None:
    """Each gets its own, and one that is nobody's is refused before anything is listed."""
    source, target = memory(), memory()
    await fill(source, {"in/a": b"1", "in/b": b"1"})
    ended: list[str] = []

    report = await copy_tree(
        source, target, source_path="in", exclude=["b"], ended=lambda a, _: ended.append(a.path)
    )

    assert (report.copied, ended) == (1, ["a"])
    for store in (source, target):
        watched(store).calls.clear()
    for function, name in ((copy_tree, "delete"), (sync_tree, "overwrite"), (sync_tree, "paths")):
        with pytest.raises(TypeError, match=name):
            await function(source, target, **{name: True})  # type: ignore[arg-type]
    assert not watched(source).calls
    assert not watched(target).calls
