"""WRITE: what was given is written; what is refused stands in `write_refused`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from remote_store import AlreadyExists, Capability, RemotePath, WriteResult
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.clauses._versions import readers_see_whole_versions
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.contents import contents, in_parts, twin
from remote_store_conformance.tools.races import crew
from remote_store_conformance.tools.sources import CallerError, CallerStop, Source, pattern

C = Capability

_SIZES: Final = (0, 1, 100, 65_535, 65_536, 65_537, 1 << 20, (5 << 20) + 3)

#: A stream of several blocks, whatever a block is, with a last chunk of three bytes.
_LONG: Final = (24 << 20) + 3


def _chunked(content: bytes, size: int) -> list[bytes]:
    """Return *content* in chunks of *size* bytes, with empty ones in between."""
    chunks = [content[i : i + size] for i in range(0, len(content), size)]
    return [part for chunk in chunks for part in (b"", chunk)] + [b""]


@clause(
    "WRITE-001",
    "What was written is the file, from bytes and from streams, whatever the sizes of the file "
    "and of the chunks.",
    intent="Empty chunks end nothing, and off-by-one errors live at the borders of blocks.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def round_trip(t: Trial) -> None:
    path = t.name()
    for given in contents(t):
        for form, source in given.forms:
            await t.backend.write(t.key(path), source, overwrite=True)
            found = await t.peek(path)
            expect(
                found == given.data,
                f"what was written from {form}, is not what is there",
                observed=found,
                expected=given.data,
            )
    for size in _SIZES:
        if size > t.target.max_object:
            break
        content = pattern(size, seed=size)
        forms: dict[str, Any] = {"bytes": content}
        for chunk in (1,) if size <= 100 else (5_000, 65_536, 300_007):
            parts = _chunked(content, chunk)
            forms[f"a stream of chunks of {chunk} bytes, some empty"] = Source(parts).open()
        for form, source in forms.items():
            await t.backend.write(t.key(path), source, overwrite=True)
            found = await t.peek(path)
            expect(
                found == content,
                f"{size} bytes, written from {form}, are not what is there",
                observed=found,
                expected=content,
            )
    if t.target.max_object >= _LONG:
        content = pattern(_LONG)
        source = Source(_chunked(content, 1 << 20)).open()
        await t.backend.write(t.key(path), source, overwrite=True)
        found = await t.peek(path)
        expect(
            found == content,
            "a stream of several blocks is not what is there",
            observed=f"{len(found or b'')} bytes",
            expected=f"{_LONG} bytes",
        )


@clause(
    "WRITE-002",
    "A write with overwrite=True replaces the whole of the old content.",
    intent="A shorter new version must not keep the tail of the old one.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def replaces(t: Trial) -> None:
    path = t.name()
    some = contents(t)
    # Each kind over a longer one, over a shorter one, and over one of equal size.
    again = [version for content in some[1:] for version in (content, twin(content))]
    for new in (*reversed(some), *again):
        for form, content in new.forms:
            await t.store.write(path, content, overwrite=True)
            found = await t.peek(path)
            expect(
                found == new.data,
                f"an overwrite from {form}, did not replace the whole content",
                observed=found,
                expected=new.data,
            )


@clause(
    "WRITE-003",
    "A write with overwrite=False on an existing file raises AlreadyExists and keeps the file.",
    intent="Programs create lock and marker files this way.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def exclusive_write_keeps_old(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"old")
    when = "when a write without overwrite meets a file"
    async with t.unchanged("by a refused write"):
        with raises(AlreadyExists, when, contains=path):
            await t.store.write(path, b"new")
        for content in contents(t):
            for form, given in content.forms:
                with raises(AlreadyExists, f"{when}, from {form}", contains=path):
                    await t.store.write(path, given)


@clause(
    "WRITE-004",
    "Of any number of concurrent writers of one key with overwrite=False exactly one succeeds, "
    "and the others get AlreadyExists.",
    intent="A check before the write is no exclusion; the commit has to decide.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    seconds=60,
)
async def one_winner(t: Trial) -> None:
    forms = ["bytes", "stream", "atomic"] if t.declares(C.ATOMIC_WRITE) else ["bytes", "stream"]
    small = [b"writer %d " % n * 100 for n in range(4)]
    large = [content.data for n in range(4) if (content := in_parts(t, n)) is not None]

    def writer(form: str, path: str, content: bytes) -> Callable[[AsyncStore], Any]:
        if form == "stream":
            half = len(content) // 2
            return lambda store: store.write(path, Source([content[:half], content[half:]]).open())
        if form == "atomic":
            return lambda store: store.write_atomic(path, content)
        return lambda store: store.write(path, content)

    def plan() -> Iterator[tuple[str, list[bytes]]]:
        for form in forms:
            for _ in rounds(t, 60):
                yield form, small
            for _ in range(2):
                if large:
                    yield form, large

    async with crew(t, len(small), apart=True) as racers:
        for number, (form, given) in enumerate(plan()):
            path = t.name(form)
            outcomes = await racers.race([writer(form, path, c) for c in given])
            winners = [n for n, outcome in enumerate(outcomes) if outcome.won]
            told = ", ".join(map(str, outcomes))
            expect(
                len(winners) == 1,
                f"{len(winners)} of {len(outcomes)} exclusive writers of one key succeeded",
                observed=told,
                expected="one ok, the others AlreadyExists",
                form=form,
                round=number,
            )
            losers = [o.error for o in outcomes if not o.won]
            expect(
                all(isinstance(error, AlreadyExists) for error in losers),
                "an exclusive writer that lost got another error",
                observed=told,
                expected="AlreadyExists",
                errors=[repr(error) for error in losers],
            )
            found = await t.peek(path)
            expect(
                found == given[winners[0]],
                "the file is not what the one successful writer wrote",
                observed=found,
                expected=given[winners[0]],
            )


@clause(
    "WRITE-007",
    "An exception of the caller's content comes out as the same object.",
    intent="The caller knows his own exceptions; a retyped one cannot be handled.",
    requires=[C.WRITE],
)
async def callers_exception(t: Trial) -> None:
    path = t.name()
    for error in (
        CallerError("from the source"),
        ValueError("of the source"),
        # What a backend would translate if it came from the storage.
        FileNotFoundError(2, "No such file", "of the source"),
        TimeoutError("in the source"),
        CallerStop("of the source"),
    ):
        for after in (0, 2):
            source = Source(error=error, fail_after=after)
            await _comes_out(t.backend.write(t.key(path), source.open()), error, after)
    large = in_parts(t)
    if large is not None:
        failed = CallerError("after more than one part")
        await _comes_out(t.backend.write(t.key(path), large.source(failed).open()), failed, 2)
    there = await t.store.exists(path)
    expect(there is False, "a write whose source failed has made a file", observed=there)


async def _comes_out(call: Any, error: BaseException, after: int) -> None:
    caught: BaseException | None = None
    try:
        await call
    except (Exception, CallerStop) as raised:  # noqa: BLE001 - compared with the source's own
        caught = raised
    expect(
        caught is error,
        f"the {type(error).__name__} that the content raised after {after} chunks "
        "did not come out as it was",
        observed=repr(caught),
        expected=repr(error),
    )


@clause(
    "WRITE-008",
    "When a write returns or raises, nobody uses its source any more, and a generator is closed.",
    intent="A generator that is left open holds the caller's files and connections.",
    requires=[C.WRITE],
)
async def source_is_closed(t: Trial) -> None:
    path = t.name()
    endless = [b"x" * 65_536] * 40
    for what, source, expected in (
        ("that succeeds", Source(), None),
        ("that meets a file", Source(endless), AlreadyExists),
        ("whose content fails", Source(error=CallerError("source"), fail_after=1), CallerError),
    ):
        content = source.open()
        overwrite = expected is CallerError
        if expected is None:
            await t.store.write(path, content)
        else:
            with raises(expected, f"by a write {what}"):
                await t.store.write(path, content, overwrite=overwrite)
        frame = getattr(content, "ag_frame", None)
        expect(frame is None, f"a write {what} leaves the generator open", observed=frame)
        pulled = source.pulled
        await asyncio.sleep(0)
        expect(source.pulled == pulled, f"after a write {what} the content is still being read")


@clause(
    "WRITE-009",
    "The result of a write carries its path and the number of bytes written.",
    intent="Size is what a caller checks a stream of unknown length by.",
    requires=[C.WRITE],
)
async def result(t: Trial) -> None:
    for form, content in (
        ("bytes", b"x" * 70_001),
        ("a stream", Source([b"x" * 70_000, b"", b"y"]).open()),
        ("nothing", b""),
        ("an empty stream", Source([]).open()),
    ):
        key = t.key(f"{t.name('folder')}/file")
        result: object = await t.backend.write(key, content)
        expect(
            isinstance(result, WriteResult),
            "a write does not return a WriteResult",
            observed=result,
        )
        size = 0 if "nothing" in form or "empty" in form else 70_001
        seen = (getattr(result, "path", None), getattr(result, "size", None))
        expect(
            seen == (RemotePath(key), size),
            f"the result of a write from {form} has the wrong path or size",
            observed=seen,
            expected=(RemotePath(key), size),
        )


@clause(
    "WRITE-011",
    "On a flat store a file and a folder may share a name, and neither hides the other.",
    intent="Keys are independent there; refusing would cost requests for each write.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    only=[Trait.FLAT],
)
async def coexist(t: Trial) -> None:
    name = t.name("both")
    below = f"{name}/below"
    await t.store.write(below, b"below")
    await t.store.write(name, b"file")
    found = (await t.peek(name), await t.peek(below))
    expect(
        found == (b"file", b"below"),
        "a file and a folder of one name do not coexist",
        observed=found,
        expected=(b"file", b"below"),
    )
    kinds = (await t.store.is_file(name), await t.store.is_folder(name))
    expect(kinds == (True, True), "one of the two is not seen", observed=kinds)
    if t.declares(C.LIST):
        children = [entry.name async for entry in t.store.iter_children("")]
        expect(children == [name, name], "a listing does not show both", observed=children)
    if t.declares(C.DELETE):
        await t.store.delete(name)
        left = await t.peek(below)
        expect(left == b"below", "deleting the file harmed the folder", observed=left)


@clause(
    "WRITE-013",
    "A write creates the folders above its file.",
    intent="Half of all storage has no folders, and so nothing to make before a write.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def makes_parents(t: Trial) -> None:
    top = t.name("top")
    path = f"{top}/middle/low/file"
    await t.store.write(path, b"deep")
    found = await t.peek(path)
    expect(found == b"deep", "a file in new folders is not there", observed=found)
    for folder in (top, f"{top}/middle", f"{top}/middle/low"):
        there = await t.store.is_folder(folder)
        expect(there is True, "a folder above a new file is not there", observed=folder)
    if t.declares(C.LIST):
        listed = [entry.name for entry in await collect(t.store.list_folders(top))]
        expect(listed == ["middle"], "a folder above a new file is not listed", observed=listed)


@clause(
    "WRITE-015",
    "A plain write, too, is old or new: its content is not visible before it is complete, and "
    "when its source fails the old file is there.",
    intent="Nobody expects a failed write to have destroyed what it was to replace.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    seconds=60,
)
async def old_or_new(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"old")
    seen: list[bytes | None] = []

    async def content() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"n" * 300_000
            seen.append(await t.peek(path))
        raise CallerError

    with raises(CallerError, "when the content of a write fails"):
        await t.store.write(path, content(), overwrite=True)
    seen.append(await t.peek(path))
    large = in_parts(t)
    if large is not None:
        with raises(CallerError, "when the content fails after more than one part"):
            await t.store.write(path, large.source(CallerError()).open(), overwrite=True)
        seen.append(await t.peek(path))
    expect(
        set(seen) == {b"old"},
        "a plain write changed the file before its content was complete",
        observed=[part and len(part) for part in seen],
        expected="the 3 bytes of the old version throughout",
    )
    if t.declares(C.READ):
        # The commit itself takes time, too.
        async def write(store: AsyncStore, path: str, content: Any) -> None:
            await store.write(path, content, overwrite=True)

        await readers_see_whole_versions(t, "a plain overwrite", write)
