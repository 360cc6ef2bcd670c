"""An upload in parts: aborted on every way out but its commit, unless it is to be gone on with."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    StoreClosed,
)
from remote_store.aio.workers import settle
from remote_store.authoring import already_exists
from remote_store_objects._protocol.body import Body
from remote_store_objects._protocol.values import (
    Attributes,
    Part,
    StorageNotFound,
    Unfinished,
    Upload,
    Written,
)
from remote_store_objects._session.in_flight import Waiting
from remote_store_objects._session.outcome import in_doubt, like, untouched
from remote_store_objects._session.session import Session
from remote_store_objects._session.tasks import Tasks
from remote_store_objects._writing.left_parts import LeftParts, equals

__all__ = ["Uploading", "exclusive_refused", "nothing_there", "replaced"]

_log = logging.getLogger(__name__)

#: Seconds that the abort of an upload may take.
_PATIENCE: Final = 5.0


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


def replaced(
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


class Uploading:
    """
    One upload in parts; leaving the context aborts it unless it was committed.

    One that was begun by `resume` stays if the service or the network has failed. One
    that `resume` found stays whatever happens before its commit: it was there before,
    and the write that began it may still be going on.

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
        self._beginning: asyncio.Future[Upload] | None = None
        self._left = LeftParts()
        #: Another write may be going on with the same upload.
        self._shared = False
        self._found = False
        #: A later write would find the parts.
        self._keeps = False
        self._holds_first = False
        self._first: Body | None = None
        self._failure: RemoteStoreError | None = None
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
        owed = calls.settle(self._abort)
        if isinstance(error, BackendUnavailable) and self._may_go_on(error):
            return
        if owed:
            await settle(calls.spare(self._abort(_PATIENCE)))

    def _may_go_on(self, error: BackendUnavailable) -> bool:
        """Return whether the next write is to find the parts, and say so where *error* is ours."""
        if (
            not self._keeps
            or isinstance(error, StoreClosed)
            or not (self._parts or self._left.last)
        ):
            return False
        if error is self._failure:
            lists = self._session.description.lists_uploads
            end = "sweep removes them" if lists else "the service drops them in the end"
            words = f"what arrived is kept: the same write with resume=True goes on there; {end}"
            error.args = (f"{error.args[0]}; {words}", *error.args[1:])
        return True

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

    async def resume(self, attributes: Attributes) -> None:
        """
        Go on with an upload that an earlier write left; begin one where there is none.

        A service that refuses to tell, or cannot, is no reason not to write.
        """
        session, sizes, limits = self._session, self._session.sizes, self._session.description
        growth = "equal" if limits.equal_parts else f"{sizes.growth} {limits.max_part}"
        with untouched():
            try:
                found = await session.ask(
                    self._key,
                    session.service.unfinished,
                    self._key,
                    attributes=attributes,
                    layout=f"{sizes.part_size} {growth}",
                )
            except (BackendUnavailable, StorageNotFound):
                raise
            except RemoteStoreError as error:
                _log.info("Unfinished uploads of %r cannot be found: %r", self._key, error)
                found = Unfinished()
        self._holds_first = bool(found.mark)
        if found.upload is None:
            await self.begin(attributes)
            if found.mark:
                await self._send_mark(Body([found.mark]))
            return
        self._upload = found.upload
        self._beginning = asyncio.get_running_loop().create_future()
        self._beginning.set_result(found.upload)
        self._left = LeftParts(found.parts)
        self._found = self._shared = self._keeps = True

    async def _send_mark(self, mark: Body) -> None:
        session = self._session
        try:
            with untouched():
                part = await session.change(
                    self._key, session.service.send_part, self.upload, 1, mark
                )
        except (BackendUnavailable, StorageNotFound):
            raise
        except RemoteStoreError as error:  # so small a part may be refused at once
            _log.info("An upload of %r cannot be gone on with: %r", self._key, error)
            return
        # What the service encrypts with a key of its own, nobody would know again.
        self._shared = self._keeps = await equals(part, mark)

    @property
    def upload(self) -> Upload:
        """The upload, once it is begun."""
        assert self._upload is not None
        return self._upload

    async def add(self, body: Body) -> None:
        """Start to send a part, once fewer than the allowed number are on their way."""
        number = self._next(len(body))
        if number == 1 and self._holds_first:
            self._first = body
            return
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
        left = await self._left.find(number, body)
        if left is not None:
            self._parts[number] = left
            return
        with self._noted(), untouched():
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

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Take note of an error that is no exception of the caller's content."""
        try:
            yield
        except RemoteStoreError as error:
            self._failure = error
            raise

    def _forgotten(self, error: NotFound) -> PreconditionFailed:
        msg = f"Somebody else aborted the upload in parts; nothing was written: {self._key}"
        if self._shared:
            msg = (
                "Another write went on with the same upload in parts, or somebody aborted it; "
                f"nothing was written: {self._key}"
            )
            if self._left.last <= self.count:
                self._session.calls.settle(self._abort)  # the other one may still need it
        return like(PreconditionFailed(msg, path=self._key, backend=self._session.name), error)

    async def sent(self) -> None:
        """Wait until all parts are there."""
        await self._sending.finish()
        if self._found:
            self._session.calls.owe(self._abort, self._key)
        if self._first is not None:
            await self._send(1, self._first)
            self._keeps = False  # the mark is gone

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
            with self._noted():
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
            raise replaced(session, self._key, refusal, unknown=refusal.outcome_unknown)
        forgotten = self._forgotten(refusal)
        if refusal.outcome_unknown:
            forgotten.outcome_unknown = True
            forgotten.args = (
                "The service does not know the upload in parts any more, after an attempt to "
                f"commit it that got no answer: {self._key}",
            )
        raise forgotten

    async def committed(self) -> Written | None:
        """Return what a commit made whose answer was lost, as far as the service can tell."""
        ask, parts = self._session.service.committed, self._in_order()
        return await self._session.ask(self._key, ask, self.upload, parts) or None

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
