"""Deleting files that are named: batches, and for each file what a single request would tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.objects.service import Bucket, after, busy, describe, lose, raising

from remote_store import (
    BackendUnavailable,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
    StoreClosed,
)
from remote_store_objects import ObjectBackend, StorageNotFound

pytestmark = pytest.mark.asyncio


def filled(count: int, **fields: object) -> tuple[Bucket, list[str]]:
    bucket = Bucket(description=describe(**fields))
    names = [f"f/{number:03}" for number in range(count)]
    for name in names:
        bucket.put(name, b"x")
    bucket.put("f/sub/x", b"x")
    bucket.put("other", b"x")
    return bucket, names


def kinds(found: Mapping[str, RemoteStoreError]) -> dict[str, type]:
    return {key: type(error) for key, error in found.items()}


async def declined(backend: ObjectBackend, names: list[str], **options: Any) -> None:
    """State that a backend leaves files to be deleted one by one."""
    with pytest.raises(CapabilityNotSupported) as caught:
        await backend.delete_many(names, **options)
    assert (caught.value.capability, caught.value.backend) == ("delete_many", backend.name)


async def test_batches_alone_where_they_tell_everything() -> None:
    """What is missing takes one look each, at whether it is a folder."""
    bucket, names = filled(250, batch_tells=True)
    found = await bucket.backend().delete_many(names)
    assert found == {}
    assert bucket.verbs() == ["delete_many"] * 3

    found = await bucket.backend().delete_many([*names[:2], "f/sub", "other"])
    assert kinds(found) == {names[0]: NotFound, names[1]: NotFound, "f/sub": InvalidPath}
    assert [error.path for error in (found or {}).values()] == [*names[:2], "f/sub"]
    assert bucket.verbs() == ["delete_many", *["list_page"] * 3]
    found = await bucket.backend().delete_many([*names[:2], "f/sub"], missing_ok=True)
    assert kinds(found) == {"f/sub": InvalidPath}
    assert sorted(bucket.objects) == ["f/sub/x"]


@pytest.mark.parametrize("tells", [True, False])
async def test_a_look_first_where_they_do_not(tells: bool) -> None:
    """What a page shows goes by batch, all else alone, whatever `delete` tells."""
    bucket, names = filled(20, delete_tells=tells)
    found = await bucket.backend().delete_many([*names, "f/none", "f/sub"])
    assert kinds(found) == {"f/none": NotFound, "f/sub": InvalidPath}
    verbs = bucket.verbs()
    assert verbs[:2] == ["list_page", "delete_many"]
    assert sorted(verbs[2:]) == sorted(["delete" if tells else "head", "list_page"] * 2)
    assert sorted(bucket.objects) == ["f/sub/x", "other"]


async def test_files_of_several_folders() -> None:
    """One listing of what they have in common."""
    bucket, names = filled(10)
    more = [f"f/g/{number}/x" for number in range(10)]
    for name in more:
        bucket.put(name)
    assert await bucket.backend().delete_many([*names, *more]) == {}
    assert bucket.verbs() == ["list_page", "delete_many"]
    assert sorted(bucket.objects) == ["f/sub/x", "other"]


async def test_a_look_that_would_cost_too_much() -> None:
    """It ends after a page for each eight files; those that it has shown go by batch."""
    bucket, names = filled(200, page=10)
    asked = names[:8] + names[100:112]
    assert await bucket.backend().delete_many(asked) == {}
    verbs = bucket.verbs()
    assert verbs == [*["list_page"] * 2, "delete_many", *["delete"] * 12]

    asked = names[20:27]  # too few for one page
    await declined(bucket.backend(), asked)
    assert bucket.verbs() == []
    assert len(bucket.objects) == 182


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"batch": 0}, 50),
        ({"batch_tells": True}, 1),
        ({"batch_tells": True}, 0),
        ({}, 7),
    ],
)
async def test_where_nothing_is_gained(fields: dict[str, Any], keys: int) -> None:
    """Nothing is done."""
    bucket, names = filled(50, **fields)
    await declined(bucket.backend(), names[:keys])
    assert bucket.verbs() == []


async def test_a_look_that_is_refused() -> None:
    """Whoever may delete may not always list."""
    bucket, names = filled(20)
    bucket.faults["list_page"] += [raising(PermissionDenied("no list"))]
    await declined(bucket.backend(), names)
    assert bucket.verbs() == ["list_page"]


async def test_keys_that_are_none() -> None:
    """Each has its error before any request, and one that is too long for an object one, too."""
    bucket, names = filled(2, batch_tells=True)
    long = "x" * 1025
    found = await bucket.backend().delete_many(["../x", "", *names, "/y", long])
    assert kinds(found) == {"../x": InvalidPath, "": InvalidPath, "/y": InvalidPath, long: NotFound}
    assert bucket.verbs() == ["delete_many"]


async def test_one_version_of_each() -> None:
    """By the condition of the batch, or one by one where it has none."""
    for tells in (True, False):
        bucket, names = filled(3, batch_tells=tells)
        etags = {name: str(bucket.objects[name][0].etag) for name in names}
        bucket.put(names[1], b"later")
        del bucket.objects[names[2]]
        if not tells:
            await declined(bucket.backend(), names, if_match=etags)
            assert bucket.verbs() == []
            continue
        found = await bucket.backend().delete_many(names, if_match=etags)
        assert kinds(found) == {names[1]: PreconditionFailed, names[2]: NotFound}
        assert sorted(bucket.objects) == [names[1], "f/sub/x", "other"]
        assert sorted(bucket.verbs()) == ["delete", "delete_many", "head", "list_page"]


async def test_errors_of_a_batch_that_tells() -> None:
    """Refused ones have theirs, busy ones are tried again alone, and the rest is gone."""
    bucket, names = filled(6, batch_tells=True)
    refused: dict[str, RemoteStoreError] = {
        names[1]: ResourceLocked("locked"),
        names[2]: BackendUnavailable("busy", outcome_unknown=True),
        names[3]: PermissionDenied("no"),
    }

    def partly(act: Callable[[], Any]) -> Any:
        for name in (names[0], *names[4:]):
            del bucket.objects[name]
        return refused

    bucket.faults["delete_many"] += [partly]
    found = await bucket.backend().delete_many(names)
    assert found == {names[1]: refused[names[1]], names[3]: refused[names[3]]}
    assert [(e.path, e.backend) for e in (found or {}).values()] == [
        (names[1], "async-memory-objects"),
        (names[3], "async-memory-objects"),
    ]
    assert bucket.verbs() == ["delete_many", "delete"]
    assert sorted(bucket.objects) == [names[1], names[3], "f/sub/x", "other"]


async def test_errors_of_a_batch_that_does_not_tell() -> None:
    """A single request says what is wrong, or nothing is."""
    bucket, names = filled(20)
    bucket.faults["delete_many"] += [
        lambda _: {name: PermissionDenied("not without a condition") for name in names[:2]}
    ]
    bucket.faults["delete"] += [raising(PermissionDenied("no", status=403))]
    found = await bucket.backend().delete_many(names)
    assert len(found or {}) == 1
    assert {error.status for error in (found or {}).values()} == {403}


@pytest.mark.parametrize("tells", [True, False])
async def test_a_lost_batch_that_finds_nothing_has_done_it(tells: bool) -> None:
    """As a single deletion; also where a folder of that name is what is left."""
    bucket, names = filled(20, batch_tells=tells)
    bucket.put(f"{names[0]}/below")
    bucket.faults["delete_many"] += [lose]
    assert await bucket.backend().delete_many(names) == {}
    assert bucket.verbs().count("delete_many") == 2
    assert sorted(bucket.objects) == [f"{names[0]}/below", "f/sub/x", "other"]


async def test_a_part_that_was_lost() -> None:
    """What it may have done it has done, also where a folder of that name is left."""
    bucket, names = filled(3, batch_tells=True)
    bucket.put(f"{names[0]}/below")

    def partly(act: Callable[[], Any]) -> Any:
        act()
        return {names[0]: BackendUnavailable("500", status=500, outcome_unknown=True)}

    bucket.faults["delete_many"] += [partly]
    assert await bucket.backend().delete_many(names) == {}
    assert bucket.verbs() == ["delete_many", "delete", "list_page"]


async def test_a_batch_that_never_gets_an_answer() -> None:
    """Each of its files has that error, and may be gone; other batches go on."""
    bucket, names = filled(250, batch_tells=True)
    bucket.faults["delete_many"] += [lose, None, None, lose, lose]
    found = await bucket.backend().delete_many(names)
    assert set(kinds(found).values()) == {BackendUnavailable}
    assert list(found or {}) == names[:100]
    assert all(error.outcome_unknown for error in (found or {}).values())
    assert [error.path for error in (found or {}).values()] == names[:100]

    bucket, names = filled(2, batch_tells=True)
    bucket.faults["delete_many"] += [busy] * 3
    found = await bucket.backend().delete_many(names)
    assert kinds(found) == dict.fromkeys(names, BackendUnavailable)
    assert not any(error.outcome_unknown for error in (found or {}).values())


async def test_a_service_that_refuses_batches() -> None:
    """All goes one by one; what a refusal left open, a single request settles."""
    for unknown in (False, True):
        bucket, names = filled(250, batch_tells=True)

        def refuse(act: Callable[[], Any], unknown: bool = unknown) -> Any:
            if unknown:
                act()
            raise RemoteStoreError("no batches", outcome_unknown=unknown)

        bucket.faults["delete_many"] += [refuse] * 4
        assert await bucket.backend().delete_many(names) == {}
        assert bucket.verbs().count("delete") == 250
        assert sorted(bucket.objects) == ["f/sub/x", "other"]


async def test_an_answer_about_other_keys() -> None:
    """It is not believed: each file is asked about alone."""
    bucket, names = filled(3, batch_tells=True)
    bucket.faults["delete_many"] += [lambda act: {"f/999": NotFound("gone")}]
    assert await bucket.backend().delete_many(names) == {}
    assert sorted(bucket.objects) == ["f/sub/x", "other"]


async def test_an_absent_storage() -> None:
    """It is named for each file, unless missing ones are fine."""
    bucket, names = filled(3, batch_tells=True)
    bucket.there = False
    found = await bucket.backend().delete_many(names)
    assert kinds(found) == dict.fromkeys(names, StorageNotFound)
    assert [error.path for error in (found or {}).values()] == names
    assert await bucket.backend().delete_many(names, missing_ok=True) == {}


async def test_what_comes_between_look_and_batch() -> None:
    """As between a single deletion's look and its request: what is there by then is deleted."""
    bucket, names = filled(20)
    del bucket.objects[names[0]]

    def between() -> None:
        bucket.put(names[0], b"new")
        del bucket.objects[names[1]]

    bucket.faults["delete_many"] += [after(between)]
    assert await bucket.backend().delete_many(names) == {}
    assert sorted(bucket.objects) == ["f/sub/x", "other"]


async def test_a_cancelled_call_leaves_no_task() -> None:
    """Whatever is under way."""
    bucket, names = filled(20, batch_tells=True)
    task = asyncio.create_task(bucket.backend().delete_many(names))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1


async def test_a_closed_backend() -> None:
    """It says so first."""
    bucket, names = filled(2, batch_tells=True)
    backend = bucket.backend()
    await backend.aclose()
    with pytest.raises(StoreClosed):
        await backend.delete_many(["../x", *names])
