"""Handlers of the Data Lake endpoint: a request in, an answer out."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from urllib.parse import unquote

from hns_emulator._endpoints.common import (
    boolean,
    conditions,
    http_headers,
    ranged,
    readable,
    require_md5,
    source_conditions,
    stamps,
    visible_metadata,
)
from hns_emulator._endpoints.messages import JSON, Answer, ReceivedRequest
from hns_emulator._errors import Refused, ServiceError, UnverifiedError
from hns_emulator._state import paths
from hns_emulator._state.account import AccountState
from hns_emulator._state.clock import etag, filetime, http_date
from hns_emulator._state.listing import list_paths, page_size
from hns_emulator._state.tree import Node, Path, parse_name

__all__ = ["ACL", "HANDLERS", "PERMISSIONS"]

PERMISSIONS = {True: "rwxr-x---", False: "rw-r-----"}
ACL = {True: "user::rwx,group::r-x,other::---", False: "user::rw-,group::r--,other::---"}
ENCRYPTED = "x-ms-request-server-encrypted"
#: The codes for reading what is not there.
_MISSING = ("FilesystemNotFound", "PathNotFound")


def create_directory(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?resource=directory`."""
    return _create(account, request, is_directory=True)


def create_file(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?resource=file`."""
    return _create(account, request, is_directory=False)


def _create(account: AccountState, request: ReceivedRequest, *, is_directory: bool) -> Answer:
    node = paths.create(
        account,
        account.filesystem(request.filesystem),
        request.path,
        is_directory=is_directory,
        metadata=parse_properties(request.headers.get("x-ms-properties", "")),
        content_type=request.headers.get("x-ms-content-type", "application/octet-stream"),
        conditions=conditions(request),
    )
    node.http = http_headers(request, "x-ms-")
    return Answer(201, {**stamps(node), ENCRYPTED: "true"})


def parse_properties(text: str) -> dict[str, str]:
    """
    Return the metadata of an x-ms-properties header, `name=base64` with commas between.

    Raises:
        Refused: If it is not that.
        UnverifiedError: For values that are not ASCII.
    """
    metadata: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        name, equals, value = pair.strip().partition("=")
        try:
            decoded = base64.b64decode(value, validate=True)
        except binascii.Error:
            decoded, equals = b"", ""
        if not (name and equals):
            raise Refused(code="InvalidHeaderValue", detail="x-ms-properties")
        if not decoded.isascii():
            raise UnverifiedError(operation="metadata beyond ASCII")
        metadata[name] = decoded.decode("ascii")
    return metadata


def append(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PATCH ?action=append`, which may flush in the same step."""
    require_md5(request)
    position = _position(request)
    fs = account.filesystem(request.filesystem)
    if not boolean(request, "flush"):
        paths.append(fs, request.path, position, request.body)
        return Answer(202, {ENCRYPTED: "true"})
    node = paths.append_and_flush(account, fs, request.path, position, request.body)
    return Answer(202, {**stamps(node), ENCRYPTED: "true"})


def flush(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PATCH ?action=flush`."""
    if boolean(request, "retainuncommitteddata"):
        raise UnverifiedError(operation="retainUncommittedData=true")
    fs = account.filesystem(request.filesystem)
    node = paths.flush(account, fs, request.path, _position(request), conditions(request))
    node.content_type = request.headers.get("x-ms-content-type", node.content_type)
    node.http |= http_headers(request, "x-ms-")
    return Answer(200, {**stamps(node), ENCRYPTED: "false"})


def _position(request: ReceivedRequest) -> int:
    value = request.query["position"]
    if not (value.isascii() and value.isdigit()):
        raise Refused(code="InvalidQueryParameterValue", detail=f"position={value}")
    return int(value)


def rename(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT` with x-ms-rename-source."""
    node = paths.rename(account, _renaming(account, request))
    return Answer(201, stamps(node))


def _renaming(account: AccountState, request: ReceivedRequest) -> paths.Renaming:
    if request.headers.get("x-ms-properties"):
        raise UnverifiedError(operation="rename with new properties")
    fs = account.filesystem(request.filesystem)
    source_fs, source = _rename_source(account, request.headers["x-ms-rename-source"])
    if source_fs not in account.filesystems:
        raise UnverifiedError(operation="rename from a missing filesystem")
    return paths.Renaming(
        account.filesystems[source_fs],
        source,
        fs,
        request.path,
        request.query.get("mode", "posix") == "posix",
        source_conditions(request),
        conditions(request),
    )


def _rename_source(account: AccountState, header: str) -> tuple[str, Path]:
    path, _, query = header.partition("?")
    if query:
        raise UnverifiedError(operation="rename source with a query")
    lead, _, rest = unquote(path).partition("/")
    filesystem, _, name = rest.partition("/")
    source = parse_name(name)
    if lead or not filesystem or not source:
        raise ServiceError(code="InvalidSourceUri")
    return filesystem, source


def delete(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `DELETE`."""
    fs = account.filesystem(request.filesystem)
    recursive = request.query.get("recursive")
    paths.delete(account, fs, request.path, recursive, conditions(request))
    return Answer(200, {"x-ms-delete-type-permanent": "true"})


def list_(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET ?resource=filesystem`."""
    page = list_paths(
        account.filesystem(request.filesystem),
        request.query.get("directory", ""),
        recursive=boolean(request, "recursive"),
        size=page_size(account, request.query.get("maxresults")),
        continuation=request.query.get("continuation"),
    )
    entries = [_entry(path, node) for path, node in page.entries]
    body = json.dumps({"paths": entries}, separators=(",", ":"), ensure_ascii=False) + "\n"
    headers = {"Content-Type": JSON}
    if page.continuation is not None:
        headers["x-ms-continuation"] = page.continuation
    return Answer(200, headers, body.encode(), chunked=True)


def _entry(path: Path, node: Node) -> dict[str, str]:
    entry = {
        "contentLength": str(len(node.content)),
        "creationTime": filetime(node.created),
        "etag": etag(node.changed),
        "expiryTime": "0",
        "group": "$superuser",
        "isDirectory": "true",
        "lastModified": http_date(node.changed),
        "name": "/".join(path),
        "owner": "$superuser",
        "permissions": PERMISSIONS[node.is_directory],
    }
    if not node.is_directory:
        del entry["isDirectory"]
    return entry


def head_filesystem(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `HEAD ?resource=filesystem`; documented only."""
    root = account.filesystem(request.filesystem).root
    return Answer(200, {**stamps(root), "x-ms-namespace-enabled": "true"}, None)


def root_access(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `HEAD /fs/?action=getAccessControl`; documented only."""
    root = account.filesystem(request.filesystem).root
    access = {
        "x-ms-owner": "$superuser",
        "x-ms-group": "$superuser",
        "x-ms-permissions": PERMISSIONS[True],
        "x-ms-acl": ACL[True],
    }
    return Answer(200, {**stamps(root), **access}, None)


def path_properties(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `HEAD`, with `?action=getStatus` or not; documented only."""
    node = readable(account, request, *_MISSING)
    headers = _properties(node)
    headers["Content-Length"] = str(len(node.content))
    return Answer(200, headers, None)


def read_path(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET`, of the whole or of one range; documented only."""
    node = readable(account, request, *_MISSING)
    if node.is_directory:
        raise UnverifiedError(operation="DFS read of a directory")
    content = node.content
    headers = _properties(node)
    part = ranged(request, content)
    if part is None:
        return Answer(200, headers, content)
    headers["Content-Range"] = part[1]
    return Answer(206, headers, part[0])


def _properties(node: Node) -> dict[str, str]:
    """Return the headers that describe a path."""
    pairs = visible_metadata(node).items()
    properties = [f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in pairs]
    headers = {
        "Accept-Ranges": "bytes",
        **stamps(node),
        **node.http,
        "x-ms-acl": ACL[node.is_directory],
        "x-ms-creation-time": http_date(node.created),
        "x-ms-group": "$superuser",
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-owner": "$superuser",
        "x-ms-permissions": PERMISSIONS[node.is_directory],
        "x-ms-resource-type": "directory" if node.is_directory else "file",
        "x-ms-server-encrypted": "true",
    }
    if properties:
        headers["x-ms-properties"] = ",".join(properties)
    if node.content_type is not None:
        headers["Content-Type"] = node.content_type
    return headers


HANDLERS: dict[str, Callable[[AccountState, ReceivedRequest], Answer]] = {
    "append": append,
    "create_directory": create_directory,
    "create_file": create_file,
    "delete": delete,
    "flush": flush,
    "head_filesystem": head_filesystem,
    "list_paths": list_,
    "path_properties": path_properties,
    "read_path": read_path,
    "rename": rename,
    "root_access": root_access,
}
"""By the name of the operation."""
