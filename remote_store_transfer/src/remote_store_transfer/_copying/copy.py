"""
The copy of one file: one version or none.

The source is looked at again after the last byte and before the commit,
except where a small file of a store with version tokens came in one read,
which is one version. A target that is to be replaced is named by its version,
which the store compares when it commits; one that knows no conditions is
looked at directly before. Raised inside of a write, what was found leaves the
target as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from attrs import evolve

from remote_store import (
    Capability,
    CapabilityNotSupported,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
    WriteResult,
)
from remote_store.authoring import cannot_copy_from, known_path
from remote_store_transfer._copying.arrival import Answer, Arrival
from remote_store_transfer._copying.changed import (
    SourceChanged,
    check_content,
    hash_for,
    of_source,
    of_target,
)
from remote_store_transfer._copying.rest import rests
from remote_store_transfer._copying.target import Target
from remote_store_transfer._listing.side import DISK, Side
from remote_store_transfer._listing.this_machine import this_machine
from remote_store_transfer._planning.contents import same_content
from remote_store_transfer._planning.equality import DOUBT, OURS, TIME, kept, source_time
from remote_store_transfer._shortcuts import copies_from, copies_many_from
from remote_store_transfer._values import Action, Version, same_version, version_of

__all__ = ["Copier"]

#: Bytes up to which a file is read in one call.
WHOLE: Final = 1 << 20
#: Bytes up to which a file may be copied together with others: asking takes longer.
_SMALL: Final = 1 << 18


class Copier:
    """
    Copies files from one side to another.

    Args:
        source: Where from.
        target: Where to.
        one_store: Both are one store, which may copy by itself.
        metadata: Take user metadata and content headers along.
        exact: The source must be the version that the plan saw: here, it may be another
            folder of the same name.
    """

    def __init__(
        self, source: Side, target: Side, *, one_store: bool, metadata: bool, exact: bool = False
    ) -> None:
        self._source = source
        self._target = target
        self.target = Target(target)
        self._one_store = one_store
        self.exact = exact
        self._source_files = this_machine(source.store)
        self._target_files = this_machine(target.store)
        self._asks = source.store.supports(Capability.METADATA)
        self._keeps = target.store.supports(Capability.USER_METADATA)
        self._resumes = target.store.supports(Capability.RESUMABLE_WRITE)
        self._metadata = metadata and source.store.supports(Capability.USER_METADATA)
        self._headers = metadata and all(
            side.store.supports(Capability.CONTENT_HEADERS) for side in (source, target)
        )
        #: Whether the storage may copy by itself; all that a file has goes along.
        self._storage_copies = metadata and all(
            side.store.supports(Capability.COPY) for side in (source, target)
        )
        self._copies_many = not exact and copies_many_from(target.store, source.store)

    def goes_with_others(self, action: Action) -> bool:
        """Return True if a file may be copied together with others, by `copy_many`."""
        seen = action.source
        if not self._copies_many or seen is None or action.kind != "copy" or seen.size > _SMALL:
            return False
        named = seen.etag is not None and self.target.matches  # one by one the version is named
        return not named and rests(seen) <= 0 and self._asks_storage(seen, None)

    async def copy_many(self, actions: Sequence[Action]) -> list[Arrival | Answer] | None:
        """
        Have the storage copy files together, if it does that.

        Args:
            actions: Those for which `goes_with_others` is true.

        Returns:
            For each, that it has arrived, or what `copy` needs to know to go on. None if
            they have to be copied one by one: nothing was done.
        """
        source, target = self._source, self._target
        pairs = [
            (known_path(source.at(action.path)), known_path(target.at(action.path)))
            for action in actions
        ]
        found: Sequence[WriteResult | RemoteStoreError | None]
        try:
            found = await target.store.copy_many_from(source.store, pairs)
        except CapabilityNotSupported:
            self._copies_many = False
            return None
        except RemoteStoreError as error:
            found = [error] * len(pairs)
        answers: list[Arrival | Answer] = []
        for action, result in zip(actions, found, strict=True):
            if isinstance(result, RemoteStoreError):
                answers.append(Answer(None, result))
            elif action.source is not None and self._is_copy(action.source, result):
                answers.append(Arrival(action.size))
            else:
                answers.append(Answer(result))
        return answers

    async def copy(
        self,
        path: str,
        seen: Version,
        replacing: Version | None,
        advance: Callable[[int], None],
        answer: Answer | None = None,
    ) -> Arrival:
        """
        Copy one version of a file.

        Args:
            path: Relative path.
            seen: The source's version as it was seen.
            replacing: The target's version that may be replaced; None where
                there must be none.
            advance: Answer how many more bytes were read.
            answer: What came of the first attempt, if `copy_many` has made that.

        Raises:
            SourceChanged: The source is another version; nothing was written.
            TargetChanged: The target is; nothing was written.
            AlreadyExists: A target is there, and *replacing* None.
            RemoteStoreError: As the stores raise it.
        """
        await self._let_rest(seen)
        asked = answer is not None or self._asks_storage(seen, replacing)
        if asked:
            arrival = await self._have_copied(path, seen, replacing, advance, answer)
            if arrival is not None:
                return arrival
        # Times are compared as the listing told them, so that only its own metadata count there.
        told = seen
        if seen.size <= WHOLE:
            body = await self._source.store.read_bytes(self._source.at(path))
            advance(len(body))
            check_content(self._source.at(path), seen, len(body), hash_for(seen, body))
            unknown = await self._may_have_more(path, seen)
            if seen.etag is None or unknown or self.exact:
                told = await self._confirm(path, seen, fetch=unknown)
            match = await self.target.condition(path, replacing)
            if match is None:
                await self.target.confirm(path, replacing)
            result = await self._write(path, body, seen, told, replacing, match)
        else:
            if await self._may_have_more(path, seen):
                told = await self._confirm(path, seen, fetch=True)
            match = await self.target.condition(path, replacing)
            content = self._content(path, seen, replacing if match is None else None, advance)
            result = await self._write(path, content, seen, told, replacing, match)
        if result.size != seen.size:
            path = self._target.at(path)
            msg = f"{path!r} has {result.size} bytes after the copy, but {seen.size} were sent"
            raise RemoteStoreError(msg, path=path)
        if asked:  # it refused, and here it worked: that is of the stores and not of this file
            self._storage_copies = False
        left_out = bool(told.metadata) and self._metadata and not self._keeps
        return Arrival(
            seen.size, left_out, time_left_out=not await self._restore(path, seen, result)
        )

    async def look(self, path: str, like: Version) -> Version:
        """
        Return the source's present version.

        Args:
            path: Relative path.
            like: What a listing told of it; where that has no user metadata,
                neither has the result, so that both are compared alike later.

        Raises:
            NotFound: It is gone.
            CapabilityNotSupported: The store tells nothing of single files.
        """
        version = version_of(await self._source.store.get_file_info(self._source.at(path)))
        return version if like.metadata else evolve(version, metadata=None)

    async def take_back(self, path: str, arrived: Version) -> None:
        """
        Remove what has arrived of a later version than was seen, where it may be two in one.

        That is on this machine, where a file that has not rested may be copied in the
        middle of a write. A service copies one version.
        """
        if self._target_files is not None:
            with contextlib.suppress(RemoteStoreError):  # it is somebody else's by now
                await self.target.delete(path, arrived)

    async def left_before(self, path: str, seen: Version) -> Arrival | None:
        """
        Return what a copy left in the target whose maker could not tell; None if none did.

        It is known by what is kept with it or, where that says nothing, by its content.

        Args:
            path: Relative path.
            seen: The source's version that was copied.

        Raises:
            SourceChanged: The source is another one, and its content was needed.
            RemoteStoreError: As the stores raise it.
        """
        there = await self.target.arrived(path)
        if there is None or there.size != seen.size:
            return None
        record = {key: text for key, text in (there.metadata or {}).items() if key in OURS}
        if record:
            expected = kept(seen, None, ours=True) or {}
            return Arrival(seen.size) if record.items() <= expected.items() else None
        if self._target_files is not None and there.modified_at == source_time(seen) is not None:
            return Arrival(seen.size)
        if not await same_content(self._source, self._target, path):
            return None
        await self._confirm(path, seen, fetch=False)
        return Arrival(seen.size, time_left_out=not await self._restore(path, seen, None))

    # The parts of a copy ----------------------------------------------------

    async def _let_rest(self, seen: Version) -> None:
        """Wait until whoever changed the source last is done, and a change would be seen."""
        if (wait := rests(seen)) > 0:
            await asyncio.sleep(wait)

    async def _content(
        self,
        path: str,
        seen: Version,
        looking: Version | None,
        advance: Callable[[int], None],
    ) -> AsyncGenerator[bytes, None]:
        digest = hash_for(seen)
        total = 0
        chunks = self._source.store.read(self._source.at(path))
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                total += len(chunk)
                if total > seen.size:
                    break
                if digest is not None:
                    digest.update(chunk)
                advance(len(chunk))
                yield chunk
        check_content(self._source.at(path), seen, total, digest)
        await self._confirm(path, seen, fetch=False)
        await self.target.confirm(path, looking)

    async def _write(
        self,
        path: str,
        content: bytes | AsyncGenerator[bytes, None],
        seen: Version,
        told: Version,
        replacing: Version | None,
        match: str | None,
    ) -> WriteResult:
        metadata = told.metadata if self._metadata else None
        # What is restored need not be kept as well.
        ours = self._target_files is None
        with of_target(self._target.at(path), match):
            return await self._target.store.write(
                self._target.at(path),
                content,
                overwrite=replacing is not None,
                metadata=kept(seen, metadata, ours=ours) if self._keeps else None,
                if_match=match,
                headers=told.headers if self._headers else None,
                # What comes in one piece has no parts that could be left.
                resume=self._resumes and not isinstance(content, bytes),
            )

    def _asks_storage(self, seen: Version, replacing: Version | None) -> bool:
        """
        Return True where the storage may copy by itself.

        One version of a target is replaced by a write alone. And where a copy keeps no
        record of its source's time, the next run would take that of a new file for
        older; only the first files of a run are ever that new.
        """
        if not self._storage_copies:
            return False
        if replacing is not None and (self.target.matches or self._target_files is not None):
            return False
        if self._target_files is not None or seen.digest is not None:
            return True
        if seen.modified_at is None or TIME in (seen.metadata or {}):
            return True
        if self._one_store and seen.modified_at.microsecond:  # one clock, and a fine one
            return True
        return abs(datetime.now(UTC) - seen.modified_at) >= DOUBT

    async def _have_copied(
        self,
        path: str,
        seen: Version,
        replacing: Version | None,
        advance: Callable[[int], None],
        answer: Answer | None,
    ) -> Arrival | None:
        """
        Have the storage copy by itself; None if it does not, and nothing was done.

        A refusal for want of rights may be about this way alone: a service that
        copies wants some for tags and keys that reading and writing do not need,
        or reads the source from an address that is locked out. Each store then
        decides by itself what its credentials may.
        """
        if self.exact:
            await self._confirm(path, seen, fetch=False)
        await self.target.confirm(path, replacing)
        src, dst, overwrite = self._source.at(path), self._target.at(path), replacing is not None
        match = seen.etag if self.target.matches else None
        try:
            with of_source(src, match):
                if answer is None:
                    copied = await self._storage_copy(src, dst, overwrite, match)
                else:
                    copied = answer.get()
        except CapabilityNotSupported:
            return None
        except PermissionDenied as error:
            if error.outcome_unknown:  # it may be there, and a write would meet it
                raise
            return None
        return await self._settle(path, seen, copied, advance, pinned=match is not None)

    async def _storage_copy(
        self, src: str, dst: str, overwrite: bool, match: str | None
    ) -> WriteResult | None:
        source, target = self._source.store, self._target.store
        try:
            if not copies_from(target, source):
                raise cannot_copy_from(dst, "transfer")
            return await target.copy_from(source, src, dst, overwrite=overwrite, if_match=match)
        except CapabilityNotSupported:
            if not self._one_store:
                raise
        await source.copy(src, dst, overwrite=overwrite, if_match=match)
        return None

    async def _settle(
        self,
        path: str,
        seen: Version,
        copied: WriteResult | None,
        advance: Callable[[int], None],
        *,
        pinned: bool,
    ) -> Arrival:
        """
        Look at what a storage has copied by itself.

        It is one version, but unless that was *pinned* it may be a later one,
        which the next run would not see by the times. On this machine a copy
        has the time of its source, and tells which one it is.
        """
        advance(seen.size)
        if self._is_copy(seen, copied):
            return Arrival(seen.size)
        try:
            if not pinned:
                await self._confirm(path, seen, fetch=False)
        except SourceChanged as error:
            error.outcome_unknown = True
            if copied is not None:
                error.arrived = Version(copied.size, copied.last_modified, copied.etag)
            raise
        return Arrival(seen.size, time_left_out=not await self._restore(path, seen, copied))

    def _is_copy(self, seen: Version, copied: WriteResult | None) -> bool:
        """Return True if what was copied tells by its time that it is what was seen."""
        if self._target_files is None or copied is None or seen.modified_at is None:
            return False
        known = (copied.size, copied.last_modified) == (seen.size, seen.modified_at)
        return known and source_time(seen) == seen.modified_at

    async def _may_have_more(self, path: str, seen: Version) -> bool:
        """Return True if a file may have user metadata or headers, of which a listing told none."""
        if not self._asks:
            return False
        if self._headers and seen.headers is None:
            return True
        if seen.metadata or not (self._metadata and self._keeps):
            return False
        if self._source_files is None:
            return True
        return await DISK.query(self._source_files.may_have_metadata, self._source.at(path))

    async def _confirm(self, path: str, seen: Version, *, fetch: bool) -> Version:
        """
        Look at the source again.

        Args:
            path: Relative path.
            seen: What it has to be.
            fetch: Whether user metadata and headers are wanted.

        Returns:
            The version that was seen, with those of them that are wanted or came for nothing.

        Raises:
            SourceChanged: It is another version, or gone.
        """
        now: Version | None = None
        if self._source_files is not None and not fetch:
            now = await DISK.query(self._source_files.look, self._source.at(path))
        if now is None:
            if not self._asks:
                return seen
            try:
                info = await self._source.store.get_file_info(self._source.at(path))
            except NotFound as error:
                path = self._source.at(path)
                msg = f"{path!r} was removed while it was copied"
                raise SourceChanged(msg, path=path) from error
            now = version_of(info)
        if not same_version(seen, now):
            path = self._source.at(path)
            msg = f"{path!r} changed while it was copied"
            raise SourceChanged(msg, path=path)
        return evolve(
            seen, metadata=now.metadata or seen.metadata, headers=now.headers or seen.headers
        )

    async def _restore(self, path: str, seen: Version, written: WriteResult | None) -> bool:
        time = source_time(seen)
        if self._target_files is None or time is None:
            return True
        return await DISK.mutate(
            self._target_files.restore_time, self._target.at(path), time, written
        )
