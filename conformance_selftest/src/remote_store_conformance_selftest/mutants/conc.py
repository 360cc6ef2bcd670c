"""Backends that fail when several calls meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from attrs import evolve

from remote_store import AlreadyExists, FileInfo, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend, turn
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.tree import parents


@mutant("CONC-001", "a write failed because others", "File exists")
class MakesTheFolderAlone(ReferenceBackend):
    """Two writes that make the same folder: the second one fails, because it exists."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        missing = [f for f in parents(self.key(path)) if not self.tree.is_folder(f)]
        await turn()
        for folder in missing:
            if self.tree.is_folder(folder):
                raise AlreadyExists(f"File exists: {folder}", path=path, backend=self.name)
            self.tree.folders.add(folder)
        return await super().store(path, content, overwrite, metadata)


@mutant("CONC-001", "has not its content")
class SharesItsBuffer(ReferenceBackend):
    """All streamed writes gather their chunks in one buffer of the object."""

    _buffer: bytes = b""

    async def gather(self, content: Content) -> bytes:
        if isinstance(content, bytes):
            return content
        self._buffer = b""
        async for chunk in content:
            self._buffer += chunk
        return self._buffer


@mutant("CONC-001", "at the same moment")
class RewritesTheIndex(ReferenceBackend):
    """A write loads the index, adds its file and saves it: one of two additions is lost."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        index = dict(self.tree.files)
        result = await super().store(path, content, overwrite, metadata)
        index[self.key(path)] = self.tree.files[self.key(path)]
        await turn()
        self.tree.files = index
        return result


@mutant("CONC-002", "got the answer to a call of another one")
class MixesUpAnswers(ReferenceBackend):
    """The last question stands in the object while its answer is under way."""

    _asked: str = ""

    async def read_bytes(self, path: str) -> bytes:
        self._asked = path
        await turn()
        return self.file(self._asked).content


@mutant("CONC-003", "the file is none of them")
class WritersShareTheFile(ReferenceBackend):
    """Writers of one file write their blocks into it as they come."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        key = self.check_target(path, overwrite=overwrite)
        whole = await self.gather(content)
        result = await super().store(path, b"", overwrite, metadata)
        for start in range(0, len(whole), 20_000):
            await asyncio.sleep(0.001)
            file = self.tree.files[key]
            block = whole[start : start + 20_000]
            rest = file.content[start + len(block) :]
            padded = file.content[:start].ljust(start, b"\0")
            self.tree.put(key, evolve(file, content=padded + block + rest))
        return evolve(result, size=len(whole))


@mutant("CONC-004", "did not end")
class WaitsForItsFirstLoop(ReferenceBackend):
    """A worker task of the first loop does the work, and other loops wait for it for ever."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def exists(self, path: str) -> bool:
        running = asyncio.get_running_loop()
        self._loop = self._loop or running
        if running is not self._loop:
            # What it waits for is set by nobody on this loop.
            await asyncio.Event().wait()
        return await super().exists(path)


@mutant("CONC-004", "failed on a second one", "attached to a different loop")
class BindsToItsFirstLoop(ReferenceBackend):
    """The connection belongs to the loop of the first call, and fails on any other."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def exists(self, path: str) -> bool:
        running = asyncio.get_running_loop()
        self._loop = self._loop or running
        if running is not self._loop:
            msg = "got Future <Future pending> attached to a different loop"
            raise RuntimeError(msg)
        return await super().exists(path)


@mutant("CONC-004", "wrong exception", "AttributeError", target={"loops": False})
class TripsOverItsClosedLoop(ReferenceBackend):
    """A second loop is refused by whatever happens to break first."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def exists(self, path: str) -> bool:
        running = asyncio.get_running_loop()
        self._loop = self._loop or running
        if running is not self._loop:
            msg = "'NoneType' object has no attribute 'send'"
            raise AttributeError(msg)
        return await super().exists(path)


@mutant("CONC-005", "failed because the other ran", "changed size")
class IteratesTheLiveIndex(ReferenceBackend):
    """A listing walks the index itself, which must not change meanwhile."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        prefix = f"{self.key(path)}/" if self.key(path) else ""
        for key, file in self.tree.files.items():
            if key.startswith(prefix) and (recursive or "/" not in key[len(prefix) :]):
                await turn()
                yield self.info(key, file)


@mutant("CONC-005", "left out a file that stays")
class PagesByNumber(ReferenceBackend):
    """A page begins where the last one ended by number: a delete shifts the rest."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        number = 0
        while True:
            inner = super().list_files(path, recursive=recursive, max_depth=max_depth)
            files = sorted([file async for file in inner], key=lambda f: f.path.as_posix())
            if number >= len(files):
                return
            yield files[number]
            number += 1


@mutant("CONC-006", "hangs", "while another write waits for its content")
class LocksWhileItPulls(ReferenceBackend):
    """A lock is held from the first look at the path to the commit, content included."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._lock = asyncio.Lock()

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        async with self._lock:
            return await super().store(path, content, overwrite, metadata)


@mutant("CONC-007", "not exactly one succeeded", served=True)
class LocksInItsOwnMemory(WireBackend):
    """Writers wait for each other in one process; other processes are not asked."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        if not overwrite and await self.is_file(path):
            raise AlreadyExists(f"already exists: {path}", path=path, backend=self.name)
        await asyncio.sleep(0.05)
        return await super().put(method, path, content, True, metadata)
