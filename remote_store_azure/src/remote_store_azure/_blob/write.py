"""
Writing a blob: one request where it fits one, else blocks and their commit.

Nothing is visible under the name before the last request, which decides by a
condition of its own whether it may create the blob. Blocks that were never
committed are not part of any blob; the service drops them after a week.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from remote_store import RemoteStoreError
from remote_store_azure._blob.blocks import (
    BlockIds,
    block_list,
    committed_ids,
    size_of_block,
)
from remote_store_azure._blob.headers import metadata_headers, metadata_of
from remote_store_azure._blob.probe import look, refuse_existing
from remote_store_azure._blob.refusals import already_exists, is_taken, refusal
from remote_store_azure._rest.operations import (
    BLOCK_LIST,
    COMMIT,
    OCTET_STREAM,
    PUT_BLOB,
    PUT_BLOCK,
)
from remote_store_objects import Body
from remote_store_objects.authoring import Gatherer, Tasks, in_doubt, untouched

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["may_be", "upload"]

_Pieces = Sequence[bytes | memoryview]

_BLOCKS: Final = (
    "content that does not fit one request is sent in blocks, which needs the right to write, not "
    "only to create"
)


async def upload(
    session: Session,
    key: str,
    content: bytes | AsyncIterator[bytes],
    *,
    exclusive: bool,
    metadata: Mapping[str, str] | None,
    kept: Mapping[str, str] | None = None,
) -> tuple[Response, int]:
    """
    Write a blob of any size; memory holds a block for each request in flight and one more.

    Args:
        session: Of the container.
        key: Name of the blob, which errors name.
        content: Its bytes. The exceptions of an iterator pass unchanged; it
            is not closed.
        exclusive: Whether a blob of that name is to be left as it is. One that
            is there already is found before the first block is sent.
        metadata: User metadata.
        kept: Headers of what the blob keeps beside them, see `kept_headers`; None
            for unspecified bytes.

    Returns:
        The answer that made the blob visible, and its size in bytes.

    Raises:
        AlreadyExists: *exclusive*, and there is one. With ``outcome_unknown``
            if it looks as this write would have left it and an attempt of
            this write got no answer.
        PreconditionFailed: A concurrent write of the same blob discarded the
            blocks of this one; nothing was written. With ``outcome_unknown``
            if an attempt to commit got no answer.
        TypeError: A chunk is not bytes; nothing was written.
        ValueError: The service would not keep *metadata* as they are.
        RemoteStoreError: By the table of errors.
    """
    headers = {"x-ms-blob-content-type": OCTET_STREAM, **(kept or {}), **metadata_headers(metadata)}
    smallest = session.options.block_size
    if isinstance(content, bytes):
        if len(content) <= session.options.max_single_put:
            response = await _put(session, key, [content], exclusive, headers)
            return response, len(content)
        source = Gatherer(_whole(content))
        block: _Pieces = await source.take(smallest)
    else:
        source = Gatherer(content)
        block = await source.take(smallest)
        size = sum(map(len, block))
        if size <= session.options.max_single_put and await source.ended():
            return await _put(session, key, block, exclusive, headers), size
    if exclusive:
        await refuse_existing(session, key)
    async with Tasks(session.max_concurrency) as sending:
        blocks = _Blocks(session, key, sending)
        while block:
            await blocks.add(block)
            block = await source.take(size_of_block(blocks.count, smallest))
        return await blocks.commit(exclusive, headers), blocks.size


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _put(
    session: Session,
    key: str,
    pieces: _Pieces,
    exclusive: bool,
    headers: Mapping[str, str],
) -> Response:
    condition = {"If-None-Match": "*"} if exclusive else {}
    response = await session.send(
        PUT_BLOB,
        session.url(key),
        path=key,
        headers={"x-ms-blob-type": "BlockBlob", **headers, **condition},
        body=Body(pieces),
        accept=(201, 403, 409, 412) if exclusive else (201, 409),
    )
    if response.status == 201:
        return response
    if not (exclusive and is_taken(response)):
        raise await refusal(session, response)
    with in_doubt(response.lost):
        found = await look(session, key)
    if found.status == 404:
        # Nothing is there but uncommitted blocks of an upload that ended or
        # still goes on; a commit passes them by.
        async with Tasks(1) as sending:
            one = _Blocks(session, key, sending)
            if any(pieces):
                await one.add(pieces)
            return await one.commit(exclusive, headers)
    ours = response.lost and (found.status != 200 or may_be(found, pieces, headers))
    raise already_exists(session, response, unknown=ours)


def may_be(found: Response, pieces: _Pieces, headers: Mapping[str, str]) -> bool:
    """Return whether a blob may be the one that *pieces* and *headers* make."""
    if found.headers.get("Content-Length") != str(sum(map(len, pieces))):
        return False
    if _folded(found.headers) != _folded(headers):
        return False
    md5 = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        md5.update(piece)
    return found.headers.get("Content-MD5") in (None, b64encode(md5.digest()).decode())


def _folded(headers: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in (metadata_of(headers) or {}).items()}


class _Blocks:
    """The blocks of one upload."""

    def __init__(self, session: Session, key: str, sending: Tasks) -> None:
        self._session = session
        self._key = key
        self._ids = BlockIds()
        self._sending = sending
        self.count = 0
        self.size = 0

    async def add(self, pieces: _Pieces) -> None:
        """Start to send a block, once fewer than the allowed number are on their way."""
        await self._sending.start(self._send, self._ids[self.count], Body(pieces))
        self.count += 1
        self.size += sum(map(len, pieces))

    async def _send(self, block_id: str, body: Body) -> None:
        with untouched():
            response = await self._session.send(
                PUT_BLOCK,
                self._session.url(self._key, f"comp=block&blockid={block_id}"),
                path=self._key,
                body=body,
                accept=(201, 400, 403, 409),
            )
            if response.status == 409:
                raise await refusal(self._session, response)
        if response.status == 201:
            return
        if response.status == 403:
            error = self._session.error(response, outcome_unknown=False)
            if response.code.startswith("Authorization"):
                error.args = (f"{error.args[0]}; {_BLOCKS}",)
            raise error
        message = None
        if response.code == "InvalidBlobOrBlock":
            message = (
                "Uncommitted blocks that another program left under this name prevent an upload "
                f"in blocks: {self._key!r}; the service drops them after a week, and at once when "
                "the name is written in one piece or deleted"
            )
        raise self._session.error(response, message, outcome_unknown=False)

    async def commit(self, exclusive: bool, headers: Mapping[str, str]) -> Response:
        """Make the blob of the blocks once all are there, and return the answer that says so."""
        await self._sending.finish()
        ids = self._ids.first(self.count)
        condition = {"If-None-Match": "*"} if exclusive else {}
        response = await self._session.send(
            COMMIT,
            self._session.url(self._key, "comp=blocklist"),
            path=self._key,
            headers={**headers, **condition},
            body=Body([block_list(ids)]),
            accept=(201, 400, 403, 409, 412) if exclusive else (201, 400, 409),
        )
        if response.status == 201:
            return response
        discarded = response.status == 400 and response.code == "InvalidBlockList"
        if not discarded and (response.status == 400 or not (exclusive and is_taken(response))):
            raise await refusal(self._session, response)
        gone = False
        if response.lost:  # it may have been this commit that made the blob
            with in_doubt(response.lost):
                found = await self._committed(ids)
            if found is not None and found.status == 200:
                return found
            gone = found is not None
        if not discarded:
            raise already_exists(self._session, response, unknown=gone)
        if exclusive:
            with in_doubt(response.lost):
                await refuse_existing(self._session, self._key)
        raise self._discarded(response)

    async def _committed(self, ids: list[str]) -> Response | None:
        """Return the answer that the blob consists of just *ids*, or is absent; else None."""
        response = await self._session.send(
            BLOCK_LIST,
            self._session.url(self._key, "comp=blocklist&blocklisttype=committed"),
            path=self._key,
            accept=(200, 404),
        )
        if response.status == 404:
            return response
        try:
            return response if committed_ids(response.body) == ids else None
        except ValueError as error:
            msg = f"The service's list of blocks cannot be read: {error}"
            raise self._session.error(response, msg) from error

    def _discarded(self, response: Response) -> RemoteStoreError:
        msg = (
            "Another write of the same file came between, and the service discarded what this "
            f"one had sent; nothing was written: {self._key}"
        )
        if response.lost:
            msg = msg.replace("nothing was written", "unless an attempt without an answer did it")
        return self._session.error(response, msg, outcome_unknown=response.lost)
