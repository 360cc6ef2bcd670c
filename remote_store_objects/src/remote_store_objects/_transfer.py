"""
Copying and moving.

The service copies where it can; a condition on the target decides an exclusive
copy, and one on the source holds a move to the version that it removes
afterwards. What its `copy` cannot do is done by parts, and where there are
none the bytes pass through the client.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from attrs import Factory, field, frozen

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
)
from remote_store.authoring import cannot_copy_from, other_version
from remote_store_objects._deleting.delete import delete_version
from remote_store_objects._gates import refuse_unexclusive
from remote_store_objects._protocol.description import Condition
from remote_store_objects._protocol.values import ObjectInfo, StorageNotFound, TargetReplaced
from remote_store_objects._reading.probe import (
    absent,
    find,
    head,
    look_at_storage,
    refuse_target,
    source,
)
from remote_store_objects._reading.read import open_reading
from remote_store_objects._session.outcome import in_doubt, like
from remote_store_objects._session.session import Session
from remote_store_objects._writing.upload import Uploading, exclusive_refused, nothing_there
from remote_store_objects._writing.write import write

__all__ = ["across", "copy", "likeness", "move"]

#: Bytes of a part that the service copies by itself: nothing of it is in memory.
_PART: Final = 64 << 20


async def copy(
    session: Session,
    src: str,
    dst: str,
    *,
    overwrite: bool,
    reject_under_file: bool,
    if_match: str | None = None,
    origin: Session | None = None,
) -> None:
    """
    Copy whatever version of *src* there is, or that of *if_match*.

    Args:
        session: To ask; from `across` where *origin* is given.
        src: Key of the source.
        dst: Key of the target.
        overwrite: Replace an object at *dst*.
        reject_under_file: Look for files above *dst*, and for a folder at it.
        if_match: Version of the source.
        origin: Where *src* is, if that is another storage.

    Raises:
        NotFound: There is no source.
        StorageNotFound: One of the two storages is absent; the error says which.
        InvalidPath: The source is a folder.
        PreconditionFailed: It is another version than *if_match*.
        AlreadyExists: *overwrite* is False and there is an object at *dst*;
            with ``outcome_unknown`` if that may be what this copy has made.
        CapabilityNotSupported: The service cannot decide *overwrite* False.
    """
    if not overwrite:
        refuse_unexclusive(session, dst)
    origin = origin or session
    stays = src == dst and origin.description.location == session.description.location
    if stays or reject_under_file:
        _refuse_other(origin, src, await source(origin, src), if_match)
        if stays:
            return
        await refuse_target(session, dst)
    made = _Copy(session, src, dst, exclusive=not overwrite, etag=if_match, origin=origin)
    await made.run(None)


def across(session: Session, origin: Session, dst: str, *, exclusive: bool) -> Session:
    """
    Return what to ask for copies from another storage.

    Args:
        session: Of the storage that is copied to.
        origin: Of the other one, in the same event loop.
        dst: Key of the target.
        exclusive: The copies are to leave an object in their way as it is.

    Raises:
        CapabilityNotSupported: The service cannot make them.
    """
    description = session.description
    conditions = description.conditions
    at_once = description.copies and (not exclusive or Condition.COPY_IF_ABSENT in conditions)
    by_parts = (
        description.copy_parts
        and description.etags
        and Condition.COPY_IF_MATCH in conditions
        and (not exclusive or Condition.COMMIT_IF_ABSENT in conditions)
    )
    # Another class may be a wrapper, which hands out other content than is stored.
    if (at_once or by_parts) and type(session.service) is type(origin.service):
        service = session.service.with_sources_of(origin.service)
        if service is not None:
            return Session(service, description, session.retry, session.calls, session.sizes)
    why = "it has another endpoint, region or credential, or may be read by no other"
    raise cannot_copy_from(dst, session.name, why)


def _refuse_other(session: Session, src: str, info: ObjectInfo, if_match: str | None) -> None:
    if if_match is not None and info.etag != if_match:
        raise other_version(src, session.name)


async def move(
    session: Session,
    src: str,
    dst: str,
    *,
    overwrite: bool,
    reject_under_file: bool,
    if_match: str | None = None,
) -> None:
    """
    Copy one version of *src*, and remove that version once the copy is complete.

    Raises:
        NotFound, InvalidPath, AlreadyExists: As `copy`.
        CapabilityNotSupported: As `copy`; and if the service tells no versions.
        PreconditionFailed: The source is another version than *if_match*, and
            nothing was done; or it was changed or removed meanwhile: then
            nothing more of it is removed, and the copy may be there already
            (the message says so).
        RemoteStoreError: By the errors of the service. Where the source could
            not be removed, the message says that the copy is there, and
            ``outcome_unknown`` is True: the move has had an effect.
    """
    if not overwrite:
        refuse_unexclusive(session, dst)
    version = await source(session, src)
    _refuse_other(session, src, version, if_match)
    if src == dst:
        return
    if not session.description.etags or version.etag is None:
        msg = "the service does not tell versions, without which a move could lose a change"
        raise CapabilityNotSupported(msg, path=src, backend=session.name, capability="move")
    if reject_under_file:
        await refuse_target(session, dst)
    await _Copy(session, src, dst, exclusive=not overwrite, etag=version.etag).run(version)
    try:
        # Whatever becomes of the source: of the move as a whole something is done.
        with in_doubt(True):
            if not await delete_version(session, src, version.etag):
                msg = "The source of a move was changed or removed by somebody else"
                raise PreconditionFailed(msg, path=src, backend=session.name)
    except RemoteStoreError as error:
        error.args = (f"{error.args[0]}; the copy at {dst!r} is complete and stays",)
        raise


@frozen
class _Copy:
    """
    One copy.

    Args:
        session: To ask.
        src: Key of the source.
        dst: Key of the target.
        exclusive: Leave an object at *dst* as it is.
        etag: Version of the source; None for whichever there is.
        origin: Where the source is; by default *session*.
    """

    session: Session
    src: str
    dst: str
    exclusive: bool = field(kw_only=True)
    etag: str | None = field(default=None, kw_only=True)
    origin: Session = field(
        default=Factory(lambda self: self.session, takes_self=True), kw_only=True
    )

    async def run(self, info: ObjectInfo | None) -> None:
        """
        Make it, by the first way that keeps the conditions.

        Args:
            info: The source, if it is known already.
        """
        description = self.session.description
        conditions = description.conditions
        pins = self.etag is None or Condition.COPY_IF_MATCH in conditions
        fits = info is None or description.max_copy is None or info.size <= description.max_copy
        alone = not self.exclusive or Condition.COPY_IF_ABSENT in conditions
        if description.copies and pins and alone and fits:
            try:
                await self._at_once()
                return
            except CapabilityNotSupported:
                pass
            except _DEFINITE:
                raise
            except RemoteStoreError:
                if info is not None or description.max_copy is None:
                    raise
                info = await source(self.origin, self.src)
                if info.size <= description.max_copy:
                    raise
        info = info or await source(self.origin, self.src)
        _refuse_other(self.origin, self.src, info, self.etag)
        alone = not self.exclusive or Condition.COMMIT_IF_ABSENT in conditions
        pins = Condition.COPY_IF_MATCH in conditions and info.etag is not None
        if description.copy_parts and description.etags and alone and pins and info.size:
            await self._by_parts(info)
        else:
            await self._through_client(info)

    async def _at_once(self) -> None:
        session = self.session
        try:
            await session.change(
                self.dst,
                session.service.copy,
                self.src,
                self.dst,
                if_match=self.etag,
                if_absent=self.exclusive,
            )
        except NotFound as error:
            missing = await self._no_source(error)
            raise missing from missing.__cause__
        except AlreadyExists as error:
            taken = exclusive_refused(session, self.dst, error, unknown=error.outcome_unknown)
            raise taken from taken.__cause__
        except TargetReplaced:
            raise
        except PreconditionFailed as error:
            refusal = error
        else:
            return
        # In another storage a copy usually has the key of its source.
        if self.etag is not None and refusal.path == self.src != self.dst:
            raise self._changed(refusal)
        if not self.exclusive:
            raise refusal if self.etag is None else self._changed(refusal)
        # Either condition may be the one that failed, and the source comes first.
        with in_doubt(refusal.outcome_unknown):
            now = await self._source(refusal)
        unknown = refusal.outcome_unknown
        if unknown:
            with in_doubt(True):
                there = await find(session, self.dst)
            if there is None:
                raise nothing_there(session, self.dst, refusal)
            unknown = likeness(there) == likeness(now)
        raise exclusive_refused(session, self.dst, refusal, unknown=unknown)

    async def _no_source(self, error: NotFound) -> RemoteStoreError:
        with in_doubt(error.outcome_unknown):
            if not isinstance(error, StorageNotFound):
                return await absent(self.origin, self.src, error)
            if self.origin is self.session:
                return error
            # The service does not say which of the two it is.
            try:
                await look_at_storage(self.origin)
            except StorageNotFound as missing:
                return _placed(missing, self.src, self.origin)
            return _placed(error, self.dst, self.session)

    async def _source(self, refusal: RemoteStoreError) -> ObjectInfo:
        """
        Return what the source is now.

        Raises:
            PreconditionFailed: It is another version than that of a move.
            NotFound, InvalidPath: There is none any more, or there was none.
        """
        try:
            now = await head(self.origin, self.src)
        except NotFound as error:
            if self.etag is not None:
                changed = self._changed(refusal)
                raise changed from changed.__cause__
            error.outcome_unknown = refusal.outcome_unknown
            missing = await self._no_source(error)
            raise missing from missing.__cause__
        if self.etag is not None and now.etag != self.etag:
            raise self._changed(refusal)
        return now

    def _changed(self, refusal: RemoteStoreError) -> PreconditionFailed:
        msg = "The source was changed or removed by somebody else; nothing was done to it"
        changed = PreconditionFailed(msg, path=self.src, backend=self.session.name)
        changed.outcome_unknown = refusal.outcome_unknown
        return like(changed, refusal)

    async def _by_parts(self, info: ObjectInfo) -> None:
        limits = self.session.description
        size = max(_PART, limits.min_part, -(-info.size // limits.max_parts))
        size = min(size, limits.max_part)
        async with Uploading(self.session, self.dst) as uploading:
            await uploading.begin(info.attributes)
            try:
                for start in range(0, info.size, size):
                    stop = min(start + size, info.size)
                    await uploading.add_copy(self.src, start, stop, info.etag)
                await uploading.sent()
            except StorageNotFound:
                raise
            except (NotFound, PreconditionFailed) as error:
                changed = self._changed(error)
                raise changed from changed.__cause__
            await uploading.commit(exclusive=self.exclusive)

    async def _through_client(self, info: ObjectInfo) -> None:
        """Read one version of the source and write it."""
        content = self._content(info)
        async with aclosing(content):
            await write(
                self.session,
                self.dst,
                content,
                exclusive=self.exclusive,
                attributes=info.attributes,
            )

    async def _content(self, info: ObjectInfo) -> AsyncGenerator[bytes, None]:
        session = self.origin
        try:
            reading = await open_reading(session, self.src)
        except (NotFound, InvalidPath) as error:
            changed = self._changed(error)
            raise changed from changed.__cause__
        try:
            if session.description.etags and reading.info.etag != info.etag:
                msg = "The source was changed by somebody else; nothing was done to it"
                raise PreconditionFailed(msg, path=self.src, backend=session.name)
            while piece := await reading.receive():
                yield piece
        finally:
            await reading.aclose()


def _placed(error: StorageNotFound, key: str, session: Session) -> StorageNotFound:
    """Say of an absent storage which one it is, and which key was to be there."""
    location = session.description.location
    if location not in error.args[0]:
        error.args = (f"{error.args[0]}: {location}",)
    error.path = error.filename = key
    return error


#: What says enough by itself; the size of the source has nothing to do with it.
_DEFINITE: Final = (
    AlreadyExists,
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    ResourceLocked,
)


def likeness(info: ObjectInfo) -> tuple[object, ...]:
    """Return what an object and a copy of it have in common."""
    metadata = {key.lower(): value for key, value in (info.metadata or {}).items()}
    return info.size, info.digest, metadata
