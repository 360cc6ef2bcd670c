"""COPY: a second file with the same content, beside what `transfer` has."""

from __future__ import annotations

from remote_store import Capability
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial

C = Capability

_SEE = (Need.SEED, Need.PEEK)


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
