"""Backends that get names wrong."""

from __future__ import annotations

import fnmatch
import unicodedata
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote, unquote

from attrs import evolve

from remote_store import FolderEntry, RemotePath, ResolutionPlan, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content, File, ReferenceBackend


@mutant("PATH-001", "the result of a write", "is not the key")
class ReportsTheNativePath(ReferenceBackend):
    """The result of a write carries the path with the container in front."""

    def result(self, key: str, file: File) -> WriteResult:
        return evolve(super().result(key, file), path=RemotePath(f"container/{key}"))


@mutant("PATH-002", "'..' segment", "nothing was raised")
class ResolvesDotDot(ReferenceBackend):
    """A '..' segment is resolved instead of refused."""

    def key(self, path: str) -> str:
        segments: list[str] = []
        for segment in path.split("/"):
            if segment == "..":
                del segments[-1:]
            else:
                segments.append(segment)
        return super().key("/".join(segments))


@mutant("PATH-002", "leading slash")
class StripsTheLeadingSlash(ReferenceBackend):
    """A leading slash is dropped instead of refused."""

    def key(self, path: str) -> str:
        return super().key(path.lstrip("/") if path.strip("/") else path)


@mutant("PATH-002", "a backslash", "nothing was raised")
class TakesABackslashForASlash(ReferenceBackend):
    """A backslash is taken for a slash instead of refused."""

    def key(self, path: str) -> str:
        return super().key(path.replace("\\", "/"))


@mutant("PATH-002", "a NUL", "ValueError")
class LeavesTheNulToTheSystem(ReferenceBackend):
    """A NUL is left to the operating system, whose ValueError comes out."""

    def key(self, path: str) -> str:
        if "\0" in path:
            msg = "embedded null byte"
            raise ValueError(msg)
        return super().key(path)


@mutant("PATH-003", "'a b' lies something else")
class DecodesNames(ReferenceBackend):
    """Names are percent-decoded on their way to the storage."""

    def key(self, path: str) -> str:
        return super().key(unquote(path))


@mutant("PATH-003", "'a?b'")
class PutsNamesIntoUrls(ReferenceBackend):
    """Names are put into URLs as they are, so that what follows a '?' is taken for a query."""

    def key(self, path: str) -> str:
        return super().key(path.partition("?")[0])


@mutant("PATH-004", "Unicode normal form")
class NormalisesUnicode(ReferenceBackend):
    """Names are brought to NFC."""

    def key(self, path: str) -> str:
        return super().key(unicodedata.normalize("NFC", path))


@mutant("PATH-005", "OSError")
class LeaksTheSystemsLimit(ReferenceBackend):
    """A name that is too long raises the operating system's own error."""

    def key(self, path: str) -> str:
        if max(map(len, path.split("/"))) > 255:
            msg = "File name too long"
            raise OSError(36, msg, path)
        return super().key(path)


@mutant("PATH-005", "accepted, but is not there")
class CutsLongNames(ReferenceBackend):
    """Names are cut at 255 characters."""

    def key(self, path: str) -> str:
        return super().key("/".join(segment[:255] for segment in path.split("/")))


@mutant("PATH-006", "differ only in case")
class FoldsCase(ReferenceBackend):
    """Names are compared without regard to case."""

    def key(self, path: str) -> str:
        return super().key(path.lower())


@mutant("PATH-007", "wildcards")
class LooksWithPatterns(ReferenceBackend):
    """Whether a file is there is asked with a function that takes patterns."""

    async def is_file(self, path: str) -> bool:
        self.check_open(path)
        return bool(fnmatch.filter(self.tree.files, self.key(path)))


@mutant("PATH-007", "deleted something else")
class DeletesByPattern(ReferenceBackend):
    """A recursive delete hands the path to a function that takes patterns."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        for other in fnmatch.filter(self.tree.files, f"{key}/*") if recursive else []:
            del self.tree.files[other]
        super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)


@mutant("PATH-008", "'.' is the root")
class KnowsOneRoot(ReferenceBackend):
    """Only the empty key is taken for the root."""

    def key(self, path: str) -> str:
        return "." if path == "." else super().key(path)


@mutant("PATH-008", "list_folders('.')")
class ListsBelowTheDot(ReferenceBackend):
    """A listing of '.' looks for keys that start with './'."""

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        if path != ".":
            async for entry in super().list_folders(path):
                yield entry


@mutant("PATH-009", "to_key(native_path(path))")
class QuotesOneWay(ReferenceBackend):
    """Native paths are quoted, and keys made from them are not unquoted."""

    def native_path(self, path: str) -> str:
        return quote(path)


@mutant("PATH-009", "resolve and native_path disagree")
class PlansTheKey(ReferenceBackend):
    """Native paths name the container, but the plan of resolve has the bare key."""

    def native_path(self, path: str) -> str:
        return f"container/{path}" if path else "container"

    def to_key(self, native_path: str) -> str:
        return native_path.removeprefix("container").removeprefix("/")

    def resolve(self, path: str) -> ResolutionPlan:
        return ResolutionPlan(self.name, self.name, path, path, {})


@mutant("PATH-010", "UnicodeEncodeError")
class LeaksTheEncodingError(ReferenceBackend):
    """A name without a UTF-8 form raises UnicodeEncodeError."""

    def key(self, path: str) -> str:
        path.encode()
        return super().key(path)


@mutant("PATH-010", "is not there under this name")
class DropsTrailingDots(ReferenceBackend):
    """The service drops the dots that a segment ends in, and the backend lets it."""

    def key(self, path: str) -> str:
        names = [s if s in (".", "..") else s.rstrip(".") for s in path.split("/")]
        return super().key("/".join(names))


@mutant("PATH-011", "delete(path)", "NotFound")
class MissesTheRoot(ReferenceBackend):
    """Deleting the root as a file says that nothing is there."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        if not self.key(path):
            raise self.missing(path)
        await super().delete(path, missing_ok=missing_ok)


@mutant("PATH-011", "'./'", "took from the content")
class LooksForTheRootTooLate(ReferenceBackend):
    """Only the exact spellings of the root are refused before the content is read."""

    async def store(
        self, path: str, content: Content, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        if path not in ("", "."):
            content = await self.gather(content)
        return await super().store(path, content, overwrite, metadata)


@mutant("PATH-011", "NotFound", "by copy(")
class LooksForTheSourceFirst(ReferenceBackend):
    """A move or copy to the root looks for the source first."""

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> None:
        self.file(src)
        super().transfer(src, dst, overwrite=overwrite, keep=keep)
