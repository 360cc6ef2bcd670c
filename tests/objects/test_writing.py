"""Writing: one request where it fits, else parts; what was lost, what is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.objects.service import Bucket, after, busy, describe, lose, raising

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    CapabilityNotSupported,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    StoreClosed,
)
from remote_store_objects import EVERY_CONDITION, Condition, StorageNotFound

pytestmark = pytest.mark.asyncio

TINY: dict[str, Any] = {"single_put": 8, "part_size": 4}


async def stream(size: int, chunk: int = 3) -> AsyncIterator[bytes]:
    content = bytes(i % 251 for i in range(size))
    for start in range(0, size, chunk):
        yield content[start : start + chunk]


def made(size: int) -> bytes:
    return bytes(i % 251 for i in range(size))


async def test_small_content_is_one_request() -> None:
    """Bytes and streams, exclusive or not, as long as they fit."""
    bucket = Bucket()
    backend = bucket.backend(**TINY)
    await backend.write("a", b"12345678")
    await backend.write("a", stream(4), overwrite=True)
    result = await backend.write_atomic("b", b"", metadata={"k": "v"})

    assert bucket.verbs() == ["put"] * 3
    assert bucket.contents() == {"a": made(4), "b": b""}
    assert (result.source, result.etag, result.metadata) == ("native", "v000003", {"k": "v"})
    empty = await backend.write("b", b"", overwrite=True, metadata={})
    assert empty.metadata == {}, "echoed as it was given"


async def test_a_stream_of_n_parts_is_n_plus_two_requests() -> None:
    """And one more to find an existing file before the first part, where it is exclusive."""
    bucket = Bucket()
    backend = bucket.backend(**TINY)
    await backend.write("a", stream(18), overwrite=True)
    assert bucket.verbs() == ["begin_upload", *["send_part"] * 5, "commit"]

    await backend.write("b", stream(18))
    assert bucket.verbs() == ["head", "begin_upload", *["send_part"] * 5, "commit"]
    assert bucket.contents() == {"a": made(18), "b": made(18)}
    assert not bucket.uploads


async def test_an_existing_file_is_refused_before_the_first_part() -> None:
    """With one request, and the content is not consumed beyond one part."""
    bucket = Bucket()
    bucket.put("a", b"old")
    with pytest.raises(AlreadyExists) as caught:
        await bucket.backend(**TINY).write("a", stream(18))

    assert not caught.value.outcome_unknown
    assert bucket.verbs() == ["head"]


async def test_who_may_write_need_not_be_allowed_to_look() -> None:
    """The look only spares a transfer; the commit decides."""
    bucket = Bucket()
    bucket.faults["head"].append(raising(PermissionDenied("no")))
    await bucket.backend(**TINY).write("a", stream(18))

    assert bucket.contents() == {"a": made(18)}


async def test_parts_grow_so_that_their_number_is_no_wall() -> None:
    """Ten sizes by default; one where the service needs equal parts."""
    bucket = Bucket()
    bucket.description = describe(max_parts=20)
    await bucket.backend(**TINY).write("a", stream(100), overwrite=True)
    sizes = [argument for verb, argument in bucket.calls if verb == "send_part"]
    assert sizes == [4, 4, 8, 8, 16, 16, 32, 12]

    bucket.description = describe(max_parts=20, equal_parts=True)
    bucket.calls.clear()
    with pytest.raises(RemoteStoreError, match="more than the 20 parts"):
        await bucket.backend(**TINY).write("b", stream(100), overwrite=True)
    sizes = [argument for verb, argument in bucket.calls if verb == "send_part"]
    assert sizes in ([4] * 19, [4] * 20)  # the last one may not have set out
    assert "b" not in bucket.objects
    assert not bucket.uploads


async def test_parts_are_within_what_the_service_takes() -> None:
    """Whatever the caller wants."""
    bucket = Bucket()
    bucket.description = describe(min_part=6, max_part=7, max_put=5)
    await bucket.backend(single_put=50, part_size=1).write("a", made(15), overwrite=True)

    assert [argument for verb, argument in bucket.calls if verb == "send_part"] == [6, 6, 3]


@pytest.mark.parametrize("same", [True, False])
async def test_a_lost_answer_to_an_exclusive_write(same: bool) -> None:
    """What looks like our own file is no success and no plain refusal; another one is refused."""
    bucket = Bucket()

    def first(act: Any) -> Any:
        if not same:
            bucket.put("a", b"other")
        return lose(act)

    bucket.faults["put"].append(first)
    with pytest.raises(AlreadyExists) as caught:
        await bucket.backend().write("a", b"mine!" if same else b"mine")

    assert caught.value.outcome_unknown is same
    assert bucket.verbs() == ["put", "put", "head"]


async def test_metadata_tell_our_own_file_from_another() -> None:
    """Content of one size with other metadata is somebody else's."""
    bucket = Bucket()
    bucket.faults["put"] += [lambda act: (bucket.put("a", b"1234"), lose(act))]
    with pytest.raises(AlreadyExists) as caught:
        await bucket.backend().write("a", b"5678", metadata={"by": "me"})

    assert not caught.value.outcome_unknown


async def test_a_look_that_fails_after_a_lost_answer_leaves_it_unknown() -> None:
    """The error is that of the look, but where it is only not allowed."""
    for look, expected in (
        (PermissionDenied("no"), AlreadyExists),
        (RemoteStoreError("odd"), RemoteStoreError),
    ):
        bucket = Bucket()
        bucket.faults["put"] += [lose]
        bucket.faults["head"] += [raising(look)]
        with pytest.raises(expected) as caught:
            await bucket.backend().write("a", b"mine")

        assert type(caught.value) is expected
        assert caught.value.outcome_unknown


async def test_a_lost_commit_is_recognised() -> None:
    """The service tells whose the object is; one more request."""
    bucket = Bucket()
    bucket.faults["commit"] += [lose]
    result = await bucket.backend(**TINY).write("a", stream(18))

    assert bucket.contents() == {"a": made(18)}
    assert bucket.verbs()[-3:] == ["commit", "commit", "committed"]
    assert result.etag is not None


@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_lost_commit_that_cannot_be_told_is_unknown(overwrite: bool) -> None:
    """Neither success nor a plain refusal."""
    bucket = Bucket(tells_committed=False)
    bucket.faults["commit"] += [lose]
    with pytest.raises(PreconditionFailed) as caught:
        await bucket.backend(**TINY).write("a", stream(18), overwrite=overwrite)

    assert caught.value.outcome_unknown
    assert caught.value.path == "a"


async def test_a_commit_after_somebody_else_is_refused() -> None:
    """The upload is aborted, and the other one's file stays."""
    bucket = Bucket()
    bucket.faults["commit"] += [after(lambda: bucket.put("a", b"other"))]
    with pytest.raises(AlreadyExists) as caught:
        await bucket.backend(**TINY).write("a", stream(18))

    assert not caught.value.outcome_unknown
    assert bucket.verbs()[-2:] == ["commit", "abort"]
    assert bucket.contents() == {"a": b"other"}


async def test_an_upload_that_somebody_aborted_has_written_nothing() -> None:
    """It is no NotFound of the file."""
    bucket = Bucket()
    bucket.faults["send_part"] += [None, after(bucket.uploads.clear)]
    with pytest.raises(PreconditionFailed, match="nothing was written") as caught:
        await bucket.backend(**TINY).write("a", stream(18), overwrite=True)
    assert not caught.value.outcome_unknown

    bucket.faults["commit"] += [after(bucket.uploads.clear)]
    with pytest.raises(PreconditionFailed, match="nothing was written") as caught:
        await bucket.backend(**TINY).write("a", stream(18), overwrite=True)
    assert not caught.value.outcome_unknown
    assert not bucket.objects


async def broken(size: int) -> AsyncIterator[bytes]:
    async for chunk in stream(size):
        yield chunk
    raise KeyError("mine")


async def test_the_caller_s_exception_passes_and_the_upload_is_aborted() -> None:
    """As the same object, and nothing is left."""
    bucket = Bucket()
    with pytest.raises(KeyError, match="mine"):
        await bucket.backend(**TINY).write("a", broken(18))
    assert bucket.verbs()[-1] == "abort"
    assert not bucket.uploads

    with pytest.raises(TypeError, match="bytes"):
        await bucket.backend(**TINY).write("a", [1])  # type: ignore[arg-type]
    assert not bucket.verbs()


@pytest.mark.parametrize("verb", ["send_part", "commit"])
async def test_a_refusal_aborts_the_upload(verb: str) -> None:
    """Of a part, and of the commit."""
    bucket = Bucket()
    bucket.faults[verb] += [raising(PermissionDenied("no"))]
    with pytest.raises(PermissionDenied):
        await bucket.backend(**TINY).write("a", stream(18), overwrite=True)

    assert bucket.verbs()[-1] == "abort"
    assert not bucket.uploads


async def test_an_abort_that_fails_is_no_matter_of_the_caller_s(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who has an error already; a warning names what stays."""
    bucket = Bucket()
    bucket.faults["commit"] += [raising(PermissionDenied("first"))]
    bucket.faults["abort"] += [raising(PermissionDenied("second"))]
    with pytest.raises(PermissionDenied, match="first"):
        await bucket.backend(**TINY).write("a", stream(18), overwrite=True)

    assert "stays until it is swept" in caplog.text


async def waiting(started: asyncio.Event) -> AsyncIterator[bytes]:
    async for chunk in stream(18):
        yield chunk
    started.set()
    await asyncio.Event().wait()


async def test_a_cancellation_aborts_the_upload() -> None:
    """While the caller's content is waited for."""
    bucket = Bucket()
    started = asyncio.Event()
    task = asyncio.create_task(bucket.backend(**TINY).write("a", waiting(started)))
    await started.wait()
    assert bucket.uploads
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not bucket.uploads
    assert not bucket.objects


async def test_a_close_aborts_the_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a call that goes on waiting for its content; it ends with StoreClosed."""
    monkeypatch.setattr("remote_store_objects._session.loops._GRACE", 0.01)
    bucket = Bucket()
    started, going_on = asyncio.Event(), asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        async for chunk in stream(18):
            yield chunk
        started.set()
        await going_on.wait()

    backend = bucket.backend(**TINY)
    task = asyncio.create_task(backend.write("a", content()))
    await started.wait()
    await backend.aclose()
    assert not bucket.uploads
    assert bucket.services[0].closed == 1
    going_on.set()
    with pytest.raises(StoreClosed):
        await task
    assert not bucket.objects


async def test_a_busy_service_is_asked_again() -> None:
    """As often as the policy allows, and no more."""
    bucket = Bucket()
    for verb in ("begin_upload", "send_part", "commit"):
        bucket.faults[verb] += [busy, busy]
    await bucket.backend(**TINY).write("a", stream(18), overwrite=True)
    assert bucket.contents() == {"a": made(18)}

    bucket.faults["put"] += [busy, busy, busy]
    with pytest.raises(BackendUnavailable) as caught:
        await bucket.backend().write("b", b"")
    assert not caught.value.outcome_unknown
    assert (caught.value.path, caught.value.filename) == ("b", "b")


async def test_an_absent_bucket_is_named() -> None:
    """By every kind of write."""
    bucket = Bucket(there=False)
    backend = bucket.backend(**TINY)
    for content in (b"1", stream(18)):
        with pytest.raises(StorageNotFound, match="mkbucket"):
            await backend.write("a", content, overwrite=True)


async def test_without_conditional_writes_nothing_pretends_to_exclude() -> None:
    """Refused before any request, and before the content is touched."""
    bucket = Bucket()
    bucket.description = describe(conditions=frozenset())
    backend = bucket.backend(**TINY)
    bucket.put("a", b"")
    for refused in (
        backend.write("b", b""),
        backend.write("b", stream(18)),
        backend.copy("a", "b"),
        backend.move("a", "b"),
    ):
        with pytest.raises(CapabilityNotSupported, match="overwrite=True"):
            await refused
    assert bucket.verbs() == []

    await backend.write("b", stream(18), overwrite=True)
    await backend.copy("b", "c", overwrite=True)
    assert bucket.contents()["c"] == made(18)


async def test_without_a_conditional_commit_long_streams_are_refused() -> None:
    """What one request holds is exclusive all the same."""
    bucket = Bucket()
    bucket.description = describe(conditions=EVERY_CONDITION - {Condition.COMMIT_IF_ABSENT})
    backend = bucket.backend(**TINY)
    await backend.write("a", stream(7))
    with pytest.raises(CapabilityNotSupported):
        await backend.write("b", stream(18))

    assert bucket.contents() == {"a": made(7)}
    assert bucket.verbs() == ["put"]


async def test_without_uploads_content_is_gathered() -> None:
    """Up to what one request holds; more is refused."""
    bucket = Bucket()
    bucket.description = describe(uploads=False, max_put=20)
    backend = bucket.backend(**TINY)
    await backend.write("a", stream(20))
    with pytest.raises(RemoteStoreError, match="no content above 20 bytes"):
        await backend.write("b", stream(21))

    assert bucket.contents() == {"a": made(20)}


async def test_metadata_that_would_change_are_refused_before_anything_is_sent() -> None:
    """By the rules of the description; without any, by their absence."""
    bucket = Bucket()
    for metadata in ({"Upper": "x"}, {"a": "ä"}, {"a": " x"}, {"a": "x" * 2048}):
        with pytest.raises(ValueError, match="metadata"):
            await bucket.backend().write("a", b"", metadata=metadata)
    bucket.description = describe(metadata=None)
    with pytest.raises(CapabilityNotSupported):
        await bucket.backend().write("a", b"", metadata={"a": "x"})

    assert bucket.verbs() == []


async def test_a_target_below_a_file_is_refused_on_request() -> None:
    """And so is one that is a folder."""
    bucket = Bucket()
    bucket.put("a", b"")
    bucket.put("b/c", b"")
    backend = bucket.backend(reject_write_under_file_ancestor=True)
    for key in ("a/x", "a/x/y", "b"):
        with pytest.raises(ValueError, match=r"exists as a (file|directory)"):
            await backend.write(key, b"")
    await bucket.backend().write("a/x", b"")
    await backend.write("b/d", b"")


async def test_a_begin_that_is_refused_is_not_aborted() -> None:
    """There is nothing to abort."""
    bucket = Bucket()
    bucket.faults["begin_upload"] += [raising(NotFound("what"))]
    with pytest.raises(NotFound):
        await bucket.backend(**TINY).write("a", stream(18), overwrite=True)

    assert bucket.verbs() == ["begin_upload"]
