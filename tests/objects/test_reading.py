"""Reading: one request, one version, taken up again where it broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.objects.service import Bucket, MemoryService, after, busy, describe, raising

from remote_store import (
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_objects import (
    EVERY_CONDITION,
    Condition,
    ObjectBackend,
    ObjectInfo,
    StorageNotFound,
)

pytestmark = pytest.mark.asyncio

CONTENT = bytes(range(100))


@pytest.fixture
def bucket() -> Bucket:
    """A bucket with one object of a hundred bytes, handed out in pieces of four."""
    bucket = Bucket()
    bucket.put("a", CONTENT)
    return bucket


def gets(bucket: Bucket) -> list[Any]:
    return [argument for verb, argument in bucket.calls if verb == "get"]


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_a_file_is_one_request(bucket: Bucket) -> None:
    """As a whole, and as a stream."""
    bucket.put("empty", b"")
    for key, content in (("a", CONTENT), ("empty", b"")):
        assert await bucket.backend().read_bytes(key) == content
        assert await joined(bucket.backend().read(key)) == content
    assert bucket.verbs() == ["get"] * 4


async def test_a_broken_read_goes_on_at_the_byte(bucket: Bucket) -> None:
    """With the version of the first answer; also where an answer ends early."""
    broken = raising(BackendUnavailable("broke"))
    bucket.faults["receive"] += [None, broken, None, None, lambda act: b""]
    assert await bucket.backend().read_bytes("a") == CONTENT
    etag = bucket.objects["a"][0].etag
    assert gets(bucket) == [
        ("a", 0, None, None),
        ("a", 4, 100, etag),
        ("a", 12, 100, etag),
    ]


async def test_a_read_that_gets_nowhere_ends(bucket: Bucket) -> None:
    """After the attempts of the policy without a byte, and its cause is kept."""
    cause = OSError("native")
    error = BackendUnavailable("broke")
    error.__cause__ = cause
    bucket.faults["receive"] += [raising(error)] * 3
    with pytest.raises(BackendUnavailable, match="byte 0 of 100") as caught:
        await bucket.backend().read_bytes("a")

    assert caught.value.__cause__ is cause
    assert len(gets(bucket)) == 3


@pytest.mark.parametrize("what", ["replaced", "deleted"])
async def test_one_version_or_none(bucket: Bucket, what: str) -> None:
    """A file that changes before a read goes on is PreconditionFailed."""

    def change() -> None:
        if what == "replaced":
            bucket.put("a", CONTENT)
        else:
            del bucket.objects["a"]

    bucket.faults["receive"] += [None, raising(BackendUnavailable("broke"))]
    bucket.faults["get"] += [None, after(change)]
    with pytest.raises(PreconditionFailed, match="while it was being read") as caught:
        await bucket.backend().read_bytes("a")

    assert caught.value.status == (412 if what == "replaced" else 404)


@pytest.mark.parametrize("lacking", ["condition", "etags", "etag"])
async def test_what_cannot_be_pinned_is_not_taken_up(bucket: Bucket, lacking: str) -> None:
    """The rest might be another version's; and ranges are not asked for either."""
    if lacking == "condition":
        bucket.description = describe(conditions=EVERY_CONDITION - {Condition.GET_IF_MATCH})
    elif lacking == "etags":
        bucket.description = describe(etags=False)
    else:
        info, content = bucket.objects["a"]
        bucket.objects["a"] = info._replace(etag=None), content
    assert await bucket.backend().read_bytes("a") == CONTENT
    if lacking != "etag":
        backend = bucket.backend(max_concurrency=3, part_size=10)
        assert await backend.read_bytes("a") == CONTENT
        assert [stop for _, _, stop, _ in gets(bucket)] == [None, None]
    bucket.faults["receive"] += [None, raising(BackendUnavailable("broke"))]
    with pytest.raises(BackendUnavailable, match="byte 4 of 100"):
        await bucket.backend().read_bytes("a")


async def test_ranges_are_read_side_by_side(bucket: Bucket) -> None:
    """No more of them than allowed, in order, and of one version."""
    backend = bucket.backend(max_concurrency=3, part_size=10)
    assert await joined(backend.read("a")) == CONTENT
    etag = bucket.objects["a"][0].etag
    assert gets(bucket)[0] == ("a", 0, 10, None)
    assert gets(bucket)[1:] == [("a", at, at + 10, etag) for at in range(10, 100, 10)]

    bucket.calls.clear()
    chunks = backend.read("a")
    await anext(chunks)
    await asyncio.sleep(0.01)
    assert len(gets(bucket)) == 3
    await chunks.aclose()
    await asyncio.sleep(0.01)
    assert len(gets(bucket)) == 3


async def test_an_empty_file_has_no_range(bucket: Bucket) -> None:
    """It is asked for again as a whole."""
    bucket.put("empty", b"")
    assert await bucket.backend(max_concurrency=2).read_bytes("empty") == b""


async def test_a_range_that_breaks_goes_on(bucket: Bucket) -> None:
    """Beside the others."""
    backend = bucket.backend(max_concurrency=4, part_size=30)
    bucket.faults["receive"] += [None] * 5 + [raising(BackendUnavailable("broke"))]
    bucket.faults["get"] += [None, busy]
    assert await backend.read_bytes("a") == CONTENT


async def test_a_range_that_fails_ends_the_read(bucket: Bucket) -> None:
    """And no task is left."""
    backend = bucket.backend(max_concurrency=4, part_size=30)
    bucket.faults["get"] += [None, raising(RemoteStoreError("bad"))]
    before = asyncio.all_tasks()
    with pytest.raises(RemoteStoreError, match="bad"):
        await backend.read_bytes("a")
    assert asyncio.all_tasks() == before


async def test_another_range_than_was_asked_for_is_refused(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are not handed out."""
    genuine = MemoryService.get

    async def get(self: MemoryService, key: str, **request: Any) -> Any:
        if request.get("start"):
            request["start"] += 1
        return await genuine(self, key, **request)

    monkeypatch.setattr(MemoryService, "get", get)
    bucket.faults["receive"] += [None, raising(BackendUnavailable("broke"))]
    with pytest.raises(RemoteStoreError, match="another part of the object"):
        await bucket.backend().read_bytes("a")


async def test_more_than_was_announced_is_an_error(bucket: Bucket) -> None:
    """The answer cannot be trusted."""
    bucket.faults["receive"] += [lambda act: b"x" * 101]
    with pytest.raises(RemoteStoreError, match="more bytes than it announced"):
        await bucket.backend().read_bytes("a")


async def test_what_is_no_file_is_told_apart_with_one_request_more(bucket: Bucket) -> None:
    """Nothing, a folder, a mark, no bucket."""
    bucket.put("f/x", b"")
    bucket.objects["mark"] = ObjectInfo("mark", 0, "e", is_folder=True), b""
    backend = bucket.backend()
    for key, kind in (("none", NotFound), ("f", InvalidPath), ("a/x", NotFound)):
        with pytest.raises(kind) as caught:
            await backend.read_bytes(key)
        assert caught.value.path == key
        assert isinstance(caught.value.__cause__, NotFound)
        assert bucket.verbs() == ["get", "list_page"]
    with pytest.raises(InvalidPath):
        await backend.read_bytes("mark")
    bucket.there = False
    with pytest.raises(StorageNotFound, match="mkbucket"):
        await backend.read_bytes("a")


async def test_a_key_that_is_too_long_is_not_asked_for() -> None:
    """No object can have it; longer than it in characters or in bytes."""
    bucket = Bucket()
    bucket.description = describe(max_key=10)
    bucket.put("0123456789", b"x")
    backend = bucket.backend()
    assert await backend.read_bytes("0123456789") == b"x"
    for key in ("0123456789a", "ääääää"):
        bucket.calls.clear()
        assert not await backend.exists(key)
        assert not await backend.is_folder(key)
        assert [found async for found in backend.list_files(key, recursive=True)] == []
        with pytest.raises(NotFound):
            await backend.read_bytes(key)
        with pytest.raises(NotFound):
            await backend.delete(key)
        await backend.delete(key, missing_ok=True)
        with pytest.raises(InvalidPath, match="longer than the 10 bytes"):
            await backend.write(key, b"")
        assert bucket.verbs() == []


async def test_a_range_is_one_request_for_its_bytes(bucket: Bucket) -> None:
    """It asks for what it returns, of one version if that is wanted."""
    backend = bucket.backend()
    etag = bucket.objects["a"][0].etag
    assert await joined(backend.read_range("a", 10, length=15)) == CONTENT[10:25]
    assert await joined(backend.read_range("a", 90, length=15, if_match=etag)) == CONTENT[90:]
    assert await joined(backend.read_range("a", 30)) == CONTENT[30:]
    assert gets(bucket) == [("a", 10, 25, None), ("a", 90, 105, etag), ("a", 30, None, None)]
    with pytest.raises(PreconditionFailed):
        await joined(backend.read_range("a", 10, length=15, if_match="other"))


async def test_behind_the_end_there_is_nothing(bucket: Bucket) -> None:
    """A second request tells a file that is too short from a missing one and a folder."""
    bucket.put("empty", b"")
    etag = bucket.objects["a"][0].etag
    backend = bucket.backend()
    for key, start in (("a", 100), ("a", 1000), ("empty", 0), ("empty", 3)):
        assert await joined(backend.read_range(key, start, length=5)) == b""
    assert await joined(backend.read_range("a", 100, if_match=etag)) == b""
    assert bucket.verbs() == ["get", "head"] * 2 + ["get"] * 2 + ["get", "head"] * 2
    with pytest.raises(PreconditionFailed):
        await joined(backend.read_range("a", 100, if_match="other"))
    with pytest.raises(NotFound):
        await joined(backend.read_range("none", 100))
    bucket.put("d/x", b"")
    with pytest.raises(InvalidPath):
        await joined(backend.read_range("d", 100))
    bucket.objects["mark"] = ObjectInfo("mark", 0, "e", is_folder=True), b""
    # The refusal of the range, or of the version, is not what made it.
    for condition in (None, "other"):
        with pytest.raises(InvalidPath) as caught:
            await joined(backend.read_range("mark", 100, if_match=condition))
        assert caught.value.__context__ is None


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_broken_range_goes_on_within_it(bucket: Bucket, concurrency: int) -> None:
    """At the byte where it broke, with the version of its first answer."""
    bucket.faults["receive"] += [None, raising(BackendUnavailable("broke"))]
    backend = bucket.backend(max_concurrency=concurrency, range_size=20)
    assert await joined(backend.read_range("a", 10, length=50)) == CONTENT[10:60]
    etag = bucket.objects["a"][0].etag
    first = 60 if concurrency == 1 else 30
    assert gets(bucket)[0] == ("a", 10, first, None)
    assert ("a", 14, first, etag) in gets(bucket)
    assert max(stop for _, _, stop, _ in gets(bucket)) == 60


async def test_a_service_that_cannot_compare_is_not_asked_to(bucket: Bucket) -> None:
    """Its answer tells the version, and the wrong one is not handed out."""
    bucket.description = describe(conditions=EVERY_CONDITION - {Condition.GET_IF_MATCH})
    etag = bucket.objects["a"][0].etag
    backend = bucket.backend()
    assert await joined(backend.read_range("a", 10, length=5, if_match=etag)) == CONTENT[10:15]
    with pytest.raises(PreconditionFailed):
        await joined(backend.read_range("a", 10, length=5, if_match="other"))
    assert gets(bucket) == [("a", 10, 15, None)] * 2


async def test_the_whole_object_is_no_answer_to_a_range(bucket: Bucket) -> None:
    """A service that ignores what it was asked for is not believed."""

    class Deaf(MemoryService):
        async def get(self, key: str, **_: Any) -> Any:
            return await super().get(key)

    backend = ObjectBackend(lambda: Deaf(bucket), bucket.description)
    with pytest.raises(RemoteStoreError, match="another part"):
        await joined(backend.read_range("a", 10, length=5))


async def test_another_version_of_nothing_is_a_missing_file(bucket: Bucket) -> None:
    """Where a service compares first and then looks, a second request tells what is there."""

    class Comparing(MemoryService):
        async def get(self, key: str, **options: Any) -> Any:
            try:
                return await super().get(key, **options)
            except NotFound as error:
                raise PreconditionFailed("412") from error

    backend = ObjectBackend(lambda: Comparing(bucket), bucket.description)
    with pytest.raises(NotFound):
        await joined(backend.read_range("none", 0, if_match="other"))
    bucket.put("d/x", b"")
    with pytest.raises(InvalidPath):
        await joined(backend.read_range("d", 0, if_match="other"))
    with pytest.raises(PreconditionFailed):
        await joined(backend.read_range("a", 0, if_match="other"))
