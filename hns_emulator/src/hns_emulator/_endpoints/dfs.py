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
from hns_emulator._endpoints.messages import JSON, Answer, Call
from hns_emulator._errors import Refused, ServiceError, Unverified
from hns_emulator._state import paths
from hns_emulator._state.account import Account
from hns_emulator._state.clock import etag, filetime, http_date
from hns_emulator._state.listing import list_paths, page_size
from hns_emulator._state.tree import Node, Path, parse_name

__all__ = ["ACL", "HANDLERS", "PERMISSIONS"]

PERMISSIONS = {True: "rwxr-x---", False: "rw-r-----"}
ACL = {True: "user::rwx,group::r-x,other::---", False: "user::rw-,group::r--,other::---"}
ENCRYPTED = "x-ms-request-server-encrypted"
#: The codes for reading what is not there.
_MISSING = ("FilesystemNotFound", "PathNotFound")


def create_directory(account: Account, call: Call) -> Answer:
    """Answer `PUT ?resource=directory`."""
    return _create(account, call, is_directory=True)


def create_file(account: Account, call: Call) -> Answer:
    """Answer `PUT ?resource=file`."""
    return _create(account, call, is_directory=False)


def _create(account: Account, call: Call, *, is_directory: bool) -> Answer:
    node = paths.create(
        account,
        account.filesystem(call.filesystem),
        call.path,
        is_directory=is_directory,
        metadata=parse_properties(call.headers.get("x-ms-properties", "")),
        content_type=call.headers.get("x-ms-content-type", "application/octet-stream"),
        conditions=conditions(call),
    )
    node.http = http_headers(call, "x-ms-")
    return Answer(201, {**stamps(node), ENCRYPTED: "true"})


def parse_properties(text: str) -> dict[str, str]:
    """
    Return the metadata of an x-ms-properties header, `name=base64` with commas between.

    Raises:
        Refused: If it is not that.
        Unverified: For values that are not ASCII.
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
            raise Unverified(operation="metadata beyond ASCII")
        metadata[name] = decoded.decode("ascii")
    return metadata


def append(account: Account, call: Call) -> Answer:
    """Answer `PATCH ?action=append`, which may flush in the same step."""
    require_md5(call)
    position = _position(call)
    fs = account.filesystem(call.filesystem)
    if not boolean(call, "flush"):
        paths.append(fs, call.path, position, call.body)
        return Answer(202, {ENCRYPTED: "true"})
    node = paths.append_and_flush(account, fs, call.path, position, call.body)
    return Answer(202, {**stamps(node), ENCRYPTED: "true"})


def flush(account: Account, call: Call) -> Answer:
    """Answer `PATCH ?action=flush`."""
    if boolean(call, "retainuncommitteddata"):
        raise Unverified(operation="retainUncommittedData=true")
    fs = account.filesystem(call.filesystem)
    node = paths.flush(account, fs, call.path, _position(call), conditions(call))
    node.content_type = call.headers.get("x-ms-content-type", node.content_type)
    node.http |= http_headers(call, "x-ms-")
    return Answer(200, {**stamps(node), ENCRYPTED: "false"})


def _position(call: Call) -> int:
    value = call.query["position"]
    if not (value.isascii() and value.isdigit()):
        raise Refused(code="InvalidQueryParameterValue", detail=f"position={value}")
    return int(value)


def rename(account: Account, call: Call) -> Answer:
    """Answer `PUT` with x-ms-rename-source."""
    node = paths.rename(account, _renaming(account, call))
    return Answer(201, stamps(node))


def _renaming(account: Account, call: Call) -> paths.Renaming:
    if call.headers.get("x-ms-properties"):
        raise Unverified(operation="rename with new properties")
    fs = account.filesystem(call.filesystem)
    source_fs, source = _rename_source(account, call.headers["x-ms-rename-source"])
    if source_fs not in account.filesystems:
        raise Unverified(operation="rename from a missing filesystem")
    return paths.Renaming(
        account.filesystems[source_fs],
        source,
        fs,
        call.path,
        call.query.get("mode", "posix") == "posix",
        source_conditions(call),
        conditions(call),
    )


def _rename_source(account: Account, header: str) -> tuple[str, Path]:
    path, _, query = header.partition("?")
    if query:
        raise Unverified(operation="rename source with a query")
    lead, _, rest = unquote(path).partition("/")
    filesystem, _, name = rest.partition("/")
    source = parse_name(name)
    if lead or not filesystem or not source:
        raise ServiceError(code="InvalidSourceUri")
    return filesystem, source


def delete(account: Account, call: Call) -> Answer:
    """Answer `DELETE`."""
    fs = account.filesystem(call.filesystem)
    recursive = call.query.get("recursive")
    paths.delete(account, fs, call.path, recursive, conditions(call))
    return Answer(200, {"x-ms-delete-type-permanent": "true"})


def list_(account: Account, call: Call) -> Answer:
    """Answer `GET ?resource=filesystem`."""
    page = list_paths(
        account.filesystem(call.filesystem),
        call.query.get("directory", ""),
        recursive=boolean(call, "recursive"),
        size=page_size(account, call.query.get("maxresults")),
        continuation=call.query.get("continuation"),
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


def head_filesystem(account: Account, call: Call) -> Answer:
    """Answer `HEAD ?resource=filesystem`; documented only."""
    root = account.filesystem(call.filesystem).root
    return Answer(200, {**stamps(root), "x-ms-namespace-enabled": "true"}, None)


def root_access(account: Account, call: Call) -> Answer:
    """Answer `HEAD /fs/?action=getAccessControl`; documented only."""
    root = account.filesystem(call.filesystem).root
    access = {
        "x-ms-owner": "$superuser",
        "x-ms-group": "$superuser",
        "x-ms-permissions": PERMISSIONS[True],
        "x-ms-acl": ACL[True],
    }
    return Answer(200, {**stamps(root), **access}, None)


def path_properties(account: Account, call: Call) -> Answer:
    """Answer `HEAD`, with `?action=getStatus` or not; documented only."""
    node = readable(account, call, *_MISSING)
    headers = _told(node)
    headers["Content-Length"] = str(len(node.content))
    return Answer(200, headers, None)


def read_path(account: Account, call: Call) -> Answer:
    """Answer `GET`, of the whole or of one range; documented only."""
    node = readable(account, call, *_MISSING)
    if node.is_directory:
        raise Unverified(operation="DFS read of a directory")
    content = node.content
    headers = _told(node)
    part = ranged(call, content)
    if part is None:
        return Answer(200, headers, content)
    headers["Content-Range"] = part[1]
    return Answer(206, headers, part[0])


def _told(node: Node) -> dict[str, str]:
    """Return what the endpoint tells of a path."""
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


HANDLERS: dict[str, Callable[[Account, Call], Answer]] = {
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
