"""Backends that delete wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from remote_store import (
    CapabilityNotSupported,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    RemoteStoreError,
)
from remote_store.authoring import ancestor_is_file, cannot_delete_many
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import File, ReferenceBackend
from remote_store_conformance_selftest.reference_conditions import LACKS, ConditionalBackend

Refused = Mapping[str, RemoteStoreError]


@mutant("DEL-001", "still exists")
class HidesInsteadOfDeleting(ReferenceBackend):
    """A delete answers before the service has deleted anything, and nothing ever does."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        if not missing_ok:
            self.file(path)


@mutant("DEL-001", "other files are there")
class DeletesByPrefixOfTheName(ReferenceBackend):
    """A delete takes every key that begins with the path."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        await super().delete(path, missing_ok=missing_ok)
        for key in [k for k in self.tree.files if k.startswith(self.key(path))]:
            del self.tree.files[key]


@mutant("DEL-002", "nothing was raised")
class DeletesNothingGladly(ReferenceBackend):
    """Deleting a missing file succeeds, as the service has it."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        await super().delete(path, missing_ok=True)


@mutant("DEL-002", "InvalidPath", "path through a file")
class ComplainsOfTheWay(ReferenceBackend):
    """A path through a file is called invalid when it is deleted."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        if self.key(path).rpartition("/")[0] in self.tree.files:
            raise ancestor_is_file(path, self.name)
        await super().delete(path, missing_ok=missing_ok)


@mutant("DEL-003", "missing_ok=True", "nothing was raised")
class TakesAnyErrorForMissing(ReferenceBackend):
    """missing_ok swallows every error of a delete."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        try:
            await super().delete(path)
        except (NotFound, InvalidPath):
            if not missing_ok:
                raise


@mutant("DEL-003", "NotFound", flat=True)
class HandsOnThe404OfADelete(ReferenceBackend):
    """On a flat store the 404 of a folder is handed on without a second look."""

    def file(self, path: str) -> File:
        if self.key(path) not in self.tree.files:
            raise self.missing(path)
        return super().file(path)


@mutant("DEL-004", "nothing was raised")
class AlwaysDeletesTheTree(ReferenceBackend):
    """A folder is deleted with its content, recursive or not."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        super().remove_folder(path, key, recursive=True, missing_ok=missing_ok)


@mutant("DEL-004", "when a folder with an empty folder in it")
class LooksForFilesOnly(ReferenceBackend):
    """A folder counts as empty if no file is below it."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        bare = self.tree.is_folder(key) and not self.below(key)
        super().remove_folder(path, key, recursive=recursive or bare, missing_ok=missing_ok)


@mutant("DEL-004", "OSError")
class LeaksTheSystemsNotEmpty(ReferenceBackend):
    """A folder that is not empty raises the system's own error."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        try:
            super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)
        except DirectoryNotEmpty:
            raise OSError(39, "Directory not empty", path) from None


@mutant("DEL-005", "took something beside the folder")
class DeletesByPrefix(ReferenceBackend):
    """A recursive delete takes every key that begins with the folder's name."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)
        for other in [k for k in self.tree.files if k.startswith(key)] if recursive else []:
            del self.tree.files[other]


@mutant("DEL-005", "took something beside the folder")
class SplitsAtTheBlank(ReferenceBackend):
    """A recursive delete also takes neighbours whose name goes on after a blank."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)
        for other in [k for k in self.tree.files if k.startswith(f"{key} ")] if recursive else []:
            del self.tree.files[other]


@mutant("DEL-005", "left something")
class DeletesOneLevel(ReferenceBackend):
    """A recursive delete takes the files of the folder and not those further down."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        kept = {k: f for k, f in self.tree.files.items() if k.count("/") > key.count("/") + 2}
        super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)
        if recursive:
            self.tree.files.update(kept)


@mutant("DEL-006", "the backend's own root", "DirectoryNotEmpty")
class OnlyMindsTheContent(ReferenceBackend):
    """The root is protected by not being empty."""

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        if not self.key(path) and not recursive:
            raise DirectoryNotEmpty(f"folder not empty: {path}", path=path, backend=self.name)
        await super().delete_folder(path, recursive=recursive, missing_ok=missing_ok)


@mutant("DEL-007", "not exactly one succeeded")
class LooksAndThenDeletes(ReferenceBackend):
    """Whether the file is there is asked before, and the delete itself does not mind."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        if not missing_ok:
            self.file(path)
        await asyncio.sleep(0.0005)
        self.tree.files.pop(self.key(path), None)


@mutant("DEL-008", "removed a file that was being written")
class LooksAndThenDeletesTheTree(ReferenceBackend):
    """Whether the folder is empty is asked before a delete that takes the tree."""

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        key = self.key(path)
        if key and self.below(key) and not recursive:
            raise DirectoryNotEmpty(f"folder not empty: {path}", path=path, backend=self.name)
        await asyncio.sleep(0.0005)
        await super().delete_folder(path, recursive=True, missing_ok=missing_ok)


@mutant("DEL-009", "of a file", "nothing was raised")
class DeletesTheFileInstead(ReferenceBackend):
    """delete_folder of a file deletes the file."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        if self.tree.files.pop(key, None) is None:
            super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok)


@mutant("DEL-009", "a missing folder", "nothing was raised")
class RemovesMissingTrees(ReferenceBackend):
    """A recursive delete of a folder that is not there succeeds."""

    def remove_folder(self, path: str, key: str, *, recursive: bool, missing_ok: bool) -> None:
        super().remove_folder(path, key, recursive=recursive, missing_ok=missing_ok or recursive)


class _Together(ConditionalBackend):
    """One that has files deleted together."""

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Refused:
        found = await super().delete_many(paths, missing_ok=missing_ok, if_match=if_match)
        return await self.told(dict(found), list(paths))

    async def told(self, refused: dict[str, RemoteStoreError], paths: list[str]) -> Refused:
        return refused


@mutant("DEL-010", "missing_ok=False", "None", without=LACKS)
class BelievesTheBatch(_Together):
    """The batch of the service calls deleted what was missing, and so does the backend."""

    async def told(self, refused: dict[str, RemoteStoreError], paths: list[str]) -> Refused:
        return {k: e for k, e in refused.items() if not isinstance(e, NotFound)}


@mutant("DEL-010", "tells of a path what delete does not", "InvalidPath", without=LACKS)
class TakesFoldersForDone(_Together):
    """With missing_ok nobody looks whether a folder is there."""

    async def told(self, refused: dict[str, RemoteStoreError], paths: list[str]) -> Refused:
        return {k: e for k, e in refused.items() if not isinstance(e, InvalidPath)}


@mutant("DEL-010", "was refused, but acted first", without=LACKS)
class TriesAndThenDeclines(_Together):
    """A batch that was not carried out as a whole is handed back to be done one by one."""

    async def told(self, refused: dict[str, RemoteStoreError], paths: list[str]) -> Refused:
        if refused:
            raise cannot_delete_many(self.name)
        return {}


@mutant("DEL-010", "names the wrong capability", without=LACKS)
class DeclinesAllDeletions(ConditionalBackend):
    """What it cannot do for many it says that it cannot do at all."""

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Refused:
        raise CapabilityNotSupported("one by one", backend=self.name, capability="delete")


@mutant("DEL-010", "tells of a path what delete does not", without=LACKS)
class OneForAll(_Together):
    """What one path has is told of all."""

    async def told(self, refused: dict[str, RemoteStoreError], paths: list[str]) -> Refused:
        return dict.fromkeys(paths, next(iter(refused.values()))) if refused else {}


@mutant("DEL-010", "tells of a path what delete does not", without=LACKS)
class StopsAtTheFirstError(ConditionalBackend):
    """The first file that cannot be deleted keeps all that follow."""

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Refused:
        for path in paths:
            try:
                await self.delete(path, missing_ok=missing_ok)
            except RemoteStoreError as error:
                return {path: error}
        return {}


@mutant("DEL-010", "other files are there", without=LACKS)
class DeletesFoldersToo(_Together):
    """What is a folder is deleted with what is in it, though its path has an error."""

    async def told(self, refused: dict[str, RemoteStoreError], paths: list[str]) -> Refused:
        for path in refused:
            for key in [k for k in self.tree.files if k.startswith(f"{self.key(path)}/")]:
                del self.tree.files[key]
        return refused
