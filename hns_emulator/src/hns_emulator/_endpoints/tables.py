"""
The closed tables: which operations there are, and what each may carry.

An operation is found by endpoint, method, level and deciding queries or
headers. What it does not name is refused, so that no client relies on a
parameter that the emulator ignores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hns_emulator._endpoints.messages import Kind, ReceivedRequest
from hns_emulator._errors import Refused, UnverifiedError
from hns_emulator._state.tree import HTTP_HEADERS

__all__ = ["OPERATIONS", "TableEntry", "hold_to_tables", "select"]

Level = Literal["account", "filesystem", "path"]
Values = tuple[str, ...] | None
"""The values that a query may have; None for any."""

_BOTH: Values = ("true", "false")
_CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})
_SOURCE_CONDITIONS = frozenset(f"x-ms-source-{name}" for name in _CONDITIONS)
_COMMON = frozenset({"x-ms-version", "x-ms-date", "x-ms-client-request-id"})
_UNVERIFIED_HEADERS = {
    "x-ms-acl": "ACLs",
    "x-ms-permissions": "ACLs",
    "x-ms-umask": "ACLs",
    "x-ms-owner": "ACLs",
    "x-ms-group": "ACLs",
    "x-ms-lease-id": "leases",
    "x-ms-source-lease-id": "leases",
    "x-ms-proposed-lease-id": "leases",
    "x-ms-lease-action": "leases",
    "x-ms-lease-duration": "leases",
    "x-ms-lease-break-period": "leases",
    "x-ms-expiry-option": "expiry",
    "x-ms-expiry-time": "expiry",
    "x-ms-tags": "tags",
    "x-ms-if-tags": "tags",
    "x-ms-access-tier": "access tiers",
    "x-ms-blob-public-access": "public access",
    "x-ms-encryption-key": "keys of the client's",
    "x-ms-encryption-context": "encryption contexts",
}
_JUDGED_PREFIXES = ("x-ms-", "if-")
_JUDGED = frozenset({"content-md5", "content-encoding", "content-language", "range"})


@dataclass(frozen=True, slots=True)
class TableEntry:
    """
    One entry.

    Attributes:
        when: Queries that decide; a value of None means that it is there.
        header: A header that decides by being there.
        queries: What else it may carry, with the values.
        required: Queries without which it is refused.
        headers: What it may carry of x-ms-*, conditions and the like.
        body: Whether it takes one.
        metadata: Whether it takes x-ms-meta-*.
        unverified: What to call it in the counter if nobody recorded it.
    """

    name: str
    kind: Kind
    method: str
    level: Level
    when: Mapping[str, str | None] = field(default_factory=dict)
    header: str = ""
    queries: Mapping[str, Values] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    headers: frozenset[str] = frozenset()
    body: bool = False
    metadata: bool = False
    unverified: str = ""


_DFS_HTTP = frozenset(f"x-ms-{name}" for name in (*HTTP_HEADERS, "content-type"))
_BLOB_HTTP = frozenset(
    f"x-ms-blob-{name}" for name in (*HTTP_HEADERS, "content-type", "content-md5")
)
_PUT = _BLOB_HTTP | {"x-ms-blob-type"}
_RANGE = frozenset({"x-ms-range", "range"})
_LIST = {"prefix": None, "delimiter": ("/",), "include": ("metadata",), "marker": None}

OPERATIONS: tuple[TableEntry, ...] = (
    # Data Lake endpoint
    TableEntry(
        "list_paths", "dfs", "GET", "filesystem", when={"resource": "filesystem"},
        queries={"recursive": _BOTH, "directory": None, "maxresults": None,
                 "continuation": None, "upn": _BOTH},
        required=("recursive",),
    ),
    TableEntry("head_filesystem", "dfs", "HEAD", "filesystem", when={"resource": "filesystem"}),
    TableEntry("create_container", "dfs", "PUT", "filesystem", when={"resource": "filesystem"}),
    TableEntry("delete_container", "dfs", "DELETE", "filesystem", when={"resource": "filesystem"}),
    TableEntry(
        "root_access", "dfs", "HEAD", "filesystem", when={"action": "getAccessControl"},
        queries={"upn": _BOTH},
    ),
    TableEntry("", "dfs", "HEAD", "path", when={"action": "getAccessControl"}, unverified="ACLs"),
    TableEntry(
        "path_properties", "dfs", "HEAD", "path", when={"action": "getStatus"},
        headers=_CONDITIONS,
    ),
    TableEntry("path_properties", "dfs", "HEAD", "path", headers=_CONDITIONS),
    TableEntry(
        "create_directory", "dfs", "PUT", "path", when={"resource": "directory"},
        headers=_CONDITIONS | {"x-ms-properties"},
    ),
    TableEntry(
        "create_file", "dfs", "PUT", "path", when={"resource": "file"},
        headers=_CONDITIONS | _DFS_HTTP | {"x-ms-properties"},
    ),
    TableEntry(
        "rename", "dfs", "PUT", "path", header="x-ms-rename-source",
        queries={"mode": ("legacy", "posix")},
        headers=_CONDITIONS | _SOURCE_CONDITIONS
        | {"x-ms-rename-source", "x-ms-source-lease-id", "x-ms-properties"},
    ),
    TableEntry(
        "append", "dfs", "PATCH", "path", when={"action": "append"},
        queries={"position": None, "flush": _BOTH}, required=("position",),
        headers=frozenset({"content-md5"}), body=True,
    ),
    TableEntry(
        "flush", "dfs", "PATCH", "path", when={"action": "flush"},
        queries={"position": None, "retainuncommitteddata": _BOTH, "close": _BOTH},
        required=("position",), headers=_CONDITIONS | _DFS_HTTP,
    ),
    TableEntry(
        "", "dfs", "PATCH", "path", when={"action": "setProperties"}, unverified="setProperties"
    ),
    TableEntry(
        "", "dfs", "PATCH", "filesystem", when={"action": "setProperties"},
        unverified="setProperties",
    ),
    TableEntry(
        "", "dfs", "PATCH", "path", when={"action": "setAccessControl"}, unverified="ACLs"
    ),
    TableEntry(
        "", "dfs", "PATCH", "filesystem", when={"action": "setAccessControl"}, unverified="ACLs"
    ),
    TableEntry(
        "", "dfs", "PATCH", "path", when={"action": "setAccessControlRecursive"},
        unverified="ACLs",
    ),
    TableEntry(
        "", "dfs", "PATCH", "filesystem", when={"action": "setAccessControlRecursive"},
        unverified="ACLs",
    ),
    TableEntry("", "dfs", "POST", "path", header="x-ms-lease-action", unverified="leases"),
    TableEntry("", "dfs", "PUT", "path", when={"comp": "undelete"}, unverified="undelete"),
    TableEntry("", "dfs", "PUT", "path", when={"comp": "expiry"}, unverified="expiry"),
    TableEntry("read_path", "dfs", "GET", "path", headers=_CONDITIONS | _RANGE),
    TableEntry(
        "delete", "dfs", "DELETE", "path", queries={"recursive": _BOTH}, headers=_CONDITIONS
    ),
    # Blob endpoint
    TableEntry(
        "account_information", "blob", "GET", "account",
        when={"restype": "account", "comp": "properties"},
    ),
    TableEntry(
        "account_information", "blob", "GET", "filesystem",
        when={"restype": "account", "comp": "properties"},
    ),
    TableEntry(
        "account_information", "blob", "GET", "path",
        when={"restype": "account", "comp": "properties"},
    ),
    TableEntry(
        "list_containers", "blob", "GET", "account", when={"comp": "list"},
        queries={"prefix": None, "marker": None, "maxresults": None, "include": ("metadata",)},
    ),
    TableEntry(
        "batch", "blob", "POST", "account", when={"comp": "batch"}, body=True,
    ),
    TableEntry(
        "batch", "blob", "POST", "filesystem", when={"restype": "container", "comp": "batch"},
        body=True,
    ),
    TableEntry(
        "list_blobs", "blob", "GET", "filesystem", when={"restype": "container", "comp": "list"},
        queries={**_LIST, "maxresults": None},
    ),
    TableEntry(
        "", "blob", "PUT", "filesystem", when={"restype": "container", "comp": "lease"},
        unverified="leases",
    ),
    TableEntry(
        "set_container_metadata", "blob", "PUT", "filesystem",
        when={"restype": "container", "comp": "metadata"}, metadata=True,
    ),
    TableEntry(
        "create_container", "blob", "PUT", "filesystem", when={"restype": "container"},
        metadata=True,
    ),
    TableEntry("container_properties", "blob", "GET", "filesystem", when={"restype": "container"}),
    TableEntry("container_properties", "blob", "HEAD", "filesystem", when={"restype": "container"}),
    TableEntry("delete_container", "blob", "DELETE", "filesystem", when={"restype": "container"}),
    TableEntry("", "blob", "PUT", "path", when={"comp": "lease"}, unverified="leases"),
    TableEntry("", "blob", "PUT", "path", when={"comp": "tags"}, unverified="tags"),
    TableEntry("", "blob", "GET", "path", when={"comp": "tags"}, unverified="tags"),
    TableEntry("", "blob", "PUT", "path", when={"comp": "tier"}, unverified="access tiers"),
    TableEntry(
        "set_properties", "blob", "PUT", "path", when={"comp": "properties"},
        headers=_CONDITIONS | _BLOB_HTTP,
    ),
    TableEntry("", "blob", "PUT", "path", when={"comp": "undelete"}, unverified="undelete"),
    TableEntry("", "blob", "PUT", "path", when={"comp": "expiry"}, unverified="expiry"),
    TableEntry("snapshot", "blob", "PUT", "path", when={"comp": "snapshot"}),
    TableEntry(
        "set_metadata", "blob", "PUT", "path", when={"comp": "metadata"}, headers=_CONDITIONS,
        metadata=True,
    ),
    TableEntry(
        "put_block", "blob", "PUT", "path", when={"comp": "block"}, queries={"blockid": None},
        required=("blockid",), headers=frozenset({"content-md5"}), body=True,
    ),
    TableEntry(
        "put_block_list", "blob", "PUT", "path", when={"comp": "blocklist"},
        headers=_CONDITIONS | _PUT | {"content-md5"}, body=True, metadata=True,
    ),
    TableEntry(
        "get_block_list", "blob", "GET", "path", when={"comp": "blocklist"},
        queries={"blocklisttype": ("all", "committed", "uncommitted")},
    ),
    TableEntry(
        "copy_blob", "blob", "PUT", "path", header="x-ms-copy-source",
        headers=_CONDITIONS | _SOURCE_CONDITIONS | {"x-ms-copy-source"}, metadata=True,
    ),
    TableEntry(
        "put_blob", "blob", "PUT", "path", header="x-ms-blob-type",
        headers=_CONDITIONS | _PUT | {"content-md5"}, body=True, metadata=True,
    ),
    TableEntry("blob_properties", "blob", "HEAD", "path", headers=_CONDITIONS),
    TableEntry("get_blob", "blob", "GET", "path", headers=_CONDITIONS | _RANGE),
    TableEntry(
        "delete_blob", "blob", "DELETE", "path",
        headers=_CONDITIONS | {"x-ms-delete-snapshots"},
    ),
)  # fmt: skip


def select(request: ReceivedRequest) -> TableEntry:
    """
    Find the operation that a request asks for.

    Raises:
        Refused: There is no such operation.
    """
    level: Level = "path" if request.path else "filesystem" if request.filesystem else "account"
    candidates = [
        operation
        for operation in OPERATIONS
        if (operation.kind, operation.method, operation.level)
        == (request.kind, request.method, level)
    ]
    for operation in candidates:
        if operation.header and operation.header not in request.headers:
            continue
        if all(
            name in request.query and value in (None, request.query[name])
            for name, value in operation.when.items()
        ):
            return operation
    shown = "&".join(f"{name}={value}" for name, value in sorted(request.query.items()))
    detail = f"{request.method} {request.kind} {level}" + (f" ?{shown}" if shown else "")
    raise Refused(code="UnsupportedOperation", detail=detail)


def hold_to_tables(operation: TableEntry, request: ReceivedRequest) -> None:
    """
    Refuse what the operation's table entry does not name.

    Raises:
        Refused: For an unknown query, value or header, a missing query, a body.
        UnverifiedError: If nobody recorded the operation or header.
    """
    if operation.unverified:
        raise UnverifiedError(operation=operation.unverified)
    for name, value in request.headers.items():
        if name in _UNVERIFIED_HEADERS and value:
            raise UnverifiedError(operation=_UNVERIFIED_HEADERS[name])
    _refuse_unknown(operation, request)
    for name in operation.required:
        if name not in request.query:
            raise Refused(code="MissingRequiredQueryParameter", detail=f"{operation.name} {name}")
    if request.body and not operation.body:
        raise Refused(code="ContentLengthMustBeZero", detail=operation.name)


def _refuse_unknown(operation: TableEntry, request: ReceivedRequest) -> None:
    for name, value in request.query.items():
        if name == "beginfrom":
            raise UnverifiedError(operation=name)
        if name in operation.when or (name == "timeout" and value.isdecimal()):
            continue
        if name not in operation.queries:
            raise Refused(code="UnsupportedQueryParameter", detail=f"{operation.name} {name}")
        values = operation.queries[name]
        if values is not None and value not in values:
            raise Refused(
                code="UnsupportedQueryParameter", detail=f"{operation.name} {name}={value}"
            )
    for name in request.headers:
        judged = name.startswith(_JUDGED_PREFIXES) or name in _JUDGED
        known = name in operation.headers or name in _COMMON
        if judged and not known and not (operation.metadata and name.startswith("x-ms-meta-")):
            raise Refused(code="UnsupportedHeader", detail=f"{operation.name} {name}")
