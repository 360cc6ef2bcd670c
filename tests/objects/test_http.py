"""What services over HTTP share: errors by status, and headers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from remote_store import (
    BackendUnavailable,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
)
from remote_store_objects import Body, http


@pytest.mark.parametrize(
    ("status", "kind", "unknown"),
    [
        (400, RemoteStoreError, False),
        (401, PermissionDenied, False),
        (403, PermissionDenied, False),
        (404, NotFound, False),
        (408, BackendUnavailable, False),
        (409, RemoteStoreError, False),
        (412, PreconditionFailed, False),
        (423, ResourceLocked, False),
        (429, BackendUnavailable, False),
        (500, BackendUnavailable, True),
        (502, BackendUnavailable, True),
        (503, BackendUnavailable, False),
        (504, BackendUnavailable, True),
        (524, BackendUnavailable, True),
        (501, BackendUnavailable, False),
    ],
)
def test_a_status_is_an_error(status: int, kind: type[RemoteStoreError], unknown: bool) -> None:
    """Some leave it open whether a change was made; a question changes nothing."""
    error = http.error_of(status, "words", changes=True, code="Code", request_id="7", retry_after=2)
    assert type(error) is kind
    assert (error.status, error.code, error.request_id, error.retry_after) == (
        status,
        "Code",
        "7",
        2,
    )
    assert error.outcome_unknown is unknown
    assert not http.error_of(status, "words", changes=False).outcome_unknown


@pytest.mark.parametrize("changes", [True, False])
def test_no_answer_and_a_foreign_one_leave_a_change_unknown(changes: bool) -> None:
    """Both may be tried again."""
    for error in (
        http.no_answer("lost", changes=changes),
        http.foreign_answer(200, "it is HTML", changes=changes),
    ):
        assert isinstance(error, BackendUnavailable)
        assert error.outcome_unknown is changes


def test_etags_have_no_quotes_and_keep_their_case() -> None:
    """A weak one is fit for no condition."""
    assert http.etag_of('"aB"') == "aB"
    assert http.etag_of("aB") == "aB"
    assert http.etag_of('W/"aB"') is None
    assert http.etag_of("") is None
    assert http.etag_of(None) is None
    assert http.quoted("aB") == '"aB"'
    assert http.quoted(None) is None


def test_ranges() -> None:
    """Asked for, and answered."""
    assert http.range_header(0, None) is None
    assert http.range_header(5, None) == "bytes=5-"
    assert http.range_header(0, 1) == "bytes=0-0"
    assert http.extent_of(200, {"Content-Length": "7"}) == (0, 7, 7)
    assert http.extent_of(206, {"Content-Range": "bytes 2-4/9"}) == (2, 5, 9)
    assert http.extent_of(206, {"Content-Range": "bytes 0--1/0"}) == (0, 0, 0)
    for status, headers in (
        (200, {}),
        (206, {"Content-Length": "7"}),
        (200, {"Content-Length": "x"}),
    ):
        with pytest.raises(RemoteStoreError, match="which part"):
            http.extent_of(status, headers)


def test_other_headers() -> None:
    """Times in UTC, patience in seconds, metadata in lower case."""
    moment = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert http.time_of("Sat, 03 Feb 2024 04:05:06 GMT") == moment
    assert http.time_of("Sat, 03 Feb 2024 06:05:06 +0200") == moment
    assert http.time_of("yesterday") is None
    assert http.time_of("Fri, 31 Dec 9999 23:59:59 -0100") is None
    assert http.time_of(None) is None
    assert http.retry_after_of({"Retry-After": "3"}) == 3
    assert http.retry_after_of({"Retry-After": "Sat, 03 Feb 2024 04:05:06 GMT"}) is None
    assert http.retry_after_of({}) is None
    assert http.metadata_of({"X-Meta-A": "B", "Other": "c"}, "x-meta-") == {"a": "B"}


@pytest.mark.asyncio
async def test_a_body_is_the_same_each_time() -> None:
    """In pieces that a connection can take, or joined; nothing is copied that need not be."""
    large = bytes(300 << 10)
    body = Body([b"ab", b"", memoryview(large), b"c"])
    assert len(body) == len(bytes(body)) == (300 << 10) + 3
    for _ in range(2):
        assert [len(piece) for piece in body] == [2, 256 << 10, 44 << 10, 1]
        assert b"".join([bytes(piece) async for piece in body]) == bytes(body)
    assert bytes(Body([])) == b""
    assert bytes(Body([large])) is large
