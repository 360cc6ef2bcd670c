"""COPY: a second file with the same content."""

from __future__ import annotations

from remote_store import Capability
from remote_store_conformance.clauses import _transfers as transfers
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level, Need
from remote_store_conformance.contract.trial import Trial

C = Capability

_SEE = (Need.SEED, Need.PEEK)


@clause(
    "COPY-001",
    "A copied file is under its new name with the same bytes and the same user metadata; the "
    "folders above it are made.",
    intent="What describes the data belongs to the data.",
    requires=[C.COPY],
    needs=_SEE,
)
async def arrives(t: Trial) -> None:
    await transfers.arrives(t, "copy")


@clause(
    "COPY-002",
    "A copy of a missing file raises NotFound with the source's path and leaves the destination "
    "alone, whatever is there and whatever overwrite says.",
    intent="Nothing is replaced by what does not exist.",
    requires=[C.COPY],
    needs=_SEE,
)
async def missing_source(t: Trial) -> None:
    await transfers.missing_source(t, "copy")


@clause(
    "COPY-003",
    "A copy to an existing file raises AlreadyExists and changes nothing; with overwrite=True it "
    "replaces the file as a whole.",
    intent="Overwriting is a decision of the caller's.",
    requires=[C.COPY],
    needs=_SEE,
)
async def existing_target(t: Trial) -> None:
    await transfers.existing_target(t, "copy")


@clause(
    "COPY-004",
    "A copy leaves its source as it was: content, version and time.",
    intent="A source that looks changed is processed again.",
    requires=[C.COPY],
    needs=_SEE,
)
async def source_unchanged(t: Trial) -> None:
    src, dst = await t.seed_file(t.name("from"), b"content"), t.name("to")
    for overwrite in (False, True):
        before = await t.snapshot()
        await t.store.copy(src, dst, overwrite=overwrite)
        after = await t.snapshot()
        expect(
            after.files.get(src) == before.files[src],
            "a copy changed its source",
            observed=after.files.get(src),
            expected=before.files[src],
        )


@clause(
    "COPY-005",
    "A copy of a file onto itself changes nothing, by a store and by the backend alone; onto "
    "itself a folder is InvalidPath and a missing file NotFound.",
    intent="Truncate the destination, then read the source, would empty the file.",
    requires=[C.COPY],
    needs=_SEE,
)
async def onto_itself(t: Trial) -> None:
    await transfers.onto_itself(t, "copy")


@clause(
    "COPY-006",
    "A copy raises InvalidPath and changes nothing where the source is a folder, or the "
    "destination is the root, a reserved name, a folder or a path under a file.",
    intent="Only files are copied, and never over something that is no file.",
    requires=[C.COPY],
    needs=_SEE,
)
async def wrong_kinds(t: Trial) -> None:
    await transfers.wrong_kinds(t, "copy")


@clause(
    "COPY-007",
    "A copy returns only when its destination is complete, and until then shows nothing of it.",
    intent="Services copy in the background, and a reader of a pending copy gets a part.",
    requires=[C.COPY],
    needs=_SEE,
)
async def complete_on_return(t: Trial) -> None:
    await transfers.complete_on_return(t, "copy")


@clause(
    "COPY-008",
    "Of several copies to one name with overwrite=False exactly one succeeds; the others get "
    "AlreadyExists.",
    intent="A look before the copy decides nothing, for others look at the same moment.",
    level=Level.STOCHASTIC,
    requires=[C.COPY],
    needs=_SEE,
)
async def one_winner(t: Trial) -> None:
    await transfers.one_winner(t, "copy")


@clause(
    "COPY-009",
    "Nothing that is done to one of the two files after a copy changes the other.",
    intent="A copy is made so that the original may change.",
    requires=[C.COPY, C.WRITE],
    needs=[Need.PEEK],
)
async def independent(t: Trial) -> None:
    src, dst = t.name("from"), t.name("to")
    described = t.declares(C.USER_METADATA, C.METADATA)
    old = {"kit": "old"} if described else None
    await t.store.write(src, b"old", metadata=old)
    await t.store.copy(src, dst)
    for changed, kept in ((src, dst), (dst, src)):
        await t.store.write(changed, b"new content", overwrite=True)
        await _expect_old(t, kept, old)
        await t.store.write(changed, b"old", overwrite=True, metadata=old)
    if t.declares(C.DELETE):
        await t.store.delete(src)
        await _expect_old(t, dst, old)


async def _expect_old(t: Trial, path: str, metadata: dict[str, str] | None) -> None:
    observed = await t.peek(path)
    expect(
        observed == b"old",
        "the other file of a copy changed as well",
        observed=observed,
        expected=b"old",
    )
    if metadata is not None:
        info = await t.store.get_file_info(path)
        expect(
            dict(info.metadata or {}) == metadata,
            "the metadata of the other file of a copy changed as well",
            observed=info.metadata,
            expected=metadata,
        )
