"""
The requests of this plugin, and what proves that an answer to one is the service's own.

Between a client and the service are gateways, proxies and login pages, which
answer in its place: with 404 for whatever they do not know, with 200 for a page
of their own. Only what carries the marks of the service counts as its answer.

The headers are those that the service documents for each operation; all of
them are in the recorded answers of real accounts (of a rename nothing but the
marks is), and in those of its emulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen

__all__ = [
    "ACCESS_CONTROL",
    "ACCOUNT",
    "APPEND",
    "BLOCK_LIST",
    "COMMIT",
    "CONTAINER",
    "COPY",
    "CREATE_PATH",
    "DELEGATION_KEY",
    "DELETE_BLOB",
    "DELETE_BLOBS",
    "DELETE_PATH",
    "FLUSH",
    "GET_BLOB",
    "HEAD_BLOB",
    "LIST_BLOBS",
    "LIST_PATHS",
    "OCTET_STREAM",
    "PUT_BLOB",
    "PUT_BLOCK",
    "RENAME",
    "SHORT",
    "Operation",
]

#: The media type of bytes of which no other is known.
OCTET_STREAM: Final = "application/octet-stream"
#: Each answer of the service has one of them, and errors need not have both.
_MARKS: Final = ("x-ms-request-id", "x-ms-version")
#: Each error of the service has it, also where it has no body.
_ERROR: Final = "x-ms-error-code"
#: Bytes of a body at whose beginning its proof stands.
_BEGINNING: Final = 1024
#: Bytes of the body of a response that is an error, or whose body says nothing.
SHORT: Final = 64 << 10
#: Bytes of a page of a listing, and of a list of blocks: 5,000 blobs with 8 KiB of metadata
#: each are below it, and so are the names of 50,000 blocks.
_PAGE: Final = 64 << 20
#: Bytes of the answer to a batch of 256 blobs.
_BATCH: Final = 4 << 20


@frozen(eq=False)
class Operation:
    """
    A kind of request.

    Args:
        method: Its HTTP method.
        answers: The statuses with which it succeeds, and the headers that the
            service always sends with each.
        body: What stands near the beginning of the body of such an answer.
        most: Bytes that such a body has at most.
        repeats: It changes something, but is sent again where its answer breaks off: what it
            does twice is the same.
    """

    method: str
    answers: Mapping[int, tuple[str, ...]]
    body: bytes = b""
    most: int = SHORT
    repeats: bool = False

    def lacks(self, status: int, headers: Mapping[str, str]) -> str:
        """
        Return what an answer has not got that the service always sends.

        Args:
            status: Its HTTP status.
            headers: Its headers, found whatever the case of their names.

        Returns:
            Words for an error; ``""`` if the answer is the service's.
        """
        if _MARKS[0] not in headers and _MARKS[1] not in headers:
            return f"it has neither {_MARKS[0]} nor {_MARKS[1]}"
        if status >= 400:
            return "" if _ERROR in headers else f"it has no {_ERROR}"
        wanted = self.answers.get(status)
        if wanted is None:
            return "it has a status that this request never gets"
        for name in wanted:
            if name not in headers:
                return f"it has no {name}"
        return ""

    def lacks_body(self, body: bytes) -> str:
        """Return what the body of an answer that succeeds has not got, ``""`` for nothing."""
        if self.body and self.body not in body[:_BEGINNING]:
            return f"its body does not begin with {self.body.decode()}"
        return ""


_VERSION: Final = ("ETag", "Last-Modified")
_BLOB: Final = (*_VERSION, "x-ms-blob-type")
_COPYING: Final = (*_VERSION, "x-ms-copy-id", "x-ms-copy-status")

# Of the Blob service.
HEAD_BLOB: Final = Operation("HEAD", {200: _BLOB})
GET_BLOB: Final = Operation("GET", {200: _BLOB, 206: (*_BLOB, "Content-Range")}, most=_PAGE)
PUT_BLOB: Final = Operation("PUT", {201: _VERSION})
PUT_BLOCK: Final = Operation("PUT", {201: ()})
COMMIT: Final = Operation("PUT", {201: _VERSION})
BLOCK_LIST: Final = Operation("GET", {200: ()}, b"<BlockList", _PAGE)
COPY: Final = Operation("PUT", {201: _COPYING, 202: _COPYING})
DELETE_BLOB: Final = Operation("DELETE", {202: ()})
LIST_BLOBS: Final = Operation("GET", {200: ("Content-Type",)}, b"<EnumerationResults", _PAGE)
#: A batch; each of its parts has what proves a `DELETE_BLOB`.
DELETE_BLOBS: Final = Operation("POST", {202: ("Content-Type",)}, most=_BATCH, repeats=True)
CONTAINER: Final = Operation("GET", {200: _VERSION})
DELEGATION_KEY: Final = Operation("POST", {200: ("Content-Type",)}, b"<UserDelegationKey")
ACCOUNT: Final = Operation("GET", {200: ("x-ms-account-kind", "x-ms-sku-name")})

# Of the Data Lake service.
CREATE_PATH: Final = Operation("PUT", {201: _VERSION})
APPEND: Final = Operation("PATCH", {202: ()})
FLUSH: Final = Operation("PATCH", {202: _VERSION})
RENAME: Final = Operation("PUT", {201: ()})
DELETE_PATH: Final = Operation("DELETE", {200: (), 202: ()})
LIST_PATHS: Final = Operation("GET", {200: ("Content-Type",)}, b'"paths"', _PAGE)
ACCESS_CONTROL: Final = Operation("HEAD", {200: ("ETag", "x-ms-acl")})
