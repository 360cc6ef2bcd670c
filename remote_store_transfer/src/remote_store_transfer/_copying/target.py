"""The target of copies and deletions: which versions are there, and which may go."""

from __future__ import annotations

from collections.abc import Mapping

from remote_store import Capability, CapabilityNotSupported, NotFound, RemoteStoreError
from remote_store_transfer._copying.changed import about_target, of_target, other_target
from remote_store_transfer._listing.side import DISK, Side
from remote_store_transfer._listing.this_machine import this_machine
from remote_store_transfer._shortcuts import deletes_many
from remote_store_transfer._values import Version, same_version, version_of

__all__ = ["Target"]


class Target:
    """
    The side that is changed; no version goes but the one that was seen.

    Args:
        side: Where.
    """

    def __init__(self, side: Side) -> None:
        self._side = side
        self._files = this_machine(side.store)
        self._asks = side.store.supports(Capability.METADATA)
        #: Whether the store compares versions itself, when it commits.
        self.matches = side.store.supports(Capability.CONDITIONAL_WRITE)

    async def arrived(self, path: str) -> Version | None:
        """Return the version that a copy left in the target before it failed; None without one."""
        try:
            return version_of(await self._side.store.get_file_info(self._side.at(path)))
        except NotFound:
            return None

    async def delete(self, path: str, seen: Version) -> None:
        """
        Delete a file of the target, unless it is another version than was seen.

        Raises:
            TargetChanged: It is.
        """
        match = await self.condition(path, seen)
        if match is None:
            await self.confirm(path, seen)
        with of_target(self._side.at(path), match):
            await self._side.store.delete(self._side.at(path), missing_ok=True, if_match=match)

    async def delete_many(
        self, seen: Mapping[str, Version]
    ) -> Mapping[str, RemoteStoreError | None] | None:
        """
        Delete files of the target together, each unless it is another version than was seen.

        Args:
            seen: The versions, by path.

        Returns:
            What `delete` would raise for each path; None if they have to be
            deleted one by one: nothing was done.
        """
        paths = {self._side.at(path): path for path in seen}
        etags = {
            there: etag for there, path in paths.items() if (etag := seen[path].etag) is not None
        }
        store = self._side.store
        if not (self.matches and len(etags) == len(paths) and deletes_many(store)):
            return None  # something has to be looked at
        try:
            found = await store.delete_many(list(paths), missing_ok=True, if_match=etags)
        except CapabilityNotSupported:
            return None
        return {
            path: about_target(there, error)
            for (there, path), error in zip(paths.items(), found, strict=True)
        }

    async def condition(self, path: str, seen: Version | None) -> str | None:
        """
        Return the token of the target's version that may be replaced or deleted.

        None where that is not told by a token, or the store knows no conditions.

        Raises:
            TargetChanged: It is another version.
        """
        if seen is None or not self.matches:
            return None
        if seen.etag is not None:
            return seen.etag
        now = await self.arrived(path)  # a listing may not tell it
        if now is None:
            return None  # nobody's work is lost
        if not same_version(seen, now):
            raise other_target(self._side.at(path))
        return now.etag

    async def confirm(self, path: str, seen: Version | None) -> None:
        """
        Look at a target that is to be replaced or deleted, of a store without conditions.

        Between this and the commit somebody else may still write.
        """
        if seen is None:
            return
        now: Version | None = None
        if self._files is not None and seen.etag is None:
            now = await DISK.query(self._files.look, self._side.at(path))
        if now is None:
            if not self._asks:
                return
            now = await self.arrived(path)
            if now is None:
                return  # nobody's work is lost
        if not same_version(seen, now):
            raise other_target(self._side.at(path))
