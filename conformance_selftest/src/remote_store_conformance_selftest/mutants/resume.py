"""Clients that go on with large files badly."""

from __future__ import annotations

from typing import Any, ClassVar

from remote_store import BackendUnavailable, RemotePath, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content
from remote_store_conformance_selftest.reference_resume import PARTS, SMALL, ResumingBackend


@mutant("RESUME-001", "sent everything again", without=PARTS, target=SMALL)
class BeginsAnew(ResumingBackend):
    """What is there is not looked at."""

    def is_there(self, left: set[str], number: int, part: bytes) -> bool:
        return False


@mutant("RESUME-001", "half of a file is there", without=PARTS, target=SMALL)
class MakesAFileOfEachPart(ResumingBackend):
    """What has arrived is put together each time, so that it can be added to."""

    async def call(self, method: str, content: Content | None = None, **arguments: Any) -> Any:
        if method in ("stage", "put_together"):
            arguments["overwrite"] = True
        value = await super().call(method, content, **arguments)
        if method == "stage" and arguments["number"] == 1:
            await super().call("write", content, path=arguments["path"], overwrite=True)
        return value


@mutant("RESUME-001", "a write returned", without=PARTS, target=SMALL)
class CallsItDoneForNow(ResumingBackend):
    """A write whose rest has to wait for the next run returns."""

    async def write(self, path: str, content: Content, **options: Any) -> WriteResult:
        try:
            return await super().write(path, content, **options)
        except BackendUnavailable:
            return WriteResult(RemotePath(path), 0)


@mutant("RESUME-002", "does not have the content", without=PARTS, target=SMALL)
class GoesByNumbers(ResumingBackend):
    """A part of which there is one of that number is taken for sent."""

    def is_there(self, left: set[str], number: int, part: bytes) -> bool:
        return any(each.startswith(f"{number} ") for each in left)


@mutant("RESUME-002", "changed at byte", "does not have the content", without=PARTS, target=SMALL)
class GoesBySizes(ResumingBackend):
    """A part of that number and size is taken for sent."""

    def is_there(self, left: set[str], number: int, part: bytes) -> bool:
        return any(each.startswith(f"{number} {len(part)} ") for each in left)


@mutant("RESUME-002", "does not have the content", without=PARTS, target=SMALL)
class PutsWhatWasThereFirst(ResumingBackend):
    """Parts are put together in the order in which they came."""

    sent: ClassVar[list[int]] = []

    async def write(self, path: str, content: Content, **options: Any) -> WriteResult:
        self.sent.clear()
        return await super().write(path, content, **options)

    def is_there(self, left: set[str], number: int, part: bytes) -> bool:
        found = super().is_there(left, number, part)
        if not found:
            self.sent.append(number)
        return found

    async def together(
        self, path: str, numbers: list[int], left: set[str], **options: Any
    ) -> WriteResult:
        ordered = [*(n for n in numbers if n not in self.sent), *self.sent]
        return await super().together(path, ordered, left, **options)


@mutant("RESUME-002", "does not have the content", without=PARTS, target=SMALL)
class AddsWhatIsLeftOver(ResumingBackend):
    """All parts that are there are put together, those behind the end too."""

    async def together(
        self, path: str, numbers: list[int], left: set[str], **options: Any
    ) -> WriteResult:
        more = sorted(int(each.partition(" ")[0]) for each in left)
        numbers = [*numbers, *(n for n in more if n > len(numbers))]
        return await super().together(path, numbers, left, **options)


@mutant("RESUME-003", "kept the metadata of the one", without=PARTS, target=SMALL)
class KeepsTheFirstMetadata(ResumingBackend):
    """Metadata are given with the first part, and stay."""

    async def together(
        self, path: str, numbers: list[int], left: set[str], **options: Any
    ) -> WriteResult:
        first = await self.call("first_metadata", path=path)
        options["metadata"] = dict(zip(first[::2], first[1::2], strict=True)) or None
        return await super().together(path, numbers, left, **options)


@mutant("RESUME-004", "AlreadyExists", without=PARTS, target=SMALL)
class OverwritesWhenItGoesOn(ResumingBackend):
    """What is gone on with is wanted, so that it replaces what is there."""

    async def write(
        self, path: str, content: Content, *, resume: bool = False, **options: Any
    ) -> WriteResult:
        options = {**options, "overwrite": True} if resume else options
        return await super().write(path, content, resume=resume, **options)


@mutant("RESUME-004", "left something else", without=PARTS, target=SMALL)
class MakesNothingOfNothing(ResumingBackend):
    """Without a part there is nothing to put together."""

    async def together(
        self, path: str, numbers: list[int], left: set[str], **options: Any
    ) -> WriteResult:
        if not numbers:
            return WriteResult(RemotePath(path), 0)
        return await super().together(path, numbers, left, **options)
