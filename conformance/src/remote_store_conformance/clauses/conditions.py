"""COND: changes of one version alone."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

from attrs import frozen

from remote_store import (
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PreconditionFailed,
)
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._declined import declined
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Violation, expect, raises
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.contents import in_parts
from remote_store_conformance.tools.races import crew
from remote_store_conformance.tools.sources import Source

C = Capability

#: What a clause needs that asks a file for its version.
_VERSIONS: Final = (C.CONDITIONAL_WRITE, C.METADATA)

#: Racers that count, and how often each does.
_RACERS: Final = 3
_TIMES: Final = 4

#: An ETag that belongs to no file.
_NONE: Final = "kit-no-version"


@frozen
class _Change:
    """
    A change of one version of a file.

    Args:
        name: The call, for messages.
        needs: What it needs beside a condition.
        call: Makes it: on a store, of a path, on a version, with a free path.
        content: What is at the path afterwards; None for nothing, ``...`` for what was.
        target: Whether the free path has what was at the path afterwards.
    """

    name: str
    needs: tuple[Capability, ...]
    call: Callable[[AsyncStore, str, str, str], Awaitable[Any]]
    content: Any = ...
    target: bool = False

    @property
    def writes(self) -> bool:
        """Whether it is one that makes a version in the place of another."""
        return C.WRITE in self.needs


def _changes(t: Trial, *, large: bool = False) -> Iterator[_Change]:
    """Yield each change that can be asked for a version; *large* adds one of several parts."""
    return (change for change in _all_changes(t, large) if t.declares(*change.needs))


def _all_changes(t: Trial, large: bool) -> Iterator[_Change]:
    new = b"new content"

    def stream() -> Any:
        return Source((new[:3], new[3:])).open()

    writes = C.WRITE, C.ATOMIC_WRITE
    yield _Change("write of bytes", writes[:1], lambda s, p, e, _: s.write(p, new, if_match=e), new)
    yield _Change(
        "write of a stream", writes[:1], lambda s, p, e, _: s.write(p, stream(), if_match=e), new
    )
    yield _Change(
        "write_atomic", writes, lambda s, p, e, _: s.write_atomic(p, stream(), if_match=e), new
    )
    parts = in_parts(t) if large else None
    if parts is not None:
        yield _Change(
            "write of several parts",
            writes[:1],
            lambda s, p, e, _: s.write(p, parts.source().open(), if_match=e),
            parts.data,
        )
    yield _Change("copy", (C.COPY,), lambda s, p, e, q: s.copy(p, q, if_match=e), target=True)
    yield _Change("move", (C.MOVE,), lambda s, p, e, q: s.move(p, q, if_match=e), None, target=True)
    yield _Change("delete", (C.DELETE,), lambda s, p, e, _: s.delete(p, if_match=e), None)


async def _etag(t: Trial, path: str) -> str:
    etag = (await t.store.get_file_info(path)).etag
    if not etag:
        msg = "a backend that changes versions does not say which version a file has"
        raise Violation(msg, observed=f"etag={etag!r}", expected="an ETag")
    return etag


@clause(
    "COND-001",
    "Of changes of one version that several clients ask for at the same moment one succeeds, and "
    "the others get PreconditionFailed: a counter that they read, increment and write counts all.",
    intent="A manifest that many writers append to must not forget what one of them has written.",
    level=Level.STOCHASTIC,
    requires=[*_VERSIONS, C.WRITE, C.READ],
    since="1.1",
    seconds=60,
)
async def counted(t: Trial) -> None:
    methods = ["write"] + ["write_atomic"] * t.declares(C.ATOMIC_WRITE)
    async with crew(t, _RACERS, apart=True) as racers:
        for number in rounds(t, 4):
            path = await t.seed_file(t.name("counter"), b"0")
            count = partial(
                _count, path=path, method=methods[number % len(methods)], end=t.patience
            )
            outcomes = await racers.race([count] * _RACERS)
            for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
            observed = await t.store.read_bytes(path)
            expect(
                observed == b"%d" % (_RACERS * _TIMES),
                "increments of a counter were lost although each was of the version that was read",
                observed=observed,
                expected=_RACERS * _TIMES,
            )


async def _count(store: AsyncStore, *, path: str, method: str, end: float) -> None:
    late = time.monotonic() + max(20.0, 5 * end)
    for _ in range(_TIMES):
        while True:
            # In this order: what is read is of this version or of a later one.
            etag = (await store.get_file_info(path)).etag
            number = int(await store.read_bytes(path))
            try:
                await getattr(store, method)(path, b"%d" % (number + 1), if_match=etag)
            except PreconditionFailed:
                if time.monotonic() > late:
                    msg = "changes of the current version are refused again and again"
                    raise Violation(msg) from None
                continue
            break


@clause(
    "COND-002",
    "A change of another version than the one that is there raises PreconditionFailed and changes "
    "nothing; one of the version that is there does what it does without a condition.",
    intent="What somebody else has changed since is not to be overwritten or deleted unseen.",
    requires=_VERSIONS,
    needs=[Need.SEED, Need.PEEK],
    since="1.1",
)
async def one_version(t: Trial) -> None:
    for change in _changes(t, large=True):
        path, free = await t.seed_file(f"{t.name('folder')}/file", b"one"), t.name("free")
        stale = await _etag(t, path)
        # Of the same size, and at the same moment for a clock that ticks slowly.
        await t.seed_file(path, b"two")
        for what, etag in (("an earlier version", stale), ("no version at all", _NONE)):
            async with t.unchanged(f"by a {change.name} of {what}"):
                with raises(PreconditionFailed, f"by a {change.name} of {what}", contains=path):
                    await change.call(t.store, path, etag, free)
        await change.call(t.store, path, await _etag(t, path), free)
        wanted = b"two" if change.content is ... else change.content
        found = {"path": await t.peek(path), "target": await t.peek(free)}
        expected = {"path": wanted, "target": b"two" if change.target else None}
        expect(
            found == expected,
            f"a {change.name} of the version that is there has not done what it should",
            observed=found,
            expected=expected,
        )


@clause(
    "COND-003",
    "Where nothing is, a write of one version raises PreconditionFailed and makes nothing, also "
    "with overwrite=True; a delete, copy or move raises NotFound.",
    intent="A file that was deleted must not come back by the write of one who had read it.",
    requires=_VERSIONS,
    needs=[Need.PEEK],
    since="1.1",
)
async def nothing_there(t: Trial) -> None:
    for change in _changes(t):
        path, free = f"{t.name('folder')}/file", t.name("free")
        error = PreconditionFailed if change.writes else NotFound
        async with t.unchanged(f"by a {change.name} of a version of a missing file"):
            with raises(error, f"by a {change.name} of a version of a missing file"):
                await change.call(t.store, path, _NONE, free)
    if t.declares(C.DELETE):
        await t.store.delete(t.name("missing"), if_match=_NONE, missing_ok=True)
    if t.declares(C.WRITE):
        with raises(PreconditionFailed, "by a write with overwrite=True of a missing version"):
            await t.store.write(t.name("missing"), b"x", overwrite=True, if_match=_NONE)


@clause(
    "COND-004",
    "A folder is no version of a file: a change of one raises InvalidPath.",
    intent="A mistake in a path is not to be taken for somebody else's change.",
    requires=_VERSIONS,
    needs=[Need.SEED],
    only=[Trait.EXCLUSIVE],
    since="1.1",
)
async def folders(t: Trial) -> None:
    for change in _changes(t):
        folder = t.name("folder")
        await t.seed_file(f"{folder}/inner")
        async with t.unchanged(f"by a {change.name} of a version of a folder"):
            with raises(InvalidPath, f"by a {change.name} of a version of a folder"):
                await change.call(t.store, folder, _NONE, t.name("free"))


@clause(
    "COND-005",
    "The version that a write returns, and the one that get_file_info returns, can be asked for; "
    "with another content of the same size a file is another version.",
    intent="A chain of changes needs no look in between, and a version may not change unseen.",
    requires=[*_VERSIONS, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
)
async def chained(t: Trial) -> None:
    path = t.name()
    seen: dict[str, bytes] = {}
    result = await t.store.write(path, b"000")
    for number in range(1, 20):
        etag = await _etag(t, path)
        if result.etag is not None:
            expect(
                result.etag == etag,
                "the ETag that a write returned is not that of get_file_info",
                observed=result.etag,
                expected=etag,
            )
        expect(
            etag not in seen,
            "two versions of a file with different content have one ETag",
            observed=etag,
            contents=[seen.get(etag), b"%03d" % (number - 1)],
        )
        seen[etag] = b"%03d" % (number - 1)
        # *overwrite* is not looked at where a version is named.
        again = bool(number % 2)
        result = await t.store.write(path, b"%03d" % number, overwrite=again, if_match=etag)
    found = await t.peek(path)
    expect(found == b"019", "the last of a chain of writes is not there", observed=found)


@clause(
    "COND-006",
    "A change without a condition at the same moment is not undone: where both succeed, the "
    "conditional one came first.",
    intent="Not every client of a storage knows of conditions.",
    level=Level.STOCHASTIC,
    requires=[*_VERSIONS, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
    seconds=60,
)
async def beside_plain_changes(t: Trial) -> None:
    plain: dict[str, tuple[Capability, Callable[..., Any], bytes | None]] = {
        "write": (C.WRITE, partial(_write_over, content=b"theirs"), b"theirs"),
        "delete": (C.DELETE, _delete, None),
    }
    async with crew(t, 2, apart=True) as racers:
        for number in rounds(t, 20):
            name = list(plain)[number % len(plain)]
            gate, act, after = plain[name]
            if not t.declares(gate):
                continue
            path = await t.seed_file(t.name("file"), b"old")
            etag = await _etag(t, path)
            mine = partial(_write_version, path=path, etag=etag)
            outcomes = await racers.race([mine, partial(act, path=path)])
            if outcomes[1].error is not None:
                raise outcomes[1].error
            if outcomes[0].error is not None and not isinstance(
                outcomes[0].error, PreconditionFailed
            ):
                raise outcomes[0].error
            found = await t.peek(path)
            expect(
                found == after,
                f"a {name} without a condition was undone by a write of the version before it",
                observed=found,
                expected=after,
                conditional=str(outcomes[0]),
            )


async def _write_version(store: AsyncStore, *, path: str, etag: str) -> None:
    await store.write(path, b"mine", if_match=etag)


async def _write_over(store: AsyncStore, *, path: str, content: bytes) -> None:
    await store.write(path, content, overwrite=True)


async def _delete(store: AsyncStore, *, path: str) -> None:
    await store.delete(path)


@clause(
    "COND-007",
    "delete_many deletes each file in the version that is asked for, and no other; or it raises "
    "CapabilityNotSupported with capability 'delete_many', and nothing changes.",
    intent="A sync that removes a thousand files must not remove what was written since it looked.",
    requires=[*_VERSIONS, C.DELETE, C.WRITE],
    since="1.1",
)
async def many_versions(t: Trial) -> None:
    folder = t.name("folder")
    names = [f"{folder}/file{number}" for number in range(20)]
    etags = {name: await _etag(t, await t.seed_file(name)) for name in names}
    changed, missing = names[3::5], names[4::5]
    for name in changed:
        await t.store.write(name, b"a later version", overwrite=True)
    for name in missing:
        await t.store.delete(name)
    before = await t.names()
    try:
        found = await t.store.delete_many(names, if_match=etags)
    except CapabilityNotSupported as refusal:
        declined("delete_many", refusal, {*before} ^ {*await t.names()})
        return
    left = await t.names()
    expect(
        left == sorted(changed),
        "delete_many removed later versions than it was asked for, or left what it was asked for",
        observed=left,
        expected=sorted(changed),
    )
    for name, error in zip(names, found, strict=True):
        kind = (
            PreconditionFailed if name in changed else NotFound if name in missing else type(None)
        )
        expect(
            isinstance(error, kind),
            "delete_many tells of a version what delete does not",
            observed=f"{name!r}: {error!r}",
            expected=kind.__name__,
        )
