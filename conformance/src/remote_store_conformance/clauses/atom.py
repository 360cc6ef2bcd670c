"""ATOM: atomic writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from remote_store import AlreadyExists, Capability, InvalidPath
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._versions import readers_see_whole_versions
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Violation, expect, raises
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.cancelling import (
    Cancelled,
    cancel_after_seconds,
    cancel_after_steps,
)
from remote_store_conformance.tools.contents import Content, contents, in_parts
from remote_store_conformance.tools.processes import Victim, kill_writers
from remote_store_conformance.tools.sources import CallerError, Source, pattern

C = Capability

_ATOMIC = (C.ATOMIC_WRITE, C.WRITE)


@clause(
    "ATOM-001",
    "During atomic overwrites every reader sees a whole old version or a whole new one, or an "
    "error that the file was replaced; never that it is missing.",
    intent="Configuration is replaced under programs that are reading it.",
    level=Level.STOCHASTIC,
    requires=[*_ATOMIC, C.READ],
    seconds=60,
)
async def old_or_new(t: Trial) -> None:
    async def write(store: AsyncStore, path: str, content: Any) -> None:
        await store.write_atomic(path, content, overwrite=True)

    await readers_see_whole_versions(t, "an atomic overwrite", write)


async def _only(t: Trial, names: list[str], after: str) -> None:
    """State that no file is there but those of *names*, temporary ones included."""

    async def clean() -> bool:
        return await t.names() == names

    # The removal of a temporary file may still be on its way to a service.
    with contextlib.suppress(Violation):
        await t.eventually(clean, "a clean folder", seconds=0 if t.is_a(Trait.LOCAL) else None)
    left = sorted(set(await t.names()) - set(names))
    expect(not left, f"{after} a temporary or half-written file is left", observed=left)


@clause(
    "ATOM-002",
    "An atomic write whose source fails leaves the target as it was, and no temporary file.",
    intent="What is half written must neither be read nor fill the storage.",
    requires=_ATOMIC,
    needs=[Need.PEEK],
)
async def failing_source(t: Trial) -> None:
    there = await t.seed_file(f"{t.name('folder')}/there", b"old")
    absent = f"{there}-not"
    for after in (0, 1, 3):
        for path, old in ((there, b"old"), (absent, None)):
            source = Source(error=CallerError("source"), fail_after=after)
            with raises(CallerError, f"when the content fails after {after} chunks"):
                await t.store.write_atomic(path, source.open(), overwrite=True)
            found = await t.peek(path)
            expect(
                found == old,
                "an atomic write whose source failed changed the target",
                observed=found,
                expected=old,
            )
            await _only(t, [there], "after an atomic write whose source failed")
    large = in_parts(t)
    for path, old in ((there, b"old"), (absent, None)) if large else ():
        assert large is not None
        source = large.source(CallerError("source"))
        with raises(CallerError, "when the content fails after more than one part"):
            await t.store.write_atomic(path, source.open(), overwrite=True)
        found = await t.peek(path)
        expect(
            found == old,
            "an atomic write whose source failed after more than one part changed the target",
            observed=found,
            expected=old,
        )
        await _only(t, [there], "after an atomic write whose source failed late")


@clause(
    "ATOM-003",
    "An atomic write that is cancelled, at whatever moment, leaves the old version or the new, "
    "and no temporary file.",
    intent="A timeout around a write is a cancellation.",
    level=Level.STOCHASTIC,
    requires=_ATOMIC,
    needs=[Need.PEEK],
    seconds=60,
)
async def cancelled(t: Trial) -> None:
    path = t.name()
    old, new = b"old", b"new" * 3
    await t.seed_file(path, old)

    def call() -> Any:
        return t.store.write_atomic(path, Source([b"new"] * 3).open(), overwrite=True)

    start = asyncio.get_running_loop().time()
    await call()
    duration = asyncio.get_running_loop().time() - start

    async def cancelled_by(cancelling: Callable[[], Awaitable[Cancelled[Any]]]) -> bool:
        await t.seed_file(path, old)
        ended = await cancelling()
        expect(
            ended.finished or ended.came_out or ended.error is None,
            "a cancelled atomic write raised something else",
            observed=repr(ended.error),
            expected="CancelledError",
        )
        found = await t.peek(path)
        expect(
            found in (old, new),
            "a cancelled atomic write left neither the old version nor the new",
            observed=found,
        )
        await _only(t, [path], "after a cancelled atomic write")
        return ended.finished

    for steps in range(40):
        if await cancelled_by(lambda: cancel_after_steps(call(), steps)):  # noqa: B023 - called at once
            break
    for tenth in range(11):
        seconds = duration * tenth / 10
        await cancelled_by(lambda: cancel_after_seconds(call(), seconds))  # noqa: B023 - as above
    large = in_parts(t)
    if large is None:
        return
    new = large.data
    start = asyncio.get_running_loop().time()
    await t.store.write_atomic(path, large.source().open(), overwrite=True)
    duration = asyncio.get_running_loop().time() - start
    for part in (0.2, 0.4, 0.6, 0.8):
        write = t.store.write_atomic(path, large.source().open(), overwrite=True)
        await cancelled_by(lambda: cancel_after_seconds(write, duration * part))  # noqa: B023 - as above


@clause(
    "ATOM-004",
    "No listing and no count shows a temporary file or the new one before it is complete.",
    intent="A listing that shows temporary files makes programs read them.",
    requires=[*_ATOMIC, C.LIST],
)
async def hidden_meanwhile(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/old", b"old")
    seen: dict[str, Any] = {}

    async def content() -> AsyncIterator[bytes]:
        yield b"n" * 300_000
        seen["list_files"] = [f.name for f in await collect(t.store.list_files(folder))]
        deep = t.store.list_files("", recursive=True)
        seen["list_files(recursive=True)"] = [f.name for f in await collect(deep)]
        seen["iter_children"] = [e.name for e in await collect(t.store.iter_children(folder))]
        folders = await collect(t.store.list_folders("", max_depth=3))
        seen["list_folders"] = [e.name for e in folders]
        if t.declares(C.GLOB):
            seen["glob"] = [f.name for f in await collect(t.store.glob("**/*"))]
        if t.declares(C.METADATA):
            info = await t.store.get_folder_info(folder)
            seen["get_folder_info"] = ["old"] if info.file_count == 1 else info.file_count
        yield b"n"

    await t.store.write_atomic(f"{folder}/new", content())
    for method, names in seen.items():
        expected = [folder] if method == "list_folders" else ["old"]
        expect(
            names == expected,
            f"{method} shows what an atomic write has not yet finished",
            observed=names,
            expected=expected,
        )


@clause(
    "ATOM-005",
    "A process that is killed while it writes, atomically or not, leaves the old file or the new "
    "one, nothing that a listing shows, and nothing that holds up the next writer.",
    intent="Containers are killed in the middle of a write, and nobody cleans up after them.",
    level=Level.STOCHASTIC,
    requires=_ATOMIC,
    needs=[Need.PEEK],
    only=[Trait.PROCESSES],
    seconds=60,
)
async def killed(t: Trial) -> None:
    sizes = (300_000, 200_000)
    versions = [pattern(size, seed=number) for number, size in enumerate(sizes)]
    folder = t.name("folder")
    victims = [
        Victim(method, f"{folder}/{method}-{how}", sizes, held=held, overwrite=overwrite)
        for method in ("write_atomic", "write")
        for how, held, overwrite in (("held", True, True), ("looping", False, True))
    ]
    victims.append(Victim("write_atomic", f"{folder}/new", sizes, held=True, overwrite=False))
    for victim in victims:
        if victim.overwrite:
            await t.seed_file(victim.path, versions[0])
    await kill_writers(t, victims)
    for victim in victims:
        old = versions[0] if victim.overwrite else None
        found = await t.peek(victim.path)
        moment = "half-way through its content" if victim.held else "at some moment"
        expect(
            found == old if victim.held else found in versions,
            f"a {victim.method} whose process was killed {moment} left neither the old file nor "
            "the new one",
            observed=found,
            expected=old if victim.held else "one of the two versions, whole",
        )
    if t.declares(C.LIST):
        names = sorted([f.name for f in await collect(t.store.list_files(folder))])
        expected = sorted(v.path.rpartition("/")[2] for v in victims if v.overwrite)
        expect(
            names == expected,
            "a listing shows what killed processes have left",
            observed=names,
            expected=expected,
        )
    for victim in victims:
        write = getattr(t.store, victim.method)(victim.path, b"next", overwrite=victim.overwrite)
        await t.within(write, f"a {victim.method} after a process was killed in one")


@clause(
    "ATOM-006",
    "An atomic write refuses what a plain write refuses, and changes nothing then.",
    intent="Exclusive creation is wanted most where files must be whole.",
    requires=_ATOMIC,
    needs=[Need.PEEK],
)
async def refuses_alike(t: Trial) -> None:
    path = await t.seed_file(f"{t.name('folder')}/file", b"old")
    async with t.unchanged("by a refused atomic write"):
        for content in contents(t):
            for form, given in content.forms:
                with raises(AlreadyExists, f"by an atomic write of {form}, over a file"):
                    await t.store.write_atomic(path, given)
        if t.is_a(Trait.EXCLUSIVE):
            for where, target in (
                ("to a folder", path.partition("/")[0]),
                ("below a file", f"{path}/below"),
            ):
                with raises(InvalidPath, f"by an atomic write {where}"):
                    await t.store.write_atomic(target, Source().open(), overwrite=True)


@clause(
    "ATOM-007",
    "An atomic write stores every size, zero included, from bytes as from a stream, also in new "
    "folders.",
    intent="Temporary files and renames have a way of forgetting the empty file.",
    requires=_ATOMIC,
    needs=[Need.PEEK],
)
async def every_size(t: Trial) -> None:
    some = [*contents(t), *(Content("a pattern", pattern(n)) for n in (65_536, 300_000))]
    for content in some:
        for form, source in content.forms:
            path = f"{t.name('new')}/folder/file"
            result = await t.store.write_atomic(path, source)
            found = await t.peek(path)
            expect(
                (found, result.size) == (content.data, len(content.data)),
                f"an atomic write of {form}, did not store it",
                observed=(found, result.size),
                expected=(content.data, len(content.data)),
            )
