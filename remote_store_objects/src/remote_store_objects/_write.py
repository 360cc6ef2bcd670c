"""
Writing an object: one request where it fits one, else parts and their commit.

Nothing is visible under the key before the last request, which decides by a
condition of its own whether it may create the object. An upload that ends
without a commit is aborted; what a killed process leaves is swept, see
`remote_store_objects._sweep`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from attrs import frozen

from remote_store import (
    AlreadyExists,
    CapabilityNotSupported,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store.aio.workers import settle
from remote_store.authoring import already_exists
from remote_store_objects._parts import Gatherer, part_size
from remote_store_objects._probe import find
from remote_store_objects._protocol.body import Body
from remote_store_objects._protocol.description import Condition
from remote_store_objects._protocol.values import (
    Attributes,
    ObjectInfo,
    Part,
    StorageNotFound,
    Upload,
    Written,
)
from remote_store_objects._session.in_flight import Waiting
from remote_store_objects._session.outcome import in_doubt, like, untouched
from remote_store_objects._session.session import Session
from remote_store_objects._session.tasks import Tasks

__all__ = [
    "Uploading",
    "exclusive_refused",
    "may_be",
    "nothing_there",
    "refuse_unexclusive",
    "write",
]

_log = logging.getLogger(__name__)

#: Seconds that the abort of an upload may take.
_PATIENCE: Final = 5.0


async def write(
    session: Session,
    key: str,
    content: bytes | AsyncIterator[bytes],
    *,
    exclusive: bool,
    attributes: Attributes,
    if_match: str | None = None,
) -> tuple[Written, int]:
    """
    Write an object of any size; memory holds a part for each request in flight and one more.

    Args:
        session: To ask.
        key: Of the object.
        content: Its bytes. The exceptions of an iterator pass unchanged; it
            is not closed.
        exclusive: Whether an object of that key is to be left as it is. One
            that is there already is found before the first part is sent.
        attributes: What the object keeps beside its bytes.
        if_match: Only in the place of this version; never with *exclusive*.

    Returns:
        What the service told of the new version, and its size in bytes.

    Raises:
        AlreadyExists: *exclusive*, and there is one. With ``outcome_unknown``
            if it looks as this write would have left it and an attempt of
            this write got no answer.
        CapabilityNotSupported: *exclusive* or *if_match*, and the service
            cannot decide it.
        PreconditionFailed: *if_match*, and there is another version or none;
            with ``outcome_unknown`` as above. Or somebody else aborted the
            upload.
        TypeError: A chunk is not bytes; nothing was written.
        RemoteStoreError: By the errors of the service.
    """
    sizes, limits = session.sizes, session.description
    target = _Target(key, exclusive, if_match)
    if exclusive:
        refuse_unexclusive(session, key)
    if if_match is not None:
        _refuse_unmatched(session, key)
    if isinstance(content, bytes):
        if len(content) <= sizes.single_put:
            return await _put(session, target, Body([content]), attributes), len(content)
        content = _whole(content)
    source = Gatherer(content)
    in_parts = limits.uploads and target.decided_by <= limits.conditions
    piece = await source.take(sizes.part_size if in_parts else sizes.single_put)
    size = sum(map(len, piece))
    if size <= sizes.single_put and await source.ended():
        return await _put(session, target, Body(piece), attributes), size
    if not in_parts:
        raise _too_large(session, target)
    if exclusive:
        await _refuse_existing(session, key)
    async with Uploading(session, key) as uploading:
        await uploading.begin(attributes)
        while piece:
            await uploading.add(Body(piece))
            piece = await source.take(part_size(uploading.count, sizes, limits))
        return await uploading.commit(exclusive=exclusive, if_match=if_match), uploading.size


@frozen
class _Target:
    """
    What a write may find at its key.

    Args:
        key: The key.
        exclusive: Nothing.
        if_match: This version, and nothing else.
    """

    key: str
    exclusive: bool
    if_match: str | None

    @property
    def decided_by(self) -> frozenset[Condition]:
        """What a service needs that decides it at the commit of an upload."""
        if self.exclusive:
            return frozenset({Condition.COMMIT_IF_ABSENT})
        return frozenset() if self.if_match is None else frozenset({Condition.COMMIT_IF_MATCH})

    @property
    def words(self) -> str:
        """What its caller asked for."""
        return "overwrite=False" if self.exclusive else "if_match"


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


def refuse_unexclusive(session: Session, key: str) -> None:
    """
    Refuse an exclusive change where the service cannot decide it.

    Raises:
        CapabilityNotSupported: It cannot.
    """
    if Condition.PUT_IF_ABSENT not in session.description.conditions:
        msg = (
            "the service has no conditional writes, so that overwrite=False cannot be decided: "
            "a check before the write would exclude nobody; pass overwrite=True"
        )
        raise CapabilityNotSupported(
            msg, path=key, backend=session.name, capability="conditional_write"
        )


def _refuse_unmatched(session: Session, key: str) -> None:
    """
    Refuse to replace one version where the service cannot decide it.

    Raises:
        CapabilityNotSupported: It cannot.
    """
    description = session.description
    if not description.etags or Condition.PUT_IF_MATCH not in description.conditions:
        msg = (
            "the service does not look at versions when it writes, so that if_match cannot be "
            "decided: a check before the write would lose a change made in between"
        )
        raise CapabilityNotSupported(
            msg, path=key, backend=session.name, capability="conditional_write"
        )


def _too_large(session: Session, target: _Target) -> RemoteStoreError:
    limit = session.sizes.single_put
    if session.description.uploads and target.decided_by:
        msg = (
            f"the service decides {target.words} only for what one request holds, {limit} bytes "
            "here; write without it, or write less"
        )
        return CapabilityNotSupported(
            msg, path=target.key, backend=session.name, capability="conditional_write"
        )
    msg = f"the service takes no content above {limit} bytes, since it has no uploads in parts"
    return RemoteStoreError(msg, path=target.key, backend=session.name)


async def _put(session: Session, target: _Target, body: Body, attributes: Attributes) -> Written:
    key, put = target.key, session.service.put
    # Without a condition the service need not know of any.
    match: dict[str, Any] = {} if target.if_match is None else {"if_match": target.if_match}
    try:
        return await session.change(
            key, put, key, body, attributes=attributes, if_absent=target.exclusive, **match
        )
    except PreconditionFailed as error:
        if not target.decided_by:
            raise
        refusal = error
    ours = False
    if refusal.outcome_unknown:
        with in_doubt(True):
            try:
                found = await find(session, key)
            except PermissionDenied:  # who may write need not be allowed to look
                ours = True
            else:
                if found is None and target.exclusive:
                    raise nothing_there(session, key, refusal)
                ours = found is None or may_be(found, body, attributes)
    if target.exclusive:
        raise exclusive_refused(session, key, refusal, unknown=ours)
    raise _replaced(session, key, refusal, unknown=ours)


def _replaced(
    session: Session, key: str, refusal: RemoteStoreError, *, unknown: bool
) -> PreconditionFailed:
    """Return the error for a write that was to replace a version which is not there."""
    msg = f"Another version is there, or none; nothing was written: {key}"
    if unknown:
        msg = (
            "Another version is there; an attempt to write it got no answer, it may be this "
            f"call's own: {key}"
        )
    error = PreconditionFailed(msg, path=key, backend=session.name, outcome_unknown=unknown)
    return like(error, refusal)


def may_be(found: ObjectInfo, body: Body, attributes: Attributes) -> bool:
    """Return whether an object may be the one that *body* and *attributes* make."""
    if found.size != len(body):
        return False
    if found.metadata is not None and _folded(found.attributes) != _folded(attributes):
        return False
    if found.digest is None or found.digest.algorithm not in hashlib.algorithms_available:
        return True
    digest = hashlib.new(found.digest.algorithm, usedforsecurity=False)
    for buffer in body.buffers:
        digest.update(buffer)
    return digest.hexdigest() == found.digest.value


def _folded(attributes: Attributes) -> dict[str, str]:
    return {key.lower(): value for key, value in attributes.metadata.items()}


def exclusive_refused(
    session: Session, key: str, refusal: RemoteStoreError, *, unknown: bool
) -> AlreadyExists:
    """Return the error for a condition that did not hold, since there is an object already."""
    error = already_exists(key, session.name, outcome_unknown=unknown)
    if unknown:
        words = "an attempt to write it got no answer: it may be this call's own"
        error.args = (f"{error.args[0]} ({words})",)
    return like(error, refusal)


def nothing_there(session: Session, key: str, refusal: RemoteStoreError) -> PreconditionFailed:
    """Return the error for an exclusive change that was refused, where nothing is afterwards."""
    msg = (
        "An attempt got no answer, the next one was refused, and nothing is there: either what "
        "the first one made was removed since, or what was in the way is no file; try again"
    )
    error = PreconditionFailed(msg, path=key, backend=session.name, outcome_unknown=True)
    return like(error, refusal)


async def _refuse_existing(session: Session, key: str) -> None:
    # Only to spare the transfer; who may not look is told by the commit.
    try:
        found = await find(session, key)
    except PermissionDenied:
        return
    if found is not None:
        raise already_exists(key, session.name)


class Uploading:
    """
    One upload in parts; leaving the context aborts it unless it was committed.

    Args:
        session: To ask.
        key: Of the object.

    Attributes:
        count: Parts that were begun.
        size: Their bytes.
    """

    def __init__(self, session: Session, key: str) -> None:
        self._session = session
        self._key = key
        self._sending = Tasks(session.sizes.max_concurrency)
        self._parts: dict[int, Part] = {}
        self._upload: Upload | None = None
        self._beginning: asyncio.Task[Upload] | None = None
        self.count = 0
        self.size = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._sending.__aexit__(kind, error, traceback)
        if kind is GeneratorExit:
            return  # the coroutine is thrown away: there is no loop to wait on
        calls = self._session.calls
        if calls.settle(self._abort):
            await settle(calls.spare(self._abort(_PATIENCE)))

    async def begin(self, attributes: Attributes) -> None:
        """Begin the upload; it is aborted also if the answer comes after a cancellation."""
        session = self._session
        session.calls.owe(self._abort, self._key)
        begin = session.service.begin_upload
        self._beginning = session.calls.spare(
            session.change(self._key, begin, self._key, attributes=attributes)
        )
        with untouched(), Waiting(session.calls, self._key, False):
            self._upload = await asyncio.shield(self._beginning)

    @property
    def upload(self) -> Upload:
        """The upload, once it is begun."""
        assert self._upload is not None
        return self._upload

    async def add(self, body: Body) -> None:
        """Start to send a part, once fewer than the allowed number are on their way."""
        number = self._next(len(body))
        await self._sending.start(self._send, number, body)

    async def add_copy(self, source: str, start: int, stop: int, etag: str | None) -> None:
        """Start to make a part of the bytes of another object."""
        number = self._next(stop - start)
        await self._sending.start(self._copy, number, source, start, stop, etag)

    def _next(self, size: int) -> int:
        most = self._session.description.max_parts
        if self.count >= most:
            msg = f"the content needs more than the {most} parts that the service takes"
            raise RemoteStoreError(msg, path=self._key, backend=self._session.name)
        self.count += 1
        self.size += size
        return self.count

    async def _send(self, number: int, body: Body) -> None:
        session = self._session
        with untouched():
            try:
                self._parts[number] = await session.change(
                    self._key, session.service.send_part, self.upload, number, body
                )
            except StorageNotFound:
                raise
            except NotFound as error:
                forgotten = self._forgotten(error)
                raise forgotten from forgotten.__cause__

    async def _copy(
        self, number: int, source: str, start: int, stop: int, etag: str | None
    ) -> None:
        session = self._session
        with untouched():
            self._parts[number] = await session.change(
                source,
                session.service.copy_part,
                self.upload,
                number,
                source,
                start=start,
                stop=stop,
                if_match=etag,
            )

    def _forgotten(self, error: NotFound) -> PreconditionFailed:
        msg = f"Somebody else aborted the upload in parts; nothing was written: {self._key}"
        return like(PreconditionFailed(msg, path=self._key, backend=self._session.name), error)

    async def sent(self) -> None:
        """Wait until all parts are there."""
        await self._sending.finish()

    async def commit(self, *, exclusive: bool, if_match: str | None = None) -> Written:
        """
        Make the object of the parts once all are there.

        Raises:
            AlreadyExists: *exclusive*, and there is one.
            PreconditionFailed: *if_match*, and there is another version or
                none. Or somebody else aborted the upload, or committed it.
        """
        await self.sent()
        session, parts, commit = self._session, self._in_order(), self._session.service.commit
        match: dict[str, Any] = {} if if_match is None else {"if_match": if_match}
        try:
            written = await session.change(
                self._key, commit, self.upload, parts, if_absent=exclusive, **match
            )
        except StorageNotFound:
            raise
        except (PreconditionFailed, NotFound) as error:
            refusal = error
        else:
            session.calls.settle(self._abort)
            return written
        ours: Written | bool | None = None
        if refusal.outcome_unknown:  # an attempt before may have made the object
            committed = session.service.committed
            with in_doubt(True):
                ours = await session.ask(self._key, committed, self.upload, parts)
            if isinstance(ours, Written):
                session.calls.settle(self._abort)
                return ours
        if exclusive and isinstance(refusal, PreconditionFailed):
            unknown = refusal.outcome_unknown and ours is not False
            raise exclusive_refused(session, self._key, refusal, unknown=unknown)
        if isinstance(refusal, PreconditionFailed):
            if if_match is None:
                raise refusal
            raise _replaced(session, self._key, refusal, unknown=refusal.outcome_unknown)
        forgotten = self._forgotten(refusal)
        if refusal.outcome_unknown:
            forgotten.outcome_unknown = True
            forgotten.args = (
                "The service does not know the upload in parts any more, after an attempt to "
                f"commit it that got no answer: {self._key}",
            )
        raise forgotten

    def _in_order(self) -> Sequence[Part]:
        return [self._parts[number] for number in range(1, self.count + 1)]

    async def _begun(self) -> Upload:
        assert self._beginning is not None
        return await self._beginning

    async def _abort(self, seconds: float) -> None:
        """Abort the upload, also one whose beginning is on its way; never raises."""
        try:
            async with asyncio.timeout(seconds):
                try:
                    upload = await self._begun()
                except RemoteStoreError:
                    return  # whoever began it has the error
                await self._session.change(self._key, self._session.service.abort, upload)
        except NotFound:
            return
        except (RemoteStoreError, TimeoutError) as error:
            _log.warning(
                "An upload in parts of %r could not be aborted, and stays until it is swept: %r",
                self._key,
                error,
            )
