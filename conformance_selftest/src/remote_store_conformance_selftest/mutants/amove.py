"""Backends that declare ATOMIC_MOVE and move in two steps."""

from __future__ import annotations

import asyncio

from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import ReferenceBackend


@mutant("AMOVE-001", "under both of its names")
class CopiesThenDeletes(ReferenceBackend):
    """A move is a copy and a delete; in between the file is there twice."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        with self.tree.lock:
            self.transfer(src, dst, overwrite=overwrite, keep=True)
        await asyncio.sleep(0.0005)
        with self.tree.lock:
            if src != dst:
                self.tree.files.pop(self.key(src), None)


@mutant("AMOVE-001", "under neither of its names")
class TakesItAway(ReferenceBackend):
    """A move takes the file out of one folder, and then puts it into the other."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        with self.tree.lock:
            file = self.file(src)
            target = self.check_target(dst, overwrite=overwrite)
            del self.tree.files[self.key(src)]
        await asyncio.sleep(0.0005)
        self.tree.put(target, file)


@mutant("AMOVE-002", "moves of one file succeeded")
class EverybodyClaimsIt(ReferenceBackend):
    """A move that finds its source gone at the end takes that for its own work."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        file = self.file(src)
        await asyncio.sleep(0.0005)
        with self.tree.lock:
            if src != dst:
                self.tree.put(self.check_target(dst, overwrite=overwrite), file)
                self.tree.files.pop(self.key(src), None)


@mutant("AMOVE-003", "there was none under its name")
class DeletesTheOldOne(ReferenceBackend):
    """A move over a file deletes it first, and then renames."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self.file(src)
        if overwrite and src != dst:
            self.tree.files.pop(self.key(dst), None)
            await asyncio.sleep(0.0005)
        await super().move(src, dst, overwrite=overwrite)
