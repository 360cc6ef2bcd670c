"""What MOVE and COPY ask for alike; each check gets as an argument which of the two it looks at."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from remote_store import AlreadyExists, Capability, InvalidPath, NotFound
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.contents import Content, in_parts
from remote_store_conformance.tools.races import crew
from remote_store_conformance.tools.sources import pattern

__all__ = [
    "Kind",
    "arrives",
    "complete_on_return",
    "existing_target",
    "missing_source",
    "one_winner",
    "onto_itself",
    "rounds",
    "wrong_kinds",
]

C = Capability

Kind: TypeAlias = Literal["move", "copy"]

_MIB: Final = 1 << 20

#: Seconds of a race on a fast target.
_RACING: Final = 0.6

#: Racers for one destination.
_RACERS: Final = 4


def _act(t: Trial, kind: Kind) -> Callable[..., Awaitable[Any]]:
    call: Callable[..., Awaitable[Any]] = getattr(t.store, kind)
    return call


def rounds(t: Trial, wanted: int) -> Iterator[int]:
    """
    Yield the numbers of the rounds of a race.

    There are *wanted* of them, fewer where every call takes milliseconds, and more where
    that many are over at once: a window of a few instructions is hit by chance.
    """
    if not t.is_a(Trait.LOCAL):
        yield from range(max(3, wanted // 10))
        return
    end = time.monotonic() + _RACING * t.effort
    for number in itertools.count():
        if number >= wanted and time.monotonic() > end:
            return
        yield number


def _small_and_large(t: Trial, small: bytes) -> Iterator[Content]:
    """Yield content that is sent at once, and some that a service takes in parts."""
    yield Content("one part", small)
    if (large := in_parts(t)) is not None:
        yield large


async def arrives(t: Trial, kind: Kind) -> None:
    """Check the bytes and the user metadata under the new name."""
    large = in_parts(t)
    some = [pattern(size, seed=size) for size in (0, 1, 200_001)]
    for content in (*some, *([large.data] if large else ())):
        size = len(content)
        src = await t.seed_file(f"{t.name('from')}/file", content)
        dst = f"{t.name('to')}/new/file"
        await _act(t, kind)(src, dst)
        observed = await t.peek(dst)
        expect(
            observed == content,
            f"the {kind} of a file of {size} bytes has not brought its content",
            observed=observed,
            expected=content,
        )
    if t.declares(C.USER_METADATA, C.METADATA, C.WRITE):
        for content in _small_and_large(t, b"x"):
            src, dst = t.name("from"), t.name("to")
            metadata = {"kit": "value", "other": "more"}
            await t.store.write(src, content.data, metadata=metadata)
            await _act(t, kind)(src, dst)
            info = await t.store.get_file_info(dst)
            expect(
                dict(info.metadata or {}) == metadata,
                f"the {kind} of {content} has not kept the user metadata",
                observed=info.metadata,
                expected=metadata,
            )


async def missing_source(t: Trial, kind: Kind) -> None:
    """Check that a missing source is NotFound, whatever is at the destination."""
    there = await t.seed_file(t.name("there"), b"old")
    sources = {
        "is missing": t.name("missing"),
        "runs through a file": f"{await t.seed_file(t.name('file'))}/below",
    }
    for what, src in sources.items():
        for dst, overwrite in ((t.name("new"), False), (there, False), (there, True)):
            target = "an existing file" if dst == there else "a free name"
            when = f"when the source of a {kind} to {target} {what} (overwrite={overwrite})"
            async with t.unchanged(f"by a {kind} whose source {what}"):
                with raises(NotFound, when, contains=src):
                    await _act(t, kind)(src, dst, overwrite=overwrite)


async def existing_target(t: Trial, kind: Kind) -> None:
    """Check that an existing file is refused or replaced as *overwrite* says."""
    for content in _small_and_large(t, b"new"):
        src = await t.seed_file(t.name("from"), content.data)
        dst = await t.seed_file(t.name("to"), b"old content that is longer")
        async with t.unchanged(f"by a {kind} of {content} that is refused"):
            what = f"when a {kind} of {content} with overwrite=False meets a file"
            with raises(AlreadyExists, what):
                await _act(t, kind)(src, dst)
        await _act(t, kind)(src, dst, overwrite=True)
        observed = await t.peek(dst)
        expect(
            observed == content.data,
            f"a {kind} of {content} with overwrite=True has not replaced the file",
            observed=observed,
            expected=content.data,
        )
    if t.declares(C.USER_METADATA, C.METADATA, C.WRITE):
        old, new = {"kit": "old", "replaced": "yes"}, {"kit": "new", "brought": "yes"}
        for before, after in ((old, None), (None, new), (old, new)):
            src, dst = t.name("from"), t.name("to")
            await t.store.write(src, b"new", metadata=after)
            await t.store.write(dst, b"old", metadata=before)
            await _act(t, kind)(src, dst, overwrite=True)
            info = await t.store.get_file_info(dst)
            expect(
                dict(info.metadata or {}) == (after or {}),
                f"a {kind} with overwrite=True has not replaced the metadata by the source's",
                observed=info.metadata,
                expected=after,
                replaced=before,
            )


async def onto_itself(t: Trial, kind: Kind) -> None:
    """Check that source and destination may be the same file, and nothing else."""
    path = await t.seed_file(f"{t.name('folder')}/file", b"content")
    folder = path.rpartition("/")[0]
    for overwrite in (False, True):
        async with t.unchanged(f"by a {kind} of a file onto itself (overwrite={overwrite})"):
            await _act(t, kind)(path, f"./{path}", overwrite=overwrite)
            # Adapters and wrappers call a backend without a store before it.
            raw = getattr(t.backend, kind)
            await raw(t.key(path), t.key(path), overwrite=overwrite)
    missing = t.name("missing")
    async with t.unchanged(f"by a {kind} onto itself that is refused"):
        with raises(InvalidPath, f"when a {kind} has a folder as source and destination"):
            await _act(t, kind)(folder, folder)
        with raises(NotFound, f"when a {kind} has a missing file as source and destination"):
            await _act(t, kind)(missing, missing)


async def wrong_kinds(t: Trial, kind: Kind) -> None:
    """Check that folders, the root and reserved names are refused."""
    path = await t.seed_file(t.name("file"), b"content")
    folder = t.name("folder")
    await t.seed_file(f"{folder}/inner", b"inner")
    cases = {
        "the source is a folder": (folder, t.name("new")),
        "the destination is a name reserved for temporary files": (path, ".~tmp.kit.0123abcd"),
    }
    if t.is_a(Trait.EXCLUSIVE):
        cases["the destination is a folder"] = (path, folder)
        cases["the destination lies under a file"] = (path, f"{folder}/inner/new")
    for what, (src, dst) in cases.items():
        for overwrite in (False, True):
            async with t.unchanged(f"by a {kind} where {what}"):
                with raises(InvalidPath, f"by a {kind} where {what} (overwrite={overwrite})"):
                    await _act(t, kind)(src, dst, overwrite=overwrite)
    for root in ("", ".", "./"):
        async with t.unchanged(f"by a {kind} to the root"):
            with raises(InvalidPath, f"by the backend's own {kind} to its root, {root!r}"):
                await getattr(t.backend, kind)(t.key(path), root, overwrite=True)


async def complete_on_return(t: Trial, kind: Kind) -> None:
    """Check that the content is whole under one name at every moment, and at the end."""
    content = pattern(min(4 * _MIB, t.target.max_object))
    for _ in range(3):
        src = await t.seed_file(t.name("from"), content)
        dst = t.name("to")
        running = asyncio.ensure_future(_act(t, kind)(src, dst))
        try:
            while not running.done():
                # In this order: a move leads from one name to the other.
                seen = [await _look(t, src), await _look(t, dst)]
                _expect_whole(kind, content, seen)
                # A probe may answer without giving the loop away.
                await asyncio.sleep(0)
        finally:
            await asyncio.wait({running})
        await running
        observed = await t.peek(dst)
        expect(
            observed == content,
            f"the {kind} returned before its destination was complete",
            observed=observed,
            expected=content,
        )


async def _look(t: Trial, path: str) -> bytes | None:
    try:
        return await t.peek(path)
    except NotFound:
        # Without a probe it takes two calls, and the move came in between.
        return None


def _expect_whole(kind: Kind, content: bytes, seen: list[bytes | None]) -> None:
    expect(
        content in seen,
        f"during a {kind} the content was whole under neither of the two names",
        observed=[None if one is None else f"{len(one)} bytes" for one in seen],
        expected=f"{len(content)} bytes under one of them",
    )
    expect(
        seen[1] in (None, content),
        f"during a {kind} its destination held a part of the content",
        observed=seen[1],
        expected="nothing, or all of it",
    )


async def _go(store: AsyncStore, *, kind: Kind, src: str, dst: str) -> None:
    await (store.move if kind == "move" else store.copy)(src, dst)


async def one_winner(t: Trial, kind: Kind) -> None:
    """Check that of several calls with one destination exactly one succeeds."""
    async with crew(t, _RACERS, apart=True) as racers:
        for _ in rounds(t, 40):
            dst = t.name("to")
            sources = [t.name("from") for _ in range(_RACERS)]
            for src in sources:
                await t.seed_file(src, src.encode())
            outcomes = await racers.race(
                [partial(_go, kind=kind, src=src, dst=dst) for src in sources]
            )
            winners = [src for src, o in zip(sources, outcomes, strict=True) if o.won]
            expect(
                len(winners) == 1,
                f"{len(winners)} of {_RACERS} exclusive calls of {kind} to one name succeeded",
                observed=[str(o) for o in outcomes],
                expected="exactly one",
            )
            losers = [o for o in outcomes if not o.won]
            expect(
                all(isinstance(o.error, AlreadyExists) for o in losers),
                f"an exclusive {kind} that lost the race raised the wrong exception",
                observed=[f"{o}: {o.error}" for o in losers],
                expected="AlreadyExists",
            )
            observed = await t.peek(dst)
            expect(
                observed == winners[0].encode(),
                f"the destination of a raced {kind} does not hold the winner's content",
                observed=observed,
                expected=winners[0],
            )
            for src in set(sources) - set(winners):
                kept = await t.peek(src)
                expect(
                    kept == src.encode(),
                    f"a {kind} that lost the race did not leave its source alone",
                    observed=kept,
                    expected=src,
                )
