"""Deleting: one request, batches, and the truth about what was lost."""

from __future__ import annotations

import asyncio

import pytest
from tests.objects.service import Bucket, after, busy, describe, lose, raising

from remote_store import (
    BackendUnavailable,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
    ResourceLocked,
)
from remote_store_objects import EVERY_CONDITION, Condition, ObjectInfo, StorageNotFound

pytestmark = pytest.mark.asyncio


def filled(count: int, **fields: object) -> Bucket:
    bucket = Bucket(description=describe(**fields))
    for number in range(count):
        bucket.put(f"f/{number:03}", b"x")
    bucket.put("other", b"x")
    return bucket


async def test_a_file_is_one_request() -> None:
    """What is missing or a folder takes one more."""
    bucket = filled(2)
    backend = bucket.backend()
    await backend.delete("f/000")
    assert bucket.verbs() == ["delete"]
    with pytest.raises(NotFound) as caught:
        await backend.delete("f/000")
    assert not caught.value.outcome_unknown
    assert bucket.verbs() == ["delete", "list_page"]
    await backend.delete("f/000", missing_ok=True)
    with pytest.raises(InvalidPath):
        await backend.delete("f", missing_ok=True)
    bucket.there = False
    with pytest.raises(StorageNotFound):
        await backend.delete("f/001")
    with pytest.raises(StorageNotFound):
        await backend.delete_folder("f", recursive=True)
    await backend.delete("f/001", missing_ok=True)
    for recursive in (False, True):
        await backend.delete_folder("f", recursive=recursive, missing_ok=True)


async def test_a_lost_deletion_that_finds_nothing_has_done_it() -> None:
    """The attempt without an answer did."""
    bucket = filled(1)
    bucket.faults["delete"] += [lose]
    await bucket.backend().delete("f/000")

    assert bucket.verbs() == ["delete", "delete"]


async def test_a_service_that_deletes_silently_is_looked_at_first() -> None:
    """So that a missing file is told."""
    bucket = filled(1, delete_tells=False)
    backend = bucket.backend()
    with pytest.raises(NotFound):
        await backend.delete("none")
    await backend.delete("none", missing_ok=True)
    bucket.verbs()
    await backend.delete("f/000")
    assert bucket.verbs() == ["head", "delete"]


async def test_a_folder_goes_in_batches() -> None:
    """One for each page here; what others made meanwhile stays."""
    bucket = filled(250)
    bucket.faults["delete_many"] += [after(lambda: bucket.put("f/new", b"x"))]
    await bucket.backend().delete_folder("f", recursive=True)

    assert sorted(bucket.verbs()) == ["delete_many"] * 3 + ["list_page"]
    assert sorted(bucket.objects) == ["f/new", "other"]


async def test_a_folder_goes_one_by_one_without_batches() -> None:
    """Side by side, each object tried."""
    bucket = filled(30, batch=0)
    bucket.faults["delete"] += [
        raising(ResourceLocked("first")),
        busy,
        raising(NotFound("gone")),
        raising(PermissionDenied("second")),
    ]
    with pytest.raises(ResourceLocked, match="first") as caught:
        await bucket.backend().delete_folder("f", recursive=True)

    assert caught.value.outcome_unknown  # of the folder: some are gone
    assert [str(error.args[0]) for error in caught.value.others] == ["second"]
    paths = [getattr(error, "path", "") for error in (caught.value, *caught.value.others)]
    assert set(paths) <= {f"f/{n:03}" for n in range(30)}
    assert sorted(bucket.objects)[-1] == "other"
    assert len(bucket.objects) == 4


async def test_errors_of_a_batch_are_those_of_its_keys() -> None:
    """Refused ones are raised, busy ones tried again, missing ones fine."""
    bucket = filled(10)
    refused = {
        "f/001": ResourceLocked("locked"),
        "f/002": BackendUnavailable("busy"),
        "f/003": NotFound("gone"),
        "f/004": PermissionDenied("no"),
    }

    def partly(act: object) -> object:
        for number in (0, *range(5, 10)):
            del bucket.objects[f"f/{number:03}"]
        return refused

    bucket.faults["delete_many"] += [partly]
    with pytest.raises(ResourceLocked) as caught:
        await bucket.backend().delete_folder("f", recursive=True)

    assert (caught.value.path, caught.value.backend) == ("f/001", "async-memory-objects")
    assert caught.value.others == (refused["f/004"],)
    assert sorted(bucket.objects) == ["f/001", "f/003", "f/004", "other"]


async def test_a_service_that_refuses_batches_gets_single_requests() -> None:
    """For all that is left."""
    bucket = filled(250)
    bucket.faults["delete_many"] += [raising(RemoteStoreError("no batches"))] * 4
    await bucket.backend().delete_folder("f", recursive=True)

    assert sorted(bucket.objects) == ["other"]
    assert bucket.verbs().count("delete") >= 100


@pytest.mark.parametrize("error", [PermissionDenied("no"), BackendUnavailable("down")])
async def test_a_batch_that_fails_as_a_whole_ends_the_deletion(error: RemoteStoreError) -> None:
    """Single requests would fare no better."""
    bucket = filled(10)
    bucket.faults["delete_many"] += [raising(error)] * 3
    with pytest.raises(type(error)) as caught:
        await bucket.backend().delete_folder("f", recursive=True)

    assert not caught.value.outcome_unknown
    assert "delete" not in bucket.verbs()


async def test_a_cancelled_deletion_leaves_no_task() -> None:
    """Whatever is under way."""
    bucket = filled(10, batch=0)
    task = asyncio.create_task(bucket.backend().delete_folder("f", recursive=True))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1


async def test_a_folder_without_recursive() -> None:
    """Only one that has nothing but its marker."""
    bucket = filled(2)
    bucket.put("e/")
    bucket.put("g/")
    bucket.put("g/x", b"")
    backend = bucket.backend()
    for key in ("f", "g"):
        with pytest.raises(DirectoryNotEmpty):
            await backend.delete_folder(key)
    await backend.delete_folder("e")
    assert "e/" not in bucket.objects
    with pytest.raises(NotFound):
        await backend.delete_folder("e")
    with pytest.raises(NotFound):
        await backend.delete_folder("e", recursive=True)
    await backend.delete_folder("e", missing_ok=True)
    await backend.delete_folder("e", recursive=True, missing_ok=True)
    for recursive in (True, False):
        with pytest.raises(InvalidPath):
            await backend.delete_folder("other", recursive=recursive, missing_ok=True)
    with pytest.raises(InvalidPath, match="root"):
        await backend.delete_folder("", recursive=True)


async def test_a_marker_that_becomes_a_file_stays() -> None:
    """The version that was looked at, or none."""
    for conditions in (EVERY_CONDITION, EVERY_CONDITION - {Condition.DELETE_IF_MATCH}):
        bucket = Bucket(description=describe(conditions=conditions))
        bucket.put("e/")
        look = "delete" if Condition.DELETE_IF_MATCH in conditions else "head"
        bucket.faults[look] += [after(lambda b=bucket: b.put("e/", b"content"))]  # type: ignore[misc]
        with pytest.raises(DirectoryNotEmpty):
            await bucket.backend().delete_folder("e")
        assert bucket.contents() == {"e/": b"content"}


async def test_marks_of_the_service_go_with_their_folder() -> None:
    """Where the description says that there are some."""
    bucket = filled(2, folder_marks=True)
    bucket.objects["f"] = ObjectInfo("f", 0, "e", is_folder=True), b""
    bucket.objects["m"] = ObjectInfo("m", 0, "e", is_folder=True), b""
    backend = bucket.backend()
    await backend.delete_folder("f", recursive=True)
    await backend.delete_folder("m")
    assert sorted(bucket.objects) == ["other"]

    # A file of the folder's name is none of it.
    bucket.put("other/x", b"")
    await backend.delete_folder("other", recursive=True)
    assert sorted(bucket.objects) == ["other"]
