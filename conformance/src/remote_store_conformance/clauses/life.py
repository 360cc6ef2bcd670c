"""LIFE: opening, closing, and what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Awaitable, Callable
from typing import Any, Final

from remote_store import BackendUnavailable, Capability, RemoteStoreError, StoreClosed
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Unverified, Violation, expect
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.targets.proxy import Fault
from remote_store_conformance.tools.faults import cut, needs_wire
from remote_store_conformance.tools.operations import Form, Operation, Scene, declared
from remote_store_conformance.tools.scenes import set_scene, wrong_scenes
from remote_store_conformance.tools.sources import CallerError, Source

C = Capability

#: What every backend refuses, if it looks.
_MALFORMED: Final = "../malformed"


async def _use(t: Trial, backend: AsyncBackend) -> None:
    """Make every declared call once."""
    store = t.store_over(backend)
    for op in declared(t):
        scene = await set_scene(t, op, store=store)
        with contextlib.suppress(*_refusal(op)):
            await op.perform(store, scene, Source())


def _refusal(op: Operation) -> tuple[type[RemoteStoreError], ...]:
    return () if op.refuses is None else (op.refuses,)


@clause(
    "LIFE-001",
    "Opening a backend makes no request; the first operation does.",
    intent="A program that opens ten stores and uses one must not wait for ten services.",
    level=Level.SHOULD,
)
async def open_is_quiet(t: Trial) -> None:
    if t.meter is None:
        msg = "the target offers no meter"
        raise (Inapplicable if t.is_a(Trait.LOCAL) else Unverified)(msg)
    before = t.meter.read()
    await t.open_backend()
    made = t.meter.read() - before
    expect(
        not made.requests and not made.sent,
        "opening a backend already asked its service",
        observed=f"{made.requests} requests, {made.sent} bytes sent",
        expected="no request before the first operation",
    )


@clause(
    "LIFE-002",
    "aclose can be called any number of times, one after the other and at the same moment, also on "
    "a backend that was never used.",
    intent="Context managers, exit stacks and shutdown hooks all close what they know.",
)
async def close_again(t: Trial) -> None:
    unused, used = await t.open_backend(), await t.open_backend()
    await _use(t, used)
    for what, backend in (("was never used", unused), ("was used", used)):
        for number in (1, 2, 3):
            try:
                await t.within(backend.aclose(), f"aclose number {number}")
            except Exception as error:
                msg = f"aclose number {number} of a backend that {what} failed"
                observed = f"{type(error).__name__}: {error}"
                raise Violation(msg, observed=observed, expected="nothing happens") from error
    both = await t.open_backend()
    await _use(t, both)
    ends = await asyncio.gather(both.aclose(), both.aclose(), return_exceptions=True)
    expect(
        not any(ends),
        "two calls of aclose at the same moment failed",
        observed=ends,
        expected="both return",
    )


@clause(
    "LIFE-003",
    "After aclose every operation raises StoreClosed where close_is_terminal is declared, and "
    "works where it is not.",
    intent="Use after close is a mistake that must raise, or no mistake at all.",
)
async def after_the_close(t: Trial) -> None:
    backend = await t.open_backend()
    store = t.store_over(backend)
    scene = await set_scene(t, store=store)
    await _use(t, backend)
    await backend.aclose()
    for op in declared(t):
        if not t.is_a(Trait.TERMINAL):
            scene = await set_scene(t, op, store=store)
        error = None
        try:
            await t.within(op.perform(store, scene, Source()), f"{op} after aclose")
        except Exception as raised:  # noqa: BLE001 - judged below
            error = raised
        said = "it worked" if error is None else f"{type(error).__name__}: {error}"
        if t.is_a(Trait.TERMINAL):
            expect(
                isinstance(error, StoreClosed),
                f"{op} after aclose did not raise StoreClosed, although the close is terminal",
                observed=said,
                expected="StoreClosed",
            )
            await _closed_comes_first(t, backend, op, scene)
        else:
            expect(
                error is None or isinstance(error, _refusal(op)),
                f"{op} after aclose failed, although close_is_terminal is not declared",
                observed=said,
                expected="it works",
            )


async def _closed_comes_first(t: Trial, backend: AsyncBackend, op: Operation, scene: Scene) -> None:
    """State that a closed backend which is called without a store looks at no path."""
    if not op.direct(t) or not op.uses:
        return
    keys = scene.through(t.key)
    for name in op.uses:
        try:
            await op.perform(backend, keys.with_path(name, _MALFORMED), Source())
        except StoreClosed:
            continue
        except Exception as error:
            msg = f"{op} of a closed backend did not raise StoreClosed for a malformed path"
            said = f"{type(error).__name__}: {error}"
            raise Violation(msg, observed=said, expected="StoreClosed") from error
        expect(False, f"{op} of a closed backend worked with a malformed path")


@clause(
    "LIFE-004",
    "After aclose nothing is left of a backend: no task, thread or open descriptor, no warning.",
    intent="What leaks once in a test leaks once in each request of a server.",
)
async def nothing_left(t: Trial) -> None:
    # The engine looks at what is left behind after every check; this one uses
    # whatever is declared, so that there is something to leave.
    for _ in range(3):
        backend = await t.open_backend()
        await _use(t, backend)
        if t.declares(C.READ, C.WRITE):
            store, path = t.store_over(backend), t.name()
            await store.write(path, b"x" * 3_000_000)
            stream = store.read(path)
            await anext(stream)
            await stream.aclose()
        await backend.aclose()


@clause(
    "LIFE-005",
    "Calls that fail leave no task, thread or descriptor behind, and the backend goes on working.",
    intent="Errors are the paths that nobody looks at.",
)
async def failures_leave_nothing(t: Trial) -> None:
    for op in declared(t):
        scene = await set_scene(t)
        # More than once: the first failure may be the one that sets something up.
        for wrong in (*wrong_scenes(t, op, scene), *wrong_scenes(t, op, scene)):
            with contextlib.suppress(RemoteStoreError):
                await op.perform(t.store, wrong.scene, Source())
        if op.form is Form.WRITE:
            source = Source(error=CallerError("broken"))
            with contextlib.suppress(RemoteStoreError, CallerError):
                await op.perform(t.store, scene, source)
    await _use(t, t.backend)


@clause(
    "LIFE-008",
    "A backend whose service cannot be reached leaves nothing behind, and can be closed.",
    intent="Programs try until a service is up, thousands of times.",
    seconds=60,
)
async def failed_start(t: Trial) -> None:
    wire = needs_wire(t)
    for _ in range(2):
        await cut(wire)
        wire.break_with(Fault("refuse", times=1_000_000))
        backend = None
        try:
            with contextlib.suppress(BackendUnavailable):
                # Some ask their service when they are opened, others later.
                backend = await t.open_backend()
                await backend.exists(t.prefix)
        finally:
            wire.heal()
        if backend is not None:
            await t.within(backend.aclose(), "aclose of a backend whose service was never reached")


@clause(
    "LIFE-009",
    "A backend leaves nothing outside of the folder that it works in.",
    intent="Index, lock and marker files in somebody else's folder are listed as data.",
    requires=[C.LIST],
)
async def no_litter(t: Trial) -> None:
    before = await _around(t)
    await _use(t, t.backend)
    async with contextlib.aclosing(t.store_over(await t.another()).list_files("")) as files:
        async for _ in files:
            break
    new = await _around(t) - before
    expect(
        not new,
        "operations in one folder made something beside it",
        observed=sorted(new),
        expected="nothing",
    )


async def _around(t: Trial) -> set[str]:
    """Return what lies beside the scratch folders of this kit."""
    root = t.target.root
    found = {file.path.as_posix() for file in await collect(t.backend.list_files(root))}
    found |= {folder.path.as_posix() for folder in await collect(t.backend.list_folders(root))}
    return {name for name in found if not name.rpartition("/")[2].startswith("rs-conform-")}


@clause(
    "LIFE-010",
    "Used in 'async with' a backend is itself, and lets the exceptions of the block out; a store "
    "closes its backend at the end of the block.",
    intent="A context manager that swallows an exception hides every mistake in its block.",
)
async def async_with(t: Trial) -> None:
    for what in ("backend", "store"):
        backend = await t.open_backend()
        # A backend that matches by its members alone needs none of the two.
        if what == "backend" and not hasattr(type(backend), "__aenter__"):
            continue
        manager: Any = backend if what == "backend" else AsyncStore(backend, t.prefix)
        try:
            async with manager as entered:
                expect(
                    entered is manager,
                    f"'async with' of a {what} gives something else than itself",
                    observed=repr(entered),
                    expected=f"the {what}",
                )
                await entered.exists(t.prefix)
                msg = "the block's own"
                raise CallerError(msg)
        except CallerError:
            pass
        except Exception as error:
            msg = f"'async with' of a {what} changed the exception of its block"
            observed = f"{type(error).__name__}: {error}"
            raise Violation(msg, observed=observed, expected="CallerError") from error
        else:
            expect(False, f"'async with' of a {what} swallowed the exception of its block")
        if t.is_a(Trait.TERMINAL):
            try:
                await backend.exists(t.prefix)
            except StoreClosed:
                continue
            expect(False, f"'async with' of a {what} did not close the backend")


@clause(
    "LIFE-011",
    "aclose returns also while a call is running, which then ends with its result or with "
    "StoreClosed.",
    intent="A server shuts down in the middle of uploads.",
    requires=[C.WRITE],
)
async def close_while_running(t: Trial) -> None:
    for turns in range(0, 12, 2):
        backend = await t.open_backend()
        source = Source((b"x" * 1_000,) * 5)
        running = asyncio.ensure_future(t.store_over(backend).write(t.name(), source.open()))
        for _ in range(turns):
            await asyncio.sleep(0)
        # A close may wait some seconds for what is running.
        await t.within(backend.aclose(), "aclose while a write is running", t.patience + 5)
        done, _ = await asyncio.wait({running}, timeout=t.patience)
        expect(
            done,
            "a write that was running when the backend was closed did not end",
            observed=f"no end within {t.patience:.1f} s",
            expected="its result, or StoreClosed",
        )
        error = running.exception()
        expect(
            error is None or isinstance(error, StoreClosed),
            "a write that was running when the backend was closed ended in the wrong exception",
            observed=f"{type(error).__name__}: {error}",
            expected="its result, or StoreClosed",
        )


@clause(
    "LIFE-012",
    "A backend pickles as its configuration, so that a worker process can open the same storage, "
    "or refuses with a TypeError.",
    intent="Frameworks send backends to workers, and a connection cannot travel.",
    level=Level.SHOULD,
    needs=[Need.SEED],
)
async def pickles(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"content")
    await t.backend.exists(t.key(path))
    try:
        data = pickle.dumps(t.backend)
    except TypeError as error:
        t.note(refused=str(error))
        return
    except Exception as error:
        msg = "pickling a backend failed with the wrong exception"
        observed = f"{type(error).__name__}: {error}"
        raise Violation(msg, observed=observed, expected="TypeError, or a pickle") from error
    again: AsyncBackend = pickle.loads(data)  # noqa: S301 - our own bytes
    try:
        expect(
            (again.name, again.capabilities) == (t.backend.name, t.backend.capabilities),
            "a backend that was pickled has another name or other capabilities",
            observed=(again.name, again.capabilities),
            expected=(t.backend.name, t.backend.capabilities),
        )
        if t.is_a(Trait.PERSISTENT):
            expect(
                await again.is_file(t.key(path)),
                "a backend that was pickled does not see the files of the original",
                expected="the same storage",
            )
    finally:
        close: Callable[[], Awaitable[None]] | None = getattr(again, "aclose", None)
        if close is not None:
            await close()
