"""Handlers of the Blob endpoint for blobs: a request in, an answer out."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from hns_emulator._endpoints.common import (
    conditions,
    http_headers,
    ranged,
    readable,
    require_md5,
    source_conditions,
    stamps,
    visible_metadata,
)
from hns_emulator._endpoints.containers import container
from hns_emulator._endpoints.crc64 import crc64
from hns_emulator._endpoints.dfs import ACL, ENCRYPTED, PERMISSIONS
from hns_emulator._endpoints.messages import Answer, ReceivedRequest
from hns_emulator._endpoints.xml import blob_list, block_list, parse_block_list
from hns_emulator._errors import Refused, ServiceError, UnverifiedError
from hns_emulator._state import blobs
from hns_emulator._state.account import AccountState
from hns_emulator._state.clock import http_date
from hns_emulator._state.listing import list_blobs, page_size
from hns_emulator._state.tree import Node, Path, find, parse_name

__all__ = ["HANDLERS"]

_META = "x-ms-meta-"
_XML = "application/xml"
_CRC = "x-ms-content-crc64"
_BLOB = "x-ms-blob-"
#: The queries that a listing repeats.
_REPEATED = ("Prefix", "Marker", "MaxResults", "Delimiter")
#: The codes for reading what is not there.
_MISSING = ("ContainerNotFound", "BlobNotFound")


def snapshot(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?comp=snapshot`, which such accounts do not have."""
    raise ServiceError(code="FeatureNotYetSupportedForHierarchicalNamespaceAccounts")


def put_blob(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT` with x-ms-blob-type."""
    if (kind := request.headers["x-ms-blob-type"]) != "BlockBlob":
        raise Refused(code="UnsupportedHeader", detail=f"put_blob x-ms-blob-type: {kind}")
    md5 = require_md5(request)
    if request.headers.get("x-ms-blob-content-md5", md5) != md5:
        raise ServiceError(code="Md5Mismatch")
    http = http_headers(request, _BLOB)
    content = blobs.FileContent(
        request.body, _content_type(request), request.metadata, md5, http=http
    )
    node = blobs.put_blob(
        account, container(account, request), request.path, content, conditions(request)
    )
    sums = {"Content-MD5": md5, _CRC: crc64(request.body)}
    return Answer(201, {**stamps(node), **sums, ENCRYPTED: "true"})


def put_block(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?comp=block`."""
    require_md5(request)
    fs = container(account, request)
    blobs.stage(fs, request.path, request.query["blockid"], request.body)
    headers = {_CRC: crc64(request.body), ENCRYPTED: "true"}
    if "content-md5" in request.headers:
        headers["Content-MD5"] = request.headers["content-md5"]
    return Answer(201, headers)


def put_block_list(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?comp=blocklist`."""
    require_md5(request)
    content = blobs.FileContent(
        b"",
        request.headers.get("x-ms-blob-content-type", "application/octet-stream"),
        request.metadata,
        request.headers.get("x-ms-blob-content-md5"),
        http=http_headers(request, _BLOB),
    )
    node = blobs.commit_blocks(
        account,
        container(account, request),
        request.path,
        parse_block_list(request.body),
        content,
        conditions(request),
    )
    return Answer(201, {**stamps(node), _CRC: crc64(request.body), ENCRYPTED: "true"})


def get_block_list(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET ?comp=blocklist`."""
    fs = container(account, request)
    node = find(fs, request.path)
    staged = fs.staged.get(request.path, {})
    if node is None and not staged:
        raise ServiceError(code="BlobNotFound")
    asked = request.query.get("blocklisttype", "committed")
    body = block_list(
        (node.blocks if node else {}) if asked in ("all", "committed") else None,
        staged if asked in ("all", "uncommitted") else None,
    )
    headers = {"Content-Type": _XML}
    if node is not None:
        headers |= {**stamps(node), "x-ms-blob-content-length": str(len(node.content))}
    return Answer(200, headers, body)


def set_metadata(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?comp=metadata`."""
    fs = container(account, request)
    node = blobs.set_metadata(account, fs, request.path, request.metadata, conditions(request))
    return Answer(200, {**stamps(node), ENCRYPTED: "true"})


def set_properties(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?comp=properties`: what is not sent is cleared."""
    fs = container(account, request)
    node = blobs.changeable(fs, request.path, "Set Blob Properties", conditions(request))
    node.content_type = request.headers.get(f"{_BLOB}content-type")
    node.md5 = request.headers.get(f"{_BLOB}content-md5")
    node.http = http_headers(request, _BLOB)
    node.changed = account.clock.tick()
    return Answer(200, stamps(node))


def copy_blob(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT` with x-ms-copy-source, synchronously."""
    url = request.headers["x-ms-copy-source"]
    source_fs, source = _copy_source(account, url)
    if source_fs not in account.filesystems:
        raise UnverifiedError(operation="copy from a missing container")
    asked = blobs.Copying(
        account.filesystems[source_fs],
        source,
        url,
        container(account, request),
        request.path,
        request.metadata or None,
        source_conditions(request),
        conditions(request),
    )
    node = blobs.copy_blob(account, asked)
    copy = {name: node.copied[name] for name in ("x-ms-copy-id", "x-ms-copy-status")}
    return Answer(202, {**stamps(node), **copy})


def _copy_source(account: AccountState, url: str) -> tuple[str, Path]:
    parts = urlsplit(url)
    if parts.query:
        raise UnverifiedError(operation="copy source with a query")
    path = unquote(parts.path).removeprefix("/")
    if parts.hostname in ("127.0.0.1", "localhost"):
        owner, _, path = path.partition("/")
    else:
        owner = (parts.hostname or "").removesuffix(".blob.core.localhost")
    if owner != account.name:
        raise UnverifiedError(operation="copy from another account")
    filesystem, _, name = path.partition("/")
    source = parse_name(name)
    if not source:
        raise UnverifiedError(operation="copy of a container")
    return filesystem, source


def _content_type(request: ReceivedRequest) -> str:
    sent = request.headers.get("content-type") or "application/octet-stream"
    return request.headers.get("x-ms-blob-content-type") or sent


def _properties(account: AccountState, node: Node) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        **stamps(node),
        "x-ms-access-tier": "Hot",
        "x-ms-access-tier-inferred": "true",
        "x-ms-acl": ACL[node.is_directory],
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": http_date(node.created),
        "x-ms-group": "$superuser",
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-owner": "$superuser",
        "x-ms-permissions": PERMISSIONS[node.is_directory],
        "x-ms-resource-type": "directory" if node.is_directory else "file",
        "x-ms-server-encrypted": "true",
        **node.copied,
    }
    headers |= node.http
    if node.content_type is not None:
        headers["Content-Type"] = node.content_type
    for name, value in visible_metadata(node).items():
        headers[f"{_META}{name}"] = value
    return headers


def blob_properties(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `HEAD`."""
    node = readable(account, request, *_MISSING)
    headers = _properties(account, node)
    headers["Content-Length"] = str(len(node.content))
    if node.md5:
        headers["Content-MD5"] = node.md5
    return Answer(200, headers, None)


def get_blob(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET`, of the whole or of one range."""
    node = readable(account, request, *_MISSING)
    content = node.content
    headers = _properties(account, node)
    part = ranged(request, content)
    if node.md5:
        headers["Content-MD5" if part is None else "x-ms-blob-content-md5"] = node.md5
    if part is None:
        return Answer(200, headers, content)
    headers["Content-Range"] = part[1]
    return Answer(206, headers, part[0])


def delete_blob(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `DELETE`."""
    snapshots = request.headers.get("x-ms-delete-snapshots")
    if snapshots not in (None, "include"):
        raise Refused(
            code="UnsupportedHeader", detail=f"delete_blob x-ms-delete-snapshots: {snapshots}"
        )
    blobs.delete_blob(
        account,
        container(account, request),
        request.path,
        conditions(request),
        with_snapshots=snapshots is not None,
    )
    return Answer(202, {"x-ms-delete-type-permanent": "true"})


def list_(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET ?restype=container&comp=list`."""
    query = request.query
    delimited = "delimiter" in query
    page = list_blobs(
        container(account, request),
        query.get("prefix", ""),
        delimited=delimited,
        size=page_size(account, query.get("maxresults")),
        marker=query.get("marker"),
    )
    with_metadata = "include" in query
    body = blob_list(
        f"http://{account.name}.blob.core.localhost/",
        request.filesystem,
        [(name, query[name.lower()]) for name in _REPEATED if name.lower() in query],
        [
            ("/".join(path), node, visible_metadata(node) if with_metadata else None)
            for path, node in page.entries
        ],
        page.continuation,
        delimited=delimited,
    )
    return Answer(200, {"Content-Type": _XML}, body, chunked=True)


HANDLERS: dict[str, Callable[[AccountState, ReceivedRequest], Answer]] = {
    "blob_properties": blob_properties,
    "copy_blob": copy_blob,
    "delete_blob": delete_blob,
    "get_blob": get_blob,
    "get_block_list": get_block_list,
    "list_blobs": list_,
    "put_blob": put_blob,
    "put_block": put_block,
    "put_block_list": put_block_list,
    "set_metadata": set_metadata,
    "set_properties": set_properties,
    "snapshot": snapshot,
}
"""By the name of the operation."""
