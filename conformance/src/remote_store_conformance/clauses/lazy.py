"""LAZY: what was not asked for is not fetched, and not kept."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tracemalloc
from collections.abc import Iterator
from typing import Final

from remote_store import Capability, FileInfo
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Unverified, Violation, expect
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.targets.target import Meter
from remote_store_conformance.tools.crowds import Crowd, entries_needed, fill
from remote_store_conformance.tools.sources import Source, pattern

C = Capability

_MIB: Final = 1 << 20

#: Bytes of a chunk of a streamed write.
_CHUNK: Final = 1 << 18

#: Files of a folder that a local backend is asked to list, and how many entries
#: may be in memory meanwhile: a few pages of some hundred.
_LOCAL_FILES: Final = 1_600
_LOCAL_KEPT: Final = 1_100


class _Peak:
    """The most memory that Python objects took since the block began, in bytes."""

    def __init__(self) -> None:
        self._start = tracemalloc.get_traced_memory()[0]

    def read(self) -> int:
        return tracemalloc.get_traced_memory()[1] - self._start


@contextlib.contextmanager
def _traced() -> Iterator[_Peak]:
    running = tracemalloc.is_tracing()
    if running:
        tracemalloc.reset_peak()
    else:
        tracemalloc.start()
    try:
        yield _Peak()
    finally:
        if not running:
            tracemalloc.stop()


def _size(t: Trial) -> int:
    """Return the size of a file that is large beside what may be read ahead."""
    size = min(max(4 * t.target.read_ahead, 32 * _MIB), t.target.max_object)
    if size < 2 * t.target.read_ahead:
        msg = f"max_object is less than twice the read_ahead of {t.target.read_ahead} bytes"
        raise Unverified(msg)
    return size


@clause(
    "LAZY-001",
    "A read that is left after its first chunk has fetched no more than the target's read_ahead "
    "beyond it.",
    intent="Looking at the header of a large file must not cost its download.",
    requires=[C.READ, C.LAZY_READ],
    needs=[Need.SEED],
    seconds=60,
)
async def bytes_on_the_wire(t: Trial) -> None:
    if t.meter is None:
        msg = "the target offers no meter"
        raise (Inapplicable if t.is_a(Trait.LOCAL) else Unverified)(msg)
    size = _size(t)
    path = await t.seed_file(t.name(), pattern(size))
    before = t.meter.read()
    stream = t.store.read(path)
    chunk = await anext(stream)
    # A backend that goes on fetching behind the reader's back would get its time.
    await asyncio.sleep(t.settle)
    await stream.aclose()
    fetched = (t.meter.read() - before).received
    t.note(file=size, chunk=len(chunk), fetched=fetched)
    expect(
        fetched <= len(chunk) + t.target.read_ahead,
        "a read that was left after its first chunk fetched too much of the file",
        observed=f"{fetched} bytes for a chunk of {len(chunk)}, of a file of {size}",
        expected=f"at most {t.target.read_ahead} bytes beyond the chunk",
    )


@clause(
    "LAZY-002",
    "Reading a file chunk by chunk takes no memory for the whole of it.",
    intent="Files may be larger than the memory of their reader.",
    requires=[C.READ, C.LAZY_READ],
    needs=[Need.SEED],
    seconds=60,
)
async def memory_of_a_read(t: Trial) -> None:
    size = _size(t)
    limit = max(t.target.read_ahead, size // 2)
    path = await t.seed_file(t.name(), pattern(size))
    count = 0
    with _traced() as peak:
        async for chunk in t.store.read(path):
            count += len(chunk)
        most = peak.read()
    t.note(file=size, peak=most)
    expect(count == size, "the read was short", observed=count, expected=size)
    expect(
        most <= limit,
        "reading a file chunk by chunk took memory for the whole of it",
        observed=f"{most} bytes at the peak for a file of {size}",
        expected=f"at most {limit} bytes",
    )


@clause(
    "LAZY-003",
    "A listing fetches a page when it is needed, and keeps no more than a page of its entries in "
    "memory.",
    intent="Folders hold millions of files.",
    level=Level.SHOULD,
    requires=[C.LIST],
    needs=[Need.SEED],
    seconds=120,
)
async def pages_of_a_listing(t: Trial) -> None:
    if t.is_a(Trait.LOCAL):
        await _keeps_a_page(t)
    elif t.meter is not None and t.meter.read().requests is not None:
        await _asks_for_pages(t, t.meter)
    else:
        msg = "the target offers no meter that counts requests"
        raise Unverified(msg)


async def _folder(t: Trial, count: int) -> str:
    crowd = Crowd(t.name("folder"), tuple(str(n) for n in range(count)))
    await fill(t, crowd)
    return crowd.path


async def _keeps_a_page(t: Trial) -> None:
    folder = await _folder(t, _LOCAL_FILES)
    others = _entries()
    fewest = 0

    async def few() -> bool:
        nonlocal fewest
        fewest = min(fewest, _entries() - others)
        return fewest <= _LOCAL_KEPT

    kept, count = [], 0
    async with contextlib.aclosing(t.store.list_files(folder)) as files:
        async for _ in files:
            count += 1
            if count not in (1, _LOCAL_FILES * 3 // 4):
                continue
            # While nobody asks for more: what a thread has not let go of yet
            # because it gets no time is not kept, what stays is.
            fewest = _LOCAL_FILES
            with contextlib.suppress(Violation):
                await t.eventually(few, "few entries")
            kept.append(fewest)
    t.note(entries=count, kept=kept)
    expect(
        max(kept, default=0) <= _LOCAL_KEPT,
        "a listing keeps all of its entries in memory",
        observed=f"{max(kept, default=0)} of {count} entries",
        expected=f"at most some pages of them, {_LOCAL_KEPT}",
    )


def _entries() -> int:
    """Return how many file entries are in memory, no matter who holds them."""
    # By type: what isinstance asks of a proxy may have effects.
    return sum(issubclass(type(found), FileInfo) for found in gc.get_objects())


async def _asks_for_pages(t: Trial, meter: Meter) -> None:
    count = await entries_needed(t)
    folder = await _folder(t, count)

    def asked() -> int:
        return (meter.read() - before).requests or 0

    before = meter.read()
    files = t.store.list_files(folder)
    await anext(files)
    first = asked()
    listed = 1 + len([file async for file in files])
    t.note(listed=listed, requests_of_the_first=first, requests=asked())
    if asked() == 1:
        msg = f"the meter saw one request for all {count} entries (max_list)"
        raise Unverified(msg)
    expect(
        first < asked(),
        "a listing fetched all of its pages before it handed out its first entry",
        observed=f"{first} of {asked()} requests",
        expected="one page at a time",
    )


@clause(
    "LAZY-004",
    "Writing a stream takes no memory for the whole of it, where the storage is not memory.",
    intent="A program that streams has a reason not to hold the whole at once.",
    level=Level.SHOULD,
    requires=[C.WRITE],
    seconds=60,
)
async def memory_of_a_write(t: Trial) -> None:
    size = min(48 * _MIB, t.target.max_object)
    if t.target.environment == "in-process":
        msg = "the storage is the memory of this process"
        raise Inapplicable(msg)
    if size < 16 * _MIB:
        msg = f"max_object is {t.target.max_object} bytes, too little to see a difference"
        raise Unverified(msg)
    measure = _taken_ahead if t.meter is not None else _kept
    most = await measure(t, size)
    t.note(file=size, most=most)
    expect(
        most <= size // 2,
        "writing a stream took memory for the whole of it",
        observed=f"{most} bytes at the peak for a stream of {size}",
        expected=f"at most {size // 2} bytes",
    )


async def _kept(t: Trial, size: int) -> int:
    """Return the memory that a streamed write took, in bytes."""
    # A new object each time: references to one would cost nothing.
    source = Source(bytes([n % 251]) * _CHUNK for n in range(size // _CHUNK))
    with _traced() as peak:
        await t.store.write(t.name(), source.open())
        return peak.read()


async def _taken_ahead(t: Trial, size: int) -> int:
    """Return how far a streamed write pulled ahead of what it sent, in bytes."""
    meter = t.meter
    if meter is None:
        msg = "the target offers no meter"
        raise Unverified(msg)
    before = meter.read()
    ahead = []

    def look(number: int) -> None:
        ahead.append(number * _CHUNK - (meter.read() - before).sent)

    chunk = pattern(_CHUNK)
    source = Source((chunk for _ in range(size // _CHUNK)), on_pull=look)
    await t.store.write(t.name(), source.open())
    return max(ahead)
