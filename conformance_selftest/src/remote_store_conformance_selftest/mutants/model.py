"""Backends whose defects only a sequence of calls brings out."""

from __future__ import annotations

from collections.abc import Mapping

from remote_store import AlreadyExists, Capability, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, ReferenceBackend, turn


@mutant("MODEL-001", "not what it must be")
class ListsByBarePrefix(ReferenceBackend):
    """A recursive delete of "a" also takes "ab": its prefix ends in the middle of a name."""

    def below(self, key: str) -> list[str]:
        return [k for k in self.tree.files if k.startswith(key)]


@mutant("MODEL-001", "gives the wrong answer", flat=True, shared_names=False)
class ForgetsWhatKeysImply(ReferenceBackend):
    """A write does not look for a folder of its name, where folders are what keys imply."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        key = self.key(path)
        if self.tree.is_folder(key) and key not in self.tree.files:
            return key
        return super().check_target(path, overwrite=overwrite)


@mutant("MODEL-002", "neither the old nor")
class StreamsIntoTheFile(ReferenceBackend):
    """A write appends chunk by chunk to the file itself, and stops half-way when cancelled."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        if isinstance(content, bytes):
            return await super().store(path, content, overwrite, metadata)
        whole = b""
        result = self.commit(path, whole, overwrite, None)
        async for chunk in content:
            whole += chunk
            result = self.commit(path, whole, True, None)
            await turn()
        return result


@mutant("MODEL-003", "no order")
class MovesWhatItSaw(ReferenceBackend):
    """A move looks first and acts later, on what it saw."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        file = self.file(src)
        target = self.check_target(dst, overwrite=overwrite) if src != dst else src
        await turn()
        await turn()
        if self.key(src) != target:
            self.tree.put(target, file)
            self.tree.files.pop(self.key(src), None)


@mutant("MODEL-003", "no order", without=[Capability.ATOMIC_MOVE])
class RemovesWhatCameMeanwhile(ReferenceBackend):
    """A move in two parts removes its source, also when somebody has written it anew."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        if self.key(src) == self.key(dst):
            return await super().move(src, dst, overwrite=overwrite)
        await self.copy(src, dst, overwrite=overwrite)
        await turn()
        await self.delete(src, missing_ok=True)
        return None


@mutant("MODEL-003", "no order", "NotFound")
class LosersAreToldNonsense(ReferenceBackend):
    """A write that loses to another one, between its check and its commit, raises NotFound."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        self.check_target(path, overwrite=overwrite)
        whole = await self.gather(content)
        await turn()
        try:
            return self.commit(path, whole, overwrite, dict(metadata) if metadata else None)
        except AlreadyExists as error:
            raise self.missing(path) from error
