"""ACROSS: copies from another store, which one storage makes for both by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    ContentHeaders,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    WriteResult,
)
from remote_store_conformance.clauses._declined import declined
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, expect, raises
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.targets.recording import Recorder
from remote_store_conformance.tools.contents import in_parts
from remote_store_conformance.tools.races import tasks
from remote_store_conformance.tools.sources import pattern

__all__ = ["HEADERS", "Upper", "expect_copy", "source"]

C = Capability

_SEE: Final = (Need.SEED, Need.PEEK)

#: Copies to one name at the same moment.
_RACERS: Final = 4

#: What a file may say of its content.
HEADERS: Final = ContentHeaders(content_type="text/csv", cache_control="max-age=60")


async def source(t: Trial) -> Trial:
    """
    Return another storage of the target from which files are copied.

    Raises:
        Inapplicable: There are no such copies, which ACROSS-007 looks at.
    """
    other = await t.elsewhere()
    src = await other.seed_file(other.name("first"))
    try:
        await t.store.copy_from(other.store, src, t.name("first"))
    except CapabilityNotSupported as error:
        if error.capability != "copy_from":
            raise
        msg = "the backend does not copy from another storage by itself"
        raise Inapplicable(msg) from error
    return other


def _contents(t: Trial) -> Iterator[bytes]:
    yield from (pattern(size, seed=size) for size in (0, 1, 200_001))
    if (large := in_parts(t)) is not None:
        yield large.data


@clause(
    "ACROSS-001",
    "A file that is copied from another store is there with the same bytes, the same user metadata "
    "and content headers; the folders above it are made, and the source stays as it was: content, "
    "version and time.",
    intent="What describes the data belongs to the data, whoever carries it.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
    seconds=40,
)
async def arrives(t: Trial) -> None:
    other = await source(t)
    for content in _contents(t):
        src = await other.seed_file(f"{other.name('from')}/file", content)
        await _copied(t, other, src, content)
    if not t.declares(C.WRITE, C.METADATA):
        return
    more: dict[str, Any] = {}
    if t.declares(C.USER_METADATA):
        more["metadata"] = {"kit": "value", "other": "more"}
    if t.declares(C.CONTENT_HEADERS):
        more["headers"] = HEADERS
    for content in _contents(t):
        src = other.name("described")
        await other.store.write(src, content, **more)
        await _copied(t, other, src, content)


async def _copied(t: Trial, other: Trial, src: str, content: bytes) -> None:
    """Check one copy to a new folder, and what it does to its source."""
    dst = f"{t.name('to')}/new/file"
    async with other.unchanged("in the source of a copy to another store"):
        result = await t.store.copy_from(other.store, src, dst)
    what = f"the copy of a file of {len(content)} bytes from another store"
    await expect_copy(t, other, what, src, dst, content, result)


async def expect_copy(
    t: Trial,
    other: Trial,
    what: str,
    src: str,
    dst: str,
    content: bytes,
    result: WriteResult | None,
) -> None:
    """
    State that a copy has brought everything, and that its result is about it.

    Args:
        t: The run on the target of the copy.
        other: The run on its source.
        what: The copy, for messages.
        src: Path of the source.
        dst: Path of the copy.
        content: Of both.
        result: What the copy has returned.
    """
    observed = await t.peek(dst)
    expect(
        observed == content,
        f"{what} has not brought its content",
        observed=observed,
        expected=content,
    )
    if result is not None:
        expect(
            (str(result.path), result.size) == (dst, len(content)),
            f"the result of {what} tells another file",
            observed=f"{result.path}, {result.size} bytes",
            expected=f"{dst}, {len(content)} bytes",
        )
    if not t.declares(C.METADATA):
        return
    before, after = await other.store.get_file_info(src), await t.store.get_file_info(dst)
    expect(
        dict(after.metadata or {}) == dict(before.metadata or {}),
        f"{what} has not kept the user metadata",
        observed=after.metadata,
        expected=before.metadata,
    )
    expect(
        after.headers == before.headers,
        f"{what} has not kept the content headers",
        observed=after.headers,
        expected=before.headers,
    )


@clause(
    "ACROSS-002",
    "A copy from another store to an existing file raises AlreadyExists and changes nothing; with "
    "overwrite=True it replaces the file as a whole.",
    intent="Overwriting is a decision of the caller's.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
)
async def existing_target(t: Trial) -> None:
    other = await source(t)
    src = await other.seed_file(other.name("from"), b"new")
    dst = await t.seed_file(t.name("to"), b"old content that is longer")
    async with t.unchanged("by a copy from another store that is refused"):
        with raises(AlreadyExists, "when a copy from another store meets a file"):
            await t.store.copy_from(other.store, src, dst)
    await t.store.copy_from(other.store, src, dst, overwrite=True)
    observed = await t.peek(dst)
    expect(
        observed == b"new",
        "a copy from another store with overwrite=True has not replaced the file",
        observed=observed,
        expected=b"new",
    )
    if t.declares(C.USER_METADATA, C.METADATA, C.WRITE):
        dst = t.name("to")
        await t.store.write(dst, b"old", metadata={"kit": "old"})
        await t.store.copy_from(other.store, src, dst, overwrite=True)
        info = await t.store.get_file_info(dst)
        expect(
            not info.metadata,
            "a copy from another store with overwrite=True has kept the metadata that were there",
            observed=info.metadata,
            expected="those of the source, none",
        )


@clause(
    "ACROSS-003",
    "A copy from another store raises NotFound with the source's path where that is missing, and "
    "InvalidPath where it is a folder, or the target a reserved name, a folder or a path under a "
    "file; nothing changes, whatever is at the target.",
    intent="Nothing is replaced by what does not exist.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
)
async def wrong_kinds(t: Trial) -> None:
    other = await source(t)
    path, there = await other.seed_file(other.name("file")), await t.seed_file(t.name("there"))
    source_folder, folder = other.name("folder"), t.name("folder")
    await other.seed_file(f"{source_folder}/inner")
    await t.seed_file(f"{folder}/inner")
    missing = other.name("missing")
    cases: dict[str, tuple[type[RemoteStoreError], str, str]] = {
        "the source is missing": (NotFound, missing, t.name("new")),
        "the source is missing and the target is not": (NotFound, missing, there),
        "the source is a folder": (InvalidPath, source_folder, t.name("new")),
        "the target is a reserved name": (InvalidPath, path, ".~tmp.kit.0123abcd"),
    }
    if t.is_a(Trait.EXCLUSIVE):
        cases["the target is a folder"] = InvalidPath, path, folder
        cases["the target lies under a file"] = InvalidPath, path, f"{folder}/inner/new"
    for what, (kind, src, dst) in cases.items():
        for overwrite in (False, True):
            contains = missing if kind is NotFound else None
            async with t.unchanged(f"by a copy from another store where {what}"):
                when = f"by a copy from another store where {what} (overwrite={overwrite})"
                with raises(kind, when, contains=contains):
                    await t.store.copy_from(other.store, src, dst, overwrite=overwrite)


@clause(
    "ACROSS-004",
    "Of several copies from another store to one name with overwrite=False exactly one succeeds; "
    "the others get AlreadyExists.",
    intent="A look before the copy decides nothing, for others look at the same moment.",
    level=Level.STOCHASTIC,
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
)
async def one_winner(t: Trial) -> None:
    other = await source(t)
    sources = [await other.seed_file(other.name("from")) for _ in range(_RACERS)]
    for src in sources:
        await other.seed_file(src, src.encode())
    for _ in rounds(t, 20):
        dst = t.name("to")
        outcomes = await tasks([partial(t.store.copy_from, other.store, s, dst) for s in sources])
        winners = [src for src, o in zip(sources, outcomes, strict=True) if o.won]
        losers = [o.error for o in outcomes if not o.won]
        expect(
            len(winners) == 1 and all(isinstance(e, AlreadyExists) for e in losers),
            f"{len(winners)} of {_RACERS} copies from another store to one name succeeded",
            observed=[str(o) for o in outcomes],
            expected="exactly one, and AlreadyExists",
        )
        observed = await t.peek(dst)
        expect(
            observed == winners[0].encode(),
            "the target of raced copies from another store does not hold the winner's content",
            observed=observed,
            expected=winners[0],
        )


@clause(
    "ACROSS-005",
    "A copy from another store with if_match copies that version of the source; of another one it "
    "raises PreconditionFailed, of what is missing NotFound, and changes nothing.",
    intent="Who has looked at a file wants to copy what was seen.",
    requires=[C.COPY, C.CONDITIONAL_WRITE, C.METADATA, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
)
async def wanted_version(t: Trial) -> None:
    other = await source(t)
    for overwrite in (False, True):
        src, dst = await other.seed_file(other.name("from"), b"first"), t.name("to")
        if overwrite:
            await t.seed_file(dst, b"there")
        old = (await other.store.get_file_info(src)).etag
        await other.store.write(src, b"other", overwrite=True)
        new = (await other.store.get_file_info(src)).etag
        copy = partial(t.store.copy_from, other.store, dst=dst, overwrite=overwrite)
        async with t.unchanged("by a copy from another store of a version that is not there"):
            with raises(PreconditionFailed, "when another version than if_match is there"):
                await copy(src, if_match=old)
            with raises(NotFound, "when nothing is there that could be if_match"):
                await copy(other.name("missing"), if_match=old)
        await copy(src, if_match=new)
        observed = await t.peek(dst)
        expect(
            observed == b"other",
            "a copy from another store of the version that is there has not brought it",
            observed=observed,
            expected=b"other",
        )


@clause(
    "ACROSS-006",
    "A copy from another store whose source is replaced meanwhile brings one version, whole, its "
    "user metadata included; or it raises and leaves nothing.",
    intent="The content of one version beside the metadata of another is a file that never was.",
    level=Level.STOCHASTIC,
    requires=[C.COPY, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
    seconds=40,
)
async def one_version(t: Trial) -> None:
    other = await source(t)
    described = t.declares(C.USER_METADATA, C.METADATA)
    versions = {number: pattern(200_000 + number, seed=number) for number in range(2)}
    src = other.name("from")

    async def replace(times: int) -> None:
        for number in range(times):
            metadata = {"kit": str(number % 2)} if described else None
            await other.store.write(src, versions[number % 2], overwrite=True, metadata=metadata)

    await replace(1)
    for _ in rounds(t, 20):
        dst = t.name("to")
        replacing = asyncio.ensure_future(replace(4))
        error: RemoteStoreError | None = None
        try:
            await t.store.copy_from(other.store, src, dst)
        except RemoteStoreError as raised:
            error = raised
        finally:
            await replacing
        await _is_one_version(t, dst, versions, error, described=described)


async def _is_one_version(
    t: Trial,
    dst: str,
    versions: dict[int, bytes],
    error: RemoteStoreError | None,
    *,
    described: bool,
) -> None:
    what = "a copy from another store whose source was replaced"
    observed = await t.peek(dst)
    if error is not None:
        expect(
            observed is None or error.outcome_unknown,
            f"{what} raised, and left something",
            observed=f"{type(error).__name__}: {error}",
            expected="nothing at the target",
        )
        return
    numbers = [number for number, content in versions.items() if content == observed]
    expect(
        bool(numbers),
        f"{what} has brought neither of the two versions",
        observed=observed,
        expected="one of them",
    )
    if described:
        info = await t.store.get_file_info(dst)
        expect(
            dict(info.metadata or {}) == {"kit": str(numbers[0])},
            f"{what} has brought the content of one version and the metadata of another",
            observed=info.metadata,
            expected=f"{{'kit': '{numbers[0]}'}}",
        )


class Upper(Recorder):
    """A backend that hands out another content than its storage has."""

    async def read_bytes(self, path: str) -> bytes:
        """Return the content of a file, in capitals."""
        content: bytes = await self._backend.read_bytes(path)  # type: ignore[attr-defined]
        return content.upper()


@clause(
    "ACROSS-007",
    "A store that cannot copy from another one by itself raises CapabilityNotSupported with "
    "capability 'copy_from', and nothing changes; so it is with every source that is behind a "
    "wrapper, which may hand out other content than is stored.",
    intent="A program that reads and writes instead must know that nothing was done.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
)
async def refused(t: Trial) -> None:
    other = await t.elsewhere()
    src = await other.seed_file(other.name("from"), b"content")
    versions: list[str | None] = [None]
    if t.declares(C.CONDITIONAL_WRITE, C.METADATA):
        versions.append((await other.store.get_file_info(src)).etag)
    cases = [(overwrite, version) for overwrite in (False, True) for version in versions]
    behind = other.store_over(Upper(other.backend))
    for store, what, content in (
        (other.store, "another store", b"content"),
        (behind, "a store behind a wrapper", b"CONTENT"),
    ):
        for overwrite, version in cases:
            dst = t.name("to")
            if overwrite:
                await t.seed_file(dst)
            before = await t.snapshot()
            try:
                await t.store.copy_from(store, src, dst, overwrite=overwrite, if_match=version)
            except CapabilityNotSupported as error:
                declined("copy_from", error, before.difference(await t.snapshot()))
                continue
            observed = await t.peek(dst)
            expect(
                observed == content,
                f"a copy from {what} was not refused, and has not brought what that one hands out",
                observed=observed,
                expected=content,
            )
