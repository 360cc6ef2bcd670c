"""Backends that copy badly from another store."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from remote_store import (
    BackendUnavailable,
    CapabilityNotSupported,
    NotFound,
    WriteResult,
)
from remote_store.authoring import other_version
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import File, turn
from remote_store_conformance_selftest.reference_across import (
    OVER_A_WIRE,
    CopyingBackend,
    CopyingClient,
)
from remote_store_conformance_selftest.reference_headers import LACKING


@mutant("ACROSS-001", "has not brought its content", without=LACKING)
class CopiesTheFirstPart(CopyingBackend):
    """One request copies a part, and nobody asks for the next."""

    def put_copy(self, file: File, key: str) -> WriteResult:
        return super().put_copy(evolve(file, content=file.content[:100_000]), key)


@mutant("ACROSS-001", "has not kept the user metadata", without=LACKING)
class CopiesWithoutMetadata(CopyingBackend):
    """The request for a copy names no metadata, which means none."""

    def put_copy(self, file: File, key: str) -> WriteResult:
        return super().put_copy(evolve(file, metadata=None), key)


@mutant("ACROSS-001", "has not kept the content headers", without=LACKING)
class CopiesWithoutHeaders(CopyingBackend):
    """The copy gets the default media type."""

    def put_copy(self, file: File, key: str) -> WriteResult:
        return super().put_copy(evolve(file, headers=None), key)


@mutant("ACROSS-001", "in the source of a copy", without=LACKING)
class MovesInstead(CopyingBackend):
    """The source is gone afterwards."""

    async def bring(self, theirs: CopyingBackend, src: str, dst: str, *more: Any) -> WriteResult:
        result = await super().bring(theirs, src, dst, *more)
        del theirs.tree.files[theirs.key(src)]
        return result


@mutant("ACROSS-001", "tells another file", without=LACKING)
class TellsAnotherSize(CopyingBackend):
    """The result counts what was sent, and not what was copied."""

    def put_copy(self, file: File, key: str) -> WriteResult:
        result = super().put_copy(file, key)
        return WriteResult(result.path, 0)


@mutant("ACROSS-002", "nothing was raised", without=LACKING)
class AlwaysOverwrites(CopyingBackend):
    """overwrite=False is not handed on."""

    async def bring(
        self, theirs: CopyingBackend, src: str, dst: str, overwrite: bool, if_match: str | None
    ) -> WriteResult:
        return await super().bring(theirs, src, dst, True, if_match)


@mutant("ACROSS-002", "has kept the metadata", without=LACKING)
class MergesMetadata(CopyingBackend):
    """What the replaced file had stays where the source has nothing."""

    def put_copy(self, file: File, key: str) -> WriteResult:
        old = self.tree.files.get(key)
        if old is not None and old.metadata and not file.metadata:
            file = evolve(file, metadata=old.metadata)
        return super().put_copy(file, key)


@mutant("ACROSS-003", "the source is missing and the target is not", without=LACKING)
class ClearsTheTargetFirst(CopyingBackend):
    """The file in the way is removed before anybody looks at the source."""

    async def bring(
        self, theirs: CopyingBackend, src: str, dst: str, overwrite: bool, if_match: str | None
    ) -> WriteResult:
        if overwrite:
            self.tree.files.pop(self.key(dst), None)
        return await super().bring(theirs, src, dst, overwrite, if_match)


@mutant("ACROSS-003", "does not name", without=LACKING)
class NamesTheTarget(CopyingBackend):
    """A source that is missing is told as the target."""

    async def bring(self, theirs: CopyingBackend, src: str, dst: str, *more: Any) -> WriteResult:
        try:
            return await super().bring(theirs, src, dst, *more)
        except NotFound as error:
            raise self.missing(dst) from error


@mutant("ACROSS-003", "is a reserved name", without=LACKING)
class PutsAnywhere(CopyingBackend):
    """The target is not looked at."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        if ".~tmp." in path:
            return self.key(path)
        return super().check_target(path, overwrite=overwrite)


@mutant("ACROSS-004", "copies from another store to one name succeeded", without=LACKING)
class LooksBeforeItCopies(CopyingBackend):
    """It looks whether the target is free, and copies a moment later."""

    async def bring(
        self, theirs: CopyingBackend, src: str, dst: str, overwrite: bool, if_match: str | None
    ) -> WriteResult:
        self.check_target(dst, overwrite=overwrite)
        await turn()
        return await super().bring(theirs, src, dst, True, if_match)


@mutant("ACROSS-005", "nothing was raised when another version", without=LACKING)
class CopiesAnyVersion(CopyingBackend):
    """if_match is not handed on."""

    async def bring(
        self, theirs: CopyingBackend, src: str, dst: str, overwrite: bool, if_match: str | None
    ) -> WriteResult:
        return await super().bring(theirs, src, dst, overwrite, None)


@mutant("ACROSS-005", "the wrong exception was raised", without=LACKING)
class ComparesTheTarget(CopyingBackend):
    """The version is looked for at the target, as a write would."""

    async def bring(
        self, theirs: CopyingBackend, src: str, dst: str, overwrite: bool, if_match: str | None
    ) -> WriteResult:
        if if_match is not None:
            self.compare_target(dst, if_match)
        return await super().bring(theirs, src, dst, overwrite, None)


@mutant("ACROSS-005", "when nothing is there", without=LACKING)
class TakesMissingForChanged(CopyingBackend):
    """A version that is gone is another version."""

    async def bring(
        self, theirs: CopyingBackend, src: str, dst: str, overwrite: bool, if_match: str | None
    ) -> WriteResult:
        try:
            return await super().bring(theirs, src, dst, overwrite, if_match)
        except NotFound as error:
            raise other_version(src, self.name) if if_match is not None else error from error


@mutant("ACROSS-006", "the metadata of another", without=LACKING)
class AsksTwice(CopyingBackend):
    """Content and metadata come by two requests."""

    async def bring(self, theirs: CopyingBackend, src: str, dst: str, *more: Any) -> WriteResult:
        metadata = theirs.file(src).metadata
        for _ in range(3):
            await turn()
        result = await super().bring(theirs, src, dst, *more)
        key = self.key(dst)
        self.tree.put(key, evolve(self.tree.files[key], metadata=metadata))
        return result


@mutant("ACROSS-006", "neither of the two versions", without=LACKING)
class CopiesByHalves(CopyingBackend):
    """Two parts are copied, whichever version is there."""

    async def bring(self, theirs: CopyingBackend, src: str, dst: str, *more: Any) -> WriteResult:
        half = theirs.file(src).content[:100_000]
        for _ in range(3):
            await turn()
        result = await super().bring(theirs, src, dst, *more)
        key = self.key(dst)
        file = self.tree.files[key]
        self.tree.put(key, evolve(file, content=half + file.content[100_000:]))
        return result


@mutant("ACROSS-007", "has not brought what that one hands out", without=LACKING)
class BelievesWrappers(CopyingBackend):
    """It finds the storage behind whatever hands on its attributes."""

    def origin(self, source: Any, dst: str) -> CopyingBackend:
        found: CopyingBackend = source
        return found if hasattr(source, "tree") else super().origin(source, dst)


@mutant("ACROSS-007", "was not refused", without=LACKING)
class SaysNothing(CopyingBackend):
    """What it cannot copy it leaves, and returns."""

    async def copy_from(self, source: Any, src: str, dst: str, **more: Any) -> WriteResult | None:
        try:
            return await super().copy_from(source, src, dst, **more)
        except CapabilityNotSupported:
            return None


@mutant("ACROSS-007", "was refused, but acted first", without=LACKING)
class ClearsBeforeItRefuses(CopyingBackend):
    """It makes room at the target before it looks at the source."""

    async def copy_from(
        self, source: Any, src: str, dst: str, *, overwrite: bool = False, **more: Any
    ) -> WriteResult | None:
        if overwrite and type(source) is not type(self):
            self.tree.files.pop(self.key(dst), None)
        return await super().copy_from(source, src, dst, overwrite=overwrite, **more)


@mutant("ACROSS-007", "names the wrong capability", without=LACKING)
class BlamesCopy(CopyingBackend):
    """It says that it cannot copy at all."""

    def origin(self, source: Any, dst: str) -> CopyingBackend:
        try:
            return super().origin(source, dst)
        except CapabilityNotSupported as error:
            error.capability = "copy"
            raise


class _AsksAgain(CopyingClient):
    """A client that repeats what got no answer."""

    async def ask_for_copy(self, src: str, dst: str, *, overwrite: bool) -> None:
        try:
            await super().ask_for_copy(src, dst, overwrite=overwrite)
        except BackendUnavailable:
            await self.again(src, dst, overwrite=overwrite)

    async def again(self, src: str, dst: str, *, overwrite: bool) -> None:
        """Ask for the second time."""
        await super().ask_for_copy(src, dst, overwrite=overwrite)


@mutant("ACROSS-008", "took its own work for somebody else's", without=OVER_A_WIRE)
class MeetsItsOwnCopy(_AsksAgain):
    """The second attempt finds what the first has made, and says that somebody was faster."""


@mutant("ACROSS-008", "returned, but its effect is not there", without=OVER_A_WIRE)
class CleansUp(_AsksAgain):
    """It removes what it takes for half a copy, and returns."""

    async def again(self, src: str, dst: str, *, overwrite: bool) -> None:
        await self.delete(dst, missing_ok=True)


@mutant("ACROSS-008", "left something else than its error says", without=OVER_A_WIRE)
class SaysThatNothingWasDone(_AsksAgain):
    """An answer that does not come is an attempt that was not made."""

    async def again(self, src: str, dst: str, *, overwrite: bool) -> None:
        msg = f"the service does not answer: {src}"
        raise BackendUnavailable(msg, path=src, backend=self.name)


@mutant("ACROSS-009", "passed through the client", without=OVER_A_WIRE)
class ReadsAndWrites(CopyingClient):
    """The copy is a read and a write, for which nobody needs it."""

    async def ask_for_copy(self, src: str, dst: str, *, overwrite: bool) -> None:
        await self.write(dst, await self.read_bytes(src), overwrite=overwrite)
