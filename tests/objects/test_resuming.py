"""Large files that did not arrive, and what the next write makes of their parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.objects.service import Bucket, after, busy, describe, lose, raising

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    ContentHeaders,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_objects import ObjectBackend

pytestmark = pytest.mark.asyncio

DATA = bytes(range(100))
#: Ten parts of ten bytes.
SIZES: dict[str, Any] = {"part_size": 10, "single_put": 10}
OPTIONS: dict[str, Any] = {"metadata": {"a": "b"}, "headers": ContentHeaders(cache_control="no")}


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(describe(resumes=True, lists_uploads=True))


@pytest.fixture
def backend(bucket: Bucket) -> ObjectBackend:
    return bucket.backend(**SIZES)


async def stream(data: bytes = DATA, error: BaseException | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 7):
        yield data[start : start + 7]
    if error is not None:
        raise error


async def break_off(bucket: Bucket, backend: ObjectBackend, data: bytes = DATA) -> str:
    """Write until six parts, the mark among them, are there; return what the error says."""
    bucket.faults["send_part"].extend([None] * 6 + [busy] * 3)
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("f", stream(data), resume=True, **OPTIONS)
    assert not bucket.faults["send_part"]
    bucket.verbs()
    return str(caught.value)


async def test_a_write_that_broke_off_goes_on(bucket: Bucket, backend: ObjectBackend) -> None:
    """What is there is not sent again, but for the first part, which held the mark."""
    said = await break_off(bucket, backend)
    assert "what arrived is kept" in said
    assert "resume=True" in said
    assert "sweep removes" in said
    assert bucket.contents() == {}

    result = await backend.write("f", stream(), resume=True, **OPTIONS)

    assert bucket.contents() == {"f": DATA}
    assert result.size == 100
    assert bucket.verbs() == ["head", "unfinished", *["send_part"] * 5, "commit"]
    info = await backend.get_file_info("f")
    assert info.metadata == {"a": "b"}
    assert info.headers is not None
    assert info.headers.cache_control == "no"
    assert not bucket.uploads


async def test_it_takes_two_requests_more(bucket: Bucket, backend: ObjectBackend) -> None:
    """They look for what is left, and leave the mark; content of one request takes none."""
    await backend.write("f", stream(), overwrite=True)
    plain = bucket.verbs()
    await backend.write("f", stream(), overwrite=True, resume=True)
    assert len(bucket.verbs()) == len(plain) + 2

    await backend.write("g", stream(b"short"), resume=True)
    await backend.write("h", b"short", resume=True)
    assert bucket.verbs() == ["put", "put"]


async def test_without_it_nothing_is_looked_for(bucket: Bucket, backend: ObjectBackend) -> None:
    """Neither before nor after: it takes nothing up and leaves nothing."""
    await break_off(bucket, backend)
    bucket.faults["send_part"].extend([None] * 3 + [busy] * 3)
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("f", stream(), **OPTIONS)
    assert "kept" not in str(caught.value)
    assert bucket.verbs() == ["head", "begin_upload", *["send_part"] * 6, "abort"]
    assert len(bucket.uploads) == 1  # that of the first write


@pytest.mark.parametrize(
    "data",
    [
        DATA[:35] + b"!" + DATA[36:],
        DATA[50:] + DATA[:50],
        b"longer" + DATA,
        DATA + DATA,
        DATA[:55],
        DATA[:15],
        DATA[:5],
        b"",
    ],
    ids=["one byte", "turned", "longer in front", "longer", "shorter", "two parts", "one", "none"],
)
async def test_another_content_is_not_mixed(
    bucket: Bucket, backend: ObjectBackend, data: bytes
) -> None:
    """Each part is compared with what is read now."""
    bucket.counts = False
    await break_off(bucket, backend)
    await backend.write("f", stream(data), resume=True, **OPTIONS)
    assert bucket.contents() == {"f": data}


async def test_parts_behind_the_end_fail_once_where_a_service_wants_them_named(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    """The upload goes, so that the next write does not meet them again."""
    await break_off(bucket, backend)
    with pytest.raises(PreconditionFailed):
        await backend.write("f", stream(DATA[:35]), resume=True, **OPTIONS)
    assert not bucket.uploads
    await backend.write("f", stream(DATA[:35]), resume=True, **OPTIONS)
    assert bucket.contents() == {"f": DATA[:35]}


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": {"a": "other"}},
        {"metadata": {"a": "b"}},
        {},
        {**OPTIONS, "headers": ContentHeaders(cache_control="other")},
    ],
    ids=["metadata", "no headers", "nothing", "headers"],
)
async def test_metadata_and_headers_are_those_of_this_write(
    bucket: Bucket, backend: ObjectBackend, options: dict[str, Any]
) -> None:
    """An upload has those that it began with, so that one with others is left alone."""
    await break_off(bucket, backend)
    await backend.write("f", stream(), resume=True, **options)
    info = await backend.get_file_info("f")
    assert info.metadata == options.get("metadata")
    headers = options.get("headers")
    assert (info.headers.cache_control if info.headers else None) == (
        headers.cache_control if headers else None
    )
    assert bucket.contents() == {"f": DATA}
    assert len(bucket.uploads) == 1
    assert await backend.sweep("", older_than=timedelta(0)) == 1


async def test_parts_of_another_size_are_left_alone(bucket: Bucket, backend: ObjectBackend) -> None:
    """They cannot be parts of the content as it is cut now."""
    await break_off(bucket, backend)
    other = bucket.backend(part_size=20, single_put=10)
    await other.write("f", stream(), resume=True, **OPTIONS)
    assert bucket.contents() == {"f": DATA}
    assert len(bucket.uploads) == 1


@pytest.mark.parametrize("error", [OSError("mine"), PermissionDenied("mine")])
@pytest.mark.parametrize("found", [False, True])
async def test_what_is_no_failure_of_the_network_leaves_what_was_found(
    bucket: Bucket, backend: ObjectBackend, error: Exception, found: bool
) -> None:
    """The own exception passes unchanged, and an upload of the write's own is aborted."""
    if found:
        await break_off(bucket, backend)
    with pytest.raises(type(error)) as caught:
        await backend.write("f", stream(DATA, error), resume=True, **OPTIONS)
    assert caught.value is error
    assert len(bucket.uploads) == found


async def test_a_source_that_cannot_be_reached_leaves_the_parts(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    """Its own error passes unchanged."""
    error = BackendUnavailable("of the source")
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("f", stream(DATA[:60], error), resume=True, **OPTIONS)
    assert caught.value is error
    assert str(error) == "of the source"
    assert len(bucket.uploads) == 1
    bucket.verbs()
    await backend.write("f", stream(), resume=True, **OPTIONS)
    # Part 6 was under way.
    assert bucket.verbs() == ["head", "unfinished", *["send_part"] * 6, "commit"]
    assert bucket.contents() == {"f": DATA}


async def test_a_refusal_leaves_nothing(bucket: Bucket, backend: ObjectBackend) -> None:
    bucket.faults["send_part"].extend([None] * 4 + [raising(PermissionDenied("no"))])
    with pytest.raises(PermissionDenied) as caught:
        await backend.write("f", stream(), resume=True)
    assert "kept" not in str(caught.value)
    assert not bucket.uploads


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("found", [False, True])
async def test_a_cancelled_write_leaves_what_was_found(
    bucket: Bucket, backend: ObjectBackend, found: bool, closed: bool
) -> None:
    """Nothing else; and so does the close of its backend."""
    if found:
        await break_off(bucket, backend)
    stuck = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield DATA[:35]
        stuck.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(backend.write("f", stalling(), resume=True, **OPTIONS))
    await stuck.wait()
    if closed:
        await backend.aclose()
        assert len(bucket.uploads) == found
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert len(bucket.uploads) == found


async def test_a_second_write_that_is_stopped_takes_nothing_from_the_first(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    """It has found the upload of one that is still going on."""
    far, end, stuck = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def first() -> AsyncIterator[bytes]:
        yield DATA[:95]
        far.set()
        await end.wait()
        yield DATA[95:]

    async def second() -> AsyncIterator[bytes]:
        yield DATA[:25]
        stuck.set()
        await asyncio.Event().wait()

    going_on = asyncio.create_task(backend.write("f", first(), resume=True))
    await far.wait()
    stopped = asyncio.create_task(bucket.backend(**SIZES).write("f", second(), resume=True))
    await stuck.wait()
    assert bucket.verbs().count("begin_upload") == 1
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    end.set()
    await going_on
    assert bucket.contents() == {"f": DATA}
    assert not bucket.uploads


async def test_nothing_arrived_is_nothing_to_keep(bucket: Bucket, backend: ObjectBackend) -> None:
    bucket.faults["send_part"].extend([None] + [busy] * 3)
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("f", stream(), resume=True)
    assert "kept" not in str(caught.value)
    assert not bucket.uploads


async def test_after_the_mark_is_gone_nothing_is_kept(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    """Nobody could tell what else the upload was for."""
    bucket.faults["commit"].extend([busy] * 3)
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("f", stream(), resume=True)
    assert "kept" not in str(caught.value)
    assert not bucket.uploads


async def test_a_service_that_encrypts_keeps_nothing(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    """The digests of its parts are not those of the content, so that nothing would be found."""
    bucket.encrypts = True
    bucket.faults["send_part"].extend([None] * 6 + [busy] * 3)
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("f", stream(), resume=True)
    assert "kept" not in str(caught.value)
    assert not bucket.uploads
    await backend.write("f", stream(), resume=True)
    assert bucket.contents() == {"f": DATA}


@pytest.mark.parametrize("error", [PermissionDenied("no"), RemoteStoreError("not implemented")])
async def test_who_may_not_look_writes_all_the_same(
    bucket: Bucket, backend: ObjectBackend, error: RemoteStoreError
) -> None:
    """As a write without it, which leaves nothing either."""
    bucket.faults["unfinished"].append(raising(error))
    bucket.faults["send_part"].extend([None] * 3 + [busy] * 3)
    with pytest.raises(BackendUnavailable):
        await backend.write("f", stream(), resume=True)
    assert not bucket.uploads
    bucket.faults["unfinished"].append(raising(error))
    bucket.verbs()
    await backend.write("f", stream(), resume=True)
    assert bucket.verbs() == ["head", "unfinished", "begin_upload", *["send_part"] * 10, "commit"]
    assert bucket.contents() == {"f": DATA}


async def test_a_service_that_takes_no_small_parts_is_written_to_all_the_same(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    """The mark is one; without it nothing is kept."""
    bucket.faults["send_part"].append(raising(RemoteStoreError("too small", status=400)))
    await backend.write("f", stream(), resume=True)
    assert bucket.contents() == {"f": DATA}
    refusal = raising(RemoteStoreError("too small", status=400))
    bucket.faults["send_part"].extend([refusal, *[None] * 3, *[busy] * 3])
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("g", stream(), resume=True)
    assert "kept" not in str(caught.value)
    assert not bucket.uploads


async def test_an_unreachable_service_is_not_taken_for_an_empty_one(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    bucket.faults["unfinished"].extend([busy] * 3)
    with pytest.raises(BackendUnavailable):
        await backend.write("f", stream(), resume=True)
    assert bucket.verbs() == ["head", *["unfinished"] * 3]


async def test_an_upload_that_vanishes_is_a_clear_error(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    """Swept, or committed by a run beside this one."""
    await break_off(bucket, backend)
    bucket.faults["send_part"].append(after(bucket.uploads.clear))
    with pytest.raises(PreconditionFailed, match=r"went on with the same upload.*nothing was"):
        await backend.write("f", stream(), resume=True, **OPTIONS)
    assert bucket.contents() == {}
    await backend.write("f", stream(), resume=True, **OPTIONS)
    assert bucket.contents() == {"f": DATA}


@pytest.mark.parametrize("same", [True, False])
async def test_of_two_that_go_on_with_one_upload_one_succeeds(bucket: Bucket, same: bool) -> None:
    """And what is there is the content of that one."""
    backends = [bucket.backend(**SIZES) for _ in range(2)]
    await break_off(bucket, backends[0])
    contents = [DATA, DATA if same else DATA[:35] + b"?" + DATA[36:]]
    met = asyncio.Barrier(2)

    async def meeting(data: bytes) -> AsyncIterator[bytes]:
        yield data[:50]
        await met.wait()
        yield data[50:]

    writes = [
        backend.write("f", meeting(data), overwrite=True, resume=True, **OPTIONS)
        for backend, data in zip(backends, contents, strict=True)
    ]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(failed) == 1
    assert isinstance(failed[0], PreconditionFailed)
    winner = next(n for n, each in enumerate(outcomes) if not isinstance(each, BaseException))
    assert bucket.contents() == {"f": contents[winner]}
    assert not bucket.uploads


async def test_an_exclusive_write_still_is_one(bucket: Bucket, backend: ObjectBackend) -> None:
    await break_off(bucket, backend)
    bucket.faults["commit"].append(after(lambda: bucket.put("f", b"other")))
    with pytest.raises(AlreadyExists):
        await backend.write("f", stream(), resume=True, **OPTIONS)
    assert bucket.contents() == {"f": b"other"}
    assert not bucket.uploads


async def test_a_lost_answer_to_the_commit_is_found_out(
    bucket: Bucket, backend: ObjectBackend
) -> None:
    await break_off(bucket, backend)
    bucket.faults["commit"].append(lose)
    result = await backend.write("f", stream(), resume=True, **OPTIONS)
    assert result.size == 100
    assert bucket.contents() == {"f": DATA}


async def test_a_service_without_it_declares_nothing() -> None:
    bucket = Bucket()
    backend = bucket.backend()
    assert Capability.RESUMABLE_WRITE not in backend.capabilities
    with pytest.raises(CapabilityNotSupported, match="resumable_write"):
        await backend.write("f", b"x", resume=True)
    assert not bucket.calls
