"""Writes that replace one version and nothing else: who decides, and what a lost answer means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.objects.service import QUICK, Bucket, after, busy, describe, lose

from remote_store import (
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PreconditionFailed,
)
from remote_store_objects import EVERY_CONDITION, Attributes, Condition
from remote_store_objects._session.in_flight import Calls
from remote_store_objects._session.session import Session, Sizes
from remote_store_objects._writing.write import write

pytestmark = pytest.mark.asyncio


def session(bucket: Bucket) -> Session:
    sizes = Sizes(single_put=8, part_size=4, growth=10, max_concurrency=1)
    return Session(bucket.connect(), bucket.description, QUICK, Calls("mem"), sizes)


async def stream(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def replace(bucket: Bucket, content: bytes, etag: str | None) -> str | None:
    """Write *content* at ``a``, in parts if it is longer than 8 bytes; return its version."""
    given = content if len(content) <= 8 else stream(content)
    written, _ = await write(
        session(bucket), "a", given, exclusive=False, attributes=Attributes(), if_match=etag
    )
    return written.etag


@pytest.mark.parametrize(
    ("content", "verbs"),
    [(b"new", ["put"]), (b"new content", ["begin_upload", *["send_part"] * 3, "commit"])],
)
async def test_one_version_is_replaced_and_no_other(content: bytes, verbs: list[str]) -> None:
    """The service decides with the change itself: no request more than without."""
    bucket = Bucket()
    bucket.put("a", b"1")
    second = bucket.put("a", b"2")

    with pytest.raises(PreconditionFailed) as caught:
        await replace(bucket, content, "v000001")
    assert not caught.value.outcome_unknown
    assert (bucket.contents(), bucket.uploads) == ({"a": b"2"}, {})
    bucket.calls.clear()

    assert await replace(bucket, content, second.etag) is not None
    assert bucket.verbs() == verbs
    assert bucket.contents() == {"a": content}


@pytest.mark.parametrize("content", [b"new", b"new content"])
async def test_nothing_is_no_version(content: bytes) -> None:
    """An object that was deleted is not made again."""
    bucket = Bucket()
    with pytest.raises(PreconditionFailed):
        await replace(bucket, content, "v000001")
    assert not bucket.objects


async def test_a_refusal_after_a_lost_answer_may_be_about_its_own_success() -> None:
    """Then nobody can tell, unless what is there surely is not what was written."""
    bucket = Bucket()
    first = bucket.put("a", b"1")
    bucket.faults["put"].append(lose)
    with pytest.raises(PreconditionFailed, match="may be this call's own") as caught:
        await replace(bucket, b"new", first.etag)
    assert caught.value.outcome_unknown
    assert bucket.contents() == {"a": b"new"}

    other = bucket.put("a", b"other's")
    bucket.faults["put"] += [lose, after(lambda: bucket.put("a", b"still another's"))]
    with pytest.raises(PreconditionFailed) as caught:
        await replace(bucket, b"new", other.etag)
    assert not caught.value.outcome_unknown


async def test_a_commit_whose_answer_was_lost_is_recognised() -> None:
    """By the upload, as an exclusive one is."""
    bucket = Bucket()
    first = bucket.put("a", b"1")
    bucket.faults["commit"] += [busy, lose]
    assert await replace(bucket, b"new content", first.etag) is not None
    assert bucket.contents() == {"a": b"new content"}


@pytest.mark.parametrize(
    ("lacks", "content"),
    [(Condition.PUT_IF_MATCH, b"new"), (Condition.COMMIT_IF_MATCH, b"new content")],
)
async def test_a_service_that_cannot_decide_is_not_asked(lacks: Condition, content: bytes) -> None:
    """A look before the write would lose what is written in between."""
    bucket = Bucket(describe(conditions=EVERY_CONDITION - {lacks}))
    info = bucket.put("a", b"1")
    with pytest.raises(CapabilityNotSupported, match="if_match"):
        await replace(bucket, content, info.etag)
    assert bucket.verbs() == []
    assert await replace(bucket, content, None) is not None


# The backend -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "verbs"),
    [
        (lambda b, etag: b.write("a", b"new", if_match=etag), ["put"]),
        (lambda b, etag: b.write("a", stream(b"new"), overwrite=False, if_match=etag), ["put"]),
        (lambda b, etag: b.write_atomic("a", b"new", if_match=etag), ["put"]),
        (lambda b, etag: b.delete("a", if_match=etag), ["delete"]),
        (lambda b, etag: b.copy("a", "b", if_match=etag), ["copy"]),
        (lambda b, etag: b.move("a", "b", if_match=etag), ["head", "copy", "delete"]),
    ],
)
async def test_a_condition_costs_no_request(change: Any, verbs: list[str]) -> None:
    """Each change makes as many as without one, and one of a stale version at most one more."""
    bucket = Bucket()
    backend = bucket.backend()
    first, now = bucket.put("a", b"1"), bucket.put("a", b"2")
    with pytest.raises(PreconditionFailed) as caught:
        await change(backend, first.etag)
    assert (caught.value.path, caught.value.outcome_unknown) == ("a", False)
    assert len(bucket.verbs()) <= len(verbs) + 1
    assert bucket.contents() == {"a": b"2"}
    await change(backend, now.etag)
    assert bucket.verbs() == verbs


async def test_what_is_missing_is_told_from_another_version() -> None:
    """Whatever word the service has for it, and a folder is a third thing."""
    for told in (NotFound, PreconditionFailed):
        bucket = Bucket()
        backend = bucket.backend()

        def missing(_: object, told: type[Exception] = told) -> None:
            raise told("nothing matches")

        bucket.faults["delete"] += [missing, missing, missing]
        with pytest.raises(NotFound):
            await backend.delete("a", if_match="v")
        await backend.delete("a", if_match="v", missing_ok=True)
        bucket.put("a/inner")
        with pytest.raises(InvalidPath):
            await backend.delete("a", if_match="v")
    for transfer in (backend.copy, backend.move):
        with pytest.raises(NotFound):
            await transfer("none", "b", if_match="v")


async def test_a_delete_whose_answer_was_lost_is_done() -> None:
    """The next attempt finds nothing, or a version of somebody else."""
    bucket = Bucket()
    backend = bucket.backend()
    bucket.faults["delete"].append(lose)
    await backend.delete("a", if_match=bucket.put("a", b"1").etag)
    assert not bucket.objects

    etag = bucket.put("a", b"1").etag
    bucket.faults["delete"] += [after(lambda: bucket.put("a", b"2")), None]
    with pytest.raises(PreconditionFailed):
        await backend.delete("a", if_match=etag)
    assert bucket.contents() == {"a": b"2"}


@pytest.mark.parametrize("lacks", [Condition.COPY_IF_ABSENT, None])
async def test_a_copy_by_any_way_is_of_that_version(lacks: Condition | None) -> None:
    """Also where its bytes pass through the client, or onto itself."""
    conditions = EVERY_CONDITION - {lacks}
    bucket = Bucket(describe(conditions=conditions, copies=lacks is None))
    backend = bucket.backend()
    first, now = bucket.put("a", b"1"), bucket.put("a", b"2")
    for target in ("a", "b"):
        with pytest.raises(PreconditionFailed):
            await backend.copy("a", target, if_match=first.etag)
        await backend.copy("a", target, if_match=now.etag)
    assert bucket.contents() == {"a": b"2", "b": b"2"}


@pytest.mark.parametrize(
    "fields",
    [
        {"etags": False},
        *(
            {"conditions": EVERY_CONDITION - {lacks}}
            for lacks in (
                Condition.PUT_IF_MATCH,
                Condition.COMMIT_IF_MATCH,
                Condition.COPY_IF_MATCH,
                Condition.DELETE_IF_MATCH,
            )
        ),
    ],
)
async def test_declared_where_every_change_is_decided(fields: dict[str, Any]) -> None:
    """A service that lacks one of the conditions is asked for none."""
    assert Capability.CONDITIONAL_WRITE in Bucket().backend().capabilities
    no_uploads = describe(uploads=False, conditions=EVERY_CONDITION - {Condition.COMMIT_IF_MATCH})
    assert no_uploads.compares
    bucket = Bucket(describe(**fields))
    backend = bucket.backend()
    assert Capability.CONDITIONAL_WRITE not in backend.capabilities
    for call in (
        backend.write("a", b"", if_match="v"),
        backend.delete("a", if_match="v"),
        backend.move("a", "b", if_match="v"),
        backend.copy("a", "b", if_match="v"),
    ):
        with pytest.raises(CapabilityNotSupported) as caught:
            await call
        assert caught.value.capability == "conditional_write"
    assert bucket.verbs() == []
