"""Backends whose errors do not say what they should."""

from __future__ import annotations

import logging

from remote_store import AlreadyExists, FileInfo, InvalidPath, NotFound
from remote_store.authoring import is_a_folder
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import ReferenceBackend
from remote_store_conformance_selftest.tree import File

_log = logging.getLogger("remote_store_conformance.mutant")

_SECRET = "hunter2-secret"  # noqa: S105 - the point of the mutants that give it away
_SECRETS = {"secrets": (_SECRET,)}


class _ServiceError(Exception):
    """An exception of a service's own library."""


@mutant("ERR-001", "no RemoteStoreError", "_ServiceError")
class LeaksTheSdk(ReferenceBackend):
    """One operation lets the exceptions of the service's library through."""

    async def get_file_info(self, path: str) -> FileInfo:
        if self.key(path) not in self.tree.files:
            raise _ServiceError("404 BlobNotFound")
        return await super().get_file_info(path)


@mutant("ERR-001", "no RemoteStoreError", "FileNotFoundError")
class RaisesTheBuiltin(ReferenceBackend):
    """A missing file raises the builtin FileNotFoundError."""

    async def read_bytes(self, path: str) -> bytes:
        if self.key(path) not in self.tree.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return await super().read_bytes(path)


@mutant("ERR-001", "no RemoteStoreError", "KeyError")
class TripsOverTheMissingEntry(ReferenceBackend):
    """A delete of a missing file raises the KeyError of a cache."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        if not missing_ok and self.key(path) not in {*self.tree.files, *self.tree.folders}:
            del self.tree.files[self.key(path)]
        await super().delete(path, missing_ok=missing_ok)


@mutant("ERR-002", "has not the backend's name")
class Anonymous(ReferenceBackend):
    """Errors for missing files do not say which backend raised them."""

    def missing(self, path: str) -> NotFound:
        return NotFound(f"not found: {path}", path=path)


@mutant("ERR-002", "has not the path", "AlreadyExists", "an existing file as its target")
class PutsThePathIntoTheMessageOnly(ReferenceBackend):
    """The path is part of the message, but no attribute of the error."""

    def check_target(self, path: str, *, overwrite: bool) -> str:
        try:
            return super().check_target(path, overwrite=overwrite)
        except AlreadyExists as error:
            raise AlreadyExists(str(error.args[0]), backend=self.name) from error


class _DetailedInvalidPath(InvalidPath):
    """An error with an argument of its own, which unpickling does not know of."""

    def __init__(self, what: str, path: str, backend: str) -> None:
        super().__init__(f"{what}: {path}", path=path, backend=backend)

    def __reduce__(self) -> tuple[object, ...]:
        # As an exception class without a __reduce__ of its own does.
        return type(self), self.args


@mutant("ERR-003", "cannot be pickled", "TypeError")
class HasErrorsOfItsOwn(ReferenceBackend):
    """A subclass of an error takes arguments that unpickling does not hand over."""

    def file(self, path: str) -> File:
        try:
            return super().file(path)
        except InvalidPath as error:
            raise _DetailedInvalidPath("exists as a directory", path, self.name) from error


@mutant("ERR-004", "a secret of the target", "repr", target=_SECRETS)
class ShowsItsKey(ReferenceBackend):
    """The repr of the backend shows the key that it was opened with."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(account_key={_SECRET!r})"


@mutant("ERR-004", "a secret of the target", "traceback", target=_SECRETS)
class ShowsTheSignedUrl(ReferenceBackend):
    """The cause of an error holds the signed URL of the request."""

    def file(self, path: str) -> File:
        try:
            return super().file(path)
        except NotFound as error:
            cause = _ServiceError(f"GET https://host/{path}?sig={_SECRET}: 404")
            raise self.missing(path) from (error.__cause__ or cause)


@mutant("ERR-004", "a secret of the target", "log record", target=_SECRETS)
class LogsItsRequests(ReferenceBackend):
    """Requests are logged with all of their headers."""

    async def exists(self, path: str) -> bool:
        _log.debug("HEAD %s Authorization: %s", path, _SECRET)
        return await super().exists(path)


@mutant("ERR-005", "does not contain the path")
class SaysNotFound(ReferenceBackend):
    """The message for a missing file is that of the service, which names nothing."""

    def missing(self, path: str) -> NotFound:
        return NotFound("The specified blob does not exist.", backend=self.name)


@mutant("ERR-006", "not its __cause__")
class HidesTheCause(ReferenceBackend):
    """Errors are mapped with 'from None': what the service said is gone."""

    def file(self, path: str) -> File:
        try:
            return self.tree.files[self.key(path)]
        except KeyError:
            if self.tree.is_folder(self.key(path)):
                raise is_a_folder(path, self.name) from None
            raise self.missing(path) from None
