"""What a check gets: the target, the ways to it, and the means to measure it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import datetime
from time import perf_counter
from typing import Any, Final, TypeVar

from attrs import Factory, define, evolve, field

from remote_store import Capability, CapabilitySet, RemoteStoreError
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_conformance.contract.expect import Hang, Unverified, Violation, expect
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.survey import Snapshot, Survey
from remote_store_conformance.targets.probing import watched
from remote_store_conformance.targets.proxy import Wire
from remote_store_conformance.targets.recording import Recorder, as_backend
from remote_store_conformance.targets.target import Meter, Probe, Scratch, Target

__all__ = ["Trial", "collect"]

T = TypeVar("T")

#: Patience with one call of a probe.
_PROBE: Final = 5

#: Bytes of a write whose cost is that of its calls and not of its bytes.
_SMALL: Final = 100_000

#: Names that a check puts into paths: short, colliding, and not only ASCII.
TRICKY: Final = ("a", "ab", "a b", "ä", "a.b", "%20", "A")


async def collect(items: AsyncIterator[T]) -> list[T]:
    """Return all items of an async iterator, and close it."""
    try:
        return [item async for item in items]
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


@define(eq=False)
class Trial:
    """
    One run of one check.

    Paths are relative to `store`; `key` turns one into the backend's key.

    Args:
        label: What is checked: the id of its clause.
        target: What it is checked on.
        survey: What is known about the target.
        scratch: The place of this run.
        seed: Seed of `rng`, for a run that can be repeated.
        effort: Share of the examples that a check with many should try.
        wire: The proxy in front of the service, where there is one.
        hung: Operations that have hung in this session; they get less time.
        opens: Open a backend before the check; False for one that opens its own, or none.
        writes: Seconds of small writes in this session, where they are kept in mind.
        learned: What checks of this session have found out about the target, for those after
            them.
        find_probe: Returns the probe of an open backend, given the place of its run.
        find_meter: Returns the meter of an open backend.
    """

    label: str
    target: Target
    survey: Survey
    scratch: Scratch
    seed: int = 0
    effort: float = 1.0
    wire: Wire | None = None
    hung: set[str] = field(factory=set)
    opens: bool = True
    writes: deque[float] = field(factory=deque)
    learned: dict[str, int] = field(factory=dict)
    find_probe: Callable[[AsyncBackend, Scratch], Probe | None] = lambda backend, scratch: None
    find_meter: Callable[[AsyncBackend], Meter | None] = lambda backend: None
    rng: random.Random = field(
        init=False,
        default=Factory(lambda self: random.Random(self.seed), takes_self=True),  # noqa: S311
    )
    evidence: dict[str, Any] = field(init=False, factory=dict)
    advice: list[str] = field(init=False, factory=list)
    probe: Probe | None = field(init=False, default=None)
    meter: Meter | None = field(init=False, default=None)
    _backend: AsyncBackend | None = field(init=False, default=None)
    _opened: contextlib.AsyncExitStack = field(init=False, factory=contextlib.AsyncExitStack)
    _numbers: itertools.count[int] = field(init=False, factory=lambda: itertools.count(1))
    _seeded: list[str] = field(init=False, factory=list)
    _seeding: int = field(init=False, default=0)
    _others: list[tuple[AsyncStore, object]] = field(init=False, factory=list)

    # Ways to the target ----------------------------------------------------

    @property
    def backend(self) -> AsyncBackend:
        """The backend itself, without a store; its keys start with `prefix`."""
        if self._backend is None:
            msg = f"{self.label} opens no backend"
            raise RuntimeError(msg)
        return self._backend

    @property
    def store(self) -> AsyncStore:
        """A store over the scratch folder; closing it leaves the backend open."""
        return self.store_over(self.backend)

    @property
    def prefix(self) -> str:
        """The folder of the backend that is the root of `store`."""
        return self.scratch.prefix

    def store_over(self, backend: object) -> AsyncStore:
        """Return a store over the scratch folder of another backend object."""
        store = AsyncStore(as_backend(backend), self.prefix, owns_backend=False)
        if backend is not self._backend:
            self._others.append((store, backend))
        return store

    def _probe_beside(self, store: AsyncStore | None) -> Probe | None:
        """Return the probe of the backend of a store, which may be another one than the run's."""
        for other, backend in self._others:
            if other is store:
                probe = self.find_probe(as_backend(backend), self.scratch)
                return watched(probe, _PROBE * self.patience)
        return self.probe

    def key(self, path: str) -> str:
        """Return the backend's key of a path."""
        return f"{self.prefix}/{path}" if path else self.prefix

    def name(self, hint: str = "f") -> str:
        """Return a path that was never used in this run, directly below the root."""
        return f"{hint}-{next(self._numbers)}"

    def declares(self, *capabilities: Capability) -> bool:
        """Return True if all of them are declared."""
        return set(capabilities) <= set(self.survey.capabilities)

    def is_a(self, trait: Trait) -> bool:
        """Return True if the target is of that kind."""
        return trait in self.survey.traits

    def can(self, need: Need) -> bool:
        """Return True if this run has what a check may need."""
        return {
            Need.SEED: self.probe is not None or self.declares(Capability.WRITE),
            Need.PEEK: self.probe is not None or self.declares(Capability.READ),
            Need.PROBE: self.probe is not None,
            Need.METER: self.meter is not None,
            Need.WIRE: self.wire is not None,
        }[need]

    def recorded(self, capabilities: CapabilitySet | None = None) -> tuple[AsyncStore, Recorder]:
        """Return a store whose backend calls are noted, and the notes."""
        recorder = Recorder(self.backend, capabilities)
        return self.store_over(recorder), recorder

    async def open_backend(self) -> AsyncBackend:
        """Open a backend on this run's storage; the run closes it at its end."""
        return await self._opened.enter_async_context(self.target.open(self.scratch))

    async def another(self) -> AsyncBackend:
        """
        Return a second client of the same storage.

        Where files die with the backend object there is only one client: then
        it is the same object.
        """
        return await self.open_backend() if self.is_a(Trait.PERSISTENT) else self.backend

    async def elsewhere(self) -> Trial:
        """
        Return a run on another storage of the target, which ends with this one.

        Where all storages of the target are one, it is another folder of that.
        """
        folder = self.scratch.folder / "elsewhere"
        folder.mkdir()
        scratch = evolve(self.scratch, prefix=f"{self.prefix}-elsewhere", folder=folder)
        other = evolve(self, scratch=scratch)
        self._opened.push_async_callback(other.finish)
        await other.start()
        return other

    # Preparing and looking -------------------------------------------------

    async def seed_file(
        self, path: str, content: bytes = b"seed", *, store: AsyncStore | None = None
    ) -> str:
        """
        Put a file there, replacing one, and return *path*.

        Uses the write of the backend, or of *store*, where WRITE is declared,
        else the probe.
        """
        if self.declares(Capability.WRITE):
            self._seeding += 1
            start, alone = perf_counter(), self._seeding == 1
            try:
                await (store or self.store).write(path, content, overwrite=True)
            finally:
                self._seeding -= 1
            if alone and len(content) <= _SMALL:
                self.writes.append(perf_counter() - start)
        elif (probe := self._probe_beside(store)) is not None:
            await probe.put(self.key(path), content)
        else:
            msg = "the target has neither WRITE nor a probe to prepare files with"
            raise Unverified(msg)
        self._seeded.append(path)
        return path

    async def peek(self, path: str) -> bytes | None:
        """
        Return a file's content, None if the file is missing.

        Uses the probe where there is one, else READ.
        """
        if self.probe is not None:
            return await self.probe.get(self.key(path))
        if not self.declares(Capability.READ):
            msg = "the target has neither READ nor a probe to look at files with"
            raise Unverified(msg)
        if not await self.store.is_file(path):
            return None
        return await self.store.read_bytes(path)

    async def names(self) -> list[str]:
        """
        Return the paths of all files in the store, sorted.

        With a probe also those that the plugin hides. Without a probe and
        without LIST: those of the files that this run has put there and that
        still exist.
        """
        if self.probe is not None:
            found = await self.probe.names(self.prefix)
            return sorted(name.removeprefix(f"{self.prefix}/") for name in found)
        if self.declares(Capability.LIST):
            files = await collect(self.store.list_files("", recursive=True))
            return sorted(file.path.as_posix() for file in files)
        return sorted({p for p in self._seeded if await self.store.is_file(p)})

    async def snapshot(self) -> Snapshot:
        """Return every file of the store: content, and with METADATA the version."""
        files: dict[str, tuple[bytes, str | None, datetime | None]] = {}
        for name in await self.names():
            content = await self.peek(name) if self.can(Need.PEEK) else b""
            etag = time = None
            if self.declares(Capability.METADATA) and ".~tmp." not in name:
                info = await self.store.get_file_info(name)
                etag, time = info.etag, info.modified_at
            files[name] = (content or b"", etag, time)
        return Snapshot(files)

    @contextlib.asynccontextmanager
    async def unchanged(self, what: str) -> AsyncGenerator[None, None]:
        """
        State that a block changes nothing in the store.

        Args:
            what: What the block does, continuing "nothing may change ...".

        Raises:
            Violation: A name, content or version differs after the block.
        """
        before = await self.snapshot()
        yield
        changes = before.difference(await self.snapshot())
        expect(not changes, f"something changed {what}", observed=changes, expected="no change")

    # Time ------------------------------------------------------------------

    @property
    def patience(self) -> float:
        """Seconds to wait for something that should happen."""
        return self.survey.patience

    @property
    def settle(self) -> float:
        """Seconds to watch for something that should not happen."""
        return self.survey.settle

    async def within(self, call: Awaitable[T], what: str, seconds: float | None = None) -> T:
        """
        Await a call that must end in time.

        Args:
            call: What to await.
            what: What it is, for the message.
            seconds: The time; by default `patience`.

        Raises:
            Hang: It does not end; it is then cancelled and left behind.
        """
        limit = self.patience if seconds is None else seconds
        task = asyncio.ensure_future(call)
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=self.settle)
            msg = f"{what} did not end within {limit:.1f} s"
            raise Hang(msg)
        return task.result()

    async def eventually(
        self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float | None = None
    ) -> None:
        """
        Wait until something holds.

        Args:
            holds: Asked again and again.
            what: What must become true, for the message.
            seconds: How long; by default `patience`.

        Raises:
            Violation: It does not become true in time.
        """
        limit = self.patience if seconds is None else seconds
        end = asyncio.get_running_loop().time() + limit
        while not await holds():
            if asyncio.get_running_loop().time() > end:
                msg = f"{what}: not within {limit:.1f} s"
                raise Violation(msg)
            await asyncio.sleep(self.settle / 5)

    # Saying more -----------------------------------------------------------

    def note(self, **evidence: Any) -> None:
        """Add measurements to the report, also of a pass."""
        self.evidence.update(evidence)

    def advise(self, text: str) -> None:
        """Add a remark that does not change the verdict."""
        if text not in self.advice:
            self.advice.append(text)

    # For the engine --------------------------------------------------------

    async def start(self) -> None:
        """Open the backend, and look for the probe and the meter."""
        if self.opens:
            backend = await self.open_backend()
            self._backend = backend
            self.probe = watched(self.find_probe(backend, self.scratch), _PROBE * self.patience)
            self.meter = self.find_meter(backend)

    async def finish(self) -> None:
        """Remove what is in the scratch folder, then close whatever was opened."""
        try:
            await self._clear()
        finally:
            await self._opened.aclose()

    async def _clear(self) -> None:
        if self._backend is None or not self.is_a(Trait.PERSISTENT):
            return
        if self.probe is not None:
            await self.probe.remove(self.prefix)
        elif self.declares(Capability.DELETE):
            try:
                await self._backend.delete_folder(self.prefix, recursive=True, missing_ok=True)
            except RemoteStoreError:
                # The check may have closed it. What a fresh one cannot remove
                # either is no finding of this clause.
                with contextlib.suppress(RemoteStoreError):
                    fresh = await self.open_backend()
                    await fresh.delete_folder(self.prefix, recursive=True, missing_ok=True)
