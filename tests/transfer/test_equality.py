"""When two files are equal, by what listings and records tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from remote_store import ContentDigest
from remote_store_transfer._listing.records import Seen
from remote_store_transfer._planning.equality import (
    DIGEST,
    ETAG,
    TIME,
    Rule,
    judge,
    judge_known,
    kept,
    source_time,
    stamp,
)
from remote_store_transfer._values import Compare, Version

T = 1_700_000_000_000_000
MD5 = ContentDigest("md5", "aa")
OTHER_MD5 = ContentDigest("md5", "bb")
PARTS = "0c79b032f9bf2d7d6ab9234bf88d3251-12"


def seen(
    size: int = 1,
    time: int | None = T,
    etag: str | None = None,
    digest: ContentDigest | None = None,
    metadata: dict[str, str] | None = None,
) -> Seen:
    return "f", size, None if time is None else moment(time), etag, digest, metadata


def moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def rule(
    compare: Compare, *, restores: bool = False, records: bool = True, one_store: bool = False
) -> Rule:
    return Rule(compare, restores, records, one_store)


LATER = T + 5_000_000
AT_T = stamp(moment(T))


@pytest.mark.parametrize(
    ("source", "target", "how", "answer"),
    [
        # Size comes before everything, and a digest of both before what was asked for.
        (seen(1), seen(2), rule("content"), "different"),
        (seen(time=T), seen(time=T - 1), rule("size"), "equal"),
        (seen(digest=MD5), seen(time=T - 1, digest=MD5), rule("time"), "equal"),
        (
            seen(digest=MD5),
            seen(time=LATER, digest=OTHER_MD5),
            rule("time"),
            "different",
        ),
        (seen(digest=MD5), seen(digest=ContentDigest("crc", "aa")), rule("content"), "read"),
        # What was kept of the source.
        (seen(), seen(metadata={TIME: AT_T}), rule("time"), "equal"),
        (
            seen(time=T + 1),
            seen(time=LATER, metadata={TIME: AT_T}),
            rule("time"),
            "different",
        ),
        (seen(etag="x"), seen(metadata={ETAG: "x"}), rule("etag"), "equal"),
        (
            seen(etag="y"),
            seen(metadata={ETAG: "x", TIME: AT_T}),
            rule("etag"),
            "different",
        ),
        (seen(etag="y"), seen(metadata={ETAG: "x", TIME: AT_T}), rule("time"), "equal"),
        (seen(digest=MD5), seen(metadata={DIGEST: "md5:aa"}), rule("etag"), "equal"),
        (seen(digest=MD5), seen(metadata={DIGEST: "md5:bb"}), rule("etag"), "different"),
        (seen(), seen(time=0, metadata={TIME: "2023-11-15T00:13:20+02:00"}), rule("time"), "equal"),
        (seen(), seen(time=LATER, metadata={TIME: "luck"}), rule("time"), "equal"),
        (
            seen(),
            seen(time=LATER, metadata={TIME: "0001-01-01T00:00:00+02:00"}),
            rule("time"),
            "equal",
        ),
        (seen(), seen(time=LATER, metadata={TIME: "2026-01-01T00:00:00"}), rule("time"), "equal"),
        (seen(), seen(time=LATER), rule("etag"), "ask"),
        (seen(), seen(time=LATER), rule("etag", records=False), "equal"),
        # A source that is a copy itself hands on the time of its own source.
        (
            seen(time=LATER, metadata={TIME: AT_T}),
            seen(),
            rule("time", restores=True),
            "equal",
        ),
        (
            seen(time=LATER, metadata={TIME: stamp(moment(0))}),
            seen(time=0),
            rule("time", restores=True),
            "equal",
        ),
        # Times alone.
        (seen(), seen(time=T + 1), rule("time", restores=True), "different"),
        (seen(), seen(time=T - 2_000_000), rule("time", records=False), "different"),
        (seen(), seen(time=T - 2_000_000), rule("time"), "ask"),
        (seen(), seen(time=T - 2_000_000, metadata={"a": "b"}), rule("time"), "different"),
        (seen(), seen(time=T - 1_999_999), rule("time"), "ask"),
        (seen(), seen(time=T - 1), rule("time", one_store=True), "different"),
        (seen(), seen(time=T + 1_999_999), rule("time"), "ask"),
        (seen(), seen(time=T + 2_000_000), rule("time"), "equal"),
        # One clock that tells whole seconds may have told both of one second.
        (seen(), seen(time=T), rule("time", one_store=True), "ask"),
        (seen(), seen(time=T + 1_000_000), rule("time", one_store=True), "equal"),
        (seen(), seen(time=T - 1_000_000), rule("time", one_store=True), "different"),
        (seen(time=T + 1), seen(time=T + 1), rule("time", one_store=True), "equal"),
        # S3 tells of what was sent in parts when that began.
        (seen(etag=PARTS), seen(time=LATER), rule("time"), "ask"),
        (seen(etag=PARTS), seen(time=LATER), rule("time", one_store=True), "ask"),
        (seen(etag=PARTS), seen(time=LATER), rule("time", records=False), "equal"),
        (
            seen(etag=PARTS),
            seen(time=LATER, metadata={TIME: AT_T}),
            rule("time"),
            "equal",
        ),
        (seen(etag=PARTS[:32]), seen(time=LATER), rule("time"), "equal"),
        (seen(time=None), seen(), rule("time", records=False), "different"),
        (seen(), seen(time=None), rule("time", records=False), "different"),
        (seen(), seen(time=None), rule("time"), "ask"),
        (seen(time=None, etag="x"), seen(metadata={ETAG: "x"}), rule("time"), "equal"),
        (seen(time=None, etag="y"), seen(metadata={ETAG: "x"}), rule("time"), "different"),
    ],
)
def test_verdicts(source: Seen, target: Seen, how: Rule, answer: str) -> None:
    """Of files of one size, at both sides of each limit."""
    assert judge(source, target, how).answer == answer


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (seen(metadata={TIME: AT_T}), "equal"),
        (seen(time=LATER), "equal"),
        (seen(time=T + 1), "different"),
        (seen(time=T - 5_000_000), "different"),
    ],
)
def test_a_target_that_was_asked_is_not_asked_again(target: Seen, answer: str) -> None:
    """In doubt it is copied once more."""
    assert judge_known(seen(), target, rule("time")).answer == answer


@pytest.mark.parametrize(
    ("began", "answer"), [(T, "equal"), (T - 60_000_000, "different"), (T + 1, "different")]
)
def test_an_upload_that_ended_after_the_copy_is_found_by_what_is_kept(
    began: int, answer: str
) -> None:
    """Its time lies before that of the copy, which is one of the file that it replaced."""
    target = seen(time=LATER, metadata={TIME: AT_T})

    assert judge_known(seen(time=began, etag=PARTS), target, rule("time")).answer == answer


@pytest.mark.parametrize("micros", [0, -1, -62_000_000_000_000_000, T])
def test_every_time_can_be_kept(micros: int) -> None:
    """Also those before 1970, and before the year 1000."""
    target = seen(time=LATER, metadata={TIME: stamp(moment(micros))})

    assert judge(seen(time=micros), target, rule("time")) == ("equal", "time")
    assert judge(seen(time=micros + 1), target, rule("time")).answer == "different"


def test_what_is_kept_leaves_room_for_what_the_user_keeps() -> None:
    """The user's metadata come first, and ours of an earlier copy are not handed on."""
    time = datetime(2026, 1, 2, tzinfo=UTC)
    version = Version(1, time, "x", ContentDigest("md5", "aa"))

    assert kept(version, {"a": "b", ETAG: "old"}, ours=False) == {"a": "b"}
    assert kept(version, None, ours=False) is None
    assert kept(version, {"a": "b", ETAG: "old"}, ours=True) == {
        "a": "b",
        TIME: "2026-01-02T00:00:00.000000Z",
        ETAG: "x",
        DIGEST: "md5:aa",
    }
    full = {"a": "b" * 2000}
    assert kept(version, full, ours=True) == full | {ETAG: "x"}
    assert kept(Version(1, etag="ä"), None, ours=True) is None
    copy = Version(1, datetime(2026, 5, 5, tzinfo=UTC), metadata={TIME: "2026-01-02T00:00:00Z"})
    assert source_time(copy) == time
