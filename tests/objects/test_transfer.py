"""Copies and moves: conditions on both ends, and what is done where a service lacks them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.objects.service import Bucket, after, busy, describe, lose, raising

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_objects import EVERY_CONDITION, Condition, StorageNotFound

pytestmark = pytest.mark.asyncio

CONTENT = bytes(range(100))
TINY: dict[str, Any] = {"single_put": 8, "part_size": 40}


def bucket_of(**fields: Any) -> Bucket:
    bucket = Bucket(description=describe(**fields))
    bucket.put("a", CONTENT, content_type="text/x", metadata={"k": "v"}, headers={"H": "1"})
    return bucket


def without(*conditions: Condition) -> dict[str, Any]:
    return {"conditions": EVERY_CONDITION - set(conditions)}


async def test_a_copy_is_one_request_and_a_move_three() -> None:
    """Exclusive or not."""
    bucket = bucket_of()
    backend = bucket.backend()
    await backend.copy("a", "b")
    await backend.copy("a", "b", overwrite=True)
    assert bucket.verbs() == ["copy", "copy"]
    await backend.move("a", "c")
    assert bucket.verbs() == ["head", "copy", "delete"]
    await backend.move("c", "b", overwrite=True)
    info, content = bucket.objects["b"]
    assert content == CONTENT
    assert (info.content_type, info.metadata, info.headers) == ("text/x", {"k": "v"}, {"H": "1"})
    assert sorted(bucket.objects) == ["b"]


async def test_a_target_that_is_there_is_refused() -> None:
    """And nothing has changed."""
    bucket = bucket_of()
    bucket.put("b", b"old")
    for transfer in (bucket.backend().copy, bucket.backend().move):
        with pytest.raises(AlreadyExists) as caught:
            await transfer("a", "b")
        assert (caught.value.path, caught.value.outcome_unknown) == ("b", False)
    assert bucket.contents() == {"a": CONTENT, "b": b"old"}


async def test_a_source_that_is_none() -> None:
    """Missing, a folder, in no bucket; for a no-op, too."""
    bucket = bucket_of()
    bucket.put("f/x", b"")
    backend = bucket.backend(reject_write_under_file_ancestor=True)
    for transfer in (backend.copy, backend.move, bucket.backend().copy):
        for target in ("b", "none"):
            with pytest.raises(NotFound) as caught:
                await transfer("none", target)
            assert caught.value.path == "none"
        with pytest.raises(InvalidPath):
            await transfer("f", "b")
        await transfer("a", "a")
    for transfer in (backend.copy, backend.move):
        with pytest.raises(InvalidPath):
            await transfer("a", "f")
        with pytest.raises(InvalidPath):
            await transfer("f/x", "a/b")
    bucket.there = False
    with pytest.raises(StorageNotFound):
        await bucket.backend().copy("a", "b")


async def test_a_missing_source_comes_before_a_target_that_is_there() -> None:
    """Whichever of the two a service judges first; also where an answer was lost."""
    bucket = bucket_of()
    bucket.put("f/x", b"")
    for fault in (None, lose):
        for source, kind in (("none", NotFound), ("f", InvalidPath)):
            judged = raising(PreconditionFailed("the target", status=412))
            bucket.faults["copy"] += [judged] if fault is None else [fault, judged]
            with pytest.raises(kind) as caught:
                await bucket.backend().copy(source, "a")
            assert (caught.value.path, caught.value.outcome_unknown) == (source, fault is lose)


@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_source_that_changes_stays(overwrite: bool) -> None:
    """Before the copy, nothing is done; after it, the copy stays, which the error says."""
    bucket = bucket_of()
    bucket.faults["copy"] += [after(lambda: bucket.put("a", b"new"))]
    with pytest.raises(PreconditionFailed, match="nothing was done") as caught:
        await bucket.backend().move("a", "b", overwrite=overwrite)
    assert (caught.value.path, caught.value.outcome_unknown) == ("a", False)
    assert bucket.contents() == {"a": b"new"}

    bucket.faults["delete"] += [after(lambda: bucket.put("a", b"newer"))]
    with pytest.raises(PreconditionFailed, match=r"the copy at 'b' is complete") as caught:
        await bucket.backend().move("a", "b", overwrite=overwrite)
    assert caught.value.outcome_unknown
    assert bucket.contents() == {"a": b"newer", "b": b"new"}


async def test_a_source_that_was_removed_meanwhile() -> None:
    """By whom cannot be told, unless an answer was lost."""
    bucket = bucket_of()
    bucket.faults["delete"] += [after(lambda: bucket.objects.pop("a"))]
    with pytest.raises(PreconditionFailed):
        await bucket.backend().move("a", "b")
    bucket = bucket_of()
    bucket.faults["delete"] += [lose]
    await bucket.backend().move("a", "b")
    assert bucket.contents() == {"b": CONTENT}


@pytest.mark.parametrize("transfer", ["copy", "move"])
async def test_a_lost_copy_is_not_somebody_else_s(transfer: str) -> None:
    """What is alike may be our own; what is not is another one's."""
    bucket = bucket_of()
    bucket.faults["copy"] += [lose]
    with pytest.raises(AlreadyExists) as caught:
        await getattr(bucket.backend(), transfer)("a", "b")
    assert caught.value.outcome_unknown

    bucket = bucket_of()
    bucket.faults["copy"] += [lambda act: (bucket.put("b", b"other"), lose(act))]
    with pytest.raises(AlreadyExists) as caught:
        await getattr(bucket.backend(), transfer)("a", "b")
    assert not caught.value.outcome_unknown

    bucket = bucket_of()
    bucket.faults["copy"] += [lose]
    await getattr(bucket.backend(), transfer)("a", "b", overwrite=True)
    assert bucket.contents()["b"] == CONTENT


@pytest.mark.parametrize("call", ["copy", "move", "write"])
async def test_a_refusal_after_a_lost_answer_where_nothing_is(call: str) -> None:
    """Nothing exists there, and what became of the first attempt is unknown."""
    bucket = bucket_of()
    verb = "put" if call == "write" else "copy"
    bucket.faults[verb] += [
        lose,
        lambda act: (bucket.objects.pop("b"), raising(PreconditionFailed("no"))(act)),
    ]
    arguments = ("b", CONTENT) if call == "write" else ("a", "b")
    with pytest.raises(PreconditionFailed, match="nothing is there") as caught:
        await getattr(bucket.backend(), call)(*arguments)
    assert (caught.value.path, caught.value.outcome_unknown) == ("b", True)
    assert bucket.contents() == {"a": CONTENT}


async def test_a_source_that_cannot_be_removed_is_told() -> None:
    """The move has had an effect."""
    bucket = bucket_of()
    bucket.faults["delete"] += [raising(PermissionDenied("no"))]
    with pytest.raises(PermissionDenied, match="the copy at 'b' is complete") as caught:
        await bucket.backend().move("a", "b")

    assert caught.value.outcome_unknown


async def test_without_a_condition_on_deletions_the_source_is_looked_at_again() -> None:
    """A change before that look is seen."""
    bucket = bucket_of(**without(Condition.DELETE_IF_MATCH))
    await bucket.backend().move("a", "b")
    assert bucket.verbs() == ["head", "copy", "head", "delete"]

    bucket.faults["head"] += [None, after(lambda: bucket.put("b", b"new"))]
    with pytest.raises(PreconditionFailed):
        await bucket.backend().move("b", "c")
    assert bucket.contents() == {"b": b"new", "c": CONTENT}


@pytest.mark.parametrize("overwrite", [True, False])
async def test_without_a_condition_on_targets_copies_are_made_by_parts(overwrite: bool) -> None:
    """Whose commit decides; where there are none, the bytes pass through the client."""
    lacking = without(Condition.COPY_IF_ABSENT)
    for fields, verbs in (
        ({"copy_parts": True}, ["head", "begin_upload", "copy_part", "commit"]),
        (
            {"copy_parts": False},
            ["head", "get", "head", "begin_upload", *["send_part"] * 3, "commit"],
        ),
    ):
        bucket = bucket_of(**lacking, **fields)
        await bucket.backend(**TINY).copy("a", "b", overwrite=overwrite)
        assert bucket.verbs() == (["copy"] if overwrite else verbs)
        assert bucket.contents()["b"] == CONTENT

        bucket.put("c", b"old")
        if not overwrite:
            with pytest.raises(AlreadyExists):
                await bucket.backend(**TINY).copy("a", "c")
            assert bucket.contents()["c"] == b"old"
            assert not bucket.uploads
        bucket.put("e", b"")
        await bucket.backend(**TINY).copy("e", "f", overwrite=overwrite)
        assert bucket.contents()["f"] == b""


async def test_what_a_copy_keeps_passes_through_the_client() -> None:
    """Type, metadata, headers."""
    bucket = bucket_of(copies=False)
    await bucket.backend().copy("a", "b")
    info, content = bucket.objects["b"]

    assert content == CONTENT
    assert (info.content_type, info.metadata, info.headers) == ("text/x", {"k": "v"}, {"H": "1"})
    assert bucket.verbs() == ["head", "get", "put"]


async def test_without_a_condition_on_sources_a_move_reads_one_version() -> None:
    """And a version that is not the one it looked at is refused."""
    bucket = bucket_of(**without(Condition.COPY_IF_MATCH), copy_parts=True)
    await bucket.backend().copy("a", "b")
    assert bucket.verbs() == ["copy"]
    await bucket.backend().move("a", "c")
    assert bucket.verbs() == ["head", "get", "put", "delete"]
    bucket.faults["get"] += [after(lambda: bucket.put("c", b"new"))]
    with pytest.raises(PreconditionFailed, match="nothing was done"):
        await bucket.backend().move("c", "d")
    bucket.faults["get"] += [after(lambda: bucket.objects.pop("c"))]
    with pytest.raises(PreconditionFailed, match="nothing was done"):
        await bucket.backend().move("c", "d")
    assert bucket.contents() == {"b": CONTENT}


@pytest.mark.parametrize("parts", [True, False])
async def test_what_is_too_large_for_a_copy_is_copied_otherwise(parts: bool) -> None:
    """Found out by its refusal, or known by a move."""
    bucket = bucket_of(max_copy=50, copy_parts=parts)
    backend = bucket.backend(**TINY)
    await backend.copy("a", "b")
    assert bucket.verbs()[:3] == ["copy", "head", "begin_upload" if parts else "get"]
    await backend.move("a", "c")
    assert bucket.verbs()[:2] == ["head", "begin_upload" if parts else "get"]
    assert bucket.contents() == {"b": CONTENT, "c": CONTENT}

    bucket.put("s", b"small")
    bucket.faults["copy"] += [raising(RemoteStoreError("odd"))]
    with pytest.raises(RemoteStoreError, match="odd"):
        await backend.copy("s", "t")
    assert bucket.verbs() == ["copy", "head"]


async def test_a_source_that_changes_between_parts_is_refused() -> None:
    """Nothing is written, and the upload is aborted."""
    bucket = bucket_of(max_copy=50, copy_parts=True)
    for change in (lambda: bucket.put("a", b"new"), lambda: bucket.objects.pop("a", None)):
        bucket.faults["copy_part"] += [after(change)]
        with pytest.raises(PreconditionFailed, match="nothing was done"):
            await bucket.backend(**TINY).move("a", "b")
        bucket.put("a", CONTENT)
    assert not bucket.uploads
    assert bucket.contents() == {"a": CONTENT}


async def test_without_honest_etags_nothing_is_moved() -> None:
    """MOVE is not declared, and a direct call is refused before any change."""
    bucket = bucket_of(etags=False)
    backend = bucket.backend()
    assert Capability.MOVE not in backend.capabilities
    with pytest.raises(CapabilityNotSupported):
        await backend.move("a", "b")
    assert bucket.contents() == {"a": CONTENT}
    await backend.copy("a", "b")
    assert (await backend.get_file_info("b")).etag is None
    assert (await backend.write("c", b"")).etag is None


async def test_a_busy_service_is_asked_again() -> None:
    """At each step of a move."""
    bucket = bucket_of()
    for verb in ("head", "copy", "delete"):
        bucket.faults[verb] += [busy]
    await bucket.backend().move("a", "b")
    assert bucket.contents() == {"b": CONTENT}
    bucket.faults["copy"] += [lose] * 3
    with pytest.raises(BackendUnavailable) as caught:
        await bucket.backend().move("b", "c", overwrite=True)
    assert caught.value.outcome_unknown
