"""The verbs of a container, as requests to the Blob service."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from copy import copy as clone
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from attrs import frozen

from remote_store import NotFound, PreconditionFailed, RemoteStoreError
from remote_store_azure._blob.blocks import (
    ALGORITHM,
    block_id,
    block_list,
    committed_ids,
    content_id,
    left_blocks,
)
from remote_store_azure._blob.copy import copy
from remote_store_azure._blob.delete_many import delete_many
from remote_store_azure._blob.headers import blob_info, deletion, stored_headers, written
from remote_store_azure._blob.list_xml import parse_page
from remote_store_azure._blob.probe import look
from remote_store_azure._blob.refusals import error_as, is_taken, refusal
from remote_store_azure._blob.signed import UrlSigner
from remote_store_azure._rest.operations import (
    BLOCK_LIST,
    COMMIT,
    DELETE_BLOB,
    GET_BLOB,
    HEAD_BLOB,
    LIST_BLOBS,
    PUT_BLOB,
    PUT_BLOCK,
)
from remote_store_objects import (
    Attributes,
    Body,
    Description,
    ObjectInfo,
    ObjectService,
    Page,
    Part,
    Unfinished,
    Upload,
    Written,
)
from remote_store_objects.authoring import digest_of, in_doubt
from remote_store_objects.http import extent_of, range_header

if TYPE_CHECKING:
    from remote_store_azure._http.clients import LoopClients
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response, StreamedResponse

__all__ = ["PAGE", "BlobService"]

#: Entries of the largest page.
PAGE: Final = 5000
#: Entries up to which a page is a look at what is there, which needs no metadata.
_LOOK: Final = 2
_BLOCKS: Final = (
    "content that does not fit one request is sent in blocks, which needs the right to write, not "
    "only to create"
)


@frozen
class _Kept:
    """
    What an upload is remembered by, of which the service knows nothing.

    Args:
        attributes: What the blob keeps, which the commit says.
        by_content: The names of its blocks tell what is in them.
    """

    attributes: Attributes
    by_content: bool


class BlobStream:
    """
    An answer to a GET whose body is still to come.

    Args:
        key: Of the blob.
        response: The answer.

    Raises:
        RemoteStoreError: It does not tell which part of the blob it is.
    """

    __slots__ = ("_response", "info", "start", "stop")

    def __init__(self, key: str, response: StreamedResponse) -> None:
        headers = response.headers
        self.start, self.stop, size = extent_of(response.status, headers)
        self.info = blob_info(key, headers, size)
        self._response = response

    async def receive(self) -> bytes:
        """Return the next bytes; see the protocol."""
        return await self._response.next()

    async def aclose(self) -> None:
        """Release the connection."""
        await self._response.aclose()


class BlobService(ObjectService):
    """
    One container in one event loop.

    The SDK's pipeline repeats requests; what comes of the attempts is in the errors.

    Args:
        clients: Of the loop.
        snapshots: Delete blobs with their snapshots; else the service refuses.
    """

    def __init__(self, clients: LoopClients, *, snapshots: bool) -> None:
        self.clients = clients
        self.http = clients.session
        self.snapshots = snapshots
        #: Of the container that has the sources of copies.
        self.origin = clients.session
        #: The description of a container whose folders are real, once it turned out to be one.
        self.real_folders: Description | None = None
        self._signer = UrlSigner(clients.session.account, clients.session)

    async def aclose(self) -> None:
        """Close the clients."""
        await self.clients.aclose()

    # --- looking -----------------------------------------------------------

    async def head(self, key: str) -> ObjectInfo:
        """Get Blob Properties."""
        http = self.http
        response = await http.send(HEAD_BLOB, http.url(key), path=key, accept=(200,))
        return blob_info(key, response.headers)

    async def get(
        self, key: str, *, start: int = 0, stop: int | None = None, if_match: str | None = None
    ) -> BlobStream:
        """Get Blob."""
        headers = {}
        wanted = range_header(start, stop)
        if wanted is not None:
            headers["x-ms-range"] = wanted
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        http = self.http
        response = await http.stream(
            GET_BLOB, http.url(key), path=key, headers=headers, accept=(200, 206)
        )
        try:
            return BlobStream(key, response)
        except BaseException:
            await response.aclose()
            raise

    async def list_page(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        """List Blobs."""
        # Without them a blob that stands for a folder looks like any empty one.
        include = "metadata" if limit > _LOOK else ""
        return await self._list(prefix, delimiter, token, limit, include)

    async def list_keys(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        """List Blobs, without metadata: all of a page takes a fifth less time to read."""
        return await self._list(prefix, delimiter, token, limit, "")

    async def _list(
        self, prefix: str, delimiter: str, token: str, limit: int, include: str
    ) -> Page:
        query = "restype=container&comp=list"
        if prefix:
            query += "&prefix=" + quote(prefix, safe="")
        if delimiter:
            query += "&delimiter=" + quote(delimiter, safe="")
        if token:
            query += "&marker=" + quote(token, safe="")
        if limit < PAGE:
            query += f"&maxresults={limit}"
        if include:
            query += f"&include={include}"
        http = self.http
        response = await http.send(LIST_BLOBS, http.url(None, query), path=None, accept=(200,))
        steps = parse_page(response.body)
        try:
            while True:
                next(steps)
                await asyncio.sleep(0)
        except StopIteration as end:
            page: Page = end.value
            return page
        except ValueError as error:
            msg = f"The service's listing cannot be read: {error}"
            raise http.error(response, msg) from error

    # --- changing ----------------------------------------------------------

    async def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        """Put Blob; and blocks where uncommitted ones are in its way, which a commit passes by."""
        http = self.http
        response = await http.send(
            PUT_BLOB,
            http.url(key),
            path=key,
            headers={
                "x-ms-blob-type": "BlockBlob",
                **stored_headers(attributes),
                **_condition(if_absent, if_match),
            },
            body=body,
            accept=(201, 403, 409, 412),
        )
        if response.status == 201:
            return written(response.headers, md5=True)
        if not (if_absent and is_taken(response)):
            raise await refusal(http, response)
        if response.lost or (await look(http, key)).status != 404:
            raise _condition_failed(http, response)
        upload = await self.begin_upload(key, attributes=attributes)
        parts = [await self.send_part(upload, 1, body)] if len(body) else []
        return await self.commit(upload, parts, if_absent=True)

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Delete Blob."""
        headers = deletion(self.snapshots, if_match)
        http = self.http
        await http.send(DELETE_BLOB, http.url(key), path=key, headers=headers, accept=(202,))

    async def delete_many(
        self, keys: Sequence[str], *, etags: Mapping[str, str] | None = None
    ) -> Mapping[str, RemoteStoreError]:
        """Blob Batch."""
        return await delete_many(self.http, keys, snapshots=self.snapshots, etags=etags or {})

    async def copy(
        self, source: str, target: str, *, if_match: str | None = None, if_absent: bool
    ) -> Written:
        """Copy Blob, and a look now and then while the service is not ready with it."""
        return await copy(
            self.http, source, target, if_match=if_match, if_absent=if_absent, origin=self.origin
        )

    def with_sources_of(self, other: ObjectService) -> BlobService | None:
        """Copy from a container of the same account that the same credentials open."""
        if not isinstance(other, BlobService) or not self.http.account.opens(other.http.account):
            return None
        made = clone(self)
        made.origin = other.http
        return made

    # --- uploads in parts --------------------------------------------------

    async def begin_upload(self, key: str, *, attributes: Attributes) -> Upload:
        """Choose names for the blocks: the service knows no upload before its commit."""
        return Upload(key, secrets.token_hex(15), detail=_Kept(attributes, by_content=False))

    async def send_part(self, upload: Upload, number: int, body: Body) -> Part:
        """Put Block."""
        http, name = self.http, block_id(upload.id, number)
        if upload.detail.by_content and number > 1:
            # The name of the first one stays the upload's own: it tells whose a commit is.
            name = content_id(number, await asyncio.to_thread(digest_of, body, ALGORITHM))
        response = await http.send(
            PUT_BLOCK,
            http.url(upload.key, f"comp=block&blockid={quote(name, safe='')}"),
            path=upload.key,
            body=body,
            accept=(201, 400, 403, 409),
        )
        if response.status == 201:
            return Part(number, len(body), name)
        if response.status == 409:
            raise await refusal(http, response)
        message = None
        if response.code == "InvalidBlobOrBlock":
            message = (
                "Uncommitted blocks that another program left under this name prevent an upload "
                f"in blocks: {upload.key!r}; the service drops them after a week, and at once when "
                "the name is written in one piece or deleted"
            )
        error = http.error(response, message)
        if response.status == 403 and response.code.startswith("Authorization"):
            error.args = (f"{error.args[0]}; {_BLOCKS}",)
        raise error

    async def commit(
        self,
        upload: Upload,
        parts: Sequence[Part],
        *,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        """Put Block List; its blocks are gone where another write of the key was faster."""
        http, key = self.http, upload.key
        response = await http.send(
            COMMIT,
            http.url(key, "comp=blocklist"),
            path=key,
            headers={**stored_headers(upload.detail.attributes), **_condition(if_absent, if_match)},
            body=Body([block_list([part.token for part in parts])]),
            accept=(201, 400, 403, 409, 412),
        )
        if response.status == 201:
            return written(response.headers, md5=False)
        if response.status == 400 and response.code == "InvalidBlockList":
            if if_absent:
                with in_doubt(response.lost):
                    there = await look(http, key)
                if there.status == 200:
                    raise _condition_failed(http, response)
            msg = "Another write of the same file came between, and discarded what was sent"
            raise error_as(http, response, NotFound, msg, key, outcome_unknown=response.lost)
        if response.status != 400 and if_absent and is_taken(response):
            raise _condition_failed(http, response)
        raise await refusal(http, response)

    async def committed(
        self, upload: Upload, parts: Sequence[Part]
    ) -> Written | Literal[False] | None:
        """Get Block List: no other upload has a first block of the same name."""
        http, key = self.http, upload.key
        response = await http.send(
            BLOCK_LIST,
            http.url(key, "comp=blocklist&blocklisttype=committed"),
            path=key,
            accept=(200, 404),
        )
        if response.status == 404:
            return None
        try:
            ours = committed_ids(response.body) == [part.token for part in parts]
        except ValueError as error:
            msg = f"The service's list of blocks cannot be read: {error}"
            raise http.error(response, msg) from error
        return ours and written(response.headers, md5=False)

    async def abort(self, upload: Upload) -> None:
        """Leave the blocks to the service, which drops them after a week."""

    async def unfinished(self, key: str, *, attributes: Attributes, layout: str) -> Unfinished:
        """Get Block List: the blocks whose names tell their content, also of the blob itself."""
        http = self.http
        response = await http.send(
            BLOCK_LIST,
            http.url(key, "comp=blocklist&blocklisttype=all"),
            path=key,
            accept=(200, 404),
        )
        try:
            parts = left_blocks(response.body) if response.status == 200 else []
        except ValueError as error:
            msg = f"The service's list of blocks cannot be read: {error}"
            raise http.error(response, msg) from error
        kept = _Kept(attributes, by_content=True)
        return Unfinished(upload=Upload(key, secrets.token_hex(15), detail=kept), parts=parts)

    # --- addresses ---------------------------------------------------------

    async def sign(self, key: str, *, method: str, expires: timedelta) -> str:
        """Return a URL with a shared access signature for one blob."""
        return await self._signer.url(key, method, expires)


def _condition(if_absent: bool, if_match: str | None) -> dict[str, str]:
    if if_absent:
        return {"If-None-Match": "*"}
    return {} if if_match is None else {"If-Match": f'"{if_match}"'}


def _condition_failed(http: Session, response: Response) -> RemoteStoreError:
    msg = f"There is a blob already: {response.path}"
    key = response.path or ""
    return error_as(http, response, PreconditionFailed, msg, key, outcome_unknown=response.lost)
