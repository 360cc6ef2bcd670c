"""Backends that lie about what they can do."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    FileInfo,
    FolderInfo,
    WriteResult,
)
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import ALL, Content, ReferenceBackend

C = Capability


@mutant("CAP-001", "changed after the first use")
class DiscoversOnFirstUse(ReferenceBackend):
    """The capabilities shrink once the service was asked what it can do."""

    _asked = False

    @property
    def capabilities(self) -> CapabilitySet:
        return CapabilitySet(ALL - {C.GLOB}) if self._asked else ALL

    async def exists(self, path: str) -> bool:
        # The kit's own survey asks for the root.
        self._asked = bool(path)
        return await super().exists(path)


@mutant("CAP-001", "CAPABILITIES")
class ClassSaysLess(ReferenceBackend):
    """The instance declares more than the class attribute admits."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet({C.READ, C.WRITE})


@mutant("CAP-001", "not a CapabilitySet")
class PlainSet(ReferenceBackend):
    """The capabilities are a plain set, without the methods of a CapabilitySet."""

    @property
    def capabilities(self) -> CapabilitySet:
        return set(ALL)  # type: ignore[return-value]


@mutant("CAP-002", "not at the call", without=[C.GLOB])
class DeclaresMoreLater(ReferenceBackend):
    """Later instances declare what the first one did not."""

    _made = itertools.count()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._number = next(self._made)

    @property
    def capabilities(self) -> CapabilitySet:
        return ALL if self._number else self._declared


@mutant("CAP-006", "acted first", without=[C.DELETE])
class DeletesThenRefuses(ReferenceBackend):
    """A delete that is not declared deletes, and then refuses."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        self.tree.files.pop(self.key(path), None)
        await super().delete(path, missing_ok=missing_ok)


@mutant("CAP-006", "took from the content", without=[C.WRITE])
class DrainsThenRefuses(ReferenceBackend):
    """A write that is not declared reads its content before it refuses."""

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        whole = await self.gather(content)
        return await super().write(path, whole, overwrite=overwrite, metadata=metadata)


@mutant("CAP-007", "under-declared", "COPY", without=[C.COPY])
class QuietlyCopies(ReferenceBackend):
    """A copy works although COPY is not declared."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self.transfer(src, dst, overwrite=overwrite, keep=True)


@mutant("CAP-008", "GLOB is declared", "CapabilityNotSupported")
class ClaimsGlob(ReferenceBackend):
    """GLOB is declared, but the protocol's default answers, which refuses."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        raise CapabilityNotSupported("no glob", backend=self.name, capability="glob")
        yield


@mutant("CAP-008", "COPY is declared", "NotImplementedError")
class ForgotCopy(ReferenceBackend):
    """COPY is declared, but was never written."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        raise NotImplementedError


@mutant("CAP-009", "dropped metadata in silence", without=[C.USER_METADATA])
class DropsMetadata(ReferenceBackend):
    """Metadata that cannot be kept is dropped without a word."""

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        return await super().write(path, content, overwrite=overwrite)


@mutant("CAP-009", "read before the metadata", without=[C.USER_METADATA])
class RefusesMetadataLate(ReferenceBackend):
    """Metadata is refused only after the content was read."""

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        whole = await self.gather(content)
        return await super().write(path, whole, overwrite=overwrite, metadata=metadata)


@mutant("CAP-010", "is refused, although", without=[C.LIST])
class FolderNeedsList(ReferenceBackend):
    """A look for a folder is built on the listing, and refused with it."""

    async def is_folder(self, path: str) -> bool:
        self.require(C.LIST, path)
        return await super().is_folder(path)


@mutant("CAP-011", "not the same")
class NumberedName(ReferenceBackend):
    """Every instance has a name of its own."""

    _numbers = itertools.count()

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._number = next(self._numbers)

    @property
    def name(self) -> str:
        return f"reference-{self._number}"


@mutant("CAP-012", "wrong exception", "NotImplementedError", without=[C.MOVE])
class RawNotImplemented(ReferenceBackend):
    """An undeclared move raises the builtin NotImplementedError."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        raise NotImplementedError("move")


@mutant("CAP-012", "names the wrong capability", without=[C.METADATA])
class BlamesAnother(ReferenceBackend):
    """An undeclared operation refuses with the name of another capability."""

    async def get_folder_info(self, path: str) -> FolderInfo:
        raise CapabilityNotSupported("no", backend=self.name, capability=C.LIST.value)

    async def get_file_info(self, path: str) -> FileInfo:
        raise CapabilityNotSupported("no", backend=self.name, capability=C.LIST.value)
