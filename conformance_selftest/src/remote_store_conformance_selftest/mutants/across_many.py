"""Backends that copy many files of another store badly in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from remote_store import (
    AlreadyExists,
    CapabilityNotSupported,
    NotFound,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store.authoring import cannot_copy_many_from
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import File, turn
from remote_store_conformance_selftest.reference_across import CopyingBackend
from remote_store_conformance_selftest.reference_headers import LACKING

Result = WriteResult | RemoteStoreError | None
Results = Sequence[Result]
Pairs = Sequence[tuple[str, str]]


@mutant("ACROSS-010", "tells of a pair what copy_from does not", without=LACKING)
class StopsAtTheFirstError(CopyingBackend):
    """The first file that cannot be copied keeps all that follow, and they have its error."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        found: list[Result] = []
        for result in await super().copy_many_from(source, pairs):
            failed = found and isinstance(found[-1], RemoteStoreError)
            found.append(found[-1] if failed else result)
        return found


@mutant("ACROSS-010", "tells of a pair what copy_from does not", without=LACKING)
class TellsErrorsLast(CopyingBackend):
    """The results are in the order in which the copies ended."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        found = await super().copy_many_from(source, pairs)
        return sorted(found, key=lambda result: isinstance(result, RemoteStoreError))


@mutant("ACROSS-010", "there already", without=LACKING)
class TakesWhatIsThereForDone(CopyingBackend):
    """A target that is there is left, and told as copied."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        result = await super().bring_one(theirs, src, dst)
        return None if isinstance(result, AlreadyExists) else result


@mutant("ACROSS-010", "has not left at a target", without=LACKING)
class ReplacesAndComplains(CopyingBackend):
    """A target is looked at when it was replaced."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        result = await super().bring_one(theirs, src, dst)
        if isinstance(result, AlreadyExists) and self.key(src) in theirs.tree.files:
            await self.bring(theirs, src, dst, True, None)
        return result


@mutant("ACROSS-010", "has not left at a target", without=LACKING)
class LeavesSomeOut(CopyingBackend):
    """What is more than one request takes is not copied, and told as copied."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        some = await super().copy_many_from(source, pairs[:20])
        return [*some, *[None] * len(pairs[20:])]


@mutant("ACROSS-010", "tells another file", without=LACKING)
class TellsTheSource(CopyingBackend):
    """The path of a result is that of the source."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        result = await super().bring_one(theirs, src, dst)
        if not isinstance(result, WriteResult):
            return result
        below = dst.rpartition("/")[0]
        return evolve(result, path=RemotePath(f"{below}/of-{src.rpartition('/')[2]}"))


@mutant("ACROSS-010", "does not name the source", without=LACKING)
class NamesTheTargetOfMany(CopyingBackend):
    """A source that is missing is told as the target."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        result = await super().bring_one(theirs, src, dst)
        return self.missing(dst) if isinstance(result, NotFound) else result


@mutant("ACROSS-010", "in the source of files", without=LACKING)
class MovesMany(CopyingBackend):
    """The sources are gone afterwards."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        result = await super().bring_one(theirs, src, dst)
        if isinstance(result, WriteResult):
            del theirs.tree.files[theirs.key(src)]
        return result


@mutant("ACROSS-010", "has left other files", without=LACKING)
class LeavesAList(CopyingBackend):
    """What is to be copied stands in a file of its own, which stays."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        found = await super().copy_many_from(source, pairs)
        beside = pairs[0][1].rpartition("/")[0]
        await self.write(f"{beside}/list", repr(pairs).encode(), overwrite=True)
        return found


class _OfMany(CopyingBackend):
    """Makes of a file that is copied with others something else than of one alone."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        result = await super().bring_one(theirs, src, dst)
        if isinstance(result, WriteResult):
            key = self.key(dst)
            self.tree.put(key, self.made(self.tree.files[key]))
        return result

    def made(self, file: File) -> File:
        return file


@mutant("ACROSS-011", "has not brought its content", without=LACKING)
class CopiesTheFirstBlock(_OfMany):
    """One block of each file is enough for small ones."""

    def made(self, file: File) -> File:
        return evolve(file, content=file.content[: 1 << 16])


@mutant("ACROSS-011", "has not kept the user metadata", without=LACKING)
class CopiesManyWithoutMetadata(_OfMany):
    """Metadata would be a request of its own for each file."""

    def made(self, file: File) -> File:
        return evolve(file, metadata=None)


@mutant("ACROSS-011", "has not kept the content headers", without=LACKING)
class CopiesManyWithoutHeaders(_OfMany):
    """So would headers."""

    def made(self, file: File) -> File:
        return evolve(file, headers=None)


class _KeepsTimes(CopyingBackend):
    """Gives a copy the time of its source."""

    def put_copy(self, file: File, key: str) -> WriteResult:
        super().put_copy(file, key)
        self.tree.put(key, evolve(self.tree.files[key], time=file.time))
        return self.result(key, self.tree.files[key])


@mutant("ACROSS-011", "has not kept the time", without=LACKING)
class ForgetsTheTimesOfMany(_KeepsTimes):
    """A copy with others has the time at which it was made."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        try:
            file, key = theirs.file(src), self.check_target(dst, overwrite=False)
        except RemoteStoreError as error:
            return error
        return CopyingBackend.put_copy(self, file, key)


@mutant("ACROSS-012", "to one name succeeded", without=LACKING)
class LooksAtAllTargetsFirst(CopyingBackend):
    """It asks once which of the names are free, and copies to these."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        theirs = self.origin_of_many(source)
        free = [self.key(dst) not in self.tree.files for _, dst in pairs]
        found: list[Result] = []
        for (src, dst), is_free in zip(pairs, free, strict=True):
            await turn()
            try:
                found.append(await self.bring(theirs, src, dst, is_free, None))
            except RemoteStoreError as error:
                found.append(error)
        return found


@mutant("ACROSS-013", "have not brought what that one hands out", without=LACKING)
class BelievesWrappersOfMany(CopyingBackend):
    """It finds the storage behind whatever hands on its attributes."""

    def origin_of_many(self, source: Any) -> CopyingBackend:
        found: CopyingBackend = source
        return found if hasattr(source, "tree") else super().origin_of_many(source)


@mutant("ACROSS-013", "were not refused", without=LACKING)
class SaysNothingOfMany(CopyingBackend):
    """What it cannot copy it leaves, and returns."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        try:
            return await super().copy_many_from(source, pairs)
        except CapabilityNotSupported:
            return [None] * len(pairs)


@mutant("ACROSS-013", "copy_many_from was refused, but acted first", without=LACKING)
class GivesUpHalfWay(CopyingBackend):
    """It copies half of the files before it finds out that it gains nothing."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        await super().copy_many_from(source, pairs[: len(pairs) // 2])
        raise cannot_copy_many_from(self.name)


@mutant("ACROSS-013", "names the wrong capability", without=LACKING)
class BlamesCopyFrom(CopyingBackend):
    """It says that it cannot copy one file either."""

    def origin_of_many(self, source: Any) -> CopyingBackend:
        try:
            return super().origin_of_many(source)
        except CapabilityNotSupported as error:
            error.capability = "copy_from"
            raise


@mutant("ACROSS-014", "left a file that is not whole", without=LACKING)
class LeavesHalves(CopyingBackend):
    """A file is there before its content."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        content = theirs.file(src).content
        try:
            return await super().bring_one(theirs, src, dst)
        except asyncio.CancelledError:
            half = theirs.file(src)
            self.put_copy(evolve(half, content=content[: len(content) // 2]), self.key(dst))
            raise


@mutant("ACROSS-014", "left something else", without=LACKING)
class LeavesATemporaryFile(CopyingBackend):
    """A call that was cancelled does not clear away what it had begun."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        try:
            return await super().bring_one(theirs, src, dst)
        except asyncio.CancelledError:
            below = self.key(dst).rpartition("/")[0]
            self.put_copy(theirs.file(src), f"{below}/.~tmp.0123abcd")
            raise


@mutant("ACROSS-014", "after CancelledError was delivered", without=LACKING)
class GoesOnWithMany(CopyingBackend):
    """The copies go on behind the back of the caller that gave up."""

    async def copy_many_from(self, source: Any, pairs: Pairs) -> Results:
        copying = asyncio.ensure_future(super().copy_many_from(source, pairs))
        return await asyncio.shield(copying)

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        await asyncio.sleep(0.001)
        return await super().bring_one(theirs, src, dst)


@mutant("ACROSS-014", "did not raise CancelledError", without=LACKING)
class KeepsTheCancellation(CopyingBackend):
    """A file whose copy is cancelled is told as one that could not be reached."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        try:
            return await super().bring_one(theirs, src, dst)
        except asyncio.CancelledError:
            return self.missing(src)


@mutant("ACROSS-014", "in the source of a copy_many_from that was cancelled", without=LACKING)
class LosesASource(CopyingBackend):
    """What was under way when the call is cancelled is gone from the source."""

    async def bring_one(self, theirs: CopyingBackend, src: str, dst: str) -> Result:
        try:
            return await super().bring_one(theirs, src, dst)
        except asyncio.CancelledError:
            theirs.tree.files.pop(theirs.key(src), None)
            raise
