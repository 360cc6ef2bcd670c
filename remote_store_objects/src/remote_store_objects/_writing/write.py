"""
Writing an object: one request where it fits one, else parts and their commit.

Nothing is visible under the key before the last request, which decides by a
condition of its own whether it may create the object. An upload that ends
without a commit is aborted, or kept for the next write where that was asked for;
what a killed process leaves is swept, see `remote_store_objects._writing.sweep`.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from attrs import frozen

from remote_store import (
    CapabilityNotSupported,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store.authoring import already_exists
from remote_store_objects._gates import refuse_unexclusive, refuse_unmatched
from remote_store_objects._protocol.body import Body
from remote_store_objects._protocol.description import Condition
from remote_store_objects._protocol.values import Attributes, ObjectInfo, Written
from remote_store_objects._reading.probe import find
from remote_store_objects._session.outcome import in_doubt
from remote_store_objects._session.session import Session
from remote_store_objects._writing.left_parts import digest_of
from remote_store_objects._writing.parts import Gatherer, part_size
from remote_store_objects._writing.upload import (
    Uploading,
    exclusive_refused,
    nothing_there,
    replaced,
)

__all__ = ["may_be", "write"]


async def write(
    session: Session,
    key: str,
    content: bytes | AsyncIterator[bytes],
    *,
    exclusive: bool,
    attributes: Attributes,
    if_match: str | None = None,
    resume: bool = False,
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
        resume: Go on with the parts that an earlier write left, and leave them if
            the service or the network fails; of content that takes parts one more
            part is in memory then.

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
        refuse_unmatched(session, key)
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
        await (uploading.resume(attributes) if resume else uploading.begin(attributes))
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
    raise replaced(session, key, refusal, unknown=ours)


def may_be(found: ObjectInfo, body: Body, attributes: Attributes) -> bool:
    """Return whether an object may be the one that *body* and *attributes* make."""
    if found.size != len(body):
        return False
    if found.metadata is not None and _folded(found.attributes) != _folded(attributes):
        return False
    if found.digest is None or found.digest.algorithm not in hashlib.algorithms_available:
        return True
    return digest_of(body, found.digest.algorithm) == found.digest.value


def _folded(attributes: Attributes) -> dict[str, str]:
    return {key.lower(): value for key, value in attributes.metadata.items()}


async def _refuse_existing(session: Session, key: str) -> None:
    # Only to spare the transfer; who may not look is told by the commit.
    try:
        found = await find(session, key)
    except PermissionDenied:
        return
    if found is not None:
        raise already_exists(key, session.name)
