"""HEADERS: what is handed out with content."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from typing import Any, Final

from remote_store import Capability, ContentHeaders, FileInfo
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.contents import in_parts
from remote_store_conformance.tools.sources import Source

C = Capability

_NEEDED: Final = (C.CONTENT_HEADERS, C.WRITE, C.METADATA)

#: All that can be given.
_ALL: Final = ContentHeaders(
    content_type="text/csv; charset=utf-8",
    cache_control="max-age=60, no-transform",
    content_encoding="gzip",
    content_disposition='attachment; filename="kit.csv"',
)


def _expect_told(info: FileInfo, given: ContentHeaders, what: str) -> None:
    """State that a file has the headers that were given; a service may have more."""
    told = info.headers or ContentHeaders()
    for name in ("content_type", "cache_control", "content_encoding", "content_disposition"):
        wanted, found = getattr(given, name), getattr(told, name)
        if wanted is None and name == "content_type":
            continue  # every service has a default
        expect(
            found == wanted,
            f"the {name} of {what} is not what was given",
            observed=found,
            expected=wanted,
        )
    expect(
        info.content_type == told.content_type,
        f"content_type and headers of {what} tell two media types",
        observed=(info.content_type, told.content_type),
    )


@clause(
    "HEADERS-001",
    "Content headers that are given to a write are what get_file_info tells, each alone and "
    "all together, and the content is what was written.",
    intent="A browser that gets a wrong media type does not show a page, and no log says why.",
    requires=[*_NEEDED, C.READ],
    since="1.1",
)
async def kept(t: Trial) -> None:
    content = gzip.compress(b"city,people\n", mtime=0)
    large = in_parts(t)
    writes: dict[str, tuple[Callable[..., Awaitable[Any]], Any, bytes]] = {
        "a write of bytes": (t.store.write, lambda: content, content),
        "a write of a stream": (t.store.write, lambda: Source([content]).open(), content),
    }
    if t.declares(C.ATOMIC_WRITE):
        writes["an atomic write"] = t.store.write_atomic, lambda: content, content
    if large is not None:
        writes["a write of several parts"] = (
            t.store.write,
            lambda: large.source().open(),
            large.data,
        )
    for what, (write, made, data) in writes.items():
        path = t.name()
        await write(path, made(), headers=_ALL)
        _expect_told(await t.store.get_file_info(path), _ALL, what)
        found = await t.store.read_bytes(path)
        expect(found == data, f"{what} with headers has changed the content", observed=found)
    for given in (
        ContentHeaders(content_type="text/plain"),
        ContentHeaders(cache_control="no-store"),
        ContentHeaders(content_encoding="br"),
        ContentHeaders(content_disposition="inline"),
    ):
        path = t.name()
        await t.store.write(path, b"x", headers=given)
        _expect_told(await t.store.get_file_info(path), given, f"a file that was given {given}")


@clause(
    "HEADERS-002",
    "A write replaces the content headers of the version before it: without any there are none but "
    "the service's default media type.",
    intent="What was compressed yesterday need not be so today.",
    requires=_NEEDED,
    since="1.1",
)
async def replaced(t: Trial) -> None:
    methods = [t.store.write] + [t.store.write_atomic] * t.declares(C.ATOMIC_WRITE)
    for write in methods:
        path = t.name()
        await write(path, b"old", headers=_ALL)
        await write(path, b"new", overwrite=True)
        info = await t.store.get_file_info(path)
        _expect_told(info, ContentHeaders(), "a file that was overwritten without any")
        expect(
            info.content_type != _ALL.content_type,
            "a write without headers has kept the media type of the version before it",
            observed=info.content_type,
        )


@clause(
    "HEADERS-003",
    "Content headers and user metadata go with a file that is copied or moved, over another one as "
    "well.",
    intent="A page that was moved is still a page.",
    requires=_NEEDED,
    since="1.1",
)
async def passed_on(t: Trial) -> None:
    metadata = {"kit": "value"} if t.declares(C.USER_METADATA) else None
    calls = [call for call in (C.COPY, C.MOVE) if t.declares(call)]
    for gate in calls:
        for over in (False, True):
            src, dst = t.name("from"), t.name("to")
            await t.store.write(src, b"content", headers=_ALL, metadata=metadata)
            if over:
                await t.store.write(dst, b"old", headers=ContentHeaders(cache_control="no-store"))
            await getattr(t.store, gate.value)(src, dst, overwrite=over)
            what = f"the {gate.value} of a file{' over another one' * over}"
            info = await t.store.get_file_info(dst)
            _expect_told(info, _ALL, what)
            expect(
                dict(info.metadata or {}) == (metadata or {}),
                f"{what} has lost the user metadata beside the headers",
                observed=info.metadata,
                expected=metadata,
            )


@clause(
    "HEADERS-004",
    "Content with a content_encoding is read as it was written, by read and by read_bytes.",
    intent="Libraries that decode an answer by themselves hand out other bytes than were stored.",
    requires=[*_NEEDED, C.READ],
    since="1.1",
)
async def not_decoded(t: Trial) -> None:
    given = ContentHeaders(content_encoding="gzip", content_type="text/plain")
    for content in (gzip.compress(b"city,people\n" * 1000, mtime=0), b"no gzip at all"):
        path = t.name()
        await t.store.write(path, content, headers=given)
        found = {
            "read_bytes": await t.store.read_bytes(path),
            "read": b"".join(await collect(t.store.read(path))),
        }
        for method, observed in found.items():
            expect(
                observed == content,
                f"{method} of content with a content_encoding gave other bytes than were written",
                observed=observed,
                expected=content,
            )
