"""RANGE: parts of files, and one version of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from remote_store import (
    BackendUnavailable,
    Capability,
    InvalidPath,
    NotFound,
    PreconditionFailed,
)
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Unverified, expect, raises
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.targets.proxy import Fault
from remote_store_conformance.tools.contents import in_parts
from remote_store_conformance.tools.faults import broken, needs_wire
from remote_store_conformance.tools.sources import pattern

C = Capability

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20

#: Bytes that a range may cost beside those that it yields: headers, and a block.
_BESIDE: Final = 64 * _KIB

#: An ETag that no file has.
_NONE: Final = "kit-no-version"


async def _seeded(t: Trial, size: int) -> tuple[str, bytes]:
    content = pattern(min(size, t.target.max_object), seed=size)
    return await t.seed_file(t.name(), content), content


@clause(
    "RANGE-001",
    "A range of a file has exactly its bytes, wherever it begins and ends.",
    intent="Off-by-one errors live at the borders of blocks, and HTTP counts the last byte in.",
    requires=[C.READ],
    needs=[Need.SEED],
    since="1.1",
    seconds=60,
)
async def exact(t: Trial) -> None:
    path, content = await _seeded(t, 2 * _MIB + 5)
    places = [(at, n) for at in (0, 1, 65_535, 65_536, _MIB) for n in (1, 65_536)]
    places += [(0, len(content)), (len(content) - 1, 1), (7, len(content) - 8)]
    for start, length in places:
        if start + length <= len(content):
            await _compare(t, path, content, start, length)
    await _compare(t, path, content, len(content) // 3, None)
    large = in_parts(t)
    if large is not None:
        path = await t.seed_file(t.name("parts"), large.data)
        await _compare(t, path, large.data, t.target.part_size - 5, 10)


async def _compare(t: Trial, path: str, content: bytes, start: int, length: int | None) -> None:
    observed = await t.store.read_range(path, start, length=length)
    expected = content[start : None if length is None else start + length]
    much = "all" if length is None else f"{length} bytes"
    expect(
        observed == expected,
        f"a range of {much} from byte {start} on has other bytes",
        observed=observed,
        expected=expected,
    )


@clause(
    "RANGE-002",
    "A range that begins at or behind the end of a file is empty, and one that goes on behind it "
    "has what is there.",
    intent="Services answer a range behind the end with an error, which is no failure.",
    requires=[C.READ],
    needs=[Need.SEED],
    since="1.1",
)
async def behind_the_end(t: Trial) -> None:
    path, content = await _seeded(t, 1_000)
    size = len(content)
    for start, length in ((size, 1), (size, None), (10 * size, 5), (size - 3, 100), (0, 10 * size)):
        await _compare(t, path, content, start, length)
    empty = await t.seed_file(t.name("empty"), b"")
    for start in (0, 5):
        for more in (None, 1):
            await _compare(t, empty, b"", start, more)
    if t.declares(C.METADATA):
        for suffix in (1, size, 10 * size):
            observed = await t.store.read_range(path, -suffix)
            expect(
                observed == content[-suffix:],
                f"the last {suffix} bytes of a file are others",
                observed=observed,
                expected=content[-suffix:],
            )


@clause(
    "RANGE-003",
    "A range of a missing file raises NotFound and of a folder InvalidPath, at the first pull and "
    "whatever the range and the version.",
    intent="Behind the end and missing are two answers, and services give both for a range.",
    requires=[C.READ],
    needs=[Need.SEED],
    since="1.1",
)
async def refused(t: Trial) -> None:
    folder, missing = t.name("folder"), t.name("missing")
    await t.seed_file(f"{folder}/file")
    versions: list[dict[str, Any]] = [{}]
    if t.declares(C.METADATA):
        versions.append({"if_match": _NONE})
    for start in (0, 1_000_000):
        for version in versions:
            with raises(NotFound, "when a range of a missing file is read", contains=missing):
                await t.store.read_range(missing, start, length=5, **version)
            with raises(InvalidPath, "when a range of a folder is read"):
                await t.store.read_range(folder, start, length=5, **version)
    read_range = getattr(t.backend, "read_range", None)
    if read_range is None:
        return
    try:
        stream = read_range(t.key(missing), 5)
    except NotFound as error:
        expect(False, "NotFound was raised at the call, not at the first pull", observed=error)
    with raises(NotFound, "when a range of a missing file is pulled", contains=missing):
        await collect(stream)


@clause(
    "RANGE-004",
    "With if_match a read or range has the bytes of that version, or raises PreconditionFailed "
    "before its first byte.",
    intent="Whoever read a directory of offsets must not apply it to another file.",
    requires=[C.READ, C.WRITE, C.METADATA],
    since="1.1",
)
async def of_one_version(t: Trial) -> None:
    path, old, new = t.name(), pattern(1_000, seed=1), pattern(1_000, seed=2)
    await t.store.write(path, old)
    first = (await t.store.get_file_info(path)).etag
    if not first:
        msg = "the backend tells no versions"
        raise Inapplicable(msg)
    await t.store.write(path, new, overwrite=True)
    second = (await t.store.get_file_info(path)).etag
    calls: dict[str, Callable[[str | None], Awaitable[bytes]]] = {
        "a range": lambda etag: t.store.read_range(path, 5, length=10, if_match=etag),
        "a range to the end": lambda etag: t.store.read_range(path, 5, if_match=etag),
        "a range behind the end": lambda etag: t.store.read_range(path, 5_000, if_match=etag),
        "a read": lambda etag: _joined(t, path, etag),
    }
    expected = {"a range": new[5:15], "a range to the end": new[5:], "a range behind the end": b""}
    for name, call in calls.items():
        observed = await call(second)
        expect(
            observed == expected.get(name, new),
            f"{name} of the version that is there has other bytes",
            observed=observed,
            expected=expected.get(name, new),
        )
        for etag in (first, _NONE):
            with raises(PreconditionFailed, f"when {name} of an earlier version is asked for"):
                await call(etag)


async def _joined(t: Trial, path: str, etag: str | None) -> bytes:
    return b"".join(await collect(t.store.read(path, if_match=etag)))


@clause(
    "RANGE-005",
    "An open file, and the ranges of one call, are of one version: what is read after a "
    "replacement is the old version's or PreconditionFailed.",
    intent="A footer of one version and data of another give numbers that look right.",
    level=Level.STOCHASTIC,
    requires=[C.READ, C.WRITE, C.METADATA],
    since="1.1",
    seconds=60,
)
async def no_mixture(t: Trial) -> None:
    path, size = t.name(), 300_000
    # Of two sizes: without ETags, size and time tell versions apart.
    await t.store.write(path, b"a" * size)
    async with t.store.open(path) as file:
        await file.read(5)
        await t.store.write(path, b"b" * (size + 1), overwrite=True)
        await file.seek(250_000)
        observed = b"a"
        with contextlib.suppress(PreconditionFailed, NotFound):
            observed = await file.read(5)
        expect(
            set(observed) == set(b"a"),
            "a file that was opened before it was replaced gives bytes of the new version",
            observed=observed,
            expected="b'aaaaa', or PreconditionFailed",
        )
    stop = asyncio.Event()
    writer = asyncio.create_task(_alternate(t, path, size, stop))
    try:
        for _ in range(20):
            ranges = [(0, 5), (150_000, 150_005), (290_000, 290_005)]
            try:
                found = await t.store.read_ranges(path, ranges)
            except (PreconditionFailed, NotFound):
                continue
            expect(
                len(set(b"".join(found))) == 1,
                "ranges of one call are of two versions",
                observed=found,
                expected="all of one version, or PreconditionFailed",
            )
            await asyncio.sleep(0)
    finally:
        stop.set()
        await writer


async def _alternate(t: Trial, path: str, size: int, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        letter = b"ab"[number % 2 : number % 2 + 1]
        await t.store.write(path, letter * (size + number % 2), overwrite=True)
        await asyncio.sleep(0)


@clause(
    "RANGE-006",
    "A range costs what it yields: a block and headers besides, whatever the size of the file.",
    intent="One column of a large table must not cost the table.",
    requires=[C.READ, C.RANGE_READ],
    needs=[Need.SEED],
    since="1.1",
    seconds=60,
)
async def costs(t: Trial) -> None:
    read = _counter(t)
    path, content = await _seeded(t, 16 * _MIB)
    if len(content) < 8 * _BESIDE:
        msg = f"max_object is {t.target.max_object} bytes, too little to see a difference"
        raise Unverified(msg)
    most = 0
    for start in (0, len(content) // 2, len(content) - 4 * _BESIDE):
        before = read()
        found = await t.store.read_range(path, start, length=_BESIDE)
        # A backend that goes on fetching behind the reader's back would get its time.
        await asyncio.sleep(t.settle)
        fetched = read() - before
        most = max(most, fetched)
        expect(
            fetched <= 2 * len(found) + _KIB * 8,
            "a range fetched more of the file than it yields",
            observed=f"{fetched} bytes for {len(found)} from byte {start} on, of {len(content)}",
            expected=f"at most {2 * len(found)} bytes, and headers",
        )
    t.note(file=len(content), range=_BESIDE, fetched=most)


def _counter(t: Trial) -> Callable[[], int]:
    """Return what counts the bytes that the backend has fetched."""
    meter = t.meter
    if meter is not None:
        return lambda: meter.read().received
    if t.target.environment == "in-process":
        msg = "the storage is the memory of this process: nothing is fetched"
        raise Inapplicable(msg)
    counts = Path("/proc/self/io")
    if not t.is_a(Trait.LOCAL) or not counts.exists():
        msg = "the target offers no meter"
        raise Unverified(msg)
    # What system calls of this process have read, from files and anything else.
    return lambda: int(counts.read_text().split("rchar: ")[1].split()[0])


@clause(
    "RANGE-007",
    "A range whose connection breaks goes on where it was or raises; it is never short.",
    intent="Short data that look complete are the worst that a storage can return.",
    requires=[C.READ],
    needs=[Need.SEED],
    since="1.1",
    seconds=60,
)
async def never_short(t: Trial) -> None:
    needs_wire(t)
    path, content = await _seeded(t, 2 * _MIB)
    start, length = len(content) // 4, len(content) // 2
    expected = content[start : start + length]
    for fault in (
        Fault("reset", "down", after=length // 3),
        Fault("truncate", "down", after=length // 3),
        Fault("truncate", "down", after=length // 3, times=10**6),
    ):
        observed = expected
        async with broken(t, fault):
            with contextlib.suppress(BackendUnavailable):
                observed = await t.store.read_range(path, start, length=length)
        expect(
            observed == expected,
            f"a range whose connection broke ({fault.kind}, {fault.times} times) is short or wrong",
            observed=observed,
            expected=f"all {length} bytes, or BackendUnavailable",
        )
