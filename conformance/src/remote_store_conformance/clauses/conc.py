"""CONC: many at once, on one backend object."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial

from remote_store import Capability, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.processes import race_processes
from remote_store_conformance.tools.races import Outcome, crew, tasks
from remote_store_conformance.tools.sources import Source, pattern

C = Capability


@clause(
    "CONC-001",
    "Writes of different files at the same moment all succeed, each with its own content.",
    intent="A shared buffer or index shows only when two writes meet.",
    level=Level.STOCHASTIC,
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def distinct_writes(t: Trial) -> None:
    size = 4
    async with crew(t, size) as racers:
        for _ in rounds(t, 20):
            # In one new folder: making it is where they meet first.
            folder = t.name("folder")
            names = [f"{folder}/{k}" for k in range(size)]
            contents = [pattern(10_000 + k, seed=k) for k in range(size)]
            outcomes = await racers.race(
                [
                    partial(_write, path=name, content=content, streamed=bool(k % 2))
                    for k, (name, content) in enumerate(zip(names, contents, strict=True))
                ]
            )
            expect(
                all(o.won for o in outcomes),
                "a write failed because others were made at the same moment",
                observed=[f"{o}: {o.error}" for o in outcomes if not o.won],
                expected="every write succeeds",
            )
            for name, content in zip(names, contents, strict=True):
                observed = await t.peek(name)
                expect(
                    observed == content,
                    "a file that was written at the same moment as others has not its content",
                    observed=observed,
                    expected=content,
                )


async def _write(store: AsyncStore, *, path: str, content: bytes, streamed: bool) -> None:
    half = len(content) // 2
    source = Source((content[:half], content[half:])).open() if streamed else content
    await store.write(path, source, overwrite=True)


@clause(
    "CONC-002",
    "Any number of tasks may use one backend object; each gets the answers to its own calls.",
    intent="Answers of a shared connection must not be mixed up.",
    requires=[C.WRITE, C.READ],
)
async def many_tasks(t: Trial) -> None:
    store = t.store

    async def work(n: int) -> str:
        for step in range(3):
            path, content = t.name(f"task{n}"), pattern(2_000 + n, seed=10 * n + step)
            result = await store.write(path, content)
            if result.size != len(content) or result.path.as_posix() != path:
                return f"the result of its write was {result}"
            if await store.read_bytes(path) != content:
                return "read_bytes gave it another content"
            if b"".join(await collect(store.read(path))) != content:
                return "read gave it another content"
            if not await store.is_file(path) or await store.exists(f"{path}.no"):
                return "it got a wrong answer about what exists"
        return ""

    outcomes = await tasks([partial(work, n) for n in range(16)])
    for n, outcome in enumerate(outcomes):
        if outcome.error is not None:
            raise outcome.error
        expect(
            not outcome.value,
            "a task got the answer to a call of another one",
            observed=f"task {n} of {len(outcomes)}: {outcome.value}",
            expected="each task sees its own files",
        )


@clause(
    "CONC-003",
    "After overwrites of one file at the same moment the file is one of them, whole.",
    intent="The last one wins, but somebody must.",
    level=Level.STOCHASTIC,
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def one_whole_version(t: Trial) -> None:
    size = 4
    versions = [pattern(60_000 + 7_000 * k, seed=k) for k in range(size)]
    path = await t.seed_file(t.name(), b"old")
    async with crew(t, size) as racers:
        for _ in rounds(t, 20):
            outcomes = await racers.race(
                [
                    partial(_write, path=path, content=content, streamed=bool(k % 2))
                    for k, content in enumerate(versions)
                ]
            )
            won = [c for c, o in zip(versions, outcomes, strict=True) if o.won]
            expect(
                won and all(o.won or isinstance(o.error, RemoteStoreError) for o in outcomes),
                "of overwrites at the same moment none succeeded, or one ended in an error of a "
                "library",
                observed=[f"{o}: {o.error}" for o in outcomes],
                expected="success, or PreconditionFailed for a stream",
            )
            observed = await t.peek(path)
            expect(
                observed in versions,
                "after overwrites at the same moment the file is none of them",
                observed=observed,
                expected="one of the contents, whole",
            )


async def _use(store: AsyncStore, path: str) -> None:
    """Make one call of each kind that is declared, and check what can be checked."""
    await store.exists(path)
    if store.supports(C.WRITE):
        await store.write(path, b"content", overwrite=True)
        if store.supports(C.READ):
            content = await store.read_bytes(path)
            expect(
                content == b"content",
                "a file that was written on another event loop has not its content",
                observed=content,
                expected=b"content",
            )
    if store.supports(C.LIST):
        await collect(store.list_files(""))


async def _on_another_loop(t: Trial, path: str) -> list[Exception]:
    """Use the backend on a new loop in a thread of its own, and return what that raised."""
    errors: list[Exception] = []

    def run() -> None:
        try:
            # A limit of its own, so that the thread ends in any case.
            asyncio.run(asyncio.wait_for(_use(t.store, path), t.patience))
        except Exception as error:  # noqa: BLE001 - judged by the caller
            errors.append(error)

    thread = threading.Thread(target=run, name="kit-other-loop", daemon=True)
    thread.start()
    while thread.is_alive():  # noqa: ASYNC110 - a thread sets no event of a loop
        await asyncio.sleep(0.001)
    return errors


@clause(
    "CONC-004",
    "A backend object works on a second event loop, or refuses at once; afterwards it works on its "
    "first one as before.",
    intent="Every asyncio.run makes a new loop, and objects outlive it in tests and notebooks.",
)
async def second_loop(t: Trial) -> None:
    await _use(t.store, t.name())
    for path in (t.name(), t.name()):
        for error in await _on_another_loop(t, path):
            said = f"{type(error).__name__}: {error}"
            expect(
                not isinstance(error, TimeoutError),
                "a call on a second event loop did not end",
                observed=f"no end within {t.patience:.1f} s",
                expected="it works, or is refused at once",
            )
            expect(
                not t.target.loops,
                "a backend object that is said to serve several event loops failed on a second one",
                observed=said,
                expected="it works (or the target says loops=False, the command --one-loop)",
            )
            expect(
                isinstance(error, (RuntimeError, RemoteStoreError)),
                "a backend object refuses a second event loop with the wrong exception",
                observed=said,
                expected="RuntimeError",
            )
    await t.within(_use(t.store, t.name()), "a call on the first event loop after one on a second")


@clause(
    "CONC-005",
    "A listing during which files are deleted does not fail, and yields every file that stays "
    "once.",
    intent="Folders that are listed are folders that are worked on.",
    level=Level.STOCHASTIC,
    requires=[C.LIST, C.DELETE],
    needs=[Need.SEED],
)
async def listing_during_deletes(t: Trial) -> None:
    folder = t.name("folder")

    async def remove(store: AsyncStore) -> list[str]:
        for n in range(20):
            await store.delete(f"{folder}/go-{n}")
        return []

    async def look(store: AsyncStore) -> list[str]:
        files = await collect(store.list_files(folder))
        return [file.path.as_posix() for file in files]

    async def look_and_remove(store: AsyncStore) -> list[str]:
        """Delete in the middle of the listing, which no race is needed for."""
        found: list[str] = []
        async with contextlib.aclosing(store.list_files(folder)) as files:
            async for file in files:
                found.append(file.path.as_posix())
                if len(found) == 10:
                    await remove(store)
        return found

    await _fill(t, folder)
    _judge_listing(folder, await tasks([partial(look_and_remove, t.store)]))
    async with crew(t, 2) as racers:
        for _ in rounds(t, 5):
            await _fill(t, folder)
            _judge_listing(folder, await racers.race([look, remove]))


async def _fill(t: Trial, folder: str) -> None:
    for n in range(20):
        await t.seed_file(f"{folder}/go-{n}")
        await t.seed_file(f"{folder}/stay-{n}")


def _judge_listing(folder: str, outcomes: list[Outcome[list[str]]]) -> None:
    """Look at what came of a listing, the first of *outcomes*, and of deletes."""
    for outcome in outcomes:
        expect(
            outcome.won,
            "a listing, or a delete, failed because the other ran at the same moment",
            observed=f"{outcome}: {outcome.error}",
            expected="both succeed",
        )
    found = outcomes[0].value or []
    stay = sorted(f"{folder}/stay-{n}" for n in range(20))
    expect(
        sorted(path for path in found if path in stay) == stay,
        "a listing during deletes left out a file that stays, or yielded it twice",
        observed=sorted(path for path in found if path in stay),
        expected=stay,
    )
    expect(
        len(set(found)) == len(found),
        "a listing during deletes yielded a file twice",
        observed=sorted(found),
        expected="each file once",
    )


@clause(
    "CONC-006",
    "A write whose content does not come holds up no other call, not even on the same file.",
    intent="Content may come from a slow client, or from the same store.",
    requires=[C.WRITE],
)
async def slow_content_holds_up_nobody(t: Trial) -> None:
    store, path = t.store, t.name()
    source = Source(stall_after=1)
    writing = asyncio.ensure_future(store.write(path, source.open(), overwrite=True))
    try:
        # A backend may first look at the path, and then begin to pull.
        await t.within(source.stalled.wait(), "the beginning of a streamed write")
        while_waiting = "while another write waits for its content"
        await t.within(store.exists(path), f"exists {while_waiting}")
        await t.within(store.write(t.name(), b"x"), f"a write of another file {while_waiting}")
        await t.within(
            store.write(path, b"first", overwrite=True), f"a write of the same file {while_waiting}"
        )
        if t.declares(C.READ):
            await t.within(store.read_bytes(path), f"a read of the same file {while_waiting}")
            copying = store.write(t.name(), store.read(path))
            await t.within(copying, f"a write whose content is read from the store {while_waiting}")
        if t.declares(C.LIST):
            await t.within(collect(store.list_files("")), f"a listing {while_waiting}")
        if t.declares(C.DELETE):
            await t.within(store.delete(path), f"a delete of the same file {while_waiting}")
    finally:
        writing.cancel()
        await asyncio.wait({writing})


@clause(
    "CONC-007",
    "Of processes that create one file at the same moment, each with overwrite=False, exactly one "
    "succeeds; the others get AlreadyExists, and the file is the winner's.",
    intent="A lock in this library's memory keeps no other machine from writing.",
    level=Level.STOCHASTIC,
    requires=[C.WRITE],
    needs=[Need.PEEK],
    only=[Trait.PROCESSES],
    seconds=60,
)
async def one_process_wins(t: Trial) -> None:
    size = 3
    methods = ["write"] + ["write_atomic"] * t.declares(C.ATOMIC_WRITE)
    made = [(method, t.name()) for method in methods * 4]
    outcomes = await race_processes(
        t,
        [
            [(method, {"path": path, "content": f"of racer {k}"}) for k in range(size)]
            for method, path in made
        ],
    )
    for (method, path), answers in zip(made, outcomes, strict=True):
        expect(
            sorted(a.outcome for a in answers) == ["AlreadyExists"] * (size - 1) + ["ok"],
            f"of {size} processes that create one file with {method} not exactly one succeeded",
            observed=[f"{a.outcome} {a.text}".rstrip() for a in answers],
            expected=f"ok once, AlreadyExists {size - 1} times",
        )
        observed = await t.peek(path)
        expected = f"of racer {[a.won for a in answers].index(True)}".encode()
        expect(
            observed == expected,
            "the file is not that of the process to which its creation was reported",
            observed=observed,
            expected=expected,
        )
