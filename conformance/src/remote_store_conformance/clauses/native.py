"""NATIVE: what a write says about the version that it made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from remote_store import Capability, FileInfo, WriteResult
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, expect
from remote_store_conformance.contract.kinds import Level
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.contents import check_digest, in_parts
from remote_store_conformance.tools.races import crew
from remote_store_conformance.tools.sources import Source
from remote_store_conformance.tools.zones import far_from_utc

C = Capability

_NATIVE: Final = [C.WRITE, C.WRITE_RESULT_NATIVE]

#: Fields that only the backend itself can know.
_RICH: Final = ("digest", "etag", "version_id", "last_modified")


def _forms(t: Trial) -> dict[str, Callable[[str], Awaitable[WriteResult]]]:
    """Return every way to write a file, by name."""
    forms: dict[str, Callable[[str], Awaitable[WriteResult]]] = {
        "write of bytes": lambda path: t.store.write(path, b"content"),
        "write of a stream": lambda path: t.store.write(path, Source().open()),
        "write over a file": lambda path: t.store.write(path, b"longer content", overwrite=True),
        "write of nothing": lambda path: t.store.write(path, b"", overwrite=True),
    }
    large = in_parts(t)
    if large is not None:
        forms["write of more than one part"] = lambda path: t.store.write(path, large.data)
        forms["write of a long stream"] = lambda path: t.store.write(path, large.source().open())
    if t.declares(C.ATOMIC_WRITE):
        forms["write_atomic of bytes"] = lambda path: t.store.write_atomic(path, b"content")
        forms["write_atomic of a stream"] = lambda path: t.store.write_atomic(path, Source().open())
    return forms


async def _written(t: Trial, form: str) -> WriteResult:
    path = t.name()
    if form in ("write over a file", "write of nothing"):
        await t.store.write(path, b"old")
    result = await _forms(t)[form](path)
    expect(
        isinstance(result, WriteResult),
        f"a {form} does not return a WriteResult",
        observed=type(result).__name__,
        expected="WriteResult",
    )
    return result


@clause(
    "NATIVE-001",
    "A native write result has the source 'native' and agrees with a following get_file_info in "
    "path, size, ETag, digest and time.",
    intent="A program that keeps the result must not have to ask again.",
    requires=[*_NATIVE, C.METADATA],
)
async def agrees(t: Trial) -> None:
    told = set()
    for form in _forms(t):
        with far_from_utc():
            result = await _written(t, form)
        info = await t.store.get_file_info(result.path.as_posix())
        expect(
            result.source == "native",
            f"the result of a {form} is not native, although WRITE_RESULT_NATIVE is declared",
            observed=result.source,
            expected="native",
        )
        if t.declares(C.READ):
            content = await t.store.read_bytes(result.path.as_posix())
            check_digest(f"the result of a {form}", result.digest, content)
        for name, said, known in _pairs(result, info):
            if said is not None:
                told.add(name)
                expect(
                    said == known,
                    f"the result of a {form} and get_file_info differ in {name}",
                    observed=said,
                    expected=known,
                )
    expect(
        told & {"etag", "digest", "last_modified"},
        "results are called native, but hold neither ETag nor digest nor time",
        observed=sorted(told),
        expected="at least one of them",
    )


def _pairs(result: WriteResult, info: FileInfo) -> list[tuple[str, object, object]]:
    return [
        ("path", result.path, info.path),
        ("size", result.size, info.size),
        ("etag", result.etag, info.etag),
        ("digest", result.digest, info.digest),
        ("last_modified", result.last_modified, info.modified_at),
    ]


@clause(
    "NATIVE-002",
    "A native write result repeats the user metadata exactly, as a mapping of its own.",
    intent="The caller may go on using its mapping.",
    requires=[*_NATIVE, C.USER_METADATA],
)
async def metadata_repeated(t: Trial) -> None:
    given = {"kit": "value", "other": "more"}
    # Without a store, which may hand on a mapping of its own.
    result = await t.backend.write(t.key(t.name()), b"x", metadata=given)
    expect(
        dict(result.metadata or {}) == {"kit": "value", "other": "more"},
        "the result does not repeat the user metadata",
        observed=result.metadata,
        expected=given,
    )
    given["kit"] = "changed"
    expect(
        result.metadata is not None and result.metadata["kit"] == "value",
        "the result changes with the mapping that the caller handed in",
        observed=result.metadata,
        expected="the metadata of the write",
    )
    plain = await t.store.write(t.name(), b"x")
    expect(
        not plain.metadata,
        "the result of a write without metadata has some",
        observed=plain.metadata,
        expected="None",
    )


@clause(
    "NATIVE-003",
    "Without WRITE_RESULT_NATIVE a write result has the source 'basic', path and size, and nothing "
    "that the backend did not say.",
    intent="A guessed ETag is worse than none.",
    requires=[C.WRITE],
)
async def nothing_made_up(t: Trial) -> None:
    if t.declares(C.WRITE_RESULT_NATIVE):
        msg = "the backend declares WRITE_RESULT_NATIVE"
        raise Inapplicable(msg)
    for form in _forms(t):
        result = await _written(t, form)
        expect(
            result.source == "basic",
            f"the result of a {form} is {result.source!r} without WRITE_RESULT_NATIVE",
            observed=result.source,
            expected="basic",
        )
        made_up = {name: getattr(result, name) for name in _RICH if getattr(result, name)}
        expect(
            not made_up,
            f"the result of a {form} holds more than path and size",
            observed=made_up,
            expected="None in every other field",
        )


async def _overwrite(store: AsyncStore, *, path: str, size: int) -> WriteResult:
    return await store.write(path, b"x" * size, overwrite=True)


@clause(
    "NATIVE-004",
    "A write result describes the version that its own write made, also when others write the same "
    "file at the same moment.",
    intent="A second question after the write gets the answer of somebody else's version.",
    level=Level.STOCHASTIC,
    requires=_NATIVE,
)
async def own_version(t: Trial) -> None:
    path = t.name()
    size = 4
    async with crew(t, size) as racers:
        for _ in rounds(t, 20):
            outcomes = await racers.race(
                [partial(_overwrite, path=path, size=n) for n in range(size)]
            )
            results = []
            for n, outcome in enumerate(outcomes):
                if outcome.error is not None:
                    raise outcome.error
                result = outcome.value
                expect(result is not None, "a write returned None", expected="WriteResult")
                if result is not None:
                    results.append(result)
                    expect(
                        result.size == n,
                        "the result of a write has the size of another one at the same moment",
                        observed=result.size,
                        expected=n,
                    )
            etags = [result.etag for result in results if result.etag is not None]
            expect(
                len(set(etags)) == len(etags),
                "two writes at the same moment got the same ETag",
                observed=etags,
                expected="an ETag for each version",
            )
