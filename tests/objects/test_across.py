"""Copies from another bucket, which the service makes for both."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.objects.service import Bucket, MemoryService, after, busy, describe, lose, raising

from remote_store import (
    AlreadyExists,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    StoreClosed,
)
from remote_store.aio import AsyncStore
from remote_store_objects import EVERY_CONDITION, Condition, ObjectBackend, StorageNotFound

pytestmark = pytest.mark.asyncio

CONTENT = bytes(range(100))
TINY: dict[str, Any] = {"single_put": 8, "part_size": 40}


def two(**fields: Any) -> tuple[Bucket, Bucket]:
    """Return two buckets of one account; the first has an object with all that it can have."""
    source = Bucket(description=describe(**{**fields, "location": "mem://source"}))
    target = Bucket(description=describe(**{**fields, "location": "mem://target"}))
    source.put("a", CONTENT, content_type="text/x", metadata={"k": "v"}, headers={"H": "1"})
    return source, target


def verbs(*buckets: Bucket) -> list[list[str]]:
    """Return what was asked of each."""
    return [bucket.verbs() for bucket in buckets]


async def test_it_is_one_request_to_the_target_and_none_to_the_source() -> None:
    """Exclusive or not, of any version or of one; all that the object has goes along."""
    source, target = two()
    theirs, ours = source.backend(), target.backend()
    etag = source.objects["a"][0].etag
    assert await ours.copy_from(theirs, "a", "d/b") is None
    assert await ours.copy_from(theirs, "a", "d/b", overwrite=True, if_match=etag) is None
    assert verbs(source, target) == [[], ["copy", "copy"]]
    info, content = target.objects["d/b"]
    assert content == CONTENT
    assert (info.content_type, info.metadata, info.headers) == ("text/x", {"k": "v"}, {"H": "1"})
    assert source.contents() == {"a": CONTENT}
    await ours.copy("d/b", "c")
    assert target.contents() == {"c": CONTENT, "d/b": CONTENT}, "a copy within is one again"
    await ours.copy_from(theirs, "a", "a")
    assert verbs(source, target) == [[], ["copy", "copy"]], "a key is another one elsewhere"
    assert target.contents()["a"] == CONTENT


class Encrypting(MemoryService):
    """What it stores is not what it is given, which its bucket knows nothing of."""


class Capitals(ObjectBackend):
    """Hands out another content than the service has."""

    def read(self, path: str) -> AsyncGenerator[bytes, None]:
        return super().read(path)


class Proxy:
    """Says that it is what it wraps, as those of libraries do."""

    def __init__(self, wrapped: ObjectBackend) -> None:
        self.wrapped = wrapped

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self.wrapped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def read(self, path: str) -> AsyncGenerator[bytes, None]:
        return self.wrapped.read(path)


async def test_what_cannot_be_reached_is_told_before_any_request() -> None:
    """Another account, another kind, a class of its own on either side, a wrapper; no copy."""
    source, target = two()
    other = Bucket(description=source.description, account="other")
    other.put("a")
    own = Capitals(source.connect, source.description)
    changed = source.backend()
    changed.read = own.read  # type: ignore[method-assign]
    plain = Bucket(description=describe(copies=False))
    half = Bucket(
        description=describe(conditions=EVERY_CONDITION - {Condition.COPY_IF_ABSENT}),
    )
    for ours, theirs in (
        (target.backend(), other.backend()),
        (target.backend(), own),
        (target.backend(), ObjectBackend(lambda: Encrypting(source), source.description)),
        (ObjectBackend(lambda: Encrypting(target), target.description), source.backend()),
        (target.backend(), changed),
        (target.backend(), Proxy(source.backend())),
        (Capitals(target.connect, target.description), source.backend()),
        (plain.backend(), source.backend()),
        (half.backend(), source.backend()),
    ):
        with pytest.raises(CapabilityNotSupported, match="nothing was done") as caught:
            await ours.copy_from(theirs, "a", "b")
        assert (caught.value.capability, caught.value.path) == ("copy_from", "b")
    await half.backend().copy_from(source.backend(), "a", "b", overwrite=True)
    assert verbs(source, target, other, plain, half) == [[], [], [], [], ["copy"]]


async def test_conditions_need_what_they_need_within_one_bucket() -> None:
    """Exclusive copies without exclusive writes, and versions where none is compared."""
    source, target = two(conditions=EVERY_CONDITION - {Condition.PUT_IF_ABSENT})
    with pytest.raises(CapabilityNotSupported, match="overwrite=False") as caught:
        await target.backend().copy_from(source.backend(), "a", "b")
    assert caught.value.capability == "conditional_write"
    source, target = two(conditions=EVERY_CONDITION - {Condition.DELETE_IF_MATCH})
    with pytest.raises(CapabilityNotSupported) as caught:
        await target.backend().copy_from(source.backend(), "a", "b", if_match="v")
    assert caught.value.capability == "conditional_write"
    assert verbs(source, target) == [[], []]


async def test_by_parts_where_the_condition_or_the_size_wants_it() -> None:
    """Each part of one version; the source is looked at in its own bucket."""
    fields: dict[str, Any] = {"copy_parts": True, "max_part": 40}
    source, target = two(**fields, conditions=EVERY_CONDITION - {Condition.COPY_IF_ABSENT})
    await target.backend(**TINY).copy_from(source.backend(), "a", "b")
    by_parts = ["begin_upload", "copy_part", "copy_part", "copy_part", "commit"]
    assert verbs(source, target) == [["head"], by_parts]
    assert target.objects["b"][1] == CONTENT
    assert target.objects["b"][0].metadata == {"k": "v"}

    source, target = two(**fields, max_copy=50)
    etag = source.objects["a"][0].etag
    await target.backend(**TINY).copy_from(source.backend(), "a", "b", if_match=etag)
    assert verbs(source, target) == [["head"], ["copy", *by_parts]]
    target.faults["copy_part"] += [None, after(lambda: source.put("a", b"new" * 40))]
    with pytest.raises(PreconditionFailed, match="changed") as caught:
        await target.backend(**TINY).copy_from(source.backend(), "a", "c", if_match=etag)
    assert caught.value.path == "a"
    assert sorted(target.objects) == ["b"]
    assert target.uploads == {}


async def test_an_empty_object_where_only_parts_are_exclusive() -> None:
    """No part can be empty; it is made by a write, which moves no content either."""
    source, target = two(copy_parts=True, conditions=EVERY_CONDITION - {Condition.COPY_IF_ABSENT})
    source.put("empty", b"", metadata={"k": "e"})
    await target.backend().copy_from(source.backend(), "empty", "e")
    assert target.objects["e"][0].metadata == {"k": "e"}
    with pytest.raises(AlreadyExists):
        await target.backend().copy_from(source.backend(), "empty", "e")


async def test_what_is_missing_is_named_on_its_side() -> None:
    """The object, which may be a folder; and either bucket, though the service tells not which."""
    source, target = two()
    source.put("f/x")
    theirs, ours = source.backend(), target.backend()
    with pytest.raises(NotFound) as missing:
        await ours.copy_from(theirs, "none", "b")
    assert missing.value.path == "none"
    assert not isinstance(missing.value, StorageNotFound)
    with pytest.raises(InvalidPath) as folder:
        await ours.copy_from(theirs, "f", "b")
    assert folder.value.path == "f"
    assert verbs(source, target) == [["list_page", "list_page"], ["copy", "copy"]]
    source.there = False
    with pytest.raises(StorageNotFound, match="mem://source") as caught:
        await ours.copy_from(theirs, "a", "b")
    assert (caught.value.path, caught.value.filename) == ("a", "a")
    source.there, target.there = True, False
    with pytest.raises(StorageNotFound, match="mem://target") as caught:
        await ours.copy_from(theirs, "a", "b")
    assert (caught.value.path, caught.value.filename) == ("b", "b")


@pytest.mark.parametrize("key", ["a", "b"])
async def test_a_target_that_is_there(key: str) -> None:
    """Refused, and told apart from a source that is not the version that is wanted."""
    source, target = two()
    target.put(key, b"old")
    theirs, ours = source.backend(), target.backend()
    for etag in (None, source.objects["a"][0].etag):
        with pytest.raises(AlreadyExists) as caught:
            await ours.copy_from(theirs, "a", key, if_match=etag)
        assert (caught.value.path, caught.value.outcome_unknown) == (key, False)
    for overwrite in (False, True):
        with pytest.raises(PreconditionFailed) as changed:
            await ours.copy_from(theirs, "a", key, overwrite=overwrite, if_match="v0")
        assert changed.value.path == "a"
        assert not isinstance(changed.value, AlreadyExists)
    assert target.contents() == {key: b"old"}


@pytest.mark.parametrize("key", ["a", "b"])
@pytest.mark.parametrize("pinned", [False, True])
async def test_a_lost_answer_is_compared_with_the_source_in_its_own_bucket(
    key: str, pinned: bool
) -> None:
    """Equal: unknown. Another one: somebody else's."""
    source, target = two()
    theirs, ours = source.backend(), target.backend()
    target.faults["copy"] += [lose]
    etag = source.objects["a"][0].etag if pinned else None
    with pytest.raises(AlreadyExists, match="got no answer") as caught:
        await ours.copy_from(theirs, "a", key, if_match=etag)
    assert caught.value.outcome_unknown
    assert target.objects[key][1] == CONTENT

    def other() -> None:
        target.put("c", b"theirs")

    target.faults["copy"] += [busy, after(other)]
    with pytest.raises(AlreadyExists) as caught:
        await ours.copy_from(theirs, "a", "c")
    assert not caught.value.outcome_unknown
    target.faults["copy"] += [lose]
    await ours.copy_from(theirs, "a", "b", overwrite=True)


async def test_a_refusal_passes_as_it_is() -> None:
    """Who wants to, reads and writes; nothing is done here in its stead."""
    source, target = two()
    target.faults["copy"] += [raising(PermissionDenied("not you", status=403))]
    with pytest.raises(PermissionDenied) as caught:
        await target.backend().copy_from(source.backend(), "a", "b")
    assert (caught.value.status, caught.value.outcome_unknown) == (403, False)
    assert verbs(source, target) == [[], ["copy"]]


async def test_two_backends_of_one_bucket() -> None:
    """A file is copied to another name; onto itself it stays, if it is one."""
    bucket = two()[0]
    ours, theirs = bucket.backend(), bucket.backend()
    await ours.copy_from(theirs, "a", "b")
    before = dict(bucket.objects)
    for overwrite in (False, True):
        await ours.copy_from(theirs, "a", "a", overwrite=overwrite)
        with pytest.raises(NotFound):
            await ours.copy_from(theirs, "none", "none", overwrite=overwrite)
    with pytest.raises(PreconditionFailed):
        await ours.copy_from(theirs, "a", "a", if_match="v0")
    assert bucket.objects == before


async def test_names_are_refused_by_the_side_that_they_are_of() -> None:
    """Reserved and empty ones, and a file above the target where that is looked for."""
    source, target = two()
    theirs = source.backend()
    ours = target.backend(reject_write_under_file_ancestor=True)
    target.put("file")
    for src, dst in (("a", ".~tmp.x"), ("a", ""), ("", "b"), ("../a", "b"), ("a", "file/below")):
        with pytest.raises(InvalidPath):
            await ours.copy_from(theirs, src, dst)
    assert sorted(target.objects) == ["file"]


async def test_a_closed_side_is_closed() -> None:
    """Either of the two; and what is copied is waited for by the close of its source."""
    source, target = two()
    theirs, ours = source.backend(), target.backend()
    await AsyncStore(ours).copy_from(AsyncStore(theirs), "a", "b")
    await theirs.aclose()
    with pytest.raises(StoreClosed):
        await ours.copy_from(theirs, "a", "c")
    await ours.aclose()
    with pytest.raises(StoreClosed):
        await ours.copy_from(source.backend(), "a", "c")
    assert [service.closed for service in target.services] == [1], "a view of it is never closed"
