"""
Whether two files are equal, as far as listings tell.

A target's own time is when it was written. So the source's time, ETag and
digest are kept as user metadata where the target keeps any, and on this
machine the time itself is restored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from remote_store_transfer._listing.records import Seen
from remote_store_transfer._values import Compare, Version

if TYPE_CHECKING:
    from remote_store import ContentDigest

__all__ = [
    "DIGEST",
    "DOUBT",
    "ETAG",
    "OURS",
    "TIME",
    "Rule",
    "Verdict",
    "judge",
    "judge_known",
    "kept",
    "source_time",
]

#: Keys of the user metadata that a transfer adds.
TIME: Final = "remote_store_source_time"
ETAG: Final = "remote_store_source_etag"
DIGEST: Final = "remote_store_source_digest"
OURS: Final = frozenset((TIME, ETAG, DIGEST))

#: Bytes that a store takes as user metadata.
_ROOM: Final = 2048
_SENT_IN_PARTS: Final = re.compile('"?[0-9a-f]{32}-[0-9]+"?')
#: Time around that of a source in which the time of a target tells nothing.
#: After it, the target may have been written before the source's last change:
#: between the last look at the source and the commit. Before it, it may be a copy
#: nevertheless: S3 and HTTP tell whole seconds, and two clocks differ a little.
DOUBT: Final = timedelta(seconds=2)

#: What a verdict says; ``"ask"``: a question to the target may tell,
#: ``"read"``: both contents have to be read.
Answer: TypeAlias = Literal["equal", "different", "ask", "read"]


class Verdict(NamedTuple):
    """Whether two files are equal, and by what."""

    answer: Answer
    by: str


_SAME_TIME: Final = Verdict("equal", "time")
_OTHER_TIME: Final = Verdict("different", "time")


class Rule(NamedTuple):
    """
    How to compare.

    Args:
        compare: See `plan`.
        restores: The target's times are those of the sources.
        records: The target keeps user metadata.
        one_store: Both sides are one store, and so have one clock.
    """

    compare: Compare
    restores: bool
    records: bool
    one_store: bool


def stamp(time: datetime) -> str:
    """Return a time as it is kept: ISO 8601, UTC, six digits of a second."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _kept_time(metadata: Mapping[str, str]) -> datetime | None:
    text = metadata.get(TIME)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return None if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def source_time(version: Version) -> datetime | None:
    """Return the time that a copy of a version shall tell: if it is a copy, that of its source."""
    return _original(version.modified_at, version.metadata)


def _original(time: datetime | None, metadata: Mapping[str, str] | None) -> datetime | None:
    return (_kept_time(metadata) if metadata else None) or time


def kept(
    version: Version, metadata: Mapping[str, str] | None, *, ours: bool
) -> dict[str, str] | None:
    """
    Return the user metadata for a copy.

    Args:
        version: The source's.
        metadata: The user's, of the source.
        ours: Whether to add what the next comparison needs.
    """
    result = {k: v for k, v in (metadata or {}).items() if k not in OURS}
    if not ours:
        return result or None
    room = _ROOM - sum(len(k.encode()) + len(v.encode()) for k, v in result.items())
    time = source_time(version)
    facts = {
        TIME: None if time is None else stamp(time),
        ETAG: version.etag if version.etag is None or version.etag.isascii() else None,
        DIGEST: version.digest and _named(version.digest),
    }
    for key, value in facts.items():
        # What the user keeps comes first.
        if value and len(key) + len(value) <= room:
            result[key] = value
            room -= len(key) + len(value)
    return result or None


def judge(source: Seen, target: Seen, rule: Rule) -> Verdict:
    """Compare two files by what listings told of them."""
    if source[1] != target[1]:
        return Verdict("different", "size")
    if rule.compare == "size":
        return Verdict("equal", "size")
    ours, theirs = source[4], target[4]
    if ours is not None and theirs is not None and ours.algorithm == theirs.algorithm:
        return Verdict("equal" if ours.value == theirs.value else "different", "digest")
    if rule.compare == "content":
        return Verdict("read", "content")
    if target[5]:
        verdict = _by_record(source, target[5], rule)
        if verdict is not None:
            return verdict
    elif rule.compare == "etag" and rule.records and not rule.restores:
        return Verdict("ask", "etag")
    verdict = _by_time(source, target, rule)
    if rule.restores or not rule.records or target[5]:
        return verdict
    # A source may have a time that no clock has reached, and a target another clock.
    unsure = verdict.answer == "different" and not rule.one_store
    return Verdict("ask", verdict.by) if unsure or _began_before(source) else verdict


def _began_before(seen: Seen) -> bool:
    """
    Return True if a file may be younger than its time.

    Amazon S3 gives what was sent in parts the time when its upload began
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html), and an
    ETag that ends with the number of parts. Meanwhile a copy may have been made of
    the file that it replaced.
    """
    return _SENT_IN_PARTS.fullmatch(seen[3] or "") is not None


def judge_known(source: Seen, target: Seen, rule: Rule) -> Verdict:
    """As `judge`, once the target was asked: whatever it does not say now it does not know."""
    verdict = _by_record(source, target[5] or {}, rule)
    if verdict is not None:
        return verdict
    verdict = _by_time(source, target, rule)
    if verdict.answer != "ask":
        return verdict
    return Verdict("different", "written at the same moment, and nothing tells them apart")


def _by_record(source: Seen, record: Mapping[str, str], rule: Rule) -> Verdict | None:
    _, _, at, tag, content, metadata = source
    if rule.compare == "etag" or at is None:
        etag, digest = record.get(ETAG), record.get(DIGEST)
        if etag is not None and tag is not None:
            return Verdict("equal" if etag == tag else "different", "etag")
        if digest is not None and content is not None:
            return Verdict("equal" if digest == _named(content) else "different", "digest")
    time = _kept_time(record)
    if time is not None:
        return _SAME_TIME if time == _original(at, metadata) else _OTHER_TIME
    return None


def _named(digest: ContentDigest) -> str:
    return f"{digest.algorithm}:{digest.value}"


def _by_time(source: Seen, target: Seen, rule: Rule) -> Verdict:
    ours, theirs = source[2], target[2]
    if ours is None or theirs is None:
        return Verdict("different", "no time is known")
    if rule.restores:
        return _SAME_TIME if theirs == _original(ours, source[5]) else _OTHER_TIME
    doubt = DOUBT
    if rule.one_store:  # one clock, in whose last tick both may have been written
        doubt = timedelta(0) if ours.microsecond or theirs.microsecond else timedelta(seconds=1)
    if theirs - ours >= doubt:
        return _SAME_TIME
    if ours - theirs >= doubt:
        return _OTHER_TIME
    return Verdict("ask", "time")
