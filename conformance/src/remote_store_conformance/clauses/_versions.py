"""Readers beside overwrites: what ATOM-001 and WRITE-015 ask for alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from remote_store import NotFound, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.expect import expect, shown
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.contents import in_parts
from remote_store_conformance.tools.races import crew
from remote_store_conformance.tools.sources import Source, pattern

__all__ = ["readers_see_whole_versions"]

#: Called with the racer's store, path and content.
Write: TypeAlias = Callable[..., Awaitable[Any]]

#: Overwrites in one round.
_WRITES: Final = 4


async def readers_see_whole_versions(t: Trial, kind: str, write: Write) -> None:
    """
    State that a reader sees, while a file is overwritten, one version of it, whole.

    A read may also say that the file was replaced, as READ-009 allows, but not that it is
    missing.

    Args:
        t: The run.
        kind: What the write is called, for messages.
        write: Overwrites a file: called with a store, a path and the content.
    """
    small = (pattern(300_000, seed=1), pattern(200_000, seed=2))
    await _race(t, kind, write, small, wanted=12)
    parts = [content.data for seed in (1, 2) if (content := in_parts(t, seed)) is not None]
    if parts:
        # Of other sizes, or a mixture of the two would be hard to see.
        await _race(t, kind, write, (parts[0], parts[1][:-1]), wanted=2)


async def _race(
    t: Trial, kind: str, write: Write, versions: tuple[bytes, bytes], *, wanted: int
) -> None:
    path = t.name()
    await t.store.write(path, versions[0])

    async def writer(store: AsyncStore) -> list[str]:
        for number in range(_WRITES):
            content = versions[(number + 1) % 2]
            third = len(content) // 3
            given = content if number % 2 else Source([content[:third], content[third:]]).open()
            await write(store, path, given)
        return []

    async def reader(store: AsyncStore) -> list[str]:
        seen = []
        for number in range(2 * _WRITES):
            try:
                if number % 2:
                    content = b"".join(await collect(store.read(path)))
                else:
                    content = await store.read_bytes(path)
            except NotFound:
                raise
            except RemoteStoreError as error:
                t.note(**{"a read raised": f"{type(error).__name__}: {error}"})
                continue
            seen.append("" if content in versions else shown(content))
        return seen

    async with crew(t, 4) as racers:
        for _ in rounds(t, wanted) if len(versions[0]) < (1 << 20) else range(wanted):
            outcomes = await racers.race([writer, reader, reader, reader])
            errors = [repr(o.error) for o in outcomes if not o.won]
            expect(not errors, f"{kind} or a read beside it failed", observed=errors)
            seen = [text for outcome in outcomes for text in outcome.value or ()]
            odd = [text for text in seen if text]
            sizes = " or ".join(str(len(version)) for version in versions)
            expect(
                not odd,
                f"during {kind} a reader saw neither the old version nor the new",
                observed=odd[0] if odd else None,
                expected=f"{sizes} bytes of one pattern",
                times=len(odd),
            )
