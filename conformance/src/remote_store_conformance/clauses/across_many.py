"""ACROSS: many files of another store, copied in one call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any, Final

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    RemoteStoreError,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._declined import declined
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.clauses.across import HEADERS, Upper, expect_copy
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, expect
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.cancelling import (
    Cancelled,
    cancel_after_seconds,
    cancel_after_steps,
)
from remote_store_conformance.tools.contents import in_parts
from remote_store_conformance.tools.races import tasks
from remote_store_conformance.tools.sources import pattern

C = Capability

_SEE: Final = (Need.SEED, Need.PEEK)

#: Files of a call: a backend may gain nothing by a few.
_MANY: Final = 24

#: Bytes of files, in turn.
_SIZES: Final = (0, 1, 1_000, 200_001)

#: Moments of a cancellation: turns of the loop, and parts of the time that the call takes.
_STEPS: Final = (0, 1, 2, 3, 4, 6, 10)
_PARTS: Final = (0.2, 0.4, 0.6, 0.8)

#: Seconds after which a storage that keeps times of whole seconds tells another one.
_SECOND: Final = 1.1


async def together(t: Trial) -> Trial:
    """
    Return another storage of the target from which many files are copied in one call.

    Raises:
        Inapplicable: There are no such copies, which ACROSS-013 looks at.
    """
    other = await t.elsewhere()
    try:
        await _copy(t, other.store, await _files(t, other))
    except CapabilityNotSupported as error:
        if error.capability != "copy_many_from":
            raise
        msg = "the backend does not copy many files of another storage in one call"
        raise Inapplicable(msg) from error
    return other


async def _files(t: Trial, other: Trial) -> dict[str, str]:
    """Put many files there; return new paths for them, each with its file, which holds its path."""
    folder, to = other.name("from"), t.name("to")
    sources = [f"{folder}/{number}" for number in range(_MANY)]
    for src in sources:
        await other.seed_file(src, src.encode())
    return {f"{to}/{number}": src for number, src in enumerate(sources)}


async def _copy(
    t: Trial, store: AsyncStore, files: Mapping[str, str]
) -> list[WriteResult | RemoteStoreError | None]:
    return await t.store.copy_many_from(store, [(src, dst) for dst, src in files.items()])


@clause(
    "ACROSS-010",
    "copy_many_from gives each pair, in their order, what copy_from without overwrite would have "
    "returned or raised, and does what that would have done; none keeps another one from being "
    "copied, and the sources stay as they were.",
    intent="One call for many must not hide what became of one of them.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
)
async def each_has_its_result(t: Trial) -> None:
    other = await together(t)
    files = await _files(t, other)
    there = {await t.seed_file(t.name("there"), b"old") for _ in range(2)}
    refused = await _refused(t, other, files, *there)
    pairs: list[tuple[str, str, str, type[RemoteStoreError] | None]]
    pairs = [(src, dst, "a file", None) for dst, src in files.items()]
    for number, (what, (error, src, dst)) in enumerate(refused.items()):
        pairs.insert(2 * number + 1, (src, dst, what, error))
    before = await t.names()
    async with other.unchanged("in the source of files that were copied in one call"):
        found = await t.store.copy_many_from(other.store, [(src, dst) for src, dst, *_ in pairs])
    expect(
        len(found) == len(pairs),
        "copy_many_from has not a result for each pair",
        observed=len(found),
        expected=len(pairs),
    )
    for (src, dst, what, kind), result in zip(pairs, found, strict=True):
        wanted = (type(None), WriteResult) if kind is None else (kind,)
        expect(
            isinstance(result, wanted),
            f"copy_many_from tells of a pair what copy_from does not, where the source or the "
            f"target is {what}",
            observed=repr(result),
            expected=" or ".join(cls.__name__ for cls in wanted),
        )
        if isinstance(result, WriteResult):
            expect(
                (str(result.path), result.size) == (dst, len(src)),
                "a result of copy_many_from tells another file",
                observed=f"{result.path}, {result.size} bytes",
                expected=f"{dst}, {len(src)} bytes",
            )
        if isinstance(result, NotFound):
            expect(
                src in str(result),
                "a NotFound of copy_many_from does not name the source",
                observed=str(result),
                expected=src,
            )
    contents = {dst: src.encode() for dst, src in files.items()} | dict.fromkeys(there, b"old")
    for path, content in contents.items():
        observed = await t.peek(path)
        expect(
            observed == content,
            "copy_many_from has not left at a target what copy_from would have left",
            observed=f"{path}: {observed!r}",
            expected=content,
        )
    more = set(await t.names()) - {*before, *files}
    expect(
        not more,
        "copy_many_from has left other files than those that it was asked to copy",
        observed=sorted(more),
        expected="none",
    )


async def _refused(
    t: Trial, other: Trial, files: Mapping[str, str], there: str, also: str
) -> dict[str, tuple[type[RemoteStoreError], str, str]]:
    """Return pairs that cannot be copied, and what each of them raises, by what is wrong there."""
    first, path = next(iter(files.items()))
    folder, missing = t.name("folder"), other.name("missing")
    source_folder = other.name("folder")
    await other.seed_file(f"{source_folder}/inner")
    inner = await t.seed_file(f"{folder}/inner")
    cases: dict[str, tuple[type[RemoteStoreError], str, str]] = {
        "missing": (NotFound, missing, t.name("new")),
        "there already": (AlreadyExists, path, there),
        "missing, or there already": (NotFound, missing, also),
        "a folder": (InvalidPath, source_folder, t.name("new")),
        "no path": (InvalidPath, f"../{path}", t.name("new")),
        "no path either": (InvalidPath, path, ""),
        "a reserved name": (InvalidPath, path, ".~tmp.kit.0123abcd"),
        "that of another pair": (AlreadyExists, path, first),
    }
    if t.is_a(Trait.EXCLUSIVE):
        cases["an existing folder"] = InvalidPath, path, folder
        cases["under a file"] = InvalidPath, path, f"{inner}/new"
    return cases


@clause(
    "ACROSS-011",
    "A file that copy_many_from has copied has the same bytes, the same user metadata and content "
    "headers, and the time of its source where copy_from keeps that.",
    intent="The short way is a short way to the same.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
    seconds=40,
)
async def arrive(t: Trial) -> None:
    other = await together(t)
    more: dict[str, Any] = {}
    if t.declares(C.USER_METADATA):
        more["metadata"] = {"kit": "value", "other": "more"}
    if t.declares(C.CONTENT_HEADERS):
        more["headers"] = HEADERS
    contents = [pattern(_SIZES[n % len(_SIZES)], seed=n) for n in range(_MANY)]
    if (large := in_parts(t)) is not None:
        contents.append(large.data)
    files = {f"{t.name('to')}/new/file": other.name("from") for _ in contents}
    for number, (src, content) in enumerate(zip(files.values(), contents, strict=True)):
        await other.seed_file(src, content)
        if number % 2 and t.declares(C.WRITE):
            await other.store.write(src, content, overwrite=True, **more)
    await asyncio.sleep(t.settle if t.is_a(Trait.LOCAL) else _SECOND)
    found = await _copy(t, other.store, files)
    for (dst, src), content, result in zip(files.items(), contents, found, strict=True):
        what = f"the copy of a file of {len(content)} bytes together with others"
        if isinstance(result, RemoteStoreError):
            raise result
        await expect_copy(t, other, what, src, dst, content, result)
    if t.declares(C.METADATA):
        await _expect_times(t, other, files)


async def _expect_times(t: Trial, other: Trial, files: Mapping[str, str]) -> None:
    src, alone = next(iter(files.values())), t.name("alone")
    await t.store.copy_from(other.store, src, alone)
    keeps = (await t.store.get_file_info(alone)).modified_at == (
        await other.store.get_file_info(src)
    ).modified_at
    t.note(keeps_time=keeps)
    for dst, src in files.items() if keeps else ():
        before = (await other.store.get_file_info(src)).modified_at
        after = (await t.store.get_file_info(dst)).modified_at
        expect(
            after == before,
            "copy_many_from has not kept the time of a source, as copy_from does",
            observed=after,
            expected=before,
        )


@clause(
    "ACROSS-012",
    "Of several copy_many_from at once to the same names exactly one copies to each of them; the "
    "others get AlreadyExists for it.",
    intent="Two runs of one job must not overwrite each other's files, whatever they have in hand.",
    level=Level.STOCHASTIC,
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
    seconds=40,
)
async def one_winner_each(t: Trial) -> None:
    other = await together(t)
    racers = [list((await _files(t, other)).values()) for _ in range(2)]
    for _ in rounds(t, 20):
        to = t.name("to")
        names = [f"{to}/{number}" for number in range(_MANY)]
        pairs = [list(zip(sources, names, strict=True)) for sources in racers]
        pairs[1].reverse()
        outcomes = await tasks([partial(t.store.copy_many_from, other.store, p) for p in pairs])
        told: dict[str, list[tuple[str, object]]] = {name: [] for name in names}
        for mine, outcome in zip(pairs, outcomes, strict=True):
            if outcome.error is not None:
                raise outcome.error
            for (src, dst), result in zip(mine, outcome.value or (), strict=True):
                told[dst].append((src, result))
        for name, results in told.items():
            winners = [src for src, r in results if not isinstance(r, RemoteStoreError)]
            losers = [r for _, r in results if isinstance(r, RemoteStoreError)]
            expect(
                len(winners) == 1 and all(isinstance(e, AlreadyExists) for e in losers),
                f"{len(winners)} of {len(pairs)} copies of copy_many_from to one name succeeded",
                observed=[repr(r) for _, r in results],
                expected="exactly one, and AlreadyExists",
            )
            observed = await t.peek(name)
            expect(
                observed == winners[0].encode(),
                "the target of a raced copy_many_from does not hold the winner's content",
                observed=observed,
                expected=winners[0],
            )


@clause(
    "ACROSS-013",
    "A store that cannot copy from another one by itself, or not many files in one call, raises "
    "CapabilityNotSupported with capability 'copy_many_from', and nothing changes; so it is with "
    "every source that is behind a wrapper, which may hand out other content than is stored.",
    intent="A program that copies one by one instead must know that nothing was done.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
)
async def refused(t: Trial) -> None:
    other = await t.elsewhere()
    behind = other.store_over(Upper(other.backend))
    for store, what in ((other.store, "another store"), (behind, "a store behind a wrapper")):
        files = await _files(t, other)
        before = await t.snapshot()
        try:
            await _copy(t, store, files)
        except CapabilityNotSupported as refusal:
            declined("copy_many_from", refusal, before.difference(await t.snapshot()))
            continue
        for dst, src in files.items():
            content = src.upper() if store is behind else src
            observed = await t.peek(dst)
            expect(
                observed == content.encode(),
                f"copies from {what} were not refused, and have not brought what that one hands "
                "out",
                observed=observed,
                expected=content,
            )


@clause(
    "ACROSS-014",
    "A copy_many_from that is cancelled raises CancelledError and leaves each file as a whole or "
    "not at all, and nothing else; on a local target nothing changes afterwards.",
    intent="A timeout is no licence to leave halves, which the next run takes for copies.",
    requires=[C.COPY],
    needs=_SEE,
    since="1.1",
    seconds=40,
)
async def cancelled(t: Trial) -> None:
    other = await together(t)
    before = await t.names()
    folder, sources = other.name("from"), {}
    for number in range(_MANY):
        content = pattern(_SIZES[number % len(_SIZES)], seed=number)
        sources[await other.seed_file(f"{folder}/{number}", content)] = content
    allowed: dict[str, bytes] = {}
    seen: list[set[tuple[str, bool]]] = []
    async with other.unchanged("in the source of a copy_many_from that was cancelled"):
        async for files, moment, outcome in _sweep(t, other, sources):
            expect(
                outcome.finished or outcome.came_out,
                f"a copy_many_from that was cancelled {moment} did not raise CancelledError",
                observed=repr(outcome.error or outcome.value),
                expected="CancelledError",
            )
            allowed |= {dst: sources[src] for dst, src in files.items()}
            if outcome.came_out:  # at once: what goes on would soon be done
                there = set(await t.names())
                seen.append({(dst, dst in there) for dst in files})
    if not t.is_a(Trait.LOCAL):
        await asyncio.sleep(t.settle)  # a service may still be at the last one
    left = await t.names()
    t.note(cancelled=len(seen), left=len({*left} & {*allowed}), of=len(allowed))
    more = set(left) - {*before, *allowed}
    expect(
        not more,
        "a copy_many_from that was cancelled left something else than files that were to be copied",
        observed=sorted(more),
        expected="none",
    )
    for path, content in allowed.items():
        observed = await t.peek(path)
        expect(
            observed is None or observed == content,
            "a copy_many_from that was cancelled left a file that is not whole",
            observed=observed,
            expected=content,
        )
    if t.is_a(Trait.LOCAL):
        await asyncio.sleep(2 * t.settle)
        later = set(await t.names())
        changed = [dst for states in seen for dst, there in states if (dst in later) != there]
        expect(
            not changed,
            "a copy_many_from changed something after CancelledError was delivered",
            observed=sorted(changed),
            expected="no change",
        )


async def _sweep(
    t: Trial, other: Trial, sources: Mapping[str, bytes]
) -> AsyncGenerator[tuple[dict[str, str], str, Cancelled[Any]], None]:
    """Yield what was to be copied, cancelled at one moment after the other."""

    def files() -> dict[str, str]:
        to = t.name("to")
        return {f"{to}/{number}": src for number, src in enumerate(sources)}

    whole = files()
    start = time.perf_counter()
    await _copy(t, other.store, whole)
    seconds = time.perf_counter() - start
    for steps in _STEPS:
        some = files()
        outcome = await cancel_after_steps(_copy(t, other.store, some), steps)
        yield some, f"after {steps} turns of the loop", outcome
    for part in _PARTS:
        some = files()
        outcome = await cancel_after_seconds(_copy(t, other.store, some), part * seconds)
        yield some, f"after {part:.0%} of its time", outcome
    yield whole, "at its end", Cancelled(finished=True)
